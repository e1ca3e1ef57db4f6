//! Why a text is no InfluxQL, in InfluxDB's words.

use std::fmt;

use super::token::Position;

/// The first thing that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Something stands where one of `expected` must stand.
    Expected { found: String, expected: Vec<&'static str>, at: Position },
    /// A fault with a place.
    At { message: String, at: Position },
    /// A fault without a place.
    Plain(String),
}

impl ParseError {
    pub(super) fn plain(message: impl Into<String>) -> ParseError {
        ParseError::Plain(message.into())
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::Expected { found, expected, at } => {
                let expected = expected.join(", ");
                write!(out, "found {found}, expected {expected}")?;
                write!(out, " at line {}, char {}", at.line, at.char)
            }
            ParseError::At { message, at } => {
                write!(out, "{message} at line {}, char {}", at.line, at.char)
            }
            ParseError::Plain(message) => out.write_str(message),
        }
    }
}

impl std::error::Error for ParseError {}
