//! Takes the chunk framing off a body, byte by byte where it must, slice by slice where it can.
//!
//! Shape: RFC 9112 section 7.1. Units: sizes are hexadecimal bytes. Errors: anything that another parser
//! might read as a different size or end. Extensions and trailers are ignored, and bounded.

use std::fmt;

/// Extensions and trailers of one body together, in bytes.
const IGNORED_BYTES_MAX: usize = 16 * 1024;

/// A `u64` in hexadecimal; more digits are refused even if they are zeros.
const SIZE_DIGITS_MAX: u8 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    BadSize,
    /// Something else than a line end stands where a chunk or its size line has to end.
    BadLineEnd,
    /// More extensions and trailers than anyone needs.
    TooMuchIgnored,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::BadSize => "invalid byte in chunk length",
            Error::BadLineEnd => "malformed chunked encoding",
            Error::TooMuchIgnored => "too many chunk extensions or trailers",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the digits of a size; so many of them were seen.
    Size(u8),
    /// Blanks after a size, before an extension or the line end.
    Blank,
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    /// At the start of a trailer line; a line end here ends the body.
    TrailerStart,
    Trailer,
    TrailerLineFeed,
    EndLineFeed,
    Done,
}

/// A decoder for one body.
#[derive(Debug)]
pub struct Chunked {
    state: State,
    /// The size that is being read, then what is left of the chunk.
    left: u64,
    ignored: usize,
}

impl Default for Chunked {
    fn default() -> Chunked {
        Chunked { state: State::Size(0), left: 0, ignored: 0 }
    }
}

impl Chunked {
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes from the front of `input` up to and including the next piece of content, or all there is:
    /// how much was taken, and the content.
    pub fn take<'a>(&mut self, input: &'a [u8]) -> Result<(usize, &'a [u8]), Error> {
        let mut at = 0;
        while at < input.len() {
            match self.state {
                State::Done => break,
                State::Data => {
                    let left = usize::try_from(self.left).unwrap_or(usize::MAX);
                    let end = at + left.min(input.len() - at);
                    self.left -= (end - at) as u64;
                    if self.left == 0 {
                        self.state = State::DataReturn;
                    }
                    return Ok((end, &input[at..end]));
                }
                _ => self.state = self.after(input[at])?,
            }
            at += 1;
        }
        Ok((at, &[]))
    }

    /// The state after one byte of framing.
    fn after(&mut self, byte: u8) -> Result<State, Error> {
        match (self.state, byte) {
            (State::Size(digits), _) if byte.is_ascii_hexdigit() => self.digit(digits, byte),
            (State::Size(0), _) => Err(Error::BadSize),
            (State::Size(_) | State::Blank | State::Extension, b'\r') => Ok(State::SizeLineFeed),
            (State::Size(_) | State::Blank, b' ' | b'\t') => self.ignore(State::Blank),
            (State::Size(_) | State::Blank, b';') => self.ignore(State::Extension),
            (State::Size(_) | State::Blank, _) => Err(Error::BadSize),
            (State::Extension, b'\n' | 0) => Err(Error::BadLineEnd),
            (State::Extension, _) => self.ignore(State::Extension),
            (State::SizeLineFeed, b'\n') if self.left == 0 => Ok(State::TrailerStart),
            (State::SizeLineFeed, b'\n') => Ok(State::Data),
            (State::DataReturn, b'\r') => Ok(State::DataLineFeed),
            (State::DataLineFeed, b'\n') => Ok(State::Size(0)),
            (State::TrailerStart, b'\r') => Ok(State::EndLineFeed),
            (State::Trailer, b'\r') => Ok(State::TrailerLineFeed),
            (State::TrailerStart | State::Trailer, b'\n' | 0) => Err(Error::BadLineEnd),
            (State::TrailerStart | State::Trailer, _) => self.ignore(State::Trailer),
            (State::TrailerLineFeed, b'\n') => Ok(State::TrailerStart),
            (State::EndLineFeed, b'\n') => Ok(State::Done),
            _ => Err(Error::BadLineEnd),
        }
    }

    fn digit(&mut self, digits: u8, byte: u8) -> Result<State, Error> {
        if digits == SIZE_DIGITS_MAX {
            return Err(Error::BadSize);
        }
        let before = if digits == 0 { 0 } else { self.left };
        let digit = char::from(byte).to_digit(16).ok_or(Error::BadSize)?;
        self.left = (before << 4) | u64::from(digit);
        Ok(State::Size(digits + 1))
    }

    fn ignore(&mut self, next: State) -> Result<State, Error> {
        self.ignored += 1;
        if self.ignored > IGNORED_BYTES_MAX { Err(Error::TooMuchIgnored) } else { Ok(next) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes `input`, given in pieces of at most `piece` bytes: content, and what was not taken.
    fn decode(input: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), Error> {
        let mut chunked = Chunked::default();
        let mut content = Vec::new();
        let mut at = 0;
        let mut end = piece.min(input.len());
        while at < input.len() && !chunked.is_done() {
            let (taken, data) = chunked.take(&input[at..end])?;
            content.extend_from_slice(data);
            at += taken;
            assert!(taken > 0 || chunked.is_done());
            if at == end {
                end = (end + piece).min(input.len());
            }
        }
        Ok((content, input.len() - at, chunked.is_done()))
    }

    fn encode(content: &[u8], sizes: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = content;
        for size in sizes.iter().copied().chain([content.len().max(1)]) {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            if !chunk.is_empty() {
                out.extend_from_slice(format!("{:x};n=v\r\n", chunk.len()).as_bytes());
                out.extend_from_slice(chunk);
                out.extend_from_slice(b"\r\n");
            }
            rest = after;
        }
        out.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
        out
    }

    #[test]
    fn extensions_and_trailers_are_ignored_and_the_next_request_is_left() {
        let body = b"4\r\nch v\r\n6 ;x=y\r\n=3 3\n#\r\n0\r\nX-Trail: 1\r\n\r\nGET /";
        for piece in 1..body.len() {
            let (content, left, done) = decode(body, piece).unwrap();
            assert_eq!((content.as_slice(), done), (&b"ch v=3 3\n#"[..], true), "piece {piece}");
            assert_eq!(left, 5, "piece {piece}");
        }
    }

    #[test]
    fn what_another_parser_could_read_differently_is_refused() {
        let cases: [(&[u8], Error); 11] = [
            (b"zz\r\n", Error::BadSize),
            (b"\r\n", Error::BadSize),
            (b"-1\r\n", Error::BadSize),
            (b"+1\r\n", Error::BadSize),
            (b"0x1\r\n", Error::BadSize),
            (b"1 2\r\n", Error::BadSize),
            (b"10000000000000000\r\n", Error::BadSize),
            (b"00000000000000001\r\n", Error::BadSize),
            (b"1\nab\r\n", Error::BadSize),
            (b"1;a\nb\r\n", Error::BadLineEnd),
            (b"1\r\nab\r\n", Error::BadLineEnd),
        ];
        for (input, error) in cases {
            assert_eq!(decode(input, 1).unwrap_err(), error, "{}", String::from_utf8_lossy(input));
            assert_eq!(decode(input, input.len()).unwrap_err(), error);
        }
    }

    #[test]
    fn the_largest_size_does_not_overflow() {
        let (content, left, done) = decode(b"ffffffffffffffff\r\nabc", 2).unwrap();
        assert_eq!((content.as_slice(), left, done), (&b"abc"[..], 0, false));
    }

    #[test]
    fn ignored_bytes_are_bounded() {
        let mut body = b"1;".to_vec();
        body.resize(IGNORED_BYTES_MAX + 10, b'x');
        assert_eq!(decode(&body, 100).unwrap_err(), Error::TooMuchIgnored);
        let mut body = b"0\r\nA: ".to_vec();
        body.resize(IGNORED_BYTES_MAX + 10, b'x');
        assert_eq!(decode(&body, 100).unwrap_err(), Error::TooMuchIgnored);
    }

    proptest! {
        #[test]
        fn every_cut_gives_the_same_content(
            content in proptest::collection::vec(any::<u8>(), 0..300),
            sizes in proptest::collection::vec(1usize..40, 0..20),
            piece in 1usize..50,
        ) {
            let body = encode(&content, &sizes);
            prop_assert_eq!(decode(&body, piece).unwrap(), (content, 0, true));
        }

        #[test]
        fn no_input_panics_and_no_cut_changes_the_verdict(
            input in proptest::collection::vec(prop_oneof![
                any::<u8>(),
                proptest::sample::select(b"0123aF\r\n;: ".to_vec()),
            ], 0..80),
            piece in 1usize..10,
        ) {
            prop_assert_eq!(decode(&input, piece), decode(&input, input.len().max(1)));
        }
    }
}
