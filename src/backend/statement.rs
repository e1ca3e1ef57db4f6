//! Runs a statement on one backend and says what its answer means.

use super::answer::{Verdict, judge, message};
use super::client::{Client, Error, Reply, Request};
use super::place::escape;
use crate::config::checked::Kind;
use crate::ring::Target;
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::Duration;

/// A statement may take this long.
const LIMIT: Duration = Duration::from_secs(600);

/// Makes a database, or the bucket that stands for it. One that exists already is fine.
///
/// `text` is the statement as 1.x takes it.
pub async fn create_database(
    client: &Rc<Client>,
    text: &str,
    target: &Target,
) -> Result<Verdict, Error> {
    match client.place.kind {
        Kind::Influxdb1 => query(client, &format!("q={}", escape(text))).await,
        Kind::Influxdb2 => make_bucket(client, target).await,
        // These make a database when it is written first.
        Kind::Influxdb3 | Kind::LineProtocol => Ok(Verdict::Done),
    }
}

/// Runs a statement in InfluxQL in a database; 2.x knows some of them, too.
pub async fn influxql(client: &Rc<Client>, text: &str, database: &str) -> Result<Verdict, Error> {
    match client.place.kind {
        Kind::Influxdb1 | Kind::Influxdb2 => {
            query(client, &format!("db={}&q={}", escape(database), escape(text))).await
        }
        Kind::Influxdb3 | Kind::LineProtocol => {
            Ok(Verdict::Refused { message: "it takes no statements in InfluxQL".to_owned() })
        }
    }
}

async fn query(client: &Rc<Client>, body: &str) -> Result<Verdict, Error> {
    let fields = "Content-Type: application/x-www-form-urlencoded\r\n";
    let reply = post(client, "POST", "/query", fields, body.as_bytes()).await?;
    if reply.head.status != 200 {
        return Ok(judge(reply.head.status, &reply.body, reply.head.field("retry-after")));
    }
    let value: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let error = value.as_ref().and_then(|value| value.pointer("/results/0/error")?.as_str());
    Ok(match error {
        Some(message) => Verdict::Refused { message: message.to_owned() },
        None => Verdict::Done,
    })
}

/// A bucket belongs to an organization by its id, which differs from server to server.
async fn make_bucket(client: &Rc<Client>, target: &Target) -> Result<Verdict, Error> {
    let path = format!("/api/v2/orgs?org={}", escape(&target.org));
    let reply = post(client, "GET", &path, "", b"").await?;
    let value: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let id = value.as_ref().and_then(|value| value.pointer("/orgs/0/id")?.as_str());
    let Some(id) = id.filter(|_| reply.head.status == 200) else {
        return Ok(judge(reply.head.status.max(400), &reply.body, None));
    };
    let body = json!({ "orgID": id, "name": target.bucket(), "retentionRules": [] }).to_string();
    let fields = "Content-Type: application/json\r\n";
    let reply = post(client, "POST", "/api/v2/buckets", fields, body.as_bytes()).await?;
    let exists = message(&reply.body).contains("already exists");
    Ok(match reply.head.status {
        201 => Verdict::Done,
        422 if exists => Verdict::Done,
        status => judge(status, &reply.body, reply.head.field("retry-after")),
    })
}

async fn post(
    client: &Rc<Client>,
    method: &str,
    path: &str,
    fields: &str,
    body: &[u8],
) -> Result<Reply, Error> {
    client.ask(Request { method, path, fields, body: &[body], limit: LIMIT }).await
}
