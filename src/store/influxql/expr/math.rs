//! Functions of the values of one row.

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
        "sin" => x.sin(),
        "cos" => x.cos(),
        "tan" => x.tan(),
        "asin" => x.asin(),
        "acos" => x.acos(),
        "atan" => x.atan(),
        "exp" => x.exp(),
        "ln" => x.ln(),
        "log2" => log2(x),
        "log10" => log2(x) * (std::f64::consts::LN_2 / std::f64::consts::LN_10),
        "sqrt" => x.sqrt(),
        _ => return None,
    }))
}

/// The exponent apart, so that powers of two are exact.
fn log2(x: f64) -> f64 {
    if !x.is_normal() || x < 0.0 {
        return x.log2();
    }
    let bits = x.to_bits();
    let exponent = i64::from(u32::try_from(bits >> 52).unwrap_or(0)) - 1022;
    let fraction = f64::from_bits((bits & !(0x7ff << 52)) | (1022 << 52));
    if fraction == 0.5 {
        return (exponent - 1) as f64;
    }
    fraction.ln() * (1.0 / std::f64::consts::LN_2) + exponent as f64
}

fn pair(name: &str, x: f64, y: f64) -> Option<f64> {
    match name {
        "atan2" => Some(x.atan2(y)),
        "pow" => Some(x.powf(y)),
        "log" => Some(x.ln() / y.ln()),
        _ => None,
    }
}
