//! Takes the lines of a request.

use crate::proto::line::Precision;
use crate::ring::Target;

/// The write path of a shard.
pub struct Ingest;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLines {
    KeepGood,
    RefuseAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    Any,
    One,
    Quorum,
    All,
}

pub struct Request<'a> {
    pub target: &'a Target,
    pub precision: Precision,
    pub body: &'a [u8],
    pub bad_lines: BadLines,
    pub consistency: Consistency,
}

#[derive(Clone, Debug, Default)]
pub struct Accepted {
    pub lines: u64,
    pub bad_lines: Option<String>,
    pub dropped: u64,
    pub pending: Vec<String>,
    pub refused: Vec<Refused>,
}

#[derive(Clone, Debug)]
pub struct Refused {
    pub message: String,
    pub lines: u64,
}

#[derive(Clone, Debug)]
pub enum Failure {
    BadLines { texts: String, dropped: u64 },
    UnknownDatabase,
    Unavailable { why: String, retry_after_s: u32 },
    TooManyConfirmationsMissing { wanted: usize, confirmed: usize },
}

/// Checks, logs and delivers the lines of one request.
pub async fn lines(_ingest: &Ingest, _request: Request<'_>) -> Result<Accepted, Failure> {
    Err(Failure::Unavailable { why: "not written yet".to_owned(), retry_after_s: 1 })
}
