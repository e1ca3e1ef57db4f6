//! One log: segments of frames on disk, their recovery, and a cursor for each queue.
//!
//! Promises:
//! - what [`Writer::commit`] returned is on stable storage and is found again after a crash at any moment;
//! - a frame is never rewritten; a torn tail is cut; damage in the middle is set aside, counted, and
//!   everything after it is still found;
//! - a cursor on disk is never ahead of what was confirmed.
//!
//! It does not know what a line, an address or a circle is: a run is bytes with a tag and a set of
//! numbered backends.
//!
//! Read in this order: `format` (the bytes), `runs`, `table`, `frame`, `recovery` (the table of cases), `segment`, `log`
//! (append, wait), `writer` (commit, failures), `space` (files), `ballast`, `pack` (dense copies), `reader`
//! (start, read), `index`, `cold`, `checkpoint`, `registry`, `inspect` (from outside).

pub mod ballast;
pub mod checkpoint;
mod cold;
pub mod format;
pub mod frame;
mod index;
pub mod inspect;
pub mod log;
pub mod pack;
pub mod reader;
pub mod recovery;
pub mod registry;
pub mod runs;
pub mod segment;
pub mod space;
pub mod table;
pub mod writer;

pub use ballast::{Ballast, Moved};
pub use checkpoint::CheckpointFile;
pub use checkpoint::{Checkpoint, Dropped, ParkedFloor, QueueMark, Reached, Refusal};
pub use frame::{Frame, Kind, NewRun, OpenFrame};
pub use log::{Found, Log, Place, Settings};
pub use reader::{Item, Opened, open};
pub use registry::Registry;
pub use runs::{Run, Runs};
pub use writer::{Committed, Writer};

use crate::base::ids::BackendId;
use crate::base::time::Stamp;
use std::fmt;
use std::io;

/// Why the log did not do what was asked.
#[derive(Debug)]
pub enum Error {
    /// The disk failed; what was being written may be there or not.
    Disk { during: &'static str, source: io::Error },
    /// The data directory was written by a version that this one cannot read.
    Format(String),
    /// The log has given up after repeated failures; it takes nothing until a new segment works.
    Failed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Disk { during, source } => write!(f, "{during} failed: {source}"),
            Error::Format(text) => f.write_str(text),
            Error::Failed => f.write_str("the log cannot be written"),
        }
    }
}

impl std::error::Error for Error {}

/// Floors never sink: what was confirmed below one stays so.
pub fn raise_floor(floors: &mut Vec<(BackendId, Stamp)>, backend: BackendId, floor: Stamp) {
    match floors.iter_mut().find(|(known, _)| *known == backend) {
        Some((_, highest)) => *highest = floor.max(*highest),
        None => floors.push((backend, floor)),
    }
}

/// Names the step in a disk error.
pub(crate) fn during(during: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Disk { during, source }
}

#[cfg(test)]
mod tests;
