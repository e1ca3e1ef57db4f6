//! Functions that read while the script is still evaluated, to make values of tables.

use std::rc::Rc;

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::run;
use super::super::table::Table;
use super::super::value::Value;
use super::{Builtin, universe};

pub const FUNCTIONS: &[Builtin] = &[
    universe("findColumn", "<-tables:stream fn:function column:string", |call| {
        match found(call)? {
            Some(table) => column(&table, &call.text("column")),
            None => Value::array(Vec::new()),
        }
    }),
    universe("findRecord", "<-tables:stream fn:function idx:int", |call| match found(call)? {
        Some(table) => record(table, call.integer_or("idx", 0)),
        None => Value::record(Vec::new()),
    }),
    universe("tableFind", "<-tables:stream fn:function", |call| match found(call)? {
        Some(table) => {
            Value::array((0..table.rows).map(|row| Value::Row(table.clone(), row)).collect())
        }
        None => Failure::invalid("no table found"),
    }),
    universe("getColumn", "<-table:array column:string", |call| match rows(call) {
        Some(table) => column(&table, &call.text("column")),
        None => Value::array(Vec::new()),
    }),
    universe("getRecord", "<-table:array idx:int", |call| match rows(call) {
        Some(table) => record(table, call.integer_or("idx", 0)),
        None => Failure::invalid("the table has no rows"),
    }),
];

/// The first table whose key the function likes.
fn found(call: &Call<'_, '_>) -> Result<Option<Rc<Table>>, Failure> {
    for table in run::early(call.interpreter, &call.stream("tables"))? {
        let key = Value::record(table.key.pairs().to_vec())?;
        let is_it = call.interpreter.apply_row(call.value("fn"), &[("key", key)])?;
        if matches!(is_it, Value::Boolean(true)) {
            return Ok(Some(Rc::new(table)));
        }
    }
    Ok(None)
}

/// The table behind the rows that `tableFind` gave.
fn rows(call: &Call<'_, '_>) -> Option<Rc<Table>> {
    match call.value("table") {
        Value::Array(rows) => match rows.inner.first() {
            Some(Value::Row(table, _)) => Some(table.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn column(table: &Table, name: &str) -> Result<Value, Failure> {
    match table.column(name) {
        Some(column) => Value::array((0..table.rows).map(|row| column.get(row)).collect()),
        None => Failure::invalid(format!("cannot find column {name}")),
    }
}

fn record(table: Rc<Table>, at: i64) -> Result<Value, Failure> {
    match usize::try_from(at) {
        Ok(row) if row < table.rows => {
            Value::record(Value::Row(table, row).fields().unwrap_or_default())
        }
        _ => Failure::invalid(format!(
            "index {at} out of bounds for a table with {} rows",
            table.rows
        )),
    }
}
