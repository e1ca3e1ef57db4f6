//! Several streams become one: point by point in order of time, or window by window.

use super::item::{Boxed, Item, Next, Peek, Stream};
use crate::store::influxql::fault::Fault;
use crate::store::influxql::plan::options::Options;
use crate::store::value::Value;
use std::cmp::Ordering;

/// By series, then time; where both are equal by the strings that come along, then as a heap of Go leaves them.
pub struct Sorted<'a> {
    inputs: Vec<Boxed<'a>>,
    heads: Vec<Option<Item>>,
    heap: Vec<usize>,
    ascending: bool,
    is_begun: bool,
}

pub fn sorted<'a>(mut inputs: Vec<Boxed<'a>>, ascending: bool) -> Boxed<'a> {
    if inputs.len() == 1 {
        return inputs.pop().expect("one is there");
    }
    let heads = inputs.iter().map(|_| None).collect();
    Box::new(Sorted { inputs, heads, heap: Vec::new(), ascending, is_begun: false })
}

impl Sorted<'_> {
    fn head(&self, input: usize) -> &Item {
        self.heads[input].as_ref().expect("an input in the heap has a head")
    }

    fn is_before(&self, a: usize, b: usize) -> bool {
        let (x, y) = (self.head(a), self.head(b));
        let order = if std::sync::Arc::ptr_eq(&x.label, &y.label) {
            Ordering::Equal
        } else {
            x.label.name.cmp(&y.label.name).then_with(|| x.label.outer.cmp(&y.label.outer))
        };
        let order = order.then(x.time.cmp(&y.time)).then_with(|| texts(&x.aux, &y.aux));
        match (order, self.ascending) {
            (order, true) => order.is_lt(),
            (order, false) => order.is_gt(),
        }
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let mut first = at;
            if left < self.heap.len() {
                let mut child = left;
                if right < self.heap.len() && self.is_before(self.heap[right], self.heap[left]) {
                    child = right;
                }
                if self.is_before(self.heap[child], self.heap[at]) {
                    first = child;
                }
            }
            if first == at {
                return;
            }
            self.heap.swap(at, first);
            at = first;
        }
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 && self.is_before(self.heap[at], self.heap[(at - 1) / 2]) {
            self.heap.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    fn begin(&mut self) -> Result<(), Fault> {
        for input in 0..self.inputs.len() {
            self.heads[input] = self.inputs[input].next()?;
            if self.heads[input].is_some() {
                self.heap.push(input);
            }
        }
        for at in (0..self.heap.len() / 2).rev() {
            self.sink(at);
        }
        self.is_begun = true;
        Ok(())
    }
}

fn texts(a: &[Option<Value>], b: &[Option<Value>]) -> Ordering {
    for pair in a.iter().zip(b) {
        match pair {
            (Some(Value::String(a)), Some(Value::String(b))) if a == b => {}
            (Some(Value::String(a)), Some(Value::String(b))) => return a.cmp(b),
            _ => return Ordering::Equal,
        }
    }
    Ordering::Equal
}

impl Stream for Sorted<'_> {
    fn next(&mut self) -> Next {
        if !self.is_begun {
            self.begin()?;
        }
        let Some(first) = self.heap.first().copied() else { return Ok(None) };
        let following = self.inputs[first].next()?;
        let last = self.heap.pop().expect("the heap has a first");
        let item = if last == first {
            std::mem::replace(&mut self.heads[first], following)
        } else {
            self.heap[0] = last;
            self.sink(0);
            std::mem::replace(&mut self.heads[first], following)
        };
        if self.heads[first].is_some() {
            self.heap.push(first);
            self.rise(self.heap.len() - 1);
        }
        Ok(item)
    }
}

/// All points of one window of one input, then those of the next.
pub struct ByWindow<'a> {
    inputs: Vec<Peek<'a>>,
    options: Options,
    current: Option<(usize, Item, i64)>,
}

pub fn by_window<'a>(mut inputs: Vec<Boxed<'a>>, options: &Options) -> Boxed<'a> {
    if inputs.len() == 1 {
        return inputs.pop().expect("one is there");
    }
    let inputs = inputs.into_iter().map(Peek::new).collect();
    Box::new(ByWindow { inputs, options: options.clone(), current: None })
}

impl ByWindow<'_> {
    fn choose(&mut self) -> Result<Option<usize>, Fault> {
        let mut best: Option<(usize, Item, i64)> = None;
        for at in 0..self.inputs.len() {
            let Some(item) = self.inputs[at].peek()? else { continue };
            let start = self.options.window(item.time).0;
            let is_first = match &best {
                None => true,
                Some((_, known, known_start)) => {
                    let labels = item.label.name.cmp(&known.label.name);
                    let labels = labels.then_with(|| item.label.outer.cmp(&known.label.outer));
                    let order = labels.then(start.cmp(known_start));
                    if self.options.ascending { order.is_lt() } else { order.is_gt() }
                }
            };
            if is_first {
                best = Some((at, item.clone(), start));
            }
        }
        let chosen = best.as_ref().map(|(at, _, _)| *at);
        self.current = best;
        Ok(chosen)
    }
}

impl Stream for ByWindow<'_> {
    fn next(&mut self) -> Next {
        if let Some((at, first, start)) = &self.current {
            let (at, start) = (*at, *start);
            let label = first.label.clone();
            let same = match self.inputs[at].peek()? {
                Some(item) => {
                    item.label.is_with(&label) && self.options.window(item.time).0 == start
                }
                None => false,
            };
            if same {
                return self.inputs[at].next();
            }
            self.current = None;
        }
        match self.choose()? {
            Some(at) => self.inputs[at].next(),
            None => Ok(None),
        }
    }
}
