//! The slowest request of the last minute. Pure.

use crate::base::time::Mono;
use std::time::Duration;

const BUCKETS: u64 = 6;
const BUCKET_NS: u64 = 10_000_000_000;

/// Six buckets of ten seconds each.
#[derive(Debug, Default)]
pub struct Slow {
    buckets: [Duration; BUCKETS as usize],
    newest: u64,
}

impl Slow {
    pub fn record(&mut self, now: Mono, took: Duration) {
        self.forget(now);
        let here = &mut self.buckets[index(self.newest)];
        *here = took.max(*here);
    }

    pub fn slowest(&mut self, now: Mono) -> Duration {
        self.forget(now);
        self.buckets.iter().copied().max().unwrap_or_default()
    }

    fn forget(&mut self, now: Mono) {
        let newest = now.0 / BUCKET_NS;
        for bucket in (self.newest + 1..=newest).take(usize::try_from(BUCKETS).unwrap_or(0)) {
            self.buckets[index(bucket)] = Duration::ZERO;
        }
        self.newest = self.newest.max(newest);
    }
}

fn index(bucket: u64) -> usize {
    usize::try_from(bucket % BUCKETS).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_request_counts_for_a_minute() {
        let mut slow = Slow::default();
        let at = |seconds: u64| Mono(seconds * 1_000_000_000);
        slow.record(at(100), Duration::from_millis(700));
        slow.record(at(120), Duration::from_millis(30));
        assert_eq!(slow.slowest(at(149)), Duration::from_millis(700));
        assert_eq!(slow.slowest(at(161)), Duration::from_millis(30));
        assert_eq!(slow.slowest(at(1000)), Duration::ZERO);
    }
}
