//! What was read is written again byte for byte, in every form that real servers were recorded to answer in.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::{Form, Rows, Series, Writer, cells, quote, read, string};

/// The statements of an answer, written in a form.
fn written(parts: &[(Vec<Series>, Option<String>)], form: Form) -> String {
    let (mut writer, mut out) = (Writer::new(form), String::new());
    for (series, error) in parts {
        writer.statement(true, &mut out);
        series.iter().for_each(|series| writer.piece(series.clone(), &mut out));
        writer.end(error.as_deref(), &mut out);
    }
    writer.finish(&mut out);
    out
}

/// What all lines of an answer say of each statement.
fn parts(body: &str) -> Vec<(Vec<Series>, Option<String>)> {
    let mut parts: Vec<(Vec<Series>, Option<String>)> = Vec::new();
    for part in body.lines().flat_map(|line| read(line).unwrap().parts) {
        let at = usize::try_from(part.statement).unwrap();
        if at == parts.len() {
            parts.push((Vec::new(), None));
        }
        parts[at].0.extend(part.series);
        parts[at].1 = part.error;
    }
    parts
}

#[test]
fn recorded_answers_are_written_as_they_were_read() {
    let recorded = include_str!("../../../tests/vectors/influxql_1_6.jsonl");
    let (mut plain, mut chunked) = (0, 0);
    for line in recorded.lines() {
        let row: Json = serde_json::from_str(line).unwrap();
        let body = row["body"].as_str().unwrap_or_default();
        let is_chunked = row["params"]["chunked"] == "true";
        let is_answer = body.starts_with("{\"results\"") && row["params"]["accept"] != "text/csv";
        if !is_answer || body.contains("\"messages\"") || body.contains("not executed") {
            continue;
        }
        let form = Form::Json { pretty: false, chunked: is_chunked };
        assert_eq!(written(&parts(body), form), body, "{}", row["name"]);
        (plain, chunked) = (plain + u32::from(!is_chunked), chunked + u32::from(is_chunked));
    }
    assert!(plain > 600 && chunked > 3, "{plain} {chunked}");
}

#[test]
fn an_indented_answer_is_the_recorded_one() {
    let recorded = include_str!("../../../tests/vectors/influxql_1_6.jsonl");
    let mut count = 0;
    for line in recorded.lines() {
        let row: Json = serde_json::from_str(line).unwrap();
        let body = row["body"].as_str().unwrap_or_default();
        let pretty = row["params"]["pretty"] == "true" && row["status"] == 200;
        if !pretty || row["params"]["chunked"] == "true" {
            continue;
        }
        let form = Form::Json { pretty: true, chunked: false };
        let read = read(body).unwrap().parts.into_iter();
        let read: Vec<_> = read.map(|part| (part.series, part.error)).collect();
        assert_eq!(written(&read, form), body, "{}", row["name"]);
        count += 1;
    }
    assert!(count >= 2, "{count}");
}

fn csv_of(values: &str) -> String {
    let columns: Vec<String> = cells(values).enumerate().map(|(at, _)| format!("c{at}")).collect();
    let columns = serde_json::to_string(&columns).unwrap();
    let tags = r#"{"empty":"","k":"a, b=c"}"#;
    let line = format!(
        r#"{{"results":[{{"statement_id":0,"series":[{{"name":"m","tags":{tags},"columns":{columns},"values":[{values}]}}]}}]}}"#
    );
    let csv = written(&parts(&line), Form::Csv);
    csv.lines().nth(1).unwrap().to_owned()
}

#[test]
fn csv_numbers_have_no_exponent_and_texts_are_quoted_as_go_does() {
    let cases = [
        ("[1,-0,1.5,1e+21]", "1,-0,1.5,1000000000000000000000"),
        ("[1e-7,-1.25e-9,123456.5e-3]", "0.0000001,-0.00000000125,123.4565"),
        ("[1.7976931348623157e+3,12e1]", "1797.6931348623157,120"),
        // No float; told as it came, whatever it is.
        (
            "[1e-9223372036854775808,-2e9223372036854775807,3e401]",
            "1e-9223372036854775808,-2e9223372036854775807,3e401",
        ),
        (
            r#"[null,true,"a,b","say \"x\""," lead","\\."]"#,
            r#",true,"a,b","say ""x"""," lead","\.""#,
        ),
    ];
    for (values, expected) in cases {
        assert_eq!(csv_of(values), format!(r#"m,"k=a\,\ b\=c",{expected}"#), "{values}");
    }
}

#[test]
fn a_line_that_is_no_answer_is_refused() {
    for line in [
        "",
        "{",
        "[]",
        "{\"results\":[{\"statement_id\":0}]} x",
        "{\"results\":[{\"statement_id\":0,\"odd\":1}]}",
        "{\"results\":[{\"series\":[{\"values\":[1]}]}]}",
        "{\"results\":[{\"series\":[{\"values\":[[1,}]}]}]}",
        "json: error calling MarshalJSON for type httpd.Response",
    ] {
        assert!(read(line).is_err(), "{line}");
    }
    let said = read("{\"error\":\"a \\u003c b\"}\n").unwrap();
    assert_eq!(said.error.as_deref(), Some("a < b"));
}

#[test]
fn rows_come_out_as_they_went_in() {
    let mut rows = Rows::default();
    for row in ["[1,\"a]\"]", "[]", "[[1,2],{\"a\":\"}\"}]"] {
        rows.push(row);
    }
    assert_eq!(rows.iter().collect::<Vec<_>>(), ["[1,\"a]\"]", "[]", "[[1,2],{\"a\":\"}\"}]"]);
    assert_eq!(rows.text(), "[1,\"a]\"],[],[[1,2],{\"a\":\"}\"}]");
    assert_eq!(cells(rows.row(2).unwrap()).collect::<Vec<_>>(), ["[1,2]", "{\"a\":\"}\"}"]);
}

proptest! {
    #[test]
    fn a_string_is_quoted_as_json_and_read_back(text in ".{0,20}") {
        let quoted = quote(&text);
        prop_assert_eq!(string(&quoted), Some(text.clone().into()));
        prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\",:0-9a-z\\\\ü ]{0,60}") {
        drop(read(&text));
        cells(&text).take(100).count();
    }
}
