//! Recorded answers of InfluxDB 1.6.7 and 2.7.12, against ours, but for the differences that
//! docs/http-api.md lists with their reasons.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::world::{Received, World};

const V1: &str = "influxdb_1_6_http.jsonl";
const V2: &str = "influxdb_2_7_http.jsonl";
const DOC: &str = include_str!("../../../docs/http-api.md");

/// Fields that clients read.
const FIELDS: [&str; 13] = [
    "Content-Type",
    "X-Influxdb-Error",
    "X-Platform-Error-Code",
    "WWW-Authenticate",
    "Allow",
    "Location",
    "Retry-After",
    "Connection",
    "X-Content-Type-Options",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Expose-Headers",
];

/// Rows whose answer a store gives: the tests with real servers ask for them.
const OF_A_STORE: [&str; 16] = [
    "write_rp_unknown",
    "write_conflict",
    "write_conflict_mixed",
    "write_conflict_and_bad",
    "write_beyond_rp",
    "throttle_queue_full",
    "body_conflict_inside",
    "body_conflict_int_float",
    "body_conflict_string",
    "body_conflict_bool",
    "body_dup_field_types",
    "body_long_string_1m",
    "body_all_old_1h",
    "body_conflict",
    "body_old_1h",
    "body_mixed_old_1h",
];

/// Rows of `/query` that nobody has to be asked for.
const OF_NO_STORE: [&str; 5] =
    ["query_no_q", "select_empty_q", "bad_percent", "semicolon_param", "query_options"];

struct Row {
    file: &'static str,
    name: String,
    request: Vec<u8>,
    response: Value,
}

fn rows(file: &'static str, text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let name = value["name"].as_str().unwrap().to_owned();
        let Some(request) = request_of(&name, &value["request"], &value["response"]) else {
            continue;
        };
        if OF_A_STORE.contains(&name.as_str()) {
            continue;
        }
        rows.push(Row { file, name, request, response: value["response"].clone() });
    }
    rows
}

/// The bytes that were sent, if this row is one of ours.
fn request_of(name: &str, request: &Value, response: &Value) -> Option<Vec<u8>> {
    let body = body_of(request);
    let head = match request["head"].as_str() {
        Some(head) => head.to_owned(),
        None => head_of_parts(name, request, response, body.len()),
    };
    let target = head.split_whitespace().nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let served = [
        "/write",
        "/api/v2/write",
        "/api/v2/write/",
        "/api/v2/delete",
        "/ping",
        "/status",
        "/health",
        "/ready",
    ];
    let is_ours = served.contains(&path)
        || ["/", "/nosuch", "/api/v2/nosuch", ""].contains(&path)
        || name == "bad_request_line"
        || OF_NO_STORE.contains(&name);
    is_ours.then(|| [head.as_bytes(), b"\r\n\r\n", &body].concat())
}

fn body_of(request: &Value) -> Vec<u8> {
    if let Some(text) = request["body_b64"].as_str() {
        return STANDARD.decode(text).unwrap();
    }
    if let Some(runs) = request["body_rle"].as_array() {
        let run = |run: &Value| {
            let count = usize::try_from(run[1].as_u64().unwrap()).unwrap();
            run[0].as_str().unwrap().repeat(count)
        };
        return runs.iter().map(run).collect::<String>().into_bytes();
    }
    request["body"].as_str().unwrap_or_default().as_bytes().to_vec()
}

/// Rows of the first file hold their parts; three of them were sent raw and are told by their note.
fn head_of_parts(name: &str, request: &Value, response: &Value, length: usize) -> String {
    match name {
        "bad_request_line" => return "GET /".to_owned(),
        "both_cl_te" => {
            let head = "POST /write?db=p1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n";
            return format!("{head}Transfer-Encoding: chunked\r\n\r\n7\r\na v=1 1\r\n0");
        }
        "dup_cl" => {
            let head = "POST /write?db=p1 HTTP/1.1\r\nHost: h\r\n";
            return format!("{head}Content-Length: 7\r\nContent-Length: 8");
        }
        _ => {}
    }
    let version = response["status_line"].as_str().unwrap().split(' ').next().unwrap();
    let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
    let mut head = format!("{method} {path} {version}\r\nHost: h");
    let fields = request["headers"].as_object().unwrap();
    for (name, value) in fields {
        head.push_str(&format!("\r\n{name}: {}", value.as_str().unwrap()));
    }
    if method == "POST" && !fields.contains_key("Transfer-Encoding") {
        // The row keeps a start of its large body; the length that was announced is what is refused.
        let length = if name == "write_too_large" { 25_000_001 } else { length };
        head.push_str(&format!("\r\nContent-Length: {length}"));
    }
    head
}

/// One line of the table: file, row, field, recorded, ours.
type Difference = (String, String, String, String, String);

fn compare(row: &Row, world: &mut World) -> Vec<Difference> {
    // Bodies that are shorter than promised were ended by the client; nobody else hung up.
    let hangs_up = row.name == "cl_truncated";
    let seen = world.talk(&row.request, 1000, hangs_up);
    assert_eq!(seen.answers.len(), 1, "{}: {seen:?}", row.name);
    let ours = &seen.answers[0];
    let mut found = Vec::new();
    let mut check = |field: &str, recorded: String, ours: String| {
        if recorded != ours {
            let (file, name) = (row.file.to_owned(), row.name.clone());
            found.push((file, name, field.to_owned(), recorded, ours));
        }
    };
    let status = row.response["status_line"].as_str().unwrap().split(' ').nth(1).unwrap();
    check("status", status.to_owned(), ours.status.to_string());
    let body = row.response["body"].as_str().unwrap_or_default();
    if is_of_the_moment(row) {
        assert_eq!(keys(body), keys(&ours.body));
    } else {
        check("body", shown(body), shown(&ours.body));
    }
    if let Some(closed) = row.response["closed"].as_bool() {
        check("closed", closed.to_string(), seen.closed.to_string());
    }
    for field in FIELDS {
        check(field, recorded_field(row, field), our_field(ours, field));
    }
    if row.name.contains("requestid") {
        let id = ours.field("X-Request-Id");
        assert_eq!((id, ours.field("Request-Id")), (Some("my-id-1"), Some("my-id-1")));
    }
    found
}

/// The body tells when the server started and for how long it has run.
fn is_of_the_moment(row: &Row) -> bool {
    row.name == "ready_get" && row.response["body"].as_str().unwrap_or_default().starts_with('{')
}

fn keys(body: &str) -> Vec<String> {
    serde_json::from_str::<serde_json::Map<String, Value>>(body).unwrap().keys().cloned().collect()
}

fn recorded_field(row: &Row, name: &str) -> String {
    let fields = row.response["headers"].as_array().unwrap();
    let found = fields.iter().find(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(name));
    found.map_or_else(String::new, |pair| shown(pair[1].as_str().unwrap()))
}

fn our_field(answer: &Received, name: &str) -> String {
    answer.field(name).map_or_else(String::new, shown)
}

fn shown(text: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let text = text.escape_debug().to_string().replace(version, "VERSION");
    text.replace("\\\"", "\"").replace("\\'", "'")
}

/// The table of kept differences: `| file | row | field | recorded | ours | why |`.
fn listed() -> BTreeSet<Difference> {
    let mut listed = BTreeSet::new();
    for line in DOC.lines().filter(|line| line.starts_with("| influxdb_")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [file, name, field, recorded, ours, why] = cells[..] else {
            panic!("not six cells: {line}")
        };
        assert!(!why.is_empty(), "a difference without a reason: {line}");
        let code = |cell: &str| cell.trim_matches('`').to_owned();
        listed.insert((file.into(), name.into(), field.into(), code(recorded), code(ours)));
    }
    listed
}

#[test]
fn recorded_answers_are_ours_but_for_the_listed_differences() {
    let v1 = include_str!("../../../tests/vectors/influxdb_1_6_http.jsonl");
    let v2 = include_str!("../../../tests/vectors/influxdb_2_7_http.jsonl");
    let (rows_v1, rows_v2) = (rows(V1, v1), rows(V2, v2));
    assert_eq!((rows_v1.len(), rows_v2.len()), (46, 109));
    let mut found = BTreeSet::new();
    for (tokens, databases, rows) in [
        (&[][..], &["p1", "p2", "p3", "d"][..], rows_v1),
        (&["123456-circlet-test-token"][..], &["klec-bucket", "short"][..], rows_v2),
    ] {
        for row in &rows {
            found.extend(compare(row, &mut World::new(tokens, databases)));
        }
    }
    let listed = listed();
    let show = |(file, name, field, recorded, ours): &Difference| {
        format!("| {file} | {name} | {field} | `{recorded}` | `{ours}` | ? |\n")
    };
    let new: String = found.difference(&listed).map(show).collect();
    let gone: String = listed.difference(&found).map(show).collect();
    assert!(new.is_empty() && gone.is_empty(), "not listed:\n{new}\nlisted, but no more:\n{gone}");
}
