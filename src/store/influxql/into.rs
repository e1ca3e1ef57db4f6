//! SELECT INTO: rows become points.

use super::fault::Fault;
use super::read::mapping::Context;
use super::rows::cursor::{Cursor, Head};
use super::rows::emit::Sink;
use super::rows::text::Times;
use super::select::{self, Defaults};
use super::show::table;
use crate::proto::influxql::{Measurement, MeasurementName, Select};
use crate::store::point::escape;
use crate::store::value::Value;
use crate::store::view::Change;
use std::fmt::Write as _;

/// So many bytes of lines are written at once.
const BATCH_BYTES: usize = 1 << 20;

pub fn run(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    select: &Select,
    times: &Times,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let planned = select::plan(context, defaults, select)?;
    let Some(into) = &planned.select.into else { return Ok(()) };
    let (database, policy) = target(context, defaults, into)?;
    let columns = planned.select.columns();
    let mut lines = String::new();
    let mut written = 0_u64;
    let mut cursor = select::open(context, &planned)?;
    let write = |lines: &mut String| -> Result<(), Fault> {
        if lines.is_empty() {
            return Ok(());
        }
        context.catalog.change(Change::Write {
            database: database.clone(),
            policy: Some(policy.clone()),
            lines: std::mem::take(lines).into_bytes(),
        })?;
        Ok(())
    };
    while let Some(head) = cursor.next()? {
        if push_line(&mut lines, &cursor, &head, &columns, into) {
            written += 1;
        }
        if lines.len() >= BATCH_BYTES {
            context.guard.check()?;
            write(&mut lines)?;
        }
    }
    write(&mut lines)?;
    let mut time = String::new();
    times.push(0, &mut time);
    sink.piece(table("result", &["time", "written"], vec![vec![time, written.to_string()]]))
}

fn target(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    into: &Measurement,
) -> Result<(String, String), Fault> {
    // The name is of no account here: the rows have their own where none is said.
    let plain = Measurement { name: MeasurementName::Name(String::new()), ..into.clone() };
    let found = select::resolve(context, defaults, &plain)?;
    Ok((found.database, found.policy))
}

/// Adds a row as a line; nothing if it has no value.
fn push_line(
    lines: &mut String,
    cursor: &Cursor<'_>,
    head: &Head,
    columns: &[String],
    into: &Measurement,
) -> bool {
    let begin = lines.len();
    let name = match &into.name {
        MeasurementName::Name(name) => name,
        _ => &*head.label.name,
    };
    let mut bytes = Vec::new();
    escape(name.as_bytes(), b", ", &mut bytes);
    for (key, value) in head.label.tags.iter().filter(|(_, value)| !value.is_empty()) {
        bytes.push(b',');
        escape(key.as_bytes(), b", =", &mut bytes);
        bytes.push(b'=');
        escape(value.as_bytes(), b", =", &mut bytes);
    }
    lines.push_str(&String::from_utf8_lossy(&bytes));
    let mut separator = ' ';
    for (column, name) in columns.iter().enumerate() {
        if cursor.is_time(column) {
            continue;
        }
        let Some(value) = cursor.value(column, head) else { continue };
        let mut key = Vec::new();
        escape(name.as_bytes(), b", =", &mut key);
        lines.push(separator);
        lines.push_str(&String::from_utf8_lossy(&key));
        lines.push('=');
        push_field(lines, &value);
        separator = ',';
    }
    if separator == ' ' {
        lines.truncate(begin);
        return false;
    }
    writeln!(lines, " {}", head.time).expect("writing to a string");
    true
}

fn push_field(lines: &mut String, value: &Value) {
    match value {
        Value::Float(value) => write!(lines, "{value}"),
        Value::Integer(value) => write!(lines, "{value}i"),
        Value::Unsigned(value) => write!(lines, "{value}u"),
        Value::Boolean(value) => write!(lines, "{value}"),
        Value::String(text) => {
            let text = String::from_utf8_lossy(text);
            write!(lines, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
    }
    .expect("writing to a string");
}
