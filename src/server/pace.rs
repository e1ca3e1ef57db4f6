//! How fast a body comes, by the time for which its client was waited for.

use std::time::Duration;

/// The time for which one body was waited for. What the gateway spends on it beside that (other connections first, the
/// body inflated, memory found) is not the client's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace(Duration);

impl Pace {
    pub fn waited(&mut self, time: Duration) {
        self.0 += time;
    }

    /// Less has come than `rate_min` bytes for each second beyond the first `grace`. 0 asks for nothing.
    pub fn is_slow(self, bytes: usize, grace: Duration, rate_min: u64) -> bool {
        let beyond = self.0.saturating_sub(grace).as_millis();
        (bytes as u128) < beyond * u128::from(rate_min) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    fn after(seconds: u64) -> Pace {
        let mut pace = Pace::default();
        (0..seconds).for_each(|_| pace.waited(Duration::from_secs(1)));
        pace
    }

    #[test]
    fn nobody_is_slow_before_the_grace_is_over() {
        assert!(!Pace::default().is_slow(0, GRACE, u64::MAX));
        assert!(!after(30).is_slow(0, GRACE, u64::MAX));
        assert!(after(31).is_slow(0, GRACE, 1));
    }

    #[test]
    fn beyond_it_every_second_has_to_bring_its_bytes() {
        assert!(after(40).is_slow(10_239, GRACE, 1024));
        assert!(!after(40).is_slow(10_240, GRACE, 1024));
        let mut pace = after(30);
        pace.waited(Duration::from_millis(100));
        assert!(pace.is_slow(101, GRACE, 1024) && !pace.is_slow(102, GRACE, 1024));
    }

    #[test]
    fn a_rate_of_nothing_is_no_rate() {
        assert!(!after(1_000_000).is_slow(0, GRACE, 0));
    }
}
