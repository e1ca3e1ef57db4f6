//! `POST /api/v2/delete`: which points, checked as 2.7 checks it; then a statement like any other.

use super::answer::{self, Answer, Voice};
use super::auth::Grant;
use super::front::Settings;
use super::gateway::Gateway;
use super::statement::{context, record, unavailable};
use crate::ingest::statement::is_unknown;
use crate::proto::http::params::Params;
use crate::proto::moment;
use crate::proto::predicate::{self, Predicate};
use crate::query::plan::statements::{Delete, TIME_MAX, TIME_MIN, plan_delete};
use crate::ring::Target;
use serde_json::Value;

/// A delete that may be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub target: Target,
    /// The bucket as the client called it.
    pub name: String,
    pub start_ns: i64,
    pub stop_ns: i64,
    pub predicate: Predicate,
    pub predicate_text: String,
}

pub async fn handle(
    gateway: &Gateway,
    voice: Voice,
    grant: &Grant,
    params: &Params,
    body: &[u8],
) -> Answer {
    let wanted = match read(&gateway.settings.get(), voice, params, body) {
        Ok(wanted) => wanted,
        Err(answer) => return answer,
    };
    if !grant.may_write(&wanted.target) {
        return answer::forbidden(voice, "insufficient permissions to delete");
    }
    if is_unknown(&gateway.ingest, &wanted.target) {
        return answer::unknown_database(voice, &wanted.name);
    }
    let delete = Delete {
        target: &wanted.target,
        start_ns: wanted.start_ns,
        stop_ns: wanted.stop_ns,
        predicate: &wanted.predicate,
        predicate_text: &wanted.predicate_text,
    };
    let planned = match plan_delete(&delete, &context(gateway, None, None)) {
        Ok(planned) => planned,
        Err(why) => return answer::unprocessable(voice, &why),
    };
    match record(gateway, planned, str::to_owned).await {
        Ok(executed) => match executed.refused {
            None => answer::with_pending(answer::empty(voice), &executed.pending),
            Some(why) => answer::unprocessable(voice, &format!("failed to delete data: {why}")),
        },
        Err(failure) => unavailable(voice, &failure),
    }
}

/// The checks that need nobody else, in the order of 2.7: body, organization, bucket.
pub fn read(
    settings: &Settings,
    voice: Voice,
    params: &Params,
    body: &[u8],
) -> Result<Wanted, Answer> {
    let decoded = decode(body);
    let (start, stop, predicate_text) = decoded
        .map_err(|why| answer::invalid(voice, &format!("error decoding json body: {why}")))?;
    let predicate = predicate::parse(&predicate_text)
        .map_err(|error| answer::invalid(voice, &format!("error decoding json body: {error}")))?;
    if predicate.iter().any(|one| one.key == "_field") {
        return Err(answer::not_implemented(voice, "delete by field is not supported"));
    }
    if params.get("orgID").is_some_and(|id| id.len() != 16) {
        return Err(answer::invalid(voice, "id must have a length of 16 bytes"));
    }
    let Some(name) = params.get("bucket") else {
        let why = match params.get("bucketID") {
            Some(_) => "name the bucket: ids of buckets differ from backend to backend",
            None => "Please provide either bucketID or bucket",
        };
        return Err(answer::invalid(voice, why));
    };
    Ok(Wanted {
        target: settings.naming.v2(params.get("org"), name),
        name: name.to_owned(),
        start_ns: cut(start),
        stop_ns: cut(stop),
        predicate,
        predicate_text,
    })
}

/// Start, stop and predicate of a body, or what Go would say of it.
fn decode(body: &[u8]) -> Result<(i128, i128, String), String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| match body.is_empty() {
        true => "EOF".to_owned(),
        false if error.is_eof() => "unexpected EOF".to_owned(),
        false => format!("invalid JSON: {error}"),
    })?;
    let text = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(format!("{name} is not a string")),
    };
    let time = |name: &str| {
        moment::rfc3339(text(name)?).ok_or_else(|| {
            format!(
                "invalid RFC3339Nano for field {name}, please format your time with RFC3339Nano format, \
                 example: 2009-01-02T23:00:00Z"
            )
        })
    };
    Ok((time("start")?, time("stop")?, text("predicate")?.to_owned()))
}

fn cut(moment: i128) -> i64 {
    i64::try_from(moment.clamp(TIME_MIN.into(), TIME_MAX.into())).expect("clamped")
}
