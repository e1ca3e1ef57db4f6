//! One connection of a sink: requests in, counts up, answers out.

use super::Sink;
use super::behaviour::Settings;
use super::counts::Counts;
use crate::http::{Body, Head, Wire};
use crate::url::decode;
use serde_json::{Value, json};
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering::Relaxed;

/// The one id of everything that has one in InfluxDB 2.x.
const ID: &str = "0000000000000001";
/// Bytes that are inflated at once.
const INFLATED_BYTES: usize = 256 << 10;
const VERSION: &str = "X-Influxdb-Version: 1.6.7\r\nX-Influxdb-Build: OSS\r\n";

/// Serves until the peer closes or breaks the framing.
pub fn connection(stream: TcpStream, sink: &Sink) {
    let mut wire = Wire::new(stream);
    let outcome = wire.stream.set_nodelay(true).and_then(|()| serve(&mut wire, sink));
    if outcome.is_err_and(|error| error.kind() == io::ErrorKind::InvalidData) {
        sink.counts.malformed.fetch_add(1, Relaxed);
    }
}

fn serve(wire: &mut Wire, sink: &Sink) -> io::Result<()> {
    let mut room = Vec::new();
    while let Some(head) = wire.request()? {
        if head.says("expect", "100-continue") {
            wire.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let path = head.target.split('?').next().unwrap_or_default();
        let answer = match path {
            "/write" | "/api/v2/write" => take(wire, &head, sink, &mut room)?,
            _ => {
                let mut form = String::new();
                Body::of_request(wire, &head)?.read_to_string(&mut form)?;
                other(path, &head.target, &form, sink)
            }
        };
        wire.stream.write_all(answer.as_bytes())?;
        if head.says("connection", "close") {
            break;
        }
    }
    Ok(())
}

/// Everything but writes; `form` is the body.
fn other(path: &str, target: &str, form: &str, sink: &Sink) -> String {
    let counts = &sink.counts;
    match path {
        "/ping" => answer(204, ""),
        "/stats" => answer(200, &counts.json().to_string()),
        "/health" => answer(200, r#"{"name":"influxdb","status":"pass","version":"1.6.7"}"#),
        "/query" => answer(200, &query(target, form, counts)),
        "/api/v2/buckets" => buckets(form, counts),
        "/api/v2/orgs" => {
            let name = parameter(target, "org").unwrap_or_default();
            answer(200, &json!({"orgs": [{"id": ID, "name": name}]}).to_string())
        }
        "/behaviour" => behave(target.split_once('?').map_or(form, |(_, query)| query), sink),
        _ => answer(404, r#"{"error":"not found"}"#),
    }
}

/// Changes how this address answers writes from now on.
fn behave(query: &str, sink: &Sink) -> String {
    match Settings::from_query(query) {
        Ok(settings) => {
            sink.behaviour.set(settings);
            answer(204, "")
        }
        Err(error) => answer(400, &json!({"error": error.to_string()}).to_string()),
    }
}

/// Lists buckets, or makes one of the JSON object that a POST brings.
fn buckets(form: &str, counts: &Counts) -> String {
    let name = serde_json::from_str::<Value>(form).ok();
    if let Some(name) = name.as_ref().and_then(|value| value.get("name")?.as_str()) {
        counts.saw(name);
        return answer(201, &json!({"id": ID, "name": name}).to_string());
    }
    let bucket = |name: String| json!({"id": ID, "orgID": ID, "name": name});
    let all: Vec<_> = counts.databases().into_iter().map(bucket).collect();
    answer(200, &json!({"buckets": all}).to_string())
}

/// Reads a write, counts it, and answers as told.
fn take(wire: &mut Wire, head: &Head, sink: &Sink, room: &mut Vec<u8>) -> io::Result<String> {
    let (counts, body) = (&sink.counts, Body::of_request(wire, head)?);
    let (lines, bytes) = if !head.says("content-encoding", "gzip") {
        let mut body = body;
        count(&mut body)?
    } else if sink.inflates {
        // The decoder may stop before the end of the framing, which must be read all the same.
        let mut decoder = flate2::bufread::MultiGzDecoder::new(body);
        let counted = count_inflated(&mut decoder, room)?;
        io::copy(&mut decoder.into_inner(), &mut io::sink())?;
        counted
    } else {
        let mut body = body;
        (0, io::copy(&mut body, &mut io::sink())?)
    };
    for name in ["db", "bucket"] {
        if let Some(database) = parameter(&head.target, name) {
            counts.saw(&database);
        }
    }
    counts.lines.fetch_add(lines, Relaxed);
    counts.bytes.fetch_add(bytes, Relaxed);
    let number = counts.requests.fetch_add(1, Relaxed) + 1;
    sink.behaviour.wait(|| {
        counts.hung.fetch_add(1, Relaxed);
    });
    if let Some((status, body)) = sink.behaviour.failure(number) {
        counts.failed.fetch_add(1, Relaxed);
        return Ok(answer(status, &body));
    }
    counts.taken.fetch_add(lines, Relaxed);
    Ok(answer(204, ""))
}

/// What is counted of a body, piece by piece; a last line needs no line feed.
#[derive(Default)]
struct Tally {
    feeds: u64,
    bytes: u64,
    /// The last byte so far.
    last: Option<u8>,
}

impl Tally {
    fn add(&mut self, piece: &[u8]) {
        // Short stretches with a one-byte sum: the compiler makes vector code of it.
        for stretch in piece.chunks(192) {
            let sum = stretch.iter().fold(0u8, |sum, byte| sum + u8::from(*byte == b'\n'));
            self.feeds += u64::from(sum);
        }
        self.bytes += piece.len() as u64;
        self.last = piece.last().copied().or(self.last);
    }

    /// Lines and bytes.
    fn end(&self) -> (u64, u64) {
        let open = self.last.is_some_and(|last| last != b'\n');
        (self.feeds + u64::from(open), self.bytes)
    }
}

fn count(body: &mut impl BufRead) -> io::Result<(u64, u64)> {
    let mut tally = Tally::default();
    loop {
        let piece = body.fill_buf()?;
        if piece.is_empty() {
            return Ok(tally.end());
        }
        tally.add(piece);
        let length = piece.len();
        body.consume(length);
    }
}

/// As `count`, with room of the connection: the decoder copies its window once for each piece, so
/// pieces are large.
fn count_inflated(decoder: &mut impl Read, room: &mut Vec<u8>) -> io::Result<(u64, u64)> {
    room.resize(INFLATED_BYTES, 0);
    let mut tally = Tally::default();
    loop {
        let count = decoder.read(room)?;
        if count == 0 {
            return Ok(tally.end());
        }
        tally.add(&room[..count]);
    }
}

fn query(target: &str, form: &str, counts: &Counts) -> String {
    let text = parameter(target, "q").or_else(|| parameter(&format!("?{form}"), "q"));
    let text = text.unwrap_or_default();
    let upper = text.trim().to_ascii_uppercase();
    if upper.starts_with("SHOW DATABASES") {
        let values: Vec<_> = counts.databases().into_iter().map(|name| json!([name])).collect();
        let mut series = json!({"name": "databases", "columns": ["name"]});
        if !values.is_empty() {
            series["values"] = json!(values);
        }
        return json!({"results": [{"statement_id": 0, "series": [series]}]}).to_string();
    }
    if upper.starts_with("CREATE DATABASE ") {
        counts.saw(&named(text.trim()["CREATE DATABASE ".len()..].trim()));
    }
    r#"{"results":[{"statement_id":0}]}"#.to_owned()
}

/// The identifier at the beginning of a text, quoted or bare.
fn named(text: &str) -> String {
    match text.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default().to_owned(),
        None => text.split([' ', ';']).next().unwrap_or_default().to_owned(),
    }
}

fn parameter(target: &str, name: &str) -> Option<String> {
    let (_, pairs) = target.split_once('?')?;
    let found =
        pairs.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
    found.map(|(_, value)| decode(value))
}

fn answer(status: u16, body: &str) -> String {
    if status == 204 {
        return format!("HTTP/1.1 204 No Content\r\n{VERSION}\r\n");
    }
    let length = body.len();
    let again = if status == 503 { "Retry-After: 1\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status} Answer\r\n{VERSION}{again}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}
