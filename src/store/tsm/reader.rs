//! Reading a file: keys by binary search through the mapped index, blocks by their checksum.

use super::index::{Entries, Entry, Index};
use super::name::FileName;
use super::tombstone::{self, Tombstones};
use super::{HEADER, Malformed, block};
use crate::base::checksum::crc32_ieee;
use crate::base::mapped::Settled;
use crate::store::lock::{Mutex, RwLock};
use crate::store::value::Column;
use crate::store::view::{ReadError, TimeRange};
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a file cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The system does not give it.
    Io { path: PathBuf, error: io::Error },
    /// It is not what its name says; it may be the tombstone file beside it.
    Malformed { path: PathBuf, problem: Malformed },
}

impl fmt::Display for OpenError {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Io { path, error } => write!(text, "{}: {error}", path.display()),
            OpenError::Malformed { path, problem } => write!(text, "{}: {problem}", path.display()),
        }
    }
}

/// One file and its deletes. It may be unlinked while it is read.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: Settled,
    /// Where the index lies.
    section: Range<usize>,
    index: Index,
    /// Replaced as a whole by each delete, so that a question goes on with those that it began with.
    tombstones: RwLock<Arc<Tombstones>>,
    /// Held by whoever writes the tombstone file.
    deleting: Mutex<()>,
}

/// One key of a file.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub key: &'a [u8],
    pub entries: Entries<'a>,
    /// Its number among the sorted keys.
    pub number: u32,
}

impl Reader {
    /// Maps a file, checks its index, reads the deletes beside it.
    pub fn open(path: &Path) -> Result<Reader, OpenError> {
        let reader = Reader::open_undeleted(path)?;
        let mut tombstones = Tombstones::default();
        tombstone::read(&reader.tombstone_path(), |key, range| {
            if let Some(number) = reader.number(key) {
                tombstones.add(number, range);
            }
        })?;
        *reader.tombstones.write() = Arc::new(tombstones);
        Ok(reader)
    }

    /// A file that will be called `path`, and lies under another name yet. It has no deletes.
    pub fn open_makeshift(makeshift: &Path, path: &Path) -> Result<Reader, OpenError> {
        Ok(Reader { path: path.to_owned(), ..Reader::open_undeleted(makeshift)? })
    }

    /// Without the deletes: for a file whose tombstones are damaged.
    pub fn open_undeleted(path: &Path) -> Result<Reader, OpenError> {
        let failed = |error| OpenError::Io { path: path.to_owned(), error };
        let malformed = |problem| OpenError::Malformed { path: path.to_owned(), problem };
        let file = Settled::open(path).map_err(failed)?;
        let bytes = file.bytes();
        file.load(0..bytes.len().min(HEADER.len())).map_err(failed)?;
        if !bytes.starts_with(&HEADER) {
            return Err(malformed(Malformed("not a TSM file of version 1")));
        }
        let end = bytes.len().saturating_sub(8);
        file.load(end..bytes.len()).map_err(failed)?;
        let footer = bytes[end..].first_chunk().map_or(0, |footer| u64::from_be_bytes(*footer));
        let begin = usize::try_from(footer).ok().filter(|at| *at >= HEADER.len() && *at < end);
        let begin = begin.ok_or(malformed(Malformed("the footer does not name the index")))?;
        file.load(begin..end).map_err(failed)?;
        let blocks = HEADER.len() as u64..begin as u64;
        let index = Index::new(&bytes[begin..end], blocks).map_err(malformed)?;
        file.rest();
        Ok(Reader {
            path: path.to_owned(),
            section: begin..end,
            index,
            file,
            tombstones: RwLock::default(),
            deleting: Mutex::default(),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `None` for a file of another name than InfluxDB gives.
    pub fn name(&self) -> Option<FileName> {
        FileName::parse(self.path.file_name()?.to_str()?)
    }

    /// Beside the file, there or not.
    pub fn tombstone_path(&self) -> PathBuf {
        self.path.with_extension("tombstone")
    }

    pub fn bytes(&self) -> u64 {
        self.file.bytes().len() as u64
    }

    /// Gives back the memory that a walk through all keys has brought in.
    pub fn rest(&self) {
        self.file.rest();
    }

    /// How many keys there are, deleted ones too.
    pub fn key_count(&self) -> usize {
        self.index.len()
    }

    /// From the first point to the last one, deleted ones too.
    pub fn range(&self) -> TimeRange {
        self.index.range()
    }

    fn section(&self) -> &[u8] {
        &self.file.bytes()[self.section.clone()]
    }

    /// All keys in ascending order, deleted ones too.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = Key<'_>> {
        let numbers = 0..u32::try_from(self.index.len()).expect("as its offsets are");
        numbers.filter_map(|number| self.key(number))
    }

    fn key(&self, number: u32) -> Option<Key<'_>> {
        let (key, entries) = self.index.get(self.section(), number)?;
        Some(Key { key, entries, number })
    }

    /// The key of that number; `None` if there is none.
    pub fn key_of(&self, number: u32) -> Option<&[u8]> {
        self.key(number).map(|key| key.key)
    }

    fn number(&self, key: &[u8]) -> Option<u32> {
        self.index.find(self.section(), key)
    }

    /// A key, if it is in this file.
    pub fn find(&self, key: &[u8]) -> Option<Key<'_>> {
        self.key(self.number(key)?)
    }

    /// The blocks of the key of that number; `None` only if the disk has changed its mind.
    pub(super) fn entries(&self, number: u32) -> Option<Entries<'_>> {
        self.key(number).map(|key| key.entries)
    }

    /// The deletes as they are now.
    pub fn tombstones(&self) -> Arc<Tombstones> {
        self.tombstones.read().clone()
    }

    /// A block without its checksum, which was right.
    pub fn block(&self, entry: Entry) -> Result<&[u8], ReadError> {
        let begin = usize::try_from(entry.offset).unwrap_or(usize::MAX);
        let end = begin.saturating_add(entry.size as usize);
        let stored = self.file.bytes().get(begin..end);
        let Some(stored) = stored.filter(|_| end <= self.section.start) else {
            return Err(self.damaged(entry, "the index names a block that is not in the file"));
        };
        self.file.load(begin..end).map_err(|error| self.damaged(entry, &error.to_string()))?;
        match stored.split_first_chunk() {
            Some((sum, block)) if u32::from_be_bytes(*sum) == crc32_ieee(block) => Ok(block),
            _ => Err(self.damaged(entry, "the checksum of the block is wrong")),
        }
    }

    /// The points of a block, deleted ones too. A time that stands twice has its last value.
    pub fn read(&self, entry: Entry) -> Result<Column, ReadError> {
        let damaged = |problem: Malformed| self.damaged(entry, problem.0);
        let mut column = block::decode(self.block(entry)?).map_err(damaged)?;
        if !is_rising(&column.times) {
            column = without_twice(column).map_err(damaged)?;
        }
        if (column.times.first(), column.times.last()) != (Some(&entry.min_ns), Some(&entry.max_ns))
        {
            return Err(self.damaged(entry, "the index names other times than the block"));
        }
        Ok(column)
    }

    fn damaged(&self, entry: Entry, problem: &str) -> ReadError {
        let place = format!("{} at {}", self.path.display(), entry.offset);
        ReadError { place, problem: problem.to_owned() }
    }

    /// Deletes the points of keys in a range, those of them that are here, and tells how many keys that were. Durable
    /// when it returns; what a question has begun to read stays as it was for it.
    pub fn delete<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a [u8]>,
        range: TimeRange,
    ) -> io::Result<usize> {
        let _one = self.deleting.lock();
        let before = self.tombstones();
        let touched = |key: &[u8]| {
            let key = self.find(key)?;
            let lies_in = key
                .entries
                .range()
                .is_some_and(|own| own.min_ns <= range.max_ns && own.max_ns >= range.min_ns);
            lies_in.then_some(key.number)
        };
        let numbers: Vec<u32> = keys.into_iter().filter_map(touched).collect();
        if numbers.is_empty() || range.min_ns > range.max_ns {
            return Ok(0);
        }
        let name = |number: &u32| self.key(*number).map(|key| (key.key, range));
        let old = before.iter().filter_map(|(number, range)| Some((self.key(number)?.key, range)));
        tombstone::append(&self.tombstone_path(), old, numbers.iter().filter_map(name))?;
        let mut after = Tombstones::clone(&before);
        numbers.iter().for_each(|number| after.add(*number, range));
        *self.tombstones.write() = Arc::new(after);
        Ok(numbers.len())
    }
}

/// Without an early end, so that it is done for many at once.
fn is_rising(times: &[i64]) -> bool {
    times.windows(2).fold(true, |is_rising, pair| is_rising & (pair[0] < pair[1]))
}

fn without_twice(column: Column) -> Result<Column, Malformed> {
    if column.times.windows(2).any(|pair| pair[0] > pair[1]) {
        return Err(Malformed("the times of the block go backwards"));
    }
    let mut kept = Column::new(column.kind());
    for at in 0..column.len() {
        if column.times.get(at + 1) != Some(&column.times[at]) {
            kept.extend(&column, at..at + 1);
        }
    }
    Ok(kept)
}
