//! `group` and a second `range`, in the engine.

use std::rc::Rc;

use super::super::failure::Failure;
use super::super::key::Key;
use super::super::node::{Bounds, Stream};
use super::super::table::{Column, Table};
use super::super::value::{Kind, Value};
use super::{Runner, Sink};

impl Runner<'_, '_> {
    /// Hands the rows of each new group on as they come.
    pub fn group(
        &self,
        node: &Stream,
        listed: &[Rc<str>],
        except: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.pieces(&node.inputs[0], &mut |table| {
            self.guard().check()?;
            let is_listed = |label: &str| listed.iter().any(|name| **name == *label);
            let by: Vec<Column> = table
                .columns
                .iter()
                .filter(|column| is_listed(&column.label) != except)
                .cloned()
                .collect();
            let is_constant = |column: &Column| table.is_key(&column.label);
            if by.iter().all(is_constant) {
                let pairs = table.key.pairs().iter();
                let kept = pairs.filter(|(name, _)| by.iter().any(|column| column.label == *name));
                return sink(regrouped(&table, Key::new(kept.cloned().collect()), None));
            }
            for (key, rows) in split(&table, &by) {
                sink(regrouped(&table, key, Some(&rows)))?;
            }
            Ok(())
        })
    }

    /// A range that does not lie on a bucket: cuts rows, and says its bounds in `_start` and `_stop`.
    pub fn range(&self, node: &Stream, own: Bounds, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let bounds = node.bounds.unwrap_or(own);
        self.each_cached(node, sink, |table, cache| {
            let Some(times) = table.column("_time") else {
                return Failure::invalid("range error: supplied time column _time doesn't exist");
            };
            if times.kind != Kind::Time {
                return Failure::invalid(
                    "range error: provided time column _time is not of type time",
                );
            }
            let is_inside = |row: &usize| {
                times.time(*row).is_some_and(|time| time >= bounds.start && time < bounds.stop)
            };
            let rows: Vec<usize> = (0..table.rows).filter(is_inside).collect();
            let mut cut = table.filtered(&rows);
            let old = (table.key.get("_start"), table.key.get("_stop"));
            let cut_to = match old {
                (Some(Value::Time(start)), Some(Value::Time(stop))) => {
                    let both = bounds.cut(Bounds { start: *start, stop: *stop });
                    if both.start < both.stop { both } else { bounds }
                }
                _ => bounds,
            };
            // A bound that the table lacks comes first.
            for (label, time) in [("_stop", cut_to.stop), ("_start", cut_to.start)] {
                let label: Rc<str> = label.into();
                cut.key = cut.key.with(&label, Value::Time(time));
                let column = Column::same(&label, Kind::Time, Value::Time(time));
                match cut.column(&label) {
                    Some(_) => cut.put(column),
                    None => cut.columns.insert(0, column),
                }
            }
            cache.append(cut)
        })
    }
}

/// The rows of each group, in the order in which the groups are first seen.
fn split(table: &Table, by: &[Column]) -> Vec<(Key, Vec<usize>)> {
    #[expect(clippy::mutable_key_type, reason = "a key holds no regular expression")]
    let mut places: std::collections::BTreeMap<Key, usize> = Default::default();
    let mut groups: Vec<(Key, Vec<usize>)> = Vec::new();
    for row in 0..table.rows {
        let pairs = by.iter().map(|column| (column.label.clone(), column.get(row)));
        let key = Key::new(pairs.collect());
        let at = *places.entry(key).or_insert_with_key(|key| {
            groups.push((key.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(row);
    }
    groups
}

/// Some rows of a table, or all, in another group.
fn regrouped(table: &Table, key: Key, rows: Option<&[usize]>) -> Table {
    let mut made = match rows {
        Some(rows) => table.filtered(rows),
        None => table.clone(),
    };
    made.key = key;
    made
}
