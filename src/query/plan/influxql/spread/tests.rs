//! What several backends are asked means for all of them what it would mean for one.

use super::{spread, way};
use crate::proto::influxql::{Params, Statement, parse};
use crate::query::merge::influxql::{Key, Way};

const NOW_NS: i64 = 1_600_000_000_123_456_789;

fn only(text: &str) -> Statement {
    parse(text, &Params::default()).unwrap().remove(0)
}

fn spread_text(text: &str) -> String {
    let mut statement = only(text);
    spread(&mut statement, NOW_NS);
    statement.to_string()
}

#[test]
fn now_becomes_one_number_beside_time_and_nowhere_else() {
    let cases = [
        ("time > now() - 6h", "time > 1600000000123456789 - 6h"),
        ("time > (now())", "time > (1600000000123456789)"),
        ("now() - 1h + 2m < time", "1600000000123456789 - 1h + 2m < time"),
        (
            "a = 'now()' AND (TIME < now() OR b = 1)",
            "a = 'now()' AND (TIME < 1600000000123456789 OR b = 1)",
        ),
        ("n = now()", "n = now()"),
        ("time > now() * 2", "time > now() * 2"),
        ("now()", "now()"),
    ];
    for (condition, expected) in cases {
        let expected = format!("SELECT v FROM a, b WHERE {expected}");
        assert_eq!(spread_text(&format!("SELECT v FROM a, b WHERE {condition}")), expected);
    }
}

#[test]
fn windows_without_an_end_end_with_the_same_now_everywhere() {
    let now = "time <= 1600000000123456789";
    let cases = [
        (
            "SELECT mean(v) FROM a GROUP BY time(1m)",
            format!("SELECT mean(v) FROM a WHERE {now} GROUP BY time(1m)"),
        ),
        (
            "SELECT mean(v) FROM a WHERE time > 5 OR x = 1 GROUP BY time(1m)",
            format!("SELECT mean(v) FROM a WHERE (time > 5 OR x = 1) AND {now} GROUP BY time(1m)"),
        ),
        (
            "SELECT max(m) FROM (SELECT mean(v) AS m FROM a GROUP BY time(1m))",
            format!(
                "SELECT max(m) FROM (SELECT mean(v) AS m FROM a WHERE {now} GROUP BY time(1m))"
            ),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(spread_text(text), expected);
    }
    for bounded in [
        "SELECT mean(v) FROM a WHERE time < 9 GROUP BY time(1m)",
        "SELECT mean(v) FROM a WHERE 9 >= time GROUP BY time(1m)",
        "SELECT mean(v) FROM a WHERE time = 9 GROUP BY time(1m)",
        "SELECT max(m) FROM (SELECT mean(v) AS m FROM a GROUP BY time(1m)) WHERE time < 9",
        "SELECT mean(v) FROM a GROUP BY host",
        "SELECT v FROM a WHERE time > 9",
    ] {
        assert_eq!(spread_text(bounded), bounded);
    }
}

#[test]
fn an_offset_of_now_is_what_is_left_of_a_window() {
    let text = spread_text("SELECT mean(v) FROM a WHERE time < 9 GROUP BY time(1m, now())");
    assert_eq!(text, "SELECT mean(v) FROM a WHERE time < 9 GROUP BY time(1m, 40123456789ns)");
}

#[test]
fn a_limit_over_all_measurements_is_left_to_the_merger() {
    let cases = [
        ("SHOW MEASUREMENTS LIMIT 3 OFFSET 4", "SHOW MEASUREMENTS LIMIT 7", (4, Some(3))),
        ("SHOW MEASUREMENTS OFFSET 4", "SHOW MEASUREMENTS", (4, None)),
        ("SHOW SERIES LIMIT 0", "SHOW SERIES", (0, None)),
        ("SHOW SERIES LIMIT 2", "SHOW SERIES LIMIT 2", (0, Some(2))),
    ];
    for (text, expected, (offset, limit)) in cases {
        let key = if text.contains("SERIES") { Key::SeriesKey } else { Key::Name };
        let expected_way = Way::Rows { key, offset, limit, piece_rows: 9 };
        assert_eq!(way(&only(text), 9), Ok(expected_way), "{text}");
        assert_eq!(spread_text(text), expected);
    }
    for kept in [
        "SHOW TAG KEYS LIMIT 3 OFFSET 1",
        "SHOW FIELD KEYS LIMIT 1",
        "SELECT v FROM a LIMIT 1 OFFSET 2",
    ] {
        assert_eq!(spread_text(kept), kept);
    }
}

#[test]
fn what_several_backends_cannot_tell_is_refused() {
    for text in [
        "EXPLAIN SELECT v FROM a, b",
        "SHOW FIELD KEYS ORDER BY time DESC",
        "SHOW SERIES CARDINALITY GROUP BY *",
        "SHOW TAG VALUES WITH KEY = k WHERE time > 0",
        "SHOW SERIES WHERE k = 'a' AND time > now() - 1h",
    ] {
        assert!(way(&only(text), 9).is_err(), "{text}");
    }
}
