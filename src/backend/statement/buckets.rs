//! Buckets of 2.x. They, and organizations, have ids that differ from server to server: a name is looked up
//! each time.

use super::super::answer::{Verdict, message};
use super::super::client::{Client, Error, Reply};
use super::super::place::escape;
use super::{Deletion, Lengths, ask, is_found, is_missing, is_refusal, judged};
use crate::proto::moment;
use crate::ring::Target;
use serde_json::{Value, json};
use std::rc::Rc;

/// Buckets of one answer, the most that 2.x gives.
const PAGE: usize = 100;

const JSON: &str = "Content-Type: application/json\r\n";

/// An answer that ends the matter, or what was asked for.
type Found<T> = Result<T, Verdict>;

/// A name and the id that it has on this server.
struct Bucket {
    id: String,
    name: String,
}

pub(super) async fn make(
    client: &Rc<Client>,
    target: &Target,
    lengths: Lengths,
) -> Result<Verdict, Error> {
    let org = match org(client, target).await? {
        Ok(org) => org,
        Err(verdict) => return Ok(verdict),
    };
    let rules = rules(lengths);
    let body = json!({ "orgID": org, "name": target.bucket(), "retentionRules": rules });
    let body = body.to_string();
    let reply = ask(client, "POST", "/api/v2/buckets", JSON, body.as_bytes()).await?;
    let exists = is_refusal(&reply) && message(&reply.body).contains("already exists");
    Ok(if exists { Verdict::Done } else { told(&reply) })
}

pub(super) async fn alter(
    client: &Rc<Client>,
    target: &Target,
    lengths: Lengths,
) -> Result<Verdict, Error> {
    let name = target.bucket();
    let found = match named(client, target, false).await? {
        Ok(found) => found,
        Err(verdict) => return Ok(verdict),
    };
    let Some(bucket) = found.first() else {
        return Ok(Verdict::Refused { message: format!("bucket not found: {name}") });
    };
    let path = format!("/api/v2/buckets/{}", bucket.id);
    let body = json!({ "retentionRules": rules(lengths) }).to_string();
    Ok(told(&ask(client, "PATCH", &path, JSON, body.as_bytes()).await?))
}

pub(super) async fn remove(
    client: &Rc<Client>,
    target: &Target,
    with_policies: bool,
) -> Result<Verdict, Error> {
    let found = match named(client, target, with_policies).await? {
        Ok(found) => found,
        Err(verdict) => return Ok(verdict),
    };
    for bucket in found {
        let path = format!("/api/v2/buckets/{}", bucket.id);
        let reply = ask(client, "DELETE", &path, "", b"").await?;
        if !is_missing(&reply) && told(&reply) != Verdict::Done {
            return Ok(told(&reply));
        }
    }
    Ok(Verdict::Done)
}

pub(super) async fn delete(
    client: &Rc<Client>,
    target: &Target,
    deletion: &Deletion,
) -> Result<Verdict, Error> {
    let names = if deletion.with_policies {
        match named(client, target, true).await? {
            Ok(found) => found.into_iter().map(|bucket| bucket.name).collect(),
            Err(verdict) => return Ok(verdict),
        }
    } else {
        vec![target.bucket().into_owned()]
    };
    let (start, stop) = (moment::text(deletion.start_ns), moment::text(deletion.stop_ns));
    for name in names {
        let path = format!("/api/v2/delete?org={}&bucket={}", escape(&target.org), escape(&name));
        for predicate in &deletion.predicates {
            let body = json!({ "start": start, "stop": stop, "predicate": predicate }).to_string();
            let reply = ask(client, "POST", &path, JSON, body.as_bytes()).await?;
            let is_gone = is_missing(&reply) && message(&reply.body).contains("bucket");
            if !is_gone && told(&reply) != Verdict::Done {
                return Ok(told(&reply));
            }
        }
    }
    Ok(Verdict::Done)
}

/// The id of the target's organization.
async fn org(client: &Rc<Client>, target: &Target) -> Result<Found<String>, Error> {
    let path = format!("/api/v2/orgs?org={}", escape(&target.org));
    let reply = ask(client, "GET", &path, "", b"").await?;
    let value: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let id = value.as_ref().and_then(|value| value.pointer("/orgs/0/id")?.as_str());
    Ok(match id.filter(|_| is_found(&reply)) {
        Some(id) => Ok(id.to_owned()),
        None => Err(trouble(&reply)),
    })
}

/// The target's bucket, and those that are named after it; none, where there is none.
async fn named(
    client: &Rc<Client>,
    target: &Target,
    with_policies: bool,
) -> Result<Found<Vec<Bucket>>, Error> {
    let name = target.bucket();
    let lead = format!("{name}/");
    let mut found = Vec::new();
    for page in 0.. {
        let path = format!(
            "/api/v2/buckets?org={}&limit={PAGE}&offset={}",
            escape(&target.org),
            page * PAGE
        );
        let reply = ask(client, "GET", &path, "", b"").await?;
        let value: Option<Value> = serde_json::from_slice(&reply.body).ok();
        let list = value.as_ref().and_then(|value| value.get("buckets")?.as_array());
        let Some(list) = list.filter(|_| is_found(&reply)) else {
            return Ok(Err(trouble(&reply)));
        };
        for bucket in list {
            let text = |key: &str| bucket.get(key).and_then(Value::as_str);
            let (Some(id), Some(known)) = (text("id"), text("name")) else { continue };
            if known == name || with_policies && known.starts_with(&lead) {
                found.push(Bucket { id: id.to_owned(), name: known.to_owned() });
            }
        }
        if list.len() < PAGE {
            break;
        }
    }
    Ok(Ok(found))
}

fn rules(lengths: Lengths) -> Value {
    if lengths == Lengths::default() {
        return json!([]);
    }
    let mut rule = json!({ "type": "expire" });
    if let Some(kept_s) = lengths.kept_s {
        rule["everySeconds"] = json!(kept_s);
    }
    if let Some(slice_s) = lengths.slice_s.filter(|slice_s| *slice_s > 0) {
        rule["shardGroupDurationSeconds"] = json!(slice_s);
    }
    json!([rule])
}

/// What an answer to a change means: nothing is done in part here.
fn told(reply: &Reply) -> Verdict {
    match judged(reply) {
        Verdict::Partial { message } => Verdict::Refused { message },
        other => other,
    }
}

/// The same of an answer that should have been a list.
fn trouble(reply: &Reply) -> Verdict {
    match told(reply) {
        Verdict::Done => {
            let message = "the answer is no list".to_owned();
            Verdict::Later { message, after: None }
        }
        other => other,
    }
}
