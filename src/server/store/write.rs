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

#[cfg(test)]
mod tests {
    use super::super::super::write::{plan_v1, plan_v2};
    use super::*;
    use crate::proto::http::params::Params;
    use crate::server::tests::settings;

    const PHRASES: [&str; 2] = ["partial write", "unable to parse"];

    fn plans() -> [Plan; 2] {
        let (settings, params) = (settings(), Params::parse(b"db=d&rp=p&bucket=d/p&org=o"));
        let voice = |path| Voice::of(path, None);
        [
            plan_v1(&settings, voice("/write"), &params).unwrap(),
            plan_v2(&settings, voice("/api/v2/write"), &params).unwrap(),
        ]
    }

    fn said(plan: &Plan, error: &WriteError) -> (u16, String) {
        let answer = refuse(plan, error);
        (answer.status, String::from_utf8(answer.body).unwrap())
    }

    #[test]
    fn a_bucket_with_a_policy_is_that_policy_and_autogen_is_one_like_any_other() {
        for plan in &plans() {
            assert_eq!(place(plan), ("d", Some("p")));
        }
        let autogen = Params::parse(b"db=d&rp=autogen");
        let plan = plan_v1(&settings(), Voice::default(), &autogen).unwrap();
        assert_eq!(place(&plan), ("d", Some("autogen")));
        assert_eq!(
            (bucket("d"), bucket("d/"), bucket("a/b/c")),
            (("d", None), ("d", None), ("a", Some("b/c")))
        );
    }

    #[test]
    fn what_the_engine_says_is_told_in_the_dialect_of_the_client() {
        let [v1, v2] = plans();
        let partial = WriteError::Partial { reason: "x".to_owned(), dropped: 2 };
        assert_eq!(
            said(&v1, &partial),
            (400, "{\"error\":\"partial write: x dropped=2\"}\n".to_owned())
        );
        let (status, text) = said(&v2, &partial);
        assert!(
            status == 422 && text.contains("failure writing points to database: partial write")
        );
        assert_eq!(said(&v1, &WriteError::PolicyNotFound("p".to_owned())).0, 500);
        assert_eq!(said(&v2, &WriteError::PolicyNotFound("p".to_owned())).0, 404);
        for plan in [&v1, &v2] {
            assert_eq!(said(plan, &WriteError::DatabaseNotFound("d".to_owned())).0, 404);
            assert_eq!(said(plan, &WriteError::Unparsable("u".to_owned())).0, 400);
        }
    }

    #[test]
    fn what_may_pass_is_503_and_holds_no_phrase_at_which_a_batch_is_dropped() {
        let full = WriteError::CacheFull { bytes: 2, bytes_max: 1 };
        let disk = WriteError::Disk("partial write of 3 bytes".to_owned());
        for error in [full, disk, WriteError::DiskFull, WriteError::Stopped] {
            assert!(error.is_transient());
            for plan in &plans() {
                let (status, text) = said(plan, &error);
                assert_eq!(status, 503);
                assert!(PHRASES.iter().all(|phrase| !text.contains(phrase)), "{text}");
            }
        }
    }
}
