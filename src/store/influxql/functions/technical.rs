//! Functions of technical analysis. Each waits for as many points as its period says, or as it is told to.
//!
//! Sums run along and are never computed anew, and every step is done in the order in which InfluxDB does it: the last
//! digits depend on both.

use super::transform::{Point, Transform};
use crate::store::influxql::expr::Expr;
use crate::store::influxql::expr::math::number;
use crate::store::value::Value;

/// What the average does before it has as many points as its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmup {
    /// The same as later.
    Exponential,
    Simple,
}

/// A call with its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Technical {
    function: Function,
    period: usize,
    /// Points that say nothing.
    hold: u64,
}

#[derive(Clone, Copy, Debug)]
enum Function {
    Average(usize, Warmup),
    Derivative(Warmup),
    Strength(Warmup),
    Momentum(Option<Warmup>),
    Efficiency,
    Adaptive,
}

impl Technical {
    /// `None` for a name of another family. The arguments have been checked.
    pub fn of(name: &str, arguments: &[Expr]) -> Option<Technical> {
        let number = |at: usize| match arguments.get(at) {
            Some(Expr::Integer(number)) => Some(*number),
            _ => None,
        };
        let said = match arguments.get(3) {
            Some(Expr::String(text)) if &**text == "simple" => Some(Warmup::Simple),
            Some(Expr::String(text)) if &**text == "exponential" => Some(Warmup::Exponential),
            _ => None,
        };
        let warmup = said.unwrap_or(Warmup::Exponential);
        let function = match name {
            "exponential_moving_average" => Function::Average(1, warmup),
            "double_exponential_moving_average" => Function::Average(2, warmup),
            "triple_exponential_moving_average" => Function::Average(3, warmup),
            "triple_exponential_derivative" => Function::Derivative(warmup),
            "relative_strength_index" => Function::Strength(warmup),
            "chande_momentum_oscillator" => Function::Momentum(said),
            "kaufmans_efficiency_ratio" => Function::Efficiency,
            "kaufmans_adaptive_moving_average" => Function::Adaptive,
            _ => return None,
        };
        let period = usize::try_from(number(1)?).unwrap_or(1);
        let short = period.saturating_sub(1);
        let stages = |count: usize| if warmup == Warmup::Simple { count * short } else { short };
        let warm = match function {
            Function::Average(count, _) => stages(count),
            Function::Derivative(_) => stages(3) + 1,
            Function::Momentum(None) => short,
            _ => period,
        };
        let hold = match number(2) {
            Some(hold) if hold >= 0 => hold.unsigned_abs(),
            _ => warm as u64,
        };
        Some(Technical { function, period, hold })
    }

    pub fn transform(&self) -> Box<dyn Transform> {
        let period = self.period;
        let held = |state: Box<dyn Step>| Box::new(Held { state, left: self.hold });
        match self.function {
            Function::Average(count, warmup) => {
                held(Box::new(Averages::new(period, count, warmup)))
            }
            Function::Derivative(warmup) => {
                held(Box::new(Derivative(Averages::new(period, 3, warmup), 0.0)))
            }
            Function::Strength(warmup) => held(Box::new(Moves::new(period, warmup, |up, down| {
                100.0 - (100.0 / (1.0 + (up / down)))
            }))),
            Function::Momentum(Some(warmup)) => {
                held(Box::new(Moves::new(period, warmup, |up, down| {
                    100.0 * ((up - down) / (up + down))
                })))
            }
            Function::Momentum(None) => held(Box::new(Momentum {
                last: None,
                changes: Ring::new(period.saturating_sub(1)),
                up: 0.0,
                down: 0.0,
            })),
            Function::Efficiency => held(Box::new(Efficiency::new(period))),
            Function::Adaptive => {
                held(Box::new(Adaptive { efficiency: Efficiency::new(period), last: 0.0 }))
            }
        }
    }
}

/// A number for a number.
trait Step {
    fn add(&mut self, value: f64) -> f64;
}

struct Held {
    state: Box<dyn Step>,
    left: u64,
}

impl Transform for Held {
    fn take(&mut self, time: i64, value: &Value) -> Option<Point> {
        let value = self.state.add(number(value)?);
        if self.left > 0 {
            self.left -= 1;
            return None;
        }
        Some((time, Value::Float(value)))
    }
}

struct Average {
    period: usize,
    weight: f64,
    warmup: Warmup,
    last: f64,
    count: usize,
}

impl Average {
    fn new(period: usize, weight: f64, warmup: Warmup) -> Average {
        Average { period, weight, warmup, last: 0.0, count: 0 }
    }

    fn is_warm(&self) -> bool {
        self.count == self.period
    }

    fn add(&mut self, value: f64) -> f64 {
        let count = self.count as f64;
        self.last = match self.count {
            0 => value,
            _ if !self.is_warm() && self.warmup == Warmup::Simple => {
                (self.last * count + value) / (count + 1.0)
            }
            _ => self.last + self.weight * (value - self.last),
        };
        self.count = (self.count + 1).min(self.period);
        self.last
    }
}

/// Averages of averages.
struct Averages(Vec<Average>);

impl Averages {
    fn new(period: usize, count: usize, warmup: Warmup) -> Averages {
        let weight = 2.0 / (period as f64 + 1.0);
        Averages((0..count).map(|_| Average::new(period, weight, warmup)).collect())
    }

    /// One after the other; a stage waits for the one before it.
    fn stages(&mut self, value: f64) -> [f64; 3] {
        let mut stages = [value; 3];
        let (mut value, mut is_open) = (value, true);
        for (average, stage) in self.0.iter_mut().zip(&mut stages) {
            if is_open {
                value = average.add(value);
            }
            is_open = average.is_warm() || average.warmup == Warmup::Exponential;
            *stage = value;
        }
        stages
    }
}

impl Step for Averages {
    fn add(&mut self, value: f64) -> f64 {
        let [one, two, three] = self.stages(value);
        match self.0.len() {
            1 => one,
            2 => 2.0 * one - two,
            _ => 3.0 * one - 3.0 * two + three,
        }
    }
}

/// How much a threefold average has grown, in per cent.
struct Derivative(Averages, f64);

impl Step for Derivative {
    fn add(&mut self, value: f64) -> f64 {
        let [.., now] = self.0.stages(value);
        let before = std::mem::replace(&mut self.1, now);
        ((now / before) - 1.0) * 100.0
    }
}

/// Averages of the steps up and of those down. The first point is a step from 0.
struct Moves {
    up: Average,
    down: Average,
    last: f64,
    of: fn(f64, f64) -> f64,
}

impl Moves {
    fn new(period: usize, warmup: Warmup, of: fn(f64, f64) -> f64) -> Moves {
        let average = || Average::new(period + 1, 1.0 / period as f64, warmup);
        Moves { up: average(), down: average(), last: 0.0, of }
    }
}

impl Step for Moves {
    fn add(&mut self, value: f64) -> f64 {
        let change = value - std::mem::replace(&mut self.last, value);
        let up = self.up.add(if change > 0.0 { change } else { 0.0 });
        let down = self.down.add(if change < 0.0 { -change } else { 0.0 });
        (self.of)(up, down)
    }
}

/// The last few of something, at first zeros.
struct Ring<T> {
    values: Vec<T>,
    newest: usize,
}

impl<T: Copy + Default> Ring<T> {
    fn new(length: usize) -> Ring<T> {
        Ring { values: vec![T::default(); length.max(1)], newest: 0 }
    }

    fn oldest(&self) -> usize {
        (self.newest + 1) % self.values.len()
    }

    fn push(&mut self, value: T) {
        self.newest = self.oldest();
        self.values[self.newest] = value;
    }
}

/// How much a sum of changes went up against how much it moved, over a period.
struct Momentum {
    last: Option<f64>,
    changes: Ring<f64>,
    up: f64,
    down: f64,
}

impl Step for Momentum {
    fn add(&mut self, value: f64) -> f64 {
        let change = self.last.replace(value).map_or(0.0, |last| value - last);
        if change > 0.0 {
            self.up += change;
        } else if change < 0.0 {
            self.down -= change;
        }
        let moved = self.up != 0.0 || self.down != 0.0;
        let out = if moved { 100.0 * ((self.up - self.down) / (self.up + self.down)) } else { 0.0 };
        let gone = self.changes.values[self.changes.oldest()];
        if gone > 0.0 {
            self.up -= gone;
        } else if gone < 0.0 {
            self.down += gone;
        }
        self.changes.push(change);
        out
    }
}

/// The way from the oldest of some points against the steps on it.
struct Efficiency {
    /// With the step to each.
    points: Ring<(f64, f64)>,
    steps: f64,
    count: usize,
}

impl Efficiency {
    fn new(period: usize) -> Efficiency {
        Efficiency { points: Ring::new(period), steps: 0.0, count: 0 }
    }

    fn newest(&self) -> f64 {
        self.points.values[self.points.newest].0
    }
}

impl Step for Efficiency {
    fn add(&mut self, value: f64) -> f64 {
        let (oldest, gone) = self.points.values[self.points.oldest()];
        let (way, step) = ((value - oldest).abs(), (value - self.newest()).abs());
        self.steps -= gone;
        self.steps += step;
        self.points.push((value, step));
        self.count += 1;
        if way == 0.0 || self.steps == 0.0 { 0.0 } else { way / self.steps }
    }
}

/// Follows the faster, the more efficient the points move.
struct Adaptive {
    efficiency: Efficiency,
    last: f64,
}

impl Step for Adaptive {
    fn add(&mut self, value: f64) -> f64 {
        if self.efficiency.count <= self.efficiency.points.values.len() {
            self.last = self.efficiency.newest();
        }
        let ratio = self.efficiency.add(value);
        let (fast, slow) = (2.0 / (2.0 + 1.0), 2.0 / (30.0 + 1.0));
        let weight: f64 = ratio * (fast - slow) + slow;
        self.last += weight * weight * (value - self.last);
        self.last
    }
}
