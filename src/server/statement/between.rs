//! A question between statements that change something, in one text with them.
//!
//! It is asked alone, once they have run, and its result stands in the answer as the backend wrote it, with
//! another number. The answer of such a text is held whole, so what one question may bring is bounded.

use super::super::gateway::Gateway;
use super::Outcome;
use crate::query::{self, Answer, InfluxQl, Refusal};
use serde_json::Value;

/// The most that one result may take, in bytes.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// How every answer to one statement begins and ends.
const LEAD: &str = "{\"results\":[{\"statement_id\":0";
const END: &str = "]}";

pub(super) async fn ask(gateway: &Gateway, question: InfluxQl) -> Outcome {
    match whole(gateway, question).await {
        Ok(body) => told(&body),
        Err(why) => Outcome::Failed(why),
    }
}

/// The answer to a question, or why there is none.
pub(in super::super) async fn whole(
    gateway: &Gateway,
    question: InfluxQl,
) -> Result<Vec<u8>, String> {
    match query::influxql(&gateway.query, question).await {
        Ok(Answer::Local { body, .. }) => Ok(body),
        Ok(Answer::Streamed { mut body, .. }) => {
            let mut whole = Vec::new();
            while let Some(piece) = body.next().await? {
                whole.extend_from_slice(&piece);
                if whole.len() > BYTES_MAX {
                    let why = "too much for one text with other statements: ask it alone";
                    return Err(why.to_owned());
                }
            }
            Ok(whole)
        }
        Ok(Answer::Statements(_)) => Err("it is no question".to_owned()),
        Err(refusal) => Err(match refusal {
            Refusal::TooMany(_) => refusal.to_string(),
            Refusal::Parse(why) | Refusal::CannotMerge(why) => why,
            Refusal::NotYet(what) => format!("{what} is not supported yet"),
            Refusal::UnknownDatabase(name) => format!("database not found: {name}"),
            Refusal::NoBackend { why, .. } => why,
        }),
    }
}

/// The result of an answer to one statement, without its number; errors are found wherever they stand.
fn told(body: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(body);
    let value: Option<Value> = match text.contains("\"error\":") {
        true => serde_json::from_slice(body).ok(),
        false => None,
    };
    let error = value.as_ref().and_then(|value| {
        let inside = value.pointer("/results/0/error").or_else(|| value.get("error"));
        inside?.as_str()
    });
    let rest = text.trim_end().strip_prefix(LEAD).and_then(|rest| rest.strip_suffix(END));
    match (error, rest) {
        (Some(error), _) => Outcome::Failed(error.to_owned()),
        (None, Some(rest)) => Outcome::Told(rest.to_owned()),
        (None, None) => Outcome::Failed("the answer of a backend cannot be read".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> String {
        match told(body.as_bytes()) {
            Outcome::Told(rest) => rest,
            Outcome::Failed(why) => format!("failed: {why}"),
            Outcome::Ran => "ran".to_owned(),
        }
    }

    #[test]
    fn a_result_is_passed_on_as_it_is_and_an_error_is_found() {
        let rows = ",\"series\":[{\"values\":[[1e+21,\"\\\"error\\\":\"]]}]}";
        assert_eq!(shown(&format!("{LEAD}{rows}]}}\n")), rows);
        assert_eq!(shown("{\"results\":[{\"statement_id\":0}]}\n"), "}");
        let error = "{\"results\":[{\"statement_id\":0,\"error\":\"no\"}]}\n";
        assert_eq!(shown(error), "failed: no");
        assert_eq!(shown("{\"error\":\"down\"}\n"), "failed: down");
        assert_eq!(shown("what"), "failed: the answer of a backend cannot be read");
    }
}
