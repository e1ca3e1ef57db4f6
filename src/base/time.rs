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

    /// As `2026-11-21T12:40:01.972295779Z`.
    pub fn rfc3339(self) -> String {
        let seconds = self.0.div_euclid(1_000_000_000);
        let nanos = self.0.rem_euclid(1_000_000_000);
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
    }
}

/// A duration in whole nanoseconds, at most `u64::MAX` of them.
pub fn nanos(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)
}

/// Year, month and day of a day counted from 1970-01-01, by stepping through whole 400-year cycles that
/// begin on the first of March.
pub fn civil(days: i64) -> (i64, i64, i64) {
    const CYCLE_DAYS: i64 = 146_097;
    let since_march_0000 = days + 719_468;
    let (cycle, day_of_cycle) =
        (since_march_0000.div_euclid(CYCLE_DAYS), since_march_0000.rem_euclid(CYCLE_DAYS));
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{UnixNanos, civil};

    #[test]
    fn days_have_their_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(11_017), (2000, 3, 1));
        assert_eq!(civil(47_541), (2100, 3, 1));
        assert_eq!(UnixNanos(-1).rfc3339(), "1969-12-31T23:59:59.999999999Z");
    }
}
