//! `top` and `bottom`: the best points of a window, in the order in which InfluxDB's heap leaves equal ones.

use super::aggregate::compare;
use super::reduce::{Out, Reducer};
use crate::store::influxql::read::item::Item;

pub struct Rank {
    is_top: bool,
    count: usize,
    keeps_tags: bool,
    heap: Vec<Item>,
}

impl Rank {
    pub fn new(is_top: bool, count: i64, keeps_tags: bool) -> Rank {
        let count = usize::try_from(count).unwrap_or(1);
        Rank { is_top, count, keeps_tags, heap: Vec::new() }
    }

    /// Whether a point is worse than another: a lesser value, or the same one later.
    fn is_worse(&self, a: &Item, b: &Item) -> bool {
        let order = match (&a.value, &b.value) {
            (Some(a), Some(b)) => compare(a, b),
            _ => std::cmp::Ordering::Equal,
        };
        let order = if self.is_top { order } else { order.reverse() };
        if order.is_eq() { a.time > b.time } else { order.is_lt() }
    }

    fn up(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.is_worse(&self.heap[at], &self.heap[parent]) {
                return;
            }
            self.heap.swap(at, parent);
            at = parent;
        }
    }

    fn down(&mut self, mut at: usize) {
        loop {
            let left = 2 * at + 1;
            if left >= self.heap.len() {
                return;
            }
            let right = left + 1;
            let child =
                if right < self.heap.len() && self.is_worse(&self.heap[right], &self.heap[left]) {
                    right
                } else {
                    left
                };
            if !self.is_worse(&self.heap[child], &self.heap[at]) {
                return;
            }
            self.heap.swap(at, child);
            at = child;
        }
    }
}

impl Reducer for Rank {
    fn take(&mut self, item: &Item) {
        if self.heap.len() < self.count {
            self.heap.push(item.clone());
            self.up(self.heap.len() - 1);
        } else if self.is_worse(&self.heap[0], item) {
            self.heap[0] = item.clone();
            self.down(0);
        }
    }

    fn emit(&mut self) -> Vec<Out> {
        let mut points = std::mem::take(&mut self.heap);
        points.sort_by(|a, b| {
            if self.is_worse(b, a) {
                std::cmp::Ordering::Less
            } else if self.is_worse(a, b) {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        });
        let out = |item: Item| Out {
            time: Some(item.time),
            value: item.value,
            aux: item.aux,
            merged: 0,
            label: self.keeps_tags.then_some(item.label),
        };
        points.into_iter().map(out).collect()
    }
}
