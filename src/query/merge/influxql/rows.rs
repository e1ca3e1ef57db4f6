//! Lists that are one series on one server, each row known to one backend: SHOW MEASUREMENTS, SHOW SERIES.

use super::Conflict;
use crate::proto::results::{Rows, Series, cells, string};
use std::cmp::Ordering;
use std::collections::VecDeque;

/// What the rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The first cell.
    Name,
    /// The measurement in the series key that is the first cell, then the rest of it.
    SeriesKey,
}

/// Merges sorted rows, drops those that come twice, and takes the part of them that was asked for.
#[derive(Debug)]
pub(super) struct RowMerge {
    key: Key,
    offset: u64,
    limit: Option<u64>,
    piece_rows: usize,
    /// The next row of the first piece of each source.
    at: Vec<usize>,
    head: Option<Series>,
    rows: Rows,
    last: Option<String>,
}

impl RowMerge {
    pub fn new(
        key: Key,
        offset: u64,
        limit: Option<u64>,
        piece_rows: usize,
        sources: usize,
    ) -> RowMerge {
        RowMerge {
            key,
            offset,
            limit,
            piece_rows,
            at: vec![0; sources],
            head: None,
            rows: Rows::default(),
            last: None,
        }
    }

    pub fn is_full(&self) -> bool {
        self.limit == Some(0)
    }

    /// Takes rows until a piece is whole, or a source has run out: then nothing.
    pub fn next(
        &mut self,
        sources: &mut [&mut VecDeque<Series>],
    ) -> Result<Option<Series>, Conflict> {
        loop {
            let had = sources.iter().filter(|pieces| !pieces.is_empty()).count();
            self.drop_read(sources);
            let has = sources.iter().filter(|pieces| !pieces.is_empty()).count();
            if has < had || has == 0 || self.is_full() {
                return Ok(None);
            }
            let Some((source, text)) = self.least(sources)? else { return Ok(None) };
            if self.last.as_ref() == Some(&text) {
                self.at[source] += 1;
                continue;
            }
            if self.offset == 0 && self.rows.len() == self.piece_rows {
                return Ok(self.piece(true));
            }
            self.take(sources[source], source);
            self.last = Some(text);
        }
    }

    /// What is left at the end.
    pub fn last(&mut self) -> Option<Series> {
        self.piece(false)
    }

    fn piece(&mut self, partial: bool) -> Option<Series> {
        if self.rows.is_empty() {
            return None;
        }
        let rows = Some(std::mem::take(&mut self.rows));
        self.head.as_ref().map(|head| Series { rows, partial, ..head.head() })
    }

    fn drop_read(&mut self, sources: &mut [&mut VecDeque<Series>]) {
        for (at, pieces) in self.at.iter_mut().zip(sources) {
            let rows = |piece: &Series| piece.rows.as_ref().map_or(0, Rows::len);
            while pieces.front().is_some_and(|piece| *at >= rows(piece)) {
                pieces.pop_front();
                *at = 0;
            }
        }
    }

    /// The source with the least row, and the text of its first cell.
    fn least(
        &self,
        sources: &[&mut VecDeque<Series>],
    ) -> Result<Option<(usize, String)>, Conflict> {
        let mut least: Option<(usize, String)> = None;
        for (source, pieces) in sources.iter().enumerate() {
            let Some(rows) = pieces.front().and_then(|piece| piece.rows.as_ref()) else { continue };
            let row = rows.row(self.at[source]).unwrap_or_default();
            let text = cells(row).next().and_then(string).ok_or(Conflict::Order)?.into_owned();
            let is_less = |(_, known): &(usize, String)| self.compare(&text, known).is_lt();
            if least.as_ref().is_none_or(is_less) {
                least = Some((source, text));
            }
        }
        Ok(least)
    }

    fn take(&mut self, pieces: &VecDeque<Series>, source: usize) {
        let at = self.at[source];
        self.at[source] += 1;
        if self.offset > 0 {
            self.offset -= 1;
            return;
        }
        let Some(piece) = pieces.front() else { return };
        if self.head.is_none() {
            self.head = Some(piece.head());
        }
        if let Some(row) = piece.rows.as_ref().and_then(|rows| rows.row(at)) {
            self.rows.push(row);
            self.limit = self.limit.map(|limit| limit - 1);
        }
    }

    fn compare(&self, a: &str, b: &str) -> Ordering {
        match self.key {
            Key::Name => a.cmp(b),
            Key::SeriesKey => measurement(a).cmp(&measurement(b)).then_with(|| a.cmp(b)),
        }
    }
}

/// The measurement of a series key in line protocol, without its escapes.
fn measurement(key: &str) -> String {
    let mut out = String::new();
    let mut chars = key.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(next @ (',' | ' '))) => {
                out.push(*next);
                chars.next();
            }
            (',', _) => break,
            (c, _) => out.push(c),
        }
    }
    out
}
