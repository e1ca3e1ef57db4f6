//! Results JSON: what `/query` answers, read piece by piece and written again as one server writes it.
//!
//! Promises: a cell goes through as the bytes it came as, so no number is ever rounded; what is written is what
//! InfluxDB 1.6 writes, byte for byte, as JSON (plain, indented, chunked) or CSV; no input panics.
//!
//! Does not know: who answered, nor which answers belong together.
//!
//! Read in this order: [`Series`] here, `scan` (JSON as far as it is needed), `read` (a line to [`Part`]s),
//! `text` (strings as Go spells them), `json` and `csv` (the two forms), `write` (which of both, and when).
//!
//! The shape of a line (one whole answer, or one chunk of one), keys in this order, each but the first may be absent:
//! `{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"k":"v"},"columns":["time","f"],`
//! `"values":[[0,1.5]],"partial":true}],"partial":true,"error":"text"}]}`, or `{"error":"text"}`. As seen of
//! InfluxDB 1.6.7.

mod csv;
mod json;
mod read;
mod scan;
mod text;
mod write;

#[cfg(test)]
mod tests;

pub use read::{Line, Malformed, Part, read};
pub use text::quote;
pub use write::{Form, Writer};

use scan::Scanner;
use std::borrow::Cow;

/// One series, or a piece of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Empty if there is none.
    pub name: String,
    pub tags: Vec<(String, String)>,
    pub columns: Vec<String>,
    /// Absent for a series that lists nothing.
    pub rows: Option<Rows>,
    /// More rows of this series follow.
    pub partial: bool,
}

/// Rows as they came: `[cell,cell],[cell,cell]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    text: String,
    /// Where each row ends in the text.
    ends: Vec<usize>,
}

impl Series {
    /// Whether both are pieces of one series.
    pub fn is_same(&self, other: &Series) -> bool {
        self.name == other.name && self.tags == other.tags && self.columns == other.columns
    }

    /// The same series without its rows.
    pub fn head(&self) -> Series {
        Series {
            name: self.name.clone(),
            tags: self.tags.clone(),
            columns: self.columns.clone(),
            rows: None,
            partial: false,
        }
    }
}

impl Rows {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A row with its brackets.
    pub fn row(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)?;
        // A comma stands between two rows.
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before] + 1);
        self.text.get(begin..end)
    }

    /// Takes a row with its brackets, as [`Rows::row`] gives it.
    pub fn push(&mut self, row: &str) {
        if !self.ends.is_empty() {
            self.text.push(',');
        }
        self.text.push_str(row);
        self.ends.push(self.text.len());
    }

    /// Gives back what it does not need.
    pub fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// All rows, with commas between them.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|at| self.row(at))
    }
}

/// The cells of a row, each as it came.
pub fn cells(row: &str) -> Cells<'_> {
    let inner = row.strip_prefix('[').and_then(|row| row.strip_suffix(']')).unwrap_or_default();
    Cells { scanner: Scanner::new(inner) }
}

pub struct Cells<'a> {
    scanner: Scanner<'a>,
}

impl<'a> Iterator for Cells<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let cell = self.scanner.value().ok()?;
        self.scanner.accept(b',');
        Some(cell)
    }
}

/// The text of a cell that is a string; `None` for any other.
pub fn string(cell: &str) -> Option<Cow<'_, str>> {
    let mut scanner = Scanner::new(cell);
    if scanner.peek() != Some(b'"') {
        return None;
    }
    scanner.string().ok()
}
