//! Stages that keep, drop, rename and add columns.

use std::rc::Rc;

use super::super::failure::{Failure, Problem, Refused};
use super::super::interval::Interval;
use super::super::key::Key;
use super::super::node::{Choice, Stream};
use super::super::table::{Cellar, Column, Table};
use super::super::value::{Kind, Value};
use super::aggregate::keyed;
use super::{Runner, Sink};

impl Runner<'_, '_> {
    fn is_chosen(&self, choice: &Choice, label: &Rc<str>) -> Result<bool, Failure> {
        match choice {
            Choice::Names(names) => Ok(names.contains(label)),
            Choice::Function(function) => {
                let given = [("column", Value::String(label.clone()))];
                let truth = self.interpreter.apply_row(function, &given)?;
                Ok(matches!(truth, Value::Boolean(true)))
            }
        }
    }

    /// Keeps the chosen columns, or drops them.
    pub fn keep(
        &self,
        node: &Stream,
        choice: &Choice,
        is_kept: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |mut table, cache| {
            let mut columns = Vec::new();
            for column in std::mem::take(&mut table.columns) {
                if self.is_chosen(choice, &column.label)? == is_kept {
                    columns.push(column);
                }
            }
            let key = table.key.only(|name| columns.iter().any(|one| *one.label == *name));
            let rows = if columns.is_empty() { 0 } else { table.rows };
            cache.append(Table::new(key, columns, rows))
        })
    }

    pub fn rename(
        &self,
        node: &Stream,
        pairs: &[(Rc<str>, Rc<str>)],
        function: Option<&Value>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |mut table, cache| {
            for (old, _) in pairs {
                if table.column(old).is_none() {
                    let message = format!("rename error: column \"{old}\" doesn't exist");
                    return Failure::invalid(message);
                }
            }
            let mut key: Vec<(Rc<str>, Value)> = Vec::new();
            for column in &mut table.columns {
                let new = match function {
                    None => pairs
                        .iter()
                        .find(|(old, _)| *old == column.label)
                        .map(|(_, new)| new.clone()),
                    Some(function) => {
                        let given = [("column", Value::String(column.label.clone()))];
                        match self.interpreter.apply_row(function, &given)? {
                            Value::String(name) => Some(name),
                            _ => return Failure::invalid("the function of rename gives no string"),
                        }
                    }
                };
                let new = new.unwrap_or_else(|| column.label.clone());
                if let Some(value) = table.key.get(&column.label) {
                    key.push((new.clone(), value.clone()));
                }
                column.label = new;
            }
            table.key = Key::new(key);
            cache.append(table)
        })
    }

    pub fn duplicate(
        &self,
        node: &Stream,
        column: &Rc<str>,
        name: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |mut table, cache| {
            let Some(known) = table.column(column) else {
                let message = format!("duplicate error: column \"{column}\" doesn't exist");
                return Failure::invalid(message);
            };
            let copy = Column { label: name.clone(), ..known.clone() };
            table.key = table.key.only(|label| *label != **name);
            table.put(copy);
            cache.append(table)
        })
    }

    pub fn set(
        &self,
        node: &Stream,
        label: &Rc<str>,
        text: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |mut table, cache| {
            if let Some(column) = table.column(label)
                && column.kind != Kind::String
            {
                let kind = column.kind.name();
                let message = format!("panic: column {label}:{kind} is not of type string");
                return Err(Refused { kind: Problem::Internal, message }.into());
            }
            if table.is_key(label) {
                table.key = table.key.with(label, Value::String(text.clone()));
            }
            table.put(Column::same(label, Kind::String, Value::String(text.clone())));
            cache.append(table)
        })
    }

    /// A row for the name of each column.
    pub fn columns(
        &self,
        node: &Stream,
        label: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| {
            let names = table.columns.iter().map(|column| column.label.clone());
            cache.append(named(&table, label, names))
        })
    }

    /// A row for the name of each column of the key.
    pub fn keys(&self, node: &Stream, label: &Rc<str>, sink: &mut Sink<'_>) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| {
            let mine = table.columns.iter().filter(|column| table.is_key(&column.label));
            cache.append(named(&table, label, mine.map(|column| column.label.clone())))
        })
    }

    /// Moves times; it hands rows on as they come.
    pub fn shift(
        &self,
        node: &Stream,
        duration: Interval,
        labels: &[Rc<str>],
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let moved = |value: Value| match value {
            Value::Time(time) => Value::Time(duration.added_to(time)),
            other => other,
        };
        self.pieces(&node.inputs[0], &mut |mut table| {
            for label in labels {
                let Some(column) = table.column(label).filter(|one| one.kind == Kind::Time) else {
                    continue;
                };
                if let Some(value) = table.key.get(label).cloned() {
                    let value = moved(value);
                    table.key = table.key.with(label, value.clone());
                    table.put(Column::same(label, Kind::Time, value));
                    continue;
                }
                let mut cellar = Cellar::new(label, Kind::Time);
                (0..table.rows).for_each(|row| cellar.push(moved(column.get(row))));
                table.put(cellar.finish());
            }
            sink(table)
        })
    }
}

fn named(table: &Table, label: &Rc<str>, names: impl Iterator<Item = Rc<str>>) -> Table {
    let mut cellar = Cellar::new(label, Kind::String);
    names.for_each(|name| cellar.push(Value::String(name)));
    let rows = cellar.len();
    keyed(table, cellar.finish(), rows)
}
