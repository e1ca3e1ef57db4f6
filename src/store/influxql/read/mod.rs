//! From series to streams of points.
//!
//! Promises: only the series that a condition admits are opened, found by their tags and not by a walk; blocks are
//! read one at a time; the guard is asked at every block. Does not know: what is computed of the points.
//!
//! Read `item` (what flows), `mapping` (which windows), `filter` (which series), `scan` (the points of one), `merge`,
//! `source` (all of a measurement).

pub mod filter;
pub mod item;
pub mod mapping;
pub mod merge;
pub mod scan;
pub mod source;
