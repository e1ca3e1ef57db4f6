//! Conversions between values, and their text.

use std::rc::Rc;

use super::failure::Failure;
use super::value::{Kind, Value};
use crate::base::time::UnixNanos;
use crate::proto::moment;

/// As `string()` and `${}` write it; nothing for what has no text.
pub fn text(value: &Value) -> Option<Rc<str>> {
    Some(match value {
        Value::String(text) => text.clone(),
        Value::Boolean(truth) => truth.to_string().into(),
        Value::Integer(number) => number.to_string().into(),
        Value::Unsigned(number) => number.to_string().into(),
        Value::Float(number) => float_text(*number).into(),
        Value::Time(time) => UnixNanos(*time).rfc3339().into(),
        Value::Duration(interval) => interval.text().into(),
        Value::Regex(regex) => regex.as_str().into(),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.into(),
        _ => return None,
    })
}

/// The shortest decimal that is this number, never with an exponent.
pub fn float_text(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        number.to_string()
    }
}

/// `int()`, `float()` and the like. Null stays null.
pub fn to(kind: Kind, value: &Value) -> Result<Value, Failure> {
    if value.is_null() || value.kind() == Some(kind) {
        return Ok(value.clone());
    }
    let impossible = || {
        let found = value.type_name();
        Failure::invalid(format!("cannot convert {found} to {}", kind.name()))
    };
    match kind {
        Kind::String => match text(value) {
            Some(text) => Ok(Value::String(text)),
            None => impossible(),
        },
        Kind::Integer => to_integer(value).unwrap_or_else(impossible),
        Kind::Unsigned => to_unsigned(value).unwrap_or_else(impossible),
        Kind::Float => to_float(value).unwrap_or_else(impossible),
        Kind::Boolean => to_boolean(value).unwrap_or_else(impossible),
        Kind::Time => match value {
            Value::Integer(ns) => Ok(Value::Time(*ns)),
            Value::Unsigned(ns) => Ok(Value::Time(*ns as i64)),
            Value::String(text) => match parse_time(text) {
                Some(time) => Ok(Value::Time(time)),
                None => Failure::invalid(format!("cannot parse \"{text}\" as a time")),
            },
            _ => impossible(),
        },
    }
}

/// A time as RFC 3339 or as a date.
pub fn parse_time(text: &str) -> Option<i64> {
    let midnight = format!("{text}T00:00:00Z");
    let text = if text.len() == 10 { &midnight } else { text };
    moment::rfc3339(text)?.try_into().ok()
}

fn invalid_text(text: &str, kind: &str) -> Result<Value, Failure> {
    Failure::invalid(format!("cannot convert string \"{text}\" to {kind} due to invalid syntax"))
}

fn to_integer(value: &Value) -> Option<Result<Value, Failure>> {
    Some(match value {
        Value::Boolean(truth) => Ok(Value::Integer(i64::from(*truth))),
        Value::Unsigned(number) => Ok(Value::Integer(*number as i64)),
        Value::Float(number) => Ok(Value::Integer(*number as i64)),
        Value::Time(time) => Ok(Value::Integer(*time)),
        Value::Duration(interval) => Ok(Value::Integer(interval.length_ns())),
        Value::String(text) => match text.parse() {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => invalid_text(text, "int"),
        },
        _ => return None,
    })
}

fn to_unsigned(value: &Value) -> Option<Result<Value, Failure>> {
    Some(match value {
        Value::Boolean(truth) => Ok(Value::Unsigned(u64::from(*truth))),
        Value::Integer(number) => Ok(Value::Unsigned(*number as u64)),
        Value::Float(number) => Ok(Value::Unsigned(*number as u64)),
        Value::Time(time) => Ok(Value::Unsigned(*time as u64)),
        Value::Duration(interval) => Ok(Value::Unsigned(interval.length_ns() as u64)),
        Value::String(text) => match text.parse() {
            Ok(number) => Ok(Value::Unsigned(number)),
            Err(_) => invalid_text(text, "uint"),
        },
        _ => return None,
    })
}

fn to_float(value: &Value) -> Option<Result<Value, Failure>> {
    Some(match value {
        Value::Boolean(truth) => Ok(Value::Float(f64::from(u8::from(*truth)))),
        Value::Integer(number) => Ok(Value::Float(*number as f64)),
        Value::Unsigned(number) => Ok(Value::Float(*number as f64)),
        Value::String(text) => match text.parse() {
            Ok(number) => Ok(Value::Float(number)),
            Err(_) => invalid_text(text, "float"),
        },
        _ => return None,
    })
}

fn to_boolean(value: &Value) -> Option<Result<Value, Failure>> {
    let (number, shown) = match value {
        Value::Integer(number) => (*number as f64, number.to_string()),
        Value::Unsigned(number) => (*number as f64, number.to_string()),
        Value::Float(number) => (*number, format!("{number:.6}")),
        Value::String(text) => {
            return Some(match &**text {
                "true" => Ok(Value::Boolean(true)),
                "false" => Ok(Value::Boolean(false)),
                other => Failure::invalid(format!(
                    "cannot convert string \"{other}\" to bool, must be true or false"
                )),
            });
        }
        _ => return None,
    };
    Some(match number {
        0.0 => Ok(Value::Boolean(false)),
        1.0 => Ok(Value::Boolean(true)),
        _ => Failure::invalid(format!(
            "cannot convert {} {shown} to bool, must be 0 or 1",
            value.type_name()
        )),
    })
}
