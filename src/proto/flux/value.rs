//! What the evaluator knows of a value.

use std::rc::Rc;

use super::ast::Function;
use super::reads::Measurements;
use super::shape::Shape;

/// A place in the list of bindings: all that was bound before is in sight.
pub(super) type Scope = Option<usize>;

/// Lists, records and streams are numbers into the evaluator's stores, so that values are small to
/// copy and never deep to drop.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// Anything without a stream in it.
    Unknown,
    Text(Rc<str>),
    Integer(i64),
    Boolean(bool),
    /// A float, a duration, a time, a regular expression: no name of a column.
    Literal,
    List(usize),
    Record(usize),
    Function(&'a Function, Scope),
    /// A function of Flux itself: `name`, or `package/path.name`.
    Known(Rc<str>),
    Package(Rc<str>),
    Stream(usize),
    /// The row that a filter looks at, and the name of its measurement.
    Row,
    RowMeasurement,
    /// A name that nothing defines.
    Undefined(Rc<str>),
}

/// Tables of some reads, each narrowed to some measurements.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// The number of the read, and what the filters so far admit.
    pub parts: Vec<(usize, Measurements)>,
    /// Tables were rearranged: a filter no longer speaks of what is stored.
    pub rearranged: bool,
    pub shape: Shape,
}

impl Stream {
    /// A stream of which nothing is known; no read of ours is in it.
    pub(super) fn unknown(what: &str) -> Stream {
        Stream { parts: vec![], rearranged: true, shape: Shape::apart(what) }
    }
}

/// The fields of a record; what comes first is found first.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    pub named: Vec<(&'a str, Value<'a>)>,
    /// There may be more of them.
    pub is_open: bool,
}

pub(super) struct Binding<'a> {
    pub name: &'a str,
    pub value: Value<'a>,
    pub outer: Scope,
}

/// The named arguments of a call, and what is piped in.
pub(super) struct Arguments<'a> {
    pub named: Vec<(&'a str, Value<'a>)>,
    pub piped: Option<Value<'a>>,
}

impl<'a> Arguments<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.named.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(super) fn text(&self, name: &str) -> Option<Rc<str>> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }
}
