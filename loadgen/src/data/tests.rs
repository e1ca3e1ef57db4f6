//! Laws of the generated bodies: their size, their grammar, their clocks.

use super::*;

fn body(mix: Mix, measurements: u64) -> Lines {
    let mut lines = Lines::generate(mix, 5000, measurements, &mut Random::new(7));
    lines.stamp(1_700_000_000_000_000_000, 1000);
    lines
}

/// Cuts at a byte that is neither escaped nor, if quotes count, inside a quoted string.
fn split(text: &str, at: char, quotes: bool) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for letter in text.chars() {
        let cut = letter == at && !escaped && !quoted;
        if quotes && letter == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = letter == '\\' && !escaped;
        if cut {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(letter);
        }
    }
    assert!(!quoted, "open quote in {text}");
    parts
}

fn is_value(text: &str) -> bool {
    let quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
    let integer = text.strip_suffix('i').is_some_and(|digits| digits.parse::<i64>().is_ok());
    let boolean = matches!(text, "t" | "T" | "true" | "f" | "F" | "false");
    quoted || integer || boolean || text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[test]
fn every_line_is_valid_line_protocol() {
    for (mix, measurements) in
        [(Mix::Tsbs, 1), (Mix::Tsbs, 9), (Mix::Telegraf, 14), (Mix::Telegraf, 3), (Mix::Small, 50)]
    {
        let lines = body(mix, measurements);
        for line in std::str::from_utf8(&lines.bytes).unwrap().lines() {
            let parts = split(line, ' ', true);
            assert_eq!(parts.len(), 3, "{line}");
            let tags = split(&parts[0], ',', false);
            assert!(tags.len() >= 2 && !tags[0].is_empty(), "{line}");
            let keys: Vec<_> = tags[1..].iter().map(|tag| split(tag, '=', false)).collect();
            assert!(keys.iter().all(|pair| pair.len() == 2 && !pair[1].is_empty()), "{line}");
            assert!(keys.is_sorted_by(|a, b| mix == Mix::Tsbs || a[0] < b[0]), "{line}");
            for field in split(&parts[1], ',', true) {
                let (key, value) = field.split_once('=').unwrap();
                assert!(!key.is_empty() && is_value(value), "{field} in {line}");
            }
            assert_eq!(parts[2].len(), 19, "{line}");
        }
    }
}

#[test]
fn lines_have_the_sizes_that_results_are_quoted_for() {
    for (mix, low, high) in [(Mix::Tsbs, 335, 355), (Mix::Telegraf, 117, 232), (Mix::Small, 44, 48)]
    {
        let mean = body(mix, mix.measurements()).bytes.len() / 5000;
        assert!((low..=high).contains(&mean), "{mix:?} has {mean} bytes a line");
    }
}

#[test]
fn there_are_as_many_measurements_as_asked_for() {
    for (mix, count) in [
        (Mix::Tsbs, 1),
        (Mix::Tsbs, 20),
        (Mix::Telegraf, 14),
        (Mix::Telegraf, 28),
        (Mix::Small, 8),
        (Mix::Small, 20),
    ] {
        let lines = body(mix, count);
        let text = String::from_utf8(lines.bytes).unwrap();
        let names: std::collections::BTreeSet<String> =
            text.lines().map(|line| split(line, ',', false).swap_remove(0)).collect();
        assert_eq!(names.len() as u64, count, "{mix:?}: {names:?}");
    }
}

#[test]
fn one_telegraf_line_in_ten_is_dear() {
    let text = String::from_utf8(body(Mix::Telegraf, 14).bytes).unwrap();
    let dear = text.lines().filter(|line| line.contains('"') || line.contains('\\')).count();
    assert!((400..=600).contains(&dear), "{dear} of 5000");
}

#[test]
fn every_line_has_its_own_time() {
    let mut lines = body(Mix::Small, 8);
    let times = |lines: &Lines| -> Vec<u64> {
        let text = std::str::from_utf8(&lines.bytes).unwrap();
        text.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect()
    };
    assert!(times(&lines).is_sorted_by(|a, b| *b == a + 1000));
    lines.stamp(1_800_000_000_000_000_000, 1);
    assert_eq!(times(&lines)[4999], 1_800_000_000_000_004_999);
    assert_eq!(lines.first(2).iter().filter(|byte| **byte == b'\n').count(), 2);
    assert!(lines.first(0).is_empty());
}

#[test]
fn equal_seeds_give_equal_bodies() {
    assert_eq!(body(Mix::Telegraf, 14).bytes, body(Mix::Telegraf, 14).bytes);
    let other = Lines::generate(Mix::Telegraf, 5000, 14, &mut Random::new(8));
    assert_ne!(other.bytes.len(), body(Mix::Telegraf, 14).bytes.len());
}

#[test]
fn numbered_series_are_all_different_and_one_telegraf_line_in_ten_is_dear() {
    for (mix, measurements) in [
        (Mix::Tsbs, 1),
        (Mix::Tsbs, 3),
        (Mix::Telegraf, 14),
        (Mix::Telegraf, 28),
        (Mix::Telegraf, 5),
        (Mix::Small, 8),
    ] {
        let (mut lines, mut random) = (Lines::default(), Random::new(5));
        (0..6600).for_each(|number| {
            lines.push(mix, Series::Number(number), measurements, &mut random);
        });
        let text = String::from_utf8(lines.bytes).unwrap();
        let keys: std::collections::BTreeSet<String> =
            text.lines().map(|line| split(line, ' ', true).swap_remove(0)).collect();
        assert_eq!(keys.len(), 6600, "{mix:?} {measurements}");
        let dear = text.lines().filter(|line| line.contains('"') || line.contains('\\')).count();
        let wanted = if mix == Mix::Telegraf && measurements >= 14 { 660 } else { 0 };
        assert_eq!(dear, wanted, "{mix:?} {measurements}");
    }
}
