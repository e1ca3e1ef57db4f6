//! Points of one window and one group become few.

use crate::store::influxql::plan::options::Options;
use crate::store::influxql::read::item::{Boxed, Item, Label, Labels, Next, Peek, Stream};
use crate::store::value::Value;
use std::sync::Arc;

/// What comes out of a window. Without a time of its own it gets that of the window.
#[derive(Clone, Debug, Default)]
pub struct Out {
    pub time: Option<i64>,
    pub value: Option<Value>,
    pub aux: Vec<Option<Value>>,
    pub merged: u64,
    /// Where the point keeps its own tags.
    pub label: Option<Arc<Label>>,
}

impl Out {
    pub fn of(value: Value) -> Option<Out> {
        Some(Out { value: Some(value), ..Out::default() })
    }
}

pub trait Reducer {
    /// Never a null.
    fn take(&mut self, item: &Item);
    fn emit(&mut self) -> Vec<Out>;
}

pub type Make<'a> = Box<dyn Fn() -> Box<dyn Reducer> + 'a>;

pub struct Reduce<'a> {
    input: Peek<'a>,
    options: Options,
    make: Make<'a>,
    labels: Labels,
    /// Points with times of their own are put in order.
    sorts: bool,
    /// Taken from the back.
    ready: Vec<Item>,
}

impl<'a> Reduce<'a> {
    pub fn new(input: Boxed<'a>, options: &Options, make: Make<'a>) -> Reduce<'a> {
        Reduce {
            input: Peek::new(input),
            options: options.clone(),
            make,
            labels: Labels::new(options.group_by.clone()),
            sorts: true,
            ready: Vec::new(),
        }
    }

    /// Points stay in the order of their groups.
    pub fn by_group(mut self) -> Reduce<'a> {
        self.sorts = false;
        self
    }

    fn window(&mut self) -> Result<(), crate::store::influxql::fault::Fault> {
        let first = loop {
            match self.input.next()? {
                None => return Ok(()),
                Some(item) if item.value.is_some() => break item,
                Some(_) => {}
            }
        };
        let (start, end) = self.options.window(first.time);
        let mut groups: Vec<(Arc<Label>, Box<dyn Reducer>)> = Vec::new();
        let head = first.label.clone();
        let mut item = Some(first);
        while let Some(one) = item {
            if one.value.is_some() {
                let outside = one.time < start || one.time >= end || !one.label.is_with(&head);
                if outside {
                    self.input.unread(Some(one));
                    break;
                }
                let label = self.labels.of(&one.label);
                let known = groups
                    .iter()
                    .rposition(|(known, _)| Arc::ptr_eq(known, &label) || *known == label);
                let at = known.unwrap_or_else(|| {
                    groups.push((label, (self.make)()));
                    groups.len() - 1
                });
                groups[at].1.take(&one);
            }
            item = self.input.next()?;
        }
        self.emit(groups, start);
        Ok(())
    }

    fn emit(&mut self, groups: Vec<(Arc<Label>, Box<dyn Reducer>)>, start: i64) {
        let mut groups: Vec<(String, Arc<Label>, Box<dyn Reducer>)> =
            groups.into_iter().map(|(label, reducer)| (label.key(), label, reducer)).collect();
        groups.sort_by(|a, b| b.0.cmp(&a.0));
        let mut has_times = false;
        for (_, label, mut reducer) in groups {
            for out in reducer.emit().into_iter().rev() {
                has_times |= out.time.is_some();
                self.ready.push(Item {
                    label: out.label.unwrap_or_else(|| label.clone()),
                    time: out.time.unwrap_or(start),
                    value: out.value,
                    aux: out.aux,
                    merged: out.merged,
                });
            }
        }
        if has_times && self.sorts {
            self.ready.sort_by_key(|item| std::cmp::Reverse(item.time));
        }
    }
}

impl Stream for Reduce<'_> {
    /// A window from which nothing comes ends all, as in InfluxDB.
    fn next(&mut self) -> Next {
        if self.ready.is_empty() {
            self.window()?;
        }
        Ok(self.ready.pop())
    }
}
