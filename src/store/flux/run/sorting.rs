//! Sorting: piece by piece, and the pieces merged with a heap, so that equal rows come as in InfluxDB.

use std::cmp::Ordering;
use std::rc::Rc;

use super::super::failure::Failure;
use super::super::key::{compare_floats, compare_values};
use super::super::node::Stream;
use super::super::table::{Cells, Column};
use super::super::value::Value;
use super::{Runner, Sink};

impl Runner<'_, '_> {
    /// Sorts each table, and keeps only so many rows.
    pub fn sort(
        &self,
        node: &Stream,
        labels: &[Rc<str>],
        desc: bool,
        n: Option<i64>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each(node, sink, |table| {
            let columns: Vec<&Column> =
                labels.iter().filter_map(|label| table.column(label)).collect();
            let mut rows = sorted(&columns, &table.piece_ends(), desc);
            if let Some(n) = n {
                rows.truncate(usize::try_from(n).unwrap_or(0));
            }
            Ok(Some(table.take(&rows)))
        })
    }
}

/// Null is first in both directions.
fn compare(columns: &[&Column], desc: bool, a: usize, b: usize) -> Ordering {
    for column in columns {
        let order = match &column.cells {
            Cells::Same(_) => Ordering::Equal,
            Cells::Times(values) | Cells::Integers(values) => values[a].cmp(&values[b]),
            Cells::Floats(values) => compare_floats(values[a], values[b]),
            Cells::Mixed(values) => match (&values[a], &values[b]) {
                (Value::Null, Value::Null) => Ordering::Equal,
                (Value::Null, _) => return Ordering::Less,
                (_, Value::Null) => return Ordering::Greater,
                (a, b) => compare_values(a, b),
            },
        };
        if order.is_ne() {
            return if desc { order.reverse() } else { order };
        }
    }
    Ordering::Equal
}

fn sorted(columns: &[&Column], ends: &[usize], desc: bool) -> Vec<usize> {
    let mut from = 0;
    let mut pieces: Vec<Piece> = Vec::new();
    for end in ends {
        let mut rows: Vec<usize> = (from..*end).collect();
        rows.sort_by(|a, b| compare(columns, desc, *a, *b));
        if !rows.is_empty() {
            pieces.push(Piece { rows, at: 0 });
        }
        from = *end;
    }
    if let [piece] = pieces.as_mut_slice() {
        return std::mem::take(&mut piece.rows);
    }
    let is_less = |a: &Piece, b: &Piece| compare(columns, desc, a.row(), b.row()).is_lt();
    let mut heap = Heap { pieces, is_less };
    let mut merged = Vec::new();
    heap.init();
    while let Some(first) = heap.pieces.first_mut() {
        merged.push(first.row());
        first.at += 1;
        if first.at == first.rows.len() {
            heap.pop();
        } else {
            heap.down(0, heap.pieces.len());
        }
    }
    merged
}

/// A sorted piece, and its next row.
struct Piece {
    rows: Vec<usize>,
    at: usize,
}

impl Piece {
    fn row(&self) -> usize {
        self.rows[self.at]
    }
}

/// A binary heap in which equals move as in that of Go's library.
struct Heap<F> {
    pieces: Vec<Piece>,
    is_less: F,
}

impl<F: Fn(&Piece, &Piece) -> bool> Heap<F> {
    fn init(&mut self) {
        let length = self.pieces.len();
        (0..length / 2).rev().for_each(|at| self.down(at, length));
    }

    fn pop(&mut self) {
        let last = self.pieces.len() - 1;
        self.pieces.swap(0, last);
        self.down(0, last);
        self.pieces.pop();
    }

    fn down(&mut self, mut at: usize, length: usize) {
        loop {
            let left = 2 * at + 1;
            if left >= length {
                return;
            }
            let right = left + 1;
            let is_right =
                right < length && (self.is_less)(&self.pieces[right], &self.pieces[left]);
            let child = if is_right { right } else { left };
            if !(self.is_less)(&self.pieces[child], &self.pieces[at]) {
                return;
            }
            self.pieces.swap(at, child);
            at = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::value::Kind;
    use super::*;

    #[test]
    fn equal_rows_of_pieces_come_in_the_order_of_the_heap() {
        let times = vec![90, 30, 30, 90, 30, 90];
        let values = [9, 5, 1, 3, 2, 7];
        let cells = Cells::Times(Rc::new(times));
        let column = Column { label: "_time".into(), kind: Kind::Time, cells };
        let rows = sorted(&[&column], &[1, 2, 3, 4, 5, 6], false);
        let found: Vec<i32> = rows.into_iter().map(|row| values[row]).collect();
        assert_eq!(found, [5, 2, 1, 3, 9, 7]);
    }
}
