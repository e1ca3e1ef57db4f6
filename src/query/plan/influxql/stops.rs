//! Queries at which InfluxDB itself stops too early, at a place that depends on what else a server holds.
//!
//! A row of windows bears the beginning of its window, which may lie before the range of the query. A function
//! over all of that range, outside, ends at the first such row: not only for its series, but for all that follow, of
//! every measurement. What one server would say is therefore not what several say together. As observed of 1.6.7.

use super::spread::{is_time, times};
use crate::proto::influxql::{Expression, Operator, Select, Source};

/// Whether some function in `select` may end at a window that begins before the range.
pub fn stops_early(select: &Select) -> bool {
    looks(select, &[], false)
}

/// `outer` are the lower bounds of the queries around; `has_windows`: one of them has windows, which this one
/// takes over.
fn looks(select: &Select, outer: &[Expression], has_windows: bool) -> bool {
    let mut bounds = outer.to_vec();
    bounds.extend(select.condition.iter().flat_map(times).filter_map(|time| lower_bound(&time)));
    let has_windows = has_windows || !windows(select).is_empty();
    let inner = || {
        select.sources.iter().filter_map(|source| match source {
            Source::Subquery(inner) => Some(inner),
            Source::Measurement(_) => None,
        })
    };
    let computes = !has_windows && !bounds.is_empty() && calls(select);
    let risks = |inner: &Select| {
        rows_of(inner).iter().any(|every| !bounds.iter().all(|bound| is_multiple(bound, *every)))
    };
    inner().any(|inner| computes && risks(inner) || looks(inner, &bounds, has_windows))
}

/// The lengths in ns of the windows whose beginnings are times of the rows; 0 if it cannot be said.
fn rows_of(select: &Select) -> Vec<i64> {
    let own = windows(select);
    if !own.is_empty() || calls(select) {
        return own;
    }
    let inner = select.sources.iter().filter_map(|source| match source {
        Source::Subquery(inner) => Some(rows_of(inner)),
        Source::Measurement(_) => None,
    });
    inner.flatten().collect()
}

fn windows(select: &Select) -> Vec<i64> {
    let every = |dimension: &Expression| match dimension {
        Expression::Call { name, arguments } if name == "time" => match arguments.as_slice() {
            [Expression::Duration(every)] if select.zone.is_none() => Some(*every),
            _ => Some(0),
        },
        _ => None,
    };
    select.dimensions.iter().filter_map(every).collect()
}

fn calls(select: &Select) -> bool {
    let mut found = false;
    for field in &select.fields {
        field.expression.walk(&mut |inner| {
            found |= matches!(inner, Expression::Call { .. } | Expression::Distinct(_));
        });
    }
    found
}

/// The moment from which on a comparison with time holds. One that leaves it out, as `time > x`, gives the words
/// of the comparison: no multiple of anything.
fn lower_bound(time: &Expression) -> Option<Expression> {
    let Expression::Chain { first, rest } = time else { return None };
    let [(operator, right)] = rest.as_slice() else { return None };
    let (is_left, moment) = if is_time(first) { (true, right) } else { (false, &**first) };
    match operator {
        Operator::Equal => Some(moment.clone()),
        Operator::GreaterOrEqual if is_left => Some(moment.clone()),
        Operator::LessOrEqual if !is_left => Some(moment.clone()),
        Operator::Greater if is_left => Some(time.clone()),
        Operator::Less if !is_left => Some(time.clone()),
        _ => None,
    }
}

fn is_multiple(moment: &Expression, every_ns: i64) -> bool {
    every_ns > 0 && number(moment).is_some_and(|ns| ns % i128::from(every_ns) == 0)
}

/// A moment that is written in numbers, in ns.
fn number(moment: &Expression) -> Option<i128> {
    match moment {
        Expression::Integer(ns) | Expression::Duration(ns) => Some(i128::from(*ns)),
        Expression::Parenthesis(inner) => number(inner),
        Expression::Chain { first, rest } => {
            rest.iter().try_fold(number(first)?, |sum, (operator, right)| match operator {
                Operator::Add => Some(sum + number(right)?),
                Operator::Subtract => Some(sum - number(right)?),
                _ => None,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::stops_early;
    use crate::proto::influxql::{Params, Statement, parse};

    fn stops(text: &str) -> bool {
        match parse(text, &Params::default()).unwrap().remove(0) {
            Statement::Select(select) => stops_early(&select),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_function_over_a_range_that_cuts_windows_stops_early() {
        let windows = "SELECT max(v) AS m FROM a, b GROUP BY time(10m)";
        for text in [
            format!("SELECT mean(m) FROM ({windows}) WHERE time >= 61s"),
            format!("SELECT mean(m) FROM ({windows}) WHERE time > 600s"),
            format!("SELECT mean(m) FROM ({windows}) WHERE time > now() - 6h GROUP BY host"),
            format!("SELECT mean(m) FROM ({windows}) WHERE 1200s + 1s <= time"),
            format!("SELECT mean(m) FROM ({windows} tz('Europe/Berlin')) WHERE time >= 600s"),
            format!("SELECT mean(m) FROM (SELECT m FROM ({windows})) WHERE time >= 61s"),
            format!("SELECT m FROM (SELECT mean(m) AS m FROM ({windows})) WHERE time >= 61s"),
        ] {
            assert!(stops(&text), "{text}");
        }
        for text in [
            windows.to_owned(),
            format!("SELECT mean(m) FROM ({windows})"),
            format!("SELECT mean(m) FROM ({windows}) WHERE time < 61s"),
            format!("SELECT mean(m) FROM ({windows}) WHERE time >= 1200s"),
            format!("SELECT mean(m) FROM ({windows}) WHERE time >= 61s GROUP BY time(1h)"),
            format!("SELECT m FROM ({windows}) WHERE time >= 61s"),
            "SELECT mean(m) FROM (SELECT max(v) AS m FROM a GROUP BY host) WHERE time >= 61s"
                .to_owned(),
        ] {
            assert!(!stops(&text), "{text}");
        }
    }
}
