//! The read path: who can answer a question, asked there, the answer passed on.
//!
//! Promises: a question is answered right or refused; what is not understood for certain is never guessed.
//! An answer comes from one circle: byte for byte as its backend sent it, or merged from those that are needed.
//!
//! It does not know the log, nor what a status code means.
//!
//! Read in this order: `access` (what a text touches), `plan`, a pure function from a text to who must be asked; then `choose` (pure: which
//! circle), `forward` (one backend answers), `scatter` (several do), `merge` (their answers become one), `influxql`, `flux`,
//! `flux_body`; `explain` says all this without asking.

pub mod access;
pub mod choose;
pub mod explain;
pub mod flux;
pub mod flux_body;
pub mod forward;
mod influxql;
pub mod merge;
pub mod plan;
pub mod scatter;

use crate::backend::client::Arriving;
use crate::backend::crowd::Turn;
use crate::backend::{Board, Cancel, Client, Place};
use crate::base::current::Current;
use crate::config::checked::QueryConfig;
use crate::config::token::Need;
use crate::proto::influxql::{Params, Statement};
use crate::ring::{Naming, Topology};
use crate::rt::Clock;
use crate::telemetry::{Latencies, Meters};
use explain::Explained;
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

/// The read path of a shard. Lives on: every shard.
pub struct Query {
    pub topology: Arc<Topology>,
    pub naming: Naming,
    /// In the order of the configuration, as the rings count them.
    pub places: Vec<Rc<Place>>,
    pub clients: Vec<Rc<Client>>,
    pub board: Arc<Board>,
    pub clock: Clock,
    pub settings: Current<QueryConfig>,
    pub meters: Rc<Meters>,
    pub latencies: Rc<Latencies>,
}

/// An InfluxQL question as a client asked it.
pub struct InfluxQl {
    pub text: String,
    pub target_db: Option<String>,
    pub rp: Option<String>,
    /// What only the backend reads: `epoch`, `chunked`, `pretty` and the like.
    pub params: Vec<(String, String)>,
    pub accept: Option<String>,
    pub accept_encoding: Option<String>,
    /// It came with `GET`.
    pub read_only: bool,
    /// Who asks may leave.
    pub asker: Cancel,
}

/// A Flux question as a client asked it.
pub struct Flux {
    pub org: Option<String>,
    pub body: Vec<u8>,
    pub content_type: String,
    pub accept_encoding: Option<String>,
    pub prefer: Option<String>,
    /// Who asks may leave.
    pub asker: Cancel,
}

/// The body of an answer, piece by piece. Lives on: the shard that asked.
pub struct BodyStream {
    origin: Origin,
    /// The question runs until its answer is out, or nobody wants it any more.
    _turn: Option<Turn>,
}

/// Where the pieces come from. Lives on: the shard that asked.
enum Origin {
    /// One backend's, byte for byte.
    Forwarded(Arriving),
    /// Results of several backends or several statements, merged.
    InfluxQl(Box<influxql::Merged>),
    /// Annotated CSV of several, merged.
    Flux(flux::Merged),
}

impl From<Origin> for Box<BodyStream> {
    fn from(origin: Origin) -> Box<BodyStream> {
        Box::new(BodyStream { origin, _turn: None })
    }
}

impl BodyStream {
    /// The next piece; `None` at the end. An error means that the answer is cut short.
    pub async fn next(&mut self) -> Result<Option<Cow<'_, [u8]>>, String> {
        match &mut self.origin {
            Origin::Forwarded(arriving) => {
                let piece = arriving.next_slice().await;
                Ok(piece.map_err(|error| error.to_string())?.map(Cow::Borrowed))
            }
            Origin::InfluxQl(merged) => Ok(merged.next().await?.map(Cow::Owned)),
            Origin::Flux(merged) => Ok(merged.next().await?.map(Cow::Owned)),
        }
    }
}

pub enum Answer {
    Local {
        content_type: String,
        body: Vec<u8>,
    },
    Streamed {
        /// One backend's; none for what several answered, each of them well.
        status: Option<u16>,
        headers: Vec<(String, String)>,
        /// The names of those who answer, all of one circle.
        backends: Vec<String>,
        circle: String,
        body: Box<BodyStream>,
        /// No circle was known to hold everything.
        incomplete: bool,
    },
    /// For the write path: these run on every backend.
    Statements(Vec<Statement>),
}

pub enum Refusal {
    Parse(String),
    /// The subject of "... is not supported yet".
    NotYet(String),
    CannotMerge(String),
    UnknownDatabase(String),
    NoBackend {
        why: String,
        retry_after_s: u32,
    },
    /// So many questions run already.
    TooMany(usize),
}

impl From<plan::Refusal> for Refusal {
    fn from(refusal: plan::Refusal) -> Refusal {
        match refusal {
            plan::Refusal::Parse { message } => Refusal::Parse(message),
            plan::Refusal::NotYet { what } => Refusal::NotYet(what),
            other @ plan::Refusal::CannotMerge { .. } => Refusal::CannotMerge(other.to_string()),
        }
    }
}

/// Answers an InfluxQL text, or says why not.
pub async fn influxql(query: &Rc<Query>, asked: InfluxQl) -> Result<Answer, Refusal> {
    let answer = answer_influxql(query, asked).await;
    query.count("influxql", &answer);
    answer
}

async fn answer_influxql(query: &Rc<Query>, asked: InfluxQl) -> Result<Answer, Refusal> {
    let (db, rp) = (asked.target_db.as_deref(), asked.rp.as_deref());
    let params = params_of(&asked)?;
    let plan = match plan::influxql::plan(&asked.text, db, rp, &query.naming, &params) {
        Ok(plan @ plan::Plan::WholeCircle { .. }) if query.has_whole_backends() => plan,
        Ok(plan::Plan::WholeCircle { .. }) => return stepped(query, asked, &params).await,
        Err(plan::Refusal::NotYet { what }) if what == plan::influxql::RENAMED => {
            return stepped(query, asked, &params).await;
        }
        Ok(plan) => plan,
        Err(refusal) => return Err(refusal.into()),
    };
    let turn = match plan {
        // Nobody is asked: these are for the write path.
        plan::Plan::Everywhere { .. } => None,
        _ => Some(query.turn()?),
    };
    Ok(forward::influxql(query, plan, &asked).await?.within(turn))
}

/// Statement by statement.
async fn stepped(query: &Rc<Query>, asked: InfluxQl, params: &Params) -> Result<Answer, Refusal> {
    let (db, rp) = (asked.target_db.as_deref(), asked.rp.as_deref());
    let steps = plan::influxql::steps::steps(&asked.text, db, rp, &query.naming, params)?;
    let turn = query.turn()?;
    Ok(influxql::answer(query, steps, asked).await?.within(Some(turn)))
}

/// What an InfluxQL text comes to.
pub fn explain_influxql(query: &Query, asked: &InfluxQl) -> Result<Explained, Refusal> {
    let params = params_of(asked)?;
    let (db, rp) = (asked.target_db.as_deref(), asked.rp.as_deref());
    let can_be_asked = |slot, language| query.can_be_asked(slot, language);
    Ok(query.places_of_data(&can_be_asked).influxql(&asked.text, db, rp, &params))
}

/// What a Flux request comes to.
pub fn explain_flux(query: &Query, asked: &Flux) -> Result<Explained, Refusal> {
    let request = flux::decode(asked)?;
    let can_be_asked = |slot, language| query.can_be_asked(slot, language);
    Ok(query.places_of_data(&can_be_asked).flux(&request, asked.org.as_deref()))
}

/// What each statement of an InfluxQL text wants; nothing of a text that will be refused anyway.
pub fn wanted_by_influxql(query: &Query, asked: &InfluxQl) -> Vec<access::Wanted> {
    let Ok(params) = params_of(asked) else { return Vec::new() };
    let (db, rp) = (asked.target_db.as_deref(), asked.rp.as_deref());
    access::influxql(&asked.text, db, rp, &query.naming, &params)
}

/// What a Flux request wants; nothing of one that will be refused anyway.
pub fn wanted_by_flux(query: &Query, asked: &Flux) -> Vec<Need> {
    let Ok(request) = flux::decode(asked) else { return Vec::new() };
    access::flux(&request, asked.org.as_deref(), &query.naming)
}

/// The values of `$name`. Some clients send `null` for none.
fn params_of(asked: &InfluxQl) -> Result<Params, Refusal> {
    let said = asked.params.iter().find(|(name, _)| name == "params");
    match said.map_or("", |(_, text)| text.trim()) {
        "" | "null" => Ok(Params::default()),
        text => Params::from_json(text).map_err(Refusal::Parse),
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Parse(text) | Refusal::CannotMerge(text) => out.write_str(text),
            Refusal::NotYet(what) => write!(out, "{what} is not supported yet"),
            Refusal::UnknownDatabase(name) => write!(out, "database not found: {name}"),
            Refusal::NoBackend { why, .. } => write!(out, "no backend answers: {why}"),
            Refusal::TooMany(most) => {
                write!(out, "{most} queries run already, as many as [query] max_queries allows")
            }
        }
    }
}

/// Answers a Flux script, or says why not.
pub async fn flux(query: &Query, asked: Flux) -> Result<Answer, Refusal> {
    let answer = match query.turn() {
        Ok(turn) => flux::ask(query, &asked).await.map(|answer| answer.within(Some(turn))),
        Err(refusal) => Err(refusal),
    };
    query.count("flux", &answer);
    answer
}

impl Answer {
    /// It holds this turn until its last piece is out.
    fn within(mut self, turn: Option<Turn>) -> Answer {
        if let Answer::Streamed { body, .. } = &mut self {
            body._turn = turn;
        }
        self
    }
}

impl Query {
    /// One question more, if so many may run.
    fn turn(&self) -> Result<Turn, Refusal> {
        let most = self.settings.get().queries_max;
        self.board.questions.begin(most).ok_or(Refusal::TooMany(most))
    }

    fn places_of_data<'a>(
        &'a self,
        can_be_asked: &'a dyn Fn(u16, choose::Language) -> bool,
    ) -> explain::Places<'a> {
        explain::Places { topology: &self.topology, naming: &self.naming, can_be_asked }
    }

    fn count(&self, language: &'static str, answer: &Result<Answer, Refusal>) {
        let outcome = match answer {
            Ok(_) => "answered",
            Err(Refusal::Parse(_)) => "malformed",
            Err(Refusal::NotYet(_) | Refusal::CannotMerge(_)) => "refused",
            Err(Refusal::UnknownDatabase(_)) => "unknown_database",
            Err(Refusal::NoBackend { .. }) => "no_backend",
            Err(Refusal::TooMany(_)) => "too_many",
        };
        self.meters.query(language, outcome);
    }
}
