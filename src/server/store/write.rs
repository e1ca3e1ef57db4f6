//! `/write` and `/api/v2/write` of a store.

use super::super::answer::{self, Answer, Dialect, Voice};
use super::super::machine::Request;
use super::super::write::{Plan, STORE_PREFIX};
use super::Node;
use crate::ingest::accept::BadLines;
use crate::store::store::{Store, WriteError, WriteRequest};
use std::sync::Arc;

pub(super) async fn handle(
    node: &Node,
    store: &Arc<Store>,
    plan: &Plan,
    mut request: Request,
) -> Answer {
    let body = request.body.lend();
    let (database, policy) = place(plan);
    let (database, policy) = (database.to_owned(), policy.map(str::to_owned));
    let (precision, now_ns) = (plan.precision, node.clock.unix().0);
    let all_or_nothing = plan.bad_lines == BadLines::RefuseAll;
    let written = node.on_thread(store, move |store| {
        let outcome = store.write(WriteRequest {
            database: &database,
            policy: policy.as_deref(),
            precision,
            // The engine has the type, as 2.x does, whoever writes it.
            unsigned: true,
            all_or_nothing,
            body: &body,
            now_ns,
        });
        (outcome, body)
    });
    let Some((outcome, body)) = written.await else { return super::broken(plan.voice) };
    request.body.take_back(body);
    match outcome {
        Ok(()) => answer::written(plan.voice, &[]),
        Err(error) => refuse(plan, &error),
    }
}

/// Database and policy as the client means them. Not by `Naming`, for which the policy `autogen` is the default
/// one: here it is a policy like any other.
fn place(plan: &Plan) -> (&str, Option<&str>) {
    match plan.voice.dialect {
        Dialect::V1 => (&plan.name, plan.policy.as_deref()),
        Dialect::V2 => bucket(&plan.name),
    }
}

/// The bucket `d/p` is the policy `p` of the database `d`.
pub(super) fn bucket(name: &str) -> (&str, Option<&str>) {
    match name.split_once('/') {
        Some((database, policy)) if !policy.is_empty() => (database, Some(policy)),
        Some((database, _)) => (database, None),
        None => (name, None),
    }
}

fn refuse(plan: &Plan, error: &WriteError) -> Answer {
    let voice = plan.voice;
    let text = error.to_string();
    match error {
        WriteError::DatabaseNotFound(_) => answer::unknown_database(voice, &plan.name),
        WriteError::PolicyNotFound(_) => answer::unknown_policy(voice, &text, &plan.name),
        WriteError::Unparsable(_) => answer::invalid(voice, &text),
        WriteError::Partial { .. } | WriteError::FieldTypeConflict => refuse_lines(voice, &text),
        WriteError::CacheFull { .. }
        | WriteError::DiskFull
        | WriteError::Disk(_)
        | WriteError::Stopped => answer::unavailable(voice, &text, answer::RETRY_AFTER_S),
    }
}

fn refuse_lines(voice: Voice, text: &str) -> Answer {
    match voice.dialect {
        Dialect::V1 => answer::invalid(voice, text),
        Dialect::V2 => answer::unprocessable(voice, &format!("{STORE_PREFIX}{text}")),
    }
}
