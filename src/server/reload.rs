//! `POST /-/reload`: the configuration is read again.

use super::answer::{self, Answer, Voice};
use super::gateway::Gateway;
use crate::config::reload::{Failure, Outcome, Report};
use serde_json::json;

pub async fn handle(gateway: &Gateway, voice: Voice) -> Answer {
    tell(voice, (gateway.reload)().await)
}

/// What was refused tells its places line by line, as `circlet check-config` does.
fn tell(voice: Voice, outcome: Outcome) -> Answer {
    match outcome {
        Ok(report) => answer::found("application/json; charset=utf-8", shown(&report)),
        Err(failure @ (Failure::Refused(_) | Failure::NoFile)) => {
            answer::invalid(voice, &failure.to_string())
        }
        Err(failure @ (Failure::Late | Failure::Ending)) => {
            answer::unavailable(voice, &failure.to_string(), answer::RETRY_AFTER_S)
        }
    }
}

fn shown(report: &Report) -> String {
    let body = json!({
        "changed": report.changed,
        "needs_restart": report.needs_restart,
        "moved_share": report.moved_share,
        "certificates": if report.are_certificates_kept { "kept" } else { "renewed" },
    });
    format!("{body}\n")
}
