//! `/query` and `/api/v2/query` of a store.

use super::super::answer::{self, Answer, Body, Voice};
use super::super::machine::Request;
use super::super::query::{FluxPlan, Reply, no_question, read};
use super::arriving::{Arriving, Begun, Form as Sent, ask};
use super::{Node, broken};
use crate::backend::Cancel;
use crate::proto::annotated::{Annotation, Dialect};
use crate::proto::http::deflate::takes_gzip;
use crate::proto::http::params::Params;
use crate::proto::moment;
use crate::proto::results::Form;
use crate::query::InfluxQl;
use crate::query::flux_body;
use crate::store::flux;
use crate::store::guard::Guard;
use crate::store::influxql;
use crate::store::store::Store;
use std::sync::Arc;
use std::time::Duration;

/// Rows of one chunk, where the client does not say.
const CHUNK_ROWS: usize = 10_000;

fn guard(store: &Store) -> Guard {
    let limits = store.limits();
    Guard::within(limits.query_time_max_ns.map(Duration::from_nanos), limits.query_bytes_max)
}

pub(super) async fn influxql(
    node: &Node,
    store: &Arc<Store>,
    voice: Voice,
    url: Params,
    request: Request,
    asker: &Cancel,
) -> Reply {
    let Some(asked) = read(url, &request, asker) else { return Reply::Whole(no_question(voice)) };
    let param = |name: &str| asked.params.iter().find(|(known, _)| known == name);
    let param = |name: &str| param(name).map(|(_, value)| value.as_str());
    let question = question(node, voice, &asked, &param);
    let form = Sent {
        by_lines: matches!(question.form, Form::Json { chunked: true, .. }),
        may_pack: may_pack(asked.accept_encoding.as_deref()),
    };
    let is_left = param("async") == Some("true");
    let (theirs, guard) = (store.clone(), guard(store));
    if is_left {
        node.readers.run(move || {
            // Nobody waits for it.
            drop(influxql::answer(&*theirs, &question, &guard, &mut |_| Ok(())));
        });
        return Reply::Whole(answer::empty(voice));
    }
    let begun = ask(&node.readers, guard, asker, form, move |guard, sink| {
        let mut out = |text: &str| sink.take(text.as_bytes());
        influxql::answer(&*theirs, &question, guard, &mut out)
            .map_err(|refused| answer::invalid(voice, &refused.0))
    });
    let content_type = if voice.csv { "text/csv" } else { "application/json" };
    reply(voice, content_type, begun.await)
}

fn question<'a>(
    node: &Node,
    voice: Voice,
    asked: &InfluxQl,
    param: &dyn Fn(&str) -> Option<&'a str>,
) -> influxql::Question {
    let is_set = |name| param(name) == Some("true");
    let chunked = is_set("chunked");
    let form = match voice.csv {
        true => Form::Csv,
        false => Form::Json { pretty: is_set("pretty"), chunked },
    };
    let rows = param("chunk_size").and_then(|rows| rows.parse().ok()).filter(|rows| *rows > 0);
    influxql::Question {
        text: asked.text.clone(),
        database: asked.target_db.clone().unwrap_or_default(),
        policy: asked.rp.clone().unwrap_or_default(),
        // Some clients send this for none.
        params: param("params").filter(|text| text.trim() != "null").map(str::to_owned),
        form,
        epoch: param("epoch").map(str::to_owned),
        chunk_size: chunked.then(|| rows.unwrap_or(CHUNK_ROWS)),
        now_ns: node.clock.unix().0,
        writes_allowed: !asked.read_only,
    }
}

fn reply(voice: Voice, content_type: &str, begun: Begun) -> Reply {
    match begun {
        Begun::Answer(arriving) => {
            let mut fields = vec![("Content-Type".to_owned(), content_type.to_owned())];
            if arriving.is_packed {
                fields.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
            }
            Reply::Streamed { status: 200, fields, body: Body::Store(arriving) }
        }
        Begun::Refused(answer) => Reply::Whole(answer),
        Begun::Broken => Reply::Whole(broken(voice)),
    }
}

pub(super) async fn flux(
    node: &Node,
    store: &Arc<Store>,
    voice: Voice,
    plan: &FluxPlan,
    request: Request,
    asker: &Cancel,
) -> Reply {
    let question = match flux_question(node, plan, &request) {
        Ok(question) => question,
        Err(why) => return Reply::Whole(answer::invalid(voice, &why)),
    };
    let theirs = store.clone();
    let form = Sent { by_lines: false, may_pack: may_pack(plan.accept_encoding.as_deref()) };
    let begun = ask(&node.readers, guard(store), asker, form, move |guard, sink| {
        let mut out = |bytes: &[u8]| sink.take(bytes);
        flux::answer(&*theirs, &question, guard, &mut out)
            .map_err(|refused| refuse(voice, &refused))
    });
    match begun.await {
        Begun::Answer(arriving) if plan.prefer.as_deref() == Some("return-no-content") => {
            Reply::Whole(unsaid(voice, arriving).await)
        }
        begun => reply(voice, "text/csv; charset=utf-8", begun),
    }
}

/// The client wants to know only whether it went well.
async fn unsaid(voice: Voice, mut arriving: Arriving) -> Answer {
    loop {
        match arriving.next().await {
            Ok(Some(_)) => {}
            Ok(None) => return answer::empty(voice),
            Err(_) => return broken(voice),
        }
    }
}

fn may_pack(accept_encoding: Option<&str>) -> bool {
    accept_encoding.is_some_and(takes_gzip)
}

fn flux_question(
    node: &Node,
    plan: &FluxPlan,
    request: &Request,
) -> Result<flux::Question, String> {
    let content_type = Some(plan.content_type.as_str()).filter(|text| !text.is_empty());
    let decoded =
        flux_body::decode(content_type, &request.body).map_err(|error| error.to_string())?;
    let now_ns = match decoded.now.as_deref() {
        None => node.clock.unix().0,
        Some(text) => moment::rfc3339(text)
            .and_then(|moment| i64::try_from(moment).ok())
            .ok_or_else(|| format!("failed to decode request body: {text:?} is no moment"))?,
    };
    if decoded.opaque_extern || !decoded.variables.is_empty() {
        return Err("what is sent beside the script (extern) is not supported".to_owned());
    }
    Ok(flux::Question {
        text: decoded.query,
        dialect: dialect(&decoded.dialect)?,
        now_ns,
        organization: node.settings.get().naming.v2(plan.org.as_deref(), "").org.into(),
    })
}

fn dialect(asked: &flux_body::Dialect) -> Result<Dialect, String> {
    let delimiter = u8::try_from(asked.delimiter)
        .map_err(|_| format!("the delimiter {:?} is more than a byte", asked.delimiter))?;
    let names = asked.annotations.iter();
    let annotations = names.filter_map(|name| Annotation::named(name)).collect();
    Ok(Dialect { has_header: asked.header, delimiter, annotations })
}

fn refuse(voice: Voice, refused: &flux::Refused) -> Answer {
    let message = &refused.message;
    match refused.kind {
        flux::Problem::Invalid => answer::invalid(voice, message),
        flux::Problem::NotFound => answer::not_found(voice, message),
        flux::Problem::Unprocessable => answer::unprocessable(voice, message),
        flux::Problem::Internal => answer::gone_wrong(voice, message),
    }
}

/// Runs a statement of our own; the error is the engine's.
pub(super) fn run(store: &Store, database: &str, text: String, now_ns: i64) -> Result<(), String> {
    let question = influxql::Question {
        text,
        database: database.to_owned(),
        policy: String::new(),
        params: None,
        form: Form::Json { pretty: false, chunked: false },
        epoch: None,
        chunk_size: None,
        now_ns,
        writes_allowed: true,
    };
    let mut said = String::new();
    let mut out = |text: &str| {
        said.push_str(text);
        Ok(())
    };
    influxql::answer(store, &question, &guard(store), &mut out).map_err(|refused| refused.0)?;
    let value: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
    match value.pointer("/results/0/error").and_then(|error| error.as_str()) {
        Some(error) => Err(error.to_owned()),
        None => Ok(()),
    }
}
