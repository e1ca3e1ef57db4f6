//! Durations like `250ms` and sizes like `64MiB`: a whole number and a unit.

use std::time::Duration;

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const SIZE_UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Of `250ms`, `3s`, `5m`, `1h`.
pub fn duration(text: &str) -> Option<Duration> {
    scaled(text, &DURATION_UNITS).map(Duration::from_millis)
}

/// Bytes of `512B`, `25MB` (millions) and `64MiB` (powers of two).
pub fn size(text: &str) -> Option<u64> {
    scaled(text, &SIZE_UNITS)
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(digits_end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

/// As a person would write it.
pub fn show_duration(duration: Duration) -> String {
    show(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &DURATION_UNITS)
}

/// As a person would write it.
pub fn show_size(bytes: u64) -> String {
    show(bytes, &SIZE_UNITS)
}

/// In the largest unit that leaves a whole number.
fn show(number: u64, units: &[(&str, u64)]) -> String {
    let fitting = units.iter().filter(|(_, factor)| number != 0 && number.is_multiple_of(*factor));
    let (unit, factor) = fitting.max_by_key(|(_, factor)| *factor).unwrap_or(&units[0]);
    format!("{}{unit}", number / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_whole_numbers_with_a_unit() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("3 s"), Some(Duration::from_secs(3)));
        assert_eq!(duration("1h"), Some(Duration::from_secs(3600)));
        assert_eq!(duration("7d"), Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(size("2TiB"), Some(2 << 40));
        assert_eq!(size("25MB"), Some(25_000_000));
        assert_eq!(size("64MiB"), Some(67_108_864));
        let bad = ["", "3", "s", "-3s", "1.5s", "3 days", "18446744073709551615h", "3ss", "3é"];
        assert!(bad.iter().all(|text| duration(text).is_none()));
        assert_eq!(size("3mb"), None);
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for text in ["250ms", "3s", "90s", "2m", "0ms"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
        for text in ["0B", "25MB", "64MiB", "1000B"] {
            assert_eq!(size(&show_size(size(text).unwrap())), size(text));
        }
    }
}
