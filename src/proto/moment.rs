//! Moments as text.
//!
//! Shape: RFC 3339 with up to nine digits of a second, `2026-11-22T04:05:06.7Z` or with an offset
//! `+02:00`; InfluxQL also writes `2026-11-22 04:05:06.7` and `2026-11-22`, which are in UTC.
//! Unit: nanoseconds since 1970-01-01T00:00:00Z, wider than a line's time: who asks cuts them.
//! Errors: nothing, for a text that is no moment.

use crate::base::time::UnixNanos;

const DAY_NS: i128 = 86_400 * 1_000_000_000;

/// A moment of RFC 3339; a lower-case `t` or `z` is none, as in Go.
pub fn rfc3339(text: &str) -> Option<i128> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?.strip_prefix('T')?);
    let at = rest.find(['Z', '+', '-'])?;
    let (clock, zone) = rest.split_at(at);
    Some(day(date)? + time_of_day(clock)? - offset(zone)?)
}

/// A moment as a string of InfluxQL spells it.
pub fn influxql(text: &str) -> Option<i128> {
    if let Some(moment) = rfc3339(text) {
        return Some(moment);
    }
    match text.split_once(' ') {
        Some((date, clock)) => Some(day(date)? + time_of_day(clock)?),
        None => day(text),
    }
}

/// As Go writes RFC 3339 with nanoseconds: no zeros at the end of a second.
pub fn text(unix_ns: i64) -> String {
    let whole = UnixNanos(unix_ns).rfc3339();
    let text = whole.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    format!("{text}Z")
}

/// `yyyy-mm-dd`.
fn day(text: &str) -> Option<i128> {
    let mut parts = text.split('-');
    let (year, month, date) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let is_real = (1..=12).contains(&month) && date >= 1 && date <= days_of(year, month);
    (parts.next().is_none() && is_real).then(|| i128::from(days(year, month, date)) * DAY_NS)
}

/// `hh:mm:ss` with an optional fraction.
fn time_of_day(text: &str) -> Option<i128> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, nanos(fraction)?),
        None => (text, 0),
    };
    let mut parts = whole.split(':');
    let (hour, minute, second) =
        (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let is_real = parts.next().is_none() && hour < 24 && minute < 60 && second < 60;
    let seconds = i128::from(hour * 3600 + minute * 60 + second);
    is_real.then(|| seconds * 1_000_000_000 + i128::from(fraction))
}

/// What comes behind the point of a second.
fn nanos(text: &str) -> Option<i64> {
    let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than nanoseconds are cut, as in Go.
    let kept = &text[..text.len().min(9)];
    let scale = 10_i64.pow(9 - u32::try_from(kept.len()).ok()?);
    fits.then(|| kept.parse::<i64>().ok())?.map(|number| number * scale)
}

/// `Z`, or `+hh:mm`.
fn offset(zone: &str) -> Option<i128> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60)
        .then(|| i128::from(sign * (hours * 3600 + minutes * 60)) * 1_000_000_000)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01; a year begins in March here, so that a leap day is its last one.
pub fn days(year: i64, month: i64, date: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_are_read_as_go_reads_them() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2009-01-02T23:00:00Z", Some(1_230_937_200_000_000_000)),
            ("2000-02-29T00:00:00.000000001Z", Some(951_782_400_000_000_001)),
            ("1969-12-31T23:59:59.9Z", Some(-100_000_000)),
            ("2026-11-22T04:00:00+02:00", Some(1_795_312_800_000_000_000)),
            ("2026-11-22T04:00:00", None),
            ("2026-11-22", None),
            ("2001-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-11-22T24:00:00Z", None),
            ("2026-11-22t04:00:00Z", None),
            ("2026-11-22T04:00:00.Z", None),
            ("now", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(rfc3339(text), expected, "{text}");
        }
        assert_eq!(influxql("1970-01-02"), Some(DAY_NS));
        assert_eq!(influxql("1970-01-01 00:00:01.5"), Some(1_500_000_000));
        assert_eq!(influxql("x"), None);
    }

    proptest! {
        #[test]
        fn a_moment_is_its_text_again(moment: i64) {
            prop_assert_eq!(rfc3339(&text(moment)), Some(i128::from(moment)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            rfc3339(&text);
            influxql(&text);
        }
    }
}
