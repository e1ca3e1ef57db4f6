//! One destination: its connections, its answers, what it holds; and the board that says what it is owed.
//!
//! Promises:
//! - an answer has one meaning, decided in one place (`answer`);
//! - a connection that may be out of step is never used again;
//! - the board is the only thing that shards share: atomics with one writer each, read by all (but for the count
//!   of connections that were sent to a shard, and for what is counted over all shards to be limited: `crowd`).
//!
//! It never chooses a backend, it is told; it knows neither rings nor frames.
//!
//! Read in this order: `place` (who it is), `board`, `load`, `crowd`, `answer`, `client`, `write`, `query`, `statement`, `probe`, `tap`.

pub mod answer;
pub mod board;
mod cancel;
pub mod catalogue;
pub mod client;
pub mod crowd;
pub mod load;
pub mod parked;
pub mod place;
pub mod probe;
pub mod query;
pub mod room;
pub mod statement;
pub mod tap;
pub mod write;

pub use answer::Verdict;
pub use board::{Board, Condition};
pub use cancel::Cancel;
pub use client::{Client, Error};
pub use place::Place;

#[cfg(test)]
mod tests;
