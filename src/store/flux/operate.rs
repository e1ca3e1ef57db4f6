//! Operators on two values.

use std::cmp::Ordering;

use super::failure::{Failure, Refused};
use super::value::Value;
use crate::proto::flux::Operator;

/// A boolean or null; else the name of the type that it is.
pub fn truth(value: &Value) -> Result<Option<bool>, String> {
    match value {
        Value::Boolean(truth) => Ok(Some(*truth)),
        Value::Null => Ok(None),
        other => Err(other.type_name()),
    }
}

/// Every operator but `and` and `or`. With null it gives null.
pub fn binary(operator: Operator, left: &Value, right: &Value) -> Result<Value, Failure> {
    if left.is_null() || right.is_null() {
        return Ok(Value::Null);
    }
    match operator {
        Operator::Equal | Operator::NotEqual => {
            let order = comparison(left, right).map_err(|()| unsupported(operator, left, right))?;
            let is_equal = order.is_some_and(Ordering::is_eq);
            Ok(Value::Boolean(is_equal == (operator == Operator::Equal)))
        }
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let order = comparison(left, right).map_err(|()| unsupported(operator, left, right))?;
            let holds = order.is_some_and(|order| match operator {
                Operator::Less => order.is_lt(),
                Operator::LessOrEqual => order.is_le(),
                Operator::Greater => order.is_gt(),
                _ => order.is_ge(),
            });
            Ok(Value::Boolean(holds))
        }
        Operator::Matches | Operator::MatchesNot => match (left, right) {
            (Value::String(text), Value::Regex(regex)) => {
                Ok(Value::Boolean(regex.is_match(text) == (operator == Operator::Matches)))
            }
            (Value::String(_), other) => {
                Failure::invalid(format!("expected regexp but found {}", other.type_name()))
            }
            _ => Err(unsupported(operator, left, right)),
        },
        _ => arithmetic(operator, left, right),
    }
}

/// Numbers of all types compare; a number that is none has no order. An error: the types do not compare.
pub fn comparison(left: &Value, right: &Value) -> Result<Option<Ordering>, ()> {
    Ok(match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        (Value::Unsigned(a), Value::Unsigned(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Integer(a), Value::Unsigned(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Unsigned(a), Value::Integer(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Integer(a), Value::Float(b)) => (*a as f64).partial_cmp(b),
        (Value::Float(a), Value::Integer(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Unsigned(a), Value::Float(b)) => (*a as f64).partial_cmp(b),
        (Value::Float(a), Value::Unsigned(b)) => a.partial_cmp(&(*b as f64)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
        _ => return Err(()),
    })
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, Failure> {
    match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => integers(operator, *a, *b),
        (Value::Unsigned(a), Value::Unsigned(b)) => unsigned(operator, *a, *b),
        (Value::Float(a), Value::Float(b)) => Ok(Value::Float(floats(operator, *a, *b))),
        (Value::String(a), Value::String(b)) if operator == Operator::Add => {
            Ok(Value::String(format!("{a}{b}").into()))
        }
        (Value::Time(_) | Value::Duration(_), _) if left.type_name() == right.type_name() => {
            let can = match operator {
                Operator::Add => "Addable",
                Operator::Subtract => "Subtractable",
                _ => "Divisible",
            };
            Failure::invalid(format!("{} is not {can}", left.type_name()))
        }
        _ => {
            Err(conflict(operator, left, right)
                .unwrap_or_else(|| unsupported(operator, left, right)))
        }
    }
}

/// That two types are not the same, the wanted one first; nothing where that is not what is wrong.
pub fn conflict(operator: Operator, wanted: &Value, found: &Value) -> Option<Failure> {
    let is_arithmetic = operator.precedence() >= Operator::Add.precedence();
    let (wanted, found) = (wanted.kind()?, found.kind()?);
    (is_arithmetic && wanted != found).then(|| {
        let (wanted, found) = (wanted.name(), found.name());
        Refused::invalid(format!("type conflict: {wanted} != {found}")).into()
    })
}

fn integers(operator: Operator, a: i64, b: i64) -> Result<Value, Failure> {
    Ok(Value::Integer(match operator {
        Operator::Add => a.wrapping_add(b),
        Operator::Subtract => a.wrapping_sub(b),
        Operator::Multiply => a.wrapping_mul(b),
        Operator::Divide if b == 0 => return Failure::invalid("cannot divide by zero"),
        Operator::Divide => a.wrapping_div(b),
        Operator::Modulo if b == 0 => return Failure::invalid("cannot mod zero"),
        Operator::Modulo => a.wrapping_rem(b),
        _ => return Ok(Value::Float((a as f64).powf(b as f64))),
    }))
}

fn unsigned(operator: Operator, a: u64, b: u64) -> Result<Value, Failure> {
    Ok(Value::Unsigned(match operator {
        Operator::Add => a.wrapping_add(b),
        Operator::Subtract => a.wrapping_sub(b),
        Operator::Multiply => a.wrapping_mul(b),
        Operator::Divide if b == 0 => return Failure::invalid("cannot divide by zero"),
        Operator::Divide => a / b,
        Operator::Modulo if b == 0 => return Failure::invalid("cannot mod zero"),
        Operator::Modulo => a % b,
        _ => return Ok(Value::Float((a as f64).powf(b as f64))),
    }))
}

fn floats(operator: Operator, a: f64, b: f64) -> f64 {
    match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Modulo => a % b,
        _ => a.powf(b),
    }
}

fn unsupported(operator: Operator, left: &Value, right: &Value) -> Failure {
    let word = match operator {
        Operator::Equal => "==",
        Operator::NotEqual => "!=",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
        Operator::Matches => "=~",
        Operator::MatchesNot => "!~",
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Modulo => "%",
        _ => "^",
    };
    let (left, right) = (left.type_name(), right.type_name());
    Refused::invalid(format!("unsupported binary expression {left} {word} {right}")).into()
}
