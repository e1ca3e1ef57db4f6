//! Finds the end of a head in bytes that arrive in pieces, looking at every byte once.

use crate::base::limits::{HEAD_BYTES_MAX, URL_BYTES_MAX};

/// Room for the method, the version and two blanks beside a target of full length, in bytes.
const REQUEST_LINE_EXTRA: usize = 64;

/// Why there will never be a head here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A line feed without a carriage return before it: servers disagree on what that ends.
    BareLineFeed,
    /// The first line alone is longer than a target may be.
    FirstLineTooLong,
    /// No end within the limit.
    TooLarge,
}

/// Where the search stands. One scan serves one head.
#[derive(Debug, Default)]
pub struct Scan {
    /// Everything before this was looked at.
    seen: usize,
    line_start: usize,
    first_line_ended: bool,
}

impl Scan {
    /// `bytes` is all that has arrived since the head began. Returns its length, with the empty line.
    pub fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        let window = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
        while let Some(offset) = memchr::memchr(b'\n', &window[self.seen..]) {
            let at = self.seen + offset;
            self.seen = at + 1;
            if at == self.line_start || window[at - 1] != b'\r' {
                return Err(Error::BareLineFeed);
            }
            let empty = at - 1 == self.line_start;
            self.line_start = at + 1;
            // Empty lines before the first one are left over from a careless client's last body.
            if empty && self.first_line_ended {
                return Ok(Some(at + 1));
            }
            self.first_line_ended |= !empty;
        }
        self.seen = window.len();
        if !self.first_line_ended && window.len() > URL_BYTES_MAX + REQUEST_LINE_EXTRA {
            return Err(Error::FirstLineTooLong);
        }
        if bytes.len() >= HEAD_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(bytes: &[u8]) -> Result<Option<usize>, Error> {
        Scan::default().find(bytes)
    }

    #[test]
    fn a_head_ends_with_its_empty_line() {
        assert_eq!(find(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody"), Ok(Some(27)));
        assert_eq!(find(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"), Ok(Some(22)));
        assert_eq!(find(b"GET / HTTP/1.1\r\nHost: a\r\n\r"), Ok(None));
    }

    #[test]
    fn a_bare_line_feed_is_an_error_at_once() {
        assert_eq!(find(b"GET / HTTP/1.1\n"), Err(Error::BareLineFeed));
        assert_eq!(find(b"\n"), Err(Error::BareLineFeed));
        assert_eq!(find(b"GET / HTTP/1.1\r\n\n"), Err(Error::BareLineFeed));
    }

    #[test]
    fn what_never_ends_is_refused_within_the_limit() {
        assert_eq!(find(&[b'a'; 9000]), Err(Error::FirstLineTooLong));
        let mut long = b"GET / HTTP/1.1\r\nA: ".to_vec();
        long.resize(HEAD_BYTES_MAX, b'a');
        assert_eq!(find(&long), Err(Error::TooLarge));
    }

    #[test]
    fn the_cut_into_reads_changes_nothing() {
        let head = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut scan = Scan::default();
        for end in 0..head.len() {
            assert_eq!(scan.find(&head[..end]), Ok(None));
        }
        assert_eq!(scan.find(head), Ok(Some(head.len())));
    }
}
