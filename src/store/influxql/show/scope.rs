//! Which database and which measurements a statement speaks of, and which of their series.

use crate::proto::influxql::{self as ast, MeasurementName, Source};
use crate::store::influxql::expr::condition::{Bounds, MAX_NS, MIN_NS, split};
use crate::store::influxql::expr::fold::Clock;
use crate::store::influxql::expr::{Expr, Kind, Operator, Pattern};
use crate::store::influxql::fault::Fault;
use crate::store::influxql::read::filter;
use crate::store::influxql::read::mapping::Context;
use crate::store::view::{Database, Direction, Series, TimeRange, Window};
use std::sync::Arc;

/// A measurement, and the policy that was said.
pub struct Target {
    pub database: Arc<dyn Database>,
    pub policy: Option<String>,
    pub name: Arc<str>,
}

/// ON, or the request's own.
pub fn database<'d>(said: Option<&'d str>, default: &'d str) -> Result<&'d str, Fault> {
    match said.unwrap_or(default) {
        "" => Err(Fault::text("database name required")),
        name => Ok(name),
    }
}

/// All measurements that the sources mean, sorted; without sources all of the database.
pub fn targets(
    context: &Context<'_>,
    name: &str,
    sources: &[Source],
) -> Result<Vec<Target>, Fault> {
    let mut targets: Vec<Target> = Vec::new();
    let mut add = |database: &Arc<dyn Database>, policy: Option<&String>, name: Arc<str>| {
        if !targets.iter().any(|target| target.name == name) {
            targets.push(Target { database: database.clone(), policy: policy.cloned(), name });
        }
    };
    if sources.is_empty() {
        let database = context.database(name)?;
        database.measurements().into_iter().for_each(|name| add(&database, None, name));
    }
    for source in sources {
        let Source::Measurement(measurement) = source else { continue };
        let named = measurement.database.as_deref().unwrap_or(name);
        let database = context.database(named)?;
        let policy = measurement.policy.as_ref();
        match &measurement.name {
            MeasurementName::Name(name) => {
                let known = database.measurements();
                if let Ok(at) = known.binary_search_by(|one| (**one).cmp(name)) {
                    add(&database, policy, known[at].clone());
                }
            }
            MeasurementName::Regex(text) => {
                let pattern = Pattern::new(text)?;
                let all = database.measurements().into_iter();
                all.filter(|name| pattern.matches(name))
                    .for_each(|name| add(&database, policy, name));
            }
            MeasurementName::OfSource => {}
        }
    }
    targets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(targets)
}

impl Target {
    /// The windows of its policy in a range.
    pub fn windows(&self, range: TimeRange) -> Vec<Arc<dyn Window>> {
        let policy = self.policy.clone().unwrap_or_else(|| self.database.default_policy());
        self.database.windows(&policy, range)
    }

    /// The windows of all policies in a range.
    pub fn all_windows(&self, range: TimeRange) -> Vec<Arc<dyn Window>> {
        let policies = self.database.policies().into_iter();
        policies.flat_map(|policy| self.database.windows(&policy.name, range)).collect()
    }

    pub fn series(&self, condition: Option<&Expr>) -> Vec<Arc<Series>> {
        let admitted = filter::series(condition, &self.name, &*self.database);
        admitted.into_iter().filter(|(_, rest)| rest.is_none()).map(|(series, _)| series).collect()
    }
}

/// Whether a window has a point of the series.
pub fn is_in(window: &dyn Window, series: &Series) -> bool {
    window.fields(&series.measurement).iter().any(|(field, _)| {
        window.read(series, field, TimeRange::ALL, Direction::Ascending).is_some()
    })
}

/// WHERE of a statement that knows tags only.
pub struct Where {
    pub condition: Option<Expr>,
    pub bounds: Bounds,
}

impl Where {
    pub fn has_time(&self) -> bool {
        self.bounds != Bounds::default()
    }

    pub fn range(&self) -> TimeRange {
        TimeRange {
            min_ns: self.bounds.min_ns.unwrap_or(MIN_NS),
            max_ns: self.bounds.max_ns.unwrap_or(MAX_NS),
        }
    }
}

pub fn condition(
    context: &Context<'_>,
    expression: Option<&ast::Expression>,
) -> Result<Where, Fault> {
    let Some(expression) = expression else {
        return Ok(Where { condition: None, bounds: Bounds::default() });
    };
    let expr = crate::store::influxql::answer::condition(expression)?;
    let clock = Clock { now_ns: Some(context.now_ns), zone: None };
    let (condition, bounds) = split(&expr, clock)?;
    let mut is_bad = false;
    let condition = condition.map(|mut expr| {
        expr.walk_mut(&mut |one| match one {
            Expr::Ref { kind, .. } => *kind = Kind::Tag,
            Expr::Binary { operator, .. } => {
                is_bad |= !matches!(
                    operator,
                    Operator::And
                        | Operator::Or
                        | Operator::Equal
                        | Operator::NotEqual
                        | Operator::Matches
                        | Operator::MatchesNot
                );
            }
            _ => {}
        });
        expr
    });
    if is_bad {
        return Err(Fault::text("invalid tag comparison operator"));
    }
    Ok(Where { condition, bounds })
}
