//! Old lines: when they are read from disk, and how often. Pure, but for the waiting.
//!
//! When a whole circle comes back, all its backends read the same old frames at nearly the same pace. Each of
//! them would read all of it from the disk, which has to take new lines meanwhile: so what one has read is kept
//! for the others for a moment ([`Cold`]), and reads go between the commits ([`Turns`]).

use super::frame::Frame;
use super::reader::Item;
use crate::base::limits::COLD_BYTES_MAX;
use crate::base::time::Mono;
use crate::rt::Signal;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

/// Whoever has read something within this time is near by, and will want what comes next.
const NEAR: Duration = Duration::from_millis(30);

/// Nobody came back for it within this time: its memory is given up.
const KEPT: Duration = Duration::from_secs(1);

/// After a commit old lines are not read for as long as it took, but for so long at most.
const QUIET_MAX: Duration = Duration::from_millis(20);

/// Whose turn it is at the disk: requests wait for commits, nobody waits for old lines. A commit that was slow
/// says that the disk has enough to do. Lives on: the shard that owns the log.
#[derive(Debug, Default)]
pub struct Turns {
    begun: Cell<Option<Mono>>,
    quiet_until: Cell<Mono>,
    ended: Signal,
}

impl Turns {
    pub fn commit_begins(&self, now: Mono) {
        self.begun.set(Some(now));
    }

    pub fn commit_ends(&self, now: Mono) {
        let took = self.begun.take().map_or(Duration::ZERO, |begun| now.since(begun));
        self.quiet_until.set(now.after(took.min(QUIET_MAX)));
        self.ended.raise();
    }

    /// Whether a commit is under way.
    pub fn is_taken(&self) -> bool {
        self.begun.get().is_some()
    }

    /// Waits until a commit has ended; may return before.
    pub async fn end_of_commit(&self) {
        self.ended.wait().await;
    }

    /// Whether old lines should wait.
    pub fn is_commits(&self, now: Mono) -> bool {
        self.is_taken() || now < self.quiet_until.get()
    }
}

/// What was read lately. Lives on: the shard that owns the log.
#[derive(Debug, Default)]
pub struct Cold {
    chunks: RefCell<VecDeque<Chunk>>,
    /// Numbers that are being read.
    under_way: RefCell<Vec<Range<u64>>>,
    landed: Signal,
}

/// What one read has brought. Every frame of `numbers` is here, as far as there is one.
#[derive(Debug)]
struct Chunk {
    numbers: Range<u64>,
    frames: Vec<Rc<Frame>>,
    bytes: usize,
    used: Mono,
}

/// A read that is under way; others who want the same wait for it. Lives on: the shard that owns the log.
#[derive(Debug)]
pub struct Flight<'a> {
    cold: &'a Cold,
    numbers: Range<u64>,
}

impl Cold {
    /// The frames from this number on, if they were read lately.
    pub fn find(&self, number: u64, now: Mono) -> Option<Vec<Item>> {
        let mut chunks = self.chunks.borrow_mut();
        let chunk = chunks.iter_mut().find(|chunk| chunk.numbers.contains(&number))?;
        chunk.used = now;
        let from = chunk.frames.partition_point(|frame| frame.number() < number);
        Some(chunk.frames[from..].iter().cloned().map(Item::Frame).collect())
    }

    /// Whether a frame of this number would be found.
    pub fn has(&self, number: u64) -> bool {
        self.chunks.borrow().iter().any(|chunk| chunk.numbers.contains(&number))
    }

    /// Says that these numbers are being read, unless somebody does that already.
    pub fn begin(&self, numbers: Range<u64>) -> Option<Flight<'_>> {
        let mut under_way = self.under_way.borrow_mut();
        if under_way.iter().any(|other| other.contains(&numbers.start)) {
            return None;
        }
        under_way.push(numbers.clone());
        Some(Flight { cold: self, numbers })
    }

    /// Waits until some read has ended; may return before.
    pub async fn landing(&self) {
        self.landed.wait().await;
    }

    /// Whether what would have to go for something new was just wanted: whoever is ahead waits a little, or
    /// the one behind would have to read for itself.
    pub fn is_followed(&self, now: Mono) -> bool {
        let chunks = self.chunks.borrow();
        let bytes: usize = chunks.iter().map(|chunk| chunk.bytes).sum();
        let oldest = chunks.front().filter(|_| bytes >= COLD_BYTES_MAX);
        oldest.is_some_and(|oldest| now.since(oldest.used) < NEAR)
    }

    /// Gives up what nobody has wanted for a while.
    pub fn forget(&self, now: Mono) {
        self.chunks.borrow_mut().retain(|chunk| now.since(chunk.used) < KEPT);
    }

    fn keep(&self, numbers: Range<u64>, items: &[Item], now: Mono) {
        let mut frames = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Item::Frame(frame) => frames.push(frame.clone()),
                // Whoever meets damage has to look for itself, and tell it.
                Item::Damaged(_) => return,
            }
        }
        let bytes = frames.iter().map(|frame| frame.memory_bytes()).sum();
        let mut chunks = self.chunks.borrow_mut();
        chunks.push_back(Chunk { numbers, frames, bytes, used: now });
        let mut all: usize = chunks.iter().map(|chunk| chunk.bytes).sum();
        while all > COLD_BYTES_MAX && chunks.len() > 1 {
            all -= chunks.pop_front().map_or(0, |oldest| oldest.bytes);
        }
    }
}

impl Flight<'_> {
    /// What was read, for others.
    pub fn land(self, items: &[Item], now: Mono) {
        self.cold.keep(self.numbers.clone(), items, now);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.cold.under_way.borrow_mut().retain(|numbers| *numbers != self.numbers);
        self.cold.landed.raise();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    /// Damage counts as nothing to be kept, so frames are not needed here.
    fn read(cold: &Cold, numbers: Range<u64>, now: Mono) {
        let flight = cold.begin(numbers.clone()).expect("nobody reads the same");
        assert!(cold.begin(numbers.start..numbers.end + 5).is_none(), "it is on its way");
        assert!(cold.begin(numbers.end..numbers.end + 1).is_some(), "that is another read");
        flight.land(&[], now);
    }

    #[test]
    fn a_read_serves_whoever_comes_within_a_second_and_is_forgotten_then() {
        let cold = Cold::default();
        read(&cold, 5..9, at(0));
        assert!(cold.find(4, at(1)).is_none() && cold.find(9, at(1)).is_none());
        assert!(cold.find(8, at(600)).is_some());
        cold.forget(at(1_500));
        assert!(cold.find(5, at(1_500)).is_some(), "used since");
        cold.forget(at(2_500));
        assert!(cold.find(5, at(2_500)).is_none());
    }

    #[test]
    fn a_read_that_fails_leaves_its_place_to_the_next() {
        let cold = Cold::default();
        drop(cold.begin(5..9));
        assert!(cold.begin(5..9).is_some() && cold.find(5, at(0)).is_none());
    }

    #[test]
    fn what_is_damaged_is_read_again_by_everybody() {
        let cold = Cold::default();
        cold.begin(5..9).expect("nobody reads").land(&[Item::Damaged(6..7)], at(0));
        assert!(cold.find(5, at(0)).is_none());
    }

    #[test]
    fn old_lines_wait_for_a_commit_and_as_long_again() {
        let turns = Turns::default();
        assert!(!turns.is_commits(at(1)));
        turns.commit_begins(at(10));
        assert!(turns.is_commits(at(500)));
        turns.commit_ends(at(14));
        assert!(turns.is_commits(at(17)) && !turns.is_commits(at(18)));
        turns.commit_begins(at(100));
        turns.commit_ends(at(900));
        assert!(!turns.is_commits(at(920)), "not for ever behind a slow disk");
    }
}
