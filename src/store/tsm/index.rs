//! The index of a file: for each key, in order, its blocks by time.
//!
//! It stays where it is, in the mapped file; in memory is only where each key begins, so that a key is found by binary
//! search. Bytes are looked at anew each time, and a disk may give others than it gave at the start: nothing here
//! relies on what was once found sound.

use super::bloom::Bloom;
use super::{Malformed, block};
use crate::store::value::FieldType;
use crate::store::view::TimeRange;

pub(super) const ENTRY_BYTES: usize = 28;

/// Where one block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of its first point.
    pub min_ns: i64,
    /// Of its last point.
    pub max_ns: i64,
    /// Of its checksum, from the beginning of the file.
    pub offset: u64,
    /// With the checksum.
    pub size: u32,
}

impl Entry {
    pub fn overlaps(&self, range: TimeRange) -> bool {
        self.min_ns <= range.max_ns && self.max_ns >= range.min_ns
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.min_ns.to_be_bytes());
        out.extend_from_slice(&self.max_ns.to_be_bytes());
        out.extend_from_slice(&self.offset.to_be_bytes());
        out.extend_from_slice(&self.size.to_be_bytes());
    }

    fn read(bytes: &[u8; ENTRY_BYTES]) -> Entry {
        let eight = |at: usize| *bytes[at..].first_chunk().expect("28 bytes");
        Entry {
            min_ns: i64::from_be_bytes(eight(0)),
            max_ns: i64::from_be_bytes(eight(8)),
            offset: u64::from_be_bytes(eight(16)),
            size: u32::from_be_bytes(*bytes[24..].first_chunk().expect("28 bytes")),
        }
    }
}

/// The blocks of one key, by time. They may overlap in files that others wrote: then the later block wins.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'a> {
    pub kind: FieldType,
    entries: &'a [[u8; ENTRY_BYTES]],
}

impl<'a> Entries<'a> {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn iter(self) -> impl DoubleEndedIterator<Item = Entry> + ExactSizeIterator + use<'a> {
        self.entries.iter().map(Entry::read)
    }

    /// From the first point to the last one; `None` without blocks.
    pub fn range(self) -> Option<TimeRange> {
        let min_ns = self.iter().next()?.min_ns;
        let max_ns = self.iter().map(|entry| entry.max_ns).max()?;
        Some(TimeRange { min_ns, max_ns })
    }
}

/// One key of an index, and where the next one begins.
struct Row<'a> {
    key: &'a [u8],
    entries: Entries<'a>,
    end: usize,
}

fn row(section: &[u8], at: usize) -> Result<Row<'_>, Malformed> {
    const SHORT: Malformed = Malformed("the index ends within a key");
    let rest = section.get(at..).ok_or(SHORT)?;
    let (len, rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len))).ok_or(SHORT)?;
    let (kind, rest) = rest.split_first().ok_or(SHORT)?;
    let kind = block::type_of(*kind)?;
    let (count, rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
    let count = usize::from(u16::from_be_bytes(*count));
    let bytes = rest.get(..count * ENTRY_BYTES).ok_or(SHORT)?;
    let (entries, _) = bytes.as_chunks();
    let end = at + 2 + key.len() + 3 + bytes.len();
    Ok(Row { key, entries: Entries { kind, entries }, end })
}

#[derive(Debug)]
pub(super) struct Index {
    /// Where each key begins in the section.
    offsets: Vec<u32>,
    bloom: Bloom,
    range: TimeRange,
}

impl Index {
    /// Checks a whole section. `blocks` is where blocks may lie in the file.
    pub(super) fn new(section: &[u8], blocks: std::ops::Range<u64>) -> Result<Index, Malformed> {
        let mut offsets = Vec::new();
        let mut range = TimeRange { min_ns: i64::MAX, max_ns: i64::MIN };
        let mut before: Option<&[u8]> = None;
        let mut at = 0;
        while at < section.len() {
            let row = row(section, at)?;
            if before.is_some_and(|before| before >= row.key) {
                return Err(Malformed("the keys of the index are not in order"));
            }
            let own = check(row.entries, &blocks)?;
            range.min_ns = range.min_ns.min(own.min_ns);
            range.max_ns = range.max_ns.max(own.max_ns);
            offsets.push(u32::try_from(at).map_err(|_| Malformed("an index of 4 GiB"))?);
            before = Some(row.key);
            at = row.end;
        }
        if offsets.is_empty() {
            return Err(Malformed("a file without any key"));
        }
        offsets.shrink_to_fit();
        let mut bloom = Bloom::new(offsets.len());
        for at in &offsets {
            bloom.add(row(section, *at as usize)?.key);
        }
        Ok(Index { offsets, bloom, range })
    }

    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// From the first point of all keys to the last one.
    pub(super) fn range(&self) -> TimeRange {
        self.range
    }

    /// The number of a key among the sorted ones.
    pub(super) fn find(&self, section: &[u8], key: &[u8]) -> Option<u32> {
        if !self.bloom.may_hold(key) {
            return None;
        }
        let found = self.offsets.binary_search_by(|at| {
            let row = row(section, *at as usize);
            row.map_or(std::cmp::Ordering::Less, |row| row.key.cmp(key))
        });
        found.ok().and_then(|number| u32::try_from(number).ok())
    }

    /// The key of that number, and its blocks.
    pub(super) fn get<'a>(
        &self,
        section: &'a [u8],
        number: u32,
    ) -> Option<(&'a [u8], Entries<'a>)> {
        let at = self.offsets.get(number as usize)?;
        row(section, *at as usize).ok().map(|row| (row.key, row.entries))
    }
}

fn check(entries: Entries<'_>, blocks: &std::ops::Range<u64>) -> Result<TimeRange, Malformed> {
    let mut range: Option<TimeRange> = None;
    let mut last = i64::MIN;
    for entry in entries.iter() {
        let end = entry.offset.checked_add(u64::from(entry.size));
        let is_inside = entry.offset >= blocks.start && end.is_some_and(|end| end <= blocks.end);
        // A checksum, a type, a length, a time.
        if !is_inside || entry.size < 4 + 3 {
            return Err(Malformed("the index names a block that is not in the file"));
        }
        if entry.min_ns > entry.max_ns || entry.min_ns < last {
            return Err(Malformed("the blocks of a key are not in the order of their times"));
        }
        last = entry.min_ns;
        let max_ns = range.map_or(entry.max_ns, |range| range.max_ns.max(entry.max_ns));
        range =
            Some(TimeRange { min_ns: range.map_or(entry.min_ns, |range| range.min_ns), max_ns });
    }
    range.ok_or(Malformed("a key without blocks"))
}
