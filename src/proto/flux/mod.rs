//! Flux: a script becomes a syntax tree, and the tree tells which buckets and measurements it reads.
//!
//! It promises: the syntax is read as InfluxDB 2.7 reads it, no script can make it panic or exhaust
//! stack or time, and what [`reads()`] calls certain is certain. It does not know types, does not run
//! anything, and does not know who holds the data.
//!
//! Recursive descent over a scanner, by hand and not with nom: only the grammar knows whether a
//! slash divides or begins a regular expression, and strings hold whole expressions.
//!
//! Read `scan.rs`, `parse.rs` (statements), `expression.rs` and `literal.rs`; `ast.rs` is what comes out.
//! Then `reads.rs` (the question and its answer), `value.rs`, `evaluate.rs`, `call.rs`, `predicate.rs`
//! and `catalogue.rs` (what the known functions do); `shape.rs` and `grouping.rs` say of each result whether
//! the results of several places, side by side, are the result of one place with everything.

mod ast;
mod call;
mod catalogue;
mod evaluate;
mod expression;
mod grouping;
mod literal;
mod parse;
mod predicate;
mod reads;
mod scan;
mod shape;
mod value;
mod walk;

#[cfg(test)]
mod tests;

pub use ast::*;
pub use parse::{SyntaxError, parse};
pub use reads::{Measurements, Outcome, Read, Reads, Uncertain, reads};
pub use scan::place;
pub use shape::{Names, Shape};
