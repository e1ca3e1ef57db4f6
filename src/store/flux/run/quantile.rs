//! Quantiles: exact ones, and the estimate of a t-digest.

use std::f64::consts::PI;
use std::rc::Rc;

use super::super::failure::Failure;
use super::super::node::{Aggregate, Method, Stream};
use super::super::value::{Kind, Value};
use super::aggregate::{aggregated, keyed, number, numbers, single};
use super::{Runner, Sink};

impl Runner<'_, '_> {
    pub fn quantile(
        &self,
        node: &Stream,
        q: f64,
        method: &Method,
        column: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| {
            if matches!(method, Method::ExactSelector) {
                let Some(found) = table.column(column) else {
                    return Err(node.error(format_args!("no column \"{column}\" exists")));
                };
                let mut rows: Vec<(f64, usize)> = (0..table.rows)
                    .filter_map(|row| Some((number(&found.get(row))?, row)))
                    .collect();
                rows.sort_by(|a, b| a.0.total_cmp(&b.0));
                let at = ((q * rows.len() as f64).ceil() as usize).saturating_sub(1);
                let chosen: Vec<usize> = rows.get(at).map(|(_, row)| *row).into_iter().collect();
                return cache.append(table.take(&chosen));
            }
            let found = aggregated(node, &table, column, Aggregate::Mean)?;
            let mut numbers = numbers(found, table.rows);
            let value = match method {
                _ if numbers.is_empty() => Value::Null,
                Method::Digest(compression) => {
                    let mut digest = Digest::new(*compression);
                    numbers.iter().for_each(|number| digest.add(*number));
                    Value::Float(digest.quantile(q))
                }
                _ => {
                    numbers.sort_by(f64::total_cmp);
                    Value::Float(exact(&numbers, q))
                }
            };
            cache.append(keyed(&table, single(column, Kind::Float, value), 1))
        })
    }
}

/// Between the two of the sorted numbers that are nearest.
fn exact(numbers: &[f64], q: f64) -> f64 {
    let x = q * (numbers.len() - 1) as f64;
    let (low, high) = (x.floor(), x.ceil());
    if low == high {
        return numbers[low as usize];
    }
    numbers[low as usize] * (high - x) + numbers[high as usize] * (x - low)
}

/// Points that wait until they are merged.
const WAITING_MAX: usize = 8000;

/// A t-digest with the arcsine scale: points merge into centroids as far as their share of all allows.
struct Digest {
    compression: f64,
    /// Mean and weight, by mean.
    centroids: Vec<(f64, f64)>,
    waiting: Vec<(f64, f64)>,
    least: f64,
    greatest: f64,
}

impl Digest {
    fn new(compression: f64) -> Digest {
        Digest {
            compression,
            centroids: Vec::new(),
            waiting: Vec::new(),
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
        }
    }

    fn add(&mut self, number: f64) {
        if number.is_nan() {
            return;
        }
        self.least = self.least.min(number);
        self.greatest = self.greatest.max(number);
        self.waiting.push((number, 1.0));
        if self.waiting.len() >= WAITING_MAX {
            self.merge();
        }
    }

    /// The share of all that lies below the scale `k`.
    fn share(&self, k: f64) -> f64 {
        let angle = k.min(self.compression) * PI / self.compression - PI / 2.0;
        f64::midpoint(angle.sin(), 1.0)
    }

    fn scale(&self, share: f64) -> f64 {
        self.compression * ((2.0 * share - 1.0).asin() + PI / 2.0) / PI
    }

    fn merge(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.waiting);
        all.append(&mut self.centroids);
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = all.iter().map(|(_, weight)| weight).sum();
        let mut limit = total * self.share(1.0);
        let mut so_far = all[0].1;
        let mut merged = vec![all[0]];
        for (mean, weight) in all.into_iter().skip(1) {
            let projected = so_far + weight;
            let last = merged.last_mut().expect("begun with one");
            if projected <= limit {
                last.1 += weight;
                last.0 += weight * (mean - last.0) / last.1;
            } else {
                limit = total * self.share(self.scale(so_far / total) + 1.0);
                merged.push((mean, weight));
            }
            so_far = projected;
        }
        self.centroids = merged;
    }

    fn quantile(&mut self, q: f64) -> f64 {
        self.merge();
        let (Some(first), Some(last)) = (self.centroids.first(), self.centroids.last()) else {
            return f64::NAN;
        };
        if self.centroids.len() == 1 {
            return first.0;
        }
        let total: f64 = self.centroids.iter().map(|(_, weight)| weight).sum();
        let index = q * total;
        if index <= first.1 / 2.0 {
            return self.least + 2.0 * index / first.1 * (first.0 - self.least);
        }
        let mut before = 0.0;
        let mut lower: Option<(f64, f64)> = None;
        for (mean, weight) in &self.centroids {
            let middle = before + weight / 2.0;
            if middle >= index
                && let Some((low_middle, low)) = lower
            {
                return between(low, index - low_middle, *mean, middle - index);
            }
            before += weight;
            lower = Some((middle, *mean));
        }
        let to_last = index - (total - last.1 / 2.0);
        between(last.0, to_last, self.greatest, last.1 / 2.0 - to_last)
    }
}

/// The further one is from `a`, the more `b` weighs.
fn between(a: f64, from_a: f64, b: f64, from_b: f64) -> f64 {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    ((a * from_b + b * from_a) / (from_a + from_b)).clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_of_few_points_is_no_textbook_quantile() {
        let of = |numbers: &[f64], q: f64| {
            let mut digest = Digest::new(1000.0);
            numbers.iter().for_each(|number| digest.add(*number));
            digest.quantile(q)
        };
        assert_eq!(of(&[1.0, 3.0], 0.9), 3.0);
        assert_eq!(of(&[1.0, 3.0], 0.5), 2.0);
        assert_eq!(of(&[3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(of(&[7.0], 0.1), 7.0);
        assert!((exact(&[1.0, 3.0], 0.9) - 2.8).abs() < 1e-12);
    }

    #[test]
    fn a_digest_of_many_points_is_near() {
        let mut digest = Digest::new(1000.0);
        (0..20_000).for_each(|number| digest.add(f64::from(number)));
        for q in [0.01, 0.5, 0.99] {
            let error = digest.quantile(q) - q * 20_000.0;
            assert!(error.abs() < 20.0, "{q}: {error}");
        }
        assert!(digest.centroids.len() < 2000);
    }
}
