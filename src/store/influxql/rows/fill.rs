//! Points get the time of their window; windows without a point get one.

use crate::proto::influxql::Fill;
use crate::store::influxql::expr::condition::MIN_NS;
use crate::store::influxql::plan::options::Options;
use crate::store::influxql::read::item::{Boxed, Flow, Item, Label, Next, Peek, Stream};
use crate::store::value::{FieldType, Value};
use std::sync::Arc;

pub struct Windowed<'a> {
    pub input: Boxed<'a>,
    pub options: Options,
}

impl Stream for Windowed<'_> {
    fn next(&mut self) -> Next {
        let Some(mut item) = self.input.next()? else { return Ok(None) };
        item.time = self.options.window(item.time).0;
        if item.time == MIN_NS {
            item.time = 0;
        }
        Ok(Some(item))
    }
}

/// Where the filling stands in one series.
struct Place {
    label: Arc<Label>,
    time: i64,
    zone_ns: i64,
}

pub struct Filled<'a> {
    input: Peek<'a>,
    kind: FieldType,
    fill: Fill,
    options: Options,
    start: i64,
    end: i64,
    place: Option<Place>,
    before: Option<(i64, Value)>,
}

impl<'a> Filled<'a> {
    pub fn new(flow: Flow<'a>, is_count: bool, options: &Options) -> Filled<'a> {
        let fill = match options.fill {
            Fill::Null if is_count => Fill::Integer(0),
            fill => fill,
        };
        let (first, last) = match options.ascending {
            true => (options.start_ns, options.end_ns),
            false => (options.end_ns, options.start_ns),
        };
        Filled {
            input: Peek::new(flow.stream),
            kind: flow.kind,
            fill,
            options: options.clone(),
            start: options.window(first).0,
            end: options.window(last).0,
            place: None,
            before: None,
        }
    }

    fn begin(&self, item: &Item) -> Place {
        let time = if self.start == MIN_NS { self.options.window(item.time).0 } else { self.start };
        Place { label: item.label.clone(), time, zone_ns: self.options.zone_at(time) }
    }

    fn is_within(&self, time: i64) -> bool {
        if self.options.ascending {
            time <= self.end
        } else {
            time >= self.end && self.end != MIN_NS
        }
    }

    /// A point for a window that has none.
    fn made(&mut self, label: &Arc<Label>, time: i64) -> Next {
        let value = match (self.fill, &self.before) {
            (Fill::Integer(number), _) => Some(filling(Value::Integer(number), self.kind)),
            (Fill::Number(number), _) => Some(filling(Value::Float(number), self.kind)),
            (Fill::Previous, Some((_, value))) => Some(value.clone()),
            (Fill::Linear, Some(before)) => {
                let before = before.clone();
                match self.input.peek()? {
                    Some(next) if next.label == *label => {
                        linear(self.options.interval_ns, time, &before, next)
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        Ok(Some(Item { label: label.clone(), time, value, aux: Vec::new(), merged: 0 }))
    }
}

/// A number as it fills a column of this type.
pub fn filling(number: Value, kind: FieldType) -> Value {
    match kind {
        FieldType::String => Value::String(Box::default()),
        FieldType::Boolean => Value::Boolean(false),
        kind => crate::store::influxql::functions::build::cast(&number, kind).unwrap_or(number),
    }
}

fn linear(interval: i64, time: i64, before: &(i64, Value), next: &Item) -> Option<Value> {
    let (from, to, at) = (before.0 / interval, next.time / interval, time / interval);
    let passed = (at - from) as f64;
    let whole = (to - from) as f64;
    match (&before.1, next.value.as_ref()?) {
        (Value::Float(a), Value::Float(b)) => Some(Value::Float((b - a) / whole * passed + a)),
        (Value::Integer(a), Value::Integer(b)) => {
            let slope = b.wrapping_sub(*a) as f64 / whole;
            Some(Value::Integer((slope * passed + *a as f64) as i64))
        }
        (Value::Unsigned(a), Value::Unsigned(b)) => {
            let slope = (*b as f64 - *a as f64) / whole;
            Some(Value::Unsigned((slope * passed + *a as f64) as u64))
        }
        _ => None,
    }
}

impl Stream for Filled<'_> {
    fn next(&mut self) -> Next {
        let Some(item) = self.input.next()? else {
            return self.rest(None);
        };
        let mut place = match self.place.take() {
            None => self.begin(&item),
            Some(place) if place.label == item.label => place,
            Some(place) => {
                if self.is_within(place.time) {
                    self.place = Some(place);
                    return self.rest(Some(item));
                }
                self.before = None;
                self.begin(&item)
            }
        };
        let is_early = match self.options.ascending {
            true => item.time > place.time,
            false => item.time < place.time,
        };
        let out = if is_early {
            self.input.unread(Some(item));
            self.made(&place.label, place.time)?
        } else {
            self.before = item.value.clone().map(|value| (item.time, value));
            Some(item)
        };
        place.time = self.options.step(place.time, &mut place.zone_ns);
        self.place = Some(place);
        Ok(out)
    }
}

impl Filled<'_> {
    /// The windows of a series behind its last point.
    fn rest(&mut self, following: Option<Item>) -> Next {
        self.input.unread(following);
        let Some(mut place) = self.place.take() else { return Ok(None) };
        if !self.is_within(place.time) {
            return Ok(None);
        }
        let out = self.made(&place.label, place.time)?;
        place.time = self.options.step(place.time, &mut place.zone_ns);
        self.place = Some(place);
        Ok(out)
    }
}

/// LIMIT and OFFSET, counted anew in each series.
pub struct Limited<'a> {
    pub input: Boxed<'a>,
    pub limit: u64,
    pub offset: u64,
    pub label: Option<Arc<Label>>,
    pub count: u64,
}

impl<'a> Limited<'a> {
    pub fn new(flow: Flow<'a>, options: &Options) -> Flow<'a> {
        let (limit, offset) = (options.limit(), options.offset());
        if limit == 0 && offset == 0 {
            return flow;
        }
        Flow::new(flow.kind, Limited { input: flow.stream, limit, offset, label: None, count: 0 })
    }
}

impl Stream for Limited<'_> {
    fn next(&mut self) -> Next {
        loop {
            let Some(item) = self.input.next()? else { return Ok(None) };
            if self.label.as_ref().is_none_or(|label| *label != item.label) {
                (self.label, self.count) = (Some(item.label.clone()), 0);
            }
            self.count += 1;
            if self.count <= self.offset {
                continue;
            }
            if self.limit > 0 && self.count > self.offset.saturating_add(self.limit) {
                continue;
            }
            return Ok(Some(item));
        }
    }
}
