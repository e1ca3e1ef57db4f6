//! The value of an expression over one row.

use super::{Expr, Kind, Operator, math};
use crate::store::value::Value;

/// Where the values of references come from.
pub trait Row {
    fn value(&self, name: &str, kind: Kind) -> Option<Value>;
}

/// In a list of fields whole numbers divide to floats; in a condition they do not.
#[derive(Clone, Copy)]
pub struct Evaluator<'a, R: Row> {
    pub row: &'a R,
    pub float_division: bool,
}

impl<R: Row> Evaluator<'_, R> {
    pub fn truth(&self, expr: &Expr) -> bool {
        matches!(self.value(expr), Some(Value::Boolean(true)))
    }

    pub fn value(&self, expr: &Expr) -> Option<Value> {
        match expr {
            Expr::Ref { name, kind } => self.row.value(name, *kind),
            Expr::Paren(inner) => self.value(inner),
            Expr::Number(number) => Some(Value::Float(*number)),
            Expr::Integer(number) | Expr::Duration(number) => Some(Value::Integer(*number)),
            Expr::Unsigned(number) => Some(Value::Unsigned(*number)),
            Expr::Boolean(value) => Some(Value::Boolean(*value)),
            Expr::String(text) => Some(Value::String(text.as_bytes().into())),
            Expr::Call { name, arguments } => {
                let values: Vec<Option<Value>> =
                    arguments.iter().map(|argument| self.value(argument)).collect();
                math::apply(name, &values)
            }
            Expr::Binary { operator, left, right } => self.binary(*operator, left, right),
            _ => None,
        }
    }

    fn binary(&self, operator: Operator, left: &Expr, right: &Expr) -> Option<Value> {
        match operator {
            Operator::And => {
                return logic(self.value(left), || self.value(right), |a, b| a && b);
            }
            Operator::Or => return logic(self.value(left), || self.value(right), |a, b| a || b),
            Operator::Matches | Operator::MatchesNot => {
                let Expr::Regex(pattern) = right else { return None };
                let Some(Value::String(text)) = self.value(left) else {
                    return Some(Value::Boolean(false));
                };
                let found = pattern.matches(&String::from_utf8_lossy(&text));
                return Some(Value::Boolean(found == (operator == Operator::Matches)));
            }
            _ => {}
        }
        let (left, right) = (self.value(left), self.value(right));
        operate(operator, left.as_ref(), right.as_ref(), self.float_division)
    }
}

fn logic(
    left: Option<Value>,
    right: impl FnOnce() -> Option<Value>,
    both: fn(bool, bool) -> bool,
) -> Option<Value> {
    let right = right();
    match (left, right) {
        (Some(Value::Boolean(left)), Some(Value::Boolean(right))) => {
            Some(Value::Boolean(both(left, right)))
        }
        // A side that is no boolean counts as false.
        (left, right) => {
            let is = |value| matches!(value, Some(Value::Boolean(true)));
            Some(Value::Boolean(both(is(left), is(right))))
        }
    }
}

/// Two values under an operator.
pub fn operate(
    operator: Operator,
    left: Option<&Value>,
    right: Option<&Value>,
    float_division: bool,
) -> Option<Value> {
    let is_comparison = operator.precedence() == 3;
    let (Some(left), Some(right)) = (left, right) else {
        return is_comparison.then_some(Value::Boolean(false));
    };
    match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => Some(integers(operator, *a, *b, float_division)?),
        (Value::Unsigned(a), Value::Unsigned(b)) => unsigneds(operator, *a, *b, float_division),
        (Value::Unsigned(a), Value::Integer(b)) => {
            mixed(operator, i128::from(*a), i128::from(*b), float_division)
        }
        (Value::Integer(a), Value::Unsigned(b)) => {
            mixed(operator, i128::from(*a), i128::from(*b), float_division)
        }
        (Value::Boolean(a), Value::Boolean(b)) => booleans(operator, *a, *b),
        (Value::String(a), Value::String(b)) => match operator {
            Operator::Equal => Some(Value::Boolean(a == b)),
            Operator::NotEqual => Some(Value::Boolean(a != b)),
            _ => is_comparison.then_some(Value::Boolean(false)),
        },
        _ => match (math::number(left), math::number(right)) {
            (Some(a), Some(b)) => floats(operator, a, b),
            _ => is_comparison.then_some(Value::Boolean(false)),
        },
    }
}

fn compared<T: PartialOrd>(operator: Operator, a: T, b: T) -> Option<Value> {
    Some(Value::Boolean(match operator {
        Operator::Equal => a == b,
        Operator::NotEqual => a != b,
        Operator::Less => a < b,
        Operator::LessOrEqual => a <= b,
        Operator::Greater => a > b,
        Operator::GreaterOrEqual => a >= b,
        _ => return None,
    }))
}

fn floats(operator: Operator, a: f64, b: f64) -> Option<Value> {
    Some(Value::Float(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide if b == 0.0 => 0.0,
        Operator::Divide => a / b,
        Operator::Modulo => a % b,
        _ => return compared(operator, a, b),
    }))
}

fn integers(operator: Operator, a: i64, b: i64, float_division: bool) -> Option<Value> {
    Some(Value::Integer(match operator {
        Operator::Add => a.wrapping_add(b),
        Operator::Subtract => a.wrapping_sub(b),
        Operator::Multiply => a.wrapping_mul(b),
        Operator::Divide if float_division => {
            return floats(operator, a as f64, b as f64);
        }
        Operator::Divide | Operator::Modulo if b == 0 => 0,
        Operator::Divide => a.wrapping_div(b),
        Operator::Modulo => a.wrapping_rem(b),
        Operator::BitAnd => a & b,
        Operator::BitOr => a | b,
        Operator::BitXor => a ^ b,
        _ => return compared(operator, a, b),
    }))
}

fn unsigneds(operator: Operator, a: u64, b: u64, float_division: bool) -> Option<Value> {
    Some(Value::Unsigned(match operator {
        Operator::Add => a.wrapping_add(b),
        Operator::Subtract => a.wrapping_sub(b),
        Operator::Multiply => a.wrapping_mul(b),
        Operator::Divide if float_division => {
            return floats(operator, a as f64, b as f64);
        }
        Operator::Divide | Operator::Modulo if b == 0 => 0,
        Operator::Divide => a / b,
        Operator::Modulo => a % b,
        Operator::BitAnd => a & b,
        Operator::BitOr => a | b,
        Operator::BitXor => a ^ b,
        _ => return compared(operator, a, b),
    }))
}

/// A signed and an unsigned number: compared as numbers, computed as unsigned ones.
fn mixed(operator: Operator, a: i128, b: i128, float_division: bool) -> Option<Value> {
    if operator.precedence() == 3 {
        return compared(operator, a, b);
    }
    unsigneds(operator, a as u64, b as u64, float_division)
}

fn booleans(operator: Operator, a: bool, b: bool) -> Option<Value> {
    Some(Value::Boolean(match operator {
        Operator::Equal => a == b,
        Operator::NotEqual | Operator::BitXor => a != b,
        Operator::BitAnd => a && b,
        Operator::BitOr => a || b,
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            false
        }
        _ => return None,
    }))
}
