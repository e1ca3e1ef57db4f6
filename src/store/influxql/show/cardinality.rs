//! SHOW ... CARDINALITY: how many there are.

use super::schema::{Wanted, admitted, field_keys, has, tag_keys, tag_values};
use super::scope::{self, Target, Where, is_in};
use super::{cut, table};
use crate::proto::influxql::{Expression, ShowSchema, Subject};
use crate::proto::results::Series as Answered;
use crate::store::influxql::expr::Pattern;
use crate::store::influxql::fault::Fault;
use crate::store::influxql::read::mapping::Context;
use crate::store::influxql::rows::emit::Sink;
use crate::store::influxql::select::Defaults;
use crate::store::view::TimeRange;
use std::collections::{BTreeMap, BTreeSet};

pub fn run(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    schema: &ShowSchema,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let name = scope::database(schema.database.as_deref(), defaults.database)?;
    let asked = scope::condition(context, schema.condition.as_ref())?;
    let is_plain = schema.sources.is_empty()
        && schema.condition.is_none()
        && schema.dimensions.is_empty()
        && schema.limits == Default::default();
    let exact = schema.cardinality == Some(true);
    let can_guess = matches!(schema.subject, Subject::Series | Subject::Measurements);
    if can_guess && !exact && is_plain {
        return estimated(context, name, schema.subject, sink);
    }
    if asked.has_time() {
        return Err(Fault::Text(format!(
            "SHOW {} doesn't support time in WHERE clause",
            words(schema.subject, exact)
        )));
    }
    context.database(name)?;
    let targets = scope::targets(context, name, &schema.sources)?;
    if schema.subject == Subject::Measurements {
        let count = targets.iter().filter(|target| is_there(target, &asked)).count();
        return one("", "count", count, sink);
    }
    let keys = dimensions(&schema.dimensions, &targets)?;
    for target in &targets {
        context.guard.check()?;
        if schema.subject == Subject::Series {
            series(target, &keys, schema, &asked, sink)?;
            continue;
        }
        let has_windows = !target.windows(TimeRange::ALL).is_empty();
        let count = match schema.subject {
            _ if !has_windows
                || !is_there(target, &Where { condition: None, bounds: asked.bounds }) =>
            {
                0
            }
            Subject::TagKeys => tag_keys(target, &asked).len(),
            Subject::FieldKeys => {
                let mut names: Vec<String> =
                    field_keys(target).into_iter().map(|mut row| row.swap_remove(0)).collect();
                names.dedup();
                names.len()
            }
            _ => {
                let keys = schema.keys.as_ref().map(Wanted::of).transpose()?;
                tag_values(target, keys.as_ref(), &asked).len()
            }
        };
        if count > 0 {
            one(&target.name, "count", count, sink)?;
        }
    }
    Ok(())
}

fn words(subject: Subject, exact: bool) -> String {
    let what = match subject {
        Subject::Measurements => "MEASUREMENT",
        Subject::Series => "SERIES",
        Subject::TagKeys => "TAG KEY",
        Subject::TagValues => "TAG VALUES",
        Subject::FieldKeys => "FIELD KEY",
    };
    // What has no form that guesses is always called by the exact one, but for fields.
    let is_exact = exact || subject != Subject::FieldKeys;
    format!("{what}{} CARDINALITY", if is_exact { " EXACT" } else { "" })
}

fn one(name: &str, column: &str, count: usize, sink: &mut dyn Sink) -> Result<(), Fault> {
    sink.piece(table(name, &[column], vec![vec![count.to_string()]]))
}

fn estimated(
    context: &Context<'_>,
    name: &str,
    subject: Subject,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let count = match context.catalog.database(name) {
        None => 0,
        Some(database) => {
            let names = database.measurements();
            match subject {
                Subject::Measurements => names.len(),
                _ => names.iter().map(|name| database.series_ids(name).len()).sum(),
            }
        }
    };
    one("", "cardinality estimation", count, sink)
}

/// Whether a measurement has a point in the policy that is meant, and fulfils the condition.
fn is_there(target: &Target, asked: &Where) -> bool {
    let in_policy =
        target.windows(TimeRange::ALL).iter().any(|window| !window.fields(&target.name).is_empty());
    in_policy
        && asked.condition.as_ref().is_none_or(|expr| has(expr, &target.name, &*target.database))
}

/// A series counts once in each window that has a point of it.
fn series(
    target: &Target,
    keys: &[String],
    schema: &ShowSchema,
    asked: &Where,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let windows = target.windows(TimeRange::ALL);
    let mut groups: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for series in admitted(target, asked) {
        let count = windows.iter().filter(|window| is_in(&***window, &series)).count();
        if count > 0 {
            let group = keys.iter().map(|key| series.tag(key).unwrap_or_default().to_owned());
            *groups.entry(group.collect()).or_default() += count;
        }
    }
    for (values, count) in groups {
        let rows = cut(vec![vec![count.to_string()]], &schema.limits);
        if rows.is_empty() {
            continue;
        }
        let tags = keys.iter().cloned().zip(values).collect();
        sink.piece(Answered { tags, ..table(&target.name, &["count"], rows) })?;
    }
    Ok(())
}

/// The tags that GROUP BY means, sorted; expressions among them mean those of all measurements.
fn dimensions(said: &[Expression], targets: &[Target]) -> Result<Vec<String>, Fault> {
    let mut keys: BTreeSet<String> = BTreeSet::new();
    for one in said {
        let pattern = match one {
            Expression::Reference { name, .. } => {
                keys.insert(name.clone());
                continue;
            }
            Expression::Regex(text) => Some(Pattern::new(text)?),
            Expression::Wildcard(_) => None,
            _ => continue,
        };
        let known = targets.iter().flat_map(|target| target.database.tag_keys(&target.name));
        let meant = known.filter(|key| pattern.as_ref().is_none_or(|one| one.matches(key)));
        keys.extend(meant.map(|key| key.to_string()));
    }
    Ok(keys.into_iter().collect())
}
