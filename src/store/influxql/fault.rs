//! Why a statement has no answer, or no more of it.

use crate::store::guard::Stopped;
use crate::store::view::{ChangeError, ReadError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// In InfluxDB's words where it has any.
    Text(String),
    Stopped(Stopped),
    /// A value that JSON cannot say; InfluxDB's whole answer is then a text.
    Infinite(bool),
}

impl Fault {
    pub fn text(text: impl Into<String>) -> Fault {
        Fault::Text(text.into())
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Text(text) => out.write_str(text),
            Fault::Stopped(stopped) => write!(out, "{stopped}"),
            Fault::Infinite(negative) => {
                write!(out, "json: unsupported value: {}Inf", if *negative { '-' } else { '+' })
            }
        }
    }
}

impl From<String> for Fault {
    fn from(text: String) -> Fault {
        Fault::Text(text)
    }
}

impl From<Stopped> for Fault {
    fn from(stopped: Stopped) -> Fault {
        Fault::Stopped(stopped)
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Fault {
        Fault::Text(error.to_string())
    }
}

impl From<ChangeError> for Fault {
    fn from(error: ChangeError) -> Fault {
        Fault::Text(error.to_string())
    }
}
