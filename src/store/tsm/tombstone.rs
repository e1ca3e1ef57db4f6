//! Deletes beside a file: `NAME.tombstone` holds keys and ranges of times that are not in `NAME.tsm` any more.
//!
//! Version 4 is written: four bytes that say so, then a gzip member for each delete. Read are also version 3 (one gzip
//! stream), version 2 (the same plain) and version 1 (a key on each line, deleted as a whole). A record is the length
//! of the key in four bytes, the key, the first and the last deleted time.

use super::{Malformed, OpenError, ranges};
use crate::base::map::FastMap;
use crate::store::view::TimeRange;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

const VERSION_2: &[u8] = &[0, 0, 0x15, 2];
const VERSION_3: &[u8] = &[0, 0, 0x15, 3];
const VERSION_4: &[u8] = &[0, 0, 0x15, 4];

/// Everything of a key: the whole range of the format, not only of legal times.
const WHOLE: TimeRange = TimeRange { min_ns: i64::MIN, max_ns: i64::MAX };

/// The deletes of one file, by the numbers of its keys.
#[derive(Clone, Debug, Default)]
pub struct Tombstones {
    ranges: FastMap<u32, Vec<TimeRange>>,
}

impl Tombstones {
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Keys that have deletes.
    pub fn key_count(&self) -> usize {
        self.ranges.len()
    }

    /// What is deleted of a key: apart from each other, by time.
    pub fn of(&self, number: u32) -> &[TimeRange] {
        self.ranges.get(&number).map_or(&[], Vec::as_slice)
    }

    /// Whether all of a range is deleted.
    pub fn holds(&self, number: u32, range: TimeRange) -> bool {
        ranges::cover(self.of(number), range.min_ns, range.max_ns)
    }

    pub(super) fn add(&mut self, number: u32, range: TimeRange) {
        ranges::add(self.ranges.entry(number).or_default(), range);
    }

    /// All of them, by number of the key and range, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, TimeRange)> {
        let all = self.ranges.iter();
        all.flat_map(|(number, ranges)| ranges.iter().map(|range| (*number, *range)))
    }
}

/// Hands every record of a file to `take`. A file that is not there has none.
pub(super) fn read(path: &Path, take: impl FnMut(&[u8], TimeRange)) -> Result<(), OpenError> {
    let failed = |error| OpenError::Io { path: path.to_owned(), error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    match records(BufReader::new(file), take) {
        Ok(done) => done.map_err(|problem| OpenError::Malformed { path: path.to_owned(), problem }),
        Err(error) => Err(failed(error)),
    }
}

/// The outer error is the system's, the inner one that of the bytes.
fn records(
    mut file: impl BufRead,
    take: impl FnMut(&[u8], TimeRange),
) -> io::Result<Result<(), Malformed>> {
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head)?;
    match &head[..] {
        VERSION_2 => plain(file, take),
        VERSION_3 | VERSION_4 if file.fill_buf()?.is_empty() => Ok(Ok(())),
        VERSION_3 | VERSION_4 => plain(BufReader::new(MultiGzDecoder::new(file)), take),
        [0, 0, 0x15, _] => Ok(Err(Malformed("tombstones of a version that is not known"))),
        _ => lines(io::Cursor::new(head).chain(file), take),
    }
}

/// Hands every record of the bytes of a file to `take`.
pub fn tombstone_records(
    bytes: &[u8],
    take: impl FnMut(&[u8], TimeRange),
) -> Result<(), Malformed> {
    records(bytes, take).unwrap_or(Err(Malformed("an error of reading from memory")))
}

fn lines(
    mut file: impl BufRead,
    mut take: impl FnMut(&[u8], TimeRange),
) -> io::Result<Result<(), Malformed>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let len = file.by_ref().take(u64::from(u16::MAX) + 2).read_until(b'\n', &mut line)?;
        if len == 0 {
            return Ok(Ok(()));
        }
        let key = line.strip_suffix(b"\n").unwrap_or(&line);
        if key.len() > usize::from(u16::MAX) {
            return Ok(Err(Malformed("a tombstone of a key of more than 65535 bytes")));
        }
        if !key.is_empty() {
            take(key, WHOLE);
        }
    }
}

fn plain(
    mut file: impl BufRead,
    mut take: impl FnMut(&[u8], TimeRange),
) -> io::Result<Result<(), Malformed>> {
    let mut record = Vec::new();
    loop {
        match file.fill_buf() {
            Ok([]) => return Ok(Ok(())),
            Ok(_) => {}
            Err(error) => return torn(error),
        }
        let mut len = [0; 4];
        if let Err(error) = file.read_exact(&mut len) {
            return torn(error);
        }
        let len = u32::from_be_bytes(len) as usize;
        if len > usize::from(u16::MAX) {
            return Ok(Err(Malformed("a tombstone of a key of more than 65535 bytes")));
        }
        record.resize(len + 16, 0);
        if let Err(error) = file.read_exact(&mut record) {
            return torn(error);
        }
        let time = |at: usize| i64::from_be_bytes(*record[at..].first_chunk().expect("16 bytes"));
        take(&record[..len], TimeRange { min_ns: time(len), max_ns: time(len + 8) });
    }
}

/// The errors of a decoder are about bytes, all others about the disk.
fn torn(error: io::Error) -> io::Result<Result<(), Malformed>> {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Ok(Err(Malformed("the tombstones are torn or damaged")))
        }
        _ => Err(error),
    }
}

/// Adds records to a file, durably and at once or not at all. A file of an older version is written anew from `old`,
/// which are all its records.
pub(super) fn append<'a>(
    path: &Path,
    old: impl Iterator<Item = (&'a [u8], TimeRange)>,
    new: impl Iterator<Item = (&'a [u8], TimeRange)>,
) -> io::Result<()> {
    let makeshift = path.with_added_extension("tmp");
    let written = write(path, &makeshift, old, new).and_then(|()| fs::rename(&makeshift, path));
    if let Err(error) = written {
        drop(fs::remove_file(&makeshift));
        return Err(error);
    }
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn write<'a>(
    path: &Path,
    makeshift: &Path,
    old: impl Iterator<Item = (&'a [u8], TimeRange)>,
    new: impl Iterator<Item = (&'a [u8], TimeRange)>,
) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(makeshift)?);
    file.write_all(VERSION_4)?;
    match File::open(path) {
        Ok(mut before) => {
            let mut head = Vec::new();
            Read::by_ref(&mut before).take(4).read_to_end(&mut head)?;
            if head == VERSION_4 {
                io::copy(&mut before, &mut file)?;
            } else {
                member(&mut file, old)?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    member(&mut file, new)?;
    file.into_inner()?.sync_all()
}

fn member<'a>(
    file: &mut BufWriter<File>,
    records: impl Iterator<Item = (&'a [u8], TimeRange)>,
) -> io::Result<()> {
    let mut packed = GzEncoder::new(file, Compression::fast());
    for (key, range) in records {
        let len = u32::try_from(key.len()).expect("keys of files have at most 65535 bytes");
        packed.write_all(&len.to_be_bytes())?;
        packed.write_all(key)?;
        packed.write_all(&range.min_ns.to_be_bytes())?;
        packed.write_all(&range.max_ns.to_be_bytes())?;
    }
    packed.finish()?;
    Ok(())
}
