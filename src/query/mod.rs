//! The read path: who can answer a question, asked there, the answer passed on.
//!
//! It promises that a question is answered right or refused: what it does not understand for certain
//! it never guesses. It does not know the log, nor what a status code is.
//!
//! Read `plan.rs` first: a pure function from a text to who must be asked. `flux_body.rs` is the shape
//! of a Flux request.

pub mod flux_body;
pub mod plan;

/// The read path of a shard.
pub struct Query;

pub struct InfluxQl {
    pub text: String,
    pub target_db: Option<String>,
    pub rp: Option<String>,
    pub params: Vec<(String, String)>,
    pub accept: Option<String>,
    pub accept_encoding: Option<String>,
    pub read_only: bool,
}

pub struct Flux {
    pub org: Option<String>,
    pub body: Vec<u8>,
    pub content_type: String,
    pub accept_encoding: Option<String>,
    pub prefer: Option<String>,
}

pub struct BodyStream;

impl BodyStream {
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

pub enum Answer {
    Local {
        content_type: String,
        body: Vec<u8>,
    },
    Forwarded {
        status: u16,
        headers: Vec<(String, String)>,
        backend: String,
        circle: String,
        body: BodyStream,
        incomplete: bool,
    },
}

pub enum Refusal {
    Parse(String),
    NotYet(String),
    CannotMerge(String),
    UnknownDatabase(String),
    NoBackend { why: String, retry_after_s: u32 },
}

pub async fn influxql(_query: &Query, _request: InfluxQl) -> Result<Answer, Refusal> {
    Err(Refusal::NotYet("queries".to_owned()))
}

pub async fn flux(_query: &Query, _request: Flux) -> Result<Answer, Refusal> {
    Err(Refusal::NotYet("queries".to_owned()))
}
