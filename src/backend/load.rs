//! How busy each shard is, for whoever places a connection.

use crate::base::time::{Mono, nanos};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often a shard looks at its own CPU time.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The looks that are kept: busy means busy in the last second.
const LOOKS: usize = 11;

/// A connection is fresh for so many looks: what it brings does not show yet.
const FRESH_LOOKS: usize = 2;

/// What a shard shows of its work. Padded, so that two writers never share a cache line.
/// Shared: by all shards; written by its own, but for `sent`.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Load {
    takes: AtomicBool,
    busy: AtomicU64,
    /// Connections that were open while it was that busy, on average.
    busy_with: AtomicU64,
    open: AtomicU64,
    entered: AtomicU64,
    /// `entered`, as it was when the oldest connection that is still fresh had not come.
    known: AtomicU64,
    /// Connections that other shards sent here; those that have come. The only cell that several write, once a
    /// connection.
    sent: AtomicU64,
    arrived: AtomicU64,
}

/// A load as it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether it takes connections at all.
    pub takes: bool,
    /// Thousandths of the last second that its thread was at work; of the last tenth, if that was more, so that
    /// a connection which has just begun shows as much as one that is older. The part of connections that have gone
    /// since does not count: their clients are about to come back, and not necessarily here.
    pub busy: u64,
    /// Connections that are open there or on their way.
    pub open: u64,
    /// Of these, those whose work `busy` does not show yet.
    pub fresh: u64,
}

impl Load {
    pub fn seen(&self) -> Seen {
        // In this order: one that arrives in between counts twice for a moment, never not at all.
        let arrived = self.arrived.load(Ordering::Relaxed);
        let on_way = self.sent.load(Ordering::Relaxed).saturating_sub(arrived);
        let open = self.open.load(Ordering::Relaxed) + on_way;
        let known = self.known.load(Ordering::Relaxed);
        let fresh = self.entered.load(Ordering::Relaxed).saturating_sub(known) + on_way;
        let fresh = fresh.min(open);
        let busy = self.busy.load(Ordering::Relaxed);
        let with = self.busy_with.load(Ordering::Relaxed);
        let left = (open - fresh).min(with);
        Seen {
            takes: self.takes.load(Ordering::Relaxed),
            // What a shard does without any connection is its own affair, and stays.
            busy: (busy * left).checked_div(with).unwrap_or(busy),
            open,
            fresh,
        }
    }

    pub fn set_takes(&self, takes: bool) {
        self.takes.store(takes, Ordering::Relaxed);
    }

    /// So many connections are open; `entered` counts all that ever were.
    pub fn set_open(&self, open: usize, entered: u64) {
        self.open.store(open as u64, Ordering::Relaxed);
        self.entered.store(entered, Ordering::Relaxed);
    }

    /// Another shard sends a connection here.
    pub fn send(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// One that was sent has come, and was taken in or turned away.
    pub fn arrive(&self) {
        self.arrived.store(self.arrived.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Mono,
    worked: Duration,
    entered: u64,
    open: u64,
}

/// What a shard remembers of its last second. Lives on: every shard.
#[derive(Debug, Default)]
pub struct Busyness(VecDeque<Look>);

impl Busyness {
    /// Looks once: `worked` is the CPU time of the shard's thread so far.
    pub fn look(&mut self, load: &Load, at: Mono, worked: Duration) {
        let entered = load.entered.load(Ordering::Relaxed);
        let look = Look { at, worked, entered, open: load.open.load(Ordering::Relaxed) };
        let busy =
            [self.0.front(), self.0.back()].map(|before| before.map_or(0, |it| it.until(&look)));
        // In the first second the start itself is at work, and that says nothing: clients that come back after a
        // restart are dealt out by their number.
        let is_known = self.0.len() == LOOKS - 1;
        load.busy.store(if is_known { busy[0].max(busy[1]) } else { 0 }, Ordering::Relaxed);
        self.0.push_back(look);
        if self.0.len() == LOOKS {
            self.0.pop_front();
        }
        let open: u64 = self.0.iter().map(|look| look.open).sum();
        load.busy_with.store(open.div_ceil(self.0.len() as u64), Ordering::Relaxed);
        let known = self.0.iter().rev().nth(FRESH_LOOKS).map_or(0, |look| look.entered);
        load.known.store(known, Ordering::Relaxed);
    }
}

impl Look {
    /// Thousandths of the time between the two.
    fn until(&self, later: &Look) -> u64 {
        let worked = nanos(later.worked.saturating_sub(self.worked));
        (worked * 1000).checked_div(nanos(later.at.since(self.at))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(looks: u64) -> Mono {
        Mono(looks * nanos(LOOK_EVERY))
    }

    #[test]
    fn busy_is_what_the_last_second_was_however_late_the_looks_are() {
        let (load, mut busyness) = (Load::default(), Busyness::default());
        let mut worked = Duration::ZERO;
        for look in 0..30 {
            busyness.look(&load, at(look), worked);
            worked += LOOK_EVERY / 4;
        }
        assert_eq!(load.seen().busy, 250);
        // For two seconds nobody could look, because there was work all the time.
        worked += LOOK_EVERY * 20;
        busyness.look(&load, at(50), worked);
        assert_eq!(
            load.seen().busy,
            (LOOK_EVERY * 20 + LOOK_EVERY / 4).as_millis() as u64 * 1000 / 2100
        );
        for look in 51..60 {
            busyness.look(&load, at(look), worked);
            assert!(load.seen().busy > 0, "look {look}");
        }
        busyness.look(&load, at(60), worked);
        assert_eq!(load.seen().busy, 0);
    }

    #[test]
    fn what_begins_shows_at_once_and_what_ends_shows_for_a_second() {
        let (load, mut busyness) = (Load::default(), Busyness::default());
        for look in 0..20 {
            busyness.look(&load, at(look), Duration::ZERO);
        }
        busyness.look(&load, at(20), LOOK_EVERY * 9 / 10);
        assert_eq!(load.seen().busy, 900);
        busyness.look(&load, at(21), LOOK_EVERY * 9 / 10);
        assert_eq!(load.seen().busy, 90);
    }

    #[test]
    fn the_work_of_connections_that_have_gone_does_not_count() {
        let (load, mut busyness) = (Load::default(), Busyness::default());
        load.set_open(3, 3);
        for look in 0..20 {
            busyness.look(&load, at(look), LOOK_EVERY * u32::try_from(look).unwrap());
        }
        assert_eq!(load.seen().busy, 1000);
        load.set_open(1, 3);
        assert_eq!(load.seen().busy, 333);
        load.set_open(0, 3);
        assert_eq!(load.seen().busy, 0);
        // They are back, and nobody knows yet what they do now.
        load.set_open(3, 6);
        assert_eq!((load.seen().busy, load.seen().fresh), (0, 3));
    }

    #[test]
    fn a_connection_is_fresh_from_the_moment_it_is_sent_until_a_whole_tenth_has_been_seen() {
        let (load, mut busyness) = (Load::default(), Busyness::default());
        busyness.look(&load, at(0), Duration::ZERO);
        load.send();
        assert_eq!((load.seen().open, load.seen().fresh), (1, 1));
        load.set_open(1, 1);
        load.arrive();
        assert_eq!((load.seen().open, load.seen().fresh), (1, 1));
        for look in 1..20 {
            busyness.look(&load, at(look), Duration::ZERO);
            let is_fresh = load.seen().fresh == 1;
            assert_eq!(is_fresh, look <= FRESH_LOOKS as u64, "look {look}");
        }
        load.set_open(0, 1);
        assert_eq!((load.seen().open, load.seen().fresh), (0, 0));
    }
}
