//! Functions whose parts can be combined: count, sum, mean, min, max, first, last.

use super::reduce::{Out, Reducer};
use crate::store::influxql::read::item::Item;
use crate::store::value::{FieldType, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
}

impl Call {
    pub fn named(name: &str) -> Option<Call> {
        Some(match name {
            "count" => Call::Count,
            "sum" => Call::Sum,
            "mean" => Call::Mean,
            "min" => Call::Min,
            "max" => Call::Max,
            "first" => Call::First,
            "last" => Call::Last,
            _ => return None,
        })
    }

    /// What combines results of parts.
    pub fn merging(self) -> Call {
        if self == Call::Count { Call::Sum } else { self }
    }

    /// The type of the result; `None` where the function does not take this type.
    pub fn kind(self, of: FieldType) -> Option<FieldType> {
        let is_number = !matches!(of, FieldType::String | FieldType::Boolean);
        match self {
            Call::Count => Some(FieldType::Integer),
            Call::Sum => is_number.then_some(of),
            Call::Mean => is_number.then_some(FieldType::Float),
            Call::Min | Call::Max => (of != FieldType::String).then_some(of),
            Call::First | Call::Last => Some(of),
        }
    }

    pub fn reducer(self) -> Box<dyn Reducer> {
        match self {
            Call::Count => Box::new(Count(0)),
            Call::Sum => Box::new(Sum(None)),
            Call::Mean => Box::new(Mean::default()),
            _ => Box::new(One { call: self, best: None }),
        }
    }
}

struct Count(i64);

impl Reducer for Count {
    fn take(&mut self, _: &Item) {
        self.0 += 1;
    }

    fn emit(&mut self) -> Vec<Out> {
        Out::of(Value::Integer(self.0)).into_iter().collect()
    }
}

struct Sum(Option<Value>);

pub fn add(sum: Option<Value>, value: &Value) -> Option<Value> {
    match (sum, value) {
        (None, value) => Some(value.clone()),
        (Some(Value::Float(a)), Value::Float(b)) => Some(Value::Float(a + b)),
        (Some(Value::Integer(a)), Value::Integer(b)) => Some(Value::Integer(a.wrapping_add(*b))),
        (Some(Value::Unsigned(a)), Value::Unsigned(b)) => Some(Value::Unsigned(a.wrapping_add(*b))),
        (sum, _) => sum,
    }
}

impl Reducer for Sum {
    fn take(&mut self, item: &Item) {
        if let Some(value) = &item.value {
            self.0 = add(self.0.take(), value);
        }
    }

    fn emit(&mut self) -> Vec<Out> {
        self.0.take().and_then(Out::of).into_iter().collect()
    }
}

#[derive(Default)]
struct Mean {
    sum: Option<Value>,
    count: u64,
}

impl Reducer for Mean {
    fn take(&mut self, item: &Item) {
        let Some(value) = &item.value else { return };
        let (value, count) = match (value, item.merged) {
            (Value::Float(value), 2..) => (Value::Float(value * item.merged as f64), item.merged),
            (value, _) => (value.clone(), 1),
        };
        self.sum = add(self.sum.take(), &value);
        self.count += count;
    }

    fn emit(&mut self) -> Vec<Out> {
        let sum = match self.sum.take() {
            Some(Value::Float(sum)) => sum,
            Some(Value::Integer(sum)) => sum as f64,
            Some(Value::Unsigned(sum)) => sum as f64,
            _ => return Vec::new(),
        };
        let value = Some(Value::Float(sum / self.count as f64));
        vec![Out { value, merged: self.count, ..Out::default() }]
    }
}

/// One of all points.
struct One {
    call: Call,
    best: Option<Item>,
}

impl Reducer for One {
    fn take(&mut self, item: &Item) {
        let Some(value) = &item.value else { return };
        let better = match &self.best {
            None => true,
            Some(best) => {
                let known = best.value.as_ref().expect("a best point has a value");
                is_better(self.call, (item.time, value), (best.time, known))
            }
        };
        if better {
            self.best = Some(item.clone());
        }
    }

    fn emit(&mut self) -> Vec<Out> {
        let out = |item: Item| Out {
            time: Some(item.time),
            value: item.value,
            aux: item.aux,
            ..Out::default()
        };
        self.best.take().map(out).into_iter().collect()
    }
}

/// Whether a point takes the place of the best one so far.
pub fn is_better(
    call: Call,
    (time, value): (i64, &Value),
    (best_time, best): (i64, &Value),
) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let order = compare(value, best);
    let is_boolean = matches!(value, Value::Boolean(_));
    match call {
        Call::Min => order == Less || (order == Equal && time < best_time),
        Call::Max => order == Greater || (order == Equal && time < best_time),
        Call::First => {
            let wins = if is_boolean { order == Less } else { order == Greater };
            time < best_time || (time == best_time && wins)
        }
        // Of what is wholly equal the last series has it.
        _ => time > best_time || (time == best_time && order != Less),
    }
}

/// The order of two values of one type; booleans: false comes first.
pub fn compare(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal),
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Unsigned(a), Value::Unsigned(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    }
}
