//! Statements that change something: recorded in the log, answered when the current backends ran them.

pub(super) mod between;

use super::answer::{self, Answer, Voice};
use super::gateway::Gateway;
use crate::backend::Cancel;
use crate::config::checked::Kind;
use crate::ingest::accept::Failure;
use crate::ingest::statement::{Executed, Reach, Statement as Record, execute, is_unknown};
use crate::proto::influxql::{Statement, identifier};
use crate::query::InfluxQl;
use crate::query::plan::statements::{self, Context, Planned};
use serde_json::json;

/// How the answer is to look, and what the request says beside the text.
pub struct Asked {
    database: Option<String>,
    policy: Option<String>,
    is_read_only: bool,
    is_pretty: bool,
    /// How times are written.
    epoch: Option<(String, String)>,
    asker: Cancel,
}

/// What one statement came to.
enum Outcome {
    Ran,
    Failed(String),
    /// The result of a question, but for its number.
    Told(String),
}

impl Asked {
    pub fn of(asked: &InfluxQl) -> Asked {
        let find = |wanted: &str| asked.params.iter().find(|(name, _)| name == wanted);
        Asked {
            database: asked.target_db.clone(),
            policy: asked.rp.clone(),
            is_read_only: asked.read_only,
            is_pretty: find("pretty").is_some_and(|(_, value)| value == "true"),
            epoch: find("epoch").cloned(),
            asker: asked.asker.clone(),
        }
    }

    /// One question of the text, asked alone.
    pub(super) fn question(&self, statement: &Statement) -> InfluxQl {
        InfluxQl {
            text: statement.to_string(),
            target_db: self.database.clone(),
            rp: self.policy.clone(),
            params: self.epoch.iter().cloned().collect(),
            accept: Some("application/json".to_owned()),
            accept_encoding: None,
            read_only: self.is_read_only,
            asker: self.asker.clone(),
        }
    }
}

/// Runs them one after the other. After one that failed the others are not run, as InfluxDB does.
pub async fn handle(
    gateway: &Gateway,
    voice: Voice,
    statements: &[Statement],
    asked: &Asked,
) -> Answer {
    if voice.csv && statements.iter().any(asks) {
        return answer::not_yet(voice, "CSV for questions in one text with other statements");
    }
    let mut results: Vec<String> = Vec::new();
    let mut pending: Vec<String> = Vec::new();
    let mut has_failed = false;
    for (number, statement) in statements.iter().enumerate() {
        let outcome = match has_failed {
            true => Outcome::Failed("not executed".to_owned()),
            false if asks(statement) => between::ask(gateway, asked.question(statement)).await,
            false => match run(gateway, statement, asked).await {
                Ok(executed) => {
                    pending.extend(executed.pending);
                    executed.refused.map_or(Outcome::Ran, Outcome::Failed)
                }
                Err(failure) => return unavailable(voice, &failure),
            },
        };
        has_failed |= matches!(outcome, Outcome::Failed(_));
        let mut result = json!({ "statement_id": number });
        match outcome {
            Outcome::Failed(error) => result["error"] = json!(error),
            Outcome::Told(rest) => {
                results.push(format!("{{\"statement_id\":{number}{rest}"));
                continue;
            }
            Outcome::Ran if asked.is_read_only && !matches!(statement, Statement::Delete(_)) => {
                result["messages"] = json!([{ "level": "warning", "text": deprecated(statement) }]);
            }
            Outcome::Ran => {}
        }
        results.push(result.to_string());
    }
    pending.sort_unstable();
    pending.dedup();
    answer::with_pending(told(voice, &results, asked.is_pretty), &pending)
}

/// It changes nothing.
fn asks(statement: &Statement) -> bool {
    matches!(statement, Statement::Select(_) | Statement::Explain { .. } | Statement::Show(_))
}

/// In CSV a statement without rows says nothing.
fn told(voice: Voice, results: &[String], is_pretty: bool) -> Answer {
    if voice.csv {
        return answer::found("text/csv", Vec::new());
    }
    let mut body = format!("{{\"results\":[{}]}}", results.join(","));
    if is_pretty {
        body = answer::indented(&body, "    ");
    }
    body.push('\n');
    answer::found("application/json", body)
}

async fn run(gateway: &Gateway, statement: &Statement, asked: &Asked) -> Result<Executed, Failure> {
    let said = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let (database, policy) = (said(&asked.database), said(&asked.policy));
    let context = context(gateway, database.as_deref(), policy.as_deref());
    match statements::plan(statement, &context) {
        Ok(planned) => record(gateway, planned, |name| format!("database not found: {name}")).await,
        Err(why) => Ok(Executed { pending: Vec::new(), refused: Some(why) }),
    }
}

/// What a plan has to know of this gateway.
pub(super) fn context<'a>(
    gateway: &'a Gateway,
    database: Option<&'a str>,
    policy: Option<&'a str>,
) -> Context<'a> {
    let has =
        |is_it: fn(Kind) -> bool| gateway.ingest.facts.places.iter().any(|place| is_it(place.kind));
    Context {
        database,
        policy,
        naming: &gateway.query.naming,
        now: gateway.clock.unix(),
        has_v1: has(Kind::is_v1),
        has_v2: has(|kind| kind == Kind::Influxdb2),
    }
}

/// Records what was planned; `unknown` words that its database is not there.
pub(super) async fn record(
    gateway: &Gateway,
    planned: Planned,
    unknown: impl FnOnce(&str) -> String,
) -> Result<Executed, Failure> {
    let Planned { text, target, act, measurements, needs } = planned;
    if let Some(name) = needs.filter(|_| is_unknown(&gateway.ingest, &target)) {
        return Ok(Executed { pending: Vec::new(), refused: Some(unknown(&name)) });
    }
    let reach = measurements.map_or(Reach::All, Reach::Owners);
    execute(&gateway.ingest, &Record { text, target, act }, &reach).await
}

/// InfluxDB warns with its own spelling of the statement, and of one of them it writes lengths another way.
fn deprecated(statement: &Statement) -> String {
    let mut text = statement.to_string();
    if let Statement::CreateDatabase { name, policy: Some(policy) } = statement {
        let bare = Statement::CreateDatabase { name: name.clone(), policy: None };
        text = format!("{bare} WITH");
        let mut add = |word: &str, value: Option<String>| {
            if let Some(value) = value {
                text.push_str(&format!(" {word} {value}"));
            }
        };
        add("DURATION", policy.duration_ns.map(clock));
        add("REPLICATION", policy.replication.map(|count| count.to_string()));
        add("SHARD DURATION", policy.shard_duration_ns.map(clock));
        add("NAME", policy.name.as_deref().map(identifier));
    }
    format!("deprecated use of '{text}' in a read only context, please use a POST request instead")
}

/// A length of time as Go writes it, in whole seconds: `72h0m0s`.
fn clock(ns: i64) -> String {
    let seconds = ns / 1_000_000_000;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

pub(super) fn unavailable(voice: Voice, failure: &Failure) -> Answer {
    match failure {
        Failure::Unavailable { why, retry_after_s } => {
            answer::unavailable(voice, why, *retry_after_s)
        }
        _ => answer::unavailable(voice, "the statement was not recorded", 1),
    }
}
