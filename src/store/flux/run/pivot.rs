//! `pivot`: values of rows become columns.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::convert;
use super::super::failure::{Failure, Refused};
use super::super::key::{Key, compare_values};
use super::super::node::Stream;
use super::super::table::{Cellar, Column, Table};
use super::super::value::{Kind, Value};
use super::plan;
use super::rows::{Distinctly, ROWS_PER_CHECK};
use super::{Runner, Sink};
use crate::base::map::FastMap;

/// What grows out of all tables of one new group.
struct Pivoted {
    key: Key,
    /// Columns of the row key and of the group key, in the order of the input.
    fixed: Vec<(Rc<str>, Kind)>,
    rows: FastMap<Vec<Distinctly>, usize>,
    /// Of each row, its values of the row key.
    row_values: Vec<Vec<Value>>,
    made: Vec<(Rc<str>, Kind, Vec<Value>)>,
    places: FastMap<Rc<str>, usize>,
    last_name: Option<(Vec<Value>, Rc<str>)>,
}

impl Runner<'_, '_> {
    pub fn pivot(
        &self,
        node: &Stream,
        [row, column]: [&[Rc<str>]; 2],
        value: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let input = &node.inputs[0];
        // Straight out of storage the rows come sorted.
        let is_sorted = self.is_sole(input)
            && plan::read_of(self, input).is_some_and(|read| read.rest.is_empty());
        #[expect(clippy::mutable_key_type, reason = "a key holds no regular expression")]
        let mut groups: BTreeMap<Key, Pivoted> = BTreeMap::new();
        self.input(node, &mut |table| {
            for label in row.iter().chain(column).chain([value]) {
                if table.column(label).is_none() && !column.contains(label) {
                    return Err(node
                        .error(format_args!("specified column does not exist in table: {label}")));
                }
            }
            let is_gone = |name: &str| column.iter().any(|one| **one == *name) || **value == *name;
            let key = table.key.only(|name| !is_gone(name));
            let group = groups.entry(key.clone()).or_insert_with(|| Pivoted::new(key));
            group.learn(&table, row);
            for at in 0..table.rows {
                if at % ROWS_PER_CHECK == 0 {
                    self.guard().check()?;
                }
                self.guard().take(64)?;
                group
                    .add(&table, at, [row, column], value)
                    .map_err(|failure| node.wrapped(failure))?;
            }
            Ok(())
        })?;
        groups.into_values().try_for_each(|group| sink(group.finish(row, is_sorted)))
    }
}

impl Pivoted {
    fn new(key: Key) -> Pivoted {
        Pivoted {
            key,
            fixed: Vec::new(),
            rows: FastMap::default(),
            row_values: Vec::new(),
            made: Vec::new(),
            places: FastMap::default(),
            last_name: None,
        }
    }

    fn learn(&mut self, table: &Table, row: &[Rc<str>]) {
        for column in &table.columns {
            let is_fixed = row.contains(&column.label) || self.key.has(&column.label);
            if is_fixed && self.fixed.iter().all(|(known, _)| *known != column.label) {
                self.fixed.push((column.label.clone(), column.kind));
            }
        }
    }

    fn add(
        &mut self,
        table: &Table,
        at: usize,
        [row, column]: [&[Rc<str>]; 2],
        value: &Rc<str>,
    ) -> Result<(), Failure> {
        let cell = |label: &Rc<str>| table.column(label).map_or(Value::Null, |one| one.get(at));
        let values: Vec<Value> = row.iter().map(cell).collect();
        let lookup: Vec<Distinctly> = values.iter().map(Distinctly::of).collect();
        let count = self.rows.len();
        let place = *self.rows.entry(lookup).or_insert(count);
        if place == count {
            self.row_values.push(values);
        }
        let name = self.name(column.iter().map(cell));
        if self.fixed.iter().any(|(known, _)| *known == name) {
            return Failure::invalid(format!(
                "value \"{name}\" appears in a column key column, but a column named \"{name}\" already exists; consider renaming \"{name}\""
            ));
        }
        let Some(kind) = table.column(value).map(|one| one.kind) else { return Ok(()) };
        let column = match self.places.get(&name) {
            Some(column) => *column,
            None => {
                self.made.push((name.clone(), kind, Vec::new()));
                self.places.insert(name.clone(), self.made.len() - 1);
                self.made.len() - 1
            }
        };
        let (_, known, cells) = &mut self.made[column];
        if *known != kind {
            let (a, b) = (known.name(), kind.name());
            return Err(Refused::invalid(format!(
                "schema collision detected: column \"{name}\" is both of type {a} and {b}"
            ))
            .into());
        }
        if cells.len() <= place {
            cells.resize(place + 1, Value::Null);
        }
        cells[place] = cell(value);
        Ok(())
    }

    /// The name of the column that these values of the column key make; mostly that of the row before.
    fn name(&mut self, values: impl Iterator<Item = Value>) -> Rc<str> {
        let values: Vec<Value> = values.collect();
        if let Some((known, name)) = &self.last_name
            && known.len() == values.len()
            && known.iter().zip(&values).all(|(a, b)| compare_values(a, b).is_eq())
        {
            return name.clone();
        }
        let texts =
            values.iter().map(|value| convert::text(value).unwrap_or_else(|| "null".into()));
        let name: Rc<str> = texts.collect::<Vec<Rc<str>>>().join("_").into();
        self.last_name = Some((values, name.clone()));
        name
    }

    fn finish(self, row: &[Rc<str>], is_sorted: bool) -> Table {
        let mut order: Vec<usize> = (0..self.row_values.len()).collect();
        if is_sorted {
            order.sort_by(|a, b| {
                let pairs = self.row_values[*a].iter().zip(&self.row_values[*b]);
                pairs
                    .map(|(a, b)| compare_values(a, b))
                    .find(|order| order.is_ne())
                    .unwrap_or(std::cmp::Ordering::Equal)
            });
        }
        let mut columns = Vec::new();
        for (label, kind) in &self.fixed {
            let own = row.iter().position(|one| one == label);
            columns.push(match (self.key.get(label), own) {
                (Some(value), _) => Column::same(label, *kind, value.clone()),
                (None, Some(place)) => {
                    let mut cellar = Cellar::new(label, *kind);
                    order.iter().for_each(|at| cellar.push(self.row_values[*at][place].clone()));
                    cellar.finish()
                }
                (None, None) => unreachable!("it is of the one or of the other"),
            });
        }
        for (label, kind, mut cells) in self.made {
            let mut cellar = Cellar::new(&label, kind);
            order.iter().for_each(|at| {
                cellar.push(cells.get_mut(*at).map_or(Value::Null, std::mem::take));
            });
            columns.push(cellar.finish());
        }
        Table::new(self.key, columns, order.len())
    }
}
