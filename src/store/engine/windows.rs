//! How long the windows of a policy are that does not say it: InfluxDB's rule.

pub const HOUR_NS: i64 = 3_600_000_000_000;
const DAY_NS: i64 = 24 * HOUR_NS;

/// The length of windows of a policy that does not say it; 0 is for ever.
pub fn default_window_ns(duration_ns: i64) -> i64 {
    match duration_ns {
        0 => 7 * DAY_NS,
        short if short < 2 * DAY_NS => HOUR_NS,
        middle if middle < 180 * DAY_NS => DAY_NS,
        _ => 7 * DAY_NS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
