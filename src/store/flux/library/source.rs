//! Where streams begin, and where they go.

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::node::{Bounds, Op};
use super::super::value::{Fields, Value};
use super::{Builtin, packaged, universe};
use crate::proto::flux::Span;

pub const FUNCTIONS: &[Builtin] = &[
    universe(
        "from",
        "?bucket:string ?bucketID:string ?host:string ?org:string ?orgID:string ?token:string",
        from,
    ),
    universe("range", "<-tables:stream start:any ?stop:any", range),
    universe("yield", "<-tables:stream ?name:string", named),
    universe("buckets", "?host:string ?org:string ?orgID:string ?token:string", buckets),
    universe(
        "to",
        "<-tables:stream ?bucket:string ?bucketID:string ?org:string ?orgID:string ?host:string ?token:string ?timeColumn:string ?measurementColumn:string ?tagColumns:strings ?fieldFn:function",
        to,
    ),
    packaged("array", "from", "rows:array", rows),
    packaged("generate", "from", "start:any stop:any count:int fn:function", generate),
];

fn from(call: &Call<'_, '_>) -> Result<Value, Failure> {
    for remote in ["host", "token"] {
        if call.get(remote).is_some() {
            return Failure::invalid("from a remote host is not supported");
        }
    }
    // The buckets of this store have their names as ids, too.
    match call.get("bucket").or(call.get("bucketID")) {
        Some(Value::String(bucket)) => {
            call.stage_on(Op::From { bucket: bucket.clone() }, Vec::new())
        }
        _ => Failure::invalid("must specify bucket or bucketID"),
    }
}

/// A moment: a time, a duration from now, or seconds since 1970.
fn moment(call: &Call<'_, '_>, value: Option<&Value>) -> Result<i64, Failure> {
    let now = call.interpreter.now.get();
    match value {
        None => Ok(now),
        Some(Value::Time(time)) => Ok(*time),
        Some(Value::Duration(interval)) => Ok(now.saturating_add(interval.length_ns())),
        Some(Value::Integer(seconds)) => Ok(seconds.saturating_mul(1_000_000_000)),
        Some(other) => Failure::invalid(format!("value is not a time, got {}", other.type_name())),
    }
}

pub fn bounds(call: &Call<'_, '_>) -> Result<Bounds, Failure> {
    let start = moment(call, call.get("start"))?;
    Ok(Bounds { start, stop: moment(call, call.get("stop"))? })
}

fn range(call: &Call<'_, '_>) -> Result<Value, Failure> {
    call.stage(Op::Range(bounds(call)?))
}

fn named(call: &Call<'_, '_>) -> Result<Value, Failure> {
    call.stage(Op::Yield(call.text_or("name", "_result")))
}

fn buckets(call: &Call<'_, '_>) -> Result<Value, Failure> {
    call.stage_on(Op::Buckets, Vec::new())
}

fn to(call: &Call<'_, '_>) -> Result<Value, Failure> {
    for other in ["host", "token", "timeColumn", "measurementColumn", "tagColumns", "fieldFn"] {
        if call.get(other).is_some() {
            return Failure::invalid(format!("the argument {other} of to() is not supported"));
        }
    }
    match call.get("bucket").or(call.get("bucketID")) {
        Some(Value::String(bucket)) => call.stage(Op::To { bucket: bucket.clone() }),
        _ => Failure::invalid("must specify bucket or bucketID"),
    }
}

fn rows(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let Value::Array(items) = call.value("rows") else { unreachable!("checked") };
    if items.inner.is_empty() {
        return Failure::invalid("rows must be non-empty");
    }
    let fields: Option<Vec<Fields>> = items.inner.iter().map(Value::fields).collect();
    match fields {
        Some(fields) => call.stage_on(Op::Rows(fields), Vec::new()),
        None => Failure::invalid("rows must be records"),
    }
}

/// So many rows `generate.from` makes at most.
const GENERATED_MAX: i64 = 1_000_000;

fn generate(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let bounds = bounds(call)?;
    let count = call.integer_or("count", 0);
    if !(1..=GENERATED_MAX).contains(&count) {
        return Failure::invalid(format!("count must be from 1 to {GENERATED_MAX}"));
    }
    let step = bounds.stop.saturating_sub(bounds.start) / count;
    let mut rows = Vec::new();
    for n in 0..count {
        let nowhere = Span { start: 0, end: 0 };
        let given = super::super::call::Arguments {
            named: vec![("n".into(), Value::Integer(n), nowhere)],
            piped: None,
        };
        let value = call.interpreter.apply(call.value("fn"), given, call.span)?;
        rows.push(vec![
            ("_time".into(), Value::Time(bounds.start + n * step)),
            ("_value".into(), value),
        ]);
    }
    call.stage_on(Op::Rows(rows), Vec::new())
}
