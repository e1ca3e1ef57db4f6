//! Why there is no answer.

use std::fmt;

use crate::store::guard::Stopped;
use crate::store::view::ReadError;

/// What a refusal is for HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// 400 `invalid`
    Invalid,
    /// 404 `not found`
    NotFound,
    /// 422 `unprocessable entity`
    Unprocessable,
    /// 500 `internal error`
    Internal,
}

/// The refusal of a question, in the words of InfluxDB where it has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub kind: Problem,
    pub message: String,
}

impl Refused {
    pub fn invalid(message: impl Into<String>) -> Refused {
        Refused { kind: Problem::Invalid, message: message.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

/// Why an evaluation ends early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Refused(Refused),
    Stopped(Stopped),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Failure {
        Failure::Refused(refused)
    }
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Failure {
        Failure::Stopped(stopped)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        Failure::Refused(Refused { kind: Problem::Internal, message: error.to_string() })
    }
}

impl Failure {
    pub fn invalid<T>(message: impl Into<String>) -> Result<T, Failure> {
        Err(Refused::invalid(message).into())
    }

    /// The same, with words before it.
    pub fn after(self, words: impl fmt::Display) -> Failure {
        match self {
            Failure::Refused(Refused { kind, message }) => {
                Failure::Refused(Refused { kind, message: format!("{words}{message}") })
            }
            stopped => stopped,
        }
    }
}
