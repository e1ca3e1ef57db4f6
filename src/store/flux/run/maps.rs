//! `map`, `reduce`, and the conversions, which are maps.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::convert;
use super::super::failure::{Failure, Refused};
use super::super::interval::Interval;
use super::super::key::{Key, compare_values};
use super::super::node::{Location, Stream};
use super::super::table::{Cellar, Cells, Column, Table};
use super::super::value::{Fields, Kind, Value, field};
use super::rows::ROWS_PER_CHECK;
use super::windows::truncated;
use super::{Runner, Sink};
use crate::proto::flux::{Body, Expression, ExpressionKind, Operator, Property, UnaryOperator};

impl Runner<'_, '_> {
    pub fn map(&self, node: &Stream, function: &Value, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let is_vector = is_vectorised(function);
        self.pieces(&node.inputs[0], &mut |table| {
            let table = Rc::new(table);
            if let Some(made) = self.mapped_columns(node, function, &table)? {
                return if made.rows == 0 { Ok(()) } else { sink(made) };
            }
            let mut groups = Groups::default();
            for row in 0..table.rows {
                if row % ROWS_PER_CHECK == 0 {
                    self.guard().check()?;
                }
                let given = [("r", Value::Row(table.clone(), row))];
                let record = self.interpreter.apply_row(function, &given);
                let record = record.map_err(|failure| failed(node, failure, is_vector))?;
                let Some(fields) = record.fields() else {
                    let found = record.type_name();
                    let message = format!("map function must return an object, got {found}");
                    return Err(node.error(message));
                };
                groups.of(&table, &fields).push(fields).map_err(|failure| node.wrapped(failure))?;
            }
            groups.made.into_iter().try_for_each(|made| sink(made.finish(!is_vector)))
        })
    }

    /// The columns of `{r with a: ..., b: ...}` where it leaves the key alone: only what it says is made anew.
    fn mapped_columns(
        &self,
        node: &Stream,
        function: &Value,
        table: &Rc<Table>,
    ) -> Result<Option<Table>, Failure> {
        let Value::Function(closure) = function else { return Ok(None) };
        let Body::Expression(body) = &closure.function.body else { return Ok(None) };
        let ExpressionKind::Record { with: Some(_), properties } = &body.kind else {
            return Ok(None);
        };
        let is_key = |property: &Property| table.is_key(&property.name);
        if !is_vectorised(function) || properties.iter().any(is_key) {
            return Ok(None);
        }
        let mut made = (**table).clone();
        // What is null in all rows is left out, and so it is in the rows as they come.
        made.columns.retain(|column| has_value(column, table.rows));
        made.key = made.key.only(|name| made.columns.iter().any(|column| *column.label == *name));
        for property in properties {
            let Some(value) = &property.value else { return Ok(None) };
            let label: Rc<str> = property.name.as_str().into();
            let mut cellar: Option<Cellar> = None;
            for row in 0..table.rows {
                if row % ROWS_PER_CHECK == 0 {
                    self.guard().check()?;
                }
                let scope = closure.scope.with(&closure.names[0], Value::Row(table.clone(), row));
                let value = self.interpreter.evaluate_in_row(value, &scope);
                let value = value.map_err(|failure| failed(node, failure, true))?;
                if value.is_null() {
                    continue;
                }
                let Some(kind) = value.kind() else { return Ok(None) };
                let cellar = cellar.get_or_insert_with(|| Cellar::new(&label, kind));
                if cellar.kind != kind {
                    return Ok(None);
                }
                cellar.fill_up(row);
                cellar.push(value);
            }
            match cellar {
                Some(mut cellar) => {
                    cellar.fill_up(table.rows);
                    made.put(cellar.finish());
                }
                None => made.columns.retain(|column| column.label != label),
            }
        }
        Ok(Some(made))
    }

    /// `toInt` and the like: `_value` becomes another type.
    pub fn convert(&self, node: &Stream, kind: Kind, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let is_vector = kind == Kind::Float;
        self.change(node, "_value", !is_vector, sink, |value| {
            let made = convert::to(kind, value)
                .map_err(|failure| failure.after("failed to evaluate map function: "))?;
            Ok((made, kind))
        })
    }

    pub fn truncate(
        &self,
        node: &Stream,
        unit: Interval,
        column: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.change(node, column, true, sink, |value| match value {
            Value::Time(time) => {
                Ok((Value::Time(truncated(*time, unit, &Location::default())), Kind::Time))
            }
            Value::Null => Ok((Value::Null, Kind::Time)),
            other => Failure::invalid(format!(
                "failed to evaluate map function: cannot truncate {}",
                other.type_name()
            )),
        })
    }

    fn change(
        &self,
        node: &Stream,
        label: &str,
        is_sorted: bool,
        sink: &mut Sink<'_>,
        change: impl Fn(&Value) -> Result<(Value, Kind), Failure>,
    ) -> Result<(), Failure> {
        self.pieces(&node.inputs[0], &mut |mut table| {
            self.guard().check()?;
            if let Some(column) = table.column(label) {
                let mut cellar: Option<Cellar> = None;
                for row in 0..table.rows {
                    let (value, kind) =
                        change(&column.get(row)).map_err(|failure| node.wrapped(failure))?;
                    let label = &column.label;
                    cellar.get_or_insert_with(|| Cellar::new(label, kind)).push(value);
                }
                if let Some(cellar) = cellar {
                    let made = cellar.finish();
                    if table.is_key(label) {
                        table.key = table.key.with(&made.label, made.get(0));
                    }
                    table.put(made);
                }
            }
            if is_sorted {
                table.columns.sort_by(|a, b| a.label.cmp(&b.label));
            }
            if table.rows == 0 { Ok(()) } else { sink(table) }
        })
    }

    pub fn reduce(
        &self,
        node: &Stream,
        function: &Value,
        identity: &Fields,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let start = Value::record(identity.clone())?;
        self.each_cached(node, sink, |table, cache| {
            let table = Rc::new(table);
            let mut sum = start.clone();
            for row in 0..table.rows {
                let given = [("r", Value::Row(table.clone(), row)), ("accumulator", sum)];
                sum = self.interpreter.apply_row(function, &given).map_err(|failure| {
                    node.wrapped(failure.after("failed to evaluate reduce function: "))
                })?;
                accumulated(node, &sum, identity)?;
            }
            cache.append(reduced(&table, sum.fields().unwrap_or_default())?)
        })
    }
}

/// What an accumulator must be: all fields of the identity, and none more, none null.
fn accumulated(node: &Stream, sum: &Value, identity: &Fields) -> Result<(), Failure> {
    let Some(fields) = sum.fields() else {
        return Failure::invalid(format!(
            "reduce function must return an object, got {}",
            sum.type_name()
        ));
    };
    for (name, value) in &fields {
        match field(identity, name) {
            None => {
                let place = &node.place;
                return Failure::invalid(format!(
                    "error @{place}: record is missing label {name} (argument identity)"
                ));
            }
            Some(_) if value.is_null() => {
                return Failure::invalid(format!(
                    "null values are not supported for \"{name}\" in the reduce() function"
                ));
            }
            Some(first) if first.kind() != value.kind() => {
                let (a, b) = (first.type_name(), value.type_name());
                return Failure::invalid(format!("type conflict: {a} != {b}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The key columns, with what the accumulator has of them, and then its other fields by name.
fn reduced(table: &Table, mut fields: Fields) -> Result<Table, Failure> {
    let mut key = table.key.clone();
    let mut columns = Vec::new();
    for column in table.key_columns() {
        match field(&fields, &column.label).cloned() {
            Some(value) => {
                key = key.with(&column.label, value.clone());
                let kind = value.kind().unwrap_or(column.kind);
                columns.push(Column::same(&column.label, kind, value));
            }
            None => columns.push(column),
        }
    }
    fields.retain(|(name, _)| !table.is_key(name));
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, value) in fields {
        let Some(kind) = value.kind() else { return Err(unsupported("reduce", &name, &value)) };
        columns.push(super::aggregate::single(&name, kind, value));
    }
    Ok(Table::new(key, columns, 1))
}

fn unsupported(what: &str, name: &str, value: &Value) -> Failure {
    let kind = match value {
        Value::Array(_) => "array".to_owned(),
        Value::Record(_) | Value::Row(..) => "object".to_owned(),
        other => other.type_name(),
    };
    Refused::invalid(format!(
        "{what} object property \"{name}\" is {kind} type which is not supported in a flux table"
    ))
    .into()
}

fn failed(node: &Stream, failure: Failure, is_vector: bool) -> Failure {
    match failure {
        Failure::Refused(refused) if is_vector && !refused.message.starts_with("error @") => {
            Failure::Refused(refused).after("runtime error: ")
        }
        other => node.wrapped(other.after("failed to evaluate map function: ")),
    }
}

fn has_value(column: &Column, rows: usize) -> bool {
    match &column.cells {
        Cells::Same(value) => !value.is_null(),
        Cells::Mixed(values) => values[..rows].iter().any(|value| !value.is_null()),
        _ => true,
    }
}

/// Rows of one new group.
struct Made {
    key: Key,
    columns: Vec<(Rc<str>, Option<Cellar>)>,
    rows: usize,
}

/// All new groups that one table gives.
#[derive(Default)]
struct Groups {
    made: Vec<Made>,
    places: BTreeMap<Key, usize>,
    last: usize,
}

impl Groups {
    /// Where a record belongs: by its values of those columns of the old key that it still has.
    fn of(&mut self, table: &Table, fields: &Fields) -> &mut Made {
        let old = table.key.pairs();
        let kept = || old.iter().filter_map(|(name, _)| Some((name, field(fields, name)?)));
        let is_last = |known: &&Made| {
            let mut pairs = known.key.pairs().iter();
            kept().all(|(name, value)| {
                pairs
                    .next()
                    .is_some_and(|(known, was)| known == name && compare_values(was, value).is_eq())
            }) && pairs.next().is_none()
        };
        // Rows of one group mostly follow each other.
        if self.made.get(self.last).filter(is_last).is_none() {
            let key = Key::new(kept().map(|(name, value)| (name.clone(), value.clone())).collect());
            let next = self.made.len();
            self.last = *self.places.entry(key.clone()).or_insert(next);
            if self.last == next {
                self.made.push(Made { key, columns: Vec::new(), rows: 0 });
            }
        }
        &mut self.made[self.last]
    }
}

impl Made {
    fn push(&mut self, fields: Fields) -> Result<(), Failure> {
        for (at, (name, value)) in fields.into_iter().enumerate() {
            // The fields of one function come in one order.
            let place = match self.columns.get(at) {
                Some((known, _)) if *known == name => at,
                _ => match self.columns.iter().position(|(known, _)| *known == name) {
                    Some(place) => place,
                    None => {
                        self.columns.push((name.clone(), None));
                        self.columns.len() - 1
                    }
                },
            };
            if value.is_null() {
                continue;
            }
            let Some(kind) = value.kind() else { return Err(unsupported("map", &name, &value)) };
            let cellar = self.columns[place].1.get_or_insert_with(|| Cellar::new(&name, kind));
            if cellar.kind != kind {
                let (a, b) = (cellar.kind.name(), kind.name());
                return Failure::invalid(format!("column \"{name}\" is both of type {a} and {b}"));
            }
            cellar.fill_up(self.rows);
            cellar.push(value);
        }
        self.rows += 1;
        Ok(())
    }

    /// A column without any value is left out.
    fn finish(self, is_sorted: bool) -> Table {
        let rows = self.rows;
        let finished = |(_, cellar): (Rc<str>, Option<Cellar>)| {
            let mut cellar = cellar?;
            cellar.fill_up(rows);
            Some(cellar.finish())
        };
        let mut columns: Vec<Column> = self.columns.into_iter().filter_map(finished).collect();
        if is_sorted {
            columns.sort_by(|a, b| a.label.cmp(&b.label));
        }
        let key = self.key.only(|name| columns.iter().any(|column| *column.label == *name));
        Table::new(key, columns, rows)
    }
}

/// Whether InfluxDB runs the function over whole columns, which is seen in the order of columns.
fn is_vectorised(function: &Value) -> bool {
    let Value::Function(closure) = function else { return false };
    let [parameter] = closure.function.parameters.as_slice() else { return false };
    let Body::Expression(body) = &closure.function.body else { return false };
    let ExpressionKind::Record { with, properties } = &body.kind else { return false };
    let row = parameter.name.as_str();
    let is_plain = |property: &Property| {
        property.value.as_ref().is_some_and(|value| is_vector_part(value, row))
    };
    with.as_deref().is_none_or(|with| with == row) && properties.iter().all(is_plain)
}

fn is_vector_part(expression: &Expression, row: &str) -> bool {
    let part = |expression: &Expression| is_vector_part(expression, row);
    match &expression.kind {
        ExpressionKind::Integer(_)
        | ExpressionKind::Float(_)
        | ExpressionKind::String(_)
        | ExpressionKind::Boolean(_)
        | ExpressionKind::Time(_) => true,
        ExpressionKind::Member { object, .. } => {
            matches!(&object.kind, ExpressionKind::Identifier(name) if name == row)
        }
        ExpressionKind::Unary { operator, operand } => {
            *operator != UnaryOperator::Plus && part(operand)
        }
        ExpressionKind::Chain { first, rest } => {
            let is_regex = |(operator, _): &(Operator, _)| {
                matches!(operator, Operator::Matches | Operator::MatchesNot)
            };
            part(first)
                && !rest.iter().any(is_regex)
                && rest.iter().all(|(_, operand)| part(operand))
        }
        ExpressionKind::Conditional { test, consequent, alternate } => {
            part(test) && part(consequent) && part(alternate)
        }
        ExpressionKind::Call { callee, arguments } => {
            let is_float =
                matches!(&callee.kind, ExpressionKind::Identifier(name) if name == "float");
            is_float && arguments.iter().all(|one| one.value.as_ref().is_some_and(part))
        }
        _ => false,
    }
}
