//! Merges annotated CSV: tables side by side, or names as a set.
//!
//! Promises: whatever order pieces come in, the same tables come out; an answer that breaks off never looks whole.
//!
//! The answers must have all three annotations and a header, in the client's delimiter; what is written follows
//! the client's dialect. Cells are copied as they came; only the number of a table is new, and the name of the
//! result where the client wants no `#default`.
//!
//! Order: all tables of one result come together, as Flux's own reader takes a result that comes back for
//! another one. Among them the table with the smallest measurement comes first that is first in its answer, as
//! a single server sends series in the order of their keys; the tables of one answer keep their order. Names
//! are sorted by bytes, as the index of a single server has them.
//!
//! Read `writer.rs` (the client's dialect), then `tables.rs` and `names.rs`.

mod later;
mod names;
mod tables;
mod writer;

#[cfg(test)]
mod tests;

use crate::proto::flux::Names;
use crate::query::flux_body::Dialect;
use names::NamesMerger;
use tables::TablesMerger;

/// What a merger needs, or has.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The next piece of this answer, by [`Merger::push`] or [`Merger::end`].
    Want(usize),
    Out(Vec<u8>),
    /// Nothing, but others should have their turn before it goes on.
    Pause,
    /// All is written.
    Done,
    /// What was written is not whole, and its end must not look like one.
    Broken(String),
}

/// Puts the answers of several backends together.
#[derive(Debug)]
pub enum Merger {
    Tables(TablesMerger),
    Names(NamesMerger),
}

impl Merger {
    /// Tables of so many answers.
    pub fn tables(dialect: &Dialect, delimiter: u8, answers: usize) -> Merger {
        Merger::Tables(TablesMerger::new(dialect, delimiter, answers))
    }

    /// Names of so many answers.
    pub fn names(dialect: &Dialect, delimiter: u8, answers: usize, names: Names) -> Merger {
        Merger::Names(NamesMerger::new(dialect, delimiter, answers, names))
    }

    pub fn push(&mut self, answer: usize, bytes: &[u8]) {
        match self {
            Merger::Tables(merger) => merger.push(answer, bytes),
            Merger::Names(merger) => merger.push(answer, bytes),
        }
    }

    /// The answer is whole.
    pub fn end(&mut self, answer: usize) {
        match self {
            Merger::Tables(merger) => merger.end(answer),
            Merger::Names(merger) => merger.end(answer),
        }
    }

    /// An answer broke off: what is written ends with a table that says so, and as broken.
    pub fn fail(&mut self, why: &str) {
        match self {
            Merger::Tables(merger) => merger.fail(why),
            Merger::Names(merger) => merger.fail(why),
        }
    }

    /// What to do now. After `Done` and `Broken` nothing more.
    pub fn step(&mut self) -> Step {
        match self {
            Merger::Tables(merger) => merger.step(),
            Merger::Names(merger) => merger.step(),
        }
    }
}
