//! `to`: rows become points of a bucket, and go on.

use std::rc::Rc;

use super::super::convert::float_text;
use super::super::failure::{Failure, Refused};
use super::super::node::Stream;
use super::super::table::{Column, Table};
use super::super::value::{Kind, Value};
use super::{Runner, Sink};
use crate::store::view::Change;

/// So many bytes of lines are written at once.
const BATCH_BYTES: usize = 1 << 20;

impl Runner<'_, '_> {
    pub fn to(&self, node: &Stream, bucket: &Rc<str>, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let (database, policy) = self.bucket(bucket)?;
        let mut lines: Vec<u8> = Vec::new();
        let flush = |lines: &mut Vec<u8>| {
            if lines.is_empty() {
                return Ok(());
            }
            let change = Change::Write {
                database: database.name().to_owned(),
                policy: Some(policy.clone()),
                lines: std::mem::take(lines),
            };
            self.interpreter.catalog.change(change).map_err(|error| node.error(error))
        };
        self.input(node, &mut |table| {
            let writer = Writer::of(node, &table)?;
            for row in 0..table.rows {
                writer.line(row, &mut lines);
                if lines.len() >= BATCH_BYTES {
                    self.guard().check()?;
                    flush(&mut lines)?;
                }
            }
            sink(table)
        })?;
        flush(&mut lines)
    }
}

struct Writer<'t> {
    time: &'t Column,
    measurement: &'t Column,
    field: &'t Column,
    value: &'t Column,
    /// Sorted by name.
    tags: Vec<&'t Column>,
}

impl<'t> Writer<'t> {
    fn of(node: &Stream, table: &'t Table) -> Result<Writer<'t>, Failure> {
        let named = |name: &str| {
            let missing =
                || Failure::from(Refused::invalid(format!("no column with label {name} exists")));
            table.column(name).ok_or_else(missing).map_err(|failure| node.wrapped(failure))
        };
        let known = ["_time", "_measurement", "_field", "_value", "_start", "_stop"];
        let is_tag =
            |column: &&Column| column.kind == Kind::String && !known.contains(&&*column.label);
        let mut tags: Vec<&Column> = table.columns.iter().filter(is_tag).collect();
        tags.sort_by(|a, b| a.label.cmp(&b.label));
        let (time, measurement) = (named("_time")?, named("_measurement")?);
        Ok(Writer { time, measurement, field: named("_field")?, value: named("_value")?, tags })
    }

    /// A row without a time, a name or a value is no point.
    fn line(&self, row: usize, lines: &mut Vec<u8>) {
        let (Value::Time(time), Value::String(measurement), Value::String(field)) =
            (self.time.get(row), self.measurement.get(row), self.field.get(row))
        else {
            return;
        };
        let value = self.value.get(row);
        if value.is_null() || matches!(value, Value::Float(number) if !number.is_finite()) {
            return;
        }
        escape(&measurement, ", ", lines);
        for tag in &self.tags {
            if let Value::String(text) = tag.get(row)
                && !text.is_empty()
            {
                lines.push(b',');
                escape(&tag.label, ",= ", lines);
                lines.push(b'=');
                escape(&text, ",= ", lines);
            }
        }
        lines.push(b' ');
        escape(&field, ",= ", lines);
        lines.push(b'=');
        match value {
            Value::Float(number) => lines.extend_from_slice(float_text(number).as_bytes()),
            Value::Integer(number) => lines.extend_from_slice(format!("{number}i").as_bytes()),
            Value::Unsigned(number) => lines.extend_from_slice(format!("{number}u").as_bytes()),
            Value::Boolean(truth) => lines.extend_from_slice(truth.to_string().as_bytes()),
            Value::Time(time) => lines.extend_from_slice(format!("{time}i").as_bytes()),
            Value::String(text) => {
                lines.push(b'"');
                escape(&text, "\"\\", lines);
                lines.push(b'"');
            }
            _ => unreachable!("a column holds nothing else"),
        }
        lines.extend_from_slice(format!(" {time}\n").as_bytes());
    }
}

fn escape(text: &str, special: &str, lines: &mut Vec<u8>) {
    for c in text.chars() {
        if special.contains(c) {
            lines.push(b'\\');
        }
        lines.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}
