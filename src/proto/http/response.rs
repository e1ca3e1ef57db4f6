//! The head of a response that a backend sent us, and the framing of its body.
//!
//! Shape: RFC 9112 sections 4 and 6.3. Interim answers (1xx) are skipped. A response whose end two readers
//! could see differently is an error: the next answer on that connection could be a forged one.

use std::fmt;

use super::body::{self, Body, Framing};
use super::scan::{self, Scan};
use crate::base::limits::HEADERS_MAX;

/// What a backend answered, before its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// All fields as sent, the hop-by-hop ones too.
    pub fields: Vec<(String, String)>,
    pub body: Framing,
    /// The connection may carry another request after the body.
    pub keep_alive: bool,
}

impl Head {
    /// The first field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    Malformed,
    TooLarge,
    /// A length that is none, two of them, or a length beside chunks.
    Framing,
    /// `101 Switching Protocols`, which nobody asked for.
    Upgrade,
    Body(body::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Malformed => f.write_str("malformed response head"),
            Error::TooLarge => f.write_str("response head is too large"),
            Error::Framing => f.write_str("ambiguous response framing"),
            Error::Upgrade => f.write_str("response switches protocols"),
            Error::Body(error) => error.fmt(f),
        }
    }
}

/// Reads the head of one answer out of bytes that arrive in pieces.
#[derive(Debug)]
pub struct Reader {
    scan: Scan,
    /// The request was `HEAD`: its answer has no body, whatever it says.
    is_head: bool,
    /// Length of the interim answers so far.
    skipped: usize,
}

impl Reader {
    pub fn new(is_head: bool) -> Reader {
        Reader { scan: Scan::default(), is_head, skipped: 0 }
    }

    /// `bytes` is all that has arrived since the request went out. Returns the final head and how many bytes
    /// stand before its body.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<(Head, usize)>, Error> {
        loop {
            let rest = &bytes[self.skipped..];
            let Some(length) = self.scan.find(rest).map_err(of_scan)? else { return Ok(None) };
            let head = parse(&rest[..length], self.is_head)?;
            self.skipped += length;
            match head.status {
                101 => return Err(Error::Upgrade),
                100..=199 => self.scan = Scan::default(),
                _ => return Ok(Some((head, self.skipped))),
            }
        }
    }
}

fn of_scan(error: scan::Error) -> Error {
    match error {
        scan::Error::BareLineFeed => Error::Malformed,
        scan::Error::FirstLineTooLong | scan::Error::TooLarge => Error::TooLarge,
    }
}

fn parse(bytes: &[u8], is_head: bool) -> Result<Head, Error> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Error::TooLarge),
        Ok(_) | Err(_) => return Err(Error::Malformed),
    }
    let (Some(status), Some(minor)) = (response.code, response.version) else {
        return Err(Error::Malformed);
    };
    if status < 100 {
        return Err(Error::Malformed);
    }
    let framing = framing_of(response.headers)?;
    let has_none = is_head || matches!(status, 100..=199 | 204 | 304);
    let framing = if has_none { Framing::None } else { framing };
    let fields = response.headers.iter().map(|field| {
        let value = String::from_utf8_lossy(field.value.trim_ascii()).into_owned();
        (field.name.to_owned(), value)
    });
    let keep_alive = framing != Framing::UntilClose && keeps_alive(response.headers, minor == 1);
    Ok(Head { status, fields: fields.collect(), body: framing, keep_alive })
}

fn values<'a>(
    fields: &'a [httparse::Header<'a>],
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> + 'a {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value)
}

fn framing_of(fields: &[httparse::Header<'_>]) -> Result<Framing, Error> {
    let mut length = None;
    for value in values(fields, "content-length") {
        let one = body::length_of(value).ok_or(Error::Framing)?;
        if length.replace(one).is_some_and(|earlier| earlier != one) {
            return Err(Error::Framing);
        }
    }
    let none = body::TransferEncoding::None;
    let transfer = values(fields, "transfer-encoding").fold(none, body::TransferEncoding::with);
    match (transfer, length) {
        (body::TransferEncoding::None, None) => Ok(Framing::UntilClose),
        (body::TransferEncoding::None, Some(0)) => Ok(Framing::None),
        (body::TransferEncoding::None, Some(length)) => Ok(Framing::Length(length)),
        (body::TransferEncoding::Chunked, None) => Ok(Framing::Chunked),
        (body::TransferEncoding::Foreign, _) | (_, Some(_)) => Err(Error::Framing),
    }
}

fn keeps_alive(fields: &[httparse::Header<'_>], version_11: bool) -> bool {
    let says = |token| values(fields, "connection").any(|value| body::has_token(value, token));
    !says("close") && (version_11 || says("keep-alive"))
}

/// Collects one whole answer from bytes in pieces, for answers that are small; the caller bounds them.
#[derive(Debug)]
pub struct Whole {
    pub head: Head,
    pub content: Vec<u8>,
    body: Body,
}

impl Whole {
    pub fn new(head: Head) -> Whole {
        let body = Body::new(head.body);
        Whole { head, content: Vec::new(), body }
    }

    /// Takes from the front of `input`; how much.
    pub fn push(&mut self, input: &[u8]) -> Result<usize, Error> {
        let mut at = 0;
        while at < input.len() && !self.body.is_done() {
            let (taken, content) = self.body.take(&input[at..]).map_err(Error::Body)?;
            self.content.extend_from_slice(content);
            at += taken;
        }
        Ok(at)
    }

    pub fn is_done(&self) -> bool {
        self.body.is_done()
    }

    /// The backend has closed.
    pub fn close(&mut self) -> Result<(), Error> {
        self.body.close().map_err(Error::Body)
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
