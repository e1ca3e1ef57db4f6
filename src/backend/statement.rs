//! Runs a statement on one backend and says what its answer means.
//!
//! A backend of 1.x is asked the text. One of 2.x knows no such texts, or few: what it does instead is an
//! [`Act`]. Everything here may be asked again: what is there already, or gone already, is done.

mod buckets;

use super::answer::{Verdict, judge};
use super::client::{Client, Error, Reply, Request};
use super::place::escape;
use crate::config::checked::Kind;
use crate::ring::Target;
use serde_json::Value;
use std::rc::Rc;
use std::time::Duration;

/// A statement may take this long.
const LIMIT: Duration = Duration::from_secs(600);

/// What a statement does, as a backend of 2.x can do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Whatever the text says: 2.x is asked it, too.
    Text,
    /// Makes the bucket, unless it is there.
    Make(Lengths),
    /// Changes the bucket.
    Alter(Lengths),
    /// Removes the bucket; with its policies: also those that are named after it, `d/weekly` beside `d`.
    Drop { with_policies: bool },
    /// Removes points.
    Delete(Deletion),
}

/// How long a bucket or retention policy keeps its points, and a slice of time in it. 0 is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    pub kept_s: Option<u64>,
    pub slice_s: Option<u64>,
}

/// Which points are removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// The first and the last moment; both are removed, too.
    pub start_ns: i64,
    pub stop_ns: i64,
    /// One request for each.
    pub predicates: Vec<String>,
    /// Also from the buckets that are named after the target's.
    pub with_policies: bool,
}

/// Runs it; `text` is the statement as 1.x takes it.
pub async fn run(
    client: &Rc<Client>,
    text: &str,
    target: &Target,
    act: &Act,
) -> Result<Verdict, Error> {
    match (client.place.kind, act) {
        (Kind::Influxdb1 | Kind::Embedded, _) | (Kind::Influxdb2, Act::Text) => {
            let verdict = query(client, &target.database, text).await?;
            Ok(as_done(act, verdict))
        }
        (Kind::Influxdb2, Act::Make(lengths)) => buckets::make(client, target, *lengths).await,
        (Kind::Influxdb2, Act::Alter(lengths)) => buckets::alter(client, target, *lengths).await,
        (Kind::Influxdb2, Act::Drop { with_policies }) => {
            buckets::remove(client, target, *with_policies).await
        }
        (Kind::Influxdb2, Act::Delete(deletion)) => buckets::delete(client, target, deletion).await,
        // These make a database when it is written first.
        (Kind::Influxdb3 | Kind::LineProtocol, Act::Make(_)) => Ok(Verdict::Done),
        (kind @ (Kind::Influxdb3 | Kind::LineProtocol), _) => {
            Ok(Verdict::Refused { message: refusal(kind).to_owned() })
        }
    }
}

/// Why no backend of this kind can be asked; nothing if it can.
pub fn refuses(kind: Kind, act: &Act) -> Option<&'static str> {
    let takes = match kind {
        Kind::Influxdb1 | Kind::Influxdb2 | Kind::Embedded => true,
        Kind::Influxdb3 | Kind::LineProtocol => matches!(act, Act::Make(_)),
    };
    (!takes).then(|| refusal(kind))
}

fn refusal(kind: Kind) -> &'static str {
    match kind {
        Kind::Influxdb3 => "a backend of kind influxdb3 takes no such statement over its HTTP API",
        _ => "a backend of kind line-protocol takes lines and no statements",
    }
}

/// Where there is no database there is nothing that could be removed from it.
fn as_done(act: &Act, verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Refused { message }
            if matches!(act, Act::Delete(_) | Act::Drop { .. })
                && message.starts_with("database not found") =>
        {
            Verdict::Done
        }
        other => other,
    }
}

async fn query(client: &Rc<Client>, database: &str, text: &str) -> Result<Verdict, Error> {
    let body = format!("db={}&q={}", escape(database), escape(text));
    let fields = "Content-Type: application/x-www-form-urlencoded\r\n";
    let reply = ask(client, "POST", "/query", fields, body.as_bytes()).await?;
    if !is_found(&reply) {
        return Ok(judged(&reply));
    }
    let value: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let error = value.as_ref().and_then(|value| value.pointer("/results/0/error")?.as_str());
    Ok(match error {
        Some(message) => Verdict::Refused { message: message.to_owned() },
        None => Verdict::Done,
    })
}

fn judged(reply: &Reply) -> Verdict {
    judge(reply.head.status, &reply.body, reply.head.field("retry-after"))
}

fn is_found(reply: &Reply) -> bool {
    reply.head.status == 200
}

fn is_missing(reply: &Reply) -> bool {
    reply.head.status == 404
}

/// It cannot be done, and that is no fault of the server.
fn is_refusal(reply: &Reply) -> bool {
    reply.head.status == 422
}

async fn ask(
    client: &Rc<Client>,
    method: &str,
    path: &str,
    fields: &str,
    body: &[u8],
) -> Result<Reply, Error> {
    client.ask(Request { method, path, fields, body: &[body], limit: LIMIT }).await
}

#[cfg(test)]
mod tests;
