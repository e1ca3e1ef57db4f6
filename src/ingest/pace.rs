//! How fast a backend gets what it has missed, so that it can also answer questions while it catches up.
//!
//! Fresh lines are never held by this; only what was received some seconds ago counts, over all shards.

use super::queue::Part;
use super::{Feed, Outlet};
use crate::wal::Frame;
use std::cell::Cell;
use std::time::Duration;

/// Lines that are older than this are sent at the rate of a replay.
const FRESH: Duration = Duration::from_secs(10);

impl Outlet {
    /// How long the queue has to wait before it may send the next lines that are not fresh.
    pub(super) fn pace(&self, feed: &Feed) -> Option<Duration> {
        let (backend, oldest_unix_ms) = {
            let queue = feed.queue.borrow();
            (queue.backend, queue.owed().unix_ms)
        };
        self.rate(feed)?;
        let now = self.facts.clock.mono();
        let wait = self.facts.board.room.replay_wait(backend, now);
        wait.filter(|_| !self.is_fresh(oldest_unix_ms))
    }

    /// Says of one frame after the other whether it may go in the same request: those that are not fresh,
    /// as long as they are what a second allows. The first one always may.
    pub(super) fn allowance(&self, feed: &Feed) -> impl Fn(&Frame) -> bool {
        let rate = self.rate(feed);
        let taken = Cell::new(0);
        move |frame| {
            let Some(rate) = rate.filter(|_| !self.is_fresh(frame.header.unix_ms)) else {
                return true;
            };
            let before = taken.get();
            taken.set(before + frame.header.frame_bytes() as u64);
            before == 0 || taken.get() <= rate
        }
    }

    /// These lines are on their way.
    pub(super) fn paced(&self, feed: &Feed, batch: &[Part]) {
        let Some(rate) = self.rate(feed) else { return };
        let bytes = batch
            .iter()
            .filter(|part| !self.is_fresh(part.frame.header.unix_ms))
            .map(|part| part.payload().len())
            .sum();
        let (backend, now) = (feed.queue.borrow().backend, self.facts.clock.mono());
        self.facts.board.room.replayed(backend, now, bytes, rate);
    }

    fn rate(&self, feed: &Feed) -> Option<u64> {
        self.facts.limits.get().backlog(feed.queue.borrow().backend)?.replay_rate
    }

    fn is_fresh(&self, unix_ms: u64) -> bool {
        let now = self.facts.clock.unix().millis();
        u128::from(now.saturating_sub(unix_ms)) <= FRESH.as_millis()
    }
}
