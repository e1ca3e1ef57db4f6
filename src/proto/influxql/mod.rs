//! InfluxQL: a text becomes statements, and statements become their canonical text again.
//!
//! It promises: what InfluxDB 1.6 parses is parsed, what it refuses to parse is refused with its
//! words and its position, no text can make it panic or exhaust the stack, and names keep the exact
//! characters that the write path hashes. It does not know what a statement means, who answers it,
//! or whether the names in it exist; regular expressions and time zones are kept as written, and
//! whoever runs the statement finds the faults inside them.
//!
//! The parser is recursive descent over a scanner, by hand and not with nom: the grammar itself
//! decides where a slash begins a regular expression, and InfluxDB's positions follow from how its
//! own reader moves, which combinators would hide.
//!
//! Read `token.rs` and `scan.rs` first, then `parser.rs` (one token ahead, the errors), `expression.rs`,
//! `select.rs`, `show.rs`, `define.rs`; `ast.rs` is what comes out, `render.rs` turns it into text.

mod ast;
mod define;
mod error;
mod expression;
mod params;
mod parser;
mod render;
mod render_define;
mod scan;
mod select;
mod show;
mod token;

#[cfg(test)]
mod tests;

pub use ast::*;
pub use error::ParseError;
pub use params::Params;
pub use render::{identifier, quoted};

/// All statements of `text`, in order; none if it holds only blanks, comments and semicolons.
///
/// `params` are the values of `$name`; the error's text is what follows `error parsing query: `.
pub fn parse(text: &str, params: &Params) -> Result<Vec<Statement>, ParseError> {
    parser::Parser::new(text.trim(), params).query()
}
