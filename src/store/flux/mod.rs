//! Flux: evaluates a script over a catalog, and writes the answer as annotated CSV.
//!
//! It promises: tables, their order and their columns are those of InfluxDB 2.7, and so are its refusals as far as
//! they are known; what is not understood is an error that names it and its place, never a guess. No script makes it
//! panic or use up the stack; memory and time are the guard's.
//!
//! It does not know: HTTP, and how points are stored. Most types are found while it runs and not before: a mistake
//! in a function that is never called may stay unsaid.
//!
//! How to read it: `value`, `scope` and `interval` are what a script works with; `interpret`, `expression`,
//! `apply`, `call`, `operate` and `convert` evaluate it; `library/` has the functions of Flux. Those on streams make a plan of `node`s, and `run/`
//! carries it out over `table`s with their `key`s. `check` and `typed` look at a script before it runs, `answer` and
//! `print` put it all together.

mod answer;
mod apply;
mod call;
mod check;
mod convert;
mod expression;
mod failure;
mod interpret;
mod interval;
mod key;
mod library;
mod node;
mod operate;
mod print;
mod run;
mod scope;
mod table;
mod typed;
mod value;

#[cfg(test)]
mod tests;

pub use answer::{Question, answer};
pub use failure::{Problem, Refused};
