//! Points on their way from series to rows.

use crate::store::influxql::fault::Fault;
use crate::store::value::{FieldType, Value};
use std::sync::Arc;

/// Whose points they are: a measurement and the tags by which is grouped.
#[derive(Debug, PartialEq, Eq)]
pub struct Label {
    pub name: Arc<str>,
    /// Sorted by key; an absent tag is empty.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
    /// The values of the tags by which the outermost statement groups, each with a zero byte behind it.
    pub outer: Box<str>,
}

impl Label {
    pub fn new(name: Arc<str>, tags: Vec<(Arc<str>, Arc<str>)>, dimensions: &[Arc<str>]) -> Label {
        let mut label = Label { name, tags, outer: "".into() };
        let mut outer = String::new();
        for key in dimensions {
            outer.push_str(label.tag(key));
            outer.push('\0');
        }
        label.outer = outer.into();
        label
    }

    pub fn tag(&self, key: &str) -> &str {
        self.tags.iter().find(|(known, _)| **known == *key).map_or("", |(_, value)| value)
    }

    /// With these tags only.
    pub fn subset(&self, keys: &[Arc<str>]) -> Label {
        let empty: Arc<str> = "".into();
        let tag = |key: &Arc<str>| {
            let found = self.tags.iter().find(|(known, _)| known == key);
            (key.clone(), found.map_or(empty.clone(), |(_, value)| value.clone()))
        };
        Label {
            name: self.name.clone(),
            tags: keys.iter().map(tag).collect(),
            outer: self.outer.clone(),
        }
    }

    /// Whether both go into one output series.
    pub fn is_with(&self, other: &Label) -> bool {
        std::ptr::eq(self, other) || (self.name == other.name && self.outer == other.outer)
    }

    /// The order of tag sets.
    pub fn key(&self) -> String {
        self.tags.iter().flat_map(|(_, value)| [&**value, "\0"]).collect()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub label: Arc<Label>,
    pub time: i64,
    /// Absent: null.
    pub value: Option<Value>,
    pub aux: Vec<Option<Value>>,
    /// How many points a mean stands for.
    pub merged: u64,
}

pub type Next = Result<Option<Item>, Fault>;

pub trait Stream {
    fn next(&mut self) -> Next;
}

/// A stream of one statement.
pub type Boxed<'a> = Box<dyn Stream + 'a>;

/// A stream and the type of its values.
pub struct Flow<'a> {
    pub kind: FieldType,
    pub stream: Boxed<'a>,
}

impl<'a> Flow<'a> {
    pub fn new(kind: FieldType, stream: impl Stream + 'a) -> Flow<'a> {
        Flow { kind, stream: Box::new(stream) }
    }
}

/// A stream whose next item can be looked at.
pub struct Peek<'a> {
    stream: Boxed<'a>,
    held: Option<Item>,
}

impl<'a> Peek<'a> {
    pub fn new(stream: Boxed<'a>) -> Peek<'a> {
        Peek { stream, held: None }
    }

    pub fn peek(&mut self) -> Result<Option<&Item>, Fault> {
        if self.held.is_none() {
            self.held = self.stream.next()?;
        }
        Ok(self.held.as_ref())
    }

    pub fn next(&mut self) -> Next {
        match self.held.take() {
            Some(item) => Ok(Some(item)),
            None => self.stream.next(),
        }
    }

    pub fn unread(&mut self, item: Option<Item>) {
        self.held = item;
    }
}

/// No point at all.
pub struct Nothing;

impl Stream for Nothing {
    fn next(&mut self) -> Next {
        Ok(None)
    }
}

/// Items that are there already.
pub struct Ready(pub std::vec::IntoIter<Item>);

impl Stream for Ready {
    fn next(&mut self) -> Next {
        Ok(self.0.next())
    }
}

/// One stream behind the other, each opened when the one before is at its end.
pub struct Chain<'a> {
    open: Option<Boxed<'a>>,
    rest: Box<dyn Iterator<Item = Result<Boxed<'a>, Fault>> + 'a>,
}

impl<'a> Chain<'a> {
    pub fn new(rest: impl Iterator<Item = Result<Boxed<'a>, Fault>> + 'a) -> Chain<'a> {
        Chain { open: None, rest: Box::new(rest) }
    }
}

impl Stream for Chain<'_> {
    fn next(&mut self) -> Next {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(item) = open.next()? {
                    return Ok(Some(item));
                }
                self.open = None;
            }
            match self.rest.next() {
                None => return Ok(None),
                Some(stream) => self.open = Some(stream?),
            }
        }
    }
}

/// Puts points into fewer groups.
pub struct Regroup<'a> {
    pub input: Boxed<'a>,
    pub labels: Labels,
}

impl Stream for Regroup<'_> {
    fn next(&mut self) -> Next {
        let Some(mut item) = self.input.next()? else { return Ok(None) };
        item.label = self.labels.of(&item.label);
        Ok(Some(item))
    }
}

/// Labels with fewer tags, made once each.
pub struct Labels {
    keys: Arc<[Arc<str>]>,
    known: crate::base::map::FastMap<usize, (Arc<Label>, Arc<Label>)>,
    last: Option<(Arc<Label>, Arc<Label>)>,
}

impl Labels {
    pub fn new(keys: Arc<[Arc<str>]>) -> Labels {
        Labels { keys, known: Default::default(), last: None }
    }

    pub fn of(&mut self, label: &Arc<Label>) -> Arc<Label> {
        if let Some((from, to)) = &self.last
            && Arc::ptr_eq(from, label)
        {
            return to.clone();
        }
        let made = |keys: &[Arc<str>]| {
            let is_same = label.tags.len() == keys.len()
                && label.tags.iter().zip(keys).all(|((known, _), key)| known == key);
            if is_same { label.clone() } else { Arc::new(label.subset(keys)) }
        };
        let at = Arc::as_ptr(label) as usize;
        let entry = self.known.entry(at).or_insert_with(|| (label.clone(), made(&self.keys)));
        self.last = Some(entry.clone());
        entry.1.clone()
    }
}
