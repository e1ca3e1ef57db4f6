//! The log of the store: what is acknowledged and in no file yet.
//!
//! Promises: an entry that was waited for survives the death of the process and of the machine; entries come back in the
//! order in which they were appended, each whole or not at all; a torn end is cut; damage before it is reported, kept
//! beside the log, and what follows it still comes back; a disk without room refuses entries and harms none.
//!
//! Does not know what is in an entry.
//!
//! On disk: segments `log/000000001.log`, numbered upwards. A segment begins with 8 bytes `circlog` 01 and its number,
//! then come entries, all numbers little-endian:
//!
//! | bytes | |
//! |---|---|
//! | 4 | `CLog`, by which an entry is found behind damage |
//! | 4 | CRC-32C of all that follows |
//! | 4 | length of the contents |
//! | 1 + 3 | kind, zeros |
//! | 8 | number of the entry, one higher than that of the one before; numbers of refused entries are left out |
//! | 8 | number of the first entry that was written and synced together with this one |
//! | | the contents |
//!
//! Several threads append and wait; whoever comes first writes and syncs for all of them.
//!
//! Read `format`, then `reader`, then `writer`.

mod format;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use format::Kind;
pub use reader::{Found, look, recover, segments};
pub use writer::{Log, LogError};
