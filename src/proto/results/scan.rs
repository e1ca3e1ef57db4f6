//! JSON, as far as a line of results needs it: strings are decoded, all else stays text.

use std::borrow::Cow;

use super::Malformed;

/// A value nested deeper than this is refused.
const DEPTH_MAX: usize = 64;

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0 }
    }

    /// The next byte that is no blank; it is not taken.
    pub fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Takes this byte if it is next.
    pub fn accept(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    pub fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.accept(byte) { Ok(()) } else { Err(self.malformed()) }
    }

    pub fn malformed(&self) -> Malformed {
        Malformed { at: self.at }
    }

    /// A string, decoded.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let raw = self.raw_string()?;
        let inner = &raw[1..raw.len() - 1];
        if !inner.contains('\\') {
            return Ok(Cow::Borrowed(inner));
        }
        serde_json::from_str(raw).map(Cow::Owned).map_err(|_| self.malformed())
    }

    /// A string with its quotes, as it stands.
    fn raw_string(&mut self) -> Result<&'a str, Malformed> {
        self.expect(b'"')?;
        let begin = self.at - 1;
        let bytes = self.text.as_bytes();
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let found = memchr::memchr2(b'"', b'\\', rest).ok_or_else(|| self.malformed())?;
            self.at += found + 1;
            if rest[found] == b'"' {
                return self.text.get(begin..self.at).ok_or_else(|| self.malformed());
            }
            self.at += 1;
        }
    }

    /// Any value, as it stands.
    pub fn value(&mut self) -> Result<&'a str, Malformed> {
        let first = self.peek().ok_or_else(|| self.malformed())?;
        let begin = self.at;
        match first {
            b'"' => {
                self.raw_string()?;
            }
            b'[' | b'{' => self.nested()?,
            _ => self.plain()?,
        }
        self.text.get(begin..self.at).ok_or_else(|| self.malformed())
    }

    /// A number or a word.
    fn plain(&mut self) -> Result<(), Malformed> {
        let begin = self.at;
        let bytes = self.text.as_bytes();
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        while bytes.get(self.at).is_some_and(is_part) {
            self.at += 1;
        }
        if self.at == begin { Err(self.malformed()) } else { Ok(()) }
    }

    /// An array or an object; that its brackets match is all that is looked at.
    fn nested(&mut self) -> Result<(), Malformed> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(byte @ (b'[' | b'{')) if open.len() < DEPTH_MAX => {
                    open.push(byte + 2);
                    self.at += 1;
                }
                Some(byte @ (b']' | b'}')) if open.last() == Some(&byte) => {
                    open.pop();
                    self.at += 1;
                }
                Some(b'"') => {
                    self.raw_string()?;
                }
                Some(b',' | b':') => self.at += 1,
                Some(_) => self.plain()?,
                None => return Err(self.malformed()),
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    /// A list of rows without blanks, lists or objects in them: their text, and where each ends in it. `None` and
    /// nothing taken if it is anything else. Most of an answer is this, so it looks only at what can end a row.
    pub fn plain_rows(&mut self) -> Option<(&'a str, Vec<usize>)> {
        let bytes = self.text.as_bytes();
        if !bytes.get(self.at..)?.starts_with(b"[[") {
            return None;
        }
        let begin = self.at + 1;
        let (mut at, mut ends) = (begin, Vec::new());
        loop {
            at = end_of_row(bytes, at + 1)?;
            ends.push(at - begin);
            match bytes.get(at..at + 2)? {
                b",[" => at += 1,
                [b']', _] => break,
                _ => return None,
            }
        }
        let text = self.text.get(begin..at)?;
        if memchr::memchr2(b'{', b'}', text.as_bytes()).is_some() {
            return None;
        }
        self.at = at + 1;
        Some((text, ends))
    }

    /// Whether nothing but blanks is left.
    pub fn is_done(&mut self) -> bool {
        self.peek().is_none()
    }
}

/// What follows the bracket that closes a row; `at` is behind the one that opens it.
fn end_of_row(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(at..)?;
        let found = memchr::memchr3(b'"', b'[', b']', rest)?;
        at += found + 1;
        match rest[found] {
            b']' => return Some(at),
            b'"' => at = end_of_string(bytes, at)?,
            _ => return None,
        }
    }
}

/// What follows the quote that closes a string; `at` is behind the one that opens it.
fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(at..)?;
        let found = memchr::memchr2(b'"', b'\\', rest)?;
        at += found + 1;
        if rest[found] == b'"' {
            return Some(at);
        }
        at += 1;
    }
}
