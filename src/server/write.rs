//! `/write` and `/api/v2/write`: whose lines these are, and how what became of them is told.

use super::answer::{self, Answer, Dialect, Voice};
use super::front::Settings;
use super::gateway::Gateway;
use super::machine::Request;
use crate::ingest;
use crate::ingest::accept::{Accepted, BadLines, Consistency, Failure};
use crate::proto::http::params::Params;
use crate::proto::line::Precision;
use crate::ring::Target;
use crate::telemetry::Stage;

/// How 2.x begins what its store says.
pub(super) const STORE_PREFIX: &str = "failure writing points to database: ";

/// What the head of a write says.
#[derive(Debug)]
pub struct Plan {
    pub voice: Voice,
    pub target: Target,
    /// The database or bucket as the client called it.
    pub name: String,
    /// The retention policy as a client of 1.x called it.
    pub policy: Option<String>,
    pub precision: Precision,
    pub bad_lines: BadLines,
    pub consistency: Consistency,
}

pub async fn handle(gateway: &Gateway, plan: &Plan, request: &Request) -> Answer {
    let lines = ingest::accept::Request {
        target: &plan.target,
        precision: plan.precision,
        body: &request.body,
        bad_lines: plan.bad_lines,
        consistency: plan.consistency,
    };
    let begun = gateway.clock.mono();
    let outcome = ingest::accept::lines(&gateway.ingest, lines).await;
    gateway.latencies.record(Stage::Write, gateway.clock.mono().since(begun));
    conclude(plan, outcome)
}

pub fn plan_v1(settings: &Settings, voice: Voice, params: &Params) -> Result<Plan, Answer> {
    let Some(name) = params.get("db") else {
        return Err(answer::invalid(voice, "database is required"));
    };
    let precision = params.get("precision").unwrap_or_default();
    let precision = Precision::v1(precision).ok_or_else(|| {
        let message = format!("invalid precision {precision:?} (use n, u, ms, s, m or h)");
        answer::invalid(voice, &message)
    })?;
    let consistency = consistency(params.get("consistency"))
        .ok_or_else(|| answer::invalid(voice, "invalid consistency level"))?;
    Ok(Plan {
        voice,
        target: settings.naming.v1(name, params.get("rp")),
        name: name.to_owned(),
        policy: params.get("rp").filter(|policy| !policy.is_empty()).map(str::to_owned),
        precision,
        bad_lines: BadLines::KeepGood,
        consistency,
    })
}

pub fn plan_v2(settings: &Settings, voice: Voice, params: &Params) -> Result<Plan, Answer> {
    let precision = params.get("precision").unwrap_or_default();
    let precision = Precision::v2(precision).ok_or_else(|| {
        let message = "invalid precision; valid precision units are ns, us, ms, and s";
        answer::invalid(voice, message)
    })?;
    let Some(name) = params.get("bucket") else {
        return Err(answer::not_found(voice, "bucket not found"));
    };
    if params.get("orgID").is_some_and(|id| id.len() != 16) {
        return Err(answer::invalid(voice, "id must have a length of 16 bytes"));
    }
    let keeps_good = settings.accept_partial;
    Ok(Plan {
        voice,
        target: settings.naming.v2(params.get("org"), name),
        name: name.to_owned(),
        policy: None,
        precision,
        bad_lines: if keeps_good { BadLines::KeepGood } else { BadLines::RefuseAll },
        consistency: Consistency::One,
    })
}

fn consistency(level: Option<&str>) -> Option<Consistency> {
    match level.unwrap_or("one").to_ascii_lowercase().as_str() {
        "any" => Some(Consistency::Any),
        "one" => Some(Consistency::One),
        "quorum" => Some(Consistency::Quorum),
        "all" => Some(Consistency::All),
        _ => None,
    }
}

/// What became of the lines, as this client expects to hear it.
pub fn conclude(plan: &Plan, outcome: Result<Accepted, Failure>) -> Answer {
    let voice = plan.voice;
    match outcome {
        Ok(accepted) => {
            let answer = tell_accepted(voice, &accepted);
            answer::with_pending(answer, &accepted.pending)
        }
        Err(Failure::BadLines { texts, dropped: 0 }) => answer::invalid(voice, &texts),
        Err(Failure::BadLines { texts, dropped }) => match voice.dialect {
            Dialect::V1 => answer::invalid(voice, &partial(&texts, dropped)),
            // 2.x reads a line first and then finds that nothing of it can be stored.
            Dialect::V2 if texts.contains("unable to parse") => answer::invalid(voice, &texts),
            Dialect::V2 => {
                answer::unprocessable(voice, &format!("{STORE_PREFIX}{}", partial(&texts, dropped)))
            }
        },
        Err(Failure::UnknownDatabase) => answer::unknown_database(voice, &plan.name),
        Err(Failure::Unavailable { why, retry_after_s }) => {
            answer::unavailable(voice, &why, retry_after_s)
        }
        Err(Failure::TooManyConfirmationsMissing { wanted, confirmed }) => {
            let why = format!(
                "{confirmed} of {wanted} circles have confirmed; the lines are queued for the others"
            );
            answer::unavailable(voice, &why, answer::RETRY_AFTER_S)
        }
    }
}

/// A refusal of the store hides lines that could not be read, as it does in InfluxDB.
fn tell_accepted(voice: Voice, accepted: &Accepted) -> Answer {
    if !accepted.refused.is_empty() {
        let mut texts: Vec<&str> = Vec::new();
        for refused in &accepted.refused {
            let text = refused.message.strip_prefix(STORE_PREFIX).unwrap_or(&refused.message);
            // Every circle that refuses a line says the same.
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let text = texts.join("\n");
        return match voice.dialect {
            Dialect::V1 => answer::invalid(voice, &text),
            Dialect::V2 => answer::unprocessable(voice, &format!("{STORE_PREFIX}{text}")),
        };
    }
    match &accepted.bad_lines {
        Some(texts) => answer::invalid(voice, &partial(texts, accepted.dropped)),
        None => answer::written(voice, &[]),
    }
}

fn partial(texts: &str, dropped: u64) -> String {
    format!("partial write: {texts} dropped={dropped}")
}
