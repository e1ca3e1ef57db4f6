//! Functions that change columns and groups.

use std::rc::Rc;

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::node::{Choice, Op};
use super::super::value::Value;
use super::{Builtin, packaged, universe};

pub const FUNCTIONS: &[Builtin] = &[
    universe("group", "<-tables:stream ?columns:strings ?mode:string", group),
    universe("keep", "<-tables:stream ?columns:strings ?fn:function", |call| {
        call.stage(Op::Keep(choice(call)?))
    }),
    universe("drop", "<-tables:stream ?columns:strings ?fn:function", |call| {
        call.stage(Op::Drop(choice(call)?))
    }),
    universe("rename", "<-tables:stream ?columns:record ?fn:function", rename),
    universe("duplicate", "<-tables:stream column:string as:string", |call| {
        call.stage(Op::Duplicate { column: call.text("column"), name: call.text("as") })
    }),
    universe("set", "<-tables:stream key:string value:string", |call| {
        call.stage(Op::Set { key: call.text("key"), value: call.text("value") })
    }),
    universe("columns", "<-tables:stream ?column:string", |call| {
        call.stage(Op::Columns(call.text_or("column", "_value")))
    }),
    universe("keys", "<-tables:stream ?column:string", |call| {
        call.stage(Op::Keys(call.text_or("column", "_value")))
    }),
    universe(
        "pivot",
        "<-tables:stream rowKey:strings columnKey:strings valueColumn:string",
        |call| {
            call.stage(Op::Pivot {
                row: call.texts_or("rowKey", &[]),
                column: call.texts_or("columnKey", &[]),
                value: call.text("valueColumn"),
            })
        },
    ),
    packaged("influxdata/influxdb/schema", "fieldsAsCols", "<-tables:stream", |call| {
        call.stage(Op::Pivot {
            row: vec!["_time".into()],
            column: vec!["_field".into()],
            value: "_value".into(),
        })
    }),
];

fn group(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let except = match &*call.text_or("mode", "by") {
        "by" => false,
        "except" => true,
        _ => return Failure::invalid("invalid group mode: must be \"by\" or \"except\""),
    };
    call.stage(Op::Group { columns: call.texts_or("columns", &[]).into(), except })
}

fn choice(call: &Call<'_, '_>) -> Result<Choice, Failure> {
    match (call.texts("columns"), call.get("fn")) {
        (Some(names), None) => Ok(Choice::Names(names)),
        (None, Some(function)) => Ok(Choice::Function(function.clone())),
        (Some(_), Some(_)) => Failure::invalid(format!(
            "{} error: both column list and predicate provided",
            call.name
        )),
        (None, None) => Failure::invalid(format!(
            "{} error: neither column list nor predicate function provided",
            call.name
        )),
    }
}

fn rename(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let function = call.get("fn").cloned();
    let pairs: Option<Vec<(Rc<str>, Rc<str>)>> = call.get("columns").map(|columns| {
        let fields = columns.fields().unwrap_or_default();
        let texts = fields.into_iter().filter_map(|(old, new)| match new {
            Value::String(new) => Some((old, new)),
            _ => None,
        });
        texts.collect()
    });
    if pairs.is_some() == function.is_some() {
        let which = if function.is_some() {
            "both map and function provided"
        } else {
            "neither map nor function provided"
        };
        return Failure::invalid(format!("rename error: {which}"));
    }
    call.stage(Op::Rename { pairs: pairs.unwrap_or_default(), function })
}
