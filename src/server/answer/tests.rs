use super::*;
use crate::ingest::accept::{Accepted, BadLines, Consistency, Failure, Refused};
use crate::proto::http::body;
use crate::proto::line::Precision;
use crate::ring::Naming;
use crate::server::write::{Plan, conclude};

const V1: Voice = Voice { dialect: Dialect::V1, csv: false };
const V2: Voice = Voice { dialect: Dialect::V2, csv: false };
const CSV: Voice = Voice { dialect: Dialect::V1, csv: true };

fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

fn plan(voice: Voice) -> Plan {
    Plan {
        voice,
        target: Naming::new("default", &[]).v1("d", None),
        name: "d".to_owned(),
        policy: None,
        precision: Precision::Nanoseconds,
        bad_lines: BadLines::KeepGood,
        consistency: Consistency::One,
    }
}

fn every_failure() -> Vec<Failure> {
    vec![
        Failure::BadLines { texts: "unable to parse 'a': missing fields".to_owned(), dropped: 0 },
        Failure::BadLines { texts: "invalid tag key".to_owned(), dropped: 1 },
        Failure::UnknownDatabase,
        Failure::Unavailable { why: "disk full".to_owned(), retry_after_s: 7 },
        Failure::TooManyConfirmationsMissing { wanted: 2, confirmed: 1 },
    ]
}

#[test]
fn only_204_says_that_lines_are_safe() {
    for voice in [V1, V2, CSV] {
        assert_eq!(conclude(&plan(voice), Ok(Accepted::default())).status, 204);
        for failure in every_failure() {
            assert!(conclude(&plan(voice), Err(failure)).status >= 400);
        }
        let bad = Accepted { lines: 1, bad_lines: Some("x".to_owned()), ..Accepted::default() };
        assert_eq!(conclude(&plan(voice), Ok(bad)).status, 400);
    }
}

#[test]
fn what_may_pass_is_503_with_whole_seconds_and_never_a_phrase_that_drops_a_batch() {
    for phrase in FATAL_PHRASES {
        let why = format!("backend said: {phrase} 'a'");
        for voice in [V1, V2, CSV] {
            let failure = Failure::Unavailable { why: why.clone(), retry_after_s: 7 };
            let answer = conclude(&plan(voice), Err(failure));
            assert_eq!((answer.status, field(&answer, "Retry-After")), (503, Some("7")));
            assert!(!text(&answer).contains(phrase));
            assert!(answer.fields.iter().all(|(_, value)| !value.contains(phrase)));
        }
    }
    let missing = Failure::TooManyConfirmationsMissing { wanted: 2, confirmed: 1 };
    let answer = conclude(&plan(V1), Err(missing));
    assert_eq!((answer.status, field(&answer, "Retry-After")), (503, Some("1")));
    assert!(text(&answer).contains("queued"));
}

#[test]
fn each_dialect_tells_an_error_in_its_own_way() {
    let v1 = invalid(V1, "a <b>\nc");
    assert_eq!(text(&v1), "{\"error\":\"a \\u003cb\\u003e\\nc\"}\n");
    assert_eq!(field(&v1, "X-Influxdb-Error"), Some("a <b> c"));
    assert_eq!(field(&v1, "Content-Type"), Some("application/json"));
    let v2 = invalid(V2, "a <b>\nc");
    assert_eq!(text(&v2), "{\"code\":\"invalid\",\"message\":\"a \\u003cb\\u003e\\nc\"}");
    assert_eq!(field(&v2, "X-Platform-Error-Code"), Some("invalid"));
    assert_eq!(field(&v2, "X-Influxdb-Error"), None);
    let csv = invalid(CSV, "a, \"b\"");
    assert_eq!(text(&csv), "error\n\"a, \"\"b\"\"\"\n");
    assert_eq!(field(&csv, "Content-Type"), Some("text/csv"));
}

#[test]
fn a_stranger_is_asked_for_credentials_and_told_no_more() {
    let answer = denied(V1, Denied::Missing);
    assert_eq!(text(&answer), "{\"error\":\"unable to parse authentication credentials\"}\n");
    assert_eq!(field(&answer, "WWW-Authenticate"), Some("Basic realm=\"InfluxDB\""));
    assert_eq!(field(&answer, "X-Influxdb-Error"), None);
    assert_eq!(text(&denied(V1, Denied::Wrong)), "{\"error\":\"authorization failed\"}\n");
    let v2 = "{\"code\":\"unauthorized\",\"message\":\"unauthorized access\"}";
    assert_eq!(text(&denied(V2, Denied::Wrong)), v2);
}

#[test]
fn a_long_message_is_cut_in_its_field_and_whole_in_its_body() {
    let message = "é".repeat(1000);
    let answer = invalid(V1, &message);
    let cut = field(&answer, "X-Influxdb-Error").unwrap();
    assert!(cut.len() <= 1024 && message.starts_with(cut) && cut.len() > 1020);
    assert!(text(&answer).contains(&message));
}

#[test]
fn the_refusal_of_a_store_comes_back_once_in_the_dialect_of_the_client() {
    let message = "partial write: field type conflict: x dropped=1";
    let refused = |prefix: &str| Refused { message: format!("{prefix}{message}"), lines: 1 };
    let accepted = Accepted {
        lines: 2,
        bad_lines: Some("hidden".to_owned()),
        pending: vec!["circle-2/b-1".to_owned(), "circle-3/c-1".to_owned()],
        refused: vec![refused(""), refused("failure writing points to database: ")],
        ..Accepted::default()
    };
    let v1 = conclude(&plan(V1), Ok(accepted.clone()));
    assert_eq!((v1.status, text(&v1)), (400, &*format!("{{\"error\":\"{message}\"}}\n")));
    assert_eq!(field(&v1, "X-Circlet-Pending"), Some("circle-2/b-1, circle-3/c-1"));
    let v2 = conclude(&plan(V2), Ok(accepted));
    let told = format!(
        "{{\"code\":\"unprocessable entity\",\"message\":\"failure writing points to database: {message}\"}}"
    );
    assert_eq!((v2.status, text(&v2)), (422, told.as_str()));
}

#[test]
fn bad_lines_beside_good_ones_are_a_partial_write() {
    let accepted = Accepted {
        lines: 1,
        bad_lines: Some("unable to parse 'a v': invalid field format".to_owned()),
        dropped: 2,
        ..Accepted::default()
    };
    let answer = conclude(&plan(V1), Ok(accepted));
    let told =
        "{\"error\":\"partial write: unable to parse 'a v': invalid field format dropped=2\"}\n";
    assert_eq!((answer.status, text(&answer)), (400, told));
}

#[test]
fn nothing_that_a_client_or_backend_says_can_end_a_field() {
    let frame = Frame {
        version_11: true,
        is_head: false,
        keeps: true,
        date: "now".to_owned(),
        request_id: Some("a\r\nX: y".to_owned()),
        origin: Some("http://a\nb".to_owned()),
        is_preflight: false,
        voice: V1,
        shard: Some(1),
    };
    let bytes = invalid(V1, "a\r\n\r\nHTTP/1.1 200 OK").encode(&frame);
    let text = String::from_utf8(bytes).unwrap();
    assert!(!text.contains("\r\nX: y") && !text.contains("\nb"));
    assert_eq!(text.matches("\r\n\r\n").count(), 1);
    assert!(text.contains("\r\nX-Circlet-Shard: 1\r\n"));
}

#[test]
fn where_the_framing_broke_the_connection_ends() {
    for voice in [V1, V2] {
        assert!(bad_body(voice, Fault::Framing(body::Error::Truncated)).closes);
        assert!(bad_body(voice, Fault::TooLarge).closes);
        assert!(!bad_body(voice, Fault::NoBudget).closes);
    }
}

#[test]
fn csv_is_for_whoever_asks_for_it_first() {
    let csv = |accept| Voice::of("/query", Some(accept)).csv;
    assert!(csv("text/csv") && csv("application/csv; q=1") && csv("text/html, text/csv"));
    assert!(!csv("application/json, text/csv") && !csv("*/*") && !csv(""));
    assert!(!Voice::of("/api/v2/query", Some("text/csv")).csv);
    assert_eq!(Voice::of("/api/v2x", None).dialect, Dialect::V1);
}

#[test]
fn json_is_indented_without_touching_what_it_says() {
    let json = r#"{"a":[1e+21,"x,\"{]}:",{}],"b":[],"c":{"d":null}}"#;
    let expected = "{\n  \"a\": [\n    1e+21,\n    \"x,\\\"{]}:\",\n    {}\n  ],\n  \"b\": [],\n  \"c\": {\n    \"d\": null\n  }\n}";
    assert_eq!(indented(json, "  "), expected);
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(format!("{value:#}").replace("1e21", "1e+21"), expected);
}
