//! Where a body ends, for requests and responses alike.

use std::fmt;

use super::chunked::{self, Chunked};

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// So many bytes, at least one.
    Length(u64),
    Chunked,
    /// All until the peer closes: only in a response.
    UntilClose,
}

/// What the `Transfer-Encoding` fields say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TransferEncoding {
    #[default]
    None,
    Chunked,
    Foreign,
}

impl TransferEncoding {
    /// One more field. Chunks within chunks, and anything but chunks, are foreign to us.
    pub(super) fn with(self, value: &[u8]) -> TransferEncoding {
        let is_chunked = value.trim_ascii().eq_ignore_ascii_case(b"chunked");
        if is_chunked && self == TransferEncoding::None {
            TransferEncoding::Chunked
        } else {
            TransferEncoding::Foreign
        }
    }
}

/// A `Content-Length`: digits only; a sign, a list or more than a `u64` is none.
pub(super) fn length_of(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Is `token` among the comma-separated words of a field?
pub(super) fn has_token(value: &[u8], token: &str) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|word| word.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    Chunk(chunked::Error),
    /// The peer closed before the promised end.
    Truncated,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Chunk(error) => error.fmt(f),
            Error::Truncated => f.write_str("unexpected EOF"),
        }
    }
}

/// Takes the framing off a body that arrives in pieces.
#[derive(Debug)]
pub struct Body {
    state: State,
}

#[derive(Debug)]
enum State {
    Left(u64),
    Chunked(Chunked),
    UntilClose,
    Done,
}

impl Body {
    pub fn new(framing: Framing) -> Body {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Left(length),
            Framing::Chunked => State::Chunked(Chunked::default()),
            Framing::UntilClose => State::UntilClose,
        };
        Body { state }
    }

    /// Takes from the front of `input`: how much, and what of that is content. Takes everything up to the
    /// end of the body if called until it is done or takes nothing.
    pub fn take<'a>(&mut self, input: &'a [u8]) -> Result<(usize, &'a [u8]), Error> {
        match &mut self.state {
            State::Done => Ok((0, &[])),
            State::UntilClose => Ok((input.len(), input)),
            State::Left(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= length as u64;
                if *left == 0 {
                    self.state = State::Done;
                }
                Ok((length, &input[..length]))
            }
            State::Chunked(chunked) => {
                let taken = chunked.take(input).map_err(Error::Chunk)?;
                if chunked.is_done() {
                    self.state = State::Done;
                }
                Ok(taken)
            }
        }
    }

    /// How much is still to come, where the length was told.
    pub fn left(&self) -> Option<usize> {
        match self.state {
            State::Left(left) => Some(usize::try_from(left).unwrap_or(usize::MAX)),
            State::Done | State::Chunked(_) | State::UntilClose => None,
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The peer has closed: was that the end of the body?
    pub fn close(&mut self) -> Result<(), Error> {
        match self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            State::Left(_) | State::Chunked(_) => Err(Error::Truncated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_digits_and_nothing_else() {
        assert_eq!(length_of(b" 12 "), Some(12));
        assert_eq!(length_of(b"18446744073709551615"), Some(u64::MAX));
        for bad in [&b"-1"[..], b"+1", b"", b" ", b"1,1", b"0x1", b"18446744073709551616", b"1 2"] {
            assert_eq!(length_of(bad), None, "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn a_body_never_takes_what_follows_it() {
        let mut body = Body::new(Framing::Length(3));
        assert_eq!(body.take(b"ab"), Ok((2, &b"ab"[..])));
        assert_eq!(body.close(), Err(Error::Truncated));
        assert_eq!(body.take(b"cGET"), Ok((1, &b"c"[..])));
        assert!(body.is_done());
        assert_eq!(body.take(b"GET"), Ok((0, &b""[..])));
        assert_eq!(body.close(), Ok(()));
    }

    #[test]
    fn until_close_ends_only_with_the_connection() {
        let mut body = Body::new(Framing::UntilClose);
        assert_eq!(body.take(b"ab"), Ok((2, &b"ab"[..])));
        assert!(!body.is_done());
        assert_eq!(body.close(), Ok(()));
        assert!(body.is_done());
    }

    #[test]
    fn tokens_are_words_between_commas() {
        assert!(has_token(b"Keep-Alive, Close", "close"));
        assert!(!has_token(b"closed", "close"));
        assert_eq!(TransferEncoding::None.with(b"Chunked"), TransferEncoding::Chunked);
        assert_eq!(TransferEncoding::Chunked.with(b"chunked"), TransferEncoding::Foreign);
        assert_eq!(TransferEncoding::None.with(b"gzip, chunked"), TransferEncoding::Foreign);
    }
}
