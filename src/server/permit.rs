//! What a token with scopes may ask: looked at before anybody is asked.

use super::answer::{self, Answer, Dialect, Voice};
use super::auth::Grant;
use super::buckets;
use super::gateway::Gateway;
use crate::config::token::Need;
use crate::proto::influxql::{Show, Statement};
use crate::proto::results::{Form, Rows, Series, Writer, quote};
use crate::query::{self, Flux, InfluxQl};
use std::collections::BTreeSet;

/// Nothing if the whole text may go on; else what is answered in its place.
pub fn influxql(
    gateway: &Gateway,
    voice: Voice,
    grant: &Grant,
    asked: &InfluxQl,
) -> Option<Answer> {
    if grant.is_unlimited() {
        return None;
    }
    let statements = query::wanted_by_influxql(&gateway.query, asked);
    for wanted in &statements {
        let is_allowed = |need: &&Need| match need {
            Need::Write(_) => grant.allows(need) || grant.allows(&Need::Admin),
            _ => grant.allows(need),
        };
        if let Some(missing) = wanted.needs.iter().find(|need| !is_allowed(need)) {
            let why = format!(
                "error authorizing query: {} not authorized to execute statement '{}', requires {}",
                grant.name(),
                harmless(&wanted.statement),
                words(missing),
            );
            return Some(answer::forbidden(voice, &why));
        }
    }
    let lists = |statement: &Statement| matches!(statement, Statement::Show(Show::Databases));
    if grant.sees_all() || !statements.iter().any(|wanted| lists(&wanted.statement)) {
        return None;
    }
    if statements.len() > 1 {
        let why = "SHOW DATABASES tells a token of some databases only of those: ask it alone";
        return Some(answer::unprocessable(voice, why));
    }
    Some(databases(gateway, voice, grant, asked))
}

/// The same for a Flux script.
pub fn flux(gateway: &Gateway, voice: Voice, grant: &Grant, asked: &Flux) -> Option<Answer> {
    if grant.is_unlimited() {
        return None;
    }
    let needs = query::wanted_by_flux(&gateway.query, asked);
    let missing = needs.iter().find(|need| !grant.allows(need))?;
    let what = match missing {
        Need::Read(extent) => format!("bucket {:?}", extent.to_string()),
        _ => "all buckets, because the script does not tell which it reads".to_owned(),
    };
    Some(answer::forbidden(voice, &format!("insufficient permissions to read {what}")))
}

/// The privilege as InfluxDB 1.x calls it.
fn words(need: &Need) -> String {
    match need {
        Need::Read(extent) => format!("READ on {extent}"),
        Need::Write(extent) => format!("WRITE on {extent}"),
        Need::ReadAll => "READ on all databases".to_owned(),
        Need::Admin => "admin privilege".to_owned(),
    }
}

/// The statement's text, but no password.
fn harmless(statement: &Statement) -> String {
    match statement {
        Statement::CreateUser { .. } => "CREATE USER".to_owned(),
        Statement::SetPassword { .. } => "SET PASSWORD".to_owned(),
        Statement::CreateSubscription(_) => "CREATE SUBSCRIPTION".to_owned(),
        other => other.to_string(),
    }
}

/// `SHOW DATABASES` for whoever may not see all of them.
fn databases(gateway: &Gateway, voice: Voice, grant: &Grant, asked: &InfluxQl) -> Answer {
    let known = buckets::known(gateway);
    let seen = known.iter().filter(|name| grant.may_see(name));
    let names: BTreeSet<&str> =
        seen.map(|name| name.split('/').next().unwrap_or_default()).collect();
    let mut rows = Rows::default();
    names.iter().for_each(|name| rows.push(&format!("[{}]", quote(name))));
    let series = Series {
        name: "databases".to_owned(),
        columns: vec!["name".to_owned()],
        rows: Some(rows).filter(|rows| !rows.is_empty()),
        ..Series::default()
    };
    let is = |name: &str| asked.params.iter().any(|(key, value)| key == name && value == "true");
    let is_csv = voice.dialect == Dialect::V1 && voice.csv;
    let form = match is_csv {
        true => Form::Csv,
        false => Form::Json { pretty: is("pretty"), chunked: is("chunked") },
    };
    let (mut writer, mut out) = (Writer::new(form), String::new());
    writer.statement(false, &mut out);
    writer.piece(series, &mut out);
    writer.end(None, &mut out);
    writer.finish(&mut out);
    answer::found(if is_csv { "text/csv" } else { "application/json" }, out)
}
