//! What of a plan storage answers: which stages lie directly on a read, with no other reader between.

use std::rc::Rc;

use super::super::failure::{Failure, Refused};
use super::super::node::{Aggregate, AggregateWindow, Bounds, Choice, Node, Op, Stream, Windows};
use super::super::scope::Scope;
use super::super::value::{Closure, Value};
use super::Runner;
use super::predicate::{self, Predicate};
use crate::proto::flux::{Body, Expression, ExpressionKind, Function, Operator, Parameter, Span};

/// A read with its filters.
pub struct Read {
    pub from: Stream,
    pub bounds: Bounds,
    pub predicate: Predicate,
    /// What of the filters does not run in storage: functions of rows.
    pub rest: Vec<Value>,
}

pub struct StoredGroup {
    pub read: Read,
    pub columns: Rc<[Rc<str>]>,
}

pub struct StoredAggregate {
    pub read: Read,
    pub aggregate: Aggregate,
    pub by: By,
}

/// What an aggregate in storage is made for.
pub enum By {
    Series,
    Group(Rc<[Rc<str>]>),
    Window(Windows),
}

/// Names that the index knows.
pub struct Names {
    pub read: Read,
    pub what: What,
}

pub enum What {
    TagKeys,
    TagValues(Rc<str>),
}

pub fn unbounded(bucket: &str) -> Failure {
    Refused::invalid(format!(
        "error in building plan while starting program: cannot submit unbounded read to \"{bucket}\"; try bounding 'from' with a call to 'range'"
    ))
    .into()
}

/// What every stage must be by itself.
pub fn check(node: &Node) -> Result<(), Failure> {
    match &node.op {
        Op::Range(bounds) if bounds.start >= bounds.stop => Failure::invalid(
            "error in building plan while starting program: cannot query an empty range",
        ),
        _ => Ok(()),
    }
}

/// What every result must be.
pub fn check_result(result: &Node) -> Result<(), Failure> {
    match &result.op {
        Op::From { bucket } => Err(unbounded(bucket)),
        _ => check(result),
    }
}

/// What every stage must be for that which it reads.
pub fn check_input(node: &Node, input: &Node) -> Result<(), Failure> {
    check(input)?;
    match (&input.op, &node.op) {
        (Op::From { .. }, Op::Range(_)) => Ok(()),
        (Op::From { bucket }, _) => Err(unbounded(bucket)),
        _ => Ok(()),
    }
}

/// The read that a stage is: a range on a bucket, and filters on it that nothing else reads from.
pub fn read_of(runner: &Runner<'_, '_>, node: &Stream) -> Option<Read> {
    match &node.op {
        Op::Range(bounds) => {
            let from = node.inputs.first().filter(|input| matches!(input.op, Op::From { .. }))?;
            Some(Read {
                from: from.clone(),
                bounds: *bounds,
                predicate: Predicate::All(Vec::new()),
                rest: Vec::new(),
            })
        }
        Op::Filter { function, keep_empty: false } => {
            let input = &node.inputs[0];
            if matches!(input.op, Op::Filter { .. }) && !runner.is_sole(input) {
                return None;
            }
            if matches!(input.op, Op::Range(_)) && !runner.is_sole(input) {
                return None;
            }
            let mut read = read_of(runner, input)?;
            let split = predicate::split(runner.interpreter, function);
            let Predicate::All(parts) = &mut read.predicate else { unreachable!("made above") };
            parts.extend(split.pushed);
            read.rest.extend(split.rest);
            Some(read)
        }
        _ => None,
    }
}

/// The read that lies directly under a stage, all of it in storage.
fn direct(runner: &Runner<'_, '_>, node: &Node) -> Option<Read> {
    let input = node.inputs.first()?;
    if !runner.is_sole(input) {
        return None;
    }
    read_of(runner, input).filter(|read| read.rest.is_empty())
}

pub fn is_stored_group(runner: &Runner<'_, '_>, node: &Stream) -> bool {
    matches!(node.op, Op::Group { .. }) && stored_group(runner, node).is_some()
}

pub fn stored_group(runner: &Runner<'_, '_>, node: &Stream) -> Option<StoredGroup> {
    let Op::Group { columns, except: false } = &node.op else { return None };
    if columns.iter().any(|column| matches!(&**column, "_time" | "_value")) {
        return None;
    }
    Some(StoredGroup { read: direct(runner, node)?, columns: columns.clone() })
}

pub fn stored_aggregate(runner: &Runner<'_, '_>, node: &Stream) -> Option<StoredAggregate> {
    let Op::Aggregate(aggregate, column) = &node.op else { return None };
    if **column != *"_value" {
        return None;
    }
    if let Some(read) = direct(runner, node) {
        return Some(StoredAggregate { read, aggregate: *aggregate, by: By::Series });
    }
    let input = node.inputs.first().filter(|input| runner.is_sole(input))?;
    match &input.op {
        Op::Group { .. } if *aggregate != Aggregate::Mean => {
            let StoredGroup { read, columns } = stored_group(runner, input)?;
            Some(StoredAggregate { read, aggregate: *aggregate, by: By::Group(columns) })
        }
        Op::Window(windows) if is_stored(windows) => {
            let read = direct(runner, input)?;
            Some(StoredAggregate { read, aggregate: *aggregate, by: By::Window(windows.clone()) })
        }
        _ => None,
    }
}

/// `window |> f |> duplicate(_stop as _time) |> window(inf)`, which is `aggregateWindow` written out.
pub fn aggregate_window(runner: &Runner<'_, '_>, node: &Stream) -> Option<AggregateWindow> {
    let sole = |node: &Node| node.inputs.first().filter(|input| runner.is_sole(input)).cloned();
    let Op::Window(together) = &node.op else { return None };
    if together.every.is_some() || *together.time_column != *"_time" {
        return None;
    }
    let duplicate = sole(node)?;
    let Op::Duplicate { column: time_source, name: time_target } = &duplicate.op else {
        return None;
    };
    let reduced = sole(&duplicate)?;
    let Op::Aggregate(aggregate, column) = &reduced.op else { return None };
    let window = sole(&reduced)?;
    let Op::Window(windows) = &window.op else { return None };
    let is_plain = *windows.time_column == *"_time"
        && *windows.start_column == *"_start"
        && *windows.stop_column == *"_stop"
        && !windows.create_empty;
    is_plain.then(|| AggregateWindow {
        source: window.inputs[0].clone(),
        windows: windows.clone(),
        aggregate: Some(*aggregate),
        column: column.clone(),
        time_source: time_source.clone(),
        time_target: time_target.clone(),
    })
}

/// The read that `aggregateWindow` lies on, if its windows are of the sort that storage knows.
pub fn stored_window(runner: &Runner<'_, '_>, source: &Stream, windows: &Windows) -> Option<Read> {
    if !runner.is_sole(source) || !is_stored(windows) {
        return None;
    }
    read_of(runner, source).filter(|read| read.rest.is_empty())
}

fn is_stored(windows: &Windows) -> bool {
    windows.every.is_some()
        && windows.every == windows.period
        && !windows.offset.is_negative()
        && windows.location.is_utc()
        && *windows.time_column == *"_time"
        && *windows.start_column == *"_start"
        && *windows.stop_column == *"_stop"
}

/// Whether these stages only ask for names.
pub fn names(runner: &Runner<'_, '_>, node: &Stream) -> Option<Names> {
    let Op::Distinct(column) = &node.op else { return None };
    let sole = |node: &Node| node.inputs.first().filter(|input| runner.is_sole(input)).cloned();
    let input = sole(node)?;
    match &input.op {
        // keys |> keep(["_value"]) |> distinct
        Op::Keep(Choice::Names(kept)) if is_only(kept, column) && **column == *"_value" => {
            let keys = sole(&input)?;
            match &keys.op {
                Op::Keys(name) if **name == *"_value" => {
                    Some(Names { read: direct(runner, &keys)?, what: What::TagKeys })
                }
                _ => None,
            }
        }
        // keep([tag]) |> group() |> distinct(tag)
        Op::Group { columns, except: false } if columns.is_empty() => {
            let keep = sole(&input)?;
            let is_stored_name = !matches!(&**column, "_value" | "_time" | "_start" | "_stop");
            match &keep.op {
                Op::Keep(Choice::Names(kept)) if is_only(kept, column) && is_stored_name => {
                    let read = direct(runner, &keep)?;
                    Some(Names { read, what: What::TagValues(column.clone()) })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_only(kept: &[Rc<str>], column: &Rc<str>) -> bool {
    kept.len() == 1 && kept[0] == *column
}

/// The function `(r) => r[column] == value`.
pub fn known_true(column: &str, value: &str) -> Result<Value, Failure> {
    let at = |kind| Expression { kind, span: Span { start: 0, end: 0 } };
    let object = Box::new(at(ExpressionKind::Identifier("r".to_owned())));
    let first = Box::new(at(ExpressionKind::Member { object, name: column.to_owned() }));
    let rest = vec![(Operator::Equal, at(ExpressionKind::String(value.to_owned())))];
    let function = Function {
        parameters: vec![Parameter { name: "r".to_owned(), default: None }],
        body: Body::Expression(at(ExpressionKind::Chain { first, rest })),
    };
    Ok(Value::Function(Rc::new(Closure::new(Rc::new(function), Scope::default())?)))
}
