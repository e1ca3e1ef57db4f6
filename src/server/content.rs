//! The content of one body while it comes in: memory that the budget grants, and that later bodies use again.

use std::fmt;
use std::ops::Deref;

use super::budget::{Lease, STEP_BYTES};

/// There is no memory for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// Whoever asks for more than there ever is need not come back.
    Never,
    Now,
}

/// Bytes `..filled` are content; the memory behind them is written already once, so it can be read into.
pub struct Content {
    memory: Vec<u8>,
    filled: usize,
    lease: Lease,
}

/// The bytes of a body without their lease.
pub struct Lent {
    memory: Vec<u8>,
    filled: usize,
}

impl Deref for Lent {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Content {
    /// Nothing yet, with the right to hold `first` bytes.
    pub fn new(mut lease: Lease, first: usize) -> Result<Content, NoRoom> {
        cover(&mut lease, first)?;
        Ok(Content { memory: Vec::new(), filled: 0, lease })
    }

    /// Another one, of the same budget.
    pub fn beside(&self) -> Content {
        Content { memory: Vec::new(), filled: 0, lease: self.lease.another() }
    }

    /// Makes sure that `more` bytes fit behind what is there.
    pub fn make_room(&mut self, more: usize) -> Result<(), NoRoom> {
        let needed = self.filled + more;
        if needed > self.lease.held() {
            cover(&mut self.lease, needed.next_multiple_of(STEP_BYTES))?;
        }
        if self.memory.is_empty() {
            self.memory = self.lease.spare_memory();
        }
        if needed > self.memory.len() {
            // Doubled, so that a large body is not moved at every step.
            let target = needed.max((2 * self.memory.len()).min(self.lease.held()));
            self.memory.reserve_exact(target - self.memory.len());
            self.memory.resize(target, 0);
        }
        Ok(())
    }

    /// The room behind what is there.
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.memory[self.filled..]
    }

    /// So many bytes were written to the front of the room.
    pub fn wrote(&mut self, count: usize) {
        assert!(self.filled + count <= self.memory.len(), "more was written than there is room");
        self.filled += count;
    }

    /// Gives the bytes away for a while, to a thread that could not hold the lease, which stays here.
    pub fn lend(&mut self) -> Lent {
        Lent { memory: std::mem::take(&mut self.memory), filled: std::mem::take(&mut self.filled) }
    }

    /// The memory may be used again.
    pub fn take_back(&mut self, lent: Lent) {
        (self.memory, self.filled) = (lent.memory, lent.filled);
    }

    /// Copies bytes that there is room for.
    pub fn push(&mut self, bytes: &[u8]) {
        self.room()[..bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }
}

fn cover(lease: &mut Lease, bytes: usize) -> Result<(), NoRoom> {
    match lease.cover(bytes) {
        true => Ok(()),
        false if lease.can_never_cover(bytes) => Err(NoRoom::Never),
        false => Err(NoRoom::Now),
    }
}

impl Deref for Content {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.lease.give_memory(std::mem::take(&mut self.memory));
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.filled)
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;

    #[test]
    fn a_body_takes_the_memory_of_an_earlier_one_and_nothing_of_its_content() {
        let budget = Budget::new(4 * STEP_BYTES);
        let mut one = Content::new(budget.lease(), 10).unwrap();
        one.make_room(5).unwrap();
        one.push(b"first");
        let place = one.as_ptr();
        drop(one);
        assert_eq!(budget.left(), 4 * STEP_BYTES);
        let mut two = Content::new(budget.lease(), 10).unwrap();
        two.make_room(3).unwrap();
        assert!(two.is_empty());
        two.push(b"two");
        assert_eq!((&*two, two.as_ptr()), (&b"two"[..], place));
    }

    #[test]
    fn a_body_that_outgrows_the_budget_is_told_whether_to_come_back() {
        let budget = Budget::new(2 * STEP_BYTES);
        let mut one = Content::new(budget.lease(), STEP_BYTES).unwrap();
        let mut two = Content::new(budget.lease(), STEP_BYTES).unwrap();
        assert_eq!(one.make_room(STEP_BYTES + 1), Err(NoRoom::Now));
        assert_eq!(two.make_room(2 * STEP_BYTES + 1), Err(NoRoom::Never));
        drop(two);
        one.make_room(STEP_BYTES + 1).unwrap();
    }
}
