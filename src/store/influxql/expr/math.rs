//! Functions of the values of one row.

use super::go;
use crate::store::value::Value;

/// How many arguments a function of this name takes in a list of fields; `None` for another name.
pub fn arguments(name: &str) -> Option<usize> {
    match name {
        "abs" | "sin" | "cos" | "tan" | "asin" | "acos" | "atan" | "exp" | "ln" | "log2"
        | "log10" | "sqrt" | "floor" | "ceil" | "round" => Some(1),
        "atan2" | "pow" | "log" => Some(2),
        _ => None,
    }
}

/// Whether the result has the type of the argument.
pub fn keeps_type(name: &str) -> bool {
    matches!(name, "abs" | "floor" | "ceil" | "round")
}

pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        Value::Integer(value) => Some(*value as f64),
        Value::Unsigned(value) => Some(*value as f64),
        _ => None,
    }
}

/// `None` is null: a wrong type, or an argument that is missing.
pub fn apply(name: &str, arguments: &[Option<Value>]) -> Option<Value> {
    match arguments {
        [Some(one)] => single(name, one),
        [Some(one), Some(two)] => pair(name, number(one)?, number(two)?).map(Value::Float),
        _ => None,
    }
}

fn single(name: &str, value: &Value) -> Option<Value> {
    if keeps_type(name) {
        return match value {
            Value::Float(value) => Some(Value::Float(match name {
                "abs" => value.abs(),
                "floor" => value.floor(),
                "ceil" => value.ceil(),
                _ => value.round(),
            })),
            // A negative integer stays negative: InfluxDB does so.
            Value::Integer(_) | Value::Unsigned(_) => Some(value.clone()),
            _ => None,
        };
    }
    let x = number(value)?;
    Some(Value::Float(match name {
        "sin" => go::sin(x),
        "cos" => go::cos(x),
        "tan" => go::tan(x),
        "asin" => go::asin(x),
        "acos" => go::acos(x),
        "atan" => go::atan(x),
        "exp" => x.exp(),
        "ln" => go::ln(x),
        "log2" => go::log2(x),
        "log10" => go::log10(x),
        "sqrt" => x.sqrt(),
        _ => return None,
    }))
}

fn pair(name: &str, x: f64, y: f64) -> Option<f64> {
    match name {
        "atan2" => Some(go::atan2(x, y)),
        "pow" => Some(go::pow(x, y)),
        "log" => Some(go::ln(x) / go::ln(y)),
        _ => None,
    }
}
