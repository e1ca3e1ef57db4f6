//! Conversions and small functions of values that need no import.

use super::super::call::Call;
use super::super::convert;
use super::super::failure::Failure;
use super::super::operate::comparison;
use super::super::value::{Kind, Value};
use super::{Builtin, packaged, universe};

pub const FUNCTIONS: &[Builtin] = &[
    universe("int", "v:any", |call| convert::to(Kind::Integer, call.value("v"))),
    universe("uint", "v:any", |call| convert::to(Kind::Unsigned, call.value("v"))),
    universe("float", "v:any", |call| convert::to(Kind::Float, call.value("v"))),
    universe("string", "v:any", |call| convert::to(Kind::String, call.value("v"))),
    universe("bool", "v:any", |call| convert::to(Kind::Boolean, call.value("v"))),
    universe("time", "v:any", |call| convert::to(Kind::Time, call.value("v"))),
    universe("duration", "v:any", duration),
    universe("bytes", "v:string", |call| Ok(Value::Bytes(call.text("v").as_bytes().into()))),
    universe("now", "", |call| Ok(Value::Time(call.interpreter.now.get()))),
    universe("today", "", |call| {
        let now = call.interpreter.now.get();
        Ok(Value::Time(now - now.rem_euclid(86_400 * 1_000_000_000)))
    }),
    packaged("system", "time", "", |call| Ok(Value::Time(call.interpreter.now.get()))),
    universe("contains", "value:any set:array", contains),
    universe("length", "arr:array", |call| match call.value("arr") {
        Value::Array(items) => Ok(Value::Integer(items.inner.len() as i64)),
        _ => unreachable!("checked"),
    }),
    universe("die", "msg:string", |call| Failure::invalid(call.text("msg").to_string())),
    universe("display", "v:any", |call| match convert::text(call.value("v")) {
        Some(text) => Ok(Value::String(text)),
        None => Failure::invalid("display of this value is not supported"),
    }),
    universe("linearBins", "start:float width:float count:int ?infinity:bool", |call| {
        let (start, width) = (call.float_or("start", 0.0), call.float_or("width", 1.0));
        bins(call, |at| start + width * at as f64)
    }),
    universe("logarithmicBins", "start:float factor:float count:int ?infinity:bool", |call| {
        let (start, factor) = (call.float_or("start", 0.0), call.float_or("factor", 1.0));
        bins(call, |at| start * factor.powi(at as i32))
    }),
    packaged("types", "isType", "v:any type:string", |call| {
        Ok(Value::Boolean(call.value("v").type_name() == *call.text("type")))
    }),
    packaged("types", "isNumeric", "v:any", |call| {
        let kind = call.value("v").kind();
        Ok(Value::Boolean(matches!(kind, Some(Kind::Float | Kind::Integer | Kind::Unsigned))))
    }),
    packaged("json", "encode", "v:any", |call| {
        Ok(Value::Bytes(json(call.value("v"))?.to_string().into_bytes().into()))
    }),
];

/// So many bins at most.
const BINS_MAX: i64 = 100_000;

fn bins(call: &Call<'_, '_>, at: impl Fn(i64) -> f64) -> Result<Value, Failure> {
    let count = call.integer_or("count", 0);
    if !(0..=BINS_MAX).contains(&count) {
        return Failure::invalid(format!("count must be from 0 to {BINS_MAX}"));
    }
    let mut bins: Vec<Value> = (0..count).map(|index| Value::Float(at(index))).collect();
    if call.flag("infinity", true) {
        bins.push(Value::Float(f64::INFINITY));
    }
    Value::array(bins)
}

fn duration(call: &Call<'_, '_>) -> Result<Value, Failure> {
    match call.value("v") {
        Value::Duration(interval) => Ok(Value::Duration(*interval)),
        Value::Integer(nanos) => Ok(Value::Duration(super::Interval::nanos(*nanos))),
        Value::Unsigned(nanos) => Ok(Value::Duration(super::Interval::nanos(*nanos as i64))),
        Value::String(text) => match parsed(text) {
            Some(interval) => Ok(Value::Duration(interval)),
            None => Failure::invalid(format!("cannot parse \"{text}\" as a duration")),
        },
        Value::Null => Ok(Value::Null),
        other => Failure::invalid(format!("cannot convert {} to duration", other.type_name())),
    }
}

/// A duration as the script would write it, with a sign.
fn parsed(text: &str) -> Option<super::Interval> {
    use crate::proto::flux::{ExpressionKind, Statement, parse};
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let file = parse(text).ok()?;
    let [Statement::Expression(expression)] = file.statements.as_slice() else { return None };
    let ExpressionKind::Duration(parts) = &expression.kind else { return None };
    let interval = super::Interval::of(parts)?;
    Some(if is_negative { interval.negated() } else { interval })
}

fn contains(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let Value::Array(items) = call.value("set") else { unreachable!("checked") };
    let value = call.value("value");
    let is_equal = |item: &Value| {
        item.kind() == value.kind()
            && comparison(item, value).is_ok_and(|o| o.is_some_and(|o| o.is_eq()))
    };
    Ok(Value::Boolean(items.inner.iter().any(is_equal)))
}

fn json(value: &Value) -> Result<serde_json::Value, Failure> {
    Ok(match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(truth) => (*truth).into(),
        Value::Integer(number) => (*number).into(),
        Value::Unsigned(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Array(items) => {
            let items: Result<Vec<_>, _> = items.inner.iter().map(json).collect();
            items?.into()
        }
        Value::Record(_) | Value::Row(..) => {
            let fields = value.fields().unwrap_or_default();
            let fields: Result<serde_json::Map<String, serde_json::Value>, Failure> =
                fields.iter().map(|(name, value)| Ok((name.to_string(), json(value)?))).collect();
            fields?.into()
        }
        other => match convert::text(other) {
            Some(text) => text.to_string().into(),
            None => {
                return Failure::invalid(format!("cannot encode {} as JSON", other.type_name()));
            }
        },
    })
}
