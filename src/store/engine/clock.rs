//! The clocks of the engine, which runs on plain threads.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// For ages and pauses only.
#[expect(clippy::disallowed_methods, reason = "plain threads, and no rule hangs on this time")]
pub fn mono() -> Instant {
    Instant::now()
}

/// Nanoseconds since 1970, for what retention removes.
#[expect(clippy::disallowed_methods, reason = "plain threads; a test gives its own time")]
pub fn unix_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
