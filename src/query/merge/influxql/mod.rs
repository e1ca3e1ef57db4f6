//! Results of one InfluxQL statement from several backends to the result of one server.
//!
//! Promises: series come out in the order in which one server writes them; each cell as its backend wrote it; at most
//! one piece of each backend is held, but for counts and lists that must be equal, which are short.
//!
//! Does not know: JSON, HTTP, nor how the statement read.
//!
//! Read in this order: [`Way`], then [`Merge`], which asks for what it needs next; `rows` for lists that are one
//! series on one server.

mod rows;
#[cfg(test)]
mod tests;

pub use rows::Key;

use crate::proto::results::{Series, cells};
use rows::RowMerge;
use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;

/// How the series of several backends become those of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Each series lies whole on one backend: by name and tags, `descending` or rising. All have the same columns.
    Side { descending: bool },
    /// The same, but a series of two backends is the union of its rows.
    Union,
    /// The same, but a series of two backends is the sum of its one number.
    Sum,
    /// One list, which each backend knows in part and in order.
    Rows { key: Key, offset: u64, limit: Option<u64>, piece_rows: usize },
    /// All backends must say the same.
    Equal,
}

/// Why the answers do not make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A series that only one backend should have.
    Twice(String),
    /// One server gives all series of a statement the same columns and tag keys.
    Columns,
    /// Backends say different things of what all should know.
    Unequal,
    /// A count that is no whole number, or too large a sum.
    Count,
    /// A piece that does not follow from the one before.
    Order,
}

impl fmt::Display for Conflict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::Twice(name) => {
                write!(out, "the series {name:?} comes from several backends")
            }
            Conflict::Columns => out.write_str("the backends name different columns"),
            Conflict::Unequal => out.write_str("the backends do not say the same"),
            Conflict::Count => out.write_str("a count is no whole number"),
            Conflict::Order => out.write_str("a backend broke off a series"),
        }
    }
}

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// More of this source is needed: [`Merge::feed`] or [`Merge::end`].
    Need(usize),
    Piece(Series),
    Done,
}

/// One backend's answer, as far as it has come.
#[derive(Clone, Debug, Default)]
struct Source {
    pieces: VecDeque<Series>,
    has_ended: bool,
}

/// The merger of one statement's results. Lives on: the shard that asked.
#[derive(Debug)]
pub struct Merge {
    way: Way,
    sources: Vec<Source>,
    /// The source whose series has begun and goes on.
    open: Option<usize>,
    /// Of the first series: columns and tag keys.
    shape: Option<Series>,
    rows: Option<RowMerge>,
    is_done: bool,
}

impl Merge {
    pub fn new(way: Way, sources: usize) -> Merge {
        let rows = match &way {
            Way::Rows { key, offset, limit, piece_rows } => {
                Some(RowMerge::new(*key, *offset, *limit, *piece_rows, sources))
            }
            _ => None,
        };
        let sources = (0..sources).map(|_| Source::default()).collect();
        Merge { way, sources, open: None, shape: None, rows, is_done: false }
    }

    /// The next series of a source, in the order in which it sent them.
    pub fn feed(&mut self, source: usize, series: Vec<Series>) {
        self.sources[source].pieces.extend(series);
    }

    /// A source has no more.
    pub fn end(&mut self, source: usize) {
        self.sources[source].has_ended = true;
    }

    pub fn turn(&mut self) -> Result<Turn, Conflict> {
        if self.is_done {
            return Ok(Turn::Done);
        }
        let turn = match &self.way {
            Way::Rows { .. } => self.next_rows(),
            Way::Equal => self.next_equal(),
            Way::Side { .. } | Way::Union | Way::Sum => self.next_series(),
        }?;
        self.is_done = turn == Turn::Done;
        Ok(turn)
    }

    /// A source of which nothing is here, though it has not ended.
    fn hungry(&self) -> Option<usize> {
        self.sources.iter().position(|source| source.pieces.is_empty() && !source.has_ended)
    }

    fn next_series(&mut self) -> Result<Turn, Conflict> {
        if let Some(open) = self.open {
            return self.go_on(open);
        }
        if let Some(hungry) = self.hungry() {
            return Ok(Turn::Need(hungry));
        }
        let heads = self.sources.iter().enumerate();
        let heads = heads.filter_map(|(at, source)| Some((at, source.pieces.front()?)));
        let descending = self.way == Way::Side { descending: true };
        let first =
            heads.min_by(|(_, a), (_, b)| if descending { compare(b, a) } else { compare(a, b) });
        let Some((at, _)) = first else { return Ok(Turn::Done) };
        let mut piece = self.take(at);
        self.check_shape(&piece)?;
        for other in at + 1..self.sources.len() {
            let head = self.sources[other].pieces.front();
            if head.is_some_and(|head| compare(head, &piece) == Ordering::Equal) {
                let more = self.take(other);
                piece = self.both(piece, more)?;
            }
        }
        self.open = piece.partial.then_some(at);
        Ok(Turn::Piece(piece))
    }

    /// The next piece of the series that has begun.
    fn go_on(&mut self, open: usize) -> Result<Turn, Conflict> {
        let source = &mut self.sources[open];
        match source.pieces.pop_front() {
            None if source.has_ended => Err(Conflict::Order),
            None => Ok(Turn::Need(open)),
            Some(piece) => {
                if self.shape.as_ref().is_none_or(|shape| shape.columns != piece.columns) {
                    return Err(Conflict::Columns);
                }
                if !piece.partial {
                    self.open = None;
                }
                Ok(Turn::Piece(piece))
            }
        }
    }

    fn take(&mut self, source: usize) -> Series {
        self.sources[source].pieces.pop_front().expect("its head was looked at")
    }

    /// One backend alone may say what it likes.
    fn check_shape(&mut self, piece: &Series) -> Result<(), Conflict> {
        let Some(shape) = &self.shape else {
            self.shape = Some(piece.head());
            return Ok(());
        };
        let keys = |series: &Series| series.tags.iter().map(|(key, _)| key.clone()).collect();
        let (mine, first): (Vec<String>, Vec<String>) = (keys(piece), keys(shape));
        if self.sources.len() > 1 && (shape.columns != piece.columns || mine != first) {
            return Err(Conflict::Columns);
        }
        if self.sources.len() == 1 {
            self.shape = Some(piece.head());
        }
        Ok(())
    }

    /// One series of two backends.
    fn both(&self, first: Series, second: Series) -> Result<Series, Conflict> {
        if first.partial || second.partial || first.columns != second.columns {
            return Err(Conflict::Twice(first.name));
        }
        match self.way {
            Way::Union => Ok(united(first, &second)),
            Way::Sum => added(first, &second),
            _ => Err(Conflict::Twice(first.name)),
        }
    }

    fn next_equal(&mut self) -> Result<Turn, Conflict> {
        if let Some(at) = self.sources.iter().position(|source| !source.has_ended) {
            return Ok(Turn::Need(at));
        }
        let first = self.sources.first().map(|source| source.pieces.clone()).unwrap_or_default();
        if self.sources.iter().any(|source| source.pieces != first) {
            return Err(Conflict::Unequal);
        }
        // Once they are known to be equal, the first one's go out one by one.
        let mut next = None;
        for source in &mut self.sources {
            next = source.pieces.pop_front();
        }
        Ok(next.map_or(Turn::Done, Turn::Piece))
    }

    fn next_rows(&mut self) -> Result<Turn, Conflict> {
        loop {
            let hungry = self.hungry();
            let rows = self.rows.as_mut().expect("made for this way");
            if let Some(hungry) = hungry.filter(|_| !rows.is_full()) {
                return Ok(Turn::Need(hungry));
            }
            let mut heads: Vec<&mut VecDeque<Series>> =
                self.sources.iter_mut().map(|source| &mut source.pieces).collect();
            if let Some(piece) = rows.next(&mut heads)? {
                return Ok(Turn::Piece(piece));
            }
            let is_read = heads.iter().all(|pieces| pieces.is_empty());
            if rows.is_full() || is_read && self.sources.iter().all(|source| source.has_ended) {
                return Ok(rows.last().map_or(Turn::Done, Turn::Piece));
            }
        }
    }
}

/// By name, then tag values in the order of their keys.
fn compare(a: &Series, b: &Series) -> Ordering {
    let values = |series: &Series| -> Vec<String> {
        series.tags.iter().map(|(_, value)| value.clone()).collect()
    };
    a.name.as_bytes().cmp(b.name.as_bytes()).then_with(|| values(a).cmp(&values(b)))
}

fn united(mut first: Series, second: &Series) -> Series {
    let rows = first.rows.iter().chain(&second.rows);
    let all: BTreeSet<&str> = rows.flat_map(|rows| rows.iter()).collect();
    let mut rows = crate::proto::results::Rows::default();
    all.into_iter().for_each(|row| rows.push(row));
    first.rows = Some(rows);
    first
}

fn added(mut first: Series, second: &Series) -> Result<Series, Conflict> {
    let number = |series: &Series| -> Option<i64> {
        let rows = series.rows.as_ref().filter(|rows| rows.len() == 1)?;
        cells(rows.row(0)?).next()?.parse().ok()
    };
    let sum = number(&first).zip(number(second)).and_then(|(a, b)| a.checked_add(b));
    let sum = sum.ok_or(Conflict::Count)?;
    let mut rows = crate::proto::results::Rows::default();
    rows.push(&format!("[{sum}]"));
    first.rows = Some(rows);
    Ok(first)
}
