//! A statement as each of several backends must be asked it, and how their answers become one.
//!
//! Backends have clocks and answer at different moments, so `now()` becomes one number. A limit that counts rows of
//! all measurements is for the merger: a backend is asked for as many rows as could be wanted of it.

use super::super::Refusal;
use super::stops::stops_early;
use crate::proto::influxql::{
    Expression, Limits, Operator, Select, Show, ShowSchema, Source, Statement, Subject,
};
use crate::query::merge::influxql::{Key, Way};

/// Seconds from the year 1, from which InfluxDB counts windows of `time(..., now())`, to 1970.
const YEAR_ONE_S: i128 = 62_135_596_800;

/// How the answers of several backends to this statement are merged.
pub fn way(statement: &Statement, piece_rows: usize) -> Result<Way, Refusal> {
    match statement {
        Statement::Select(select) => {
            if stops_early(select) {
                return Err(never(
                    "a function over windows of which the first begins before the range",
                ));
            }
            let descending = select.order.is_some_and(|order| order.descending);
            Ok(Way::Side { descending })
        }
        Statement::Show(Show::Schema(schema)) => way_of_schema(schema, piece_rows),
        Statement::Show(_) => Ok(Way::Equal),
        Statement::Explain { .. } => {
            Err(never("EXPLAIN tells of one backend, and the query reads several"))
        }
        _ => Err(Refusal::not_yet("a statement for all backends beside others")),
    }
}

fn never(why: &str) -> Refusal {
    Refusal::CannotMerge { why: why.to_owned() }
}

fn way_of_schema(schema: &ShowSchema, piece_rows: usize) -> Result<Way, Refusal> {
    if schema.cardinality.is_some() {
        let is_open = |dimension: &Expression| {
            matches!(dimension, Expression::Wildcard(_) | Expression::Regex(_))
        };
        if schema.dimensions.iter().any(is_open) {
            return Err(never("GROUP BY of all tag keys in SHOW CARDINALITY"));
        }
        return Ok(Way::Sum);
    }
    let is_timed = schema.condition.as_ref().is_some_and(|condition| !times(condition).is_empty());
    if is_timed && schema.subject != Subject::Measurements && schema.subject != Subject::FieldKeys {
        // A server looks whether any of its windows is in the range, whatever measurement filled it.
        return Err(never("SHOW with a time range over several measurements"));
    }
    let Limits { limit, offset, .. } = schema.limits;
    let limit = limit.filter(|limit| *limit > 0);
    let rows = |key| Way::Rows { key, offset: offset.unwrap_or(0), limit, piece_rows };
    match schema.subject {
        Subject::Measurements => Ok(rows(Key::Name)),
        Subject::Series => Ok(rows(Key::SeriesKey)),
        Subject::FieldKeys if schema.order.is_some_and(|order| order.descending) => {
            Err(never("SHOW FIELD KEYS in descending order, which follows no rule"))
        }
        Subject::TagKeys | Subject::TagValues | Subject::FieldKeys => Ok(Way::Union),
    }
}

/// Whether chunks of the statement's answer say that others follow: not if the server lists without a query.
pub fn marks_partial(statement: &Statement) -> bool {
    match statement {
        Statement::Show(Show::Schema(schema)) => {
            schema.cardinality.is_some()
                || matches!(schema.subject, Subject::Series | Subject::FieldKeys)
        }
        Statement::Show(_) => false,
        _ => true,
    }
}

/// Writes the statement for several backends: one `now`, in ns since 1970, and limits that the merger can hold.
pub fn spread(statement: &mut Statement, now_ns: i64) {
    match statement {
        Statement::Select(select) => pin(select, now_ns, false),
        Statement::Show(Show::Schema(schema)) => {
            if let Some(condition) = &mut schema.condition {
                pin_condition(condition, now_ns);
            }
            let is_list = matches!(schema.subject, Subject::Measurements | Subject::Series);
            if is_list && schema.cardinality.is_none() {
                widen(&mut schema.limits);
            }
        }
        _ => {}
    }
}

/// The first rows, as many as all backends together could be asked for.
fn widen(limits: &mut Limits) {
    let offset = limits.offset.take().unwrap_or(0);
    limits.limit = limits.limit.filter(|limit| *limit > 0).map(|limit| {
        // A limit beyond what the backends can read is none.
        limit.saturating_add(offset).min(i64::MAX.unsigned_abs())
    });
}

/// `is_bounded`: a query around this one says until when.
fn pin(select: &mut Select, now_ns: i64, is_bounded: bool) {
    let mut has_windows = false;
    for dimension in &mut select.dimensions {
        if let Expression::Call { name, arguments } = dimension
            && name == "time"
        {
            has_windows = true;
            pin_offset(arguments, now_ns);
        }
    }
    let mut is_bounded = is_bounded;
    if let Some(condition) = &mut select.condition {
        pin_condition(condition, now_ns);
        is_bounded |= times(condition).iter().any(is_upper);
    }
    if has_windows && !is_bounded {
        // Without an upper bound, windows end with now.
        let until = compared("time", Operator::LessOrEqual, Expression::Integer(now_ns));
        select.condition = Some(match select.condition.take() {
            None => until,
            Some(condition) => also(condition, until),
        });
        is_bounded = true;
    }
    for source in &mut select.sources {
        if let Source::Subquery(inner) = source {
            pin(inner, now_ns, is_bounded);
        }
    }
}

/// `(a) AND b`.
fn also(a: Expression, b: Expression) -> Expression {
    let first = Box::new(Expression::Parenthesis(Box::new(a)));
    Expression::Chain { first, rest: vec![(Operator::And, b)] }
}

pub(super) fn compared(name: &str, operator: Operator, with: Expression) -> Expression {
    let first = Box::new(Expression::Reference { name: name.to_owned(), kind: None });
    Expression::Chain { first, rest: vec![(operator, with)] }
}

/// `time(5m, now())`: the offset that it means.
fn pin_offset(arguments: &mut [Expression], now_ns: i64) {
    if let [Expression::Duration(every), offset] = arguments
        && is_now(offset)
        && *every > 0
    {
        let since_year_one = YEAR_ONE_S * 1_000_000_000 + i128::from(now_ns);
        let rest = since_year_one.rem_euclid(i128::from(*every));
        *offset = Expression::Duration(i64::try_from(rest).unwrap_or(0));
    }
}

fn is_now(expression: &Expression) -> bool {
    matches!(expression, Expression::Call { name, arguments } if name == "now" && arguments.is_empty())
}

pub(super) fn is_time(expression: &Expression) -> bool {
    matches!(expression, Expression::Reference { name, .. } if name.eq_ignore_ascii_case("time"))
}

/// All comparisons with time in a condition, wherever they stand: InfluxDB takes them all out, and all must hold.
pub(super) fn times(condition: &Expression) -> Vec<Expression> {
    let mut found = Vec::new();
    condition.walk(&mut |inner| {
        if let Expression::Chain { first, rest } = inner
            && let [(operator, right)] = rest.as_slice()
            && operator.precedence() == 3
            && (is_time(first) || is_time(right))
        {
            found.push(inner.clone());
        }
    });
    found
}

/// Whether a comparison with time says until when.
fn is_upper(time: &Expression) -> bool {
    let Expression::Chain { first, rest } = time else { return false };
    let is_left = is_time(first);
    rest.iter().any(|(operator, _)| match operator {
        Operator::Equal => true,
        Operator::Less | Operator::LessOrEqual => is_left,
        Operator::Greater | Operator::GreaterOrEqual => !is_left,
        _ => false,
    })
}

/// `now()` and `now() - 1h` beside `time` become numbers; where it means nothing it stays, and so does its error.
fn pin_condition(condition: &mut Expression, now_ns: i64) {
    match condition {
        Expression::Parenthesis(inner) => pin_condition(inner, now_ns),
        Expression::Chain { first, rest } => {
            if let [(operator, right)] = rest.as_mut_slice()
                && operator.precedence() == 3
            {
                if is_time(first) {
                    pin_moment(right, now_ns);
                } else if is_time(right) {
                    pin_moment(first, now_ns);
                }
                return;
            }
            pin_condition(first, now_ns);
            rest.iter_mut().for_each(|(_, inner)| pin_condition(inner, now_ns));
        }
        _ => {}
    }
}

fn pin_moment(moment: &mut Expression, now_ns: i64) {
    if is_now(moment) {
        *moment = Expression::Integer(now_ns);
        return;
    }
    match moment {
        Expression::Parenthesis(inner) => pin_moment(inner, now_ns),
        Expression::Chain { first, rest } => {
            let sums = |(operator, _): &(Operator, Expression)| {
                matches!(operator, Operator::Add | Operator::Subtract)
            };
            if is_now(first) && rest.iter().all(sums) {
                **first = Expression::Integer(now_ns);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
