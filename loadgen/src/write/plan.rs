//! When each request of each connection starts, how many lines it has, and when the run ends.

use super::Arguments;
use crate::url::usage;
use std::io;
use std::time::{Duration, Instant};

/// How long after the end of an open loop requests that were due before are still sent.
const GRACE: Duration = Duration::from_secs(1);
/// Unsent requests of a connection that are looked at one by one.
const MISSED_SAMPLES: u64 = 10_000;

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
        let turn = self.scheduled(connection, round)?;
        // What an open loop could not send in time gets a moment more, but not for ever.
        let grace = if turn.due.is_some() { GRACE } else { Duration::ZERO };
        let over = self.time_max.is_some_and(|time| now >= self.started + time + grace);
        (!over).then_some(turn)
    }

    /// The same without a look at the clock.
    fn scheduled(&self, connection: u64, round: u64) -> Option<Turn> {
        let number = round.checked_mul(self.connections)?.checked_add(connection)?;
        let lines = self.lines.min(self.lines_max.saturating_sub(number.checked_mul(self.lines)?));
        let due = self.rate.map(|rate| {
            let offset_s = (number as f64 * self.lines as f64 / rate).min(1e9);
            self.started + Duration::from_secs_f64(offset_s)
        });
        let is_late = match (due, self.time_max) {
            (Some(due), Some(time)) => due >= self.started + time,
            _ => false,
        };
        (lines > 0 && !is_late).then_some(Turn { number: self.first_number + number, lines, due })
    }

    /// The turns of a connection from `round` on that a run which is over did not come to: how many, and
    /// when each of a sample was due, with the number that it stands for.
    pub fn missed(&self, connection: u64, round: u64) -> (u64, Vec<(Instant, u64)>) {
        let Some(rate) = self.rate else { return (0, Vec::new()) };
        let Some(first) = self.scheduled(connection, round) else { return (0, Vec::new()) };
        // How many are due until the end follows from the interval; or from the bound of lines.
        let interval_s = (self.lines * self.connections) as f64 / rate;
        let left_s = match (first.due, self.time_max) {
            (Some(due), Some(time)) => {
                (self.started + time).saturating_duration_since(due).as_secs_f64()
            }
            _ => return (0, Vec::new()),
        };
        let by_time = (left_s / interval_s).ceil() as u64;
        let number = first.number - self.first_number;
        let lines_left = self.lines_max.saturating_sub(number.saturating_mul(self.lines));
        let by_lines = lines_left.div_ceil(self.lines.saturating_mul(self.connections));
        let count = by_time.min(by_lines).max(1);
        let stride = count.div_ceil(MISSED_SAMPLES);
        let sample = (0..count).step_by(stride as usize).filter_map(|step| {
            let due = self.scheduled(connection, round + step)?.due?;
            Some((due, stride.min(count - step)))
        });
        (count, sample.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rate: f64, seconds: u64) -> Plan {
        Plan {
            started: Instant::now(),
            connections: 4,
            lines: 10,
            first_number: 0,
            lines_max: u64::MAX,
            time_max: Some(Duration::from_secs(seconds)),
            rate: Some(rate),
            wait_max: Duration::from_secs(1),
        }
    }

    #[test]
    fn turns_are_due_evenly_over_all_connections() {
        let plan = plan(1000.0, 1);
        let due = |connection, round| {
            plan.turn(connection, round, plan.started).unwrap().due.unwrap() - plan.started
        };
        assert_eq!(due(0, 0), Duration::ZERO);
        assert_eq!(due(1, 0), Duration::from_millis(10));
        assert_eq!(due(3, 2), Duration::from_millis(110));
        assert_eq!(plan.turn(0, 25, plan.started), None);
    }

    #[test]
    fn what_was_due_and_not_sent_is_known() {
        let end = |plan: &Plan| plan.started + Duration::from_secs(3);
        let slow = plan(1000.0, 1);
        // 100 requests are due, 25 of each connection.
        assert_eq!(slow.turn(2, 5, end(&slow)), None);
        let (count, sample) = slow.missed(2, 5);
        assert_eq!((count, sample.len()), (20, 20));
        assert_eq!(slow.missed(2, 25), (0, Vec::new()));
        // Far too many to look at each: the sample stands for all.
        let (count, sample) = plan(1e12, 1).missed(0, 0);
        assert_eq!(count, 25_000_000_000);
        assert!(sample.len() as u64 <= MISSED_SAMPLES);
        assert_eq!(sample.iter().map(|(_, stands_for)| stands_for).sum::<u64>(), count);
    }
}
