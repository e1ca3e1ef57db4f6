//! Functions that make one row of many, and those that choose rows by their value.

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::node::{Aggregate, Method, Op};
use super::super::value::Value;
use super::{Builtin, universe};

const COLUMN: &str = "<-tables:stream ?column:string";

pub const FUNCTIONS: &[Builtin] = &[
    universe("count", COLUMN, |call| plain(call, Aggregate::Count)),
    universe("sum", COLUMN, |call| plain(call, Aggregate::Sum)),
    universe("mean", COLUMN, |call| plain(call, Aggregate::Mean)),
    universe("min", COLUMN, |call| plain(call, Aggregate::Min)),
    universe("max", COLUMN, |call| plain(call, Aggregate::Max)),
    universe("first", COLUMN, |call| plain(call, Aggregate::First)),
    universe("last", COLUMN, |call| plain(call, Aggregate::Last)),
    universe(
        "median",
        "<-tables:stream ?column:string ?method:string ?compression:float",
        quantile,
    ),
    universe(
        "quantile",
        "<-tables:stream q:float ?column:string ?method:string ?compression:float",
        quantile,
    ),
    universe("spread", COLUMN, |call| call.stage(Op::Spread(column(call)))),
    universe("stddev", "<-tables:stream ?column:string ?mode:string", deviation),
    universe("skew", COLUMN, |call| call.stage(Op::Skew(column(call)))),
    universe("mode", COLUMN, |call| call.stage(Op::Mode(column(call)))),
    universe(
        "integral",
        "<-tables:stream ?unit:duration ?timeColumn:string ?column:string ?interpolate:string",
        integral,
    ),
    universe(
        "histogram",
        "<-tables:stream bins:floats ?column:string ?upperBoundColumn:string ?countColumn:string ?normalize:bool",
        histogram,
    ),
    universe("reduce", "<-tables:stream fn:function identity:record", reduce),
    universe("highestMax", HIGHEST, |call| highest(call, Aggregate::Max, true)),
    universe("highestAverage", HIGHEST, |call| highest(call, Aggregate::Mean, true)),
    universe("highestCurrent", HIGHEST, |call| highest(call, Aggregate::Last, true)),
    universe("lowestMin", HIGHEST, |call| highest(call, Aggregate::Min, false)),
    universe("lowestAverage", HIGHEST, |call| highest(call, Aggregate::Mean, false)),
    universe("lowestCurrent", HIGHEST, |call| highest(call, Aggregate::Last, false)),
];

const HIGHEST: &str = "<-tables:stream n:int ?column:string ?groupColumns:strings";

fn column(call: &Call<'_, '_>) -> std::rc::Rc<str> {
    call.text_or("column", "_value")
}

fn plain(call: &Call<'_, '_>, aggregate: Aggregate) -> Result<Value, Failure> {
    call.stage(Op::Aggregate(aggregate, column(call)))
}

fn quantile(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let q = call.float_or("q", 0.5);
    if !(0.0..=1.0).contains(&q) {
        return Failure::invalid("quantile must be between 0 and 1");
    }
    let compression = call.float_or("compression", 0.0);
    let method = match &*call.text_or("method", "estimate_tdigest") {
        "estimate_tdigest" => Method::Digest(if compression > 0.0 { compression } else { 1000.0 }),
        _ if compression > 0.0 => {
            return Failure::invalid(
                "compression parameter is only valid for method estimate_tdigest",
            );
        }
        "exact_mean" => Method::ExactMean,
        "exact_selector" => Method::ExactSelector,
        other => return Failure::invalid(format!("unknown method {other}")),
    };
    call.stage(Op::Quantile { q, method, column: column(call) })
}

fn deviation(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let population = match &*call.text_or("mode", "sample") {
        "sample" => false,
        "population" => true,
        other => {
            return Failure::invalid(format!("\"{other}\" is not a valid standard deviation mode"));
        }
    };
    call.stage(Op::Deviation { column: column(call), population })
}

fn integral(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let interpolate = match &*call.text("interpolate") {
        "" => false,
        "linear" => true,
        other => return Failure::invalid(format!("invalid interpolate method \"{other}\"")),
    };
    let unit = call.interval("unit").unwrap_or(super::Interval::nanos(1_000_000_000));
    if !unit.is_positive() {
        return Failure::invalid("unit must be positive");
    }
    call.stage(Op::Integral { column: column(call), unit, interpolate })
}

fn histogram(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let Value::Array(items) = call.value("bins") else { unreachable!("checked") };
    let bins: Vec<f64> = items
        .inner
        .iter()
        .filter_map(|bin| match bin {
            Value::Float(bin) => Some(*bin),
            _ => None,
        })
        .collect();
    call.stage(Op::Histogram {
        column: column(call),
        upper: call.text_or("upperBoundColumn", "le"),
        count: call.text_or("countColumn", "_value"),
        bins,
        normalize: call.flag("normalize", false),
    })
}

fn reduce(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let identity = call.value("identity").fields().expect("the signature asks for a record");
    call.stage(Op::Reduce { function: call.value("fn").clone(), identity })
}

fn highest(call: &Call<'_, '_>, aggregate: Aggregate, desc: bool) -> Result<Value, Failure> {
    let columns = call.texts_or("groupColumns", &[]);
    let grouped = call.stage(Op::Group { columns: columns.into(), except: false })?;
    let reduced = call.then(grouped, Op::Aggregate(aggregate, column(call)))?;
    let together = call.then(reduced, Op::Group { columns: [].into(), except: false })?;
    let n = call.integer_or("n", 0);
    call.then(together, Op::Top { n, columns: vec![column(call)], desc })
}
