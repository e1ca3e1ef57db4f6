//! The usher: brings a new connection to the shard that has the most time for it.
//!
//! The kernel spreads connections over the listeners of all shards by their addresses and knows nothing of their
//! work. So whoever accepts one looks at the board, and hands it over before its first byte is read if
//! another shard was clearly less busy in the last second. Once a connection, never once a line.

use super::mailbox::Post;
use crate::backend::Board;
use crate::backend::load::Seen;
use crate::base::ids::ShardId;
use crate::rt::net::{Parcel, Stream};
use crate::telemetry::Meters;
use std::rc::Rc;
use std::sync::Arc;

/// What a fresh connection is taken for, in thousandths of a core. Nobody knows yet whether it is fat or thin. With
/// less, a few fat ones that come at once, say after a restart, would all go to the shard that happens to be idle,
/// and stay there; with more, thin ones that come quickly would be dealt out to the shard of a fat one, too.
const FRESH_BUSY: u64 = 50;

/// Shards that differ by less are as busy as each other, in thousandths. Then the number of connections decides: what
/// comes at once and stays must not follow a passing difference.
const MARGIN: u64 = 300;

/// The shard for a connection that came to `own`: the least busy one; of those that are about as busy the one
/// with the fewest connections; its own if that is no worse.
pub fn choose(loads: &[Seen], own: usize) -> usize {
    let expected = |seen: &Seen| seen.busy + seen.fresh * FRESH_BUSY;
    let takers = || loads.iter().enumerate().filter(|(_, seen)| seen.takes);
    let Some(least) = takers().map(|(_, seen)| expected(seen)).min() else { return own };
    let fit = takers().filter(|(_, seen)| expected(seen) < least + MARGIN);
    fit.min_by_key(|(at, seen)| (seen.open, *at != own)).map_or(own, |(at, _)| at)
}

/// One of each shard. Lives on: every shard.
pub struct Usher {
    pub own: ShardId,
    /// To every shard, its own among them.
    pub doors: Vec<Post<Parcel>>,
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
            Err(stream) => return Some(*stream),
        };
        self.board.loads()[chosen].send();
        // Else that shard has just ended, as this one will.
        if self.doors[chosen].send(parcel) {
            self.meters.handed_over.increment(1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::load::Busyness;
    use crate::base::time::Mono;
    use std::time::Duration;

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
        // One by one, and in groups between which the shards are looked at.
        for group in [1, 3, 6] {
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

    /// Two shards in simulated time: each connection takes so many thousandths of its core for itself, as far as
    /// there is room.
    struct Model {
        board: Board,
        looks: [Busyness; 2],
        worked: [Duration; 2],
        wants: [Vec<u64>; 2],
        entered: [u64; 2],
        now_ms: u64,
    }

    impl Model {
        fn new() -> Model {
            let board = Board::new(1, 1, 2);
            board.loads().iter().for_each(|load| load.set_takes(true));
            let (looks, wants) = (Default::default(), Default::default());
            let mut model = Model {
                board,
                looks,
                worked: Default::default(),
                wants,
                entered: [0; 2],
                now_ms: 0,
            };
            model.pass(2000);
            model
        }

        /// Lets the time pass in steps of 10 ms; each shard looks every 100 ms, not in the same moment.
        fn pass(&mut self, ms: u64) {
            for _ in 0..ms / 10 {
                self.now_ms += 10;
                for shard in 0..2 {
                    let busy = self.wants[shard].iter().sum::<u64>().min(1000);
                    self.worked[shard] += Duration::from_micros(10 * busy);
                    if (self.now_ms + 50 * shard as u64).is_multiple_of(100) {
                        let at = Mono(self.now_ms * 1_000_000);
                        let load = &self.board.loads()[shard];
                        self.looks[shard].look(load, at, self.worked[shard]);
                    }
                }
            }
        }

        fn come(&mut self, wants: u64, own: usize) {
            let loads: Vec<Seen> = self.board.loads().iter().map(|load| load.seen()).collect();
            let chosen = choose(&loads, own);
            self.wants[chosen].push(wants);
            self.entered[chosen] += 1;
            self.show(chosen);
        }

        fn show(&self, shard: usize) {
            let load = &self.board.loads()[shard];
            load.set_open(self.wants[shard].len(), self.entered[shard]);
        }

        fn all_leave(&mut self) {
            for shard in 0..2 {
                self.wants[shard].clear();
                self.show(shard);
            }
        }

        fn open(&self) -> [usize; 2] {
            [self.wants[0].len(), self.wants[1].len()]
        }
    }

    #[test]
    fn fat_ones_are_dealt_evenly_at_any_pace_and_when_they_come_back() {
        for gap_ms in [0, 10, 50, 100, 150, 300, 1000] {
            for own in [|_| 0, |_| 1, |turn| turn % 2] {
                let mut model = Model::new();
                for count in [4, 3, 6, 8, 5] {
                    for turn in 0..count {
                        model.come(900, own(turn));
                        model.pass(gap_ms);
                    }
                    let open = model.open();
                    assert!(open[0].abs_diff(open[1]) <= count % 2, "every {gap_ms} ms: {open:?}");
                    model.pass(3000);
                    model.all_leave();
                    model.pass(30);
                }
            }
        }
    }

    #[test]
    fn fifty_thin_ones_leave_the_shard_of_a_fat_one_alone() {
        for gap_ms in [50, 100, 500] {
            let mut model = Model::new();
            model.come(900, 1);
            model.pass(2000);
            for turn in 0..50 {
                model.come(5, turn % 2);
                model.pass(gap_ms);
            }
            assert_eq!(model.open(), [50, 1], "every {gap_ms} ms");
        }
    }
}
