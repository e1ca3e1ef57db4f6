//! Rows become series of an answer, a piece at a time.

use super::cursor::Cursor;
use super::text::Times;
use crate::proto::results::{Rows, Series};
use crate::store::influxql::fault::Fault;
use crate::store::influxql::read::item::Label;
use std::sync::Arc;

/// Takes the pieces of a statement.
pub trait Sink {
    fn piece(&mut self, series: Series) -> Result<(), Fault>;
}

/// How many rows a piece has.
pub struct Pieces {
    pub rows_max: usize,
    /// A piece says that more rows of its series follow.
    pub marks: bool,
}

fn head(label: &Label, columns: &[String]) -> Series {
    Series {
        name: label.name.to_string(),
        tags: label.tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        columns: columns.to_vec(),
        rows: None,
        partial: false,
    }
}

/// All rows of a cursor.
pub fn all(
    cursor: &mut Cursor<'_>,
    columns: &[String],
    times: &Times,
    pieces: &Pieces,
    guard: &crate::store::guard::Guard,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let mut open: Option<(Arc<Label>, Rows)> = None;
    let mut row = String::new();
    let mut count = 0_u64;
    while let Some(next) = cursor.next()? {
        count += 1;
        if count.is_multiple_of(4096) {
            guard.check()?;
        }
        let is_same = open
            .as_ref()
            .is_some_and(|(label, _)| Arc::ptr_eq(label, &next.label) || *label == next.label);
        let is_full = open.as_ref().is_some_and(|(_, rows)| rows.len() >= pieces.rows_max);
        if let Some((label, rows)) = open.take_if(|_| !is_same || is_full) {
            let partial = is_same && pieces.marks;
            sink.piece(Series { rows: Some(rows), partial, ..head(&label, columns) })?;
        }
        row.clear();
        row.push('[');
        for column in 0..cursor.width() {
            if column > 0 {
                row.push(',');
            }
            cursor.push(column, &next, times, &mut row)?;
        }
        row.push(']');
        let (_, rows) = open.get_or_insert_with(|| (next.label.clone(), Rows::default()));
        rows.push(&row);
    }
    if let Some((label, rows)) = open {
        sink.piece(Series { rows: Some(rows), ..head(&label, columns) })?;
    }
    Ok(())
}
