//! `/api/v2/buckets`, `/api/v2/orgs`, `/api/v2/dbrps`: what clients of 2.x look up, make and remove.
//!
//! Every backend has ids of its own, so that none of them means anything here. A bucket is known by its name;
//! the id that a client is told is made of that name, is the same on every gateway, and leads back to it.

mod kept;

use super::answer::{self, Answer, Voice};
use super::auth::Grant;
use super::gateway::Gateway;
use super::statement::{context, record, unavailable};
use crate::backend::statement::Lengths;
use crate::base::ids::BackendId;
use crate::config::token::{Extent, Need};
use crate::proto::http::params::Params;
use crate::query::plan::statements::{Planned, bucket};
use crate::ring::{Naming, Target};
use serde_json::{Value, json};

/// Buckets of one answer, as 2.x counts.
const PAGE: usize = 20;
const PAGE_MAX: usize = 100;

const NOT_YOURS: &str = "insufficient permissions for this bucket";

/// What is wanted of which bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    List,
    Make,
    Get { id: String },
    Alter { id: String },
    Remove { id: String },
}

/// The id in the path, if it names one bucket.
pub fn id_of(path: &str) -> Option<String> {
    let id = path.strip_prefix("/api/v2/buckets/")?;
    (!id.is_empty() && !id.contains('/')).then(|| id.to_owned())
}

pub async fn handle(
    gateway: &Gateway,
    voice: Voice,
    grant: &Grant,
    job: &Job,
    params: &Params,
    body: &[u8],
) -> Answer {
    let settings = gateway.settings.get();
    let naming = &settings.naming;
    let mut known = known(gateway);
    if !matches!(job, Job::Make) {
        // What somebody may not see is not there; to make one, a name that is taken is taken.
        known.retain(|name| grant.may_see(name));
    }
    let find = |id: &str| known.iter().find(|name| bucket_id(name) == id).cloned();
    match job {
        Job::List => list(gateway, params, &known).await,
        Job::Make => make(gateway, voice, grant, body, &known).await,
        Job::Get { id } | Job::Alter { id } | Job::Remove { id } => {
            let Some(name) = find(id) else { return answer::no_such(voice, "bucket not found") };
            let target = naming.v2(None, &name);
            if !matches!(job, Job::Get { .. }) && !may_change(grant, &target) {
                return answer::forbidden(voice, NOT_YOURS);
            }
            match job {
                Job::Alter { .. } => alter(gateway, voice, body, &name, target).await,
                Job::Remove { .. } => {
                    let has_v1 = context(gateway, None, None).has_v1;
                    let done = answer::empty(voice);
                    run(gateway, voice, bucket::remove(target, has_v1), done).await
                }
                _ => {
                    let mut shown = shown(naming, &name);
                    shown["retentionRules"] = kept::rules(gateway, &[&name]).await.remove(0);
                    answer::found(JSON, answer::tabbed(&shown))
                }
            }
        }
    }
}

pub(super) const JSON: &str = "application/json; charset=utf-8";

/// The names that any backend was seen to have, in order.
pub(super) fn known(gateway: &Gateway) -> Vec<String> {
    let facts = &gateway.ingest.facts;
    let backends: Vec<BackendId> = facts.places.iter().map(|place| place.id).collect();
    facts.board.catalogue.load().names(&backends).into_iter().collect()
}

async fn list(gateway: &Gateway, params: &Params, known: &[String]) -> Answer {
    let page = page(params, known);
    let rules = kept::rules(gateway, &page).await;
    listed(&gateway.settings.get().naming, params, &page, rules)
}

fn limits(params: &Params) -> (usize, usize) {
    let number = |name: &str| params.get(name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").unwrap_or(PAGE).clamp(1, PAGE_MAX);
    (limit, number("offset").unwrap_or(0))
}

/// The buckets of one answer.
pub(super) fn page<'a>(params: &Params, known: &'a [String]) -> Vec<&'a str> {
    let (limit, offset) = limits(params);
    let wanted = |name: &&String| {
        params.get("name").is_none_or(|wanted| wanted == *name)
            && params.get("id").is_none_or(|id| id == bucket_id(name))
    };
    let page = known.iter().filter(wanted).skip(offset).take(limit);
    page.map(String::as_str).collect()
}

pub(super) fn listed(naming: &Naming, params: &Params, page: &[&str], rules: Vec<Value>) -> Answer {
    let bucket = |(name, rules): (&&str, Value)| {
        let mut shown = shown(naming, name);
        shown["retentionRules"] = rules;
        shown
    };
    let buckets: Vec<Value> = page.iter().zip(rules).map(bucket).collect();
    let (limit, offset) = limits(params);
    let link = format!("/api/v2/buckets?descending=false&limit={limit}&offset={offset}");
    let value = json!({ "links": { "self": link }, "buckets": buckets });
    answer::found(JSON, answer::tabbed(&value))
}

/// The bucket that is to be made.
pub(super) fn wanted(
    naming: &Naming,
    voice: Voice,
    body: &[u8],
    known: &[String],
) -> Result<(Target, Lengths), Answer> {
    let value = decoded(voice, body)?;
    let name = value["name"].as_str().unwrap_or_default();
    if let Some(why) = bad_name(name) {
        return Err(answer::invalid(voice, &why));
    }
    let org = value["orgID"].as_str().and_then(|id| org_of(naming, id));
    let target = naming.v2(org.as_deref(), name);
    if known.iter().any(|known| *known == target.bucket()) {
        let why = format!("bucket with name {name} already exists");
        return Err(answer::conflict(voice, &why));
    }
    let lengths = lengths(&value).map_err(|why| answer::invalid(voice, &why))?;
    Ok((target, lengths))
}

/// How long a bucket is to keep its points from now on.
pub(super) fn change(voice: Voice, body: &[u8], name: &str) -> Result<Lengths, Answer> {
    let value = decoded(voice, body)?;
    if value["name"].as_str().is_some_and(|other| other != name) {
        let why = "a bucket cannot be renamed: its name decides where its points lie";
        return Err(answer::unprocessable(voice, why));
    }
    lengths(&value).map_err(|why| answer::invalid(voice, &why))
}

fn decoded(voice: Voice, body: &[u8]) -> Result<Value, Answer> {
    serde_json::from_slice(body)
        .map_err(|error| answer::invalid(voice, &format!("error decoding json body: {error}")))
}

/// A bucket with all that is in it: of 1.x a database with all its policies.
fn may_change(grant: &Grant, target: &Target) -> bool {
    let extent = match target.retention_policy.is_empty() {
        true => Extent::whole(&target.database),
        false => Extent::from(target),
    };
    grant.allows(&Need::Admin) || grant.allows(&Need::Write(extent))
}

async fn make(
    gateway: &Gateway,
    voice: Voice,
    grant: &Grant,
    body: &[u8],
    known: &[String],
) -> Answer {
    let settings = gateway.settings.get();
    let naming = &settings.naming;
    let (target, lengths) = match wanted(naming, voice, body, known) {
        Ok(wanted) => wanted,
        Err(answer) => return answer,
    };
    if !may_change(grant, &target) {
        return answer::forbidden(voice, NOT_YOURS);
    }
    let mut shown = shown(naming, &target.bucket());
    shown["retentionRules"] = rules(lengths);
    let done = answer::made(JSON, answer::tabbed(&shown));
    run(gateway, voice, bucket::make(target, lengths), done).await
}

async fn alter(gateway: &Gateway, voice: Voice, body: &[u8], name: &str, target: Target) -> Answer {
    let lengths = match change(voice, body, name) {
        Ok(lengths) => lengths,
        Err(answer) => return answer,
    };
    let mut shown = shown(&gateway.settings.get().naming, name);
    if lengths == Lengths::default() {
        return answer::found(JSON, answer::tabbed(&shown));
    }
    shown["retentionRules"] = rules(lengths);
    let done = answer::found(JSON, answer::tabbed(&shown));
    run(gateway, voice, bucket::alter(target, lengths), done).await
}

async fn run(gateway: &Gateway, voice: Voice, planned: Planned, done: Answer) -> Answer {
    match record(gateway, planned, str::to_owned).await {
        Ok(executed) => match executed.refused {
            None => answer::with_pending(done, &executed.pending),
            Some(why) => answer::unprocessable(voice, &why),
        },
        Err(failure) => unavailable(voice, &failure),
    }
}

fn bad_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("bucket name is empty".to_owned());
    }
    if name.starts_with('_') {
        return Some(format!(
            "bucket name {name} is invalid. Buckets may not start with underscore"
        ));
    }
    let is_bad = name.len() > 255
        || name.contains(|letter: char| letter.is_control() || matches!(letter, '"' | '\\'));
    is_bad.then(|| format!("bucket name {name:?} is invalid"))
}

/// How long its points are kept; nothing is as it is, or as the backends do it.
fn lengths(value: &Value) -> Result<Lengths, String> {
    let rules = match &value["retentionRules"] {
        Value::Null => return Ok(Lengths::default()),
        Value::Array(rules) => rules,
        _ => return Err("retentionRules is not a list".to_owned()),
    };
    let Some(rule) = rules.first() else { return Ok(Lengths::default()) };
    let seconds = |name: &str| match &rule[name] {
        Value::Null => Ok(None),
        number => {
            number.as_u64().map(Some).ok_or_else(|| format!("{name} is not a number of seconds"))
        }
    };
    Ok(Lengths {
        kept_s: Some(seconds("everySeconds")?.unwrap_or(0)),
        slice_s: seconds("shardGroupDurationSeconds")?,
    })
}

pub(super) fn rules(lengths: Lengths) -> Value {
    let Some(kept_s) = lengths.kept_s else { return json!([]) };
    let mut rule = json!({ "type": "expire", "everySeconds": kept_s });
    if let Some(slice_s) = lengths.slice_s {
        rule["shardGroupDurationSeconds"] = json!(slice_s);
    }
    json!([rule])
}

/// A bucket as a client is told of it, but for how long it keeps its points: only the backends know.
pub(super) fn shown(naming: &Naming, name: &str) -> Value {
    let (id, org) = (bucket_id(name), org_id(naming.default_org()));
    let kind = if name.starts_with('_') { "system" } else { "user" };
    let of = |what: &str| format!("/api/v2/buckets/{id}{what}");
    json!({
        "id": id,
        "orgID": org,
        "type": kind,
        "name": name,
        "retentionRules": [],
        "links": {
            "labels": of("/labels"),
            "members": of("/members"),
            "org": format!("/api/v2/orgs/{org}"),
            "owners": of("/owners"),
            "self": of(""),
            "write": format!("/api/v2/write?org={org}&bucket={id}"),
        },
        "labels": [],
    })
}

/// `GET /api/v2/orgs`: the default one and those of `[[dbrp]]`.
pub fn orgs(naming: &Naming, voice: Voice, params: &Params) -> Answer {
    let all = orgs_of(naming);
    let wanted = |name: &&String| {
        params.get("org").is_none_or(|wanted| wanted == *name)
            && params.get("orgID").is_none_or(|id| id == org_id(name))
    };
    let found: Vec<&String> = all.iter().filter(wanted).collect();
    if let (Some(org), true) = (params.get("org"), found.is_empty()) {
        return answer::no_such(voice, &format!("organization name {org:?} not found"));
    }
    let shown = |name: &&String| {
        let id = org_id(name);
        json!({
            "links": {
                "buckets": format!("/api/v2/buckets?org={name}"),
                "self": format!("/api/v2/orgs/{id}"),
            },
            "id": id,
            "name": name,
            "description": "",
        })
    };
    let orgs: Vec<Value> = found.iter().map(shown).collect();
    let value = json!({ "links": { "self": "/api/v2/orgs" }, "orgs": orgs });
    answer::found(JSON, answer::tabbed(&value))
}

/// `GET /api/v2/dbrps`: the rows of `[[dbrp]]`.
pub fn mappings(naming: &Naming) -> Answer {
    mappings_for(naming, &Grant::Open)
}

/// Those that may be seen.
pub fn mappings_for(naming: &Naming, grant: &Grant) -> Answer {
    let row = |(database, policy, target): (&str, &str, Target)| {
        let name = target.bucket();
        let policy = if policy.is_empty() { "autogen" } else { policy };
        json!({
            "id": stable_id("dbrp", &format!("{database}/{policy}")),
            "orgID": org_id(&target.org),
            "bucketID": bucket_id(&name),
            "database": database,
            "retention_policy": policy,
            "default": policy == "autogen",
        })
    };
    let mut rows = naming.rows();
    rows.retain(|(_, _, target)| grant.may_see(&target.bucket()));
    let rows: Vec<Value> = rows.into_iter().map(row).collect();
    answer::found(JSON, answer::tabbed(&json!({ "content": rows })))
}

fn orgs_of(naming: &Naming) -> Vec<String> {
    let mut all: Vec<String> = vec![naming.default_org().to_owned()];
    for (_, _, target) in naming.rows() {
        if !all.iter().any(|known| **known == *target.org) {
            all.push(target.org.into());
        }
    }
    all
}

fn org_of(naming: &Naming, id: &str) -> Option<String> {
    orgs_of(naming).into_iter().find(|name| org_id(name) == id)
}

pub(super) fn bucket_id(name: &str) -> String {
    stable_id("bucket", name)
}

fn org_id(name: &str) -> String {
    stable_id("org", name)
}

/// 16 hexadecimal digits that never change: FNV-1a over both texts.
fn stable_id(kind: &str, name: &str) -> String {
    let bytes = kind.bytes().chain([0]).chain(name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:016x}", hash.max(1))
}
