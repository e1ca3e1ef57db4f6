//! Which series a condition admits, and what remains of it to be asked of each point.

use crate::store::influxql::expr::{Expr, Kind, Operator};
use crate::store::view::{Database, Series, SeriesId};

/// What a condition says of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    Always(bool),
    /// This decides for each point.
    Rest(Expr),
}

/// Tags are known for the whole series, fields are not.
pub fn of_series(expr: &Expr, series: &Series) -> Says {
    match expr {
        Expr::Boolean(value) => Says::Always(*value),
        Expr::Paren(inner) => of_series(inner, series),
        Expr::Binary { operator: operator @ (Operator::And | Operator::Or), left, right } => {
            let decides = *operator == Operator::Or;
            match (of_series(left, series), of_series(right, series)) {
                (Says::Always(one), _) | (_, Says::Always(one)) if one == decides => {
                    Says::Always(decides)
                }
                (Says::Always(_), other) | (other, Says::Always(_)) => other,
                (Says::Rest(left), Says::Rest(right)) => {
                    Says::Rest(Expr::binary(*operator, left, right))
                }
            }
        }
        Expr::Binary { operator, left, right } if operator.precedence() == 3 => {
            comparison(expr, *operator, left, right, series)
        }
        other => Says::Rest(other.clone()),
    }
}

fn comparison(
    whole: &Expr,
    operator: Operator,
    left: &Expr,
    right: &Expr,
    series: &Series,
) -> Says {
    let (name, kind, value) = match (left, right) {
        (Expr::Ref { name, kind }, value) | (value, Expr::Ref { name, kind }) => {
            (name, *kind, value)
        }
        _ => return Says::Rest(whole.clone()),
    };
    let is_field = matches!(kind, Kind::Value(_) | Kind::AnyField);
    let other_is_field = matches!(value, Expr::Ref { kind: Kind::Value(_) | Kind::AnyField, .. });
    if &**name == "_tagKey" {
        return Says::Always(true);
    }
    if &**name != "_name" && (is_field || other_is_field) {
        return Says::Rest(whole.clone());
    }
    let known = match &**name {
        "_name" => &*series.measurement,
        name => series.tag(name).unwrap_or_default(),
    };
    Says::Always(match (operator, value) {
        (Operator::Equal, Expr::String(text)) => known == &**text,
        (Operator::NotEqual, Expr::String(text)) => known != &**text,
        (Operator::Matches, Expr::Regex(pattern)) => pattern.matches(known),
        (Operator::MatchesNot, Expr::Regex(pattern)) => !pattern.matches(known),
        (_, Expr::Binary { .. } | Expr::Call { .. } | Expr::Paren(_)) => {
            return Says::Rest(whole.clone());
        }
        _ => false,
    })
}

/// A set of series that holds all that the condition can admit, sorted; `None` is all.
pub fn candidates(
    expr: &Expr,
    measurement: &str,
    database: &dyn Database,
) -> Option<Vec<SeriesId>> {
    match expr {
        Expr::Paren(inner) => candidates(inner, measurement, database),
        Expr::Boolean(false) => Some(Vec::new()),
        Expr::Binary { operator: Operator::And, left, right } => {
            let left = candidates(left, measurement, database);
            let right = candidates(right, measurement, database);
            match (left, right) {
                (Some(left), Some(right)) => Some(common(&left, &right)),
                (left, right) => left.or(right),
            }
        }
        Expr::Binary { operator: Operator::Or, left, right } => {
            let mut all = candidates(left, measurement, database)?;
            all.extend(candidates(right, measurement, database)?);
            all.sort_unstable();
            all.dedup();
            Some(all)
        }
        Expr::Binary { operator, left, right } => {
            let (name, kind, value) = match (&**left, &**right) {
                (Expr::Ref { name, kind }, value) | (value, Expr::Ref { name, kind }) => {
                    (name, kind, value)
                }
                _ => return None,
            };
            if !matches!(kind, Kind::Tag | Kind::Unknown) || name.starts_with('_') {
                return None;
            }
            by_tag(*operator, name, value, measurement, database)
        }
        _ => None,
    }
}

fn by_tag(
    operator: Operator,
    key: &str,
    value: &Expr,
    measurement: &str,
    database: &dyn Database,
) -> Option<Vec<SeriesId>> {
    let with = |wanted: &dyn Fn(&str) -> bool| {
        let mut all = Vec::new();
        for value in database.tag_values(measurement, key) {
            if wanted(&value) {
                all.extend(database.series_with(measurement, key, &value));
            }
        }
        all.sort_unstable();
        all
    };
    match (operator, value) {
        (Operator::Equal, Expr::String(text)) if !text.is_empty() => {
            Some(database.series_with(measurement, key, text))
        }
        (Operator::NotEqual, Expr::String(text)) if text.is_empty() => Some(with(&|_| true)),
        (Operator::Matches, Expr::Regex(pattern)) if !pattern.matches("") => {
            Some(with(&|value| pattern.matches(value)))
        }
        (Operator::MatchesNot, Expr::Regex(pattern)) if pattern.matches("") => {
            Some(with(&|value| !pattern.matches(value)))
        }
        _ => None,
    }
}

fn common(a: &[SeriesId], b: &[SeriesId]) -> Vec<SeriesId> {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    few.iter().filter(|id| many.binary_search(id).is_ok()).copied().collect()
}

/// The series of a measurement that the condition admits, each with what remains of it, sorted by id.
pub fn series(
    condition: Option<&Expr>,
    measurement: &str,
    database: &dyn Database,
) -> Vec<(std::sync::Arc<Series>, Option<Expr>)> {
    let ids = condition.and_then(|expr| candidates(expr, measurement, database));
    let ids = ids.unwrap_or_else(|| database.series_ids(measurement));
    let admitted = ids.into_iter().filter_map(|id| {
        let series = database.series(id);
        match condition.map(|expr| of_series(expr, &series)) {
            None | Some(Says::Always(true)) => Some((series, None)),
            Some(Says::Always(false)) => None,
            Some(Says::Rest(rest)) => Some((series, Some(rest))),
        }
    });
    admitted.collect()
}
