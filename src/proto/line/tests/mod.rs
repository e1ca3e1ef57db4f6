//! The laws of the grammar.

mod vectors;
