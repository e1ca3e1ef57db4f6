//! Functions that need all points of a window at once.

use super::aggregate::compare;
use super::reduce::{Out, Reducer};
use super::sort::sort;
use crate::store::influxql::expr::math::number;
use crate::store::influxql::read::item::Item;
use crate::store::value::{FieldType, Value};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Several {
    Median,
    Mode,
    Stddev,
    Spread,
    Percentile(f64),
    Distinct,
    /// So many at random, by this seed.
    Sample(usize, u64),
    Count,
}

impl Several {
    /// The type of the result; `None` where the function does not take this type.
    pub fn kind(self, of: FieldType) -> Option<FieldType> {
        let is_number = !matches!(of, FieldType::String | FieldType::Boolean);
        match self {
            Several::Median | Several::Stddev => is_number.then_some(FieldType::Float),
            Several::Spread | Several::Percentile(_) => is_number.then_some(of),
            Several::Count => Some(FieldType::Integer),
            Several::Mode | Several::Distinct | Several::Sample(..) => Some(of),
        }
    }

    pub fn reducer(self) -> Box<dyn Reducer> {
        Box::new(All { function: self, points: Vec::new(), seen: 0 })
    }
}

struct All {
    function: Several,
    points: Vec<Item>,
    seen: u64,
}

fn value(item: &Item) -> &Value {
    item.value.as_ref().expect("a reducer never takes a null")
}

impl Reducer for All {
    fn take(&mut self, item: &Item) {
        self.seen += 1;
        match self.function {
            Several::Distinct if self.points.iter().any(|known| known.value == item.value) => {}
            Several::Sample(count, seed) if self.points.len() >= count => {
                let chosen = scattered(seed ^ self.seen) % self.seen;
                if let Some(place) =
                    usize::try_from(chosen).ok().and_then(|at| self.points.get_mut(at))
                {
                    *place = item.clone();
                }
            }
            _ => self.points.push(item.clone()),
        }
    }

    fn emit(&mut self) -> Vec<Out> {
        let mut points = std::mem::take(&mut self.points);
        let one = |value: Option<Value>| vec![Out { value, ..Out::default() }];
        match self.function {
            Several::Count => one(Some(Value::Integer(points.len() as i64))),
            Several::Median => median(points).map(|value| one(Some(value))).unwrap_or_default(),
            Several::Mode => one(mode(points)),
            Several::Stddev => one(stddev(&points)),
            Several::Spread => one(spread(&points)),
            Several::Percentile(of) => percentile(points, of).map(as_it_was).into_iter().collect(),
            Several::Distinct | Several::Sample(..) => {
                points
                    .sort_by(|a, b| a.time.cmp(&b.time).then_with(|| compare(value(a), value(b))));
                points.into_iter().map(as_it_was).collect()
            }
        }
    }
}

fn as_it_was(item: Item) -> Out {
    Out { time: Some(item.time), value: item.value, aux: item.aux, ..Out::default() }
}

/// A number that looks random, of one that does not.
fn scattered(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn by_value(points: &mut [Item]) {
    sort(points, |a, b| compare(value(a), value(b)).is_lt());
}

fn median(mut points: Vec<Item>) -> Option<Value> {
    if points.is_empty() {
        return None;
    }
    by_value(&mut points);
    let middle = points.len() / 2;
    let high = value(&points[middle]);
    if points.len() % 2 == 1 {
        return number(high).map(Value::Float);
    }
    let low = value(&points[middle - 1]);
    Some(Value::Float(match (low, high) {
        (Value::Integer(low), Value::Integer(high)) => {
            *low as f64 + high.wrapping_sub(*low) as f64 / 2.0
        }
        (Value::Unsigned(low), Value::Unsigned(high)) => *low as f64 + (high - low) as f64 / 2.0,
        _ => {
            let (low, high) = (number(low)?, number(high)?);
            low + (high - low) / 2.0
        }
    }))
}

fn mode(mut points: Vec<Item>) -> Option<Value> {
    if let Some(Value::Boolean(_)) = points.first().map(value) {
        let trues = points.iter().filter(|item| item.value == Some(Value::Boolean(true))).count();
        return Some(Value::Boolean(2 * trues >= points.len()));
    }
    by_value(&mut points);
    let first = points.first()?;
    let (mut most, mut most_value, mut most_time) = (0, first.value.clone(), first.time);
    let (mut run, mut run_value, mut run_time) = (0, first.value.clone(), first.time);
    for item in &points {
        if item.value != run_value {
            (run, run_value, run_time) = (1, item.value.clone(), item.time);
            continue;
        }
        run += 1;
        if most > run || (most == run && run_time > most_time) {
            continue;
        }
        (most, most_value, most_time) = (run, item.value.clone(), item.time);
    }
    most_value
}

fn stddev(points: &[Item]) -> Option<Value> {
    if points.len() < 2 {
        return None;
    }
    let numbers = || points.iter().filter_map(|item| number(value(item)));
    let (mut mean, mut count) = (0.0, 0.0);
    for one in numbers() {
        count += 1.0;
        mean += (one - mean) / count;
    }
    let squares = numbers().fold(0.0, |sum, one| sum + (one - mean) * (one - mean));
    Some(Value::Float((squares / (count - 1.0)).sqrt()))
}

fn spread(points: &[Item]) -> Option<Value> {
    let low = points.iter().map(value).min_by(|a, b| compare(a, b))?;
    let high = points.iter().map(value).max_by(|a, b| compare(a, b))?;
    Some(match (low, high) {
        (Value::Integer(low), Value::Integer(high)) => Value::Integer(high.wrapping_sub(*low)),
        (Value::Unsigned(low), Value::Unsigned(high)) => Value::Unsigned(high - low),
        _ => Value::Float(number(high)? - number(low)?),
    })
}

fn percentile(mut points: Vec<Item>, of: f64) -> Option<Item> {
    let at = (points.len() as f64 * of / 100.0 + 0.5).floor() - 1.0;
    if at < 0.0 || at >= points.len() as f64 {
        return None;
    }
    by_value(&mut points);
    Some(points.swap_remove(at as usize))
}
