//! Several streams become one: point by point in order of time, or window by window.

use super::item::{Boxed, Item, Label, Next, Peek, Stream};
use crate::store::influxql::fault::Fault;
use crate::store::influxql::plan::options::Options;
use crate::store::value::Value;
use std::cmp::Ordering;
use std::sync::Arc;

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
        let order = if Arc::ptr_eq(&x.label, &y.label) {
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
    /// The label and the window of what each input has next.
    heads: Vec<Option<(Arc<Label>, i64)>>,
    options: Options,
    current: Option<(usize, Arc<Label>, i64)>,
    is_begun: bool,
}

pub fn by_window<'a>(mut inputs: Vec<Boxed<'a>>, options: &Options) -> Boxed<'a> {
    if inputs.len() == 1 {
        return inputs.pop().expect("one is there");
    }
    let heads = inputs.iter().map(|_| None).collect();
    let inputs = inputs.into_iter().map(Peek::new).collect();
    Box::new(ByWindow { inputs, heads, options: options.clone(), current: None, is_begun: false })
}

fn by_label(a: &Arc<Label>, b: &Arc<Label>) -> Ordering {
    if Arc::ptr_eq(a, b) {
        return Ordering::Equal;
    }
    a.name.cmp(&b.name).then_with(|| a.outer.cmp(&b.outer))
}

impl ByWindow<'_> {
    fn look(&mut self, at: usize) -> Result<(), Fault> {
        let options = &self.options;
        let known = &mut self.heads[at];
        match (self.inputs[at].peek()?, known) {
            (None, known) => *known = None,
            (Some(item), Some((label, start))) => {
                *start = options.window(item.time).0;
                if !Arc::ptr_eq(label, &item.label) {
                    *label = item.label.clone();
                }
            }
            (Some(item), known) => {
                *known = Some((item.label.clone(), options.window(item.time).0));
            }
        }
        Ok(())
    }

    fn is_head(&self, at: usize, label: &Arc<Label>, start: i64) -> bool {
        let head = self.heads[at].as_ref();
        head.is_some_and(|(known, of)| *of == start && known.is_with(label))
    }

    /// The input that has what comes first.
    fn first(&self) -> Option<usize> {
        let mut best: Option<(usize, &(Arc<Label>, i64))> = None;
        for (at, head) in self.heads.iter().enumerate() {
            let Some(head) = head else { continue };
            let is_first = best.is_none_or(|(_, known)| {
                let order = by_label(&head.0, &known.0).then(head.1.cmp(&known.1));
                if self.options.ascending { order.is_lt() } else { order.is_gt() }
            });
            if is_first {
                best = Some((at, head));
            }
        }
        best.map(|(at, _)| at)
    }

    /// The input of the next item: the one of before, one behind it with the same window, or the first of all.
    fn choose(&mut self) -> Result<Option<usize>, Fault> {
        if !self.is_begun {
            (0..self.inputs.len()).try_for_each(|at| self.look(at))?;
            self.is_begun = true;
        }
        if let Some((before, label, start)) = self.current.take() {
            self.look(before)?;
            // Those before it are beyond this window: each input is in order.
            let same = (before..self.inputs.len()).find(|at| self.is_head(*at, &label, start));
            if let Some(at) = same {
                self.current = Some((at, label, start));
                return Ok(Some(at));
            }
        }
        let first = self.first();
        self.current = first.and_then(|at| {
            let (label, start) = self.heads[at].clone()?;
            Some((at, label, start))
        });
        Ok(first)
    }
}

impl Stream for ByWindow<'_> {
    fn next(&mut self) -> Next {
        match self.choose()? {
            Some(at) => self.inputs[at].next(),
            None => Ok(None),
        }
    }
}
