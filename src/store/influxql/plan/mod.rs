//! A SELECT before anything is read: its names, columns, windows, types, and what is wrong with it.
//!
//! Promises: pure; the first fault found is the one that InfluxDB 1.6 shows. Does not know: where points are.
//!
//! Read `select` (the words), `compile` and `calls` (what may be said), `rewrite` (wildcards), `options` (what each
//! stream of the evaluation is told), `functions` (their families).

pub mod calls;
pub mod compile;
pub mod functions;
pub mod options;
pub mod rewrite;
pub mod select;
