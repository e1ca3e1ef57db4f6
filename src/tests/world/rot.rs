//! Rot: a bit of a segment flips between two lives. Notes what stood there, and whether anybody can know
//! that something is missing.

use super::node::log_directory;
use super::record::Record;
use crate::base::limits::PAGE;
use crate::rt::Bytes;
use crate::rt::sim::SimDisk;
use crate::rt::sim_tasks::SimTasks;
use crate::wal::format::{
    FRAME_HEADER_BYTES, Footer, PACKED_STEP, SEGMENT_HEADER_BYTES, SegmentHeader,
};
use crate::wal::segment::parse_name;
use crate::wal::{Frame, Kind};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A whole segment as it stands on the disk.
struct Seen {
    path: PathBuf,
    header: SegmentHeader,
    footer: Option<Footer>,
    /// Whole frames of this life and where they stand.
    frames: Vec<(usize, Frame)>,
}

fn segments(disk: &SimDisk, directory: &Path) -> Vec<Seen> {
    let paths = disk.paths().into_iter().filter(|path| path.parent() == Some(directory));
    let is_segment =
        |path: &PathBuf| path.file_name().and_then(|name| parse_name(name.to_str()?)).is_some();
    paths.filter(is_segment).filter_map(|path| look(disk, path)).collect()
}

fn look(disk: &SimDisk, path: PathBuf) -> Option<Seen> {
    let bytes = Rc::new(Bytes::Heap(disk.bytes(&path)?));
    let header = SegmentHeader::decode(bytes.get(..SEGMENT_HEADER_BYTES)?)?;
    if let Some(packed) = &header.packed {
        let area_end = usize::try_from(packed.end).ok()?.min(bytes.len());
        let frames = frames(&bytes, &header, area_end, PACKED_STEP);
        return Some(Seen { path, header, footer: None, frames });
    }
    let area_end = usize::try_from(header.bytes).ok()?.min(bytes.len()).checked_sub(PAGE)?;
    let footer = Footer::decode(&bytes[area_end..]).filter(|footer| footer.epoch == header.epoch);
    let frames = frames(&bytes, &header, area_end, PAGE);
    Some(Seen { path, header, footer, frames })
}

/// Every whole frame of this life, and where it stands: at a multiple of `step`.
fn frames(
    bytes: &Rc<Bytes>,
    header: &SegmentHeader,
    area_end: usize,
    step: usize,
) -> Vec<(usize, Frame)> {
    let mut frames = Vec::new();
    let mut at = SEGMENT_HEADER_BYTES;
    while at < area_end {
        match Frame::decode(bytes, at).filter(|frame| frame.header.epoch == header.epoch) {
            Some(frame) => {
                let len = FRAME_HEADER_BYTES + frame.header.body_len();
                frames.push((at, frame));
                at += len.next_multiple_of(step);
            }
            None => at += step,
        }
    }
    frames
}

/// Flips a bit of a log, mostly within a frame.
pub fn hit(disk: &SimDisk, tasks: &SimTasks, record: &Record) {
    let pick = |count: usize| usize::try_from(tasks.below(count as u64)).unwrap();
    let log = u16::try_from(tasks.below(3)).unwrap();
    let segments = segments(disk, &log_directory(log));
    if segments.is_empty() {
        return;
    }
    let chosen = &segments[pick(segments.len())];
    let in_frame = (!chosen.frames.is_empty() && tasks.below(4) > 0).then(|| {
        let (at, frame) = &chosen.frames[pick(chosen.frames.len())];
        at + pick(FRAME_HEADER_BYTES + frame.header.body_len())
    });
    let position = in_frame.unwrap_or_else(|| pick(disk.bytes(&chosen.path).unwrap().len()));
    let struck = chosen.frames.iter().find(|(at, frame)| {
        let len = FRAME_HEADER_BYTES + frame.header.body_len();
        (*at..at + len).contains(&position)
    });
    record.tell(tasks.now_ns(), || {
        let number = struck.map(|(_, frame)| frame.number());
        format!("rot at byte {position} of {}, in frame {number:?}", chosen.path.display())
    });
    if let Some((_, frame)) = struck {
        record.rotten_frames.set(record.rotten_frames.get() + 1);
        note(record, frame, is_told(&segments, chosen, frame.number()));
    }
    let bit = tasks.below(8);
    assert!(disk.damage(&chosen.path, position, |byte| *byte ^= 1 << bit));
}

/// Whether something on the disk says that this frame was acknowledged.
fn is_told(segments: &[Seen], here: &Seen, number: u64) -> bool {
    let mut behind = here.frames.iter().filter(|(_, frame)| frame.number() > number);
    let by_frame = behind.clone().any(|(_, frame)| frame.header.synced >= number);
    let by_footer = here.footer.as_ref().is_some_and(|footer| footer.last_frame >= number);
    let by_segment = behind.next().is_none()
        && segments
            .iter()
            .any(|other| other.header.first_frame > number && !other.frames.is_empty());
    // The header of a packed segment and each of its frames say what stood there.
    here.header.packed.is_some() || by_frame || by_footer || by_segment
}

fn note(record: &Record, frame: &Frame, is_told: bool) {
    for run in &frame.runs {
        let text = String::from_utf8_lossy(frame.payload(&run)).into_owned();
        match frame.kind {
            Kind::Lines => {
                let numbers = text.lines().filter_map(|line| line.split("v=").nth(1));
                let numbers = numbers.filter_map(|rest| rest.split('i').next()?.parse().ok());
                let mut points = record.rotten_points.borrow_mut();
                for number in numbers {
                    // Of two copies, the one that can be told counts: it is the one that is read.
                    *points.entry(number).or_insert(is_told) |= is_told;
                }
            }
            Kind::Statement => {
                let number = text.split("delete-").nth(1);
                let number = number.and_then(|rest| rest.split('\\').next()?.parse().ok());
                if let Some(number) = number {
                    record.rotten_statements.borrow_mut().insert(number, is_told);
                }
            }
        }
    }
}
