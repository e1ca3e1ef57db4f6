//! Durations that keep months and nanoseconds apart, and what they do to moments.

use crate::base::time::civil;
use crate::proto::flux::Unit;
use crate::proto::moment;

const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;
/// A month where the calendar does not count: 730.5 hours.
const MONTH_NS: i64 = 2_629_800 * SECOND_NS;

/// A duration. Both parts have the same sign, or one is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Interval {
    pub months: i64,
    pub nanos: i64,
}

impl Interval {
    pub fn nanos(nanos: i64) -> Interval {
        Interval { months: 0, nanos }
    }

    /// Of a literal; nothing where it is too long.
    pub fn of(parts: &[(i64, Unit)]) -> Option<Interval> {
        let mut whole = Interval::default();
        for (count, unit) in parts {
            let (months, nanos) = match unit {
                Unit::Year => (12, 0),
                Unit::Month => (1, 0),
                Unit::Week => (0, 7 * DAY_NS),
                Unit::Day => (0, DAY_NS),
                Unit::Hour => (0, 3600 * SECOND_NS),
                Unit::Minute => (0, 60 * SECOND_NS),
                Unit::Second => (0, SECOND_NS),
                Unit::Millisecond => (0, 1_000_000),
                Unit::Microsecond => (0, 1000),
                Unit::Nanosecond => (0, 1),
            };
            whole.months = whole.months.checked_add(count.checked_mul(months)?)?;
            whole.nanos = whole.nanos.checked_add(count.checked_mul(nanos)?)?;
        }
        Some(whole)
    }

    pub fn negated(self) -> Interval {
        Interval { months: self.months.saturating_neg(), nanos: self.nanos.saturating_neg() }
    }

    pub fn is_zero(self) -> bool {
        self == Interval::default()
    }

    pub fn is_negative(self) -> bool {
        self.months < 0 || self.nanos < 0
    }

    pub fn is_positive(self) -> bool {
        self.months > 0 || self.nanos > 0
    }

    /// Its length where no calendar counts.
    pub fn length_ns(self) -> i64 {
        self.months.saturating_mul(MONTH_NS).saturating_add(self.nanos)
    }

    /// `moment` moved by it; months go by the calendar, and a day that a month lacks is its last one.
    pub fn added_to(self, moment: i64) -> i64 {
        add_months(moment, self.months).saturating_add(self.nanos)
    }

    /// As `string()` writes it.
    pub fn text(self) -> String {
        let mut text = String::new();
        let mut months = self.months.unsigned_abs();
        let mut nanos = self.nanos.unsigned_abs();
        if self.is_negative() {
            text.push('-');
        }
        let mut part = |rest: &mut u64, size: u64, unit: &str| {
            if *rest >= size {
                text.push_str(&format!("{}{unit}", *rest / size));
                *rest %= size;
            }
        };
        part(&mut months, 12, "y");
        part(&mut months, 1, "mo");
        for (size, unit) in [
            (7 * DAY_NS, "w"),
            (DAY_NS, "d"),
            (3600 * SECOND_NS, "h"),
            (60 * SECOND_NS, "m"),
            (SECOND_NS, "s"),
            (1_000_000, "ms"),
            (1000, "us"),
            (1, "ns"),
        ] {
            part(&mut nanos, size.unsigned_abs(), unit);
        }
        if text.is_empty() { "0ns".to_owned() } else { text }
    }
}

/// Year, month, day, and the nanoseconds since midnight.
pub fn parts(moment: i64) -> (i64, i64, i64, i64) {
    let (year, month, day) = civil(moment.div_euclid(DAY_NS));
    (year, month, day, moment.rem_euclid(DAY_NS))
}

/// Months since the year 0.
pub fn month_of(moment: i64) -> i64 {
    let (year, month, _, _) = parts(moment);
    year * 12 + month - 1
}

/// The first moment of a month that is counted from the year 0, kept within what a moment can be.
pub fn month_start(month: i64) -> i64 {
    let (year, month) = (month.div_euclid(12).clamp(1600, 2300), month.rem_euclid(12) + 1);
    moment::days(year, month, 1).saturating_mul(DAY_NS)
}

fn add_months(moment: i64, months: i64) -> i64 {
    if months == 0 {
        return moment;
    }
    let (_, _, day, of_day) = parts(moment);
    let target = month_of(moment).saturating_add(months).clamp(1600 * 12, 2300 * 12);
    let (start, next) = (month_start(target), month_start(target + 1));
    let days = next.saturating_sub(start) / DAY_NS;
    start.saturating_add((day.min(days) - 1) * DAY_NS).saturating_add(of_day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> i64 {
        moment::rfc3339(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn months_go_by_the_calendar() {
        let month = Interval { months: 1, nanos: 0 };
        let cases = [
            ("2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"),
            ("2024-01-31T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("2025-12-05T00:00:00Z", "2026-01-05T00:00:00Z"),
        ];
        for (before, after) in cases {
            assert_eq!(moment::text(month.added_to(moment(before))), after);
        }
        assert_eq!(Interval { months: -14, nanos: 0 }.added_to(0), moment("1968-11-01T00:00:00Z"));
    }

    #[test]
    fn a_duration_is_written_in_its_largest_units() {
        let hour_and_ninety = Interval::of(&[(1, Unit::Hour), (90, Unit::Minute)]).unwrap();
        assert_eq!(hour_and_ninety.text(), "2h30m");
        assert_eq!(Interval { months: -14, nanos: -1000 }.text(), "-1y2mo1us");
        assert_eq!(Interval::default().text(), "0ns");
    }
}
