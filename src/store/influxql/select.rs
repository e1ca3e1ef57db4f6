//! SELECT, from its text to its rows.

use super::fault::Fault;
use super::plan::compile::{compile, range};
use super::plan::options::Options;
use super::plan::rewrite::rewrite;
use super::plan::select::{Measurement, Name, Select, Source};
use super::read::mapping::{Context, Mapping};
use super::rows::cursor::{self, Cursor};
use super::rows::emit::{self, Pieces, Sink};
use super::rows::text::Times;
use crate::proto::influxql as ast;
use crate::store::influxql::expr::{Expr, Pattern, condition};
use crate::store::view::TimeRange;

/// What the request says beside its text.
pub struct Defaults<'q> {
    pub database: &'q str,
    pub policy: &'q str,
}

/// Finds the database and the policy of a measurement.
pub fn resolve(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    measurement: &ast::Measurement,
) -> Result<Measurement, Fault> {
    let name = match &measurement.name {
        ast::MeasurementName::Name(name) => Name::Exact(name.as_str().into()),
        ast::MeasurementName::Regex(text) => Name::Matching(Pattern::new(text)?),
        ast::MeasurementName::OfSource => Name::Exact("".into()),
    };
    super::plan::rewrite::refuse_system(&name)?;
    let said = measurement.database.as_deref();
    let database = said.unwrap_or(defaults.database).to_owned();
    if database.is_empty() {
        return Err(Fault::text("database name required"));
    }
    let found = context.database(&database)?;
    let policy = match &measurement.policy {
        Some(policy) => policy.clone(),
        None if said.is_none() && !defaults.policy.is_empty() => defaults.policy.to_owned(),
        None => found.default_policy(),
    };
    if policy.is_empty() {
        return Err(Fault::Text(format!("default retention policy not set for: {database}")));
    }
    if !found.policies().iter().any(|known| known.name == policy) {
        return Err(Fault::Text(format!("retention policy not found: {policy}")));
    }
    Ok(Measurement { database, policy, name })
}

/// Checked, typed, without wildcards.
pub struct Planned {
    pub select: Select,
    pub mapping: Mapping,
    pub options: Options,
}

pub fn plan(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    select: &ast::Select,
) -> Result<Planned, Fault> {
    let mut select = Select::of(select, &|measurement| resolve(context, defaults, measurement))?;
    compile(&mut select, context.now_ns)?;
    let (start, end) = range(&select, context.now_ns);
    let mapping = Mapping::new(context, &select, widened(&select, (start, end)))?;
    rewrite(&mut select, &mapping)?;
    let options = Options::new(&select, (start, end));
    Ok(Planned { select, mapping, options })
}

/// Transforms look further back than the range.
fn widened(select: &Select, (start, end): (i64, i64)) -> TimeRange {
    let extra = extra_windows(select);
    let by = extra.saturating_mul(select.interval_ns);
    let (mut min_ns, mut max_ns) = (start, end);
    if select.ascending {
        min_ns = min_ns.saturating_sub(by).max(condition::MIN_NS);
    } else {
        max_ns = max_ns.saturating_add(by).min(condition::MAX_NS);
    }
    TimeRange { min_ns, max_ns }
}

fn extra_windows(select: &Select) -> i64 {
    let mut extra = 0;
    for field in &select.fields {
        field.expr.walk(&mut |expr| {
            if let Expr::Call { name, .. } = expr
                && super::plan::functions::is_transform(name)
            {
                extra = 1;
            }
        });
    }
    let inner = select.sources.iter().map(|source| match source {
        Source::Subquery(inner) => extra_windows(inner),
        Source::Measurement(_) => 0,
    });
    inner.max().unwrap_or(0).max(extra)
}

pub fn open<'a>(context: &'a Context<'a>, planned: &'a Planned) -> Result<Cursor<'a>, Fault> {
    cursor::open(context, &planned.mapping, &planned.select, &planned.options)
}

/// Answers a SELECT that writes nothing.
pub fn answer(
    context: &Context<'_>,
    planned: &Planned,
    times: &Times,
    pieces: &Pieces,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let times = match times {
        Times::Text(_) => Times::Text(planned.select.zone.clone()),
        other => other.clone(),
    };
    let mut cursor = open(context, planned)?;
    let columns = planned.select.columns();
    emit::all(&mut cursor, &columns, &times, pieces, context.guard, sink)
}
