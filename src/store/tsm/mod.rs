//! Files of InfluxDB's TSM format, version 1: blocks of points, the index that finds them, the deletes beside them.
//!
//! Promises: what a server of InfluxDB 1.x wrote is read, and it reads what is written here; bytes from a disk never
//! panic and never ask for more memory than a fixed multiple of their own size; a block is given only if its checksum
//! is right and its times are the ones that the index names; a file has its name only when it is whole and durable.
//!
//! Does not know: windows, caches, which files make up a window, what a key means.
//!
//! Read in this order: `uvarint`, `simple8b`, `times`, `integers`, `floats`, `booleans`, `strings` (each a codec of one
//! kind), `block` (times and values together), `index` and `bloom` (finding a key in a file), `tombstone` and `ranges`
//! (deletes), `reader`, `spool` and `writer`, `name` and `outputs` (files of a folder), `merge` (points of one
//! key out of several files).

mod block;
mod bloom;
mod booleans;
mod floats;
mod index;
mod integers;
mod merge;
mod name;
mod outputs;
mod ranges;
mod reader;
mod simple8b;
mod spool;
mod strings;
mod times;
mod tombstone;
mod uvarint;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

pub use block::{count, decode, encode};
pub use index::{Entries, Entry};
pub use merge::Merge;
pub(crate) use merge::{Source, Step};
pub use name::FileName;
pub use outputs::Outputs;
pub use reader::{Key, OpenError, Reader};
pub use tombstone::{Tombstones, tombstone_records};
pub use writer::{Finished, Writer};

use std::fmt;

/// Points in each block but the last one of a key.
pub const BLOCK_POINTS: usize = 1000;

/// A block that claims to hold more is taken for damaged: a thousand times what InfluxDB writes.
const BLOCK_POINTS_MAX: usize = 1 << 20;

/// Blocks of one key in one file.
const ENTRIES_MAX: usize = 65_535;

/// InfluxDB begins the next file where one has come to so many bytes.
pub const FILE_BYTES_MAX: u64 = 2 << 30;

/// The magic number and the version.
const HEADER: [u8; 5] = [0x16, 0xd1, 0x16, 0xd1, 1];

/// Bytes that are not what the format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(self.0)
    }
}
