//! The same functions over whole blocks of one series, without a value per point.

use super::aggregate::{Call, compare, is_better};
use crate::store::influxql::plan::options::Options;
use crate::store::influxql::read::item::{Item, Label};
use crate::store::value::{Column, Value, Values};
use std::sync::Arc;

/// The points of one series become one item for each window.
pub struct Fold<'o> {
    call: Call,
    options: &'o Options,
    window: Option<(i64, i64)>,
    count: u64,
    value: Option<(i64, Value)>,
    label: Arc<Label>,
    pub done: Vec<Item>,
}

impl<'o> Fold<'o> {
    pub fn new(call: Call, options: &'o Options, label: Arc<Label>) -> Fold<'o> {
        Fold { call, options, window: None, count: 0, value: None, label, done: Vec::new() }
    }

    pub fn block(&mut self, column: &Column) {
        let mut at = 0;
        while at < column.len() {
            let time = column.times[at];
            let (start, end) = match self.window {
                Some((start, end)) if time >= start && time < end => (start, end),
                _ => {
                    self.close();
                    let window = self.options.window(time);
                    self.window = Some(window);
                    window
                }
            };
            let rest = &column.times[at..];
            let length = if self.options.ascending {
                inside(rest, |time| time < end)
            } else {
                inside(rest, |time| time >= start)
            };
            self.part(column, at, at + length.max(1));
            at += length.max(1);
        }
    }

    fn part(&mut self, column: &Column, from: usize, to: usize) {
        self.count += (to - from) as u64;
        match self.call {
            Call::Count => {}
            Call::Sum | Call::Mean => self.add(&column.values, from, to),
            Call::Min | Call::Max => self.extreme(column, from, to),
            Call::First | Call::Last => {
                let at = if (self.call == Call::First) == self.options.ascending {
                    from
                } else {
                    to - 1
                };
                self.offer(column, at);
            }
        }
    }

    fn offer(&mut self, column: &Column, at: usize) {
        let (time, value) = (column.times[at], column.values.get(at));
        let better = match &self.value {
            None => true,
            Some((known, best)) => is_better(self.call, (time, &value), (*known, best)),
        };
        if better {
            self.value = Some((time, value));
        }
    }

    fn add(&mut self, values: &Values, from: usize, to: usize) {
        let sum = match (values, &self.value) {
            // The first is taken as it is: -0 stays -0.
            (Values::Float(values), None) => Value::Float(
                values[from + 1..to].iter().fold(values[from], |sum, value| sum + value),
            ),
            (Values::Float(values), Some((_, Value::Float(sum)))) => {
                Value::Float(values[from..to].iter().fold(*sum, |sum, value| sum + value))
            }
            (Values::Integer(values), known) => {
                let begin = match known {
                    Some((_, Value::Integer(sum))) => *sum,
                    _ => 0,
                };
                Value::Integer(
                    values[from..to].iter().fold(begin, |sum, value| sum.wrapping_add(*value)),
                )
            }
            (Values::Unsigned(values), known) => {
                let begin = match known {
                    Some((_, Value::Unsigned(sum))) => *sum,
                    _ => 0,
                };
                Value::Unsigned(
                    values[from..to].iter().fold(begin, |sum, value| sum.wrapping_add(*value)),
                )
            }
            _ => return,
        };
        self.value = Some((0, sum));
    }

    fn extreme(&mut self, column: &Column, from: usize, to: usize) {
        let wanted_less = self.call == Call::Min;
        let better =
            |is_less: bool, is_greater: bool| if wanted_less { is_less } else { is_greater };
        let mut best = from;
        match &column.values {
            Values::Float(values) => {
                for at in from + 1..to {
                    if better(values[at] < values[best], values[at] > values[best]) {
                        best = at;
                    }
                }
            }
            Values::Integer(values) => {
                for at in from + 1..to {
                    if better(values[at] < values[best], values[at] > values[best]) {
                        best = at;
                    }
                }
            }
            values => {
                for at in from + 1..to {
                    let order = compare(&values.get(at), &values.get(best));
                    if better(order.is_lt(), order.is_gt()) {
                        best = at;
                    }
                }
            }
        }
        // Walking backwards the last of equal values is the earliest.
        if !self.options.ascending {
            let value = column.values.get(best);
            if let Some(later) = (best + 1..to).rev().find(|at| column.values.get(*at) == value) {
                best = later;
            }
        }
        self.offer(column, best);
    }

    fn close(&mut self) {
        let (Some((start, _)), 1..) = (self.window.take(), self.count) else { return };
        let count = std::mem::take(&mut self.count);
        let (time, value) = match (self.call, self.value.take()) {
            (Call::Count, _) => (start, Some(Value::Integer(count.cast_signed()))),
            (Call::Sum, Some((_, sum))) => (start, Some(sum)),
            (Call::Mean, Some((_, sum))) => {
                let sum = match sum {
                    Value::Float(sum) => sum,
                    Value::Integer(sum) => sum as f64,
                    Value::Unsigned(sum) => sum as f64,
                    _ => 0.0,
                };
                (start, Some(Value::Float(sum / count as f64)))
            }
            (_, Some((time, value))) => (time, Some(value)),
            (_, None) => return,
        };
        let label = self.label.clone();
        self.done.push(Item { label, time, value, aux: Vec::new(), merged: count });
    }

    pub fn finish(mut self) -> Vec<Item> {
        self.close();
        self.done
    }
}

/// How many times at the beginning fulfil what all before a border do.
fn inside(times: &[i64], within: impl Fn(i64) -> bool) -> usize {
    if times.last().is_some_and(|last| within(*last)) {
        return times.len();
    }
    // Windows are mostly short: doubling steps, then halving ones.
    let mut step = 1;
    while step < times.len() && within(times[step]) {
        step *= 2;
    }
    let from = step / 2;
    from + times[from..step.min(times.len())].partition_point(|time| within(*time))
}
