//! What is stored: names of measurements, tags and fields. Each is the pipe that Flux says it is; the read knows
//! these pipes and answers them from the index.

use std::rc::Rc;

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::interval::Interval;
use super::super::node::{Bounds, Choice, Op};
use super::super::run::plan::known_true;
use super::super::value::Value;
use super::{Builtin, packaged};

const SCHEMA: &str = "influxdata/influxdb/schema";

pub const FUNCTIONS: &[Builtin] = &[
    packaged(SCHEMA, "tagKeys", "bucket:string ?predicate:function ?start:any ?stop:any", |call| {
        keys(call, None)
    }),
    packaged(
        SCHEMA,
        "measurementTagKeys",
        "bucket:string measurement:string ?start:any ?stop:any",
        |call| keys(call, Some(call.text("measurement"))),
    ),
    packaged(
        SCHEMA,
        "tagValues",
        "bucket:string tag:string ?predicate:function ?start:any ?stop:any",
        |call| values(call, call.text("tag"), None),
    ),
    packaged(
        SCHEMA,
        "measurementTagValues",
        "bucket:string measurement:string tag:string ?start:any ?stop:any",
        |call| values(call, call.text("tag"), Some(call.text("measurement"))),
    ),
    packaged(
        SCHEMA,
        "fieldKeys",
        "bucket:string ?predicate:function ?start:any ?stop:any",
        |call| values(call, "_field".into(), None),
    ),
    packaged(
        SCHEMA,
        "measurementFieldKeys",
        "bucket:string measurement:string ?start:any ?stop:any",
        |call| values(call, "_field".into(), Some(call.text("measurement"))),
    ),
    packaged(SCHEMA, "measurements", "bucket:string ?start:any ?stop:any", |call| {
        values(call, "_measurement".into(), None)
    }),
];

/// The read of all that the arguments ask for.
fn read(call: &Call<'_, '_>, measurement: Option<Rc<str>>) -> Result<Value, Failure> {
    let from = call.stage_on(Op::From { bucket: call.text("bucket") }, Vec::new())?;
    let month = Interval { months: 0, nanos: 30 * 86_400 * 1_000_000_000 };
    let now = call.interpreter.now.get();
    let bounds = match call.get("start") {
        Some(_) => super::source::bounds(call)?,
        None => {
            let stop = super::source::bounds(call)?.stop;
            Bounds { start: now.saturating_sub(month.nanos), stop }
        }
    };
    let mut stream = call.then(from, Op::Range(bounds))?;
    if let Some(predicate) = call.get("predicate") {
        stream =
            call.then(stream, Op::Filter { function: predicate.clone(), keep_empty: false })?;
    }
    match measurement {
        None => Ok(stream),
        Some(measurement) => {
            let function = known_true("_measurement", &measurement)?;
            call.then(stream, Op::Filter { function, keep_empty: false })
        }
    }
}

fn keys(call: &Call<'_, '_>, measurement: Option<Rc<str>>) -> Result<Value, Failure> {
    let read = read(call, measurement)?;
    let keys = call.then(read, Op::Keys("_value".into()))?;
    let kept = call.then(keys, Op::Keep(Choice::Names(vec!["_value".into()])))?;
    call.then(kept, Op::Distinct("_value".into()))
}

fn values(
    call: &Call<'_, '_>,
    tag: Rc<str>,
    measurement: Option<Rc<str>>,
) -> Result<Value, Failure> {
    let read = read(call, measurement)?;
    let kept = call.then(read, Op::Keep(Choice::Names(vec![tag.clone()])))?;
    let grouped = call.then(kept, Op::Group { columns: [].into(), except: false })?;
    call.then(grouped, Op::Distinct(tag))
}
