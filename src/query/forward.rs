//! Sends a question to the first backend that answers it, and hands its answer on as it arrives.

use super::choose::{Candidate, Language};
use super::plan::Plan;
use super::{Answer, InfluxQl, Origin, Query, Refusal};
use crate::backend::Cancel;
use crate::backend::client::{Arriving, Error};
use crate::backend::place::escape;
use crate::backend::query::{Question, ask};
use crate::config::checked::Kind;
use crate::ring::Target;
use crate::telemetry::Stage;
use std::fmt::Write as _;

/// A text of at most this length goes into the URL when it came with `GET`.
const URL_TEXT_BYTES_MAX: usize = 4 * 1024;

pub(super) async fn influxql(
    query: &Query,
    plan: Plan,
    asked: &InfluxQl,
) -> Result<Answer, Refusal> {
    let language = Language::InfluxQl;
    let candidates = match &plan {
        Plan::Owner { target, measurement } => query.owners(target, measurement, language)?,
        Plan::AnyBackend => query.anybody(language)?,
        Plan::WholeCircle { what } => query.whole_circles(what, language)?,
        Plan::Everywhere { .. } => Vec::new(),
    };
    if let Plan::Everywhere { statements } = plan {
        return Ok(Answer::Statements(statements));
    }
    let db = asked.target_db.as_deref();
    let target = db.map(|db| query.naming.v1(db, asked.rp.as_deref()));
    query
        .first_answer(&candidates, &asked.asker, |kind| {
            influxql_question(query, kind, target.as_ref(), asked)
        })
        .await
}

pub(super) fn influxql_question(
    query: &Query,
    kind: Kind,
    target: Option<&Target>,
    asked: &InfluxQl,
) -> Question {
    let mut params = String::new();
    if let Some(target) = target {
        let (database, policy) = match kind {
            Kind::Influxdb2 | Kind::Influxdb3 => (target.bucket(), ""),
            Kind::Influxdb1 | Kind::Embedded | Kind::LineProtocol => {
                (target.database.as_ref().into(), target.retention_policy.as_ref())
            }
        };
        push(&mut params, "db", &database);
        if !policy.is_empty() {
            push(&mut params, "rp", policy);
        }
    }
    for (name, value) in &asked.params {
        push(&mut params, name, value);
    }
    let mut fields = String::new();
    field(&mut fields, "Accept", asked.accept.as_deref());
    field(&mut fields, "Accept-Encoding", asked.accept_encoding.as_deref());
    let in_url = asked.read_only && asked.text.len() <= URL_TEXT_BYTES_MAX;
    let mut body = Vec::new();
    if in_url {
        push(&mut params, "q", &asked.text);
    } else {
        field(&mut fields, "Content-Type", Some("application/x-www-form-urlencoded"));
        body = format!("q={}", escape(&asked.text)).into_bytes();
    }
    Question {
        method: if in_url { "GET" } else { "POST" },
        path: format!("/query?{params}"),
        fields,
        body,
        limit: query.settings.get().timeout,
    }
}

fn push(params: &mut String, name: &str, value: &str) {
    let lead = if params.is_empty() { "" } else { "&" };
    write!(params, "{lead}{name}={}", escape(value)).expect("writing to a string");
}

/// A field with its line end. A value that could end the line is left out: it came from a client.
pub(super) fn field(fields: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.contains(['\r', '\n', '\0'])) {
        write!(fields, "{name}: {value}\r\n").expect("writing to a string");
    }
}

impl Query {
    /// Asks one candidate after the other until one answers. An answer of trouble is passed on only when
    /// nobody has a better one.
    pub(super) async fn first_answer(
        &self,
        candidates: &[Candidate],
        asker: &Cancel,
        question: impl Fn(Kind) -> Question,
    ) -> Result<Answer, Refusal> {
        let begun = self.clock.mono();
        let mut trouble = String::from("there is no backend");
        for (turn, candidate) in candidates.iter().enumerate() {
            if asker.is_over() {
                break;
            }
            if turn > 0 {
                self.meters.failovers.increment(1);
            }
            let client = &self.clients[usize::from(candidate.slot)];
            let is_last = turn + 1 == candidates.len();
            match ask(client, &question(client.place.kind), asker).await {
                Ok(arriving) if !arriving.is_trouble() || is_last => {
                    self.latencies.record(Stage::Query, self.clock.mono().since(begun));
                    return Ok(self.answer(*candidate, arriving));
                }
                Ok(arriving) => {
                    trouble = format!("{} answered {}", client.place.label(), arriving.head.status);
                }
                Err(error) => {
                    if matches!(error, Error::Connect(_)) {
                        client.forget_connections();
                    }
                    trouble = format!("{}: {error}", client.place.label());
                }
            }
        }
        Err(Refusal::NoBackend { why: trouble, retry_after_s: 1 })
    }

    /// The answer of one backend, passed on.
    pub(super) fn answer(&self, candidate: Candidate, arriving: Arriving) -> Answer {
        let place = &self.places[usize::from(candidate.slot)];
        Answer::Streamed {
            status: Some(arriving.head.status),
            headers: arriving.head.fields.clone(),
            backends: vec![place.name.clone()],
            circle: place.circle_name.clone(),
            body: Origin::Forwarded(arriving).into(),
            incomplete: !candidate.is_complete,
        }
    }
}
