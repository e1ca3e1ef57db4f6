//! The wall clock, where lines take their times from.

use std::io;
use std::time::SystemTime;

/// Wall clock in nanoseconds since 1970.
pub fn now_ns() -> io::Result<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.map_err(|_| io::Error::other("the clock is before 1970"))?;
    u64::try_from(since.as_nanos()).map_err(|_| io::Error::other("the clock is after 2500"))
}
