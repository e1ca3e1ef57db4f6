//! A plan: what a script makes of its functions on streams, before anything is read.

use std::rc::Rc;

use super::interval::Interval;
use super::value::{Fields, Value};
use crate::store::zone::Zone;

pub type Stream = Rc<Node>;

/// Stages one after the other. More of them would not fit on the stack of a thread.
pub const DEPTH_MAX: u32 = 120;

/// One stage.
#[derive(Debug)]
pub struct Node {
    /// Counts up within one script.
    pub id: usize,
    /// The function that made it.
    pub name: &'static str,
    /// Where it stands: `1:2-3:4`.
    pub place: Rc<str>,
    pub op: Op,
    pub inputs: Vec<Stream>,
    pub depth: u32,
    /// The range of time that its rows lie in, as far as the plan knows it.
    pub bounds: Option<Bounds>,
}

/// Half-open, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub start: i64,
    pub stop: i64,
}

impl Bounds {
    pub fn cut(self, other: Bounds) -> Bounds {
        Bounds { start: self.start.max(other.start), stop: self.stop.min(other.stop) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
}

impl Aggregate {
    /// Whether it gives one of the rows.
    pub fn is_selector(self) -> bool {
        !matches!(self, Aggregate::Count | Aggregate::Sum | Aggregate::Mean)
    }
}

#[derive(Clone, Debug)]
pub struct Windows {
    /// Nothing: for ever.
    pub every: Option<Interval>,
    pub period: Option<Interval>,
    pub offset: Interval,
    pub location: Location,
    pub time_column: Rc<str>,
    pub start_column: Rc<str>,
    pub stop_column: Rc<str>,
    pub create_empty: bool,
}

/// Where days begin.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Location {
    /// What local time is ahead of UTC, where no zone says it.
    pub offset_ns: i64,
    pub zone: Option<Zone>,
}

impl Location {
    pub fn is_utc(&self) -> bool {
        *self == Location::default()
    }

    /// What clocks show there.
    pub fn local(&self, moment: i64) -> i64 {
        let offset = self.zone.as_ref().map_or(0, |zone| zone.offset_ns(moment));
        moment.saturating_add(self.offset_ns).saturating_add(offset)
    }

    /// The moment at which clocks there show this.
    pub fn moment(&self, local: i64) -> i64 {
        let plain = local.saturating_sub(self.offset_ns);
        let Some(zone) = &self.zone else { return plain };
        let guess = plain.saturating_sub(zone.offset_ns(plain));
        plain.saturating_sub(zone.offset_ns(guess))
    }
}

#[derive(Clone, Debug)]
pub enum Method {
    Digest(f64),
    ExactMean,
    ExactSelector,
}

#[derive(Debug)]
pub enum Op {
    From {
        bucket: Rc<str>,
    },
    Range(Bounds),
    Filter {
        function: Value,
        keep_empty: bool,
    },
    Yield(Rc<str>),
    Group {
        columns: Rc<[Rc<str>]>,
        except: bool,
    },
    Aggregate(Aggregate, Rc<str>),
    Quantile {
        q: f64,
        method: Method,
        column: Rc<str>,
    },
    Spread(Rc<str>),
    Deviation {
        column: Rc<str>,
        population: bool,
    },
    Skew(Rc<str>),
    Mode(Rc<str>),
    Integral {
        column: Rc<str>,
        unit: Interval,
        interpolate: bool,
    },
    Histogram {
        column: Rc<str>,
        upper: Rc<str>,
        count: Rc<str>,
        bins: Vec<f64>,
        normalize: bool,
    },
    Distinct(Rc<str>),
    Unique(Rc<str>),
    Limit {
        n: i64,
        offset: i64,
    },
    Tail {
        n: i64,
        offset: i64,
    },
    Sample {
        n: i64,
        pos: i64,
    },
    Sort {
        columns: Vec<Rc<str>>,
        desc: bool,
    },
    Top {
        n: i64,
        columns: Vec<Rc<str>>,
        desc: bool,
    },
    Fill {
        column: Rc<str>,
        value: Option<Value>,
    },
    Window(Windows),
    /// Its input is the window, the function and the rest, as if written by hand; `source` is what is windowed.
    AggregateWindow(Box<AggregateWindow>),
    /// A row with null for a table that has none.
    TableFill,
    Map(Value),
    Reduce {
        function: Value,
        identity: Fields,
    },
    Convert(Kindred),
    Truncate {
        unit: Interval,
        column: Rc<str>,
    },
    Keep(Choice),
    Drop(Choice),
    Rename {
        pairs: Vec<(Rc<str>, Rc<str>)>,
        function: Option<Value>,
    },
    Duplicate {
        column: Rc<str>,
        name: Rc<str>,
    },
    Set {
        key: Rc<str>,
        value: Rc<str>,
    },
    Columns(Rc<str>),
    Keys(Rc<str>),
    Shift {
        duration: Interval,
        columns: Vec<Rc<str>>,
    },
    Elapsed {
        unit: i64,
        time: Rc<str>,
        name: Rc<str>,
    },
    Derivative {
        unit: i64,
        non_negative: bool,
        columns: Vec<Rc<str>>,
        time: Rc<str>,
        zero: bool,
    },
    Difference {
        non_negative: bool,
        keep_first: bool,
        zero: bool,
        columns: Vec<Rc<str>>,
    },
    CumulativeSum(Vec<Rc<str>>),
    MovingAverage(i64),
    ExponentialMovingAverage(i64),
    State {
        function: Value,
        name: Rc<str>,
        unit: Option<i64>,
        time: Rc<str>,
    },
    Hours {
        start: i64,
        stop: i64,
        column: Rc<str>,
    },
    Pivot {
        row: Vec<Rc<str>>,
        column: Vec<Rc<str>>,
        value: Rc<str>,
    },
    Union,
    Join {
        names: [Rc<str>; 2],
        on: Vec<Rc<str>>,
    },
    JoinRows(Box<JoinRows>),
    Rows(Vec<Fields>),
    Buckets,
    To {
        bucket: Rc<str>,
    },
    Interpolate(i64),
}

#[derive(Debug)]
pub struct AggregateWindow {
    pub source: Stream,
    pub windows: Windows,
    /// The function where it is one that storage knows.
    pub aggregate: Option<Aggregate>,
    pub column: Rc<str>,
    pub time_source: Rc<str>,
    pub time_target: Rc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Debug)]
pub struct JoinRows {
    /// Columns of the left and of the right that must be equal.
    pub on: Vec<(Rc<str>, Rc<str>)>,
    pub shape: Value,
    pub side: Side,
}

/// What `toInt` and the like make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kindred(pub super::value::Kind);

/// Columns by name or by a function.
#[derive(Debug)]
pub enum Choice {
    Names(Vec<Rc<str>>),
    Function(Value),
}

impl Node {
    /// The range of time that its rows lie in, as far as the plan knows it.
    pub fn bounds_of(op: &Op, inputs: &[Stream]) -> Option<Bounds> {
        let widest =
            |a: Bounds, b: Bounds| Bounds { start: a.start.min(b.start), stop: a.stop.max(b.stop) };
        let inherited = inputs.iter().filter_map(|input| input.bounds).reduce(widest);
        match op {
            Op::Range(bounds) => Some(inherited.map_or(*bounds, |outer| bounds.cut(outer))),
            Op::Shift { duration, .. } => inherited.map(|bounds| Bounds {
                start: duration.added_to(bounds.start),
                stop: duration.added_to(bounds.stop),
            }),
            _ => inherited,
        }
    }
}
