//! What the functions of Flux itself do to a read.

/// The effect of a function on the reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Begins a read of a bucket.
    From,
    /// Reads names out of a bucket, narrowed by `predicate` and `measurement` if it takes them.
    Schema,
    /// Works inside one table and leaves `_measurement` as it is stored.
    InTable,
    Filter,
    /// Reads nothing by itself; its result comes out of its arguments.
    Pure,
    /// Writes.
    Write,
    /// Not known here.
    Other,
}

const IN_TABLE: [&str; 35] = [
    "bottom",
    "count",
    "cumulativeSum",
    "derivative",
    "difference",
    "distinct",
    "first",
    "increase",
    "integral",
    "last",
    "limit",
    "max",
    "mean",
    "median",
    "min",
    "mode",
    "movingAverage",
    "quantile",
    "range",
    "sample",
    "skew",
    "sort",
    "spread",
    "stddev",
    "sum",
    "tail",
    "toBool",
    "toFloat",
    "toInt",
    "toString",
    "toTime",
    "toUInt",
    "top",
    "unique",
    "yield",
];

/// The arguments with which a function of `IN_TABLE` writes no other column than its own.
pub(super) const HARMLESS_ARGUMENTS: [&str; 22] = [
    "column",
    "columns",
    "compression",
    "desc",
    "every",
    "fn",
    "interpolate",
    "keepFirst",
    "method",
    "mode",
    "n",
    "name",
    "nonNegative",
    "offset",
    "onEmpty",
    "period",
    "pos",
    "q",
    "start",
    "stop",
    "tables",
    "unit",
];

const PURE: [&str; 69] = [
    "aggregateWindow",
    "bool",
    "buckets",
    "bytes",
    "chandeMomentumOscillator",
    "columns",
    "contains",
    "cov",
    "covariance",
    "die",
    "display",
    "doubleEMA",
    "drop",
    "duplicate",
    "duration",
    "elapsed",
    "exponentialMovingAverage",
    "fill",
    "findColumn",
    "findRecord",
    "float",
    "getColumn",
    "getRecord",
    "group",
    "highestAverage",
    "highestCurrent",
    "highestMax",
    "histogram",
    "histogramQuantile",
    "holtWinters",
    "hourSelection",
    "inf",
    "int",
    "join",
    "kaufmansAMA",
    "kaufmansER",
    "keep",
    "keyValues",
    "keys",
    "length",
    "linearBins",
    "logarithmicBins",
    "lowestAverage",
    "lowestCurrent",
    "lowestMin",
    "map",
    "now",
    "pearsonr",
    "pivot",
    "reduce",
    "relativeStrengthIndex",
    "rename",
    "set",
    "stateCount",
    "stateDuration",
    "stateTracking",
    "string",
    "tableFind",
    "time",
    "timeShift",
    "timeWeightedAvg",
    "timedMovingAverage",
    "today",
    "tripleEMA",
    "tripleExponentialDerivative",
    "truncateTimeColumn",
    "uint",
    "union",
    "window",
];

/// Packages of which every function is pure.
const PURE_PACKAGES: [&str; 20] = [
    "array",
    "contrib/tomhollingsworth/events",
    "date",
    "date/boundaries",
    "dict",
    "experimental/aggregate",
    "experimental/array",
    "experimental/date/boundaries",
    "experimental/record",
    "experimental/table",
    "generate",
    "interpolate",
    "join",
    "json",
    "math",
    "regexp",
    "strings",
    "types",
    "bitwise",
    "timezone",
];

const EXPERIMENTAL: [&str; 22] = [
    "addDuration",
    "alignTime",
    "chain",
    "count",
    "distinct",
    "fill",
    "first",
    "group",
    "integral",
    "join",
    "kaufmansAMA",
    "last",
    "max",
    "mean",
    "min",
    "mode",
    "objectKeys",
    "quantile",
    "set",
    "subDuration",
    "sum",
    "unpivot",
];

/// The effect of `name` or `package/path.name`.
pub(super) fn class(path: &str) -> Class {
    let (package, name) = path.rsplit_once('.').unwrap_or(("", path));
    match (package, name) {
        ("" | "influxdata/influxdb", "from") => Class::From,
        ("" | "influxdata/influxdb", "cardinality") => Class::Schema,
        ("" | "influxdata/influxdb" | "experimental", "to" | "wideTo") => Class::Write,
        ("influxdata/influxdb", "buckets") => Class::Pure,
        ("" | "universe", "filter") => Class::Filter,
        ("" | "universe", name) if IN_TABLE.contains(&name) => Class::InTable,
        ("" | "universe", name) if PURE.contains(&name) => Class::Pure,
        ("influxdata/influxdb/schema" | "influxdata/influxdb/v1", name) => schema(name),
        ("experimental", name) if EXPERIMENTAL.contains(&name) => Class::Pure,
        (package, _) if PURE_PACKAGES.contains(&package) => Class::Pure,
        _ => Class::Other,
    }
}

fn schema(name: &str) -> Class {
    match name {
        "fieldsAsCols" | "json" | "databases" => Class::Pure,
        "measurements" | "tagKeys" | "tagValues" | "fieldKeys" => Class::Schema,
        "measurementTagKeys" | "measurementTagValues" | "measurementFieldKeys" => Class::Schema,
        _ => Class::Other,
    }
}

/// Whether it is a name of Flux that needs no import.
pub(super) fn is_universal(name: &str) -> bool {
    !name.contains('.') && class(name) != Class::Other
}

/// What a function does to the group keys of its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Begins with what is stored.
    Source,
    /// Gives one table of names; `keys` are those of tags, fields and times.
    Names {
        keys: bool,
    },
    Union,
    /// Works inside each table and keeps its key, or adds to it.
    PerTable,
    Group,
    /// Adds columns to the key.
    Extend,
    Keep,
    Drop,
    Rename,
    Set,
    Map,
    Reduce,
    Pivot,
    FieldsAsColumns,
    /// Groups by `groupColumns`.
    Rate,
    /// Brings tables together, and makes nothing out of none.
    Never,
    /// Not known here.
    Unknown,
}

/// Functions of `PURE` that work inside one table.
const PER_TABLE: [&str; 24] = [
    "aggregateWindow",
    "chandeMomentumOscillator",
    "columns",
    "doubleEMA",
    "elapsed",
    "exponentialMovingAverage",
    "fill",
    "histogram",
    "histogramQuantile",
    "holtWinters",
    "hourSelection",
    "kaufmansAMA",
    "kaufmansER",
    "keys",
    "relativeStrengthIndex",
    "stateCount",
    "stateDuration",
    "stateTracking",
    "timeShift",
    "timeWeightedAvg",
    "timedMovingAverage",
    "tripleEMA",
    "tripleExponentialDerivative",
    "truncateTimeColumn",
];

const EXPERIMENTAL_PER_TABLE: [&str; 15] = [
    "alignTime",
    "count",
    "distinct",
    "fill",
    "first",
    "integral",
    "kaufmansAMA",
    "last",
    "max",
    "mean",
    "min",
    "mode",
    "quantile",
    "sum",
    "unique",
];

const BRING_TOGETHER: [&str; 6] = [
    "highestAverage",
    "highestCurrent",
    "highestMax",
    "lowestAverage",
    "lowestCurrent",
    "lowestMin",
];

/// The effect of `name` or `package/path.name` on group keys.
pub(super) fn keeps(path: &str) -> Keeps {
    let (package, name) = path.rsplit_once('.').unwrap_or(("", path));
    match (package, name) {
        ("" | "influxdata/influxdb", "from") => Keeps::Source,
        ("" | "universe", name) => universal(name),
        ("influxdata/influxdb/schema" | "influxdata/influxdb/v1", name) => match name {
            "fieldsAsCols" => Keeps::FieldsAsColumns,
            "tagKeys" | "measurementTagKeys" => Keeps::Names { keys: true },
            _ if schema(name) == Class::Schema => Keeps::Names { keys: false },
            _ => Keeps::Unknown,
        },
        ("experimental", "group") => Keeps::Extend,
        ("experimental", "set") => Keeps::Set,
        ("experimental", name) if EXPERIMENTAL_PER_TABLE.contains(&name) => Keeps::PerTable,
        ("experimental/aggregate", "rate") => Keeps::Rate,
        ("experimental/table", "fill") => Keeps::PerTable,
        ("interpolate", "linear") => Keeps::PerTable,
        ("contrib/tomhollingsworth/events", "duration") => Keeps::PerTable,
        _ => Keeps::Unknown,
    }
}

fn universal(name: &str) -> Keeps {
    match name {
        "filter" | "window" => Keeps::PerTable,
        name if IN_TABLE.contains(&name) || PER_TABLE.contains(&name) => Keeps::PerTable,
        name if BRING_TOGETHER.contains(&name) => Keeps::Never,
        "group" => Keeps::Group,
        "keep" => Keeps::Keep,
        "drop" => Keeps::Drop,
        "rename" => Keeps::Rename,
        "set" | "duplicate" => Keeps::Set,
        "map" => Keeps::Map,
        "reduce" => Keeps::Reduce,
        "pivot" => Keeps::Pivot,
        "union" => Keeps::Union,
        _ => Keeps::Unknown,
    }
}

/// Whether `column` and `columns` name only what the function reads, or the one value that it writes.
pub(super) fn reads_columns_only(path: &str) -> bool {
    let (package, name) = path.rsplit_once('.').unwrap_or(("", path));
    matches!(package, "" | "universe") && IN_TABLE.contains(&name)
}
