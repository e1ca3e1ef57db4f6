//! Which slice of time a point belongs to, and how long slices are: InfluxDB's rules.

pub const HOUR_NS: i64 = 3_600_000_000_000;
const DAY_NS: i64 = 24 * HOUR_NS;

/// From the first day of the year 1 to 1970: slices are counted from there.
const EPOCH_NS: i128 = 62_135_596_800 * 1_000_000_000;

/// The length of windows of a policy that does not say it; 0 is for ever.
pub fn default_window_ns(duration_ns: i64) -> i64 {
    match duration_ns {
        0 => 7 * DAY_NS,
        short if short < 2 * DAY_NS => HOUR_NS,
        middle if middle < 180 * DAY_NS => DAY_NS,
        _ => 7 * DAY_NS,
    }
}

/// The window of a time: its start and its end, which is exclusive. The first and the last one end where times do.
pub fn window_of(time_ns: i64, window_ns: i64) -> (i64, i64) {
    let window = i128::from(window_ns.max(1));
    let start = (i128::from(time_ns) + EPOCH_NS).div_euclid(window) * window - EPOCH_NS;
    let fit =
        |time: i128| i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX });
    (fit(start), fit(start + window))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_as_influxd_lays_them() {
        const S: i64 = 1_000_000_000;
        let week = 7 * DAY_NS;
        let b = 1_700_000_000 * S;
        assert_eq!(window_of(b, week), (1_699_833_600 * S, 1_700_438_400 * S));
        assert_eq!(window_of(-1, week), (-259_200 * S, 345_600 * S));
        assert_eq!(window_of(b, HOUR_NS).0 % HOUR_NS, 0);
        assert_eq!(window_of(b, DAY_NS).0 % DAY_NS, 0);
        assert_eq!(window_of(i64::MAX - 1, week).1, i64::MAX);
        assert_eq!(window_of(i64::MIN + 2, week), (i64::MIN, -9_222_854_400 * S));
    }

    #[test]
    fn the_length_of_a_window_comes_from_the_duration() {
        let day = DAY_NS;
        let cases = [
            (0, 7 * day),
            (HOUR_NS, HOUR_NS),
            (47 * HOUR_NS, HOUR_NS),
            (2 * day, day),
            (179 * day, day),
            (180 * day, 7 * day),
        ];
        for (duration, window) in cases {
            assert_eq!(default_window_ns(duration), window, "{duration}");
        }
    }
}
