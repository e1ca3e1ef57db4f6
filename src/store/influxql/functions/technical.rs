//! Functions of technical analysis. Each waits for as many points as its period says, or as it is told to.

use super::transform::{Point, Transform};
use crate::store::influxql::expr::math::number;
use crate::store::value::Value;

/// How much a sum of changes went up against how much it moved, over a period.
pub struct Chande {
    pub period: usize,
    pub last: Option<f64>,
    pub changes: Vec<f64>,
}

impl Transform for Chande {
    fn take(&mut self, time: i64, value: &Value) -> Option<Point> {
        let value = number(value)?;
        let before = self.last.replace(value)?;
        self.changes.push(value - before);
        if self.changes.len() > self.period {
            self.changes.remove(0);
        }
        if self.changes.len() + 1 < self.period {
            return None;
        }
        let up: f64 = self.changes.iter().filter(|change| **change > 0.0).sum();
        let down: f64 = self.changes.iter().filter(|change| **change < 0.0).map(|c| -c).sum();
        Some((time, Value::Float(100.0 * (up - down) / (up + down))))
    }
}
