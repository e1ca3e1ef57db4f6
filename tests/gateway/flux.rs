//! Flux over the backends of one circle: what is merged is what one server with all data has answered.

use crate::support::actor::{Actor, answer, chunk};
use crate::support::annotated::{Table, read, sorted, write};
use crate::support::circlet::Circlet;
use crate::support::ports;
use crate::support::prelude::*;
use crate::support::python::{run, run_javascript};
use crate::support::vectors::{path, rows, text};
use crate::support::world::{backend, directory};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;

const MEASUREMENTS: [&str; 6] = ["cpu", "mem", "disk", "net", "single", "weather station"];

const BUCKETS: &str = r#"{"buckets":[{"id":"aef21d4cd6d516b7","orgID":"d2b231d467570e13","type":"user","name":"flux","retentionRules":[]}]}"#;

/// What the backends know of each other: the owner of each measurement in each circle.
type Owners = Arc<OnceLock<BTreeMap<String, Vec<String>>>>;

/// Circlet before circles of three backends; each answers the part of a recorded answer that it owns.
struct Stage {
    circlet: Circlet,
    actors: Vec<Actor>,
    _directory: TempDir,
}

fn stage(circles: usize) -> Stage {
    let owners: Owners = Arc::default();
    let mut actors = vec![];
    let directory = directory();
    let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
    let mut config = format!("listen = \"{address}\"\ndata_dir = \"data\"\nshards = 1\n");
    config.push_str("[defaults]\norg = \"klec-org\"\n[auth]\ntokens = [\"123456\"]\n");
    for circle in 0..circles {
        config.push_str(&format!("[[circle]]\nname = \"circle-{circle}\"\n"));
        for at in 0..3 {
            let (name, owners) = (format!("b{circle}{at}"), Arc::clone(&owners));
            let own = name.clone();
            let actor = Actor::start(move |request, client| play(&own, &owners, request, client));
            config.push_str(&backend(&name, &actor.url(), "influxdb2"));
            config.push_str("token = \"any\"\n");
            actors.push(actor);
        }
    }
    let file = directory.path().join("circlet.toml");
    std::fs::write(&file, config).expect("config is written");
    let circlet = Circlet::start(&file, address);
    owners.set(routes(&circlet)).expect("set once");
    let ready = || {
        let question = serde_json::json!({"query": "buckets()"}).to_string();
        (ask(&circlet, &question).status == 404).then_some(())
    };
    until("the backends are up", seconds(10), ready);
    Stage { circlet, actors, _directory: directory }
}

fn routes(circlet: &Circlet) -> BTreeMap<String, Vec<String>> {
    let config = circlet.config.to_str().unwrap();
    let mut arguments = vec!["route", "-c", config, "--json", "--bucket", "flux"];
    arguments.extend(MEASUREMENTS);
    let output = circlet.command(&arguments);
    let lines = String::from_utf8(output.stdout).unwrap();
    let owners = |line: &str| {
        let parts = line.split('"').filter(|part| part.len() == 3 && part.starts_with('b'));
        parts.map(str::to_owned).collect()
    };
    let names = MEASUREMENTS.iter().map(|name| (*name).to_owned());
    let found: BTreeMap<String, Vec<String>> = names.zip(lines.lines().map(owners)).collect();
    assert_eq!(found.len(), MEASUREMENTS.len(), "{lines}");
    assert_ne!(found["cpu"], found["mem"], "{lines}");
    found
}

/// A backend's answer to a request: its own part of what was recorded.
fn play(own: &str, owners: &Owners, request: &str, client: &mut TcpStream) -> Result<()> {
    if request.starts_with("GET /api/v2/buckets") {
        return answer(client, BUCKETS);
    }
    if request.contains("// endless rows") {
        return flood(own, client);
    }
    let (head, body) = request.split_once("\r\n\r\n").unwrap_or_default();
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let script = body["query"].as_str().unwrap_or_default();
    let asks = |row: &Value| {
        let annotations = row["dialect"]["annotations"].as_array().map_or(0, Vec::len);
        annotations == 3 && script.contains(text(row, "query"))
    };
    // A script may be a part of another one.
    let found = rows("flux_2_7.jsonl").into_iter().filter(asks);
    let Some(row) = found.max_by_key(|row| text(row, "query").len()) else {
        return refuse(client, 404, "this question was not recorded");
    };
    if row["status"] != 200 || text(&row, "class") == "refuse" {
        return refuse(client, 400, "a question that nobody should see");
    }
    let is_fine = head.contains("Accept-Encoding: identity")
        && body["now"].as_str().is_some_and(|now| now.ends_with('Z'))
        && body["dialect"]["annotations"] == serde_json::json!(["datatype", "group", "default"]);
    let delimiter = body["dialect"]["delimiter"].as_str().unwrap_or(",").chars().next();
    let owners = owners.get().ok_or(ErrorKind::NotFound)?;
    let whole = read(text(&row, "csv"), recorded_delimiter(&row));
    let owned = part(own, owners, whole.clone(), text(&row, "class"));
    // Who has everything may be asked as the client asked.
    if !is_fine && owned != whole {
        return refuse(client, 400, &format!("a question that cannot be merged: {request}"));
    }
    let bytes = write(&owned, delimiter.unwrap_or(',')).into_bytes();
    client.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv; charset=utf-8\r\n")?;
    client.write_all(b"Transfer-Encoding: chunked\r\n\r\n")?;
    if script.contains("// never begins") && own.starts_with("b0") {
        return Err(Error::from(ErrorKind::Other));
    }
    let breaks = script.contains("// breaks off") && own.ends_with('1');
    let count = if breaks { bytes.len() / 2 } else { bytes.len() };
    for piece in bytes[..count].chunks(997) {
        chunk(client, piece)?;
    }
    if breaks {
        std::thread::sleep(Duration::from_millis(50));
        return Err(Error::from(ErrorKind::Other));
    }
    client.write_all(b"0\r\n\r\n")
}

/// What each backend sends of a large answer, in bytes.
const FLOOD_BYTES: usize = 16 << 20;

/// One table of many rows.
fn flood(own: &str, client: &mut TcpStream) -> Result<()> {
    client.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv; charset=utf-8\r\n")?;
    client.write_all(b"Transfer-Encoding: chunked\r\n\r\n")?;
    let head = "#datatype,string,long,string,string\r\n#group,false,false,true,false\r\n\
        #default,_result,,,\r\n,result,table,_measurement,_value\r\n";
    chunk(client, head.as_bytes())?;
    let row = format!(",,0,{own},{}\r\n", "v".repeat(1000));
    let rows = row.repeat(64);
    for _ in 0..FLOOD_BYTES / rows.len() {
        chunk(client, rows.as_bytes())?;
    }
    chunk(client, b"\r\n")?;
    client.write_all(b"0\r\n\r\n")
}

fn recorded_delimiter(row: &Value) -> char {
    row["dialect"]["delimiter"].as_str().unwrap_or(",").chars().next().unwrap_or(',')
}

fn part(
    own: &str,
    owners: &BTreeMap<String, Vec<String>>,
    whole: Vec<Table>,
    class: &str,
) -> Vec<Table> {
    let owns = |table: &Table| match owners.get(table.measurement()) {
        Some(owners) => owners.iter().any(|owner| owner == own),
        None => true,
    };
    let mut owned: Vec<Table> = whole.into_iter().filter(owns).collect();
    if class == "schema" {
        // Every name is on one backend at least, some are on both.
        let second = own.ends_with('1');
        for table in &mut owned {
            let mut at = 0;
            table.rows.retain(|_| {
                at += 1;
                at % 3 == 0 || (at % 2 == 0) == second
            });
        }
    }
    owned
}

fn refuse(client: &mut TcpStream, status: u16, message: &str) -> Result<()> {
    let body = serde_json::json!({"code": "invalid", "message": message}).to_string();
    let head = format!("HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nContent-Length:");
    client.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes())
}

fn request(body: &str) -> Request {
    Request::post("/api/v2/query?org=klec-org", body)
        .header("Authorization", "Token 123456")
        .header("Content-Type", "application/json")
}

fn ask(circlet: &Circlet, body: &str) -> Answer {
    circlet.ask(&request(body))
}

fn question(row: &Value) -> String {
    serde_json::json!({"query": row["query"], "dialect": row["dialect"]}).to_string()
}

#[test]
fn every_recorded_answer_comes_back_from_its_parts() {
    let stage = stage(1);
    let mut merged = 0;
    for row in rows("flux_2_7.jsonl") {
        let (name, class) = (text(&row, "name"), text(&row, "class"));
        let answer = match row["raw"] == true {
            false => ask(&stage.circlet, &question(&row)),
            true => stage.circlet.ask(
                &Request::post("/api/v2/query?org=klec-org", text(&row, "query"))
                    .header("Authorization", "Token 123456")
                    .header("Content-Type", "application/vnd.flux"),
            ),
        };
        match class {
            "union" | "schema" => {
                assert_eq!(answer.status, 200, "{name}: {}", answer.text());
                let delimiter = recorded_delimiter(&row);
                let found = read(&answer.text(), delimiter);
                let recorded = read(text(&row, "csv"), delimiter);
                if class == "schema" {
                    assert_eq!(found, recorded, "{name}");
                } else {
                    assert_eq!(sorted(found), sorted(recorded), "{name}");
                }
                let backends = answer.header("X-Circlet-Backend").unwrap();
                // Two measurements may have one owner; all of them have two.
                let is_narrow = text(&row, "query").contains("r._measurement");
                assert!(backends.contains(", ") || is_narrow, "{name}: {backends}");
                assert_eq!(answer.header("Content-Type"), Some("text/csv; charset=utf-8"));
                merged += 1;
            }
            "refuse" if name != "refuse_join" => {
                assert_eq!(answer.status, 422, "{name}: {}", answer.text());
                assert!(answer.text().contains("()"), "{name}: {}", answer.text());
            }
            _ => {}
        }
    }
    assert_eq!(merged, 26);
}

#[test]
fn clients_read_merged_answers_as_those_of_one_server() {
    let stage = stage(1);
    let url = format!("http://{}", stage.circlet.address);
    let vectors = path("flux_2_7.jsonl");
    let arguments = [&*url, "123456", "klec-org", vectors.to_str().unwrap()];
    assert_eq!(run("v2_merged.py", &arguments).trim(), "23");
    assert_eq!(run_javascript("v2_merged.js", &arguments).trim(), "23");
}

/// The script of a recorded row, with a comment that tells the backends to misbehave.
fn all_last(comment: &str) -> String {
    let rows = rows("flux_2_7.jsonl");
    let row = rows.iter().find(|row| row["name"] == "all_last").unwrap();
    let script = format!("{} {comment}", text(row, "query"));
    serde_json::json!({"query": script, "dialect": row["dialect"]}).to_string()
}

#[test]
fn a_backend_that_breaks_off_in_the_middle_never_leaves_an_answer_that_looks_whole() {
    let stage = stage(1);
    let mut connection = stage.circlet.connect();
    connection.request(&request(&all_last("// breaks off"))).expect_err("the answer never ends");
    // What came before the break ends with a table that says so.
    let mut raw = TcpStream::connect(stage.circlet.address).unwrap();
    raw.set_read_timeout(Some(seconds(10))).unwrap();
    raw.write_all(&request(&all_last("// breaks off")).bytes()).unwrap();
    let mut bytes = Vec::new();
    // It ends with a reset, which is an error, or without the last chunk, which is none down here.
    drop(std::io::Read::read_to_end(&mut raw, &mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains(",error,reference\r\n,a backend's answer broke off"), "{text}");
    assert!(!text.ends_with("0\r\n\r\n"), "{text}");
}

#[test]
fn before_its_first_byte_an_answer_is_taken_from_another_circle() {
    let stage = stage(2);
    for _ in 0..6 {
        let answer = ask(&stage.circlet, &all_last("// never begins"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("X-Circlet-Circle"), Some("circle-1"));
    }
    assert!(
        stage.actors.iter().map(Actor::left).sum::<u64>() > 0,
        "the first circle was asked, too"
    );
}

/// Scripts that a gateway which looks for words in the text answers wrongly or not at all: each goes to the
/// one owner of `single`, is merged, or is refused.
#[test]
fn what_influx_proxy_gets_wrong_in_flux_is_right_or_refused() {
    let stage = stage(1);
    let recorded = rows("flux_2_7.jsonl");
    let read_row = |name: &str| {
        text(recorded.iter().find(|row| row["name"] == name).unwrap(), "query").to_owned()
    };
    let single = read_row("single");
    let all = read_row("all_last");
    let status = |script: &str| {
        let body = serde_json::json!({"query": script}).to_string();
        let answer = ask(&stage.circlet, &body);
        (
            answer.status,
            answer.header("X-Circlet-Backend").map_or(0, |names| names.split(", ").count()),
        )
    };
    // A comment, a string and a variable that look like a source.
    assert_eq!(status(&format!("// data from telegraf (old)\n{single}")), (200, 1));
    assert_eq!(status(&format!("s = \"from(bucket: other)\"\n{single}")), (200, 1));
    assert_eq!(status(&format!("bkt = \"flux\"\n{single}")), (200, 1));
    // A measurement in a comment alone narrows nothing.
    assert_eq!(status(&format!("{all} // r._measurement == \"cpu\"")), (200, 3));
    for name in
        ["or_measurements", "regex_measurements", "contains_measurements", "filter_reversed"]
    {
        assert_eq!(status(&read_row(name)).0, 200, "{name}");
    }
    for name in ["measurement_var", "bracket_measurement", "union_group_measurement_only"] {
        assert_eq!(status(&read_row(name)).0, 200, "{name}");
    }
    assert_eq!(status(&read_row("schema_tagKeys")), (200, 3));
    let cut = |text: &str| format!("from(bucket: \"flux\") |> range(start: 0) |> {text}");
    let refused = [
        cut("filter(fn: (r) => r._measurement == \"cpu\" or r.host == \"a\") |> group() |> sum()"),
        cut("filter(fn: (r) => not (r._measurement == \"cpu\")) |> group(columns: [\"host\"])"),
        "a = from(bucket: \"flux\") |> range(start: 0) |> filter(fn: (r) => r._measurement == \"cpu\")\n\
         b = from(bucket: \"flux\") |> range(start: 0)\njoin(tables: {a, b}, on: [\"_time\"])"
            .to_owned(),
    ];
    for script in refused {
        assert_eq!(status(&script), (422, 0), "{script}");
    }
}

#[test]
fn a_large_merged_answer_passes_through_little_memory_however_slowly_it_is_read() {
    let stage = stage(1);
    let before = stage.circlet.resident_bytes();
    let mut client = TcpStream::connect(stage.circlet.address).unwrap();
    client.write_all(&request(&all_last("// endless rows")).bytes()).unwrap();
    // The backends wait for this client.
    std::thread::sleep(Duration::from_millis(500));
    let (mut buffer, mut all, mut end) = (vec![0; 1 << 20], 0, Vec::new());
    while !end.ends_with(b"\r\n0\r\n\r\n") {
        let read = std::io::Read::read(&mut client, &mut buffer).unwrap();
        assert!(read > 0, "the answer ended after {all} bytes");
        all += read;
        end.extend_from_slice(&buffer[read.saturating_sub(7)..read]);
        end.drain(..end.len().saturating_sub(7));
    }
    assert!(all > 3 * FLOOD_BYTES / 100 * 99, "{all} bytes");
    let more = stage.circlet.resident_peak_bytes().saturating_sub(before);
    assert!(more < 24 << 20, "{more} bytes more");
}
