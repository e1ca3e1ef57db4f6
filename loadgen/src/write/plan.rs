//! When each request of each connection starts, how many lines it has, and when the run ends.

use super::Arguments;
use crate::url::usage;
use std::io;
use std::time::{Duration, Instant};

/// The bounds and the pace of one run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub started: Instant,
    pub connections: u64,
    pub lines: u64,
    /// Number of the first request, where an earlier run has used the numbers below.
    pub first_number: u64,
    /// Lines of the whole run; `u64::MAX` if only time ends it.
    pub lines_max: u64,
    /// No request starts after this time.
    pub time_max: Option<Duration>,
    /// Lines a second of all connections in an open loop; None in a closed one.
    pub rate: Option<f64>,
    pub wait_max: Duration,
}

/// One request to make: its number over all connections, its lines, and when it was meant to start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    pub number: u64,
    pub lines: u64,
    pub due: Option<Instant>,
}

impl Plan {
    pub fn new(a: &Arguments) -> io::Result<Self> {
        let counted = a.requests.map(|requests| requests.saturating_mul(a.lines)).or(a.total_lines);
        let is_bounded = counted.is_some() || a.duration.is_some();
        let time_max = a.duration.or((!is_bounded).then_some(Duration::from_secs(10)));
        let rate = match (a.rate, a.request_rate) {
            (Some(rate), _) => Some(rate),
            (None, Some(requests)) => Some(requests * a.lines as f64),
            (None, None) => None,
        };
        if rate.is_some_and(|rate| !(rate > 0.0 && rate < 1e15)) {
            return Err(usage("--rate and --request-rate must be above 0"));
        }
        Ok(Plan {
            started: Instant::now(),
            connections: a.connections,
            lines: a.lines,
            first_number: 0,
            lines_max: counted.unwrap_or(u64::MAX),
            time_max,
            rate,
            wait_max: a.wait,
        })
    }

    /// The request number `round` of a connection, or None when the run is over.
    pub fn turn(&self, connection: u64, round: u64, now: Instant) -> Option<Turn> {
        let number = round.checked_mul(self.connections)?.checked_add(connection)?;
        let lines = self.lines.min(self.lines_max.saturating_sub(number.checked_mul(self.lines)?));
        let due = self.rate.map(|rate| {
            let offset_s = (number as f64 * self.lines as f64 / rate).min(1e9);
            self.started + Duration::from_secs_f64(offset_s)
        });
        let begins = due.unwrap_or(now);
        let over = self.time_max.is_some_and(|time| begins >= self.started + time);
        if lines == 0 || over {
            return None;
        }
        Some(Turn { number: self.first_number + number, lines, due })
    }
}
