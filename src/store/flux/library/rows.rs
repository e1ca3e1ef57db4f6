//! Functions that choose, order and change rows.

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::node::{Kindred, Op};
use super::super::value::{Kind, Value};
use super::{Builtin, packaged, universe};

pub const FUNCTIONS: &[Builtin] = &[
    universe("filter", "<-tables:stream fn:function ?onEmpty:string", filter),
    universe("limit", "<-tables:stream n:int ?offset:int", |call| {
        call.stage(Op::Limit { n: n(call), offset: call.integer_or("offset", 0) })
    }),
    universe("tail", "<-tables:stream n:int ?offset:int", |call| {
        call.stage(Op::Tail { n: n(call), offset: call.integer_or("offset", 0) })
    }),
    universe("sample", "<-tables:stream n:int ?pos:int ?column:string", sample),
    universe("sort", "<-tables:stream ?columns:strings ?desc:bool", |call| {
        let columns = call.texts_or("columns", &["_value"]);
        call.stage(Op::Sort { columns, desc: call.flag("desc", false) })
    }),
    universe("top", "<-tables:stream n:int ?columns:strings", |call| top(call, true)),
    universe("bottom", "<-tables:stream n:int ?columns:strings", |call| top(call, false)),
    universe("distinct", "<-tables:stream ?column:string", |call| {
        call.stage(Op::Distinct(call.text_or("column", "_value")))
    }),
    universe("unique", "<-tables:stream ?column:string", |call| {
        call.stage(Op::Unique(call.text_or("column", "_value")))
    }),
    universe("map", "<-tables:stream fn:function ?mergeKey:bool", |call| {
        call.stage(Op::Map(call.value("fn").clone()))
    }),
    universe("fill", "<-tables:stream ?column:string ?value:any ?usePrevious:bool", fill),
    universe("toInt", "<-tables:stream", |call| convert(call, Kind::Integer)),
    universe("toUInt", "<-tables:stream", |call| convert(call, Kind::Unsigned)),
    universe("toFloat", "<-tables:stream", |call| convert(call, Kind::Float)),
    universe("toString", "<-tables:stream", |call| convert(call, Kind::String)),
    universe("toBool", "<-tables:stream", |call| convert(call, Kind::Boolean)),
    universe("toTime", "<-tables:stream", |call| convert(call, Kind::Time)),
    universe(
        "hourSelection",
        "<-tables:stream start:int stop:int ?timeColumn:string ?location:record",
        hours,
    ),
    packaged("interpolate", "linear", "<-tables:stream every:duration", |call| {
        call.stage(Op::Interpolate(call.unit_or("every", 1)))
    }),
];

fn n(call: &Call<'_, '_>) -> i64 {
    call.integer_or("n", 0)
}

fn filter(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let keep_empty = match &*call.text_or("onEmpty", "drop") {
        "drop" => false,
        "keep" => true,
        other => {
            let message = format!("onEmpty must be keep or drop, was \"{other}\"");
            return Failure::invalid(message);
        }
    };
    call.stage(Op::Filter { function: call.value("fn").clone(), keep_empty })
}

fn sample(call: &Call<'_, '_>) -> Result<Value, Failure> {
    if n(call) <= 0 {
        return Failure::invalid(format!("n must be a positive integer, but was {}", n(call)));
    }
    let pos = call.integer_or("pos", -1);
    if pos >= n(call) {
        return Failure::invalid("pos must be less than n");
    }
    call.stage(Op::Sample { n: n(call), pos })
}

fn top(call: &Call<'_, '_>, desc: bool) -> Result<Value, Failure> {
    call.stage(Op::Top { n: n(call), columns: call.texts_or("columns", &["_value"]), desc })
}

fn fill(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let value = call.get("value").cloned();
    if value.is_some() == call.flag("usePrevious", false) {
        return Failure::invalid("fill requires exactly one of value or usePrevious");
    }
    call.stage(Op::Fill { column: call.text_or("column", "_value"), value })
}

fn convert(call: &Call<'_, '_>, kind: Kind) -> Result<Value, Failure> {
    call.stage(Op::Convert(Kindred(kind)))
}

fn hours(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let (start, stop) = (call.integer_or("start", 0), call.integer_or("stop", 0));
    if !(0..24).contains(&start) || !(0..24).contains(&stop) {
        return Failure::invalid("start and stop must be in the range [0,23]");
    }
    call.stage(Op::Hours { start, stop, column: call.text_or("timeColumn", "_time") })
}
