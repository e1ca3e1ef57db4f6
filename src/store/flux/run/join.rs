//! Joins: the old `join` of columns by name, and the package `join` of rows.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::failure::Failure;
use super::super::key::{Key, compare_values};
use super::super::node::{JoinRows, Side, Stream};
use super::super::table::{Cellar, Column, Table};
use super::super::value::{Fields, Kind, Value};
use super::rows::Distinctly;
use super::{Cache, Runner, Sink};
use crate::base::map::FastMap;

/// What a row of a join is taken for, for the guard.
const ROW_BYTES: usize = 128;

/// Rows of one table by their values of the joined columns; a row with null among them is none.
type Index = FastMap<Vec<Distinctly>, Vec<usize>>;

fn index(table: &Table, labels: &[&Rc<str>]) -> Index {
    let mut index = Index::default();
    for row in 0..table.rows {
        if let Some(values) = joined_values(table, row, labels) {
            let lookup = values.iter().map(Distinctly::of).collect();
            index.entry(lookup).or_default().push(row);
        }
    }
    index
}

fn joined_values(table: &Table, row: usize, labels: &[&Rc<str>]) -> Option<Vec<Value>> {
    let cell = |label: &&Rc<str>| table.column(label).map(|column| column.get(row));
    labels.iter().map(|label| cell(label).filter(|value| !value.is_null())).collect()
}

/// The rows sorted by the joined columns; those with null come last.
fn sorted(table: &Table, labels: &[&Rc<str>]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..table.rows).collect();
    rows.sort_by(|a, b| {
        let cells = |row: usize, label: &Rc<str>| {
            table.column(label).map_or(Value::Null, |one| one.get(row))
        };
        let orders =
            labels.iter().map(|label| compare_values(&cells(*a, label), &cells(*b, label)));
        orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    rows
}

impl Runner<'_, '_> {
    fn all(&self, input: &Stream) -> Result<Vec<Rc<Table>>, Failure> {
        let mut tables = Vec::new();
        self.run(input, &mut |table| {
            self.guard().take(table.bytes())?;
            tables.push(Rc::new(table));
            Ok(())
        })?;
        Ok(tables)
    }

    pub fn join(
        &self,
        node: &Stream,
        names: &[Rc<str>; 2],
        on: &[Rc<str>],
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let (left, right) = (self.all(&node.inputs[0])?, self.all(&node.inputs[1])?);
        let mut cache = Cache::new(self.guard(), false);
        for a in &left {
            for b in &right {
                self.guard().check()?;
                let is_apart = |label: &Rc<str>| match (a.key.get(label), b.key.get(label)) {
                    (Some(a), Some(b)) => compare_values(a, b).is_ne(),
                    _ => false,
                };
                if on.iter().any(is_apart) {
                    continue;
                }
                if let Some(table) = self.joined(a, b, names, on)? {
                    cache.append(table).map_err(|failure| node.wrapped(failure))?;
                }
            }
        }
        cache.emit(sink)
    }

    /// Two tables side by side; nothing where no rows meet.
    fn joined(
        &self,
        a: &Table,
        b: &Table,
        names: &[Rc<str>; 2],
        on: &[Rc<str>],
    ) -> Result<Option<Table>, Failure> {
        let labels: Vec<&Rc<str>> = on.iter().collect();
        let found = index(b, &labels);
        let (mut rows_a, mut rows_b) = (Vec::new(), Vec::new());
        for row in sorted(a, &labels) {
            let Some(values) = joined_values(a, row, &labels) else { continue };
            let lookup: Vec<Distinctly> = values.iter().map(Distinctly::of).collect();
            for other in found.get(&lookup).into_iter().flatten() {
                self.guard().take(ROW_BYTES)?;
                rows_a.push(row);
                rows_b.push(*other);
            }
        }
        if rows_a.is_empty() {
            return Ok(None);
        }
        let has_both = |label: &str| a.column(label).is_some() && b.column(label).is_some();
        let named = |label: &Rc<str>, side: &Rc<str>| -> Rc<str> {
            let is_clash = has_both(label) && !on.contains(label);
            if is_clash { format!("{label}_{side}").into() } else { label.clone() }
        };
        let mut columns: Vec<Column> = Vec::new();
        let mut key: Vec<(Rc<str>, Value)> = Vec::new();
        for (table, rows, side) in [(a, &rows_a, &names[0]), (b, &rows_b, &names[1])] {
            for column in &table.columns {
                let label = named(&column.label, side);
                if columns.iter().any(|known| known.label == label) {
                    continue;
                }
                if let Some(value) = table.key.get(&column.label) {
                    key.push((label.clone(), value.clone()));
                }
                columns.push(Column { label, ..column.take(rows) });
            }
        }
        columns.sort_by(|a, b| a.label.cmp(&b.label));
        Ok(Some(Table::new(Key::new(key), columns, rows_a.len())))
    }

    /// Tables of the same key, row by row.
    pub fn join_rows(
        &self,
        node: &Stream,
        op: &JoinRows,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        type Pair = [Option<Rc<Table>>; 2];
        #[expect(clippy::mutable_key_type, reason = "a key holds no regular expression")]
        let mut pairs: BTreeMap<Key, Pair> = BTreeMap::new();
        let mut samples: Pair = [None, None];
        for (side, sample) in samples.iter_mut().enumerate() {
            for table in self.all(&node.inputs[side])? {
                sample.get_or_insert_with(|| table.clone());
                let key = table.key.clone();
                pairs.entry(key).or_default()[side] = Some(table);
            }
        }
        for (key, pair) in pairs {
            self.guard().check()?;
            let mut made = Rows::new(key.clone());
            let sides = [0, 1].map(|side| match (&pair[side], &samples[side]) {
                (Some(table), _) => Some(table.clone()),
                (None, Some(sample)) => Some(Rc::new(sample.emptied())),
                (None, None) => None,
            });
            let (Some(left), Some(right)) = (&sides[0], &sides[1]) else { continue };
            for (l, r) in matches(op, left, right) {
                self.guard().take(ROW_BYTES)?;
                let row = |table: &Rc<Table>, row: Option<usize>| match row {
                    Some(row) => Ok(Value::Row(table.clone(), row)),
                    None => missing(table, &key),
                };
                let given = [("l", row(left, l)?), ("r", row(right, r)?)];
                let record = self.interpreter.apply_row(&op.shape, &given);
                let record = record.map_err(|failure| node.wrapped(failure))?;
                let Some(fields) = record.fields() else {
                    return Err(node.error("the function `as` must return a record"));
                };
                made.push(node, fields)?;
            }
            if made.rows > 0 {
                sink(made.finish(node)?)?;
            }
        }
        Ok(())
    }
}

/// Which rows meet, by the joined columns; nothing stands for a row that is not there.
fn matches(op: &JoinRows, left: &Table, right: &Table) -> Vec<(Option<usize>, Option<usize>)> {
    let left_labels: Vec<&Rc<str>> = op.on.iter().map(|(left, _)| left).collect();
    let right_labels: Vec<&Rc<str>> = op.on.iter().map(|(_, right)| right).collect();
    let found = index(right, &right_labels);
    let mut pairs = Vec::new();
    let mut met = vec![false; right.rows];
    for row in sorted(left, &left_labels) {
        let others = joined_values(left, row, &left_labels)
            .and_then(|values| found.get(&values.iter().map(Distinctly::of).collect::<Vec<_>>()));
        for other in others.into_iter().flatten() {
            met[*other] = true;
            pairs.push((Some(row), Some(*other)));
        }
        if others.is_none() && matches!(op.side, Side::Left | Side::Full) {
            pairs.push((Some(row), None));
        }
    }
    if matches!(op.side, Side::Right | Side::Full) {
        let alone = sorted(right, &right_labels).into_iter().filter(|row| !met[*row]);
        pairs.extend(alone.map(|row| (None, Some(row))));
    }
    pairs
}

/// A row that is not there: null everywhere but in the key.
fn missing(table: &Table, key: &Key) -> Result<Value, Failure> {
    let cell = |column: &Column| {
        let value = key.get(&column.label).cloned().unwrap_or(Value::Null);
        (column.label.clone(), value)
    };
    Value::record(table.columns.iter().map(cell).collect())
}

/// Rows that a function makes.
struct Rows {
    key: Key,
    columns: BTreeMap<Rc<str>, Option<Cellar>>,
    rows: usize,
}

impl Rows {
    fn new(key: Key) -> Rows {
        Rows { key, columns: BTreeMap::new(), rows: 0 }
    }

    fn push(&mut self, node: &Stream, fields: Fields) -> Result<(), Failure> {
        for (name, value) in fields {
            let place = self.columns.entry(name.clone()).or_default();
            let Some(kind) = value.kind() else { continue };
            let cellar = place.get_or_insert_with(|| Cellar::new(&name, kind));
            if cellar.kind != kind {
                return Err(node.error(format_args!("column \"{name}\" has values of two types")));
            }
            cellar.fill_up(self.rows);
            cellar.push(value);
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(self, node: &Stream) -> Result<Table, Failure> {
        let rows = self.rows;
        let mut columns = Vec::new();
        for (name, cellar) in self.columns {
            let mut cellar = cellar.unwrap_or_else(|| Cellar::new(&name, Kind::String));
            cellar.fill_up(rows);
            columns.push(cellar.finish());
        }
        for (name, _) in self.key.pairs() {
            if columns.iter().all(|column| column.label != *name) {
                return Err(node.error(format_args!(
                    "column \"{name}\" of the group key is missing in the output"
                )));
            }
        }
        Ok(Table::new(self.key, columns, rows))
    }
}
