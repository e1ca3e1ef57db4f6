//! A table: typed columns with nulls, and a group key.

use std::rc::Rc;

use super::key::Key;
use super::value::{Kind, Value};

/// Rows of one group.
#[derive(Clone, Debug)]
pub struct Table {
    pub key: Key,
    pub columns: Vec<Column>,
    pub rows: usize,
    /// Where the pieces end in which the rows came, as InfluxDB hands them on; sums and sorts can be seen to go
    /// piece by piece. None: it is one piece.
    pub pieces: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub label: Rc<str>,
    pub kind: Kind,
    pub cells: Cells,
}

/// The cells of a column.
#[derive(Clone, Debug)]
pub enum Cells {
    /// The same in every row.
    Same(Value),
    /// None of them null.
    Times(Rc<Vec<i64>>),
    Integers(Rc<Vec<i64>>),
    Floats(Rc<Vec<f64>>),
    Mixed(Rc<Vec<Value>>),
}

impl Column {
    pub fn same(label: &Rc<str>, kind: Kind, value: Value) -> Column {
        Column { label: label.clone(), kind, cells: Cells::Same(value) }
    }

    pub fn get(&self, row: usize) -> Value {
        match &self.cells {
            Cells::Same(value) => value.clone(),
            Cells::Times(times) => Value::Time(times[row]),
            Cells::Integers(values) => Value::Integer(values[row]),
            Cells::Floats(values) => Value::Float(values[row]),
            Cells::Mixed(values) => values[row].clone(),
        }
    }

    /// A time; 0 where there is none.
    pub fn time(&self, row: usize) -> Option<i64> {
        match self.get(row) {
            Value::Time(time) => Some(time),
            _ => None,
        }
    }

    /// The same column with some of its rows, in this order.
    pub fn take(&self, rows: &[usize]) -> Column {
        let cells = match &self.cells {
            Cells::Same(value) => Cells::Same(value.clone()),
            Cells::Times(times) => Cells::Times(Rc::new(picked(times, rows))),
            Cells::Integers(values) => Cells::Integers(Rc::new(picked(values, rows))),
            Cells::Floats(values) => Cells::Floats(Rc::new(picked(values, rows))),
            Cells::Mixed(values) => Cells::Mixed(Rc::new(picked(values, rows))),
        };
        Column { label: self.label.clone(), kind: self.kind, cells }
    }

    fn bytes_per_row(&self) -> usize {
        match &self.cells {
            Cells::Same(_) => 0,
            Cells::Times(_) | Cells::Integers(_) | Cells::Floats(_) => 8,
            Cells::Mixed(_) => size_of::<Value>() + if self.kind == Kind::String { 24 } else { 0 },
        }
    }
}

fn picked<T: Clone>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|row| values[*row].clone()).collect()
}

impl Table {
    pub fn new(key: Key, columns: Vec<Column>, rows: usize) -> Table {
        Table { key, columns, rows, pieces: Vec::new() }
    }

    pub fn column(&self, label: &str) -> Option<&Column> {
        self.columns.iter().find(|column| *column.label == *label)
    }

    pub fn is_key(&self, label: &str) -> bool {
        self.key.has(label)
    }

    /// Where its pieces end; the last one at its last row.
    pub fn piece_ends(&self) -> Vec<usize> {
        if self.pieces.is_empty() { vec![self.rows] } else { self.pieces.clone() }
    }

    /// Some of its rows, in this order, as one piece.
    pub fn take(&self, rows: &[usize]) -> Table {
        let columns = self.columns.iter().map(|column| column.take(rows)).collect();
        Table::new(self.key.clone(), columns, rows.len())
    }

    /// Some of its rows, which ascend: the pieces stay apart.
    pub fn filtered(&self, rows: &[usize]) -> Table {
        let mut table = self.take(rows);
        if !self.pieces.is_empty() {
            let ends = self.pieces.iter().map(|end| rows.partition_point(|row| row < end));
            table.pieces = ends.collect();
            table.pieces.dedup();
            table.pieces.retain(|end| *end > 0);
        }
        table
    }

    /// The same columns without a row.
    pub fn emptied(&self) -> Table {
        self.take(&[])
    }

    /// Replaces the column of that name, or adds it at the end.
    pub fn put(&mut self, column: Column) {
        match self.columns.iter_mut().find(|known| known.label == column.label) {
            Some(known) => *known = column,
            None => self.columns.push(column),
        }
    }

    /// The columns of the key with their order kept.
    pub fn key_columns(&self) -> Vec<Column> {
        let mine = self.columns.iter().filter(|column| self.is_key(&column.label));
        mine.map(|column| {
            let value = self.key.get(&column.label).expect("it is one of the key").clone();
            Column::same(&column.label, column.kind, value)
        })
        .collect()
    }

    /// About the memory that it holds.
    pub fn bytes(&self) -> usize {
        let columns = self.columns.iter();
        columns.map(|column| 100 + self.rows * column.bytes_per_row()).sum::<usize>() + 200
    }
}

/// Makes a column of values that come one by one.
#[derive(Debug)]
pub struct Cellar {
    pub label: Rc<str>,
    pub kind: Kind,
    cells: Filling,
}

#[derive(Debug)]
enum Filling {
    Times(Vec<i64>),
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Mixed(Vec<Value>),
}

impl Cellar {
    pub fn new(label: &Rc<str>, kind: Kind) -> Cellar {
        let cells = match kind {
            Kind::Time => Filling::Times(Vec::new()),
            Kind::Integer => Filling::Integers(Vec::new()),
            Kind::Float => Filling::Floats(Vec::new()),
            _ => Filling::Mixed(Vec::new()),
        };
        Cellar { label: label.clone(), kind, cells }
    }

    pub fn len(&self) -> usize {
        match &self.cells {
            Filling::Times(cells) | Filling::Integers(cells) => cells.len(),
            Filling::Floats(cells) => cells.len(),
            Filling::Mixed(cells) => cells.len(),
        }
    }

    /// Takes a null or a value of its kind.
    pub fn push(&mut self, value: Value) {
        match (&mut self.cells, value) {
            (Filling::Times(cells), Value::Time(time)) => cells.push(time),
            (Filling::Integers(cells), Value::Integer(number)) => cells.push(number),
            (Filling::Floats(cells), Value::Float(number)) => cells.push(number),
            (Filling::Mixed(cells), value) => cells.push(value),
            (cells, value) => {
                let mut mixed = cells.mixed();
                mixed.push(value);
                *cells = Filling::Mixed(mixed);
            }
        }
    }

    /// Nulls up to so many rows.
    pub fn fill_up(&mut self, rows: usize) {
        while self.len() < rows {
            self.push(Value::Null);
        }
    }

    /// All cells of a column with so many rows.
    pub fn append(&mut self, column: &Column, rows: usize) {
        match (&mut self.cells, &column.cells) {
            (Filling::Times(cells), Cells::Times(more)) => cells.extend_from_slice(more),
            (Filling::Integers(cells), Cells::Integers(more)) => cells.extend_from_slice(more),
            (Filling::Floats(cells), Cells::Floats(more)) => cells.extend_from_slice(more),
            _ => (0..rows).for_each(|row| self.push(column.get(row))),
        }
    }

    pub fn finish(self) -> Column {
        let cells = match self.cells {
            Filling::Times(cells) => Cells::Times(Rc::new(cells)),
            Filling::Integers(cells) => Cells::Integers(Rc::new(cells)),
            Filling::Floats(cells) => Cells::Floats(Rc::new(cells)),
            Filling::Mixed(cells) => Cells::Mixed(Rc::new(cells)),
        };
        Column { label: self.label, kind: self.kind, cells }
    }
}

impl Filling {
    fn mixed(&mut self) -> Vec<Value> {
        match self {
            Filling::Times(cells) => cells.drain(..).map(Value::Time).collect(),
            Filling::Integers(cells) => cells.drain(..).map(Value::Integer).collect(),
            Filling::Floats(cells) => cells.drain(..).map(Value::Float).collect(),
            Filling::Mixed(cells) => std::mem::take(cells),
        }
    }
}

/// Rows of one group that arrive in pieces: columns grow as they are seen, and what a piece lacks is null.
#[derive(Debug)]
pub struct Gathered {
    pub key: Key,
    columns: Vec<Cellar>,
    rows: usize,
    pieces: Vec<usize>,
}

/// Two types of one column.
#[derive(Debug)]
pub struct Collision {
    pub label: Rc<str>,
    pub kinds: [Kind; 2],
}

impl Gathered {
    pub fn new(key: Key) -> Gathered {
        Gathered { key, columns: Vec::new(), rows: 0, pieces: Vec::new() }
    }

    pub fn append(&mut self, table: &Table) -> Result<(), Collision> {
        for column in &table.columns {
            let known = self.columns.iter_mut().find(|known| known.label == column.label);
            let cellar = match known {
                Some(known) if known.kind != column.kind => {
                    let kinds = [known.kind, column.kind];
                    return Err(Collision { label: column.label.clone(), kinds });
                }
                Some(known) => known,
                None => {
                    self.columns.push(Cellar::new(&column.label, column.kind));
                    self.columns.last_mut().expect("just pushed")
                }
            };
            cellar.fill_up(self.rows);
            cellar.append(column, table.rows);
        }
        let ends = table.piece_ends().into_iter().filter(|_| table.rows > 0);
        self.pieces.extend(ends.map(|end| self.rows + end));
        self.rows += table.rows;
        Ok(())
    }

    pub fn finish(self) -> Table {
        let finish = |mut cellar: Cellar| {
            cellar.fill_up(self.rows);
            match self.key.get(&cellar.label) {
                Some(value) => Column::same(&cellar.label, cellar.kind, value.clone()),
                None => cellar.finish(),
            }
        };
        let columns = self.columns.into_iter().map(finish).collect();
        Table { key: self.key.clone(), columns, rows: self.rows, pieces: self.pieces }
    }
}
