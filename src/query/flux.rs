//! Asks Flux: one backend where one has everything, else all that are needed, whose answers become one.

use super::choose::{Candidate, Choice, Language, Wanted};
use super::flux_body::{Dialect, FluxRequest};
use super::forward::field;
use super::merge::flux::{Merger, Step};
use super::plan::flux::{Merging, Plan, Wanted as Needed};
use super::scatter::Gathered;
use super::{Answer, Flux, Origin, Query, Refusal, flux_body, plan};
use crate::backend::client::Arriving;
use crate::backend::place::escape;
use crate::backend::query::Question;
use crate::rt::breathe;
use crate::telemetry::Stage;
use serde_json::{Value as Json, json};

const LANGUAGE: Language = Language::Flux;

/// The answers of several backends as one, while they arrive. Lives on: the shard that asked.
pub struct Merged {
    merger: Merger,
    /// Given up together when one of them fails.
    answers: Vec<Arriving>,
    /// What was made before the status was known to be right.
    first: Option<Vec<u8>>,
}

pub(super) fn decode(asked: &Flux) -> Result<FluxRequest, Refusal> {
    let content_type = Some(asked.content_type.as_str()).filter(|text| !text.is_empty());
    flux_body::decode(content_type, &asked.body).map_err(|error| Refusal::Parse(error.to_string()))
}

pub(super) async fn ask(query: &Query, asked: &Flux) -> Result<Answer, Refusal> {
    let request = decode(asked)?;
    let org = asked.org.as_deref();
    let plan = plan::flux::plan(&request, org, &query.naming)?;
    let org = query.naming.v2(org, "").org;
    let candidates = match &plan {
        Plan::Owner { target, measurement } => query.owners(target, measurement, LANGUAGE)?,
        Plan::AnyBackend => query.anybody(LANGUAGE)?,
        Plan::Spread { wanted, merging } => {
            return spread(query, asked, &request, &org, wanted, merging).await;
        }
    };
    query.first_answer(&candidates, &asked.asker, |_| question(query, &org, asked)).await
}

/// Asks all owners of one circle; in a circle where one backend has everything, that one alone.
async fn spread(
    query: &Query,
    asked: &Flux,
    request: &FluxRequest,
    org: &str,
    wanted: &Needed,
    merging: &Merging,
) -> Result<Answer, Refusal> {
    let choices = query.circles(
        match wanted {
            Needed::Owners(owned) => Wanted::Owners(owned),
            Needed::Everything(target) => Wanted::Everything(target.as_ref()),
        },
        LANGUAGE,
    )?;
    let single = |choice: &&Choice| choice.slots.len() == 1;
    let alone: Vec<Candidate> = choices
        .iter()
        .filter(single)
        .map(|choice| Candidate { slot: choice.slots[0], is_complete: choice.is_complete })
        .collect();
    if let Merging::Never { stage } = merging {
        if alone.is_empty() {
            let why = format!(
                "the query reads measurements of several backends and cannot be merged: {stage}"
            );
            return Err(plan::Refusal::CannotMerge { why }.into());
        }
        return query.first_answer(&alone, &asked.asker, |_| question(query, org, asked)).await;
    }
    if choices.first().is_some_and(|best| best.slots.len() == 1) {
        let answer =
            query.first_answer(&alone, &asked.asker, |_| question(query, org, asked)).await;
        if answer.is_ok() || alone.len() == choices.len() {
            return answer;
        }
    }
    let choices: Vec<Choice> = choices.into_iter().filter(|choice| !single(&choice)).collect();
    gather(query, asked, request, org, &choices, merging).await
}

/// Asks one circle after the other until the answers of one have begun to become one.
async fn gather(
    query: &Query,
    asked: &Flux,
    request: &FluxRequest,
    org: &str,
    mut choices: &[Choice],
    merging: &Merging,
) -> Result<Answer, Refusal> {
    let begun = query.clock.mono();
    let delimiter = delimiter(&request.dialect)?;
    let now = request.now.clone().unwrap_or_else(|| query.clock.unix().rfc3339());
    let body = spread_body(&asked.body, request, &now);
    loop {
        let gathered = query
            .gather(choices, &asked.asker, |_| spread_question(query, org, asked, &body))
            .await?;
        let (choice, answers) = match gathered {
            Gathered::All { choice, answers } => (choice, answers),
            Gathered::Other { choice, slot, answer } => {
                let candidate = Candidate { slot, is_complete: choice.is_complete };
                return Ok(query.answer(candidate, *answer));
            }
        };
        let names: Vec<u16> = choice.slots.clone();
        let headers = headers(&answers);
        let merger = match merging {
            Merging::Names(names) => {
                Merger::names(&request.dialect, delimiter, answers.len(), *names)
            }
            _ => Merger::tables(&request.dialect, delimiter, answers.len()),
        };
        let mut merged = Merged { merger, answers, first: None };
        // Until the first piece is there, nothing was promised: another circle may do better.
        match merged.next().await {
            Ok(first) => merged.first = first,
            Err(why) => {
                let tried = choices.iter().position(|one| *one == choice).map_or(0, |at| at + 1);
                choices = &choices[tried..];
                if choices.is_empty() || asked.asker.is_over() {
                    return Err(Refusal::NoBackend { why, retry_after_s: 1 });
                }
                query.meters.failovers.increment(1);
                continue;
            }
        }
        query.latencies.record(Stage::Query, query.clock.mono().since(begun));
        let place = |slot: u16| &query.places[usize::from(slot)];
        return Ok(Answer::Streamed {
            status: None,
            headers,
            backends: names.iter().map(|slot| place(*slot).name.clone()).collect(),
            circle: names.first().map_or_else(String::new, |slot| place(*slot).circle_name.clone()),
            body: Origin::Flux(merged).into(),
            incomplete: !choice.is_complete,
        });
    }
}

impl Merged {
    /// The next piece; `None` at the end. An error means that the answer is cut short.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            match self.merger.step() {
                Step::Out(bytes) => return Ok(Some(bytes)),
                Step::Want(answer) => match self.answers[answer].next().await {
                    Ok(Some(piece)) => self.merger.push(answer, &piece),
                    Ok(None) => self.merger.end(answer),
                    Err(error) => {
                        self.merger.fail(&format!("a backend's answer broke off: {error}"));
                    }
                },
                Step::Pause => breathe().await,
                Step::Done => {
                    self.answers.clear();
                    return Ok(None);
                }
                Step::Broken(why) => {
                    self.answers.clear();
                    return Err(why);
                }
            }
        }
    }
}

/// The fields of the first answer that are true of all of them together.
fn headers(answers: &[Arriving]) -> Vec<(String, String)> {
    let content_type = answers.first().and_then(|answer| answer.head.field("Content-Type"));
    let content_type = content_type.unwrap_or("text/csv; charset=utf-8").to_owned();
    vec![("Content-Type".to_owned(), content_type)]
}

/// A delimiter that can be told from all else in annotated CSV.
fn delimiter(dialect: &Dialect) -> Result<u8, Refusal> {
    let fits =
        |byte: &u8| *byte == b'\t' || (byte.is_ascii_punctuation() && !b"\"#+-.:_".contains(byte));
    u8::try_from(dialect.delimiter).ok().filter(fits).ok_or_else(|| {
        let delimiter = dialect.delimiter;
        let why = format!("answers with the delimiter {delimiter:?} cannot be merged");
        plan::Refusal::CannotMerge { why }.into()
    })
}

fn question(query: &Query, org: &str, asked: &Flux) -> Question {
    let mut fields = String::new();
    let content_type = Some(asked.content_type.as_str()).filter(|text| !text.is_empty());
    field(&mut fields, "Content-Type", content_type.or(Some("application/json")));
    field(&mut fields, "Accept-Encoding", asked.accept_encoding.as_deref());
    field(&mut fields, "Prefer", asked.prefer.as_deref());
    Question {
        method: "POST",
        path: format!("/api/v2/query?org={}", escape(org)),
        fields,
        body: asked.body.clone(),
        limit: query.settings.get().timeout,
    }
}

fn spread_question(query: &Query, org: &str, asked: &Flux, body: &str) -> Question {
    let mut fields = String::new();
    field(&mut fields, "Content-Type", Some("application/json"));
    field(&mut fields, "Accept-Encoding", Some("identity"));
    field(&mut fields, "Prefer", asked.prefer.as_deref());
    Question {
        method: "POST",
        path: format!("/api/v2/query?org={}", escape(org)),
        fields,
        body: body.as_bytes().to_vec(),
        limit: query.settings.get().timeout,
    }
}

/// The client's request as JSON, with one `now` for all backends, and with all that a merger needs to see.
fn spread_body(asked: &[u8], request: &FluxRequest, now: &str) -> String {
    let mut body = match serde_json::Deserializer::from_slice(asked).into_iter().next() {
        Some(Ok(Json::Object(body))) if !request.is_raw => body,
        _ => serde_json::Map::new(),
    };
    body.insert("query".to_owned(), json!(request.query));
    body.insert("type".to_owned(), json!("flux"));
    body.insert("now".to_owned(), json!(now));
    let dialect = body.entry("dialect").or_insert_with(|| json!({}));
    if !dialect.is_object() {
        *dialect = json!({});
    }
    dialect["header"] = json!(true);
    dialect["delimiter"] = json!(request.dialect.delimiter.to_string());
    if dialect.get("commentPrefix").is_some() {
        dialect["commentPrefix"] = json!("#");
    }
    dialect["annotations"] = json!(["datatype", "group", "default"]);
    Json::Object(body).to_string()
}

#[cfg(test)]
mod tests;
