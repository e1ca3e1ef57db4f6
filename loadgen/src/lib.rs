//! The part of `circlet-load` that other programs may use: generated lines of line protocol, so that
//! benchmarks elsewhere measure the same bytes as the load generator sends.
//!
//! Promise: `data` stays small and stable. Everything else of the tool is in the program.

pub mod data;
