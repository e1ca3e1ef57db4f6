//! The points of one series in one window.

use super::item::{Item, Label, Next, Stream};
use crate::store::guard::Guard;
use crate::store::influxql::expr::eval::{Evaluator, Row};
use crate::store::influxql::expr::{Expr, Kind};
use crate::store::influxql::fault::Fault;
use crate::store::value::{Column, FieldType, Value, Values};
use crate::store::view::{Cursor, Direction, Series, TimeRange, Window};
use std::sync::Arc;

/// One field, block by block, as the type that was asked for.
pub struct FieldCursor<'a> {
    cursor: Box<dyn Cursor>,
    cast: FieldType,
    block: Column,
    at: usize,
    guard: &'a Guard,
}

/// `None`: not there in this window, or not of a type that can be read as the one asked for.
pub fn field<'a>(
    window: &dyn Window,
    series: &Series,
    (name, kind): (&str, Kind),
    (range, direction): (TimeRange, Direction),
    guard: &'a Guard,
) -> Option<FieldCursor<'a>> {
    let fields = window.fields(&series.measurement);
    let at = fields.binary_search_by(|(field, _)| (**field).cmp(name)).ok()?;
    let of = fields[at].1;
    let cast = match kind {
        Kind::Value(kind) => kind,
        _ => of,
    };
    let is_number = |kind| !matches!(kind, FieldType::String | FieldType::Boolean);
    if cast != of && !(is_number(cast) && is_number(of)) {
        return None;
    }
    let cursor = window.read(series, name, range, direction)?;
    Some(FieldCursor { cursor, cast, block: Column::new(cast), at: 0, guard })
}

impl FieldCursor<'_> {
    /// The next whole block.
    pub fn block(&mut self) -> Result<Option<Column>, Fault> {
        self.guard.check()?;
        let Some(column) = self.cursor.next()? else { return Ok(None) };
        let values = if column.values.kind() == self.cast {
            column.values
        } else {
            cast(column.values, self.cast)
        };
        Ok(Some(Column { times: column.times, values }))
    }

    fn peek(&mut self) -> Result<Option<i64>, Fault> {
        if self.at >= self.block.len() {
            match self.block()? {
                None => return Ok(None),
                Some(block) => (self.block, self.at) = (block, 0),
            }
        }
        Ok(Some(self.block.times[self.at]))
    }

    fn take(&mut self) -> Value {
        self.at += 1;
        self.block.values.get(self.at - 1)
    }

    /// The value at a time; what lies before is passed over.
    fn at(&mut self, time: i64, ascending: bool) -> Result<Option<Value>, Fault> {
        while let Some(here) = self.peek()? {
            if here == time {
                return Ok(Some(self.take()));
            }
            if (here > time) == ascending {
                return Ok(None);
            }
            self.at += 1;
        }
        Ok(None)
    }
}

/// Numbers as numbers of another type, as Go converts them.
fn cast(values: Values, to: FieldType) -> Values {
    let out_of_range =
        |value: f64| !(-9.223_372_036_854_775_8e18..9.223_372_036_854_775_8e18).contains(&value);
    let integer = |value: f64| if out_of_range(value) { i64::MIN } else { value as i64 };
    match (values, to) {
        (Values::Integer(values), FieldType::Float) => {
            Values::Float(values.into_iter().map(|value| value as f64).collect())
        }
        (Values::Unsigned(values), FieldType::Float) => {
            Values::Float(values.into_iter().map(|value| value as f64).collect())
        }
        (Values::Float(values), FieldType::Integer) => {
            Values::Integer(values.into_iter().map(integer).collect())
        }
        (Values::Unsigned(values), FieldType::Integer) => {
            Values::Integer(values.into_iter().map(u64::cast_signed).collect())
        }
        (Values::Float(values), FieldType::Unsigned) => {
            let unsigned = |value: f64| {
                if value >= 9.223_372_036_854_775_8e18 {
                    value as u64
                } else {
                    integer(value).cast_unsigned()
                }
            };
            Values::Unsigned(values.into_iter().map(unsigned).collect())
        }
        (Values::Integer(values), FieldType::Unsigned) => {
            Values::Unsigned(values.into_iter().map(i64::cast_unsigned).collect())
        }
        (values, _) => values,
    }
}

/// Where a column of a row comes from.
enum Cell<'a> {
    Field(FieldCursor<'a>),
    Tag(Value),
    Null,
}

/// Points with all that comes along.
pub struct Scan<'a> {
    label: Arc<Label>,
    main: Option<FieldCursor<'a>>,
    aux: Vec<Cell<'a>>,
    needed: Vec<(Arc<str>, Kind, Cell<'a>, Option<Value>)>,
    condition: Option<Expr>,
    ascending: bool,
}

/// What is to be read of a series.
pub struct Wanted<'w> {
    pub label: Arc<Label>,
    pub main: Option<(&'w str, Kind)>,
    pub aux: &'w [(Arc<str>, Kind)],
    pub condition: Option<&'w Expr>,
    pub range: TimeRange,
    pub ascending: bool,
}

/// `None`: the series has not the field that is asked for.
pub fn scan<'a>(
    window: &dyn Window,
    series: &Series,
    wanted: &Wanted<'_>,
    guard: &'a Guard,
) -> Option<Scan<'a>> {
    let how = (wanted.range, super::mapping::direction(wanted.ascending));
    let cell = |name: &str, kind: Kind| {
        if name == "_name" {
            return Cell::Tag(Value::String(series.measurement.as_bytes().into()));
        }
        if kind != Kind::Tag {
            if let Some(cursor) = field(window, series, (name, kind), how, guard) {
                return Cell::Field(cursor);
            }
            if matches!(kind, Kind::Value(_)) {
                return Cell::Null;
            }
        }
        match series.tag(name) {
            Some(value) if kind != Kind::AnyField => {
                Cell::Tag(Value::String(value.as_bytes().into()))
            }
            _ => Cell::Null,
        }
    };
    let main = match wanted.main {
        None => None,
        Some(main) => Some(field(window, series, main, how, guard)?),
    };
    let aux: Vec<Cell<'a>> = wanted.aux.iter().map(|(name, kind)| cell(name, *kind)).collect();
    if main.is_none() && !aux.iter().any(|cell| matches!(cell, Cell::Field(_))) {
        return None;
    }
    let needed = wanted.condition.map(Expr::references).unwrap_or_default();
    let needed = needed.into_iter().map(|(name, kind)| {
        let cell = cell(&name, kind);
        (name, kind, cell, None)
    });
    Some(Scan {
        label: wanted.label.clone(),
        main,
        aux,
        needed: needed.collect(),
        condition: wanted.condition.cloned(),
        ascending: wanted.ascending,
    })
}

struct Needed<'n, 'a>(&'n [(Arc<str>, Kind, Cell<'a>, Option<Value>)]);

impl Row for Needed<'_, '_> {
    fn value(&self, name: &str, kind: Kind) -> Option<Value> {
        let found = self.0.iter().find(|(known, of, _, _)| **known == *name && *of == kind);
        found.and_then(|(_, _, _, value)| value.clone())
    }
}

impl Cell<'_> {
    fn at(&mut self, time: i64, ascending: bool) -> Result<Option<Value>, Fault> {
        match self {
            Cell::Field(cursor) => cursor.at(time, ascending),
            Cell::Tag(value) => Ok(Some(value.clone())),
            Cell::Null => Ok(None),
        }
    }
}

impl Scan<'_> {
    /// The time of the next row.
    fn time(&mut self) -> Result<Option<i64>, Fault> {
        if let Some(main) = &mut self.main {
            return main.peek();
        }
        let mut first = None;
        for cell in &mut self.aux {
            let Cell::Field(cursor) = cell else { continue };
            let Some(time) = cursor.peek()? else { continue };
            let is_first =
                first.is_none_or(|known| (time < known) == self.ascending && time != known);
            if is_first {
                first = Some(time);
            }
        }
        Ok(first)
    }
}

impl Stream for Scan<'_> {
    fn next(&mut self) -> Next {
        loop {
            let Some(time) = self.time()? else { return Ok(None) };
            let value = self.main.as_mut().map(FieldCursor::take);
            let mut aux = Vec::with_capacity(self.aux.len());
            for cell in &mut self.aux {
                aux.push(cell.at(time, self.ascending)?);
            }
            if let Some(condition) = &self.condition {
                for (_, _, cell, value) in &mut self.needed {
                    *value = cell.at(time, self.ascending)?;
                }
                let row = Needed(&self.needed);
                if !(Evaluator { row: &row, float_division: false }).truth(condition) {
                    continue;
                }
            }
            let value = if self.main.is_some() { value } else { Some(Value::Float(0.0)) };
            return Ok(Some(Item { label: self.label.clone(), time, value, aux, merged: 0 }));
        }
    }
}
