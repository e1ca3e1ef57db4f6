//! The engine behind the store: what a database holds, how points come in, and how they come to files.
//!
//! Promises: a point is in the log before it is acknowledged, and stays there until it is in a file; a question sees a
//! window as it is at one moment, whatever snapshots and compaction do meanwhile; a delete that has returned is not
//! undone by a crash.
//!
//! Does not know: how files and the log are laid out, what a question is.
//!
//! Locks are taken in this order, and none is waited for while a later one is held: statements, the jobs of windows (by
//! number), the writer of a database, the catalogue, the list of windows, the index, the state of a window, its cache, its numbers.
//!
//! How to read it: `windows` (slices of time), `schema`, `cache` and `batch` are how lines become words in memory;
//! `writer` takes a request that way; `window` and `database` hold what there is; `view` shows it to questions;
//! `snapshot` brings a cache to a file; `delete` removes; `catalogue` and `policies` are what there should be; `start`
//! finds it all again, `adopt` what an InfluxDB has left; `worker` does what happens by itself.

mod adopt;
mod batch;
mod cache;
mod catalogue;
mod change;
mod clock;
mod counters;
mod database;
mod delete;
mod numbers;
mod policies;
mod schema;
mod shared;
mod snapshot;
mod start;
#[cfg(test)]
mod tests;
mod view;
mod window;
mod windows;
mod worker;
mod writer;

pub use change::change;
pub use delete::read_entry as read_delete;
pub use shared::{Shared, stats};
pub use start::open;
pub use start::read_write;
pub use worker::{Worker, enforce_retention, flush, tend};
