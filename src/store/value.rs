//! What a point holds: five types, one value, and columns of many.

use std::ops::Range;

/// The type of a field. The order is the one in which InfluxDB prefers types where windows differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldType {
    Float,
    Integer,
    Unsigned,
    String,
    Boolean,
}

impl FieldType {
    /// As InfluxDB names it in SHOW FIELD KEYS and in errors.
    pub fn name(self) -> &'static str {
        match self {
            FieldType::Float => "float",
            FieldType::Integer => "integer",
            FieldType::Unsigned => "unsigned",
            FieldType::String => "string",
            FieldType::Boolean => "boolean",
        }
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Float(f64),
    Integer(i64),
    Unsigned(u64),
    /// Bytes as they were written: a file of InfluxDB may hold what is not UTF-8.
    String(Box<[u8]>),
    Boolean(bool),
}

impl Value {
    pub fn kind(&self) -> FieldType {
        match self {
            Value::Float(_) => FieldType::Float,
            Value::Integer(_) => FieldType::Integer,
            Value::Unsigned(_) => FieldType::Unsigned,
            Value::String(_) => FieldType::String,
            Value::Boolean(_) => FieldType::Boolean,
        }
    }
}

/// Texts one behind the other in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Strings {
    pub fn with_capacity(count: usize, bytes: usize) -> Strings {
        Strings { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(count) }
    }

    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn get(&self, at: usize) -> &[u8] {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[begin..self.ends[at]]
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        (0..self.len()).map(|at| self.get(at))
    }

    /// Appends a part of others.
    pub fn extend(&mut self, from: &Strings, range: Range<usize>) {
        let begin = range.start.checked_sub(1).map_or(0, |before| from.ends[before]);
        let ends = &from.ends[range];
        let end = ends.last().copied().unwrap_or(begin);
        let moved = self.bytes.len();
        self.ends.extend(ends.iter().map(|end| end - begin + moved));
        self.bytes.extend_from_slice(&from.bytes[begin..end]);
    }

    /// Leaves only those of a range.
    pub fn keep(&mut self, range: Range<usize>) {
        let mut kept = Strings::default();
        kept.extend(self, range);
        *self = kept;
    }

    pub fn reverse(&mut self) {
        let mut turned = Strings::with_capacity(self.len(), self.bytes.len());
        self.iter().rev().for_each(|text| turned.push(text));
        *self = turned;
    }

    /// Memory in use.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<usize>()
    }
}

/// Values of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    Float(Vec<f64>),
    Integer(Vec<i64>),
    Unsigned(Vec<u64>),
    String(Strings),
    Boolean(Vec<bool>),
}

impl Values {
    pub fn new(kind: FieldType) -> Values {
        match kind {
            FieldType::Float => Values::Float(Vec::new()),
            FieldType::Integer => Values::Integer(Vec::new()),
            FieldType::Unsigned => Values::Unsigned(Vec::new()),
            FieldType::String => Values::String(Strings::default()),
            FieldType::Boolean => Values::Boolean(Vec::new()),
        }
    }

    pub fn kind(&self) -> FieldType {
        match self {
            Values::Float(_) => FieldType::Float,
            Values::Integer(_) => FieldType::Integer,
            Values::Unsigned(_) => FieldType::Unsigned,
            Values::String(_) => FieldType::String,
            Values::Boolean(_) => FieldType::Boolean,
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Values::Float(values) => values.len(),
            Values::Integer(values) => values.len(),
            Values::Unsigned(values) => values.len(),
            Values::String(values) => values.len(),
            Values::Boolean(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// # Panics
    /// If `value` is of another type.
    pub fn push(&mut self, value: &Value) {
        match (self, value) {
            (Values::Float(values), Value::Float(value)) => values.push(*value),
            (Values::Integer(values), Value::Integer(value)) => values.push(*value),
            (Values::Unsigned(values), Value::Unsigned(value)) => values.push(*value),
            (Values::String(values), Value::String(value)) => values.push(value),
            (Values::Boolean(values), Value::Boolean(value)) => values.push(*value),
            (values, value) => panic!("{:?} among {:?}", value.kind(), values.kind()),
        }
    }

    /// Appends a part of others.
    ///
    /// # Panics
    /// If they are of another type.
    pub fn extend(&mut self, from: &Values, range: Range<usize>) {
        match (self, from) {
            (Values::Float(to), Values::Float(from)) => to.extend_from_slice(&from[range]),
            (Values::Integer(to), Values::Integer(from)) => to.extend_from_slice(&from[range]),
            (Values::Unsigned(to), Values::Unsigned(from)) => to.extend_from_slice(&from[range]),
            (Values::String(to), Values::String(from)) => to.extend(from, range),
            (Values::Boolean(to), Values::Boolean(from)) => to.extend_from_slice(&from[range]),
            (to, from) => panic!("{:?} among {:?}", from.kind(), to.kind()),
        }
    }

    /// Leaves only those of a range.
    pub fn keep(&mut self, range: Range<usize>) {
        match self {
            Values::Float(values) => keep(values, range),
            Values::Integer(values) => keep(values, range),
            Values::Unsigned(values) => keep(values, range),
            Values::String(values) => values.keep(range),
            Values::Boolean(values) => keep(values, range),
        }
    }

    pub fn reverse(&mut self) {
        match self {
            Values::Float(values) => values.reverse(),
            Values::Integer(values) => values.reverse(),
            Values::Unsigned(values) => values.reverse(),
            Values::String(values) => values.reverse(),
            Values::Boolean(values) => values.reverse(),
        }
    }

    pub fn get(&self, at: usize) -> Value {
        match self {
            Values::Float(values) => Value::Float(values[at]),
            Values::Integer(values) => Value::Integer(values[at]),
            Values::Unsigned(values) => Value::Unsigned(values[at]),
            Values::String(values) => Value::String(values.get(at).into()),
            Values::Boolean(values) => Value::Boolean(values[at]),
        }
    }
}

fn keep<T>(values: &mut Vec<T>, range: Range<usize>) {
    values.truncate(range.end);
    values.drain(..range.start);
}

/// Points of one field of one series: a time and a value each, times strictly one-way.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub times: Vec<i64>,
    pub values: Values,
}

impl Column {
    pub fn new(kind: FieldType) -> Column {
        Column { times: Vec::new(), values: Values::new(kind) }
    }

    pub fn len(&self) -> usize {
        self.times.len()
    }

    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    pub fn push(&mut self, time: i64, value: &Value) {
        self.times.push(time);
        self.values.push(value);
    }

    /// Appends a part of another of the same type.
    pub fn extend(&mut self, from: &Column, range: Range<usize>) {
        self.times.extend_from_slice(&from.times[range.clone()]);
        self.values.extend(&from.values, range);
    }

    /// Leaves only the points of a range of places.
    pub fn keep(&mut self, range: Range<usize>) {
        if range != (0..self.len()) {
            keep(&mut self.times, range.clone());
            self.values.keep(range);
        }
    }

    /// The last point first.
    pub fn reverse(&mut self) {
        self.times.reverse();
        self.values.reverse();
    }

    pub fn kind(&self) -> FieldType {
        self.values.kind()
    }
}
