//! Every answer and every status code, in both dialects.
//!
//! Promises: only 204 says that a write succeeded. Whatever may pass by itself is 503 with a JSON text and a
//! whole number of seconds in `Retry-After`, and its text holds none of the phrases at which a client throws
//! its lines away.
//!
//! Read in this order: this page (what can be answered), `dialect` (how an error is told), `wire` (bytes).

mod dialect;
mod wire;

pub use dialect::{Dialect, Voice};
pub use wire::{Body, Broken, Frame, stream};

use super::auth::Denied;
use super::intake::Fault;
use crate::proto::http::request;
use dialect::Kind;
use std::time::Duration;

/// An answer that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The connection ends with it.
    pub closes: bool,
}

/// Phrases in a 5xx at which Telegraf or a client library drops the batch instead of trying again.
const FATAL_PHRASES: [&str; 5] = [
    "partial write",
    "unable to parse",
    "points beyond retention policy",
    "retention policy not found",
    "hinted handoff queue not empty",
];

/// Seconds after which a client may ask again when nothing better is known.
pub const RETRY_AFTER_S: u32 = 1;

/// The status of whatever a token may not do.
pub const FORBIDDEN: u16 = 403;

const PLAIN: &str = "text/plain; charset=utf-8";

impl Answer {
    fn new(status: u16) -> Answer {
        Answer { status, fields: Vec::new(), body: Vec::new(), closes: false }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.fields.push((name, value.into()));
        self
    }

    fn content(self, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        Answer { body: body.into(), ..self.with("Content-Type", content_type) }
    }

    fn plain(status: u16, body: &str) -> Answer {
        Answer::new(status).content(PLAIN, body).with("X-Content-Type-Options", "nosniff")
    }

    fn closing(self) -> Answer {
        Answer { closes: true, ..self }
    }
}

/// The lines are safe; `pending` names the backends that will get them later.
pub fn written(voice: Voice, pending: &[String]) -> Answer {
    with_pending(empty(voice), pending)
}

/// Nothing to say, and that is good.
pub fn empty(voice: Voice) -> Answer {
    let answer = Answer::new(204);
    match voice.dialect {
        Dialect::V1 => answer.with("Content-Type", "application/json"),
        Dialect::V2 => answer,
    }
}

/// Names the backends that will get the lines later.
pub fn with_pending(answer: Answer, pending: &[String]) -> Answer {
    if pending.is_empty() {
        return answer;
    }
    answer.with("X-Circlet-Pending", pending.join(", "))
}

/// Something of our own that is whole.
pub fn found(content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    Answer::new(200).content(content_type, body)
}

/// The same of something that was just made.
pub fn made(content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    Answer::new(201).content(content_type, body)
}

/// JSON as the newer resources of 2.x write it: a tab for each level.
pub fn tabbed(value: &serde_json::Value) -> String {
    indented(&value.to_string(), "\t")
}

/// JSON without blanks, written with one member a line; numbers and strings stay as they are.
pub fn indented(json: &str, indent: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut is_escaped) = (0, false, false);
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if in_string {
            out.push(letter);
            in_string = is_escaped || letter != '"';
            is_escaped = letter == '\\' && !is_escaped;
            continue;
        }
        let closes = |next: Option<&char>| matches!(next, Some('}' | ']'));
        match letter {
            '{' | '[' if closes(letters.peek()) => {
                out.extend([Some(letter), letters.next()].into_iter().flatten())
            }
            '{' | '[' => {
                depth += 1;
                out.push(letter);
                new_line(&mut out, indent, depth);
            }
            '}' | ']' => {
                depth = usize::saturating_sub(depth, 1);
                new_line(&mut out, indent, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                new_line(&mut out, indent, depth);
            }
            ':' => out.push_str(": "),
            letter => {
                in_string = letter == '"';
                out.push(letter);
            }
        }
    }
    out
}

fn new_line(out: &mut String, indent: &str, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(indent, depth));
}

/// The same for somebody who only looks at the status: this part does not serve now.
pub fn not_serving(content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    Answer::new(503).content(content_type, body).with("Retry-After", RETRY_AFTER_S.to_string())
}

/// What a browser asks before it sends.
pub fn preflight(voice: Voice) -> Answer {
    Answer::new(match voice.dialect {
        Dialect::V1 => 200,
        Dialect::V2 => 204,
    })
}

pub fn moved(location: String) -> Answer {
    Answer::new(308).with("Location", location)
}

pub fn no_such_path(voice: Voice) -> Answer {
    match voice.dialect {
        Dialect::V1 => Answer::plain(404, "404 page not found\n"),
        Dialect::V2 => dialect::indented(Kind::NotFound, "path not found"),
    }
}

pub fn wrong_method(voice: Voice, allow: &'static str) -> Answer {
    let answer = match voice.dialect {
        Dialect::V1 => Answer::plain(405, "Method Not Allowed\n"),
        Dialect::V2 => dialect::error(voice, Kind::MethodNotAllowed, &format!("allow: {allow}")),
    };
    answer.with("Allow", allow)
}

pub fn denied(voice: Voice, denied: Denied) -> Answer {
    let message = match (voice.dialect, denied) {
        (Dialect::V2, _) => "unauthorized access",
        (Dialect::V1, Denied::Missing) => "unable to parse authentication credentials",
        (Dialect::V1, Denied::Wrong) => "authorization failed",
    };
    let answer = dialect::error(voice, Kind::Unauthorized, message);
    match voice.dialect {
        Dialect::V1 => answer.with("WWW-Authenticate", "Basic realm=\"InfluxDB\""),
        Dialect::V2 => answer,
    }
}

/// A token that may not write there, as both versions say it; `name` is the token's.
pub fn may_not_write(voice: Voice, name: &str, database: &str) -> Answer {
    match voice.dialect {
        Dialect::V1 => {
            let text = format!("{name:?} user is not authorized to write to database {database:?}");
            dialect::error(voice, Kind::Forbidden, &text)
        }
        Dialect::V2 => forbidden(voice, "insufficient permissions for write"),
    }
}

/// A token that may not do what it wants.
pub fn forbidden(voice: Voice, message: &str) -> Answer {
    dialect::error(voice, Kind::Forbidden, message)
}

/// A token that wrote more than its share. Clients of 1.x throw lines away at a 429, so they get what may pass.
pub fn over_rate(voice: Voice, wait: Duration) -> Answer {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    let why = "this token writes more than its write_rate";
    match voice.dialect {
        Dialect::V1 => unavailable(voice, why, seconds),
        Dialect::V2 => {
            dialect::error(voice, Kind::TooMany, why).with("Retry-After", seconds.to_string())
        }
    }
}

/// The request itself is wrong.
pub fn invalid(voice: Voice, message: &str) -> Answer {
    dialect::error(voice, Kind::Invalid, message)
}

/// The request is right, but what it wants cannot be done.
pub fn unprocessable(voice: Voice, message: &str) -> Answer {
    dialect::error(voice, Kind::Unprocessable, message)
}

pub fn not_found(voice: Voice, message: &str) -> Answer {
    dialect::error(voice, Kind::NotFound, message)
}

/// Something of the newer resources of 2.x is not there.
pub fn no_such(voice: Voice, message: &str) -> Answer {
    match voice.dialect {
        Dialect::V1 => not_found(voice, message),
        Dialect::V2 => dialect::indented(Kind::NotFound, message),
    }
}

/// It is there already.
pub fn conflict(voice: Voice, message: &str) -> Answer {
    match voice.dialect {
        Dialect::V1 => unprocessable(voice, message),
        Dialect::V2 => dialect::indented(Kind::Conflict, message),
    }
}

/// Nobody does this.
pub fn not_implemented(voice: Voice, message: &str) -> Answer {
    dialect::error(voice, Kind::NotImplemented, message)
}

/// The text is the one at which Telegraf creates the database.
pub fn unknown_database(voice: Voice, name: &str) -> Answer {
    match voice.dialect {
        Dialect::V1 => not_found(voice, &format!("database not found: {name:?}")),
        Dialect::V2 => not_found(voice, &format!("bucket {name:?} not found")),
    }
}

/// InfluxDB 1.x answers so to a write for a policy that it does not have: no second try will change it.
pub fn unknown_policy(voice: Voice, text: &str, bucket: &str) -> Answer {
    match voice.dialect {
        Dialect::V1 => gone_wrong(voice, text),
        Dialect::V2 => unknown_database(voice, bucket),
    }
}

/// A part of Circlet that is still to come; `what` begins the sentence.
pub fn not_yet(voice: Voice, what: &str) -> Answer {
    dialect::error(voice, Kind::NotImplemented, &format!("{what} is not supported yet"))
}

/// Only gzip is unpacked.
pub fn unknown_encoding(voice: Voice, encoding: &str) -> Answer {
    let message =
        format!("unsupported Content-Encoding {encoding:?}: supported are gzip, x-gzip, identity");
    dialect::error(voice, Kind::UnknownEncoding, &message)
        .with("Accept-Encoding", "gzip, x-gzip, identity")
}

/// It may work in a while: nothing of the request is kept.
pub fn unavailable(voice: Voice, why: &str, retry_after_s: u32) -> Answer {
    let is_fatal = FATAL_PHRASES.iter().any(|phrase| why.contains(phrase));
    let why = if is_fatal { "temporarily unavailable" } else { why };
    dialect::error(voice, Kind::Unavailable, why).with("Retry-After", retry_after_s.to_string())
}

/// The client was too slow.
pub fn too_slow(voice: Voice) -> Answer {
    dialect::error(voice, Kind::Timeout, "request timed out").closing()
}

/// All connections are in use.
pub fn too_many_connections() -> Answer {
    unavailable(Voice::default(), "too many connections", RETRY_AFTER_S).closing()
}

/// This client has all the connections that it may have.
pub fn too_many_of_address() -> Answer {
    let why = "too many connections from this address: [server] max_connections_per_address";
    unavailable(Voice::default(), why, RETRY_AFTER_S).closing()
}

/// For whoever speaks plain HTTP to a listener of TLS.
pub fn no_tls() -> Answer {
    invalid(Voice::default(), "this port speaks TLS: use https://").closing()
}

/// A body that cannot be used. Where the framing broke, the connection ends.
pub fn bad_body(voice: Voice, fault: Fault) -> Answer {
    match fault {
        Fault::Framing(error) => invalid(voice, &unreadable(voice, &error.to_string())).closing(),
        Fault::Gzip(error) => invalid(voice, &unreadable(voice, &error.to_string())),
        Fault::TooLarge => dialect::too_large(voice),
        Fault::NoBudget => unavailable(voice, "too many bytes in flight", RETRY_AFTER_S),
    }
}

fn unreadable(voice: Voice, why: &str) -> String {
    match voice.dialect {
        Dialect::V1 => why.to_owned(),
        Dialect::V2 => format!("unable to read data: {why}"),
    }
}

/// A head that cannot be trusted; nobody knows which dialect its sender speaks.
pub fn bad_head(error: request::Error) -> Answer {
    use request::Error;
    let status = match error {
        Error::Expectation => return Answer::new(417).closing(),
        Error::Malformed | Error::TwoLengths => {
            return Answer::new(400).content(PLAIN, "400 Bad Request").closing();
        }
        Error::TransferEncoding => {
            return Answer::new(501).content(PLAIN, "Unsupported transfer encoding").closing();
        }
        Error::BareLineFeed
        | Error::TargetForm
        | Error::NoHost
        | Error::ManyHosts
        | Error::BadLength
        | Error::LengthAndTransferEncoding => 400,
        Error::TargetTooLong => 414,
        Error::HeadTooLarge | Error::TooManyFields => 431,
        Error::Version => 505,
    };
    let text = format!("{status} {}: {error}", wire::reason(status));
    Answer::new(status).content(PLAIN, text).closing()
}

/// The status of a query's answer of our own making that a backend refused to give.
pub fn gone_wrong(voice: Voice, message: &str) -> Answer {
    dialect::error(voice, Kind::Internal, message)
}

#[cfg(test)]
mod tests;
