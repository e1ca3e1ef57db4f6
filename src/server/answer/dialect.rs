//! How an error is told: InfluxDB 1.x has a text, 2.x a code and a text.
//!
//! Shape: `{"error":"…"}` and LF with `X-Influxdb-Error`, or CSV where the client wants CSV; `{"code":"…",
//! "message":"…"}` with `X-Platform-Error-Code`. The escapes are those of Go.

use super::Answer;
use crate::proto::http::json::push_string;

/// How much of a message `X-Influxdb-Error` repeats, in bytes.
const FIELD_BYTES_MAX: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dialect {
    #[default]
    V1,
    V2,
}

/// How to speak to this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Voice {
    pub dialect: Dialect,
    /// Errors as CSV, which only 1.x does.
    pub csv: bool,
}

impl Voice {
    pub fn of(path: &str, accept: Option<&str>) -> Voice {
        let is_v2 = path == "/api/v2" || path.starts_with("/api/v2/");
        let dialect = if is_v2 { Dialect::V2 } else { Dialect::V1 };
        Voice { dialect, csv: !is_v2 && accept.is_some_and(wants_csv) }
    }
}

/// The first type of the list that we know decides.
fn wants_csv(accept: &str) -> bool {
    for item in accept.split(',') {
        match item.split(';').next().unwrap_or_default().trim() {
            "text/csv" | "application/csv" => return true,
            "application/json" | "application/x-msgpack" | "*/*" => return false,
            _ => {}
        }
    }
    false
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invalid,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Timeout,
    TooLarge,
    UnknownEncoding,
    Unprocessable,
    Conflict,
    TooMany,
    Internal,
    NotImplemented,
    Unavailable,
}

impl Kind {
    /// The status, and the code that 2.x has for it.
    fn status_and_code(self) -> (u16, &'static str) {
        match self {
            Kind::Invalid => (400, "invalid"),
            Kind::Unauthorized => (401, "unauthorized"),
            Kind::Forbidden => (403, "forbidden"),
            Kind::NotFound => (404, "not found"),
            Kind::MethodNotAllowed => (405, "method not allowed"),
            Kind::Timeout => (408, "invalid"),
            Kind::TooLarge => (413, "request too large"),
            Kind::UnknownEncoding => (415, "invalid"),
            Kind::Unprocessable => (422, "unprocessable entity"),
            Kind::Conflict => (422, "conflict"),
            Kind::TooMany => (429, "too many requests"),
            Kind::Internal => (500, "internal error"),
            Kind::NotImplemented => (501, "not implemented"),
            Kind::Unavailable => (503, "unavailable"),
        }
    }
}

pub(super) fn error(voice: Voice, kind: Kind, message: &str) -> Answer {
    let (status, code) = kind.status_and_code();
    match voice.dialect {
        Dialect::V2 => v2(status, code, message, ["{\"code\":", ",\"message\":", "}"]),
        Dialect::V1 => v1(voice, status, message),
    }
}

/// The form of the newer resources of 2.x, and of paths that it does not have.
pub(super) fn indented(kind: Kind, message: &str) -> Answer {
    let (status, code) = kind.status_and_code();
    v2(status, code, message, ["{\n\t\"code\": ", ",\n\t\"message\": ", "\n}"])
}

pub(super) fn too_large(voice: Voice) -> Answer {
    let message = match voice.dialect {
        Dialect::V1 => "Request Entity Too Large",
        Dialect::V2 => "unable to read data: points batch is too large",
    };
    error(voice, Kind::TooLarge, message).closing()
}

fn v2(status: u16, code: &str, message: &str, parts: [&str; 3]) -> Answer {
    let mut body = parts[0].as_bytes().to_vec();
    push_string(&mut body, code.as_bytes());
    body.extend_from_slice(parts[1].as_bytes());
    push_string(&mut body, message.as_bytes());
    body.extend_from_slice(parts[2].as_bytes());
    Answer::new(status)
        .content("application/json; charset=utf-8", body)
        .with("X-Platform-Error-Code", code)
}

fn v1(voice: Voice, status: u16, message: &str) -> Answer {
    let answer = if voice.csv {
        let body = format!("error\n{}\n", csv_cell(message));
        Answer::new(status).content("text/csv", body)
    } else {
        let mut body = b"{\"error\":".to_vec();
        push_string(&mut body, message.as_bytes());
        body.extend_from_slice(b"}\n");
        Answer::new(status).content("application/json", body)
    };
    if status == Kind::Unauthorized.status_and_code().0 {
        return answer;
    }
    answer.with("X-Influxdb-Error", field_text(message))
}

/// Quoted where Go's CSV writer quotes.
fn csv_cell(text: &str) -> String {
    let needs = text.contains([',', '"', '\r', '\n'])
        || text.starts_with(char::is_whitespace)
        || text == "\\.";
    if needs { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// A message as one header field: cut, and nothing that could end the field.
fn field_text(message: &str) -> String {
    let mut end = message.len().min(FIELD_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].replace(char::is_control, " ")
}
