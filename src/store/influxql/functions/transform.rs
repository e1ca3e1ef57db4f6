//! Each point by those before it.

use crate::base::map::FastMap;
use crate::store::influxql::expr::math::number;
use crate::store::influxql::fault::Fault;
use crate::store::influxql::plan::options::Options;
use crate::store::influxql::read::item::{Boxed, Item, Label, Labels, Next, Stream};
use crate::store::value::Value;
use std::sync::Arc;

pub type Point = (i64, Value);

pub trait Transform {
    fn take(&mut self, time: i64, value: &Value) -> Option<Point>;
    /// What is left at the end.
    fn close(&mut self) -> Option<Point> {
        None
    }
}

pub type Make<'a> = Box<dyn Fn() -> Box<dyn Transform> + 'a>;

pub struct Transformed<'a> {
    input: Boxed<'a>,
    make: Make<'a>,
    labels: Labels,
    known: FastMap<usize, usize>,
    states: Vec<(Arc<Label>, Box<dyn Transform>)>,
    closing: Option<usize>,
}

impl<'a> Transformed<'a> {
    pub fn new(input: Boxed<'a>, options: &Options, make: Make<'a>) -> Transformed<'a> {
        Transformed {
            input,
            make,
            labels: Labels::new(options.group_by.clone()),
            known: FastMap::default(),
            states: Vec::new(),
            closing: None,
        }
    }

    fn state(&mut self, label: &Arc<Label>) -> usize {
        let label = self.labels.of(label);
        let key = Arc::as_ptr(&label) as usize;
        if let Some(at) = self.known.get(&key) {
            return *at;
        }
        let at = self.states.iter().position(|(known, _)| *known == label);
        let at = at.unwrap_or_else(|| {
            self.states.push((label, (self.make)()));
            self.states.len() - 1
        });
        self.known.insert(key, at);
        at
    }
}

fn item(label: &Arc<Label>, (time, value): Point) -> Item {
    Item { label: label.clone(), time, value: Some(value), aux: Vec::new(), merged: 0 }
}

impl Stream for Transformed<'_> {
    fn next(&mut self) -> Next {
        while self.closing.is_none() {
            let Some(one) = self.input.next()? else {
                self.closing = Some(0);
                break;
            };
            let Some(value) = &one.value else { continue };
            let at = self.state(&one.label);
            let (label, state) = &mut self.states[at];
            if let Some(point) = state.take(one.time, value) {
                return Ok(Some(item(label, point)));
            }
        }
        while let Some(at) = self.closing.filter(|at| *at < self.states.len()) {
            self.closing = Some(at + 1);
            let (label, state) = &mut self.states[at];
            if let Some(point) = state.close() {
                return Ok(Some(item(label, point)));
            }
        }
        Ok::<_, Fault>(None)
    }
}

/// `derivative` and `difference`: of points at one time only the first counts.
pub struct Change {
    /// `None`: the difference itself.
    pub unit_ns: Option<i64>,
    pub only_up: bool,
    pub ascending: bool,
    pub last: Option<Point>,
}

impl Transform for Change {
    fn take(&mut self, time: i64, value: &Value) -> Option<Point> {
        if self.last.as_ref().is_some_and(|(last, _)| *last == time) {
            return None;
        }
        let (before, last) = self.last.replace((time, value.clone()))?;
        let change = match (value, &last) {
            (Value::Integer(a), Value::Integer(b)) => Value::Integer(a.wrapping_sub(*b)),
            (Value::Unsigned(a), Value::Unsigned(b)) if self.unit_ns.is_none() => {
                Value::Unsigned(a.wrapping_sub(*b))
            }
            (a, b) => Value::Float(number(a)? - number(b)?),
        };
        let amount = number(&change)?;
        if self.only_up && amount < 0.0 {
            return None;
        }
        let Some(unit_ns) = self.unit_ns else { return Some((time, change)) };
        let passed = if self.ascending { time - before } else { before - time };
        let rate = if passed > 0 { amount / (passed as f64 / unit_ns as f64) } else { 0.0 };
        Some((time, Value::Float(rate)))
    }
}

pub struct Elapsed {
    pub unit_ns: i64,
    pub last: Option<i64>,
}

impl Transform for Elapsed {
    fn take(&mut self, time: i64, _: &Value) -> Option<Point> {
        let before = self.last.replace(time)?;
        Some((time, Value::Integer(time.wrapping_sub(before) / self.unit_ns)))
    }
}

pub struct MovingAverage {
    length: usize,
    values: Vec<Value>,
    at: usize,
    sum: Option<Value>,
}

impl MovingAverage {
    pub fn new(length: i64) -> MovingAverage {
        let length = usize::try_from(length).unwrap_or(1);
        MovingAverage { length, values: Vec::new(), at: 0, sum: None }
    }
}

impl Transform for MovingAverage {
    fn take(&mut self, time: i64, value: &Value) -> Option<Point> {
        if self.values.len() < self.length {
            self.values.push(value.clone());
        } else {
            let gone = std::mem::replace(&mut self.values[self.at], value.clone());
            self.sum = match (self.sum.take(), gone) {
                (Some(Value::Float(sum)), Value::Float(gone)) => Some(Value::Float(sum - gone)),
                (Some(Value::Integer(sum)), Value::Integer(gone)) => {
                    Some(Value::Integer(sum.wrapping_sub(gone)))
                }
                (Some(Value::Unsigned(sum)), Value::Unsigned(gone)) => {
                    Some(Value::Unsigned(sum.wrapping_sub(gone)))
                }
                (sum, _) => sum,
            };
        }
        self.sum = super::aggregate::add(self.sum.take(), value);
        self.at = (self.at + 1) % self.length;
        if self.values.len() < self.length {
            return None;
        }
        let sum = self.sum.as_ref().and_then(number)?;
        Some((time, Value::Float(sum / self.length as f64)))
    }
}

#[derive(Default)]
pub struct CumulativeSum(Option<Value>);

impl Transform for CumulativeSum {
    fn take(&mut self, time: i64, value: &Value) -> Option<Point> {
        self.0 = super::aggregate::add(self.0.take(), value);
        self.0.clone().map(|sum| (time, sum))
    }
}

/// The area below the line through the points, window by window.
pub struct Integral {
    pub unit_ns: i64,
    pub options: Options,
    sum: f64,
    last: Option<(i64, f64)>,
    /// Where the window begins and ends, in the order of the points.
    window: (i64, i64),
}

impl Integral {
    pub fn new(unit_ns: i64, options: Options) -> Integral {
        Integral { unit_ns, options, sum: 0.0, last: None, window: (0, 0) }
    }

    fn window_of(&self, time: i64) -> (i64, i64) {
        let (start, end) = self.options.window(time);
        if self.options.ascending { (start, end) } else { (end, start) }
    }

    fn add(&mut self, (from, low): (i64, f64), (to, high): (i64, f64)) {
        let passed = to.wrapping_sub(from) as f64 / self.unit_ns as f64;
        self.sum += 0.5 * (high + low) * passed;
    }
}

impl Transform for Integral {
    fn take(&mut self, time: i64, value: &Value) -> Option<Point> {
        let point = (time, number(value)?);
        let has_windows = self.options.interval_ns > 0;
        let Some(mut last) = self.last.replace(point) else {
            if has_windows {
                self.window = self.window_of(time);
            }
            return None;
        };
        if last.0 == time {
            return None;
        }
        let mut done = None;
        let mut reached = point.1;
        let end = self.window.1;
        let is_past = if self.options.ascending { time >= end } else { time <= end };
        if has_windows && is_past {
            if last.0 != end {
                let slope = (point.1 - last.1) / (time - last.0) as f64;
                let border = (end, slope * (end - last.0) as f64 + last.1);
                self.add(last, border);
                if matches!(value, Value::Float(_)) {
                    last = border;
                } else {
                    // InfluxDB goes on with the wrong two values where they are whole numbers.
                    (last.0, reached) = (end, border.1);
                }
            }
            done = Some((self.window.0, Value::Float(self.sum)));
            self.window = self.window_of(time);
            self.sum = 0.0;
        }
        self.add(last, (time, reached));
        done
    }

    fn close(&mut self) -> Option<Point> {
        let last = self.last?;
        (last.0 != self.window.0).then_some((self.window.0, Value::Float(self.sum)))
    }
}
