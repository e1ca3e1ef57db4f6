//! The usher: brings a new connection to the shard that has the most time for it.
//!
//! The kernel spreads connections over the listeners of all shards by their addresses and knows nothing of their
//! work. So whoever accepts one looks at the board, and hands it over before its first byte is read if
//! another shard was clearly less busy in the last second. Once a connection, never once a line.

use crate::backend::Board;
use crate::backend::load::Seen;
use crate::base::ids::ShardId;
use crate::rt::net::{Parcel, Stream};
use crate::telemetry::Meters;
use atomic_waker::AtomicWaker;
use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

/// What a fresh connection is taken for, in thousandths of a second each second: most are thin, and a shard that
/// gets many at once must not look idle for all of them.
const FRESH_BUSY: u64 = 20;

/// Shards that differ by less are as busy as each other, in thousandths. Then the number of connections decides.
const MARGIN: u64 = 100;

/// The shard for a connection that came to `own`: the least busy one; of those that are about as busy the one
/// with the fewest connections; its own if that is no worse.
pub fn choose(loads: &[Seen], own: usize) -> usize {
    let expected = |seen: &Seen| seen.busy + seen.fresh * FRESH_BUSY;
    let takers = || loads.iter().enumerate().filter(|(_, seen)| seen.takes);
    let Some(least) = takers().map(|(_, seen)| expected(seen)).min() else { return own };
    let fit = takers().filter(|(_, seen)| expected(seen) < least + MARGIN);
    fit.min_by_key(|(at, seen)| (seen.open, *at != own)).map_or(own, |(at, _)| at)
}

/// Where other shards bring connections to. Shared: cloned to every shard.
#[derive(Clone)]
pub struct Door {
    sender: Sender<Parcel>,
    waker: Arc<AtomicWaker>,
}

/// Behind the door. Lives on: the shard whose door it is.
#[derive(Clone)]
pub struct Hall {
    receiver: Receiver<Parcel>,
    waker: Arc<AtomicWaker>,
}

pub fn door() -> (Door, Hall) {
    let (sender, receiver) = unbounded();
    let waker = Arc::new(AtomicWaker::new());
    (Door { sender, waker: waker.clone() }, Hall { receiver, waker })
}

impl Hall {
    /// The next connection that another shard brings; `None` when all of them have gone.
    pub async fn next(&self) -> Option<Parcel> {
        poll_fn(|context| {
            self.waker.register(context.waker());
            match self.receiver.try_recv() {
                Ok(parcel) => Poll::Ready(Some(parcel)),
                Err(TryRecvError::Empty) => Poll::Pending,
                Err(TryRecvError::Disconnected) => Poll::Ready(None),
            }
        })
        .await
    }
}

/// One of each shard. Lives on: every shard.
pub struct Usher {
    pub own: ShardId,
    pub doors: Vec<Door>,
    pub board: Arc<Board>,
    pub meters: Rc<Meters>,
}

impl Usher {
    /// Gives the connection back if it is to be served here.
    pub fn place(&self, stream: Stream) -> Option<Stream> {
        let loads: Vec<Seen> = self.board.loads().iter().map(|load| load.seen()).collect();
        let chosen = choose(&loads, self.own.index());
        if chosen == self.own.index() {
            return Some(stream);
        }
        let parcel = match stream.pack() {
            Ok(parcel) => parcel,
            // Out of files, say: better busy than lost.
            Err(stream) => return Some(stream),
        };
        let (load, door) = (&self.board.loads()[chosen], &self.doors[chosen]);
        load.send();
        match door.sender.send(parcel) {
            Ok(()) => {
                self.meters.handed_over.increment(1);
                door.waker.wake();
                None
            }
            // That shard has just ended, as this one will.
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(count: usize) -> Vec<Seen> {
        vec![Seen { takes: true, ..Seen::default() }; count]
    }

    /// Places `count` connections that all come to `came(turn)`, without a look in between.
    fn place(loads: &mut [Seen], count: usize, came: impl Fn(usize) -> usize) {
        for turn in 0..count {
            let chosen = choose(loads, came(turn));
            loads[chosen].open += 1;
            loads[chosen].fresh += 1;
        }
    }

    fn open(loads: &[Seen]) -> Vec<u64> {
        loads.iter().map(|seen| seen.open).collect()
    }

    /// Some time passes: what is fresh is known, and each shard is as busy as this.
    fn settle(loads: &mut [Seen], busy: &[u64]) {
        for (seen, busy) in loads.iter_mut().zip(busy) {
            (seen.fresh, seen.busy) = (0, *busy);
        }
    }

    #[test]
    fn at_rest_connections_are_dealt_evenly_wherever_the_kernel_lets_them_in() {
        for count in 0..20 {
            for came in [|_| 0, |_| 1, |turn| turn % 2, |turn| turn / 3 % 2] {
                let mut loads = idle(2);
                place(&mut loads, count, came);
                let open = open(&loads);
                assert!(open[0].abs_diff(open[1]) <= 1, "{count}: {open:?}");
            }
        }
        let mut loads = idle(5);
        place(&mut loads, 17, |_| 3);
        assert!(open(&loads).iter().all(|open| (3..=4).contains(open)), "{loads:?}");
    }

    #[test]
    fn fat_connections_that_come_one_by_one_are_dealt_evenly() {
        let mut loads = idle(2);
        for turn in 0u64..8 {
            place(&mut loads, 1, |_| 1);
            let busy = loads.iter().map(|seen| (seen.open * 900).min(1000 - turn % 3));
            let busy: Vec<u64> = busy.collect();
            settle(&mut loads, &busy);
            let open = open(&loads);
            assert!(open[0].abs_diff(open[1]) <= 1, "{turn}: {open:?}");
        }
    }

    #[test]
    fn thin_ones_do_not_sit_on_the_shard_of_a_fat_one() {
        // All in one moment, and in groups between which the shards are looked at.
        for group in [1, 5, 25, 40] {
            let mut loads = idle(2);
            place(&mut loads, 1, |_| 0);
            settle(&mut loads, &[950, 5]);
            let mut left = 50;
            while left > 0 {
                place(&mut loads, group.min(left), |turn| turn % 2);
                left -= group.min(left);
                let busy = [950 + loads[0].open, 5 + loads[1].open];
                settle(&mut loads, &busy);
            }
            assert_eq!(open(&loads), [1, 50], "groups of {group}");
        }
    }

    #[test]
    fn the_next_fat_one_goes_beside_the_thin_ones_while_these_are_less_work() {
        let mut loads = idle(2);
        place(&mut loads, 51, |_| 0);
        (loads[0].open, loads[1].open) = (1, 50);
        settle(&mut loads, &[950, 300]);
        place(&mut loads, 1, |_| 0);
        assert_eq!(open(&loads), [1, 51]);
        settle(&mut loads, &[950, 1000]);
        place(&mut loads, 1, |_| 1);
        assert_eq!(open(&loads), [2, 51]);
    }

    #[test]
    fn a_little_more_work_moves_nothing_and_a_shard_that_takes_nothing_gets_nothing() {
        let mut loads = idle(2);
        settle(&mut loads, &[MARGIN - 1, 0]);
        assert_eq!(choose(&loads, 0), 0);
        settle(&mut loads, &[MARGIN, 0]);
        assert_eq!(choose(&loads, 0), 1);
        loads[1].takes = false;
        assert_eq!(choose(&loads, 0), 0);
        loads[0].takes = false;
        assert_eq!(choose(&loads, 0), 0);
        assert_eq!(choose(&loads, 1), 1);
    }
}
