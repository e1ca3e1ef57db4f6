//! Every recorded row: our verdict, and the words of InfluxDB 1.6.7 wherever both of us refuse.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::{Line, LineError, Lines, Precision, Rules};
use super::RULES;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/line_protocol.jsonl");

/// Rows that both of us refuse, with other words: row, why. The reason itself is the same.
const KEPT: &[(&str, &str)] = &[
    ("float_long_400_digits", QUOTE),
    ("key_max", QUOTE),
    ("key_max_ok_plus", QUOTE),
    ("key_over", QUOTE),
    ("key_tags_over", QUOTE),
    ("field_key_too_long", QUOTE),
];
const QUOTE: &str = "an error text quotes at most 256 bytes of a line";

/// Rows that we refuse where InfluxDB 1.6.7 does not, or answers 500: row, our reason.
const OURS: &[(&str, &str)] = &[
    ("meas_latin1", "measurement is not valid UTF-8"),
    ("meas_newline_escaped", "backslash before a line feed"),
    ("tag_key_ff", "tag key is not valid UTF-8"),
    ("tag_key_nul", "cannot use reserved tag key \"\\x00\""),
    ("field_latin1_key", "field key is not valid UTF-8"),
    ("field_tab_after_string", "bytes after the closing quote of a string"),
    ("str_junk_after", "bytes after the closing quote of a string"),
    ("str_junk_after_i", "bytes after the closing quote of a string"),
    ("str_ts_nospace", "bytes after the closing quote of a string"),
    ("str_junk_backslash_eof", "bytes after the closing quote of a string"),
    ("overlong_utf8", "measurement is not valid UTF-8"),
    ("surrogate_utf8", "measurement is not valid UTF-8"),
];

/// Rows that are left to policy: row, points that we accept, lines that we refuse.
const POLICY: &[(&str, usize, usize)] = &[
    ("comment_open_quote_swallows", 2, 0),
    ("crlf_float", 1, 0),
    ("crlf_ts", 1, 0),
    ("crlf_int", 1, 0),
    ("crlf_bool", 1, 0),
    ("crlf_bool_short", 1, 0),
    ("crlf_string", 1, 0),
    ("crlf_two_ts", 2, 0),
    ("crlf_mixed_last_ok", 2, 0),
    ("tag_key_nul", 0, 1),
    ("uint_one", 0, 1),
    ("uint_max", 0, 1),
    ("uint_lead_zero", 0, 1),
    ("uint_int64max_plus1", 0, 1),
    ("prec_n", 1, 0),
    ("prec_u", 1, 0),
    ("prec_h", 0, 1),
    ("prec_h_overflow", 0, 1),
];

/// Rows whose precision is refused before a line is read.
const NO_PRECISION: &[&str] = &["prec_ps", "prec_S"];

/// The bodies of all rows.
pub(super) fn bodies() -> Vec<Vec<u8>> {
    rows().into_iter().map(|row| row.body).collect()
}

struct Row {
    value: Value,
    body: Vec<u8>,
}

impl Row {
    fn text(&self, field: &str) -> &str {
        self.value[field].as_str().unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.text("name")
    }

    /// The error of the recorded answer, if it is about lines that 1.6.7 could not parse or dropped.
    fn words(&self) -> Option<String> {
        let answer: Value = serde_json::from_str(self.text("real_167_body")).ok()?;
        let error = answer["error"].as_str()?;
        let of_lines = error.starts_with("unable to parse") || error.starts_with("partial write: ");
        of_lines.then(|| error.to_owned())
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(VECTORS).unwrap();
    let rows: Vec<Row> = text
        .lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            let body = match &value["line_rle"] {
                Value::Array(runs) => runs
                    .iter()
                    .flat_map(|run| bytes(&run[0]).repeat(run[1].as_u64().unwrap() as usize))
                    .collect(),
                _ => bytes(&value["line_b64"]),
            };
            Row { value, body }
        })
        .collect();
    assert_eq!(rows.len(), 330);
    rows
}

type Split<'a> = (Vec<Line<'a>>, Vec<LineError<'a>>);

fn split(row: &Row, rules: Rules) -> Split<'_> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for line in Lines::new(&row.body, rules) {
        match line {
            Ok(line) => good.push(line),
            Err(error) => bad.push(error),
        }
    }
    (good, bad)
}

fn rules(row: &Row) -> Option<Rules> {
    Some(Rules { precision: Precision::v1(row.text("precision"))?, ..RULES })
}

fn each(mut look: impl FnMut(&Row, Split<'_>)) {
    let mut refused = Vec::new();
    for row in rows() {
        match rules(&row) {
            Some(rules) => look(&row, split(&row, rules)),
            None => refused.push(row.name().to_owned()),
        }
    }
    assert_eq!(refused, NO_PRECISION);
}

#[test]
fn every_row_has_the_recommended_verdict() {
    let mut policies = 0;
    each(|row, (good, bad)| {
        let found = (good.len(), bad.len());
        let name = row.name();
        let points = row.value["n_points"].as_u64().unwrap() as usize;
        match row.text("gw_recommended") {
            "accept" => assert_eq!(found, (points, 0), "{name}"),
            "reject" => assert!(good.is_empty() && !bad.is_empty(), "{name}: {found:?}"),
            "partial" => assert!(!good.is_empty() && !bad.is_empty(), "{name}: {found:?}"),
            _ => {
                let row = POLICY.iter().find(|policy| policy.0 == name);
                let (_, accepted, refused) = row.unwrap_or_else(|| panic!("no policy: {name}"));
                assert_eq!(found, (*accepted, *refused), "{name}");
                policies += 1;
            }
        }
    });
    assert_eq!(policies, POLICY.len());
}

#[test]
fn every_accepted_point_has_the_recorded_measurement_and_time() {
    let mut points = 0;
    each(|row, (good, _)| {
        let listed = row.value["points"].as_array();
        let recorded: Vec<&Value> = match listed {
            Some(points) => points.iter().collect(),
            None => vec![&row.value],
        };
        let of_one_parser = row.value["parse_from"].is_string();
        if !of_one_parser || good.len() != recorded.len() {
            return;
        }
        for (line, recorded) in good.iter().zip(recorded) {
            let name = row.name();
            let measurement = match recorded["measurement_b64"].as_str() {
                // One name of 65,530 bytes is not recorded a second time.
                Some("(long, see line)") => vec![b'm'; 65_530],
                _ => bytes(&recorded["measurement_b64"]),
            };
            assert_eq!(*line.measurement_name(), *measurement, "{name}");
            let time = recorded["ts"].as_i64();
            if row.name() == "prec_u" {
                // Recorded from a parser of 2.x, which reads this precision as nanoseconds.
                assert_eq!(line.time.map(|time| time.0), time.map(|time| time * 1000));
            } else {
                assert_eq!(line.time.map(|time| time.0), time, "{name}");
            }
            points += 1;
        }
    });
    assert!(points > 140, "{points}");
}

/// The error of a whole body, composed as 1.6.7 does.
fn composed(good: &[Line<'_>], bad: &[LineError<'_>]) -> String {
    if let Some(dropped) = bad.iter().find(|error| error.dropped()) {
        let count = bad.iter().filter(|error| error.dropped()).count();
        return format!("partial write: {dropped} dropped={count}");
    }
    let words: Vec<String> = bad.iter().map(ToString::to_string).collect();
    let words = words.join("\n");
    if good.is_empty() { words } else { format!("partial write: {words} dropped=0") }
}

#[test]
fn a_refusal_has_the_words_of_1_6_7() {
    let (mut same, mut kept, mut ours) = (0, 0, 0);
    each(|row, (good, bad)| {
        if bad.is_empty() {
            return;
        }
        let (name, text) = (row.name(), composed(&good, &bad));
        match (row.words(), KEPT.iter().find(|kept| kept.0 == name)) {
            (Some(words), None) => {
                assert_eq!(text, words, "{name}");
                same += 1;
            }
            (_, Some((_, why))) => {
                let recorded = row.value["go_1_12"]["error"].as_str().unwrap();
                let (_, reason) = recorded.rsplit_once("': ").unwrap();
                assert_ne!(Some(text), row.words(), "{name} need not be listed");
                assert_eq!(bad[0].reason.to_string(), reason, "{name} ({why})");
                kept += 1;
            }
            (None, None) => {
                let reason = OURS.iter().find(|row| row.0 == name);
                let (_, reason) = reason.unwrap_or_else(|| panic!("not listed: {name}: {text}"));
                assert_eq!(bad[0].reason.to_string(), *reason, "{name}");
                ours += 1;
            }
        }
    });
    assert_eq!((kept, ours), (KEPT.len(), OURS.len()));
    assert!(same > 130, "{same}");
}

#[test]
fn rules_open_what_not_every_backend_takes() {
    let open = Rules { unsigned: true, nul_tag_key: true, ..RULES };
    for row in rows() {
        if rules(&row).is_none() {
            continue;
        }
        let (good, bad) = split(&row, open);
        match row.name() {
            "tag_key_nul" | "uint_one" | "uint_max" | "uint_lead_zero" | "uint_int64max_plus1" => {
                assert_eq!((good.len(), bad.len()), (1, 0), "{}", row.name());
            }
            "uint_over" => assert_eq!(
                bad[0].reason.to_string(),
                "unable to parse unsigned 18446744073709551616: strconv.ParseUint: \
                 parsing \"18446744073709551616\": value out of range"
            ),
            "uint_neg" | "uint_u_only" => assert_eq!(bad.len(), 1),
            _ => {}
        }
    }
}
