//! The read path: who can answer a question, asked there, the answer passed on.
//!
//! It promises that a question is answered right or refused: what it does not understand for certain
//! it never guesses. It does not know the log, nor what a status code is.
//!
//! Read `plan.rs` first: a pure function from a text to who must be asked. `flux_body.rs` is the
//! shape of a Flux request.

pub mod flux_body;
pub mod plan;
