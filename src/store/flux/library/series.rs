//! Functions that set a row against those before it.

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::node::Op;
use super::super::value::Value;
use super::{Builtin, universe};

const SECOND_NS: i64 = 1_000_000_000;

pub const FUNCTIONS: &[Builtin] = &[
    universe(
        "derivative",
        "<-tables:stream ?unit:duration ?nonNegative:bool ?columns:strings ?timeColumn:string ?initialZero:bool",
        derivative,
    ),
    universe(
        "difference",
        "<-tables:stream ?nonNegative:bool ?columns:strings ?keepFirst:bool ?initialZero:bool",
        |call| {
            call.stage(Op::Difference {
                non_negative: call.flag("nonNegative", false),
                keep_first: call.flag("keepFirst", false),
                zero: call.flag("initialZero", false),
                columns: call.texts_or("columns", &["_value"]),
            })
        },
    ),
    universe("increase", "<-tables:stream ?columns:strings", increase),
    universe("cumulativeSum", "<-tables:stream ?columns:strings", |call| {
        call.stage(Op::CumulativeSum(call.texts_or("columns", &["_value"])))
    }),
    universe("movingAverage", "<-tables:stream n:int", |call| {
        call.stage(Op::MovingAverage(periods(call)?))
    }),
    universe("exponentialMovingAverage", "<-tables:stream n:int", |call| {
        call.stage(Op::ExponentialMovingAverage(periods(call)?))
    }),
    universe(
        "elapsed",
        "<-tables:stream ?unit:duration ?timeColumn:string ?columnName:string",
        |call| {
            call.stage(Op::Elapsed {
                unit: positive(call, "unit")?,
                time: call.text_or("timeColumn", "_time"),
                name: call.text_or("columnName", "elapsed"),
            })
        },
    ),
    universe("stateCount", "<-tables:stream fn:function ?column:string", |call| {
        call.stage(Op::State {
            function: call.value("fn").clone(),
            name: call.text_or("column", "stateCount"),
            unit: None,
            time: "_time".into(),
        })
    }),
    universe(
        "stateDuration",
        "<-tables:stream fn:function ?column:string ?timeColumn:string ?unit:duration",
        |call| {
            call.stage(Op::State {
                function: call.value("fn").clone(),
                name: call.text_or("column", "stateDuration"),
                unit: Some(positive(call, "unit")?),
                time: call.text_or("timeColumn", "_time"),
            })
        },
    ),
    universe("timeShift", "<-tables:stream duration:duration ?columns:strings", |call| {
        call.stage(Op::Shift {
            duration: call.interval("duration").unwrap_or_default(),
            columns: call.texts_or("columns", &["_start", "_stop", "_time"]),
        })
    }),
];

fn positive(call: &Call<'_, '_>, name: &str) -> Result<i64, Failure> {
    match call.unit_or(name, SECOND_NS) {
        unit if unit > 0 => Ok(unit),
        _ => Failure::invalid(format!("{name} must be positive")),
    }
}

fn periods(call: &Call<'_, '_>) -> Result<i64, Failure> {
    match call.integer_or("n", 0) {
        n if n > 0 => Ok(n),
        n => Failure::invalid(format!(
            "cannot take moving average with a period of {n} (must be greater than 0)"
        )),
    }
}

fn derivative(call: &Call<'_, '_>) -> Result<Value, Failure> {
    call.stage(Op::Derivative {
        unit: positive(call, "unit")?,
        non_negative: call.flag("nonNegative", false),
        columns: call.texts_or("columns", &["_value"]),
        time: call.text_or("timeColumn", "_time"),
        zero: call.flag("initialZero", false),
    })
}

fn increase(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let columns = call.texts_or("columns", &["_value"]);
    let difference = call.stage(Op::Difference {
        non_negative: true,
        keep_first: true,
        zero: true,
        columns: columns.clone(),
    })?;
    call.then(difference, Op::CumulativeSum(columns))
}
