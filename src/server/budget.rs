//! The bytes that a shard may hold in request bodies.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A body takes its share in steps of so many bytes.
pub const STEP_BYTES: usize = 256 * 1024;

/// Memory of ended bodies that is kept for the next ones, in bytes.
const SPARE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What there is, and what of it is held. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    whole: Rc<Cell<usize>>,
    held: Rc<Cell<usize>>,
    spare: Rc<Spare>,
}

/// Memory without a body. The last one comes first: it is likely still in the processor's caches.
#[derive(Debug, Default)]
struct Spare {
    memory: RefCell<Vec<Vec<u8>>>,
    bytes: Cell<usize>,
}

impl Budget {
    pub fn new(bytes: usize) -> Budget {
        Budget { whole: Rc::new(Cell::new(bytes)), held: Rc::default(), spare: Rc::default() }
    }

    pub fn left(&self) -> usize {
        self.whole.get().saturating_sub(self.held.get())
    }

    /// So many from here on. What is held stays held, though it be more.
    pub fn resize(&self, bytes: usize) {
        self.whole.set(bytes);
    }

    /// A lease of nothing yet.
    pub fn lease(&self) -> Lease {
        Lease { budget: self.clone(), held: 0 }
    }
}

/// What one body holds. It gives everything back when it is dropped.
#[derive(Debug)]
pub struct Lease {
    budget: Budget,
    held: usize,
}

impl Lease {
    /// Makes it hold at least `bytes`; false, and nothing changes, if that is not left.
    #[must_use]
    pub fn cover(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.held);
        if more > self.budget.left() {
            return false;
        }
        self.budget.held.set(self.budget.held.get() + more);
        self.held += more;
        true
    }

    /// It could never hold so many, even alone.
    pub fn can_never_cover(&self, bytes: usize) -> bool {
        bytes > self.budget.whole.get()
    }

    /// One of the same budget that holds nothing yet.
    pub fn another(&self) -> Lease {
        self.budget.lease()
    }

    pub fn held(&self) -> usize {
        self.held
    }

    /// Memory of an earlier body, with its bytes; empty if there is none. The lease then holds all of it.
    pub fn spare_memory(&mut self) -> Vec<u8> {
        let spare = self.budget.spare.clone();
        let bytes = spare.memory.borrow().last().map_or(0, Vec::len);
        if bytes == 0 || !self.cover(bytes) {
            return Vec::new();
        }
        spare.bytes.set(spare.bytes.get() - bytes);
        spare.memory.borrow_mut().pop().unwrap_or_default()
    }

    /// Memory that is no longer used.
    pub fn give_memory(&self, memory: Vec<u8>) {
        let spare = &self.budget.spare;
        let bytes = spare.bytes.get() + memory.len();
        if !memory.is_empty() && bytes <= SPARE_BYTES_MAX {
            spare.bytes.set(bytes);
            spare.memory.borrow_mut().push(memory);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.held.set(self.budget.held.get() - self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_leased_comes_back() {
        let budget = Budget::new(100);
        let mut one = budget.lease();
        assert!(one.cover(60) && one.cover(40));
        assert_eq!((one.held(), budget.left()), (60, 40));
        let mut two = budget.lease();
        assert!(!two.cover(41));
        assert_eq!((two.held(), budget.left()), (0, 40));
        drop(one);
        assert!(two.cover(41));
        drop(two);
        assert_eq!(budget.left(), 100);
    }

    #[test]
    fn a_budget_that_shrinks_takes_nothing_away() {
        let budget = Budget::new(100);
        let mut one = budget.lease();
        assert!(one.cover(60));
        budget.resize(50);
        assert_eq!((one.held(), budget.left()), (60, 0));
        assert!(!one.cover(61) && one.can_never_cover(51));
        drop(one);
        assert_eq!(budget.left(), 50);
        budget.resize(80);
        assert_eq!(budget.left(), 80);
    }
}
