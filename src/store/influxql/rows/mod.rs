//! From streams of points to rows, and from rows to the text of an answer.
//!
//! Promises: rows of one series come one after the other; an answer is written piece by piece, never held whole.
//! Does not know: how points are computed.
//!
//! Read `fill`, `cursor` (rows of one statement), `subquery` (rows as points again), `text` (cells), `emit`.

pub mod cursor;
pub mod emit;
pub mod fill;
pub mod subquery;
pub mod text;
