//! An answer as bytes on a connection.

use super::{Answer, Dialect, Voice};
use crate::query::BodyStream;
use crate::rt::net::Stream;
use crate::server::store::Arriving;
use crate::server::tap::Flow;
use std::borrow::Cow;

/// What every answer on one connection says besides its own fields.
#[derive(Clone, Debug)]
pub struct Frame {
    pub version_11: bool,
    /// The request was `HEAD`: the body is left out, its length is told.
    pub is_head: bool,
    /// Another request may follow.
    pub keeps: bool,
    /// The time, as HTTP writes it.
    pub date: String,
    pub request_id: Option<String>,
    /// Where the asking page comes from, if a browser asks.
    pub origin: Option<String>,
    pub is_preflight: bool,
    pub voice: Voice,
    pub shard: Option<u16>,
}

/// What clients read as the server's version: dialect 1.8, and who we are.
const INFLUXDB_VERSION: &str = concat!("1.8-circlet-", env!("CARGO_PKG_VERSION"));
const CIRCLET_VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Request Entity Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

fn has_no_body(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

impl Answer {
    /// Head and body, in one piece.
    pub fn encode(&self, frame: &Frame) -> Vec<u8> {
        let mut out = head(frame, self.status, self.body.len());
        for (name, value) in &self.fields {
            push_field(&mut out, name, value);
        }
        if !has_no_body(self.status) {
            push_field(&mut out, "Content-Length", &self.body.len().to_string());
        }
        out.extend_from_slice(b"\r\n");
        if !frame.is_head && !has_no_body(self.status) {
            out.extend_from_slice(&self.body);
        }
        out
    }
}

/// Status line and the fields that every answer has.
fn head(frame: &Frame, status: u16, more: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + more);
    let version = if frame.version_11 { "HTTP/1.1" } else { "HTTP/1.0" };
    out.extend_from_slice(format!("{version} {status} {}\r\n", reason(status)).as_bytes());
    push_field(&mut out, "Date", &frame.date);
    push_field(&mut out, "X-Influxdb-Build", "OSS");
    push_field(&mut out, "X-Influxdb-Version", INFLUXDB_VERSION);
    push_field(&mut out, "X-Circlet-Version", CIRCLET_VERSION);
    if let Some(id) = &frame.request_id {
        push_field(&mut out, "Request-Id", id);
        push_field(&mut out, "X-Request-Id", id);
    }
    if let Some(shard) = frame.shard {
        push_field(&mut out, "X-Circlet-Shard", &shard.to_string());
    }
    if let Some(origin) = &frame.origin {
        push_cors(&mut out, frame, origin);
    }
    match (frame.keeps, frame.version_11) {
        (false, true) => push_field(&mut out, "Connection", "close"),
        (true, false) => push_field(&mut out, "Connection", "keep-alive"),
        _ => {}
    }
    out
}

fn push_cors(out: &mut Vec<u8>, frame: &Frame, origin: &str) {
    push_field(out, "Access-Control-Allow-Origin", origin);
    match frame.voice.dialect {
        Dialect::V1 => {
            let headers = "Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, X-CSRF-Token, X-HTTP-Method-Override";
            push_field(out, "Access-Control-Allow-Headers", headers);
            push_field(out, "Access-Control-Allow-Methods", "DELETE, GET, OPTIONS, POST, PUT");
            let exposed = "Date, X-InfluxDB-Version, X-InfluxDB-Build";
            push_field(out, "Access-Control-Expose-Headers", exposed);
        }
        Dialect::V2 if frame.is_preflight => {
            let headers =
                "Accept, Content-Type, Content-Length, Accept-Encoding, Authorization, User-Agent";
            push_field(out, "Access-Control-Allow-Headers", headers);
            let methods = "POST, GET, OPTIONS, PUT, DELETE, PATCH";
            push_field(out, "Access-Control-Allow-Methods", methods);
        }
        Dialect::V2 => {}
    }
}

/// One field. A value never ends its line early, wherever it came from.
fn push_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(value.bytes().map(|byte| if byte < b' ' || byte == 0x7f { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

/// Fields of a backend's answer that belong to its own connection, or that we say ourselves.
fn is_ours(name: &str) -> bool {
    const OURS: [&str; 17] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "date",
        "server",
        "request-id",
        "x-request-id",
        "x-influxdb-build",
        "x-influxdb-version",
        "www-authenticate",
        "set-cookie",
    ];
    OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
        || name.to_ascii_lowercase().starts_with("access-control-")
}

/// Why an answer that had begun did not end well. The client must see a broken connection, never a short answer.
#[derive(Debug)]
pub enum Broken {
    Client(std::io::Error),
    Behind(String),
}

/// The body of an answer that comes piece by piece.
pub enum Body {
    Backends(Box<BodyStream>),
    Store(Arriving),
    /// Lines that pass, for whoever looks at them.
    Lines(Box<Flow>),
}

impl Body {
    async fn next(&mut self) -> Result<Option<Cow<'_, [u8]>>, String> {
        match self {
            Body::Backends(stream) => stream.next().await,
            Body::Store(arriving) => Ok(arriving.next().await?.map(Cow::Owned)),
            Body::Lines(flow) => Ok(flow.next().await.map(Cow::Owned)),
        }
    }
}

/// Sends on what is answered, piece by piece: a slow client slows whoever answers, not the heap.
pub async fn stream(
    connection: &mut Stream,
    frame: &Frame,
    status: u16,
    fields: &[(String, String)],
    body: &mut Body,
) -> Result<u64, Broken> {
    let mut out = head(frame, status, 0);
    for (name, value) in fields.iter().filter(|(name, _)| !is_ours(name)) {
        push_field(&mut out, name, value);
    }
    let is_chunked = frame.version_11 && !has_no_body(status);
    if is_chunked {
        push_field(&mut out, "Transfer-Encoding", "chunked");
    }
    out.extend_from_slice(b"\r\n");
    let mut sent = 0;
    if !has_no_body(status) {
        while let Some(piece) = body.next().await.map_err(Broken::Behind)? {
            sent += (out.len() + piece.len()) as u64;
            write_piece(connection, &mut out, &piece, is_chunked).await.map_err(Broken::Client)?;
        }
        if is_chunked {
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }
    connection.write_all(&out).await.map_err(Broken::Client)?;
    Ok(sent + out.len() as u64)
}

/// Writes what lies in `out`, then the piece.
async fn write_piece(
    connection: &mut Stream,
    out: &mut Vec<u8>,
    piece: &[u8],
    is_chunked: bool,
) -> std::io::Result<()> {
    // A chunk of no bytes would end the body.
    if piece.is_empty() {
        return Ok(());
    }
    if is_chunked {
        out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
    }
    let end: &[u8] = if is_chunked { b"\r\n" } else { b"" };
    connection.write_pieces(&[out, piece, end]).await?;
    out.clear();
    Ok(())
}
