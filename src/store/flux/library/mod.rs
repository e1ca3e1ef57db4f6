//! The functions of Flux: what each takes, and the value or the stage of a plan that it makes.
//!
//! It promises: an argument is checked before a function sees it; what is not here is an error that names it.
//! It does not know how a stage is carried out.
//!
//! Read `mod.rs` (how functions are found), then any of the others: `source` (where streams begin), `aggregates`,
//! `rows`, `shapes`, `windows`, `series` (row against row), `combine`, `early` (what reads while the script is
//! evaluated), `schema`; for values `values`, `numbers`, `texts`, `dates`, `lists`.

mod aggregates;
mod combine;
mod dates;
mod early;
mod lists;
mod numbers;
mod rows;
mod schema;
mod series;
mod shapes;
mod source;
mod texts;
mod values;
mod windows;

use std::fmt;
use std::sync::LazyLock;

use super::call::Call;
use super::failure::Failure;
use super::interval::Interval;
use super::node::{Op, Stream};
use super::value::Value;
use crate::base::map::FastMap;

pub use dates::location;
pub use lists::dictionary;

/// A function of Flux itself.
pub struct Builtin {
    pub name: &'static str,
    /// The import that has it, nothing for what needs none.
    pub package: &'static str,
    /// `name:type` for each parameter; see `call.rs`.
    pub signature: &'static str,
    pub run: fn(&Call<'_, '_>) -> Result<Value, Failure>,
}

impl fmt::Debug for Builtin {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(self.name)
    }
}

const fn universe(
    name: &'static str,
    signature: &'static str,
    run: fn(&Call<'_, '_>) -> Result<Value, Failure>,
) -> Builtin {
    Builtin { name, package: "", signature, run }
}

const fn packaged(
    package: &'static str,
    name: &'static str,
    signature: &'static str,
    run: fn(&Call<'_, '_>) -> Result<Value, Failure>,
) -> Builtin {
    Builtin { name, package, signature, run }
}

static ALL: LazyLock<FastMap<(&'static str, &'static str), &'static Builtin>> =
    LazyLock::new(|| {
        let all = [
            aggregates::FUNCTIONS,
            combine::FUNCTIONS,
            dates::FUNCTIONS,
            early::FUNCTIONS,
            lists::FUNCTIONS,
            numbers::FUNCTIONS,
            rows::FUNCTIONS,
            schema::FUNCTIONS,
            series::FUNCTIONS,
            shapes::FUNCTIONS,
            source::FUNCTIONS,
            texts::FUNCTIONS,
            values::FUNCTIONS,
            windows::FUNCTIONS,
        ];
        all.into_iter().flatten().map(|one| ((one.package, one.name), one)).collect()
    });

/// `inf`: a duration without an end.
pub const FOREVER: Interval = Interval { months: 0, nanos: i64::MAX };

/// What a name means without an import.
pub fn universal(name: &str) -> Option<Value> {
    match name {
        "inf" => Some(Value::Duration(FOREVER)),
        _ => ALL.get(&("", name)).map(|builtin| Value::Builtin(builtin)),
    }
}

/// A member of a package.
pub fn member(path: &str, name: &str) -> Option<Value> {
    // The two are one package under two names, and `v1` has a little more.
    let path = if path == "influxdata/influxdb/v1" { "influxdata/influxdb/schema" } else { path };
    if path == "math"
        && let Some(number) = numbers::constant(name)
    {
        return Some(number);
    }
    match (path, name) {
        ("timezone", "utc") => dates::utc().ok(),
        // What needs no import can be reached through its package, too.
        ("universe", _) => universal(name),
        ("influxdata/influxdb", "from" | "to" | "buckets") => universal(name),
        _ => ALL.get(&(path, name)).map(|builtin| Value::Builtin(builtin)),
    }
}

/// Whether an import of this path gives anything.
pub fn is_package(path: &str) -> bool {
    matches!(path, "universe" | "influxdata/influxdb" | "influxdata/influxdb/v1" | "timezone")
        || ALL.keys().any(|(package, _)| *package == path)
}

/// Functions of Flux that need no import and that are not here.
pub fn is_known(name: &str) -> bool {
    const KNOWN: [&str; 22] = [
        "cardinality",
        "chandeMomentumOscillator",
        "cov",
        "covariance",
        "doubleEMA",
        "getOption",
        "histogramQuantile",
        "holtWinters",
        "kaufmansAMA",
        "kaufmansER",
        "keyValues",
        "pearsonr",
        "relativeStrengthIndex",
        "stateTracking",
        "tripleEMA",
        "tripleExponentialDerivative",
        "wideTo",
        "chain",
        "display",
        "duration",
        "logarithmicBins",
        "toBytes",
    ];
    KNOWN.contains(&name)
}

impl Call<'_, '_> {
    /// A stage after another one that this call has made.
    fn then(&self, before: Value, op: Op) -> Result<Value, Failure> {
        self.stage_on(op, vec![stream(before)])
    }
}

/// # Panics
/// If it is no stream.
fn stream(value: Value) -> Stream {
    match value {
        Value::Stream(stream) => stream,
        _ => unreachable!("a stage is a stream"),
    }
}
