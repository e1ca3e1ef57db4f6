//! Statements that run on every backend: recorded in the log, answered when the current backends ran them.

use super::answer::{self, Answer, Voice};
use super::gateway::Gateway;
use crate::ingest::accept::Failure;
use crate::ingest::statement::{Statement as Record, execute};
use crate::proto::influxql::Statement;
use serde_json::{Value, json};

/// InfluxDB has no limit; a file system has, and so has the log.
const NAME_BYTES_MAX: usize = 255;

/// Runs them one after the other. After one that failed the others are not run, as InfluxDB does.
pub async fn handle(
    gateway: &Gateway,
    voice: Voice,
    statements: &[Statement],
    is_read_only: bool,
) -> Answer {
    let mut results: Vec<Value> = Vec::new();
    let mut pending: Vec<String> = Vec::new();
    let mut has_failed = false;
    for (number, statement) in statements.iter().enumerate() {
        let mut result = json!({ "statement_id": number });
        if is_read_only {
            result["messages"] = json!([{ "level": "warning", "text": deprecated(statement) }]);
        }
        let outcome = match record(gateway, statement) {
            _ if has_failed => Err("not executed".to_owned()),
            Ok(record) => match execute(&gateway.ingest, &record).await {
                Ok(executed) => {
                    pending.extend(executed.pending);
                    executed.refused.map_or(Ok(()), Err)
                }
                Err(failure) => return unavailable(voice, &failure),
            },
            Err(why) => Err(why),
        };
        if let Err(error) = outcome {
            has_failed = true;
            result["error"] = json!(error);
        }
        results.push(result);
    }
    pending.dedup();
    let mut body = json!({ "results": results }).to_string().into_bytes();
    body.push(b'\n');
    answer::with_pending(answer::found("application/json", body), &pending)
}

fn record(gateway: &Gateway, statement: &Statement) -> Result<Record, String> {
    let Statement::CreateDatabase { name, .. } = statement else {
        return Err(format!("{statement} is not supported yet"));
    };
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(['/', '\\', '\0']) {
        return Err("invalid name".to_owned());
    }
    let target = gateway.settings.naming.v1(name, None);
    Ok(Record::CreateDatabase { text: statement.to_string(), target })
}

fn deprecated(statement: &Statement) -> String {
    format!(
        "deprecated use of '{statement}' in a read only context, please use a POST request instead"
    )
}

fn unavailable(voice: Voice, failure: &Failure) -> Answer {
    match failure {
        Failure::Unavailable { why, retry_after_s } => {
            answer::unavailable(voice, why, *retry_after_s)
        }
        _ => answer::unavailable(voice, "the statement was not recorded", 1),
    }
}
