//! `/query` and `/api/v2/query`: what is asked, and how the answer goes back.

use super::answer::{self, Answer, Body, Voice};
use super::auth::Grant;
use super::gateway::Gateway;
use super::machine::Request;
use super::{multipart, permit, statement};
use crate::backend::Cancel;
use crate::proto::http::params::Params;
use crate::proto::http::request::{Head, Method};
use crate::query::explain::Explained;
use crate::query::{self, Flux, InfluxQl, Refusal};

/// The parameter that asks for the plan in place of the answer.
const EXPLAIN: &str = "circlet_explain";

/// Parameters that only the backend reads.
const PASSED_ON: [&str; 6] = ["epoch", "chunked", "chunk_size", "pretty", "params", "async"];

/// What the head of a Flux query says.
#[derive(Debug)]
pub struct FluxPlan {
    pub org: Option<String>,
    pub content_type: String,
    pub accept_encoding: Option<String>,
    pub prefer: Option<String>,
    pub is_explained: bool,
}

/// An answer that is whole, or one that comes piece by piece.
pub enum Reply {
    Whole(Answer),
    Streamed { status: u16, fields: Vec<(String, String)>, body: Body },
}

pub fn plan_flux(head: &Head, params: &Params) -> FluxPlan {
    FluxPlan {
        org: params.get("org").map(str::to_owned),
        content_type: head.fields.content_type.clone().unwrap_or_default(),
        accept_encoding: head.fields.accept_encoding.clone(),
        prefer: head.fields.prefer.clone(),
        is_explained: params.get(EXPLAIN) == Some("true"),
    }
}

/// InfluxQL: `q` from the body or the URL.
pub async fn handle(
    gateway: &Gateway,
    voice: Voice,
    grant: &Grant,
    url: Params,
    request: Request,
    asker: &Cancel,
) -> Reply {
    let is_explained = url.get(EXPLAIN) == Some("true");
    let asked = read(url, &request, asker);
    if let Some(answer) =
        asked.as_ref().and_then(|asked| permit::influxql(gateway, voice, grant, asked))
    {
        return Reply::Whole(answer);
    }
    match asked {
        Some(asked) if is_explained => {
            Reply::Whole(explained(gateway, voice, query::explain_influxql(&gateway.query, &asked)))
        }
        Some(asked) => {
            let beside = statement::Asked::of(&asked);
            match query::influxql(&gateway.query, asked).await {
                Ok(query::Answer::Statements(statements)) => {
                    Reply::Whole(statement::handle(gateway, voice, &statements, &beside).await)
                }
                other => reply(voice, other),
            }
        }
        None => Reply::Whole(no_question(voice)),
    }
}

pub async fn handle_flux(
    gateway: &Gateway,
    voice: Voice,
    grant: &Grant,
    plan: FluxPlan,
    request: Request,
    asker: &Cancel,
) -> Reply {
    let is_explained = plan.is_explained;
    let asked = Flux {
        org: plan.org,
        body: request.body.to_vec(),
        content_type: plan.content_type,
        accept_encoding: plan.accept_encoding,
        prefer: plan.prefer,
        asker: asker.clone(),
    };
    if let Some(answer) = permit::flux(gateway, voice, grant, &asked) {
        return Reply::Whole(answer);
    }
    if is_explained {
        let plan = query::explain_flux(&gateway.query, &asked);
        return Reply::Whole(explained(gateway, voice, plan));
    }
    reply(voice, query::flux(&gateway.query, asked).await)
}

/// The plan as JSON, with what is known of the backends now.
fn explained(gateway: &Gateway, voice: Voice, plan: Result<Explained, Refusal>) -> Answer {
    match plan {
        Ok(plan) => {
            let query = &gateway.query;
            let is_complete = |slot| query.is_complete(slot);
            let plan = plan.json(&query.topology, Some(&is_complete));
            answer::found(
                "application/json",
                (answer::indented(&plan.to_string(), "  ") + "\n").into_bytes(),
            )
        }
        Err(refusal) => refuse(voice, refusal),
    }
}

pub(super) fn no_question(voice: Voice) -> Answer {
    answer::invalid(voice, "missing required parameter \"q\"")
}

/// The question; nothing if there is none. Values of the body come before those of the URL.
pub(super) fn read(url: Params, request: &Request, asker: &Cancel) -> Option<InfluxQl> {
    let fields = &request.head.fields;
    let content_type = fields.content_type.as_deref().unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let mut params = Params::default();
    match media_type.to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => params.extend(&request.body),
        "multipart/form-data" => {
            for (name, value) in multipart::parts(content_type, &request.body) {
                params.push(&name, String::from_utf8_lossy(value).into_owned());
            }
        }
        "application/vnd.influxql" => {
            params.push("q", String::from_utf8_lossy(&request.body).into_owned());
        }
        _ => {}
    }
    for (name, value) in url.pairs() {
        params.push(name, value.clone());
    }
    let passed_on = PASSED_ON
        .iter()
        .filter_map(|name| params.get(name).map(|value| ((*name).to_owned(), value.to_owned())));
    Some(InfluxQl {
        text: params.get("q")?.to_owned(),
        target_db: params.get("db").map(str::to_owned),
        rp: params.get("rp").map(str::to_owned),
        params: passed_on.collect(),
        accept: fields.accept.clone(),
        accept_encoding: fields.accept_encoding.clone(),
        read_only: request.head.method != Method::Post,
        asker: asker.clone(),
    })
}

fn reply(voice: Voice, outcome: Result<query::Answer, Refusal>) -> Reply {
    match outcome {
        Ok(query::Answer::Local { content_type, body }) => {
            Reply::Whole(answer::found(&content_type, body))
        }
        Ok(query::Answer::Streamed { status, mut headers, backends, circle, body, incomplete }) => {
            let label = |backend: &String| format!("{circle}/{backend}");
            let backends: Vec<String> = backends.iter().map(label).collect();
            headers.push(("X-Circlet-Backend".to_owned(), backends.join(", ")));
            headers.push(("X-Circlet-Circle".to_owned(), circle));
            if incomplete {
                headers.push(("X-Circlet-Incomplete".to_owned(), "true".to_owned()));
            }
            let body = Body::Backends(body);
            Reply::Streamed { status: status.unwrap_or(200), fields: headers, body }
        }
        Ok(query::Answer::Statements(_)) => {
            // Only InfluxQL has them, and there they are taken out before.
            Reply::Whole(answer::not_yet(voice, "a statement here"))
        }
        Err(refusal) => Reply::Whole(refuse(voice, refusal)),
    }
}

fn refuse(voice: Voice, refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Parse(text) => answer::invalid(voice, &text),
        Refusal::NotYet(what) => answer::not_yet(voice, &what),
        Refusal::CannotMerge(why) => answer::unprocessable(voice, &why),
        Refusal::UnknownDatabase(name) => answer::unknown_database(voice, &name),
        Refusal::NoBackend { why, retry_after_s } => {
            answer::unavailable(voice, &why, retry_after_s)
        }
        Refusal::TooMany(_) => {
            answer::unavailable(voice, &refusal.to_string(), answer::RETRY_AFTER_S)
        }
    }
}
