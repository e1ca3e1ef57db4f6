//! The head of a request: what it asks for, and where its body will end.
//!
//! Shape: RFC 9112 sections 2 to 6, without the parts that servers read differently. Every refusal is an
//! `Error`, after which the connection cannot be trusted and must be closed.

use std::fmt;

use super::body::{self, Framing};
use super::scan;
use crate::base::limits::{HEADERS_MAX, URL_BYTES_MAX};

/// The methods that some endpoint knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Other,
}

/// How the bytes of the body are packed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Encoding {
    #[default]
    Identity,
    Gzip,
    /// Anything else, as the client spelled it.
    Other(String),
}

/// Everything that an endpoint may want to know before the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub method: Method,
    /// As sent: not decoded.
    pub path: String,
    /// What follows the first `?`, not decoded; empty without one.
    pub query: String,
    /// HTTP/1.1; otherwise it is HTTP/1.0.
    pub version_11: bool,
    pub body: Framing,
    /// The client wants to go on with this connection.
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before its body.
    pub expect_continue: bool,
    pub encoding: Encoding,
    pub fields: Fields,
}

/// Header fields that some endpoint reads, as text; the first of several wins.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Fields {
    pub authorization: Option<String>,
    pub accept: Option<String>,
    pub accept_encoding: Option<String>,
    pub content_type: Option<String>,
    pub request_id: Option<String>,
    pub x_request_id: Option<String>,
    pub origin: Option<String>,
    pub prefer: Option<String>,
    pub user_agent: Option<String>,
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not a request, or a field that is folded, has a blank before its colon or a control byte.
    Malformed,
    BareLineFeed,
    HeadTooLarge,
    TargetTooLong,
    TooManyFields,
    Version,
    /// A target that is not a path: a proxy's form, `CONNECT`.
    TargetForm,
    NoHost,
    ManyHosts,
    BadLength,
    TwoLengths,
    LengthAndTransferEncoding,
    TransferEncoding,
    Expectation,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Malformed => "malformed request head",
            Error::BareLineFeed => "line feed without carriage return in the request head",
            Error::HeadTooLarge => "request head is too large",
            Error::TargetTooLong => "request target is too long",
            Error::TooManyFields => "too many header fields",
            Error::Version => "unsupported protocol version",
            Error::TargetForm => "request target must be a path",
            Error::NoHost => "missing required Host header",
            Error::ManyHosts => "too many Host headers",
            Error::BadLength => "bad Content-Length",
            Error::TwoLengths => "more than one Content-Length",
            Error::LengthAndTransferEncoding => "Content-Length and Transfer-Encoding together",
            Error::TransferEncoding => "unsupported transfer encoding",
            Error::Expectation => "unknown expectation",
        })
    }
}

impl From<scan::Error> for Error {
    fn from(error: scan::Error) -> Error {
        match error {
            scan::Error::BareLineFeed => Error::BareLineFeed,
            scan::Error::FirstLineTooLong => Error::TargetTooLong,
            scan::Error::TooLarge => Error::HeadTooLarge,
        }
    }
}

/// Reads a whole head, as `Scan::find` delimited it.
pub fn parse(bytes: &[u8]) -> Result<Head, Error> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Error::TooManyFields),
        Err(httparse::Error::Version) if is_foreign_version(bytes) => return Err(Error::Version),
        Ok(_) | Err(_) => return Err(Error::Malformed),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(Error::Malformed);
    };
    let (path, query) = split_target(method, target)?;
    let mut head = Head {
        method: method_of(method),
        path: path.to_owned(),
        query: query.to_owned(),
        version_11: minor == 1,
        body: Framing::None,
        keep_alive: minor == 1,
        expect_continue: false,
        encoding: Encoding::Identity,
        fields: Fields::default(),
    };
    read_fields(&mut head, request.headers)?;
    Ok(head)
}

/// `HTTP/2.0` is a version that we do not speak; `HTTP/x` is no request at all.
fn is_foreign_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').find(|line| line.len() > 1).unwrap_or_default();
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    matches!(version.strip_prefix(b"HTTP/"), Some([major, b'.', minor])
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

fn method_of(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        _ => Method::Other,
    }
}

fn split_target<'a>(method: &str, target: &'a str) -> Result<(&'a str, &'a str), Error> {
    if target.len() > URL_BYTES_MAX {
        return Err(Error::TargetTooLong);
    }
    let is_path = target.starts_with('/') || (target == "*" && method == "OPTIONS");
    if !is_path || method == "CONNECT" {
        return Err(Error::TargetForm);
    }
    Ok(target.split_once('?').unwrap_or((target, "")))
}

/// What decides the framing, gathered over all fields before it is judged.
#[derive(Default)]
struct Gathered {
    hosts: usize,
    length: Option<u64>,
    transfer: body::TransferEncoding,
    closes: bool,
    keeps: bool,
    expectation: Option<bool>,
    encodings: Vec<String>,
}

fn read_fields(head: &mut Head, fields: &[httparse::Header<'_>]) -> Result<(), Error> {
    let mut gathered = Gathered::default();
    for field in fields {
        if !gather(&mut gathered, field)? {
            keep(&mut head.fields, field);
        }
    }
    if gathered.hosts > 1 {
        return Err(Error::ManyHosts);
    }
    if head.version_11 && gathered.hosts == 0 {
        return Err(Error::NoHost);
    }
    head.body = framing_of(&gathered, head.version_11)?;
    head.keep_alive = !gathered.closes && (head.version_11 || gathered.keeps);
    if head.version_11 {
        match gathered.expectation {
            Some(false) => return Err(Error::Expectation),
            Some(true) => head.expect_continue = head.body != Framing::None,
            None => {}
        }
    }
    head.encoding = encoding_of(&gathered.encodings);
    Ok(())
}

/// True if the field was one that decides the framing.
fn gather(gathered: &mut Gathered, field: &httparse::Header<'_>) -> Result<bool, Error> {
    let is = |name: &str| field.name.eq_ignore_ascii_case(name);
    if is("host") {
        gathered.hosts += 1;
    } else if is("content-length") {
        let length = body::length_of(field.value).ok_or(Error::BadLength)?;
        if gathered.length.is_some_and(|earlier| earlier != length) {
            return Err(Error::TwoLengths);
        }
        gathered.length = Some(length);
    } else if is("transfer-encoding") {
        gathered.transfer = gathered.transfer.with(field.value);
    } else if is("connection") {
        gathered.closes |= body::has_token(field.value, "close");
        gathered.keeps |= body::has_token(field.value, "keep-alive");
    } else if is("expect") {
        let known = field.value.trim_ascii().eq_ignore_ascii_case(b"100-continue");
        gathered.expectation = Some(known && gathered.expectation != Some(false));
    } else if is("content-encoding") {
        gathered.encodings.push(text(field.value));
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn framing_of(gathered: &Gathered, version_11: bool) -> Result<Framing, Error> {
    match (gathered.transfer, gathered.length) {
        (body::TransferEncoding::None, None | Some(0)) => Ok(Framing::None),
        (body::TransferEncoding::None, Some(length)) => Ok(Framing::Length(length)),
        (_, Some(_)) => Err(Error::LengthAndTransferEncoding),
        // HTTP/1.0 has no chunks: a peer in between may take the whole for a body of its own.
        (body::TransferEncoding::Chunked, None) if version_11 => Ok(Framing::Chunked),
        (_, None) => Err(Error::TransferEncoding),
    }
}

fn encoding_of(values: &[String]) -> Encoding {
    let joined = values.join(", ");
    match joined.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Encoding::Identity,
        "gzip" | "x-gzip" => Encoding::Gzip,
        _ => Encoding::Other(joined),
    }
}

fn keep(fields: &mut Fields, field: &httparse::Header<'_>) {
    let slot = match field.name.to_ascii_lowercase().as_str() {
        "authorization" => &mut fields.authorization,
        "accept" => &mut fields.accept,
        "accept-encoding" => &mut fields.accept_encoding,
        "content-type" => &mut fields.content_type,
        "request-id" => &mut fields.request_id,
        "x-request-id" => &mut fields.x_request_id,
        "origin" => &mut fields.origin,
        "prefer" => &mut fields.prefer,
        "user-agent" => &mut fields.user_agent,
        _ => return,
    };
    slot.get_or_insert_with(|| text(field.value));
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.trim_ascii()).into_owned()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
