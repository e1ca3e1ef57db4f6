//! Writing a file: blocks as they come, then the index that was collected meanwhile, then the footer.

use super::index::{ENTRY_BYTES, Entry};
use super::spool::Spool;
use super::{BLOCK_POINTS, ENTRIES_MAX, FILE_BYTES_MAX, HEADER, block};
use crate::base::checksum::crc32_ieee;
use crate::store::value::{Column, FieldType};
use crate::store::view::TimeRange;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Written bytes go to the disk in steps of this size, so that the end has little left to do.
const SYNC_BYTES: u64 = 25 << 20;
const BUFFER_BYTES: usize = 256 << 10;

/// A file that is being written, under a makeshift name. Dropped before its end, it is unlinked.
#[derive(Debug)]
pub struct Writer {
    file: BufWriter<File>,
    path: PathBuf,
    at: u64,
    synced: u64,
    index: Spool,
    current: Option<Current>,
    /// Reused for every block.
    packed: Vec<u8>,
    /// Reused for points that are cut.
    part: Option<Column>,
    made: Finished,
    is_finished: bool,
}

/// The key whose blocks come at the moment.
#[derive(Debug)]
struct Current {
    key: Vec<u8>,
    kind: FieldType,
    entries: Vec<Entry>,
}

/// What a finished file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub bytes: u64,
    pub keys: u64,
    pub blocks: u64,
    pub min_key: Box<[u8]>,
    pub max_key: Box<[u8]>,
    pub range: TimeRange,
}

impl Writer {
    /// Makes a file that was not there, `path` being a makeshift name: the caller renames it when it is finished.
    pub fn create(path: &Path) -> io::Result<Writer> {
        let file = File::options().write(true).create_new(true).open(path)?;
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, file);
        file.write_all(&HEADER)?;
        Ok(Writer {
            file,
            path: path.to_owned(),
            at: HEADER.len() as u64,
            synced: 0,
            index: Spool::new(path.with_added_extension("index")),
            current: None,
            packed: Vec::new(),
            part: None,
            made: Finished {
                bytes: 0,
                keys: 0,
                blocks: 0,
                min_key: Box::default(),
                max_key: Box::default(),
                range: TimeRange { min_ns: i64::MAX, max_ns: i64::MIN },
            },
            is_finished: false,
        })
    }

    /// Whether one more block of `key` is within the limits of the format. Ask before each block of a key that may
    /// have millions of points, and before each key.
    pub fn has_room(&self, key: &[u8]) -> bool {
        let entries = match &self.current {
            Some(current) if current.key == key => current.entries.len(),
            _ => 0,
        };
        entries < ENTRIES_MAX && self.bytes() < FILE_BYTES_MAX
    }

    /// Without any key yet. Such a file may not be finished.
    pub fn is_empty(&self) -> bool {
        self.current.is_none()
    }

    /// What the file would have if it ended here.
    pub fn bytes(&self) -> u64 {
        let open = self
            .current
            .as_ref()
            .map_or(0, |current| current.key.len() + 5 + current.entries.len() * ENTRY_BYTES);
        self.at + self.index.bytes() + open as u64 + 8
    }

    /// Adds points of a key, cut into blocks of [`BLOCK_POINTS`]. Keys come in ascending order, times too, within a
    /// call and from one to the next.
    ///
    /// # Panics
    /// If they do not, or a key has two types.
    pub fn points(&mut self, key: &[u8], column: &Column) -> io::Result<()> {
        let mut packed = std::mem::take(&mut self.packed);
        let mut part = self.part.take().filter(|part| part.kind() == column.kind());
        for begin in (0..column.len()).step_by(BLOCK_POINTS) {
            let end = column.len().min(begin + BLOCK_POINTS);
            packed.clear();
            if column.len() <= BLOCK_POINTS {
                block::encode(column, &mut packed);
            } else {
                let part = part.get_or_insert_with(|| Column::new(column.kind()));
                part.keep(0..0);
                part.extend(column, begin..end);
                block::encode(part, &mut packed);
            }
            let range = TimeRange { min_ns: column.times[begin], max_ns: column.times[end - 1] };
            self.block(key, column.kind(), range, &packed)?;
        }
        self.packed = packed;
        self.part = part;
        Ok(())
    }

    /// Adds a block as it is, without its checksum; `range` is from its first point to its last.
    ///
    /// # Panics
    /// If keys or times do not rise, or a key has two types, or a limit of the format is passed.
    pub fn block(
        &mut self,
        key: &[u8],
        kind: FieldType,
        range: TimeRange,
        bytes: &[u8],
    ) -> io::Result<()> {
        assert!(range.min_ns <= range.max_ns, "a block that ends before it begins");
        if self.current.as_ref().is_none_or(|current| current.key != key) {
            self.begin(key, kind)?;
        }
        let current = self.current.as_mut().expect("just begun");
        assert!(current.kind == kind, "a key of two types");
        let last = current.entries.last().map_or(i64::MIN, |entry| entry.max_ns);
        assert!(current.entries.is_empty() || last < range.min_ns, "blocks that overlap");
        assert!(current.entries.len() < ENTRIES_MAX, "too many blocks of one key");
        let size = u32::try_from(bytes.len() + 4).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.file.write_all(&crc32_ieee(bytes).to_be_bytes())?;
        self.file.write_all(bytes)?;
        let TimeRange { min_ns, max_ns } = range;
        current.entries.push(Entry { min_ns, max_ns, offset: self.at, size });
        self.at += u64::from(size);
        if self.at - self.synced >= SYNC_BYTES {
            self.file.flush()?;
            self.file.get_ref().sync_data()?;
            self.synced = self.at;
        }
        Ok(())
    }

    fn begin(&mut self, key: &[u8], kind: FieldType) -> io::Result<()> {
        assert!(key.len() <= usize::from(u16::MAX), "a key of more than 65535 bytes");
        if let Some(current) = &self.current {
            assert!(&*current.key < key, "keys that do not rise");
        }
        let mut next = self.end_key()?.unwrap_or_else(|| {
            self.made.min_key = key.into();
            Current { key: Vec::new(), kind, entries: Vec::new() }
        });
        next.key.clear();
        next.key.extend_from_slice(key);
        next.kind = kind;
        next.entries.clear();
        self.current = Some(next);
        Ok(())
    }

    /// Puts the current key into the index.
    fn end_key(&mut self) -> io::Result<Option<Current>> {
        let Some(current) = self.current.take() else { return Ok(None) };
        let first = current.entries.first().expect("a key begins with a block");
        let last = current.entries.last().expect("a key begins with a block");
        self.made.range.min_ns = self.made.range.min_ns.min(first.min_ns);
        self.made.range.max_ns = self.made.range.max_ns.max(last.max_ns);
        self.made.keys += 1;
        self.made.blocks += current.entries.len() as u64;
        self.index.write(|out| {
            let len = u16::try_from(current.key.len()).expect("checked when it began");
            let count = u16::try_from(current.entries.len()).expect("checked for each block");
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(&current.key);
            out.push(block::type_byte(current.kind));
            out.extend_from_slice(&count.to_be_bytes());
            current.entries.iter().for_each(|entry| entry.write(out));
        })?;
        Ok(Some(current))
    }

    /// Writes the index and makes everything durable. The caller renames the file and syncs its directory.
    ///
    /// # Panics
    /// If it holds no key: InfluxDB writes no such file.
    pub fn finish(mut self) -> io::Result<Finished> {
        let last = self.end_key()?.expect("a file without any key");
        self.made.max_key = last.key.into();
        let index_bytes = self.index.bytes();
        self.index.copy_to(&mut self.file)?;
        self.file.write_all(&self.at.to_be_bytes())?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        self.made.bytes = self.at + index_bytes + 8;
        self.is_finished = true;
        Ok(self.made.clone())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_finished {
            // Whoever starts next time unlinks what is left under such names.
            drop(fs::remove_file(&self.path));
        }
    }
}
