//! The bytes that a shard may hold in request bodies.

use std::cell::Cell;
use std::rc::Rc;

/// A body takes its share in steps of so many bytes.
pub const STEP_BYTES: usize = 256 * 1024;

/// What is left. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    whole: usize,
    left: Rc<Cell<usize>>,
}

impl Budget {
    pub fn new(bytes: usize) -> Budget {
        Budget { whole: bytes, left: Rc::new(Cell::new(bytes)) }
    }

    pub fn left(&self) -> usize {
        self.left.get()
    }

    /// A lease of nothing yet.
    pub fn lease(&self) -> Lease {
        Lease { whole: self.whole, left: Rc::clone(&self.left), held: 0 }
    }
}

/// What one body holds. It gives everything back when it is dropped.
#[derive(Debug)]
pub struct Lease {
    whole: usize,
    left: Rc<Cell<usize>>,
    held: usize,
}

impl Lease {
    /// Makes it hold at least `bytes`; false, and nothing changes, if that is not left.
    #[must_use]
    pub fn cover(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.held);
        let Some(left) = self.left.get().checked_sub(more) else { return false };
        self.left.set(left);
        self.held += more;
        true
    }

    /// It could never hold so many, even alone.
    pub fn can_never_cover(&self, bytes: usize) -> bool {
        bytes > self.whole
    }

    pub fn held(&self) -> usize {
        self.held
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.left.set(self.left.get() + self.held);
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
}
