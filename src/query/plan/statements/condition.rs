//! WHERE of a statement that removes: which times, and which series.

use super::Delete;
use crate::base::time::UnixNanos;
use crate::proto::influxql::{
    Expression, Operator, Removal, Source, Statement, identifier, quoted,
};
use crate::proto::moment;

/// The first and the last moment that a point can have.
pub const TIME_MIN: i64 = i64::MIN + 2;
pub const TIME_MAX: i64 = i64::MAX - 1;

/// A condition, as far as backends of 2.x can be told it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Plain(Plain),
    /// More than comparisons joined by AND.
    Else,
}

/// Times between two moments, and tags that are, or are not, equal to something.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plain {
    start_ns: i128,
    stop_ns: i128,
    tags: Vec<(String, bool, String)>,
}

/// What one comparison says.
enum Term {
    Times(i128, i128),
    Tag(String, bool, String),
    Else,
}

impl Condition {
    /// Errors are InfluxDB's own, for times that are none.
    pub(super) fn of(condition: Option<&Expression>) -> Result<Condition, String> {
        let mut plain =
            Plain { start_ns: TIME_MIN.into(), stop_ns: TIME_MAX.into(), tags: Vec::new() };
        let mut is_plain = true;
        let mut terms = Vec::new();
        condition.inspect(|condition| flatten(condition, &mut terms));
        for part in terms {
            match term(part)? {
                Term::Times(start, stop) => {
                    plain.start_ns = plain.start_ns.max(start);
                    plain.stop_ns = plain.stop_ns.min(stop);
                }
                Term::Tag(key, is_equal, value) => plain.tags.push((key, is_equal, value)),
                Term::Else => is_plain = false,
            }
        }
        Ok(if is_plain { Condition::Plain(plain) } else { Condition::Else })
    }

    /// The first and the last moment, as far as that is known.
    pub(super) fn span(&self) -> (i64, i64) {
        match self {
            Condition::Plain(plain) => (cut(plain.start_ns), cut(plain.stop_ns)),
            Condition::Else => (TIME_MIN, TIME_MAX),
        }
    }
}

impl Plain {
    /// No moment is left.
    pub(super) fn is_empty(&self) -> bool {
        self.start_ns > self.stop_ns
    }

    /// As 2.x wants it.
    pub(super) fn predicate(&self, measurement: Option<&str>) -> String {
        let measurement = measurement.map(|name| format!("_measurement={}", quoted(name, '"')));
        let tag = |(key, is_equal, value): &(String, bool, String)| {
            let operator = if *is_equal { "=" } else { "!=" };
            format!("{}{operator}{}", identifier(key), quoted(value, '"'))
        };
        let parts: Vec<String> = measurement.into_iter().chain(self.tags.iter().map(tag)).collect();
        parts.join(" AND ")
    }
}

/// Puts the moment of arrival in the place of `now()`.
pub(super) fn pin(expression: Expression, now: UnixNanos) -> Expression {
    match expression {
        Expression::Call { name, arguments } if name == "now" && arguments.is_empty() => {
            Expression::String(moment::text(now.0))
        }
        Expression::Call { name, arguments } => {
            let arguments = arguments.into_iter().map(|argument| pin(argument, now)).collect();
            Expression::Call { name, arguments }
        }
        Expression::Parenthesis(inner) => Expression::Parenthesis(Box::new(pin(*inner, now))),
        Expression::Chain { first, rest } => Expression::Chain {
            first: Box::new(pin(*first, now)),
            rest: rest.into_iter().map(|(operator, part)| (operator, pin(part, now))).collect(),
        },
        other => other,
    }
}

/// Whether times are compared anywhere.
pub(super) fn names_time(condition: &Expression) -> bool {
    let mut has_time = false;
    condition.walk(&mut |expression| has_time |= is_time(expression));
    has_time
}

/// The same as a condition of 1.x; nothing where all points of all series are meant.
pub(super) fn of_predicate(delete: &Delete<'_>) -> Option<Expression> {
    let mut parts = Vec::new();
    let reference = |name: &str| Expression::Reference { name: name.to_owned(), kind: None };
    let mut compare = |left: Expression, operator: Operator, right: Expression| {
        parts.push(Expression::Chain { first: Box::new(left), rest: vec![(operator, right)] });
    };
    for one in delete.predicate.iter().filter(|one| one.key != "_measurement") {
        let operator = if one.is_equal { Operator::Equal } else { Operator::NotEqual };
        compare(reference(&one.key), operator, Expression::String(one.value.clone()));
    }
    if delete.start_ns > TIME_MIN {
        let from = Expression::Integer(delete.start_ns);
        compare(reference("time"), Operator::GreaterOrEqual, from);
    }
    if delete.stop_ns < TIME_MAX {
        let to = Expression::Integer(delete.stop_ns);
        compare(reference("time"), Operator::LessOrEqual, to);
    }
    let mut parts = parts.into_iter();
    let first = parts.next()?;
    let rest: Vec<_> = parts.map(|part| (Operator::And, part)).collect();
    Some(if rest.is_empty() { first } else { Expression::Chain { first: Box::new(first), rest } })
}

/// DELETE of 1.x, which always says what of: with nothing to say, of all measurements.
pub(super) fn delete_text(mut sources: Vec<Source>, condition: Option<Expression>) -> String {
    if sources.is_empty() && condition.is_none() {
        let all = crate::proto::influxql::Measurement::matching(".*".to_owned());
        sources.push(Source::Measurement(all));
    }
    Statement::Delete(Removal { sources, condition }).to_string()
}

/// The parts that AND joins.
fn flatten<'a>(expression: &'a Expression, parts: &mut Vec<&'a Expression>) {
    match expression {
        Expression::Parenthesis(inner) => flatten(inner, parts),
        Expression::Chain { first, rest }
            if rest.iter().all(|(operator, _)| *operator == Operator::And) =>
        {
            flatten(first, parts);
            rest.iter().for_each(|(_, part)| flatten(part, parts));
        }
        other => parts.push(other),
    }
}

fn term(expression: &Expression) -> Result<Term, String> {
    let Expression::Chain { first, rest } = expression else { return Ok(Term::Else) };
    let [(operator, second)] = rest.as_slice() else { return Ok(Term::Else) };
    if is_time(first) {
        return times(*operator, second);
    }
    if is_time(second) {
        return times(turned(*operator), first);
    }
    let is_equal = match operator {
        Operator::Equal => true,
        Operator::NotEqual => false,
        _ => return Ok(Term::Else),
    };
    Ok(match (&**first, second) {
        (Expression::Reference { name, .. }, Expression::String(value))
        | (Expression::String(value), Expression::Reference { name, .. }) => {
            Term::Tag(name.clone(), is_equal, value.clone())
        }
        _ => Term::Else,
    })
}

fn times(operator: Operator, value: &Expression) -> Result<Term, String> {
    let (min, max) = (TIME_MIN.into(), TIME_MAX.into());
    let at = match value_ns(value)? {
        Some(at) => at,
        None => return Ok(Term::Else),
    };
    Ok(match operator {
        Operator::Equal => Term::Times(at, at),
        Operator::Greater => Term::Times(at + 1, max),
        Operator::GreaterOrEqual => Term::Times(at, max),
        Operator::Less => Term::Times(min, at - 1),
        Operator::LessOrEqual => Term::Times(min, at),
        other => return Err(format!("invalid time comparison operator: {}", other.text())),
    })
}

/// A moment or a length of time; nothing where only a backend can tell.
fn value_ns(value: &Expression) -> Result<Option<i128>, String> {
    Ok(match value {
        Expression::Integer(at) | Expression::Duration(at) => Some(i128::from(*at)),
        Expression::String(text) => {
            let wrong = || {
                "invalid operation: time and *influxql.StringLiteral are not compatible".to_owned()
            };
            Some(moment::influxql(text).ok_or_else(wrong)?)
        }
        Expression::Parenthesis(inner) => value_ns(inner)?,
        Expression::Chain { first, rest } => {
            let mut sum = value_ns(first)?;
            for (operator, part) in rest {
                let part = value_ns(part)?;
                sum = match (operator, sum, part) {
                    (Operator::Add, Some(sum), Some(part)) => sum.checked_add(part),
                    (Operator::Subtract, Some(sum), Some(part)) => sum.checked_sub(part),
                    _ => None,
                };
            }
            sum
        }
        _ => None,
    })
}

fn is_time(expression: &Expression) -> bool {
    matches!(expression, Expression::Reference { name, .. } if name.eq_ignore_ascii_case("time"))
}

/// The operator for the sides in the other order.
fn turned(operator: Operator) -> Operator {
    match operator {
        Operator::Less => Operator::Greater,
        Operator::LessOrEqual => Operator::GreaterOrEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterOrEqual => Operator::LessOrEqual,
        other => other,
    }
}

fn cut(moment: i128) -> i64 {
    i64::try_from(moment.clamp(TIME_MIN.into(), TIME_MAX.into())).expect("clamped")
}
