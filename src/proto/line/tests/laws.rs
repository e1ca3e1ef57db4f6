//! One law a test, each with the lines that it is about.

use std::borrow::Cow;

use super::super::{LineError, Lines, Precision, Reason, Rules, decode_measurement};
use super::{RULES, accepted, refusal};
use crate::base::limits::{KEY_BYTES_MAX, LINE_BYTES_MAX, QUOTE_BYTES_MAX};

fn errors(body: &[u8]) -> Vec<LineError<'_>> {
    Lines::new(body, RULES).filter_map(Result::err).collect()
}

#[test]
fn a_bad_line_never_hides_its_neighbour() {
    let body = b"a v=1 1\nb v 2\n\n# c\nc v=\"x\ny\" 3\nd v=1x\r\ne v=5 5";
    let lines: Vec<_> = Lines::new(body, RULES).collect();
    let good: Vec<&[u8]> = lines.iter().flatten().map(|line| line.head).collect();
    assert_eq!(good, [&b"a v=1"[..], b"c v=\"x\ny\"", b"e v=5"]);
    let bad: Vec<(u64, &[u8])> =
        lines.iter().filter_map(|line| line.err()).map(|e| (e.number, e.line)).collect();
    assert_eq!(bad, [(2, &b"b v 2"[..]), (7, b"d v=1x")]);
}

#[test]
fn a_name_never_starts_with_a_line_feed() {
    for (body, first) in [("a,\n=b v=1", "a,"), ("a,b=\n v=1", "a,b="), ("a,\n== a=\"\"", "a,")] {
        let first_line = Lines::new(body.as_bytes(), RULES).next().unwrap();
        assert_eq!(first_line.unwrap_err().line, first.as_bytes());
    }
}

#[test]
fn an_open_string_takes_the_rest_of_the_body() {
    let body = b"a v=1\nb v=\"x\nc v=1\n";
    assert_eq!(accepted(body).len(), 1);
    let [error] = errors(body)[..] else { panic!("one error") };
    assert_eq!((error.number, error.reason), (2, Reason::UnbalancedQuotes));
    assert_eq!(error.line, b"b v=\"x\nc v=1");
}

#[test]
fn a_comment_ends_at_its_line_feed() {
    assert_eq!(accepted(b"# a=\"b\na v=1\n# c:\\\nb v=2").len(), 2);
}

#[test]
fn a_head_has_neither_the_timestamp_nor_what_surrounds_it() {
    for body in ["a,b=c v=1,w=\"x\" \t -5  \r\n", " a,b=c v=1,w=\"x\"", "\t\0a,b=c v=1,w=\"x\" \n"]
    {
        let [line] = accepted(body.as_bytes())[..] else { panic!("{body:?}") };
        assert_eq!(line.head, b"a,b=c v=1,w=\"x\"");
        assert_eq!(line.measurement, b"a");
    }
    assert_eq!(accepted(b"a   v=1  \t\0 7 ")[0].head, b"a   v=1");
}

#[test]
fn a_carriage_return_is_only_stripped_before_a_line_feed() {
    assert_eq!(accepted(b"a v=1\r\n\r\nb v=2\r\n").len(), 2);
    assert_eq!(refusal(b"a v=1\r"), "invalid number");
    assert_eq!(refusal(b"a v=1\r\r\n"), "invalid number");
    assert_eq!(refusal(b"a v=\"x\"\r"), "bytes after the closing quote of a string");
}

#[test]
fn a_quote_in_a_name_must_not_hide_the_end_of_the_line() {
    // The servers' parser reads an escaped blank, their splitter the start of the fields.
    let hidden = b"a\\\\ b=\"x,c=d v=1 1";
    assert_eq!(refusal(hidden), "a quote in a name hides the end of the line");
    assert_eq!(refusal(&[hidden, &b"\nb v=2 2"[..]].concat()), "point is invalid");
    // A blank before the measurement does the same; alone, without it, the line is a good one.
    assert_eq!(refusal(b" a=\"b v=1"), "a quote in a name hides the end of the line");
    assert_eq!(accepted(b"a=\"b v=1").len(), 1);
}

#[test]
fn a_field_key_that_ends_in_a_backslash_is_refused() {
    assert_eq!(refusal(br"a v\\=1 1"), r"invalid value: field-key=v\\=1");
    assert_eq!(refusal(br"a v=1,w\\=1 1"), r"invalid value: field-key=w\\=1");
    // This one ends the process of InfluxDB 1.6.7: its store reads the value `"`.
    assert_eq!(refusal(br#"a v=1,w\\="x=""#), r#"invalid value: field-key=w\\="x"#);
    assert_eq!(accepted(br"a v\\w=1 1").len(), 1);
}

#[test]
fn a_field_needs_a_key_even_after_a_tab() {
    assert_eq!(refusal(b"a \t=1"), "missing field key");
    assert_eq!(refusal(b"a \0=1"), "missing field key");
}

#[test]
fn fields_must_alternate_even_where_the_servers_sums_agree() {
    assert_eq!(refusal(br#"a ,b="="c,d=""#), "invalid field format");
}

#[test]
fn tag_keys_of_2_x_and_the_word_time_are_reserved() {
    for key in ["_field", "_measurement"] {
        let line = format!("a,{key}=b v=1");
        assert_eq!(refusal(line.as_bytes()), format!("cannot use reserved tag key \"{key}\""));
        let open = Rules { nul_tag_key: true, ..RULES };
        assert!(Lines::new(line.as_bytes(), open).all(|line| line.is_ok()));
    }
    let [error] = errors(br"a\ b,time=1 v=1")[..] else { panic!("one error") };
    assert!(error.dropped());
    let text = "invalid tag key: input tag \"time\" on measurement \"a b\" is invalid";
    assert_eq!(error.to_string(), text);
    let text = r#"unable to parse 'a\ b,time=1 v=1': cannot use reserved tag key "time""#;
    assert_eq!(error.v2().to_string(), text);
    assert!(!error.v2().dropped());
    assert_eq!(accepted(b"a time=1,v=2").len(), 1);
    assert_eq!(accepted(b"time,_time=a v=2").len(), 1);
}

#[test]
fn tags_may_come_in_any_order_but_only_once() {
    let tags = |count: u32, last: &str| {
        let tags: String = (0..count).rev().map(|tag| format!(",t{tag:03}=x")).collect();
        format!("a{tags}{last} v=1")
    };
    for count in [1, 2, 31, 32, 33, 99, 100, 101, 500] {
        assert_eq!(accepted(tags(count, "").as_bytes()).len(), 1, "{count}");
        assert_eq!(refusal(tags(count, ",t000=y").as_bytes()), "duplicate tags", "{count}");
    }
    // Compared as written.
    assert_eq!(refusal(br"a,b\ c=1,b\ c=2 v=1"), "duplicate tags");
}

#[test]
fn limits_are_met_to_the_byte() {
    let key = |bytes: usize| [b"a,t=".to_vec(), vec![b'x'; bytes - 4], b" v=1".to_vec()].concat();
    assert_eq!(accepted(&key(KEY_BYTES_MAX - 5)).len(), 1);
    let text = format!("max key length exceeded: {} > {KEY_BYTES_MAX}", KEY_BYTES_MAX + 1);
    assert_eq!(refusal(&key(KEY_BYTES_MAX - 4)), text);

    let line = |bytes: usize| [b"a v=\"".to_vec(), vec![b'x'; bytes - 6], b"\"".to_vec()].concat();
    for end in ["", "\n", "\r\n"] {
        let with_end = |bytes| [line(bytes), end.as_bytes().to_vec()].concat();
        assert_eq!(accepted(&with_end(LINE_BYTES_MAX)).len(), 1, "{end:?}");
        let text = format!("max line length exceeded: {} > {LINE_BYTES_MAX}", LINE_BYTES_MAX + 1);
        assert_eq!(refusal(&with_end(LINE_BYTES_MAX + 1)), text);
    }
}

#[test]
fn an_error_quotes_a_bounded_part_of_the_line() {
    for shift in 0..8 {
        let line = ["x".repeat(shift), "☃".repeat(1000)].concat();
        let text = errors(line.as_bytes())[0].to_string();
        let quote = text.strip_prefix("unable to parse '").unwrap();
        let quote = quote.strip_suffix("...': missing fields").unwrap();
        assert!(quote.len() <= QUOTE_BYTES_MAX && quote.len() > QUOTE_BYTES_MAX - 4);
        assert!(line.starts_with(quote), "cut inside a character: {quote}");
    }
    let digits = format!("a v={}i", "9".repeat(5000));
    assert!(errors(digits.as_bytes())[0].to_string().len() < 4 * QUOTE_BYTES_MAX);
}

#[test]
fn times_are_scaled_and_held_in_the_range_of_the_servers() {
    let time = |text: &str, precision| {
        let body = format!("a v=1 {text}");
        let mut lines = Lines::new(body.as_bytes(), Rules { precision, ..RULES });
        lines.next().unwrap().map(|line| line.time.unwrap().0).map_err(|e| e.reason.to_string())
    };
    for (precision, seconds) in
        [(Precision::Minutes, 60), (Precision::Hours, 3600), (Precision::Seconds, 1)]
    {
        assert_eq!(time("-2", precision), Ok(-2 * seconds * 1_000_000_000));
    }
    assert_eq!(time("28333333", Precision::Microseconds), Ok(28_333_333_000));
    let nanoseconds = |text| time(text, Precision::Nanoseconds);
    assert_eq!(nanoseconds("9223372036854775806"), Ok(i64::MAX - 1));
    assert_eq!(nanoseconds("-9223372036854775806"), Ok(i64::MIN + 2));
    let range = "time outside range -9223372036854775806 - 9223372036854775806";
    for text in ["9223372036854775807", "-9223372036854775807", "-9223372036854775808"] {
        assert_eq!(nanoseconds(text), Err(range.to_owned()));
    }
    let text = "strconv.ParseInt: parsing \"9223372036854775808\": value out of range";
    assert_eq!(nanoseconds("9223372036854775808"), Err(text.to_owned()));
    assert_eq!(nanoseconds("-"), Err("strconv.ParseInt: parsing \"-\": invalid syntax".to_owned()));
}

#[test]
fn precisions_are_those_that_influxdb_documents() {
    for text in ["", "n", "ns", "u", "us", "ms", "s", "m", "h"] {
        assert!(Precision::v1(text).is_some(), "{text}");
        assert_eq!(Precision::v2(text).is_some(), matches!(text, "" | "ns" | "us" | "ms" | "s"));
    }
    for text in ["S", "ps", "ns ", "d"] {
        assert!(Precision::v1(text).is_none() && Precision::v2(text).is_none(), "{text}");
    }
}

#[test]
fn names_are_decoded_as_the_servers_do() {
    for (raw, name) in [
        (r"a\ b", "a b"),
        (r"a\,b", "a,b"),
        (r"a\=b", "a=b"),
        (r#"a\"b"#, "a\"b"),
        (r"a\\b", r"a\\b"),
        (r"a\b\", r"a\b\"),
        (r"a\\\,b", r"a\\,b"),
        (r"\ ", " "),
    ] {
        assert_eq!(*decode_measurement(raw.as_bytes()), *name.as_bytes(), "{raw}");
    }
    assert!(matches!(decode_measurement(b"cpu"), Cow::Borrowed(_)));
}
