//! Rows and cells, found without being changed.

use std::borrow::Cow;

/// The cells of a row without its line end, as they are written.
pub struct Cells<'r> {
    row: Option<&'r [u8]>,
    delimiter: u8,
}

impl<'r> Cells<'r> {
    pub fn new(row: &'r [u8], delimiter: u8) -> Cells<'r> {
        Cells { row: Some(row), delimiter }
    }
}

impl<'r> Iterator for Cells<'r> {
    type Item = &'r [u8];

    fn next(&mut self) -> Option<&'r [u8]> {
        let row = self.row?;
        let end = cell_end(row, self.delimiter);
        self.row = row.get(end + 1..);
        Some(&row[..end])
    }
}

/// Where the first cell of a row ends: at a delimiter outside of quotes, or at the end.
fn cell_end(row: &[u8], delimiter: u8) -> usize {
    if row.first() != Some(&b'"') {
        return memchr::memchr(delimiter, row).unwrap_or(row.len());
    }
    let mut at = 1;
    loop {
        match memchr::memchr(b'"', &row[at..]) {
            None => return row.len(),
            Some(quote) => at += quote + 1,
        }
        if row.get(at) != Some(&b'"') {
            return at + memchr::memchr(delimiter, &row[at..]).unwrap_or(row.len() - at);
        }
        at += 1;
    }
}

/// Whether each quote of a row opens or closes a cell, or is one of two inside of it. Nothing else tells for certain
/// where a cell ends, and it would end elsewhere beside other cells.
pub(super) fn is_sound(row: &[u8], delimiter: u8) -> bool {
    memchr::memchr(b'"', row).is_none()
        || Cells::new(row, delimiter).all(|cell| match cell.strip_prefix(b"\"") {
            None => memchr::memchr(b'"', cell).is_none(),
            Some(rest) => rest.strip_suffix(b"\"").is_some_and(are_doubled),
        })
}

fn are_doubled(mut inner: &[u8]) -> bool {
    while let Some(at) = memchr::memchr(b'"', inner) {
        if inner.get(at + 1) != Some(&b'"') {
            return false;
        }
        inner = &inner[at + 2..];
    }
    true
}

/// What a cell says.
pub fn unquoted(cell: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = cell.strip_prefix(b"\"") else { return Cow::Borrowed(cell) };
    let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
    if memchr::memchr(b'"', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().peekable();
    while let Some(byte) = bytes.next() {
        text.push(*byte);
        if *byte == b'"' {
            bytes.next_if(|next| **next == b'"');
        }
    }
    Cow::Owned(text)
}

/// A text as a cell: quoted where it must be.
pub fn plain(text: &str, delimiter: u8) -> Vec<u8> {
    let special = |byte: u8| byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n');
    if !text.bytes().any(special) && !text.starts_with([' ', '\t']) {
        return text.as_bytes().to_vec();
    }
    format!("\"{}\"", text.replace('"', "\"\"")).into_bytes()
}

/// Finds the ends of rows in bytes that grow.
#[derive(Debug, Default)]
pub(super) struct RowScan {
    /// Bytes that were looked at.
    scanned: usize,
    /// They end inside of quotes.
    quoted: bool,
}

impl RowScan {
    /// The length of the first row with its line end. `bytes` are those of the last call, and maybe more, until a
    /// row was found.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(next) = memchr::memchr2(b'\n', b'"', &bytes[self.scanned..]) {
            let at = self.scanned + next;
            self.scanned = at + 1;
            if bytes[at] == b'"' {
                self.quoted = !self.quoted;
            } else if !self.quoted {
                *self = RowScan::default();
                return Some(at + 1);
            }
        }
        self.scanned = bytes.len();
        None
    }

    pub(super) fn is_quoted(&self) -> bool {
        self.quoted
    }
}
