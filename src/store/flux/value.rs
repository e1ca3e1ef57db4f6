//! What a script works with.

use std::rc::Rc;

use regex::Regex;

use super::failure::{Failure, Refused};
use super::interval::Interval;
use super::library::Builtin;
use super::node::Stream;
use super::scope::Scope;
use super::table::Table;
use crate::proto::flux::Function;

/// Values inside each other: so deep that no script of a person gets there, so flat that dropping one is safe.
const DEPTH_MAX: u32 = 1000;

/// The types that a column of a table may have, in the order in which group keys compare them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Boolean,
    Integer,
    Unsigned,
    Float,
    String,
    Time,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "bool",
            Kind::Integer => "int",
            Kind::Unsigned => "uint",
            Kind::Float => "float",
            Kind::String => "string",
            Kind::Time => "time",
        }
    }

    /// As the storage of InfluxDB names it in errors.
    pub fn stored_name(self) -> &'static str {
        match self {
            Kind::Boolean => "boolean",
            Kind::Integer => "integer",
            Kind::Unsigned => "unsigned",
            other => other.name(),
        }
    }

    /// As `#datatype` names it.
    pub fn datatype(self) -> &'static str {
        match self {
            Kind::Boolean => "boolean",
            Kind::Integer => "long",
            Kind::Unsigned => "unsignedLong",
            Kind::Float => "double",
            Kind::String => "string",
            Kind::Time => "dateTime:RFC3339",
        }
    }
}

/// One value. Copies are cheap.
#[derive(Clone, Debug, Default)]
pub enum Value {
    #[default]
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    String(Rc<str>),
    /// Nanoseconds since 1970.
    Time(i64),
    Duration(Interval),
    Bytes(Rc<[u8]>),
    Regex(Rc<Regex>),
    Array(Rc<Nested<Vec<Value>>>),
    Record(Rc<Nested<Fields>>),
    /// Sorted by key.
    Dictionary(Rc<Nested<Vec<(Value, Value)>>>),
    Function(Rc<Closure>),
    Builtin(&'static Builtin),
    /// The path of an import.
    Package(Rc<str>),
    Stream(Stream),
    /// A row of a table: a record that is not made.
    Row(Rc<Table>, usize),
}

pub type Fields = Vec<(Rc<str>, Value)>;

/// What holds other values, and how deep it goes.
#[derive(Debug)]
pub struct Nested<T> {
    pub inner: T,
    depth: u32,
}

/// A function of the script with all that was in sight where it was written.
#[derive(Debug)]
pub struct Closure {
    pub function: Rc<Function>,
    pub scope: Scope,
    /// Of its parameters.
    pub names: Vec<Rc<str>>,
    depth: u32,
}

impl Closure {
    pub fn new(function: Rc<Function>, scope: Scope) -> Result<Closure, Failure> {
        let depth = one_deeper(scope.depth())?;
        let names = function.parameters.iter().map(|one| one.name.as_str().into()).collect();
        Ok(Closure { function, scope, names, depth })
    }
}

fn one_deeper(depth: u32) -> Result<u32, Failure> {
    if depth >= DEPTH_MAX {
        return Err(Refused::invalid("values are nested too deep").into());
    }
    Ok(depth + 1)
}

fn deepest<'v>(values: impl Iterator<Item = &'v Value>) -> u32 {
    values.map(Value::depth).max().unwrap_or(0)
}

impl Value {
    pub fn text(text: &str) -> Value {
        Value::String(text.into())
    }

    pub fn array(items: Vec<Value>) -> Result<Value, Failure> {
        let depth = one_deeper(deepest(items.iter()))?;
        Ok(Value::Array(Rc::new(Nested { inner: items, depth })))
    }

    pub fn record(fields: Fields) -> Result<Value, Failure> {
        let depth = one_deeper(deepest(fields.iter().map(|(_, value)| value)))?;
        Ok(Value::Record(Rc::new(Nested { inner: fields, depth })))
    }

    /// `pairs` must be sorted by key.
    pub fn dictionary(pairs: Vec<(Value, Value)>) -> Result<Value, Failure> {
        let depth = one_deeper(deepest(pairs.iter().map(|(_, value)| value)))?;
        Ok(Value::Dictionary(Rc::new(Nested { inner: pairs, depth })))
    }

    pub fn depth(&self) -> u32 {
        match self {
            Value::Array(nested) => nested.depth,
            Value::Record(nested) => nested.depth,
            Value::Dictionary(nested) => nested.depth,
            Value::Function(closure) => closure.depth,
            Value::Stream(stream) => stream.depth,
            _ => 0,
        }
    }

    /// The kind of a column that holds it; nothing for null and for what no column holds.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Value::Boolean(_) => Kind::Boolean,
            Value::Integer(_) => Kind::Integer,
            Value::Unsigned(_) => Kind::Unsigned,
            Value::Float(_) => Kind::Float,
            Value::String(_) => Kind::String,
            Value::Time(_) => Kind::Time,
            _ => return None,
        })
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The name of its type as Flux says it in errors.
    pub fn type_name(&self) -> String {
        let name = match self {
            Value::Null => "null",
            Value::Duration(_) => "duration",
            Value::Bytes(_) => "bytes",
            Value::Regex(_) => "regexp",
            Value::Array(nested) => {
                let item = nested.inner.first().map_or("A".to_owned(), Value::type_name);
                return format!("[{item}] (array)");
            }
            Value::Record(_) | Value::Row(..) => "{A with } (record)",
            Value::Dictionary(_) => "[A: B] (dictionary)",
            Value::Function(_) | Value::Builtin(_) => "function",
            Value::Package(_) => "package",
            Value::Stream(_) => "stream[A]",
            other => other.kind().map_or("unknown", Kind::name),
        };
        name.to_owned()
    }

    /// The field of a record; nothing where it has none of that name.
    pub fn field(&self, name: &str) -> Option<Value> {
        match self {
            Value::Record(record) => field(&record.inner, name).cloned(),
            Value::Row(table, row) => table.column(name).map(|column| column.get(*row)),
            _ => None,
        }
    }

    /// All fields of a record.
    pub fn fields(&self) -> Option<Fields> {
        match self {
            Value::Record(record) => Some(record.inner.clone()),
            Value::Row(table, row) => {
                let columns = table.columns.iter();
                Some(columns.map(|column| (column.label.clone(), column.get(*row))).collect())
            }
            _ => None,
        }
    }
}

pub fn field<'v>(fields: &'v Fields, name: &str) -> Option<&'v Value> {
    fields.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
}

/// Sets a field in its place, or adds it.
pub fn set_field(fields: &mut Fields, name: &Rc<str>, value: Value) {
    match fields.iter_mut().find(|(known, _)| known == name) {
        Some(known) => known.1 = value,
        None => fields.push((name.clone(), value)),
    }
}
