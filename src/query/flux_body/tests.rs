//! Bodies as real clients send them, and the faults that a real server names.

use proptest::prelude::*;

use super::{Dialect, decode};

const JSON: Option<&str> = Some("application/json");

#[test]
fn a_raw_script_is_the_query() {
    for kind in ["application/vnd.flux", "Application/Vnd.Flux; charset=utf-8"] {
        let request = decode(Some(kind), b"buckets()").unwrap();
        assert_eq!((request.query.as_str(), request.now), ("buckets()", None));
        assert_eq!(request.dialect, Dialect::default());
        assert!(decode(Some(kind), b"").is_err());
        assert!(decode(Some(kind), b"from(bucket: \"\xff\")").is_err());
    }
}

#[test]
fn json_is_read_whatever_else_the_type_says() {
    let body = br##"{"extern": {"imports": [], "body": []}, "query": "buckets()", "type": "flux",
        "dialect": {"header": false, "delimiter": ";", "annotations": ["group", "datatype"],
        "commentPrefix": "#", "dateTimeFormat": "RFC3339", "quoteChar": "\""},
        "now": "2026-01-01T00:00:00Z", "params": {}, "more": 1}"##;
    for kind in [JSON, Some("application/json; encoding=utf-8"), Some("text/plain"), None] {
        let request = decode(kind, body).unwrap();
        assert_eq!(request.query, "buckets()");
        assert_eq!(request.now.as_deref(), Some("2026-01-01T00:00:00Z"));
        let annotations = vec!["group".to_owned(), "datatype".to_owned()];
        assert_eq!(request.dialect, Dialect { header: false, delimiter: ';', annotations });
        assert!(!request.opaque_extern);
    }
}

#[test]
fn faults_are_named_as_influxdb_names_them() {
    let prefix = "failed to decode request body: ";
    let not_json = "failed parsing request body as JSON; if sending a raw Flux script, \
        set 'Content-Type: application/vnd.flux' in your request headers: ";
    let cases: [(&[u8], String); 11] = [
        (b"", format!("{not_json}EOF")),
        (b" \n", format!("{not_json}EOF")),
        (b"{", format!("{not_json}unexpected EOF")),
        (
            b"from(bucket: \"b\")",
            format!("{not_json}invalid character 'r' in literal false (expecting 'a')"),
        ),
        (
            b"\x1f\x8b\x08",
            format!("{not_json}invalid character '\\x1f' looking for beginning of value"),
        ),
        (br#"{"query": ""}"#, "request body requires either query or AST".to_owned()),
        (br#"{}"#, "request body requires either query or AST".to_owned()),
        (br#"{"query": "x", "type": "foo"}"#, "unknown query type: foo".to_owned()),
        (
            br#"{"query": "x", "dialect": {"annotations": ["x"]}}"#,
            "unknown dialect annotation type: x".to_owned(),
        ),
        (
            br#"{"query": "x", "dialect": {"delimiter": "ab"}}"#,
            "invalid dialect delimeter: must be length 1".to_owned(),
        ),
        (br#"{"ast": {}}"#, "a query given as a syntax tree is not supported".to_owned()),
    ];
    for (body, message) in cases {
        let error = decode(JSON, body).unwrap_err();
        assert_eq!(error.to_string(), format!("{prefix}{message}"));
    }
}

#[test]
fn the_record_v_of_the_user_interface_is_read() {
    let body = br#"{"query": "x", "extern": {"type": "File", "imports": [], "body": [
        {"type": "OptionStatement", "assignment": {"type": "VariableAssignment",
         "id": {"type": "Identifier", "name": "v"}, "init": {"type": "ObjectExpression",
         "properties": [
          {"type": "Property", "key": {"type": "Identifier", "name": "bucket"},
           "value": {"type": "StringLiteral", "value": "b"}},
          {"type": "Property", "key": {"type": "Identifier", "name": "windowPeriod"},
           "value": {"type": "DurationLiteral", "values": []}}]}}}]}}"#;
    let request = decode(JSON, body).unwrap();
    assert_eq!(request.variables, [("bucket".to_owned(), "b".to_owned())]);
    assert!(!request.opaque_extern);
    let other = br#"{"query": "x", "extern": {"body": [{"type": "VariableAssignment"}]}}"#;
    assert!(decode(JSON, other).unwrap().opaque_extern);
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(request) = decode(JSON, &body) {
            prop_assert!(!request.query.is_empty());
        }
    }
}
