//! How an entry lies in a segment.

use crate::base::checksum::crc32c;
use std::path::{Path, PathBuf};

pub(super) const MAGIC: &[u8; 4] = b"CLog";
pub(super) const ENTRY_HEAD_BYTES: usize = 32;
pub(super) const SEGMENT_HEAD_BYTES: usize = 16;
const SEGMENT_MAGIC: &[u8; 8] = b"circlog\x01";

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Write,
    Delete,
    /// Only tries whether there is room.
    Nothing,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Kind::Write => 1,
            Kind::Delete => 2,
            Kind::Nothing => 3,
        }
    }

    fn of(code: u8) -> Option<Kind> {
        [Kind::Write, Kind::Delete, Kind::Nothing].into_iter().find(|kind| kind.code() == code)
    }
}

pub(super) fn segment_head(number: u64) -> [u8; SEGMENT_HEAD_BYTES] {
    let mut head = [0; SEGMENT_HEAD_BYTES];
    head[..8].copy_from_slice(SEGMENT_MAGIC);
    head[8..].copy_from_slice(&number.to_le_bytes());
    head
}

pub(super) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:09}.log"))
}

pub(super) fn segment_number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".log")?;
    name.parse().ok()
}

/// An entry in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub kind: Kind,
    pub sequence: u64,
    pub group: u64,
    pub contents: &'a [u8],
}

/// Makes room for the head of an entry whose contents follow; [`finish`] fills it in.
pub(super) fn begin(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.resize(at + ENTRY_HEAD_BYTES, 0);
    at
}

/// # Panics
/// If the contents have 4 GiB or more.
pub(super) fn finish(out: &mut [u8], at: usize, kind: Kind, sequence: u64, group: u64) {
    let entry = &mut out[at..];
    let length = u32::try_from(entry.len() - ENTRY_HEAD_BYTES).expect("a request is smaller");
    entry[..4].copy_from_slice(MAGIC);
    entry[8..12].copy_from_slice(&length.to_le_bytes());
    entry[12] = kind.code();
    entry[16..24].copy_from_slice(&sequence.to_le_bytes());
    entry[24..32].copy_from_slice(&group.to_le_bytes());
    let sum = crc32c(&entry[8..]);
    entry[4..8].copy_from_slice(&sum.to_le_bytes());
}

/// The entry at the beginning of `bytes`, and what follows it.
pub(super) fn parse(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let head = bytes.first_chunk::<ENTRY_HEAD_BYTES>()?;
    let four = |at: usize| u32::from_le_bytes(*head[at..].first_chunk().expect("a head"));
    let eight = |at: usize| u64::from_le_bytes(*head[at..].first_chunk().expect("a head"));
    let whole = ENTRY_HEAD_BYTES.checked_add(four(8) as usize)?;
    if !head.starts_with(MAGIC) || whole > bytes.len() || crc32c(&bytes[8..whole]) != four(4) {
        return None;
    }
    let (entry, rest) = bytes.split_at(whole);
    let contents = &entry[ENTRY_HEAD_BYTES..];
    let kind = Kind::of(head[12])?;
    Some((Entry { kind, sequence: eight(16), group: eight(24), contents }, rest))
}
