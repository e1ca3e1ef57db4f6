//! WHERE, taken apart: one range of time, and a condition on the rest.

use super::fold::{Clock, fold, time_literal};
use super::{Expr, Operator, is_time};
use crate::proto::moment;

/// Bounds as they were said; both ends inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    pub min_ns: Option<i64>,
    pub max_ns: Option<i64>,
}

pub const MIN_NS: i64 = i64::MIN + 2;
pub const MAX_NS: i64 = i64::MAX - 1;

impl Bounds {
    pub fn and(self, other: Bounds) -> Bounds {
        let pick = |a: Option<i64>, b: Option<i64>, of: fn(i64, i64) -> i64| match (a, b) {
            (Some(a), Some(b)) => Some(of(a, b)),
            (a, b) => a.or(b),
        };
        Bounds {
            min_ns: pick(self.min_ns, other.min_ns, i64::max),
            max_ns: pick(self.max_ns, other.max_ns, i64::min),
        }
    }
}

/// Every comparison with time, wherever it stands, narrows one range: there is no OR over time.
pub fn split(expr: &Expr, clock: Clock<'_>) -> Result<(Option<Expr>, Bounds), String> {
    match expr {
        Expr::Binary { operator: operator @ (Operator::And | Operator::Or), left, right } => {
            let (left, left_bounds) = split(left, clock)?;
            let (right, right_bounds) = split(right, clock)?;
            let bounds = left_bounds.and(right_bounds);
            let both = match (left, right) {
                (Some(left), Some(right)) => {
                    Some(fold(Expr::binary(*operator, left, right), Clock::default()))
                }
                (left, right) => left.or(right),
            };
            Ok((both, bounds))
        }
        Expr::Binary { operator, left, right } => match (&**left, &**right) {
            (Expr::Ref { name, .. }, value) if is_time(name) => {
                Ok((None, bounds(*operator, value, clock)?))
            }
            (value, Expr::Ref { name, .. }) if is_time(name) => {
                Ok((None, bounds(mirrored(*operator), value, clock)?))
            }
            _ => Ok((Some(fold(expr.clone(), clock)), Bounds::default())),
        },
        Expr::Paren(inner) => {
            let (inner, bounds) = split(inner, clock)?;
            let inner = inner.map(|inner| fold(Expr::Paren(Box::new(inner)), Clock::default()));
            Ok((inner, bounds))
        }
        Expr::Boolean(_) => Ok((Some(expr.clone()), Bounds::default())),
        other => Err(format!("invalid condition expression: {other}")),
    }
}

fn mirrored(operator: Operator) -> Operator {
    match operator {
        Operator::Less => Operator::Greater,
        Operator::LessOrEqual => Operator::GreaterOrEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterOrEqual => Operator::LessOrEqual,
        other => other,
    }
}

fn bounds(operator: Operator, value: &Expr, clock: Clock<'_>) -> Result<Bounds, String> {
    let value = match value {
        Expr::String(text) => match time_literal(text, clock) {
            Some(moment) => Expr::Time(moment?),
            None => value.clone(),
        },
        _ => value.clone(),
    };
    let at = match fold(value, clock) {
        Expr::Time(at) => within(at)?,
        Expr::Duration(ns) | Expr::Integer(ns) => ns,
        Expr::Number(number) => number as i64,
        other => {
            let of = other.go_type();
            return Err(format!("invalid operation: time and {of} are not compatible"));
        }
    };
    let mut bounds = Bounds::default();
    match operator {
        Operator::Greater => bounds.min_ns = Some(at.saturating_add(1)),
        Operator::GreaterOrEqual => bounds.min_ns = Some(at),
        Operator::Less => bounds.max_ns = Some(at.saturating_sub(1)),
        Operator::LessOrEqual => bounds.max_ns = Some(at),
        Operator::Equal => (bounds.min_ns, bounds.max_ns) = (Some(at), Some(at)),
        other => return Err(format!("invalid time comparison operator: {}", other.text())),
    }
    Ok(bounds)
}

fn within(at: i128) -> Result<i64, String> {
    let fault = |word: &str| {
        let whole = at.div_euclid(1_000_000_000);
        Err(format!("time {} {word} time literal", seconds(whole)))
    };
    if at > i128::from(MAX_NS) {
        return fault("overflows");
    }
    if at < i128::from(MIN_NS) + 1 {
        return fault("underflows");
    }
    Ok(i64::try_from(at).expect("checked"))
}

/// RFC 3339 of a second that may lie outside of what a point may have.
fn seconds(since_1970: i128) -> String {
    // Whole cycles of 400 years have the same calendar; the one nearest to 1970 can be printed.
    const CYCLE_SECONDS: i128 = 146_097 * 86_400;
    let cycles = (since_1970 + CYCLE_SECONDS / 2).div_euclid(CYCLE_SECONDS);
    let near = i64::try_from(since_1970 - cycles * CYCLE_SECONDS).unwrap_or(0);
    let text = moment::text(near * 1_000_000_000);
    let year: i128 = text[..4].parse().unwrap_or(0);
    format!("{:04}{}", year + cycles * 400, &text[4..])
}
