//! When each request of each connection starts, how many lines it has, and when the run ends.

use super::Arguments;
use crate::clock::now_ns;
use crate::url::usage;
use circlet_load::data::Mix;
use std::io;
use std::time::{Duration, Instant};

/// Nanoseconds between two lines.
pub const STEP_NS: u64 = 1000;

#[derive(Debug)]
pub struct Plan {
    pub started: Instant,
    pub connections: u64,
    pub lines: u64,
    /// Lines of the whole run; `u64::MAX` if only time ends it.
    lines_max: u64,
    ends: Option<Instant>,
    /// Seconds between two requests of one connection in an open loop.
    interval_s: Option<f64>,
    pub first_ns: u64,
    pub data: Mix,
    pub measurements: u64,
    pub seed: u64,
    pub gzip_level: u32,
    pub prepared: usize,
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
    pub fn new(arguments: &Arguments) -> io::Result<Self> {
        let a = arguments;
        let positive = |value: Option<f64>| value.is_none_or(|value| value > 0.0 && value < 1e15);
        if !positive(a.rate) || !positive(a.seconds) || !positive(Some(a.wait)) {
            return Err(usage("--rate, --seconds and --wait must be above 0"));
        }
        let counted = a.requests.map(|requests| requests.saturating_mul(a.lines)).or(a.total_lines);
        let seconds = if counted.is_some() { None } else { Some(a.seconds.unwrap_or(10.0)) };
        let started = Instant::now();
        Ok(Plan {
            started,
            connections: a.connections,
            lines: a.lines,
            lines_max: counted.unwrap_or(u64::MAX),
            ends: seconds.map(|seconds| started + Duration::from_secs_f64(seconds.min(1e9))),
            interval_s: a.rate.map(|rate| (a.lines * a.connections) as f64 / rate),
            first_ns: a.start_ns.map_or_else(now_ns, Ok)?,
            data: a.data,
            measurements: a.measurements.unwrap_or_else(|| a.data.measurements()),
            seed: a.seed,
            gzip_level: a.gzip_level,
            prepared: a.prepared,
            wait_max: Duration::from_secs_f64(a.wait.min(1e6)),
        })
    }

    /// The request number `round` of a connection, or None when the run is over.
    pub fn turn(&self, connection: u64, round: u64, now: Instant) -> Option<Turn> {
        let number = round.checked_mul(self.connections)?.checked_add(connection)?;
        let lines = self.lines.min(self.lines_max.saturating_sub(number.checked_mul(self.lines)?));
        let due = self.interval_s.map(|interval_s| {
            let part = connection as f64 / self.connections as f64;
            self.started + Duration::from_secs_f64((interval_s * (round as f64 + part)).min(1e9))
        });
        let begins = due.map_or(now, |due| due.max(now));
        let over = self.ends.is_some_and(|ends| begins >= ends);
        if lines == 0 || over { None } else { Some(Turn { number, lines, due }) }
    }

    /// The time of the first line of a request.
    pub fn time_ns(&self, number: u64) -> u64 {
        self.first_ns.wrapping_add(number.wrapping_mul(self.lines).wrapping_mul(STEP_NS))
    }
}
