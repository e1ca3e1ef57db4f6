//! Holt and Winters: a forecast by level, trend and season, fitted by the method of Nelder and Mead.

use super::reduce::{Out, Reducer};
use crate::store::influxql::expr::go;
use crate::store::influxql::expr::math::number;
use crate::store::influxql::read::item::Item;
use crate::store::value::Value;

pub struct Season {
    pub ahead: usize,
    pub length: usize,
    pub interval_ns: i64,
    pub with_fit: bool,
    pub points: Vec<(i64, f64)>,
}

impl Reducer for Season {
    fn take(&mut self, item: &Item) {
        if let Some(value) = item.value.as_ref().and_then(number) {
            self.points.push((item.time, value));
        }
    }

    fn emit(&mut self) -> Vec<Out> {
        let is_seasonal = self.length >= 2;
        let Some((last, _)) = self.points.last().copied() else { return Vec::new() };
        if self.points.len() < 2 || (is_seasonal && self.points.len() < self.length) {
            return Vec::new();
        }
        let Some(known) = self.evenly() else { return Vec::new() };
        let mut model = Model { known, is_seasonal };
        let mut best = model.fit(self.length);
        let forecast = model.forecast(self.ahead, &mut best);
        let (skipped, begin) = if self.with_fit {
            (0, self.points[0].0)
        } else {
            (model.known.len(), last + self.interval_ns)
        };
        let values = forecast[skipped..].iter().enumerate();
        values
            .filter(|(_, value)| !value.is_nan())
            .map(|(at, value)| Out {
                time: Some(begin + self.interval_ns * at as i64),
                value: Some(Value::Float(*value)),
                ..Out::default()
            })
            .collect()
    }
}

impl Season {
    fn rounded(&self, time: i64) -> i64 {
        let over = time.rem_euclid(self.interval_ns);
        if over * 2 > self.interval_ns { time + self.interval_ns - over } else { time - over }
    }

    /// One value for each interval; NaN where there is none.
    fn evenly(&self) -> Option<Vec<f64>> {
        let mut values = vec![self.points[0].1];
        let mut time = self.rounded(self.points[0].0);
        if self.rounded(self.points[self.points.len() - 1].0) <= time {
            return None;
        }
        for (at, value) in &self.points[1..] {
            let rounded = self.rounded(*at);
            if rounded <= time {
                continue;
            }
            time += self.interval_ns;
            while time < rounded {
                values.push(f64::NAN);
                time += self.interval_ns;
            }
            values.push(*value);
        }
        Some(values)
    }
}

struct Model {
    known: Vec<f64>,
    is_seasonal: bool,
}

impl Model {
    fn guesses(&self, length: usize) -> Vec<f64> {
        let y = &self.known;
        let m = length as f64;
        let (mut level, mut trend) = (0.0, 0.0);
        let mut seasons = Vec::new();
        if self.is_seasonal {
            for value in y.iter().take(length).filter(|value| !value.is_nan()) {
                level += (1.0 / m) * value;
            }
            for (early, late) in y.iter().take(length).zip(y.iter().skip(length)) {
                if !early.is_nan() && !late.is_nan() {
                    trend += 1.0 / (m * m) * (late - early);
                }
            }
            let season = |at: usize| match y.get(at) {
                Some(value) if !value.is_nan() => value / level,
                _ => 0.0,
            };
            seasons = (0..length).map(season).collect();
        } else {
            level += 0.5 * y[0];
            if !y[1].is_nan() {
                trend = 0.5 * (y[1] - y[0]);
            }
        }
        let mut parameters = vec![0.0, 0.0, 0.0, 0.0, level, trend];
        parameters.extend(seasons);
        parameters
    }

    fn fit(&mut self, length: usize) -> Vec<f64> {
        let mut parameters = self.guesses(length);
        let mut best: Option<(f64, Vec<f64>)> = None;
        const GRID: [f64; 2] = [0.3, 0.7];
        for alpha in GRID {
            for beta in GRID {
                for gamma in GRID {
                    for phi in GRID {
                        parameters[..4].copy_from_slice(&[alpha, beta, gamma, phi]);
                        let found = minimum(&mut |x| self.error(x), &parameters);
                        if best.as_ref().is_none_or(|(least, _)| found.0 < *least) {
                            best = Some(found);
                        }
                    }
                }
            }
        }
        best.map_or(parameters, |(_, best)| best)
    }

    fn error(&self, parameters: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for (forecast, known) in self.forecast(0, parameters).iter().zip(&self.known) {
            if known.is_nan() {
                continue;
            }
            if forecast.is_nan() {
                return f64::INFINITY;
            }
            sum += (forecast - known) * (forecast - known);
        }
        sum
    }

    /// Parameters are kept within their bounds, and the seasons go on in them.
    fn forecast(&self, ahead: usize, parameters: &mut [f64]) -> Vec<f64> {
        for parameter in &mut parameters[..4] {
            // NaN stays what it is.
            *parameter = parameter.clamp(0.0, 1.0);
        }
        let (alpha, beta, gamma, phi) =
            (parameters[0], parameters[1], parameters[2], parameters[3]);
        let (mut level, mut trend, mut damping) = (parameters[4], parameters[5], phi);
        let seasons = &mut parameters[6..];
        let m = seasons.len();
        let mut offset = m.saturating_sub(1);
        let mut value = self.known[0];
        let mut forecast = vec![value];
        for t in 1..self.known.len() + ahead {
            let (mut now, mut then) = (1.0, 1.0);
            if self.is_seasonal {
                now = seasons[(t + offset - m) % m];
                then = seasons[(t + offset - m + t % m) % m];
            }
            let before = level;
            level = alpha * (value / now) + (1.0 - alpha) * (before + phi * trend);
            let season = gamma * (value / (before + phi * trend)) + (1.0 - gamma) * now;
            trend = beta * (level - before) + (1.0 - beta) * phi * trend;
            value = (level + damping * trend) * then;
            damping += go::pow(phi, t as f64);
            if self.is_seasonal {
                seasons[(t + offset) % m] = season;
                offset += 1;
            }
            forecast.push(value);
        }
        forecast
    }
}

const STEPS_MAX: usize = 1000;
const EPSILON: f64 = 1e-4;

/// The least value of a function near a point, and where; the function may move the point that it is given.
fn minimum(of: &mut dyn FnMut(&mut [f64]) -> f64, start: &[f64]) -> (f64, Vec<f64>) {
    let n = start.len();
    let size = n as f64;
    let root = (size + 1.0).sqrt() - 1.0;
    let (far, near) = ((root + size) / (size * 2f64.sqrt()), root / (size * 2f64.sqrt()));
    let mut v: Vec<Vec<f64>> = vec![start.to_vec()];
    for i in 0..n {
        v.push((0..n).map(|j| start[j] + if i == j { far } else { near }).collect());
    }
    let mut f: Vec<f64> = v.iter_mut().map(|vertex| of(vertex)).collect();
    for _ in 0..STEPS_MAX {
        step(of, &mut v, &mut f);
        let mean = f.iter().sum::<f64>() / (size + 1.0);
        let spread: f64 = f.iter().fold(0.0, |sum, one| sum + (one - mean).powi(2) / size);
        if spread.sqrt() < EPSILON {
            break;
        }
    }
    let least = index(&f, |a, b| a < b);
    let found = v[least].clone();
    (of(&mut v[least]), found)
}

fn index(f: &[f64], better: fn(f64, f64) -> bool) -> usize {
    (0..f.len()).fold(0, |best, at| if better(f[at], f[best]) { at } else { best })
}

/// Moves the worst corner of the simplex.
fn step(of: &mut dyn FnMut(&mut [f64]) -> f64, v: &mut [Vec<f64>], f: &mut [f64]) {
    let n = f.len() - 1;
    let (worst, best) = (index(f, |a, b| a > b), index(f, |a, b| a < b));
    let mut second = best;
    for at in 0..=n {
        if f[at] > f[second] && f[at] < f[worst] {
            second = at;
        }
    }
    let center = |i: usize| {
        let sum = (0..=n).filter(|m| *m != worst).fold(0.0, |sum, m| sum + v[m][i]);
        sum / n as f64
    };
    let middle: Vec<f64> = (0..n).map(center).collect();
    let mut mirrored: Vec<f64> = (0..n).map(|i| middle[i] + (middle[i] - v[worst][i])).collect();
    let value = of(&mut mirrored);
    if value < f[second] && value >= f[best] {
        (v[worst], f[worst]) = (mirrored.clone(), value);
    }
    if value < f[best] {
        let mut further: Vec<f64> =
            (0..n).map(|i| middle[i] + 2.0 * (mirrored[i] - middle[i])).collect();
        let there = of(&mut further);
        (v[worst], f[worst]) =
            if there < value { (further, there) } else { (mirrored.clone(), value) };
    }
    if value >= f[second] {
        let mut nearer: Vec<f64> = if value < f[worst] {
            (0..n).map(|i| middle[i] + 0.5 * (mirrored[i] - middle[i])).collect()
        } else {
            (0..n).map(|i| middle[i] - 0.5 * (middle[i] - v[worst][i])).collect()
        };
        let there = of(&mut nearer);
        if there < f[worst] {
            (v[worst], f[worst]) = (nearer, there);
            return;
        }
        let center = v[best].clone();
        for (at, vertex) in v.iter_mut().enumerate() {
            if at != best {
                for i in 0..n {
                    vertex[i] = center[i] + (vertex[i] - center[i]) / 2.0;
                }
            }
        }
        f[worst] = of(&mut v[worst]);
        f[second] = of(&mut v[second]);
    }
}
