//! Times, one type for each meaning, so that they cannot be mixed up.

use std::time::Duration;

/// Wall-clock nanoseconds since 1970-01-01T00:00:00Z: what a line carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct UnixNanos(pub i64);

/// Nanoseconds of the monotonic clock of this process: for time-outs and ages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mono(pub u64);

/// The moment a frame was sealed, on one monotonic clock of the node that goes on above the highest
/// stamp found on disk. It orders frames of different logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Stamp(pub u64);

impl Mono {
    pub fn after(self, wait: Duration) -> Mono {
        Mono(self.0.saturating_add(nanos(wait)))
    }

    /// Time from `earlier` to `self`; nothing if `earlier` is later.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Stamp {
    pub const NONE: Stamp = Stamp(u64::MAX);

    pub fn next(self) -> Stamp {
        Stamp(self.0 + 1)
    }
}

impl UnixNanos {
    pub fn millis(self) -> u64 {
        u64::try_from(self.0 / 1_000_000).unwrap_or(0)
    }
}

/// A duration in whole nanoseconds, at most `u64::MAX` of them.
pub fn nanos(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)
}
