//! Functions of several streams.

use std::rc::Rc;

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::node::{JoinRows, Op, Side};
use super::super::value::Value;
use super::{Builtin, packaged, universe};
use crate::proto::flux::{Body, Expression, ExpressionKind, Operator};

pub const FUNCTIONS: &[Builtin] = &[
    universe("union", "tables:streams", union),
    universe("join", "tables:record ?on:strings ?method:string", join),
    packaged("join", "inner", "<-left:stream right:stream on:function as:function", |call| {
        rows(call, Side::Inner)
    }),
    packaged("join", "left", "<-left:stream right:stream on:function ?as:function", |call| {
        rows(call, Side::Left)
    }),
    packaged("join", "right", "<-left:stream right:stream on:function as:function", |call| {
        rows(call, Side::Right)
    }),
    packaged("join", "full", "<-left:stream right:stream on:function as:function", |call| {
        rows(call, Side::Full)
    }),
    packaged("join", "time", "<-left:stream right:stream as:function ?method:string", by_time),
];

fn union(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let Value::Array(items) = call.value("tables") else { unreachable!("checked") };
    if items.inner.len() < 2 {
        return Failure::invalid("union must have at least two streams as input");
    }
    let streams = items.inner.iter().filter_map(|item| match item {
        Value::Stream(stream) => Some(stream.clone()),
        _ => None,
    });
    call.stage_on(Op::Union, streams.collect())
}

fn join(call: &Call<'_, '_>) -> Result<Value, Failure> {
    match &*call.text_or("method", "inner") {
        "inner" => {}
        other => return Failure::invalid(format!("method {other} is not supported for join")),
    }
    let fields = call.value("tables").fields().unwrap_or_default();
    let mut streams: Vec<(Rc<str>, Value)> = fields;
    streams.sort_by(|a, b| a.0.cmp(&b.0));
    match streams.as_slice() {
        [(left, Value::Stream(a)), (right, Value::Stream(b))] => {
            let names = [left.clone(), right.clone()];
            let op = Op::Join { names, on: call.texts_or("on", &[]) };
            call.stage_on(op, vec![a.clone(), b.clone()])
        }
        [(_, Value::Stream(_)), ..] if streams.len() > 2 => {
            Failure::invalid("joins of more than two streams are not supported")
        }
        _ => Failure::invalid(
            "join: missing required parameter: tables must be a record of two streams",
        ),
    }
}

fn joined(call: &Call<'_, '_>, on: Vec<(Rc<str>, Rc<str>)>, side: Side) -> Result<Value, Failure> {
    let shape = match call.get("as") {
        Some(shape) => shape.clone(),
        None => return Failure::invalid("missing required argument as"),
    };
    let inputs = vec![call.stream("left"), call.stream("right")];
    call.stage_on(Op::JoinRows(Box::new(JoinRows { on, shape, side })), inputs)
}

fn rows(call: &Call<'_, '_>, side: Side) -> Result<Value, Failure> {
    match equalities(call.value("on")) {
        Some(on) => joined(call, on, side),
        None => Failure::invalid(
            "join: `on` must be a function of equalities between columns of `l` and `r`, joined by `and`",
        ),
    }
}

fn by_time(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let side = match &*call.text_or("method", "inner") {
        "inner" => Side::Inner,
        "left" => Side::Left,
        "right" => Side::Right,
        "full" => Side::Full,
        other => return Failure::invalid(format!("join: invalid method {other}")),
    };
    joined(call, vec![("_time".into(), "_time".into())], side)
}

/// The columns that a function `(l, r) => l.a == r.b and ...` sets equal.
fn equalities(function: &Value) -> Option<Vec<(Rc<str>, Rc<str>)>> {
    let Value::Function(closure) = function else { return None };
    let Body::Expression(body) = &closure.function.body else { return None };
    let mut pairs = Vec::new();
    collect(body, &mut pairs)?;
    Some(pairs)
}

fn collect(expression: &Expression, pairs: &mut Vec<(Rc<str>, Rc<str>)>) -> Option<()> {
    let ExpressionKind::Chain { first, rest } = &expression.kind else { return None };
    if rest.iter().all(|(operator, _)| *operator == Operator::And) {
        collect(first, pairs)?;
        return rest.iter().try_for_each(|(_, operand)| collect(operand, pairs));
    }
    let [(Operator::Equal, second)] = rest.as_slice() else { return None };
    let (first, second) = (side(first)?, side(second)?);
    match (first.0, second.0) {
        ("l", "r") => pairs.push((first.1.into(), second.1.into())),
        ("r", "l") => pairs.push((second.1.into(), first.1.into())),
        _ => return None,
    }
    Some(())
}

fn side(expression: &Expression) -> Option<(&str, &str)> {
    let ExpressionKind::Member { object, name } = &expression.kind else { return None };
    let ExpressionKind::Identifier(side) = &object.kind else { return None };
    Some((side, name))
}
