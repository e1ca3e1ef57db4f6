//! Constants are computed before anything is read.

use super::eval::operate;
use super::{Expr, Operator};
use crate::proto::moment;
use crate::store::value::Value;
use crate::store::zone::Zone;

/// What `now()` is, where it may be used, and where a time without a zone lies.
#[derive(Clone, Copy, Default)]
pub struct Clock<'a> {
    pub now_ns: Option<i64>,
    pub zone: Option<&'a Zone>,
}

pub fn fold(expr: Expr, clock: Clock<'_>) -> Expr {
    match expr {
        Expr::Binary { operator, left, right } => {
            binary(operator, fold(*left, clock), fold(*right, clock), clock)
        }
        Expr::Paren(inner) => match fold(*inner, clock) {
            inner @ Expr::Binary { .. } => Expr::Paren(Box::new(inner)),
            inner => inner,
        },
        Expr::Call { name, arguments } => {
            if let (true, true, Some(now_ns)) =
                (&*name == "now", arguments.is_empty(), clock.now_ns)
            {
                return Expr::Time(i128::from(now_ns));
            }
            let arguments = arguments.into_iter().map(|one| fold(one, clock)).collect();
            Expr::Call { name, arguments }
        }
        other => other,
    }
}

fn binary(operator: Operator, left: Expr, right: Expr, clock: Clock<'_>) -> Expr {
    // `true AND x`, `false OR x` and the like.
    if let Operator::And | Operator::Or = operator {
        let decides = operator == Operator::Or;
        match (&left, &right) {
            (Expr::Boolean(value), _) | (_, Expr::Boolean(value)) if *value == decides => {
                return Expr::Boolean(decides);
            }
            (Expr::Boolean(_), _) => return right,
            (_, Expr::Boolean(_)) => return left,
            _ => {}
        }
    }
    if let Some(folded) = constants(operator, &left, &right, clock) {
        return folded;
    }
    Expr::binary(operator, left, right)
}

fn constants(operator: Operator, left: &Expr, right: &Expr, clock: Clock<'_>) -> Option<Expr> {
    match (left, right) {
        (Expr::Time(at), Expr::Duration(by)) => moved(operator, *at, *by),
        (Expr::String(text), Expr::Duration(by)) => {
            moved(operator, time_literal(text, clock)?.ok()?, *by)
        }
        (Expr::Duration(by), Expr::Time(at)) if operator == Operator::Add => {
            moved(operator, *at, *by)
        }
        (Expr::Duration(a), Expr::Duration(b)) => match operator {
            Operator::Add => Some(Expr::Duration(a.wrapping_add(*b))),
            Operator::Subtract => Some(Expr::Duration(a.wrapping_sub(*b))),
            _ => None,
        },
        (Expr::Duration(a), Expr::Integer(b)) => match operator {
            Operator::Multiply => Some(Expr::Duration(a.wrapping_mul(*b))),
            Operator::Divide if *b != 0 => Some(Expr::Duration(a.wrapping_div(*b))),
            Operator::Divide => Some(Expr::Duration(0)),
            _ => None,
        },
        (Expr::Duration(a), Expr::Number(b)) => match operator {
            Operator::Multiply => Some(Expr::Duration((*a as f64 * b) as i64)),
            Operator::Divide if *b != 0.0 => Some(Expr::Duration((*a as f64 / b) as i64)),
            _ => None,
        },
        (Expr::Integer(a), Expr::Duration(b)) => match operator {
            Operator::Add => Some(Expr::Time(i128::from(*a) + i128::from(*b))),
            Operator::Subtract => Some(Expr::Time(i128::from(*a) - i128::from(*b))),
            _ => None,
        },
        (Expr::Time(a), Expr::Time(b)) => match operator {
            Operator::Subtract => Some(Expr::Duration(i64::try_from(a - b).ok()?)),
            _ => None,
        },
        (Expr::String(a), Expr::String(b)) => match operator {
            Operator::Equal => Some(Expr::Boolean(a == b)),
            Operator::NotEqual => Some(Expr::Boolean(a != b)),
            Operator::Add => Some(Expr::String(format!("{a}{b}").into())),
            _ => None,
        },
        _ => {
            let (left, right) = (literal(left)?, literal(right)?);
            expr(operate(operator, Some(&left), Some(&right), true)?)
        }
    }
}

fn moved(operator: Operator, at: i128, by: i64) -> Option<Expr> {
    match operator {
        Operator::Add => Some(Expr::Time(at + i128::from(by))),
        Operator::Subtract => Some(Expr::Time(at - i128::from(by))),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<Value> {
    Some(match expr {
        Expr::Number(number) => Value::Float(*number),
        Expr::Integer(number) => Value::Integer(*number),
        Expr::Unsigned(number) => Value::Unsigned(*number),
        Expr::Boolean(value) => Value::Boolean(*value),
        _ => return None,
    })
}

fn expr(value: Value) -> Option<Expr> {
    Some(match value {
        Value::Float(number) => Expr::Number(number),
        Value::Integer(number) => Expr::Integer(number),
        Value::Unsigned(number) => Expr::Unsigned(number),
        Value::Boolean(value) => Expr::Boolean(value),
        Value::String(_) => return None,
    })
}

/// The moment that a text spells; `None` if it does not begin as one.
pub fn time_literal(text: &str, clock: Clock<'_>) -> Option<Result<i128, String>> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let dash = |at: usize| bytes.get(at) == Some(&b'-');
    let looks = [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(digit) && dash(4) && dash(7);
    if !looks {
        return None;
    }
    let found = moment::influxql(text).map(|at| match (clock.zone, bytes.get(10)) {
        (Some(zone), None | Some(b' ')) => zone.moment_of(at),
        _ => at,
    });
    Some(found.ok_or_else(|| "invalid timestamp string".to_owned()))
}
