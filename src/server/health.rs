//! `/health` (can anybody be asked?) and `/ready` (are writes taken?), of gateways and stores.
//!
//! A backend that is down changes neither: its lines wait in the log, and a balancer that took this gateway
//! away would take the queue away with it.

use std::time::Duration;

use super::answer::{self, Answer};
use crate::base::time::UnixNanos;
use crate::proto::http::json::push_string;
use serde_json::json;

/// What is true of this gateway now.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Why writes are not taken, if they are not.
    pub not_ready: Option<String>,
    pub log: LogFact,
    pub circles: Vec<CircleFact>,
    /// Backends that miss something, with the reason.
    pub incomplete: Vec<(String, String)>,
    pub backends: Vec<BackendFact>,
    /// A power cut may take the last moments of acknowledged lines.
    pub ack_is_interval: bool,
    pub started: UnixNanos,
    pub up: Duration,
}

#[derive(Clone, Debug)]
pub struct CircleFact {
    pub name: String,
    /// Every measurement has an owner here that can be asked.
    pub can_answer: bool,
    pub message: String,
}

/// The logs of the node, and the disk under them.
#[derive(Clone, Debug, Default)]
pub struct LogFact {
    pub bytes: u64,
    pub bytes_max: Option<u64>,
    pub free_bytes: u64,
    pub min_free_bytes: u64,
    /// 0 while it is given up.
    pub ballast_bytes: u64,
    /// Nothing is kept for later any more.
    pub is_tight: bool,
    /// Why no write is taken.
    pub full: Option<&'static str>,
}

/// How one backend fares.
#[derive(Clone, Debug)]
pub struct BackendFact {
    pub circle: String,
    pub name: String,
    pub state: &'static str,
    /// How long it has been in that state; `None` before it was asked.
    pub state_age: Option<Duration>,
    /// Of the keys of its circle, 0 to 1.
    pub share: f64,
    pub is_complete: bool,
    /// Why it may lack points that other circles have.
    pub incomplete: Option<String>,
    pub backlog_bytes: u64,
    pub backlog_age: Option<Duration>,
    pub backlog_bytes_max: Option<u64>,
    /// The limit for which writes for it are refused.
    pub full: Option<&'static str>,
    /// Given up since the start.
    pub dropped_points: u64,
    /// Databases whose lines wait, and the backend's own words.
    pub parked: Vec<(String, String)>,
    pub last_error: Option<String>,
}

const JSON: &str = "application/json; charset=utf-8";

pub fn health(facts: &Facts) -> Answer {
    let passes = facts.circles.is_empty() || facts.circles.iter().any(|circle| circle.can_answer);
    tell(facts, (!passes).then_some("no circle can answer queries"))
}

/// The same of an embedded store. What is damaged is told; the rest is served.
pub fn health_of_store(facts: &Facts) -> Answer {
    tell(facts, facts.not_ready.as_deref())
}

fn tell(facts: &Facts, failure: Option<&str>) -> Answer {
    let (status, message) = match failure {
        None => ("pass", "ready for queries and writes"),
        Some(why) => ("fail", why),
    };
    let mut body = b"{\"name\":\"circlet\", \"message\":".to_vec();
    push_string(&mut body, message.as_bytes());
    body.extend_from_slice(b", \"status\":");
    push_string(&mut body, status.as_bytes());
    body.extend_from_slice(b", \"checks\":[");
    for (number, check) in checks(facts).iter().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        push_check(&mut body, check);
    }
    let version = env!("CARGO_PKG_VERSION");
    body.extend_from_slice(format!("], \"version\": \"{version}\"}}\n").as_bytes());
    match failure {
        None => answer::found(JSON, body),
        Some(_) => answer::not_serving(JSON, body),
    }
}

struct Check {
    name: String,
    passes: bool,
    message: String,
}

fn checks(facts: &Facts) -> Vec<Check> {
    let circles = facts.circles.iter().map(|circle| Check {
        name: circle.name.clone(),
        passes: circle.can_answer,
        message: circle.message.clone(),
    });
    let incomplete = facts.incomplete.iter().map(|(backend, reason)| Check {
        name: backend.clone(),
        passes: false,
        message: format!("incomplete: {reason}"),
    });
    let interval = facts.ack_is_interval.then(|| Check {
        name: "ack".to_owned(),
        passes: true,
        message: "interval: a power cut may take the last acknowledged lines".to_owned(),
    });
    circles.chain(incomplete).chain(interval).collect()
}

fn push_check(out: &mut Vec<u8>, check: &Check) {
    out.extend_from_slice(b"{\"name\":");
    push_string(out, check.name.as_bytes());
    let status: &[u8] = if check.passes { b"pass" } else { b"fail" };
    out.extend_from_slice(b",\"status\":");
    push_string(out, status);
    out.extend_from_slice(b",\"message\":");
    push_string(out, check.message.as_bytes());
    out.push(b'}');
}

/// Everything about the backends, for `circlet status` and for people.
pub fn status(facts: &Facts) -> Answer {
    let backends = facts.backends.iter().map(|backend| {
        let parked = backend.parked.iter();
        let parked = parked.map(|(database, why)| json!({ "database": database, "reason": why }));
        json!({
            "circle": backend.circle,
            "name": backend.name,
            "state": backend.state,
            "state_seconds": backend.state_age.map(|age| age.as_secs_f64()),
            "share": backend.share,
            "complete": backend.is_complete,
            "incomplete": backend.incomplete,
            "backlog_bytes": backend.backlog_bytes,
            "backlog_age_seconds": backend.backlog_age.map(|age| age.as_secs_f64()),
            "max_backlog_bytes": backend.backlog_bytes_max,
            "backlog_full": backend.full,
            "dropped_points": backend.dropped_points,
            "parked": parked.collect::<Vec<_>>(),
            "last_error": backend.last_error,
        })
    });
    let circles = facts.circles.iter().map(|circle| {
        json!({ "name": circle.name, "can_answer": circle.can_answer, "message": circle.message })
    });
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "up_seconds": facts.up.as_secs_f64(),
        "ready": facts.not_ready.is_none(),
        "not_ready": facts.not_ready,
        "log": log(&facts.log),
        "circles": circles.collect::<Vec<_>>(),
        "backends": backends.collect::<Vec<_>>(),
    });
    answer::found(JSON, format!("{status}\n"))
}

fn log(log: &LogFact) -> serde_json::Value {
    json!({
        "bytes": log.bytes,
        "max_bytes": log.bytes_max,
        "disk_free_bytes": log.free_bytes,
        "min_free_bytes": log.min_free_bytes,
        "ballast_bytes": log.ballast_bytes,
        "tight": log.is_tight,
        "full": log.full,
    })
}

pub fn ready(facts: &Facts) -> Answer {
    let mut body = b"{\n    \"status\": ".to_vec();
    match &facts.not_ready {
        None => {
            let started = facts.started.rfc3339();
            let up = facts.up.as_secs_f64();
            let text =
                format!("\"ready\",\n    \"started\": \"{started}\",\n    \"up\": \"{up}s\"\n}}\n");
            body.extend_from_slice(text.as_bytes());
            answer::found(JSON, body)
        }
        Some(why) => {
            body.extend_from_slice(b"\"not ready\",\n    \"message\": ");
            push_string(&mut body, why.as_bytes());
            body.extend_from_slice(b"\n}\n");
            answer::not_serving(JSON, body)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(name: &str, can_answer: bool) -> CircleFact {
        CircleFact { name: name.to_owned(), can_answer, message: "<ok>".to_owned() }
    }

    fn json(answer: &Answer) -> serde_json::Value {
        serde_json::from_slice(&answer.body).unwrap()
    }

    #[test]
    fn health_fails_only_if_no_circle_can_answer() {
        let mut facts =
            Facts { circles: vec![circle("a", false), circle("b", true)], ..Facts::default() };
        facts.incomplete.push(("influxdb-1-1".to_owned(), "damage".to_owned()));
        facts.ack_is_interval = true;
        let good = health(&facts);
        assert_eq!((good.status, json(&good)["status"].as_str()), (200, Some("pass")));
        assert_eq!(json(&good)["checks"].as_array().unwrap().len(), 4);
        assert_eq!(json(&good)["checks"][0]["message"], "<ok>");
        facts.circles.pop();
        let bad = health(&facts);
        assert_eq!((bad.status, json(&bad)["status"].as_str()), (503, Some("fail")));
    }

    #[test]
    fn ready_says_why_not() {
        let started = UnixNanos(1_700_000_000_000_000_001);
        let good = ready(&Facts { started, ..Facts::default() });
        assert_eq!(
            (good.status, &json(&good)["started"]),
            (200, &"2023-11-14T22:13:20.000000001Z".into())
        );
        let bad = ready(&Facts { not_ready: Some("disk full".to_owned()), ..Facts::default() });
        assert_eq!((bad.status, &json(&bad)["message"]), (503, &"disk full".into()));
    }
}
