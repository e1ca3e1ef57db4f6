//! Statements for every backend: recorded in the log, sent in order, each alone.

use super::accept::{Failure, labels, unavailable};
use super::queue::Part;
use super::{Feed, Ingest, Outlet, Retry};
use crate::backend::{self, Client, Verdict};
use crate::base::failpoint;
use crate::base::ids::BackendId;
use crate::base::planted::{Planted, is_planted};
use crate::base::time::Mono;
use crate::ring::Target;
use crate::rt::within;
use crate::wal::{Frame, Kind, Run};
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::Duration;

/// Refused this often within a minute, while writes pass, it goes to the rejects.
const REFUSALS_MAX: usize = 3;
const REFUSALS_WITHIN: Duration = Duration::from_secs(60);

/// What the log keeps of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// `CREATE DATABASE`: the text as 1.x takes it, and the bucket that 2.x makes.
    CreateDatabase { text: String, target: Target },
    /// Anything else in InfluxQL: it is ordered with the lines of the database that the target names.
    InfluxQl { text: String, target: Target },
}

/// How a statement went.
#[derive(Clone, Debug, Default)]
pub struct Executed {
    /// Backends that will run it later.
    pub pending: Vec<String>,
    /// What a backend said against it.
    pub refused: Option<String>,
}

impl Statement {
    pub fn encode(&self) -> Vec<u8> {
        let (kind, text, target) = match self {
            Statement::CreateDatabase { text, target } => ("create_database", text, target),
            Statement::InfluxQl { text, target } => ("influxql", text, target),
        };
        json!({ "kind": kind, "text": text, "org": target.org, "bucket": target.bucket() })
            .to_string()
            .into_bytes()
    }

    fn decode(bytes: &[u8], target: Target) -> Option<Statement> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let text = value.get("text")?.as_str()?.to_owned();
        match value.get("kind")?.as_str()? {
            "create_database" => Some(Statement::CreateDatabase { text, target }),
            "influxql" => Some(Statement::InfluxQl { text, target }),
            _ => None,
        }
    }

    fn text(&self) -> &str {
        match self {
            Statement::CreateDatabase { text, .. } | Statement::InfluxQl { text, .. } => text,
        }
    }

    fn target(&self) -> &Target {
        match self {
            Statement::CreateDatabase { target, .. } | Statement::InfluxQl { target, .. } => target,
        }
    }

    /// Asks a backend to run it.
    async fn run(&self, client: &Rc<Client>) -> Result<Verdict, backend::Error> {
        match self {
            Statement::CreateDatabase { text, target } => {
                backend::statement::create_database(client, text, target).await
            }
            Statement::InfluxQl { text, target } => {
                backend::statement::influxql(client, text, &target.database).await
            }
        }
    }
}

/// Records a statement for all backends and waits until the current ones have run it.
pub async fn execute(ingest: &Ingest, statement: &Statement) -> Result<Executed, Failure> {
    let facts = &ingest.facts;
    let outlet = &ingest.outlet;
    super::admit::whole(facts)?;
    let targets: Vec<BackendId> = facts.places.iter().map(|place| place.id).collect();
    let tag: Rc<[u8]> = Rc::from(statement.target().to_tag());
    let text = statement.encode();
    failpoint::reach("statement.before_append");
    let placed = outlet.log.append_statement(&tag, &targets, &text);
    let placed = placed.map_err(|error| unavailable(&error))?;
    let (now, unix_ms) = (facts.clock.mono(), facts.clock.unix().millis());
    let (current, behind): (Vec<BackendId>, Vec<BackendId>) =
        targets.iter().partition(|backend| facts.board.is_current(**backend, now, unix_ms));
    let expected: Vec<_> = current.into_iter().map(|backend| (backend, placed.number)).collect();
    let waiter = outlet.acks.wait(&expected);
    outlet.acks.place(placed.number, placed.offset..placed.offset + text.len(), &waiter);
    let durable = outlet.log.durable(placed).await;
    failpoint::reach("statement.after_append");
    if durable.is_ok() {
        within(facts.write.ack_wait, waiter.answered()).await;
    }
    let mut missing = waiter.missing();
    missing.extend(behind);
    let refused = waiter.take_refused().into_iter().next().map(|(message, _)| message);
    outlet.acks.forget(&waiter, &[placed.number]);
    durable.map_err(|error| unavailable(&error))?;
    facts.asked.raise();
    Ok(Executed { pending: labels(outlet, &missing), refused })
}

/// Whether it makes a database: then it never waits for one.
pub(super) fn is_create(frame: &Frame, run: &Run<'_>) -> bool {
    let target = || Target::from_tag(run.tag);
    let decode = |target| Statement::decode(frame.payload(run), target);
    frame.kind == Kind::Statement
        && matches!(target().and_then(decode), Some(Statement::CreateDatabase { .. }))
}

/// The text of a statement, as a person runs it.
pub(super) fn text_of(part: &Part) -> String {
    let target = Target::from_tag(part.run().tag);
    let statement = target.and_then(|target| Statement::decode(part.payload(), target));
    statement.map_or_else(String::new, |statement| statement.text().to_owned())
}

impl Outlet {
    /// Sends one statement, the oldest that its queue owes.
    pub(super) async fn send_statement(self: Rc<Self>, feed: Rc<Feed>, part: Part) {
        let tag = part.run().tag.clone();
        let client = feed.client.clone().expect("only a feed with a client sends");
        let target = Target::from_tag(&tag);
        let statement = target.and_then(|target| Statement::decode(part.payload(), target));
        let begun = self.facts.clock.mono();
        failpoint::reach("statement.before_send");
        let verdict = match &statement {
            Some(statement) => statement.run(&client).await,
            None => Ok(Verdict::Refused { message: "it cannot be read".to_owned() }),
        };
        failpoint::reach("statement.after_send");
        self.facts.latencies.record(crate::telemetry::Stage::Backend, self.since(begun));
        match verdict {
            Ok(Verdict::Done) => {
                if is_planted(Planted::LateRepeat)
                    && let Some(statement) = statement.clone()
                {
                    crate::rt::spawn(crate::rt::Lane::Deliver, async move {
                        crate::rt::sleep(Duration::from_millis(50)).await;
                        drop(statement.run(&client).await);
                    });
                }
                self.note_made(&feed, statement.as_ref());
                self.ran(&feed, &tag).await;
            }
            Ok(Verdict::Refused { message } | Verdict::Parked { message }) => {
                self.refused_statement(&feed, &part, statement.as_ref(), &message).await;
            }
            Ok(other) => self.again(&feed, &tag, &format!("{other:?}")),
            Err(error) => self.again(&feed, &tag, &error.to_string()),
        }
        self.finished(&feed);
    }

    /// Whoever writes to a new database right after it was made must not hear that it is unknown.
    fn note_made(&self, feed: &Feed, statement: Option<&Statement>) {
        let Some(Statement::CreateDatabase { target, .. }) = statement else { return };
        let (backend, now) = (feed.queue.borrow().backend, self.facts.clock.mono());
        let name = target.bucket();
        self.facts.board.catalogue.rcu(|old| {
            crate::backend::catalogue::Catalogue::clone(old).with_made(backend, &name, now)
        });
    }

    fn since(&self, begun: Mono) -> Duration {
        self.facts.clock.mono().since(begun)
    }

    async fn ran(&self, feed: &Feed, tag: &[u8]) {
        feed.queue.borrow_mut().confirm(tag);
        feed.statement_tries.borrow_mut().clear();
        feed.retry.set(Retry { was_up: true, ..Retry::default() });
        // A statement that ran must not run again after a crash, behind newer lines.
        self.checkpoint_soon().await;
        self.settled(feed);
        self.facts.asked.raise();
    }

    fn again(&self, feed: &Feed, tag: &[u8], message: &str) {
        feed.queue.borrow_mut().put_back(tag);
        let backend = feed.queue.borrow().backend;
        self.facts.board.set_last_error(backend, Some(message.to_owned()));
        self.back_off(feed, None);
    }

    async fn refused_statement(
        &self,
        feed: &Feed,
        part: &Part,
        statement: Option<&Statement>,
        message: &str,
    ) {
        let now = self.facts.clock.mono();
        let backend = feed.queue.borrow().backend;
        self.acks.refused(part.number(), &part.run().payload, message);
        let tries = {
            let mut tries = feed.statement_tries.borrow_mut();
            tries.push(now);
            tries.retain(|at| now.since(*at) <= REFUSALS_WITHIN);
            tries.len()
        };
        let tag = part.run().tag.clone();
        if tries < REFUSALS_MAX {
            self.again(feed, &tag, message);
            return;
        }
        let text = statement.map_or("", Statement::text);
        let name = self.facts.place_of(backend).map_or("", |place| place.name.as_str());
        if let Err(error) = self.keep_statement(name, &part.frame, text, message).await {
            self.again(feed, &tag, &error.to_string());
            return;
        }
        tracing::error!(backend = name, statement = text, message, "a statement is refused");
        self.facts.meters.reject(name, "statement", 1);
        self.mark_incomplete(backend, "a statement was refused", 0);
        self.ran(feed, &tag).await;
    }
}
