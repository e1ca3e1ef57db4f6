//! Data directories as they lie on a disk, ours or those of an InfluxDB 1.x: looked into and written out, never changed.
//!
//! Promises: a directory is only read; what is damaged is told and the rest is given; memory holds one window's log and
//! a few blocks of each field of one series, however large the directory is.
//!
//! Does not know: what the engine is doing. A running server of either kind may change files meanwhile: stop it, or look at a copy.
//!
//! Read in this order: `layout` (what lies where), `segment` and `wal` (InfluxDB's log), `own_log` (ours),
//! `inspect`, `export`.

mod export;
mod inspect;
mod layout;
mod own_log;
mod segment;
#[cfg(test)]
mod tests;
mod wal;

pub use export::{ExportError, ExportOptions, Exported, export};
pub use inspect::{FileState, FileView, SegmentView, WindowView, inspect};
pub use layout::{Folder, Layout, LayoutError};
pub use segment::{Entry, read_segment};
pub use wal::{Top, Torn, read as read_wal};
