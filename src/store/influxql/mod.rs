//! InfluxQL, answered from the engine.
//!
//! Promises: what InfluxDB 1.6.7 answers, byte for byte, over the same points; an answer leaves piece by piece; what
//! a question holds in memory is counted, and its end is noticed at every block. It does not know: HTTP, files.
//!
//! How to read it: `answer` (statements one after the other), `select` (SELECT as a whole), `plan` (what it says),
//! `expr` (expressions), `read` (series to points), `functions` (points to points), `rows` (points to text), `show`,
//! `define` (what changes something), `fault`.
//!
//! A plan is pure. Streams are pulled: the rows ask the functions, these the merged series, these their blocks. A
//! `SELECT` of one function over plain fields folds block by block; all else goes point by point.

mod answer;
mod define;
mod expr;
mod fault;
mod functions;
mod into;
mod plan;
mod read;
mod rows;
mod select;
mod show;

#[cfg(test)]
mod tests;

pub use answer::{Question, Refused, answer};
