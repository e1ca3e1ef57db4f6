//! Reading a log that somebody has left: what is whole, in order, and what is not.

use super::format::{self, Entry, Kind, MAGIC, SEGMENT_HEAD_BYTES};
use crate::store::damage::{Damage, Damages};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A log as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The segments with the number of the last entry of each and their length.
    pub segments: Vec<(PathBuf, u64, u64)>,
    /// Above all that was found.
    pub next_sequence: u64,
    pub next_segment: u64,
}

/// Gives all entries, oldest first, with their numbers. Cuts the torn end; what is damaged before it is reported and
/// kept under another name.
pub fn recover(
    directory: &Path,
    damages: &Damages,
    mut take: impl FnMut(Kind, u64, &[u8]),
) -> io::Result<Found> {
    let paths = segments(directory)?;
    let mut found = Found { next_sequence: 1, next_segment: 1, ..Found::default() };
    let count = paths.len();
    for (at, path) in paths.into_iter().enumerate() {
        let number = format::segment_number(&path).expect("only such are segments");
        let is_last = at + 1 == count;
        let bytes = fs::read(&path)?;
        let mut segment = Segment { path: &path, bytes: &bytes, last: found.next_sequence - 1 };
        let end = segment.read(is_last, damages, &mut take)?;
        found.next_sequence = segment.last + 1;
        found.next_segment = number + 1;
        if end < bytes.len() {
            cut(&path, end)?;
        }
        found.segments.push((path, found.next_sequence - 1, end as u64));
    }
    Ok(found)
}

/// The segments of a log, oldest first.
pub fn segments(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        paths.extend(format::segment_number(&path).map(|number| (number, path)));
    }
    paths.sort();
    Ok(paths.into_iter().map(|(_, path)| path).collect())
}

/// Gives the entries of one segment and changes nothing. `last` is the number of the last entry that was given. Tells
/// where the first piece lies that is no entry, if there is one; whole entries behind it are given, too.
pub fn look(
    path: &Path,
    last: &mut u64,
    mut take: impl FnMut(Kind, &[u8]),
) -> io::Result<Option<usize>> {
    let bytes = fs::read(path)?;
    let segment = Segment { path, bytes: &bytes, last: *last };
    let mut at = SEGMENT_HEAD_BYTES.min(bytes.len());
    let mut damaged = None;
    while at < bytes.len() {
        if let Some((entry, rest)) = format::parse(&bytes[at..]) {
            if entry.sequence > *last {
                take(entry.kind, entry.contents);
                *last = entry.sequence;
            }
            at = bytes.len() - rest.len();
        } else {
            damaged = damaged.or(Some(at));
            at = segment.next_whole(at + 1).map_or(bytes.len(), |(place, _)| place);
        }
    }
    Ok(damaged)
}

fn cut(path: &Path, end: usize) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).open(path)?;
    file.set_len(end as u64)?;
    file.sync_all()
}

struct Segment<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    /// Number of the last entry that was whole.
    last: u64,
}

impl Segment<'_> {
    /// Gives the entries; says where the segment should end.
    fn read(
        &mut self,
        is_last: bool,
        damages: &Damages,
        take: &mut impl FnMut(Kind, u64, &[u8]),
    ) -> io::Result<usize> {
        // The head of the segment is there for people; a damaged one hides nothing.
        let mut at = SEGMENT_HEAD_BYTES.min(self.bytes.len());
        let mut was_set_aside = false;
        while at < self.bytes.len() {
            if let Some((entry, rest)) = format::parse(&self.bytes[at..]) {
                // An older number is a leftover of a write that was refused.
                if entry.sequence > self.last {
                    take(entry.kind, entry.sequence, entry.contents);
                    self.last = entry.sequence;
                }
                at = self.bytes.len() - rest.len();
                continue;
            }
            let next = self.next_whole(at + 1);
            if is_last && next.is_none_or(|(_, entry)| entry.group <= self.last + 1) {
                // Nothing behind it was ever acknowledged.
                return Ok(at);
            }
            if !was_set_aside {
                self.set_aside()?;
                was_set_aside = true;
            }
            let problem = "an entry of the log is damaged, and what it held is lost".to_owned();
            let (file, offset) = (self.path.to_owned(), Some(at as u64));
            damages.report(Damage { file, offset, problem });
            match next {
                Some((place, _)) => at = place,
                None => return Ok(self.bytes.len()),
            }
        }
        Ok(at)
    }

    fn next_whole(&self, from: usize) -> Option<(usize, Entry<'_>)> {
        let places = memchr::memmem::find_iter(&self.bytes[from..], MAGIC);
        let mut whole = places.map(|place| from + place);
        whole.find_map(|at| Some((at, format::parse(&self.bytes[at..])?.0)))
    }

    /// The segment stays under another name when its own is gone.
    fn set_aside(&self) -> io::Result<()> {
        match fs::hard_link(self.path, self.path.with_extension("log.bad")) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}
