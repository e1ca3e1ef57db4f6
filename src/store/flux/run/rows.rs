//! Stages that choose rows or change cells, table by table.

use std::rc::Rc;

use super::super::failure::Failure;
use super::super::key::Key;
use super::super::node::Stream;
use super::super::table::{Cellar, Column, Table};
use super::super::value::{Fields, Kind, Value};
use super::{Cache, Runner, Sink};
use crate::base::map::FastMap;

/// How many rows go by until the guard is asked.
pub const ROWS_PER_CHECK: usize = 4096;

/// A value as it can be looked up.
#[derive(PartialEq, Eq, Hash)]
pub enum Distinctly {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Float(u64),
    String(Rc<str>),
    Time(i64),
}

impl Distinctly {
    pub fn of(value: &Value) -> Distinctly {
        match value {
            Value::Boolean(truth) => Distinctly::Boolean(*truth),
            Value::Integer(number) => Distinctly::Integer(*number),
            Value::Unsigned(number) => Distinctly::Unsigned(*number),
            Value::Float(number) => Distinctly::Float((number + 0.0).to_bits()),
            Value::String(text) => Distinctly::String(text.clone()),
            Value::Time(time) => Distinctly::Time(*time),
            _ => Distinctly::Null,
        }
    }
}

impl Runner<'_, '_> {
    /// The rows of a table for which all functions are true.
    pub fn keep_rows(
        &self,
        node: &Stream,
        functions: &[Value],
        table: Table,
    ) -> Result<Table, Failure> {
        let table = Rc::new(table);
        let mut kept = Vec::new();
        for row in 0..table.rows {
            if row % ROWS_PER_CHECK == 0 {
                self.guard().check()?;
            }
            let mut is_kept = true;
            for function in functions {
                let truth = self
                    .interpreter
                    .apply_row(function, &[("r", Value::Row(table.clone(), row))])
                    .map_err(|failure| {
                        node.wrapped(failure.after("failed to evaluate filter function: "))
                    })?;
                is_kept = match truth {
                    Value::Boolean(truth) => truth,
                    Value::Null => false,
                    other => {
                        let found = other.type_name();
                        return Err(node.error(format_args!("type conflict: bool != {found}")));
                    }
                };
                if !is_kept {
                    break;
                }
            }
            if is_kept {
                kept.push(row);
            }
        }
        if kept.len() == table.rows {
            return Ok(Rc::try_unwrap(table).unwrap_or_else(|shared| (*shared).clone()));
        }
        Ok(table.filtered(&kept))
    }

    pub fn filter(
        &self,
        node: &Stream,
        functions: &[Value],
        keep_empty: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each(node, sink, |table| {
            let table = self.keep_rows(node, functions, table)?;
            Ok((table.rows > 0 || keep_empty).then_some(table))
        })
    }

    pub fn limit(
        &self,
        node: &Stream,
        n: i64,
        offset: i64,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each(node, sink, |table| {
            let from = usize::try_from(offset).unwrap_or(0).min(table.rows);
            let to = from.saturating_add(usize::try_from(n).unwrap_or(0)).min(table.rows);
            let rows: Vec<usize> = (from..to).collect();
            Ok(Some(table.filtered(&rows)))
        })
    }

    pub fn tail(
        &self,
        node: &Stream,
        n: i64,
        offset: i64,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| {
            let to = table.rows.saturating_sub(usize::try_from(offset).unwrap_or(0));
            let from = to.saturating_sub(usize::try_from(n).unwrap_or(0));
            let rows: Vec<usize> = (from..to).collect();
            cache.append(table.take(&rows))
        })
    }

    /// Without a position InfluxDB begins by chance, and this store with the first row.
    pub fn sample(
        &self,
        node: &Stream,
        n: i64,
        pos: i64,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let first = usize::try_from(pos).unwrap_or(0);
        let step = usize::try_from(n).unwrap_or(1).max(1);
        self.each_cached(node, sink, |table, cache| {
            let rows: Vec<usize> = (first..table.rows).step_by(step).collect();
            cache.append(table.take(&rows))
        })
    }

    pub fn distinct(
        &self,
        node: &Stream,
        column: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| {
            let (kind, values) = match (table.key.get(column), table.column(column)) {
                (_, None) => (Kind::String, vec![Value::Null]),
                // A column of the key has one value, whatever the table has.
                (Some(value), Some(known)) => (known.kind, vec![value.clone()]),
                (None, Some(known)) => {
                    let firsts = first_rows(known, table.rows);
                    (known.kind, firsts.into_iter().map(|row| known.get(row)).collect())
                }
            };
            let mut cellar = Cellar::new(&"_value".into(), kind);
            let rows = values.len();
            values.into_iter().for_each(|value| cellar.push(value));
            let mut columns = table.key_columns();
            columns.retain(|known| *known.label != *"_value");
            columns.push(cellar.finish());
            cache.append(Table::new(table.key.only(|name| name != "_value"), columns, rows))
        })
    }

    pub fn unique(
        &self,
        node: &Stream,
        column: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| match table.column(column) {
            Some(known) => cache.append(table.take(&first_rows(known, table.rows))),
            None => Err(node.error(format_args!("no column \"{column}\" exists"))),
        })
    }

    pub fn fill(
        &self,
        node: &Stream,
        label: &Rc<str>,
        value: Option<&Value>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each(node, sink, |mut table| {
            let filled = match (table.column(label), value) {
                (None, None) => return Ok(Some(table)),
                (None, Some(value)) => {
                    let Some(kind) = value.kind() else {
                        return Err(node.error("unsupported type of the value"));
                    };
                    Column::same(label, kind, value.clone())
                }
                (Some(column), Some(value)) if value.kind() != Some(column.kind) => {
                    let (found, kind) = (value.type_name(), column.kind.name());
                    return Err(
                        node.error(format_args!("fill column type mismatch: {kind}/{found}"))
                    );
                }
                (Some(column), value) => {
                    let mut cellar = Cellar::new(label, column.kind);
                    let mut before = Value::Null;
                    for row in 0..table.rows {
                        let own = column.get(row);
                        match (own.is_null(), value) {
                            (true, Some(value)) => cellar.push(value.clone()),
                            (true, None) => cellar.push(before.clone()),
                            (false, _) => {
                                before = own.clone();
                                cellar.push(own);
                            }
                        }
                    }
                    cellar.finish()
                }
            };
            if let (Some(known), Some(value)) = (table.key.get(label), value)
                && known.is_null()
            {
                table.key = table.key.with(label, value.clone());
            }
            table.put(filled);
            Ok(Some(table))
        })
    }

    /// A row of nulls for a table that has none.
    pub fn table_fill(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        self.each(node, sink, |table| {
            if table.rows > 0 {
                return Ok(Some(table));
            }
            let columns = table.columns.iter().map(|column| {
                let value = table.key.get(&column.label).cloned().unwrap_or(Value::Null);
                Column::same(&column.label, column.kind, value)
            });
            Ok(Some(Table::new(table.key.clone(), columns.collect(), 1)))
        })
    }

    /// Rows whose hour of the day lies from the first to the second, around midnight where that is earlier.
    pub fn hours(
        &self,
        node: &Stream,
        [start, stop]: [i64; 2],
        column: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        const HOUR_NS: i64 = 3_600_000_000_000;
        self.each_cached(node, sink, |table, cache| {
            let Some(times) = table.column(column) else {
                return Err(node.error(format_args!("invalid time column \"{column}\"")));
            };
            let rows: Vec<usize> = (0..table.rows)
                .filter(|row| {
                    times.time(*row).is_some_and(|time| {
                        let hour = time.div_euclid(HOUR_NS).rem_euclid(24);
                        if start <= stop {
                            (start..=stop).contains(&hour)
                        } else {
                            hour >= start || hour <= stop
                        }
                    })
                })
                .collect();
            cache.append(table.take(&rows))
        })
    }

    /// A table of records of the script.
    pub fn rows(&self, node: &Stream, rows: &[Fields], sink: &mut Sink<'_>) -> Result<(), Failure> {
        let mut cellars: Vec<Cellar> = Vec::new();
        for (label, _) in &rows[0] {
            let mut values = rows.iter().filter_map(|row| super::super::value::field(row, label));
            match values.find_map(Value::kind) {
                Some(kind) => cellars.push(Cellar::new(label, kind)),
                None => {
                    return Err(
                        node.error(format_args!("column \"{label}\" has no type of a column"))
                    );
                }
            }
        }
        for row in rows {
            if row.len() != cellars.len() {
                return Err(node.error("records of rows must have the same fields"));
            }
            for cellar in &mut cellars {
                let value = super::super::value::field(row, &cellar.label);
                let value = value.cloned().unwrap_or(Value::Null);
                if !value.is_null() && value.kind() != Some(cellar.kind) {
                    let (label, kind) = (&cellar.label, cellar.kind.name());
                    return Err(node.error(format_args!("column \"{label}\" is not always {kind}")));
                }
                cellar.push(value);
            }
        }
        let columns = cellars.into_iter().map(Cellar::finish).collect();
        sink(Table::new(Key::default(), columns, rows.len()))
    }

    pub fn union(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let mut cache = Cache::new(self.guard(), true);
        for input in &node.inputs {
            self.run(input, &mut |table| {
                cache.append(table).map_err(|failure| node.wrapped(failure))
            })?;
        }
        cache.emit(sink)
    }
}

/// The first row of each value.
fn first_rows(column: &Column, rows: usize) -> Vec<usize> {
    let mut seen: FastMap<Distinctly, ()> = FastMap::default();
    let is_new = |row: &usize| seen.insert(Distinctly::of(&column.get(*row)), ()).is_none();
    (0..rows).filter(is_new).collect()
}
