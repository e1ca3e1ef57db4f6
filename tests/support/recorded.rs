//! Recorded requests sent again, and the answers compared with the recorded ones, field by field.

use super::http::{Answer, Connection};
use super::vectors::{bytes, root, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Fields of the head that clients read.
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

/// File, row, field, recorded, ours.
pub type Difference = (String, String, String, String, String);

/// The path of a row.
pub fn target(row: &Value) -> String {
    let request = &row["request"];
    let head = text(request, "head");
    let target = head.split(' ').nth(1).unwrap_or_else(|| text(request, "path"));
    target.split('?').next().unwrap_or_default().to_owned()
}

/// The bytes of a request.
fn sent(row: &Value) -> Vec<u8> {
    let request = &row["request"];
    let body = bytes(request, "body");
    let head = match request["head"].as_str() {
        Some(head) => head.to_owned(),
        None => head_of_parts(row, body.len()),
    };
    [head.as_bytes(), b"\r\n\r\n", &body].concat()
}

/// Rows of the first file hold the parts of a request; some were sent raw, as their notes tell.
fn head_of_parts(row: &Value, length: usize) -> String {
    let post = "POST /write?db=p1 HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n";
    match text(row, "name") {
        "bad_request_line" => return "GET /".to_owned(),
        "both_cl_te" => {
            return format!("{post}Transfer-Encoding: chunked\r\n\r\n7\r\na v=1 1\r\n0");
        }
        "dup_cl" => return format!("{post}Content-Length: 8"),
        _ => {}
    }
    let (request, status_line) = (&row["request"], text(&row["response"], "status_line"));
    let version = status_line.split(' ').next().expect("a version");
    let mut head =
        format!("{} {} {version}\r\nHost: h", text(request, "method"), text(request, "path"));
    let headers = request["headers"].as_object().expect("headers");
    for (name, value) in headers {
        head.push_str(&format!("\r\n{name}: {}", value.as_str().expect("text")));
    }
    if !headers.contains_key("Transfer-Encoding") {
        // The row keeps the start of its large body; the announced length is what is refused.
        let length = if text(row, "name") == "write_too_large" { 25_000_001 } else { length };
        head.push_str(&format!("\r\nContent-Length: {length}"));
    }
    head
}

/// As it stands in the table.
pub fn shown(text: &str) -> String {
    let text = text.escape_debug().to_string().replace(env!("CARGO_PKG_VERSION"), "VERSION");
    text.replace("\\\"", "\"").replace("\\'", "'")
}

fn recorded_field<'a>(row: &'a Value, name: &str) -> &'a str {
    let headers = row["response"]["headers"].as_array().expect("headers");
    let is_it = |pair: &&Value| pair[0].as_str().is_some_and(|key| key.eq_ignore_ascii_case(name));
    headers.iter().find(is_it).and_then(|pair| pair[1].as_str()).unwrap_or_default()
}

/// Adds every field in which our answer differs from the recorded one.
fn compare(
    file: &str,
    row: &Value,
    answer: &Answer,
    closed: bool,
    found: &mut BTreeSet<Difference>,
) {
    let (name, response) = (text(row, "name"), &row["response"]);
    let mut check = |field: &str, recorded: &str, ours: &str| {
        if recorded != ours {
            let own = |text: &str| text.to_owned();
            found.insert((own(file), own(name), own(field), shown(recorded), shown(ours)));
        }
    };
    let status = text(response, "status_line").split(' ').nth(1).expect("a status");
    check("status", status, &answer.status.to_string());
    check("body", text(response, "body"), &answer.text());
    if let Some(recorded) = response["closed"].as_bool() {
        check("closed", &recorded.to_string(), &closed.to_string());
    }
    for field in FIELDS {
        check(field, recorded_field(row, field), answer.header(field).unwrap_or_default());
    }
    if name.contains("requestid") {
        assert_eq!(answer.header("X-Request-Id"), Some("my-id-1"));
        assert_eq!(answer.header("Request-Id"), Some("my-id-1"));
    }
    assert!(answer.header("Date").is_some() || answer.status == 400, "{name} has no Date");
}

/// Sends the rows one after the other, each over a connection of its own: every field in which an answer differs.
pub fn replay(
    connect: impl Fn() -> Connection,
    file: &str,
    rows: &[Value],
) -> BTreeSet<Difference> {
    let mut found = BTreeSet::new();
    for row in rows {
        let name = text(row, "name");
        let mut connection = connect();
        connection.send(&sent(row)).unwrap();
        if name == "cl_truncated" {
            connection.end_sending();
        }
        let is_head = name.ends_with("_head");
        let answer = connection.answer(is_head).unwrap_or_else(|error| panic!("{name}: {error}"));
        let promised = answer.header("Connection") == Some("close") || answer.version == "HTTP/1.0";
        let limit = Duration::from_millis(if promised { 5_000 } else { 50 });
        compare(file, row, &answer, connection.closes_within(limit), &mut found);
    }
    found
}

/// The differences of these rows that a page lists with a reason: `| file | row | field | recorded | ours | why |`,
/// or with the row first.
pub fn listed(page: &str, file: &str, names: &BTreeSet<String>) -> BTreeSet<Difference> {
    let path = root().join(page);
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut listed = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [first, second, field, recorded, ours, why] = cells[..] else { continue };
        let name = match (first == file, second == file) {
            (true, _) => second,
            (_, true) => first,
            _ => continue,
        };
        assert!(why.len() > 10, "a difference without a reason: {line}");
        let code = |cell: &str| cell.trim_matches('`').to_owned();
        if names.contains(name) {
            listed.insert((file.into(), name.into(), field.into(), code(recorded), code(ours)));
        }
    }
    listed
}

/// The names of rows.
pub fn names(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(|row| text(row, "name").to_owned()).collect()
}
