//! Windows of time.

use std::rc::Rc;

use super::super::call::{Arguments, Call};
use super::super::failure::Failure;
use super::super::interval::Interval;
use super::super::node::{Aggregate, AggregateWindow, Location, Op, Stream, Windows};
use super::super::value::Value;
use super::{Builtin, FOREVER, stream, universe};

pub const FUNCTIONS: &[Builtin] = &[
    universe(
        "window",
        "<-tables:stream ?every:duration ?period:duration ?offset:duration ?location:record ?timeColumn:string ?startColumn:string ?stopColumn:string ?createEmpty:bool",
        window,
    ),
    universe(
        "aggregateWindow",
        "<-tables:stream every:duration fn:aggregate ?period:duration ?offset:duration ?location:record ?column:string ?timeSrc:string ?timeDst:string ?createEmpty:bool",
        aggregate_window,
    ),
    universe(
        "timedMovingAverage",
        "<-tables:stream every:duration period:duration ?column:string",
        |call| {
            let windows = windows(call, false)?;
            let mean = |window: Stream| {
                let op = Op::Aggregate(Aggregate::Mean, call.text_or("column", "_value"));
                call.stage_on(op, vec![window])
            };
            over(call, windows, mean)
        },
    ),
    universe("truncateTimeColumn", "<-tables:stream unit:duration ?timeColumn:string", |call| {
        let unit = call.interval("unit").unwrap_or_default();
        if !unit.is_positive() {
            return Failure::invalid("unit must be positive");
        }
        call.stage(Op::Truncate { unit, column: call.text_or("timeColumn", "_time") })
    }),
];

fn location(call: &Call<'_, '_>) -> Result<Location, Failure> {
    match call.get("location") {
        Some(value) => super::location(value),
        None => Ok(call.interpreter.location.borrow().clone()),
    }
}

/// The windows that the arguments ask for.
fn windows(call: &Call<'_, '_>, create_empty: bool) -> Result<Windows, Failure> {
    const WITHIN: &str =
        "error calling function \"window\" @universe/universe.flux|3894:12-3900:10: ";
    let within = if call.name == "window" { "" } else { WITHIN };
    let (every, period) = (call.interval("every"), call.interval("period"));
    let is_set = |interval: Option<Interval>| interval.is_some_and(|one| !one.is_zero());
    if !is_set(every) && !is_set(period) {
        return Failure::invalid(format!(
            "{within}window function requires at least one of \"every\" or \"period\" to be set and non-zero"
        ));
    }
    let every = every.or(period).filter(|every| !every.is_zero()).or(period).unwrap_or(FOREVER);
    for (name, interval) in [("every", Some(every)), ("period", period)] {
        if interval.is_some_and(Interval::is_negative) {
            return Failure::invalid(format!("{within}parameter \"{name}\" must be non-negative"));
        }
    }
    let finite = |interval: Interval| (interval != FOREVER).then_some(interval);
    Ok(Windows {
        every: finite(every),
        period: finite(period.unwrap_or(every)),
        offset: call.interval("offset").unwrap_or_default(),
        location: location(call)?,
        time_column: "_time".into(),
        start_column: "_start".into(),
        stop_column: "_stop".into(),
        create_empty,
    })
}

fn window(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let windows = Windows {
        time_column: call.text_or("timeColumn", "_time"),
        start_column: call.text_or("startColumn", "_start"),
        stop_column: call.text_or("stopColumn", "_stop"),
        ..windows(call, call.flag("createEmpty", false))?
    };
    call.stage(Op::Window(windows))
}

fn aggregate_window(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let windows = windows(call, call.flag("createEmpty", true))?;
    over(call, windows, |window| {
        let column = Value::String(call.text_or("column", "_value"));
        let given = Arguments {
            named: vec![("column".into(), column, call.span)],
            piped: Some(Value::Stream(window)),
        };
        call.interpreter.apply(call.value("fn"), given, call.span)
    })
}

/// Windows, a function over each, and all of a group together again.
fn over(
    call: &Call<'_, '_>,
    windows: Windows,
    function: impl FnOnce(Stream) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    let source = call.stream("tables");
    let column = call.text_or("column", "_value");
    let time_source = call.text_or("timeSrc", "_stop");
    let time_target = call.text_or("timeDst", "_time");
    let window = stream(call.stage(Op::Window(windows.clone()))?);
    let Value::Stream(reduced) = function(window.clone())? else {
        return Failure::invalid("the function of aggregateWindow gives no stream");
    };
    let aggregate = match (&reduced.op, reduced.inputs.as_slice()) {
        (Op::Aggregate(aggregate, of), [input]) if *of == column && Rc::ptr_eq(input, &window) => {
            Some(*aggregate)
        }
        _ => None,
    };
    let mut rows = Value::Stream(reduced);
    if windows.create_empty {
        rows = call.then(rows, Op::TableFill)?;
    }
    let duplicate = Op::Duplicate { column: time_source.clone(), name: time_target.clone() };
    let timed = call.then(rows, duplicate)?;
    let together = Windows {
        every: None,
        period: None,
        time_column: time_target.clone(),
        create_empty: false,
        ..windows.clone()
    };
    let whole = call.then(timed, Op::Window(together))?;
    let op = AggregateWindow { source, windows, aggregate, column, time_source, time_target };
    call.then(whole, Op::AggregateWindow(Box::new(op)))
}
