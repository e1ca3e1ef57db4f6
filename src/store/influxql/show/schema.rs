//! SHOW MEASUREMENTS, SERIES, TAG KEYS, TAG VALUES, FIELD KEYS.

use super::scope::{self, Target, Where, is_in};
use super::{cut, table, texts};
use crate::proto::influxql::{Keys, ShowSchema, Subject};
use crate::proto::results::{Series as Answered, quote};
use crate::store::influxql::expr::{Expr, Operator, Pattern};
use crate::store::influxql::fault::Fault;
use crate::store::influxql::read::mapping::Context;
use crate::store::influxql::rows::emit::{Pieces, Sink};
use crate::store::influxql::select::Defaults;
use crate::store::view::{Database, Series, TimeRange};
use std::collections::BTreeSet;
use std::sync::Arc;

pub fn run(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    schema: &ShowSchema,
    pieces: &Pieces,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let name = scope::database(schema.database.as_deref(), defaults.database)?;
    let asked = scope::condition(context, schema.condition.as_ref())?;
    if schema.subject == Subject::Measurements {
        return measurements(context, name, schema, &asked, sink);
    }
    context.database(name)?;
    let targets = scope::targets(context, name, &schema.sources)?;
    if schema.subject == Subject::Series {
        return series(context, &targets, schema, (&asked, pieces), sink);
    }
    for target in &targets {
        context.guard.check()?;
        let (columns, rows): (&[&str], Vec<Vec<String>>) = match schema.subject {
            Subject::TagKeys => {
                (&["tagKey"], texts(tag_keys(target, &asked).iter().map(|key| &**key)))
            }
            Subject::FieldKeys => (&["fieldKey", "fieldType"], field_keys(target)),
            _ => {
                let keys = schema.keys.as_ref().map(Wanted::of).transpose()?;
                let values = tag_values(target, keys.as_ref(), &asked);
                let row = |(key, value): &(Arc<str>, Arc<str>)| vec![quote(key), quote(value)];
                (&["key", "value"], values.iter().map(row).collect())
            }
        };
        let rows = cut(rows, &schema.limits);
        // InfluxDB cuts only what it reads as it reads points.
        let is_cut = pieces.marks && schema.subject == Subject::FieldKeys;
        let rows_max = if is_cut { pieces.rows_max } else { usize::MAX };
        let mut following = rows.chunks(rows_max).peekable();
        while let Some(piece) = following.next() {
            let partial = is_cut && following.peek().is_some();
            sink.piece(Answered { partial, ..table(&target.name, columns, piece.to_vec()) })?;
        }
    }
    Ok(())
}

fn measurements(
    context: &Context<'_>,
    name: &str,
    schema: &ShowSchema,
    asked: &Where,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    if asked.has_time() {
        return Err(Fault::text("SHOW MEASUREMENTS doesn't support time in WHERE clause"));
    }
    if context.catalog.database(name).is_none() {
        return Ok(());
    }
    let targets = scope::targets(context, name, &schema.sources)?;
    let names = targets.iter().filter(|target| {
        asked.condition.as_ref().is_none_or(|expr| has(expr, &target.name, &*target.database))
    });
    let names: Vec<&str> = names.map(|target| &*target.name).collect();
    let rows = cut(texts(names), &schema.limits);
    if !rows.is_empty() {
        sink.piece(table("measurements", &["name"], rows))?;
    }
    Ok(())
}

/// Whether a measurement fulfils a condition as a whole: a negation wants the tag, and no series with the value.
pub fn has(expr: &Expr, measurement: &str, database: &dyn Database) -> bool {
    match expr {
        Expr::Paren(inner) => has(inner, measurement, database),
        Expr::Boolean(value) => *value,
        Expr::Binary { operator: Operator::And, left, right } => {
            has(left, measurement, database) && has(right, measurement, database)
        }
        Expr::Binary { operator: Operator::Or, left, right } => {
            has(left, measurement, database) || has(right, measurement, database)
        }
        Expr::Binary { operator, left, right } => {
            let (Expr::Ref { name, .. }, value) = (&**left, &**right) else { return false };
            let known = |text: &str| match value {
                Expr::String(wanted) => **wanted == *text,
                Expr::Regex(pattern) => pattern.matches(text),
                _ => false,
            };
            let is_negated = matches!(operator, Operator::NotEqual | Operator::MatchesNot);
            if &**name == "_name" {
                return known(measurement) != is_negated;
            }
            let values = database.tag_values(measurement, name);
            !values.is_empty() && values.iter().any(|value| known(value)) != is_negated
        }
        _ => false,
    }
}

/// The series that the condition admits; with a range those that have a point in one of its windows.
pub fn admitted(target: &Target, asked: &Where) -> Vec<Arc<Series>> {
    let mut series = target.series(asked.condition.as_ref());
    if asked.has_time() {
        let windows = target.all_windows(asked.range());
        series.retain(|one| windows.iter().any(|window| is_in(&**window, one)));
    }
    series
}

fn series(
    context: &Context<'_>,
    targets: &[Target],
    schema: &ShowSchema,
    (asked, pieces): (&Where, &Pieces),
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let mut keys: Vec<Box<[u8]>> = Vec::new();
    for target in targets {
        context.guard.check()?;
        let all = admitted(target, asked);
        context.hold(all.iter().map(|one| one.key.len() + 16).sum())?;
        keys.extend(all.iter().map(|one| one.key.clone()));
    }
    keys.sort();
    let keys = cut(keys, &schema.limits);
    let mut following = keys.chunks(pieces.rows_max).peekable();
    while let Some(piece) = following.next() {
        let rows = piece.iter().map(|key| vec![quote(&String::from_utf8_lossy(key))]).collect();
        let partial = pieces.marks && following.peek().is_some();
        sink.piece(Answered { partial, ..table("", &["key"], rows) })?;
    }
    Ok(())
}

/// Tags are looked up for the whole database as soon as a window lies in the range.
fn has_window(target: &Target, asked: &Where) -> bool {
    !asked.has_time() || !target.all_windows(asked.range()).is_empty()
}

pub fn tag_keys(target: &Target, asked: &Where) -> Vec<Arc<str>> {
    if !has_window(target, asked) {
        return Vec::new();
    }
    if asked.condition.is_none() {
        return target.database.tag_keys(&target.name);
    }
    let mut keys: BTreeSet<Arc<str>> = BTreeSet::new();
    for series in target.series(asked.condition.as_ref()) {
        keys.extend(series.tags.iter().map(|(key, _)| key.clone()));
    }
    keys.into_iter().collect()
}

/// WITH KEY, ready to ask.
pub enum Wanted {
    Names(Vec<String>, bool),
    Pattern(Pattern, bool),
}

impl Wanted {
    pub fn of(keys: &Keys) -> Result<Wanted, Fault> {
        Ok(match keys {
            Keys::Equal(name) => Wanted::Names(vec![name.clone()], true),
            Keys::NotEqual(name) => Wanted::Names(vec![name.clone()], false),
            Keys::In(names) => Wanted::Names(names.clone(), true),
            Keys::Matches(text) => Wanted::Pattern(Pattern::new(text)?, true),
            Keys::MatchesNot(text) => Wanted::Pattern(Pattern::new(text)?, false),
        })
    }

    fn has(&self, key: &str) -> bool {
        match self {
            Wanted::Names(names, wanted) => names.iter().any(|name| name == key) == *wanted,
            Wanted::Pattern(pattern, wanted) => pattern.matches(key) == *wanted,
        }
    }
}

/// Sorted by key, then value.
pub fn tag_values(
    target: &Target,
    wanted: Option<&Wanted>,
    asked: &Where,
) -> Vec<(Arc<str>, Arc<str>)> {
    if !has_window(target, asked) {
        return Vec::new();
    }
    let mut keys = target.database.tag_keys(&target.name);
    keys.retain(|key| wanted.is_none_or(|wanted| wanted.has(key)));
    if asked.condition.is_none() {
        let values = keys.into_iter().flat_map(|key| {
            let values = target.database.tag_values(&target.name, &key);
            values.into_iter().map(move |value| (key.clone(), value))
        });
        return values.collect();
    }
    let mut values: BTreeSet<(Arc<str>, Arc<str>)> = BTreeSet::new();
    for series in target.series(asked.condition.as_ref()) {
        let mine = series.tags.iter().filter(|(key, _)| keys.contains(key));
        values.extend(mine.cloned());
    }
    values.into_iter().collect()
}

/// A field that has several types over time has several rows, sorted by the types' names.
pub fn field_keys(target: &Target) -> Vec<Vec<String>> {
    let mut fields: BTreeSet<(Arc<str>, &'static str)> = BTreeSet::new();
    for window in target.windows(TimeRange::ALL) {
        let of = window.fields(&target.name).into_iter();
        fields.extend(of.map(|(name, kind)| (name, kind.name())));
    }
    fields.into_iter().map(|(name, kind)| vec![quote(&name), quote(kind)]).collect()
}
