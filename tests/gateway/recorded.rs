//! Ping, write and framing answer as real servers were recorded to answer. Every difference that we
//! keep stands in the table of `docs/http-api.md` with its reason; a line of that table that does not
//! describe a real difference fails, too.

use crate::support::prelude::*;
use crate::support::vectors::{bytes, root, rows, text};
use std::collections::BTreeMap;

const V1: &str = "influxdb_1_6_http.jsonl";
const V2: &str = "influxdb_2_7_http.jsonl";

/// Rows of those kinds that need what a gateway before 1.6.7 servers does not have.
const LEFT_OUT: [(&str, &str, &str); 3] = [
    (V1, "auth_write_ok", "users of InfluxDB 1.x; Circlet knows tokens"),
    (V1, "throttle_queue_full", "a limit of influxd's configuration, reached on purpose"),
    (V2, "write_bucket_id", "the id of a bucket is another one on every server"),
];

/// Headers that clients read; of the others of `PRESENCE` only that they are there.
const HEADERS: [&str; 11] = [
    "Content-Type",
    "X-Influxdb-Error",
    "X-Platform-Error-Code",
    "WWW-Authenticate",
    "Allow",
    "Location",
    "Connection",
    "X-Influxdb-Build",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
];
const PRESENCE: [&str; 4] = ["X-Influxdb-Version", "Date", "Request-Id", "X-Request-Id"];

/// (vector file, row, field) to what we answer.
type Differences = BTreeMap<(String, String, String), (String, String)>;

fn belongs(file: &str, name: &str) -> bool {
    let v1 = ["ping_", "write_", "both_cl_te", "dup_cl", "bad_request_line"];
    let v2 = [
        "ping_",
        "write_",
        "body_",
        "gzip_",
        "deflate",
        "encoding_",
        "chunked",
        "cl_truncated",
        "two_cl",
        "http10",
        "expect_",
        "conn_close",
        "bad_request_line",
        "request_id_echo",
        "v1_write_",
    ];
    let starts: &[&str] = if file == V1 { &v1 } else { &v2 };
    let left_out = LEFT_OUT.iter().any(|(of, row, _)| *of == file && *row == name);
    starts.iter().any(|start| name.starts_with(start)) && !left_out
}

/// The bytes of a request; rows of the first file that hold no head get the one their note describes.
fn sent(file: &str, row: &Value) -> Vec<u8> {
    let request = &row["request"];
    let body = bytes(request, "body");
    if file == V2 {
        let mut sent = text(request, "head").as_bytes().to_vec();
        sent.extend_from_slice(b"\r\n\r\n");
        sent.extend_from_slice(&body);
        return sent;
    }
    let post = "POST /write?db=p1 HTTP/1.1\r\nHost: x\r\n";
    match text(row, "name") {
        "write_http10" => {
            return b"POST /write?db=p1 HTTP/1.0\r\nContent-Length: 7\r\n\r\na v=1 1".to_vec();
        }
        "bad_request_line" => return b"FOO\r\n\r\n".to_vec(),
        "both_cl_te" => {
            let tail = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
            return format!("{post}{tail}7\r\na v=1 1\r\n0\r\n\r\n").into_bytes();
        }
        "dup_cl" => {
            return format!("{post}Content-Length: 7\r\nContent-Length: 8\r\n\r\na v=1 1")
                .into_bytes();
        }
        "write_too_large" => {
            return format!("{post}Content-Length: 25000011\r\n\r\nbig v=\"xxxx").into_bytes();
        }
        _ => {}
    }
    let (method, path) = (text(request, "method"), text(request, "path"));
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n");
    let headers = request["headers"].as_object().expect("headers");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {}\r\n", value.as_str().expect("text")));
    }
    if !headers.contains_key("Transfer-Encoding") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    let mut sent = format!("{head}\r\n").into_bytes();
    sent.extend_from_slice(&body);
    sent
}

/// As it stands in the table: line ends and tabs visible, on one line.
fn visible(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t")
}

fn recorded_header<'a>(response: &'a Value, name: &str) -> Option<&'a str> {
    let headers = response["headers"].as_array().expect("headers");
    let found = headers
        .iter()
        .find(|pair| pair[0].as_str().is_some_and(|key| key.eq_ignore_ascii_case(name)));
    found.and_then(|pair| pair[1].as_str())
}

/// Adds every field in which our answer differs from the recorded one.
fn compare(file: &str, row: &Value, answer: &Answer, closed: bool, found: &mut Differences) {
    let response = &row["response"];
    let name = text(row, "name");
    let mut note = |field: &str, recorded: &str, ours: &str| {
        if recorded != ours {
            let key = (file.to_owned(), name.to_owned(), field.to_owned());
            found.insert(key, (visible(recorded), visible(ours)));
        }
    };
    let status = text(response, "status_line").split(' ').nth(1).unwrap_or_default().to_owned();
    note("status", &status, &answer.status.to_string());
    note("body", text(response, "body"), &answer.text());
    for header in HEADERS {
        let (recorded, ours) = (recorded_header(response, header), answer.header(header));
        note(header, recorded.unwrap_or("absent"), ours.unwrap_or("absent"));
    }
    let named = |header: &str| {
        text(&row["request"], "head").contains(header)
            || row["request"]["headers"].get(header).is_some()
    };
    for header in PRESENCE {
        let (recorded, ours) = (recorded_header(response, header), answer.header(header));
        if named("X-Request-Id") && header.ends_with("Request-Id") {
            note(header, recorded.unwrap_or("absent"), ours.unwrap_or("absent"));
        } else {
            let word = |there: bool| if there { "present" } else { "absent" };
            note(header, word(recorded.is_some()), word(ours.is_some()));
        }
    }
    if let Some(recorded) = response["closed"].as_bool() {
        let word = |closed: bool| if closed { "closed" } else { "open" };
        note("connection", word(recorded), word(closed));
    }
}

fn replay(world: &World, file: &str, found: &mut Differences) -> usize {
    let mut count = 0;
    for row in rows(file).iter().filter(|row| belongs(file, text(row, "name"))) {
        let mut connection = world.connect();
        connection.send(&sent(file, row)).unwrap();
        if text(row, "name") == "cl_truncated" {
            connection.end_sending();
        }
        let head_only = text(row, "name").contains("_head");
        let answer = connection.answer(head_only);
        let answer = answer.unwrap_or_else(|error| panic!("{file} {}: {error}", text(row, "name")));
        let says_close = answer.header("Connection").is_some_and(|value| value == "close");
        let limit = Duration::from_millis(if says_close { 5_000 } else { 50 });
        compare(file, row, &answer, connection.closes_within(limit), found);
        count += 1;
    }
    count
}

/// One line of the table: in these rows (names, or the start of names before a `*`) this field is ours.
struct Kept {
    file: String,
    rows: Vec<String>,
    field: String,
    ours: String,
}

impl Kept {
    fn covers(&self, row: &str, field: &str, ours: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => row.starts_with(start),
            None => pattern == row,
        };
        self.field == field && self.ours == ours && self.rows.iter().any(fits)
    }
}

/// The lines of the table whose first cell names a vector file:
/// `| vector file | rows | field | recorded | ours | why |`.
fn documented() -> Vec<Kept> {
    let path = root().join("docs/http-api.md");
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut found = Vec::new();
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let hidden = line.trim().replace("\\|", "\u{1}");
        let cell = |cell: &str| cell.replace('\u{1}', "|").trim().trim_matches('`').to_owned();
        let cells: Vec<String> = hidden.trim_matches('|').split('|').map(cell).collect();
        if cells.len() < 6 || (cells[0] != V1 && cells[0] != V2) {
            continue;
        }
        assert!(cells[5].len() > 10, "no reason: {line}");
        let names = cells[1].split(',').map(|name| name.trim().trim_matches('`').to_owned());
        found.push(Kept {
            file: cells[0].clone(),
            rows: names.collect(),
            field: cells[2].clone(),
            ours: cells[4].clone(),
        });
    }
    found
}

fn check(file: &str, found: &Differences) {
    let documented = documented();
    let mut complaints = Vec::new();
    for ((_, row, field), (recorded, ours)) in found {
        let covers = |kept: &Kept| kept.file == file && kept.covers(row, field, ours);
        if !documented.iter().any(covers) {
            complaints
                .push(format!("| {file} | {row} | {field} | `{recorded}` | `{ours}` | why? |"));
        }
    }
    for kept in documented.iter().filter(|kept| kept.file == file) {
        let uses =
            |((_, row, field), (_, ours)): (&(String, String, String), &(String, String))| {
                kept.covers(row, field, ours)
            };
        if !found.iter().any(uses) {
            let (rows, field, ours) = (&kept.rows, &kept.field, &kept.ours);
            complaints.push(format!("documented, but no difference: {rows:?} {field} `{ours}`"));
        }
    }
    assert!(complaints.is_empty(), "{} differences:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn a_1_6_server_was_recorded_to_answer_like_this() {
    let world = Setup::new().database("p1").database("p2").start();
    for server in world.servers() {
        server.query("", "CREATE DATABASE p3 WITH DURATION 1d NAME one_day");
    }
    until("the catalogue knows p3", seconds(30), || {
        (world.write("p3", "").status == 204).then_some(())
    });
    let mut found = Differences::new();
    assert_eq!(replay(&world, V1, &mut found), 41);
    check(V1, &found);
}

#[test]
fn a_2_7_server_was_recorded_to_answer_like_this() {
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
    let mut found = Differences::new();
    assert_eq!(replay(&world, V2, &mut found), 97);
    check(V2, &found);
}

#[test]
fn every_row_left_out_exists() {
    for (file, name, why) in LEFT_OUT {
        assert!(rows(file).iter().any(|row| text(row, "name") == name), "{name}: {why}");
    }
}
