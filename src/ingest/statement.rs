//! Statements: recorded in the log for all whom they concern, sent in order, each alone.
//!
//! What makes a database or policy never waits for one. What drops one never waits either: it takes away the
//! lines that wait for it, see `park`.

use super::accept::{Failure, labels, unavailable};
use super::queue::Part;
use super::{Facts, Feed, Ingest, Outlet, Retry};
use crate::backend::catalogue::Catalogue;
use crate::backend::statement::{Act, Deletion, refuses, run};
use crate::backend::{Condition, Verdict};
use crate::base::failpoint;
use crate::base::ids::BackendId;
use crate::base::planted::{Planted, is_planted};
use crate::base::time::Mono;
use crate::config::checked::Kind as BackendKind;
use crate::ring::Target;
use crate::rt::within;
use crate::wal::{Frame, Kind, Run};
use std::rc::Rc;
use std::time::Duration;

mod record;

pub use record::Statement;

/// Refused this often within a minute, while writes pass, it goes to the rejects.
const REFUSALS_MAX: usize = 3;
const REFUSALS_WITHIN: Duration = Duration::from_secs(60);

/// So often it may take too long, or meet a trouble that may never end, before it goes there, too.
const VAIN_MAX: u32 = 5;

/// Longest record, in bytes.
const BYTES_MAX: usize = 64 * 1024;

/// How a statement went.
#[derive(Clone, Debug, Default)]
pub struct Executed {
    /// Backends that will run it later.
    pub pending: Vec<String>,
    /// What a backend said against it.
    pub refused: Option<String>,
}

/// Whom a statement concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every backend.
    All,
    /// In each circle the owners of these measurements.
    Owners(Vec<Vec<u8>>),
}

/// Records a statement for all whom it concerns and waits until the current ones of them have run it.
pub async fn execute(
    ingest: &Ingest,
    statement: &Statement,
    reach: &Reach,
) -> Result<Executed, Failure> {
    let facts = &ingest.facts;
    let outlet = &ingest.outlet;
    super::admit::whole(facts)?;
    let targets = targets(facts, statement, reach);
    if let Some(refused) = obstacle(facts, &targets, statement) {
        return Ok(Executed { pending: Vec::new(), refused: Some(refused) });
    }
    let tag: Rc<[u8]> = Rc::from(statement.target.to_tag());
    let text = statement.encode();
    if text.len() > BYTES_MAX {
        let refused = format!("a statement takes at most {BYTES_MAX} bytes in the log");
        return Ok(Executed { pending: Vec::new(), refused: Some(refused) });
    }
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
        within(facts.write.get().ack_wait, waiter.answered()).await;
    }
    let mut missing = waiter.missing();
    missing.extend(behind);
    let refused = waiter.take_refused().into_iter().next().map(|(message, _)| message);
    outlet.acks.forget(&waiter, &[placed.number]);
    durable.map_err(|error| unavailable(&error))?;
    facts.asked.raise();
    Ok(Executed { pending: labels(outlet, &missing), refused })
}

/// The database is known to nobody, as far as everybody was asked lately.
pub fn is_unknown(ingest: &Ingest, target: &Target) -> bool {
    super::accept::is_unknown(ingest, target)
}

/// In the order of the configuration.
fn targets(facts: &Facts, statement: &Statement, reach: &Reach) -> Vec<BackendId> {
    let everybody = || facts.places.iter().map(|place| place.id);
    let Reach::Owners(measurements) = reach else { return everybody().collect() };
    let mut owners = Vec::new();
    for measurement in measurements {
        if takes_policies(&statement.act)
            && has_owner_for_each_policy(facts, statement, measurement)
        {
            return everybody().collect();
        }
        let slots = facts.topology.route(&statement.target, measurement);
        owners.extend(slots.iter().map(|slot| facts.backend(*slot)));
    }
    everybody().filter(|backend| owners.contains(backend)).collect()
}

fn takes_policies(act: &Act) -> bool {
    matches!(act, Act::Delete(Deletion { with_policies: true, .. }))
}

/// Points of one measurement may lie elsewhere for another policy, and nobody knows all policies.
fn has_owner_for_each_policy(facts: &Facts, statement: &Statement, measurement: &[u8]) -> bool {
    let other = Target { retention_policy: "another".into(), ..statement.target.clone() };
    let topology = &facts.topology;
    topology.route_key(&statement.target, measurement) != topology.route_key(&other, measurement)
}

/// Why one of these could never run it. Nobody is asked then: all copies are to stay alike.
fn obstacle(facts: &Facts, targets: &[BackendId], statement: &Statement) -> Option<String> {
    let places = targets.iter().filter_map(|backend| facts.place_of(*backend));
    let mut obstacles = places.filter_map(|place| {
        let why = refuses(place.kind, &statement.act)?;
        Some(format!("{}: {why}", place.label()))
    });
    obstacles.next()
}

/// Whether it stays in the backend's own queue, whatever waits for its database.
pub(super) fn never_waits(frame: &Frame, run: &Run<'_>) -> bool {
    read(frame, run).is_some_and(|statement| statement.makes() || statement.drops())
}

/// Which policies a statement drops: none, that of its tag, or all of its database.
pub(super) fn dropped(part: &Part) -> Option<Dropping> {
    match read(&part.frame, &part.run())?.act {
        Act::Drop { with_policies: true } => Some(Dropping::Database),
        Act::Drop { with_policies: false } => Some(Dropping::Policy),
        _ => None,
    }
}

/// What a statement drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropping {
    Database,
    Policy,
}

fn read(frame: &Frame, run: &Run<'_>) -> Option<Statement> {
    if frame.kind != Kind::Statement {
        return None;
    }
    Statement::decode(frame.payload(run), Target::from_tag(run.tag)?)
}

/// The text of a statement, as a person runs it.
pub(super) fn text_of(part: &Part) -> String {
    let target = Target::from_tag(part.run().tag);
    let statement = target.and_then(|target| Statement::decode(part.payload(), target));
    statement.map_or_else(String::new, |statement| statement.text)
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
            Some(Statement { text, target, act }) => run(&client, text, target, act).await,
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
                        let Statement { text, target, act } = &statement;
                        drop(run(&client, text, target, act).await);
                    });
                }
                self.note_made(&feed, statement.as_ref());
                self.ran(&feed, &tag).await;
            }
            Ok(Verdict::Refused { message } | Verdict::Parked { message }) => {
                self.refused_statement(&feed, &part, statement.as_ref(), &message).await;
            }
            Ok(Verdict::Suspect { message }) => {
                self.vain_statement(&feed, &part, statement.as_ref(), &message).await;
            }
            Ok(other) => self.again(&feed, &tag, &format!("{other:?}")),
            Err(error) if error.is_timeout() => {
                self.vain_statement(&feed, &part, statement.as_ref(), &error.to_string()).await;
            }
            Err(error) => self.again(&feed, &tag, &error.to_string()),
        }
        self.finished(&feed);
    }

    /// Whoever writes to a new database right after it was made must not hear that it is unknown, nor whoever
    /// writes to one that was just dropped that it is there.
    fn note_made(&self, feed: &Feed, statement: Option<&Statement>) {
        let Some(statement) = statement else { return };
        let (backend, now) = (feed.queue.borrow().backend, self.facts.clock.mono());
        let kind = feed.client.as_ref().map(|client| client.place.kind);
        let (is_v1, target) = (kind.is_some_and(BackendKind::is_v1), &statement.target);
        let name = if is_v1 { target.database.as_ref().into() } else { target.bucket() };
        let is_made = match statement.act {
            Act::Make(_) => true,
            // A database of 1.x outlives its policies.
            Act::Drop { with_policies } if with_policies || !is_v1 => false,
            _ => return,
        };
        self.facts.board.catalogue.rcu(|old| match is_made {
            true => Catalogue::clone(old).with_made(backend, &name, now),
            false => Catalogue::clone(old).with_gone(backend, &name, now),
        });
    }

    fn since(&self, begun: Mono) -> Duration {
        self.facts.clock.mono().since(begun)
    }

    async fn ran(&self, feed: &Feed, tag: &[u8]) {
        feed.queue.borrow_mut().confirm(tag);
        feed.statement_tries.borrow_mut().clear();
        feed.statement_vain.set(0);
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
        self.acks.refused(part.number(), &part.run().payload, message);
        let tries = {
            let mut tries = feed.statement_tries.borrow_mut();
            tries.push(now);
            tries.retain(|at| now.since(*at) <= REFUSALS_WITHIN);
            tries.len()
        };
        if tries < REFUSALS_MAX {
            self.again(feed, &part.run().tag.clone(), message);
            return;
        }
        if self.give_up_statement(feed, part, statement, message).await {
            // What all refuse is nowhere, and nobody lacks it.
            self.note_refusal(feed, part, part.payload());
            self.ran(feed, &part.run().tag.clone()).await;
        }
    }

    /// It took too long, or met a trouble that may never end.
    async fn vain_statement(
        &self,
        feed: &Feed,
        part: &Part,
        statement: Option<&Statement>,
        message: &str,
    ) {
        let backend = feed.queue.borrow().backend;
        let tries = feed.statement_vain.get() + 1;
        feed.statement_vain.set(tries);
        if tries < VAIN_MAX || self.facts.board.condition(backend) != Condition::Up {
            self.again(feed, &part.run().tag.clone(), message);
            return;
        }
        if self.give_up_statement(feed, part, statement, message).await {
            self.mark_incomplete(backend, "a statement was given up", 0);
            self.ran(feed, &part.run().tag.clone()).await;
        }
    }

    /// Keeps it in the rejects; false if that cannot be done now.
    async fn give_up_statement(
        &self,
        feed: &Feed,
        part: &Part,
        statement: Option<&Statement>,
        message: &str,
    ) -> bool {
        let backend = feed.queue.borrow().backend;
        let text = statement.map_or("", |statement| &*statement.text);
        let name = self.facts.place_of(backend).map_or("", |place| place.name.as_str());
        if let Err(error) = self.keep_statement(name, &part.frame, text, message).await {
            self.again(feed, &part.run().tag.clone(), &error.to_string());
            return false;
        }
        tracing::error!(
            backend = name,
            statement = text,
            answer = message,
            "a statement is refused"
        );
        self.facts.meters.reject(name, "statement", 1);
        true
    }
}
