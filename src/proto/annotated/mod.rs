//! Annotated CSV, the form of Flux answers: bytes become tables, table after table, while they arrive.
//!
//! It promises: cells stay as they came, byte for byte; no more is held than one row and what the last piece
//! brought; what is not annotated CSV is an error and never a guess. It does not know what the cells mean.
//!
//! The form: rows of cells, ended by CRLF (LF is taken, too). A cell with the delimiter, a quote or a line end is
//! quoted, its quotes doubled. Tables of one schema make a block: annotation rows (`#datatype`, `#group`,
//! `#default`), a header row `,result,table,...`, data rows. A new block follows an empty line; in a block a new
//! table begins where the table's number changes. A block without rows is an empty table. A block whose header
//! is `,error,reference` says that the query failed.
//!
//! Read `cells.rs`, then `block.rs`, then `decoder.rs`; `encoder.rs` is the way back.

mod block;
mod cells;
mod decoder;
mod encoder;

#[cfg(test)]
mod tests;

pub use block::Block;
pub use cells::{Cells, plain, unquoted};
pub use decoder::{Decoder, Event, Malformed};
pub use encoder::{Annotation, Dialect, Encoder, Head};
