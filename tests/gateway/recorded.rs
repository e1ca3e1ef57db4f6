//! Ping, write and framing answer as real servers were recorded to answer, row after row on one
//! gateway before real servers. Every difference that we keep stands in `docs/http-api.md` with its
//! reason; a line there that does not describe a real difference fails, too.

use crate::support::prelude::*;
use crate::support::vectors::{bytes, root, rows, text};
use std::collections::BTreeSet;

const V1: &str = "influxdb_1_6_http.jsonl";
const V2: &str = "influxdb_2_7_http.jsonl";

/// Paths of the rows.
const PATHS: [&str; 9] = [
    "/write",
    "/api/v2/write",
    "/api/v2/write/",
    "/api/v2/delete",
    "/ping",
    "/status",
    "/",
    "/nosuch",
    "/api/v2/nosuch",
];

/// Rows of those paths that are left out, each with its reason.
const LEFT_OUT: [(&str, &str); 1] =
    [("throttle_queue_full", "a limit of influxd's own configuration, reached on purpose")];

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
type Difference = (String, String, String, String, String);

fn target(row: &Value) -> String {
    let request = &row["request"];
    let head = text(request, "head");
    let target = head.split(' ').nth(1).unwrap_or_else(|| text(request, "path"));
    target.split('?').next().unwrap_or_default().to_owned()
}

fn belongs(row: &Value) -> bool {
    let name = text(row, "name");
    let served = PATHS.contains(&target(row).as_str()) || name == "bad_request_line";
    served && !LEFT_OUT.iter().any(|(left_out, _)| *left_out == name)
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
fn shown(text: &str) -> String {
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

fn replay(world: &World, file: &str) -> (usize, BTreeSet<Difference>) {
    let mut found = BTreeSet::new();
    let rows: Vec<Value> = rows(file).into_iter().filter(belongs).collect();
    for row in &rows {
        let name = text(row, "name");
        let mut connection = world.connect();
        connection.send(&sent(row)).unwrap();
        if name == "cl_truncated" {
            connection.end_sending();
        }
        let is_head = name.contains("_head");
        let answer = connection.answer(is_head).unwrap_or_else(|error| panic!("{name}: {error}"));
        let promised = answer.header("Connection") == Some("close") || answer.version == "HTTP/1.0";
        let limit = Duration::from_millis(if promised { 5_000 } else { 50 });
        compare(file, row, &answer, connection.closes_within(limit), &mut found);
    }
    (rows.len(), found)
}

/// The two tables of the page: `| file | row | field | recorded | ours | why |`, and, for what the
/// backends decide, `| row | file | field | recorded | ours | why |`.
fn listed(file: &str) -> BTreeSet<Difference> {
    let path = root().join("docs/http-api.md");
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let names: BTreeSet<String> = rows(file)
        .iter()
        .filter(|row| belongs(row))
        .map(|row| text(row, "name").to_owned())
        .collect();
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

fn check(file: &str, found: &BTreeSet<Difference>) {
    let listed = listed(file);
    let show = |(file, name, field, recorded, ours): &Difference| {
        format!("| {file} | {name} | {field} | `{recorded}` | `{ours}` | ? |\n")
    };
    let new: String = found.difference(&listed).map(show).collect();
    let gone: String = listed.difference(found).map(show).collect();
    assert!(new.is_empty() && gone.is_empty(), "not listed:\n{new}\nlisted, but no more:\n{gone}");
}

#[test]
fn a_gateway_before_1_6_answers_as_1_6_was_recorded() {
    let world = Setup::new().database("p1").database("p2").start();
    for server in world.servers() {
        server.query("", "CREATE DATABASE p3 WITH DURATION 1d NAME one_day");
    }
    until("the catalogue knows p3", seconds(30), || {
        (world.write("p3", "").status == 204).then_some(())
    });
    let (count, found) = replay(&world, V1);
    assert_eq!(count, 44);
    check(V1, &found);
}

#[test]
fn a_gateway_before_1_6_answers_as_2_7_was_recorded() {
    let world = Setup::new()
        .database("klec-bucket")
        .database("short")
        .tokens(&["123456-circlet-test-token"])
        .tables("[defaults]\norg = \"klec-org\"")
        .start();
    for server in world.servers() {
        let statement = "ALTER RETENTION POLICY autogen ON short DURATION 1h SHARD DURATION 1h";
        server.query("", statement);
    }
    let (count, found) = replay(&world, V2);
    assert_eq!(count, 112);
    check(V2, &found);
}

#[test]
fn every_row_left_out_exists() {
    for (name, why) in LEFT_OUT {
        assert!(rows(V1).iter().any(|row| text(row, "name") == name), "{name}: {why}");
    }
}
