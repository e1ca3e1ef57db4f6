//! The packages `array` and `dict`.

use std::cmp::Ordering;

use super::super::call::{Arguments, Call};
use super::super::failure::Failure;
use super::super::key::compare_values;
use super::super::value::Value;
use super::{Builtin, packaged};

pub const FUNCTIONS: &[Builtin] = &[
    packaged("array", "map", "<-arr:array fn:function", |call| {
        let made: Result<Vec<Value>, Failure> =
            items(call, "arr").iter().map(|item| applied(call, item)).collect();
        Value::array(made?)
    }),
    packaged("array", "filter", "<-arr:array fn:function", |call| {
        let mut kept = Vec::new();
        for item in items(call, "arr") {
            if matches!(applied(call, item)?, Value::Boolean(true)) {
                kept.push(item.clone());
            }
        }
        Value::array(kept)
    }),
    packaged("array", "concat", "<-arr:array v:array", |call| {
        Value::array([items(call, "arr"), items(call, "v")].concat())
    }),
    packaged("dict", "get", "dict:dict key:any default:any", |call| {
        let found = position(pairs(call), call.value("key"));
        Ok(found.map_or_else(|_| call.value("default").clone(), |at| pairs(call)[at].1.clone()))
    }),
    packaged("dict", "insert", "dict:dict key:any value:any", |call| {
        let mut made = pairs(call).to_vec();
        let (key, value) = (call.value("key").clone(), call.value("value").clone());
        match position(&made, &key) {
            Ok(at) => made[at].1 = value,
            Err(at) => made.insert(at, (key, value)),
        }
        Value::dictionary(made)
    }),
    packaged("dict", "remove", "dict:dict key:any", |call| {
        let mut made = pairs(call).to_vec();
        if let Ok(at) = position(&made, call.value("key")) {
            made.remove(at);
        }
        Value::dictionary(made)
    }),
    packaged("dict", "fromList", "pairs:array", |call| {
        let made = items(call, "pairs")
            .iter()
            .map(|pair| Some((pair.field("key")?, pair.field("value")?)));
        match made.collect::<Option<Vec<_>>>() {
            Some(made) => dictionary(made),
            None => Failure::invalid("dict.fromList takes records of key and value"),
        }
    }),
];

/// A dictionary of pairs; of two with one key the later counts.
pub fn dictionary(mut pairs: Vec<(Value, Value)>) -> Result<Value, Failure> {
    pairs.reverse();
    pairs.sort_by(|a, b| compare_values(&a.0, &b.0));
    pairs.dedup_by(|a, b| compare_values(&a.0, &b.0) == Ordering::Equal);
    Value::dictionary(pairs)
}

fn items<'c>(call: &'c Call<'_, '_>, name: &str) -> &'c [Value] {
    match call.value(name) {
        Value::Array(items) => &items.inner,
        _ => unreachable!("the signature asks for it"),
    }
}

fn pairs<'c>(call: &'c Call<'_, '_>) -> &'c [(Value, Value)] {
    match call.value("dict") {
        Value::Dictionary(pairs) => &pairs.inner,
        _ => unreachable!("the signature asks for it"),
    }
}

fn position(pairs: &[(Value, Value)], key: &Value) -> Result<usize, usize> {
    pairs.binary_search_by(|(known, _)| compare_values(known, key))
}

/// The function of one item; its parameter is `x`.
fn applied(call: &Call<'_, '_>, item: &Value) -> Result<Value, Failure> {
    let given = Arguments { named: vec![("x".into(), item.clone(), call.span)], piped: None };
    call.interpreter.apply(call.value("fn"), given, call.span)
}
