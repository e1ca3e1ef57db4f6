//! A log seen from outside: through mapped files, on a plain thread, also while its gateway runs.
//!
//! Promises:
//! - nothing is locked, written or removed;
//! - what it says of a frame is what a start would say: both ask the same scan;
//! - a tail that is just being written is the end of the log, and a segment that is given up while it is
//!   looked at is passed over: neither is damage.
//!
//! It does not know what a run's bytes or tags mean.
//!
//! Read in this order: this page (logs, segments, frames), `verify`, `debts`.

mod debts;
#[cfg(test)]
mod tests;
mod verify;

pub use debts::{Debt, debts, each_owed};
pub use verify::{Damage, Verified, verify};

use super::checkpoint::{self, Checkpoint, SLOT_BYTES};
use super::format::{Footer, SEGMENT_HEADER_BYTES, SegmentHeader, Share};
use super::frame::{Frame, Kind};
use super::index::without;
use super::reader::{below, count};
use super::recovery::{Finding, Scan};
use super::segment::{self, note_shares};
use super::{Error, during};
use crate::base::ids::LogId;
use crate::base::limits::PAGE;
use crate::base::mapped::Mapped;
use crate::base::time::Stamp;
use futures_lite::future::block_on;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A directory that changes is listed again, at most so often.
const LISTINGS_MAX: usize = 10;

/// One log, as it lay on disk when it was looked at.
#[derive(Debug)]
pub struct LogView {
    pub log: LogId,
    pub directory: PathBuf,
    /// The newest whole one; at most a second old while the gateway runs.
    pub checkpoint: Option<Checkpoint>,
    /// Something was written to the cursors once, and neither slot can be read.
    pub has_lost_cursors: bool,
    /// In order.
    pub segments: Vec<SegmentView>,
    /// Segments whose header cannot be read in either place.
    pub unreadable: Vec<PathBuf>,
    /// Files that are to be used again: name and bytes.
    pub free: Vec<(String, u64)>,
}

/// One segment.
#[derive(Debug)]
pub struct SegmentView {
    pub header: SegmentHeader,
    /// Both pages of the header are whole.
    pub is_header_whole: bool,
    /// `None` while it is open, or if it was never closed well.
    pub footer: Option<Footer>,
    pub path: PathBuf,
    map: Mapped,
    /// Frames from this number on stand in a later segment.
    limit: u64,
    /// Frames up to this number were on stable storage when a later segment began.
    synced: u64,
}

/// What a segment holds.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// One behind the last frame.
    pub end: u64,
    pub frames: u64,
    pub statements: u32,
    /// Up to the end of the last frame.
    pub used_bytes: u64,
    pub last_stamp: Stamp,
    pub shares: Vec<Share>,
}

/// Looks at a log.
pub fn look(directory: &Path, log: LogId) -> Result<LogView, Error> {
    let (checkpoint, has_lost_cursors) = read_cursors(directory, log)?;
    let names = settled_names(directory)?;
    let mut view = LogView {
        log,
        directory: directory.to_owned(),
        checkpoint,
        has_lost_cursors,
        segments: Vec::new(),
        unreadable: Vec::new(),
        free: Vec::new(),
    };
    for name in &names {
        let path = directory.join(name);
        if let Some(number) = segment::parse_name(name) {
            match open_segment(&path, number, log)? {
                Some(segment) => view.segments.push(segment),
                None if path.exists() => view.unreadable.push(path),
                None => {}
            }
        } else if segment::is_free(name) {
            let bytes = std::fs::metadata(&path).map_or(0, |facts| facts.len());
            view.free.push((name.clone(), bytes));
        }
    }
    view.segments.sort_by_key(|segment| segment.header.segment);
    limit(&mut view.segments)?;
    Ok(view)
}

/// The names in a directory, sorted. While files are renamed, a listing may hold neither name of one.
fn settled_names(directory: &Path) -> Result<Vec<String>, Error> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    };
    let mut names = list().map_err(during("listing a log"))?;
    for _ in 1..LISTINGS_MAX {
        let again = list().map_err(during("listing a log"))?;
        if again == names {
            break;
        }
        names = again;
    }
    Ok(names)
}

/// The newest whole checkpoint, and whether there should be one.
fn read_cursors(directory: &Path, log: LogId) -> Result<(Option<Checkpoint>, bool), Error> {
    let path = directory.join(checkpoint::NAME);
    let Some(map) = open_mapped(&path)? else { return Ok((None, false)) };
    let mut newest: Option<(u64, Checkpoint)> = None;
    let mut was_written = false;
    for slot in 0..2u64 {
        let bytes = map.read(slot * SLOT_BYTES as u64, SLOT_BYTES);
        let bytes = bytes.map_err(during("reading the cursors"))?;
        was_written |= bytes.iter().any(|byte| *byte != 0);
        if let Some((generation, checkpoint)) = checkpoint::decode(&bytes, log)
            && newest.as_ref().is_none_or(|(newer, _)| generation > *newer)
        {
            newest = Some((generation, checkpoint));
        }
    }
    let is_lost = was_written && newest.is_none();
    Ok((newest.map(|(_, checkpoint)| checkpoint), is_lost))
}

/// `None` if the file has gone.
fn open_mapped(path: &Path) -> Result<Option<Mapped>, Error> {
    match Mapped::open(path) {
        Ok(map) => Ok(Some(map)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(during("opening a file of the log")(error)),
    }
}

/// `None` if it has gone, or has no header.
fn open_segment(path: &Path, number: u64, log: LogId) -> Result<Option<SegmentView>, Error> {
    let Some(map) = open_mapped(path)? else { return Ok(None) };
    let pages = map.read(0, SEGMENT_HEADER_BYTES);
    let pages = pages.map_err(during("reading a segment's header"))?;
    let header = SegmentHeader::decode_of(&pages, log, number).filter(|header| header.bytes > 0);
    let Some(header) = header else { return Ok(None) };
    let mut segment = SegmentView {
        is_header_whole: pages
            .chunks(PAGE)
            .all(|page| SegmentHeader::decode_of(page, log, number).is_some()),
        header,
        footer: None,
        path: path.to_owned(),
        map,
        limit: u64::MAX,
        synced: 0,
    };
    let footer = segment.map.read(segment.area_end(), PAGE).map_err(during("reading a footer"))?;
    segment.footer = Footer::decode(&footer);
    Ok(Some(segment))
}

/// Backwards, as a start does it: a frame that was written again to a later segment counts only there.
fn limit(segments: &mut Vec<SegmentView>) -> Result<(), Error> {
    let mut packed_from = u64::MAX;
    segments.reverse();
    // Case K: what was owed of these stands in a packed one.
    segments.retain(|segment| {
        let is_needed = segment.header.first_frame < packed_from;
        if is_needed && segment.header.packed.is_some() {
            packed_from = segment.header.first_frame;
        }
        is_needed
    });
    segments.reverse();
    let (mut limit, mut synced) = (u64::MAX, 0);
    for segment in segments.iter_mut().rev() {
        (segment.limit, segment.synced) = (limit, synced);
        synced = synced.max(segment.header.first_frame.saturating_sub(1));
        let numbers = segment.header.first_frame..limit;
        let epoch = segment.header.epoch;
        segment.footer = segment
            .footer
            .take()
            .filter(|footer| footer.epoch == epoch && numbers.contains(&footer.last_frame));
        let has_frames = segment.footer.is_some()
            || matches!(segment.findings().next().transpose()?, Some(Finding::Frame { .. }));
        if has_frames {
            limit = segment.header.first_frame;
        }
    }
    Ok(())
}

impl SegmentView {
    fn area_end(&self) -> u64 {
        self.header.bytes - PAGE as u64
    }

    /// Everything in it, in order; every frame is read and its checksum compared.
    pub fn findings(&self) -> Findings<'_> {
        let (epoch, first) = (self.header.epoch, self.header.first_frame);
        let (end, synced) = match &self.footer {
            Some(footer) => (footer.end.min(self.area_end()), footer.last_frame),
            None => (self.area_end(), self.synced),
        };
        let scan = Scan::of_mapped(&self.map, epoch, first, end, synced).packed_as(&self.header);
        Findings { segment: self, scan, waiting: VecDeque::new() }
    }

    /// From the footer if there is one.
    pub fn facts(&self) -> Result<Facts, Error> {
        if let Some(footer) = &self.footer {
            let numbers = footer.last_frame + 1 - self.header.first_frame;
            let numbers = self.header.packed.map_or(numbers, |packed| packed.frames);
            return Ok(Facts {
                end: footer.last_frame + 1,
                frames: numbers.saturating_sub(count(&footer.holes)),
                statements: footer.statements,
                used_bytes: footer.end,
                last_stamp: footer.last_stamp,
                shares: segment::in_order(footer.shares.clone()),
            });
        }
        let mut facts = self.no_facts();
        for finding in self.findings() {
            if let Finding::Frame { frame, offset } = finding? {
                facts.note(&frame, offset, self.header.packed.is_some());
            }
        }
        if let Some(packed) = &self.header.packed {
            facts.end = packed.end_frame;
        }
        Ok(facts)
    }

    /// Of a segment without frames.
    fn no_facts(&self) -> Facts {
        Facts {
            end: self.header.first_frame,
            used_bytes: SEGMENT_HEADER_BYTES as u64,
            last_stamp: self.header.stamp_before,
            ..Facts::default()
        }
    }

    /// Whether the file still lives the life in which it was opened.
    fn is_alive(&self) -> bool {
        let pages = Mapped::open(&self.path).and_then(|map| map.read(0, SEGMENT_HEADER_BYTES));
        let (log, number) = (self.header.log, self.header.segment);
        let header = pages.ok().and_then(|pages| SegmentHeader::decode_of(&pages, log, number));
        header.is_some_and(|header| header.epoch == self.header.epoch)
    }
}

impl Facts {
    fn note(&mut self, frame: &Frame, offset: u64, is_packed: bool) {
        let header = &frame.header;
        let bytes = if is_packed { header.packed_bytes() } else { header.frame_bytes() };
        self.end = frame.number() + 1;
        self.frames += 1;
        self.statements += u32::from(frame.kind == Kind::Statement);
        self.used_bytes = offset + bytes as u64;
        self.last_stamp = frame.stamp();
        note_shares(&mut self.shares, &frame.header, frame.index());
    }
}

/// Frames, holes and damage of a segment, in order.
pub struct Findings<'a> {
    segment: &'a SegmentView,
    scan: Scan<'a>,
    waiting: VecDeque<Finding>,
}

impl Findings<'_> {
    /// What counts of something that the scan found; `None` at the end.
    fn sift(&mut self, finding: Finding) -> Option<()> {
        let limit = self.segment.limit;
        match finding {
            Finding::Frame { frame, .. } if frame.number() >= limit => return None,
            frame @ Finding::Frame { .. } => self.waiting.push_back(frame),
            // A footer names the holes, and where it names none there is none.
            Finding::Hole { .. } if self.segment.footer.is_some() => {}
            Finding::Hole { numbers } => {
                let numbers = below(numbers, limit);
                self.waiting.extend(numbers.map(|numbers| Finding::Hole { numbers }));
            }
            Finding::Damage { .. } if !self.segment.is_alive() => return None,
            Finding::Damage { numbers, place } => {
                let holes = self.segment.footer.as_ref().map_or(&[][..], |footer| &footer.holes);
                let lost =
                    without(numbers, holes).into_iter().filter_map(|lost| below(lost, limit));
                let damage =
                    |numbers: Range<u64>| Finding::Damage { numbers, place: place.clone() };
                self.waiting.extend(lost.map(damage));
            }
        }
        Some(())
    }
}

impl Iterator for Findings<'_> {
    type Item = Result<Finding, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(finding) = self.waiting.pop_front() {
                return Some(Ok(finding));
            }
            match block_on(self.scan.next()) {
                Ok(finding) => self.sift(finding?)?,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
