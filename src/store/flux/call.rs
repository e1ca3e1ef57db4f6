//! The arguments of a call: checked against what a function of Flux takes, and read.

use std::rc::Rc;

use super::failure::Failure;
use super::interpret::Interpreter;
use super::interval::Interval;
use super::library::Builtin;
use super::node::{Op, Stream};
use super::value::Value;
use crate::proto::flux::Span;

/// As the script gives them.
#[derive(Debug, Default)]
pub struct Arguments {
    pub named: Vec<(Rc<str>, Value, Span)>,
    pub piped: Option<Value>,
}

/// A call of a function of Flux whose arguments are checked.
pub struct Call<'c, 'q> {
    pub interpreter: &'c Interpreter<'q>,
    pub name: &'static str,
    pub place: Rc<str>,
    pub span: Span,
    given: Arguments,
}

/// One parameter of a signature: `name:type`, `?name:type` if it may be absent, `<-name:type` if it is piped in.
struct Parameter {
    name: &'static str,
    kind: &'static str,
    is_optional: bool,
    is_pipe: bool,
}

fn parameters(signature: &'static str) -> impl Iterator<Item = Parameter> {
    signature.split_ascii_whitespace().map(|word| {
        let is_pipe = word.starts_with("<-");
        let is_optional = word.starts_with('?');
        let word = word.trim_start_matches("<-").trim_start_matches('?');
        let (name, kind) = word.split_once(':').unwrap_or((word, "any"));
        Parameter { name, kind, is_optional, is_pipe }
    })
}

/// What is said of an argument that no parameter has.
pub fn unexpected<'n>(name: &str, expected: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<&str> = expected.collect();
    names.sort_unstable();
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let list = match names.as_slice() {
        [] => return format!("found unexpected argument {name}"),
        [one] => one.clone(),
        [first @ .., last] => format!("one of {} or {last}", first.join(", ")),
    };
    format!("found unexpected argument {name} (Expected {list})")
}

impl<'c, 'q> Call<'c, 'q> {
    pub fn new(
        interpreter: &'c Interpreter<'q>,
        builtin: &'static Builtin,
        mut given: Arguments,
        span: Span,
    ) -> Result<Call<'c, 'q>, Failure> {
        let pipe = parameters(builtin.signature).find(|parameter| parameter.is_pipe);
        match (&pipe, given.piped.take()) {
            (Some(pipe), Some(piped)) => given.named.insert(0, (pipe.name.into(), piped, span)),
            (None, Some(_)) => {
                return interpreter.error(span, "function does not take a pipe argument");
            }
            _ => {}
        }
        check(interpreter, builtin.signature, &given, span)?;
        let place = interpreter.place(span);
        Ok(Call { interpreter, name: builtin.name, place, span, given })
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        let found = self.given.named.iter().find(|(known, ..)| **known == *name);
        found.map(|(_, value, _)| value)
    }

    /// # Panics
    /// If the signature does not ask for it.
    pub fn value(&self, name: &str) -> &Value {
        self.get(name).expect("the signature asks for it")
    }

    pub fn text_or(&self, name: &str, default: &str) -> Rc<str> {
        match self.get(name) {
            Some(Value::String(text)) => text.clone(),
            _ => default.into(),
        }
    }

    pub fn text(&self, name: &str) -> Rc<str> {
        self.text_or(name, "")
    }

    pub fn integer_or(&self, name: &str, default: i64) -> i64 {
        match self.get(name) {
            Some(Value::Integer(number)) => *number,
            _ => default,
        }
    }

    pub fn float_or(&self, name: &str, default: f64) -> f64 {
        match self.get(name) {
            Some(Value::Float(number)) => *number,
            _ => default,
        }
    }

    pub fn flag(&self, name: &str, default: bool) -> bool {
        match self.get(name) {
            Some(Value::Boolean(truth)) => *truth,
            _ => default,
        }
    }

    pub fn interval(&self, name: &str) -> Option<Interval> {
        match self.get(name) {
            Some(Value::Duration(interval)) => Some(*interval),
            _ => None,
        }
    }

    /// A duration where no calendar counts; `default` is in nanoseconds.
    pub fn unit_or(&self, name: &str, default: i64) -> i64 {
        self.interval(name).map_or(default, Interval::length_ns)
    }

    pub fn texts(&self, name: &str) -> Option<Vec<Rc<str>>> {
        let Some(Value::Array(items)) = self.get(name) else { return None };
        let texts = items.inner.iter().filter_map(|item| match item {
            Value::String(text) => Some(text.clone()),
            _ => None,
        });
        Some(texts.collect())
    }

    pub fn texts_or(&self, name: &str, default: &[&str]) -> Vec<Rc<str>> {
        self.texts(name).unwrap_or_else(|| default.iter().map(|text| (*text).into()).collect())
    }

    /// A stream among the arguments.
    pub fn stream(&self, name: &str) -> Stream {
        match self.get(name) {
            Some(Value::Stream(stream)) => stream.clone(),
            _ => unreachable!("the signature asks for a stream"),
        }
    }

    /// A stage after the stream that is piped in.
    pub fn stage(&self, op: Op) -> Result<Value, Failure> {
        self.stage_on(op, vec![self.stream("tables")])
    }

    pub fn stage_on(&self, op: Op, inputs: Vec<Stream>) -> Result<Value, Failure> {
        self.interpreter.node(self.name, &self.place, op, inputs)
    }
}

fn check(
    interpreter: &Interpreter<'_>,
    signature: &'static str,
    given: &Arguments,
    span: Span,
) -> Result<(), Failure> {
    let mut faults = Vec::new();
    for (name, _, _) in &given.named {
        if !parameters(signature).any(|parameter| *parameter.name == **name) {
            let known = parameters(signature).filter(|one| !one.is_pipe).map(|one| one.name);
            faults.push((span, unexpected(name, known)));
        }
    }
    for parameter in parameters(signature) {
        match given.named.iter().find(|(name, ..)| **name == *parameter.name) {
            None if parameter.is_optional => {}
            None => faults.push((span, format!("missing required argument {}", parameter.name))),
            Some((name, value, place)) => {
                if !fits(parameter.kind, value) {
                    let (expected, found) = (spelled(parameter.kind), value.type_name());
                    let message =
                        format!("expected {expected} but found {found} (argument {name})");
                    faults.push((*place, message));
                }
            }
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let said =
        faults.iter().map(|(span, what)| format!("error @{}: {what}", interpreter.place(*span)));
    Failure::invalid(said.collect::<Vec<_>>().join("\n\n"))
}

/// Whether a value is of the type of a signature.
fn fits(kind: &str, value: &Value) -> bool {
    match kind {
        "any" => true,
        "stream" => matches!(value, Value::Stream(_)),
        "string" => matches!(value, Value::String(_)),
        "int" => matches!(value, Value::Integer(_)),
        "float" => matches!(value, Value::Float(_)),
        "bool" => matches!(value, Value::Boolean(_)),
        "time" => matches!(value, Value::Time(_)),
        "timeable" => matches!(value, Value::Time(_) | Value::Duration(_)),
        "duration" => matches!(value, Value::Duration(_)),
        "regexp" => matches!(value, Value::Regex(_)),
        "record" => matches!(value, Value::Record(_) | Value::Row(..)),
        "function" | "aggregate" => matches!(value, Value::Function(_) | Value::Builtin(_)),
        "array" => matches!(value, Value::Array(_)),
        "dict" => matches!(value, Value::Dictionary(_)),
        "strings" => all(value, |item| matches!(item, Value::String(_))),
        "floats" => all(value, |item| matches!(item, Value::Float(_))),
        "streams" => all(value, |item| matches!(item, Value::Stream(_))),
        _ => unreachable!("a signature with an unknown type"),
    }
}

fn all(value: &Value, is_fitting: impl Fn(&Value) -> bool) -> bool {
    matches!(value, Value::Array(items) if items.inner.iter().all(is_fitting))
}

/// How Flux spells a type in errors.
fn spelled(kind: &str) -> &str {
    match kind {
        "stream" => "stream[A]",
        "record" => "{A with } (record)",
        "aggregate" => "(<-: stream[B], column: A) => stream[C] (function)",
        "array" => "[A] (array)",
        "dict" => "[A: B] (dictionary)",
        "strings" => "[string] (array)",
        "floats" => "[float] (array)",
        "streams" => "[stream[A]] (array)",
        "timeable" => "time",
        other => other,
    }
}
