//! Waits that poll and have a deadline.

use std::time::{Duration, Instant};

/// So many seconds.
pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Polls `ready` until it gives a value; panics with `what` when `limit` has passed.
pub fn until<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(started.elapsed() < limit, "waited {limit:?} in vain until {what}");
        std::thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(100));
    }
}

/// Lets real time pass: only where the time itself is what the test is about.
pub fn let_pass(time: Duration) {
    std::thread::sleep(time);
}
