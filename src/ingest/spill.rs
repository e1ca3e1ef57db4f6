//! Spill: old segments are rewritten densely, so that whoever lags takes only its own share of the disk.
//!
//! What is needed of a log is a pure question (`Needs`), asked of whole segments by `checkpoint`, which
//! frees them, and of each run here. Which segments are worth a copy is another one (`choose`).

use super::{Feed, Outlet};
use crate::base::ids::BackendId;
use crate::base::limits::SPILL_BEHIND;
use crate::base::time::Stamp;
use crate::rt::sleep;
use crate::wal::segment::Segment;
use crate::wal::{Frame, Run};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(1);

/// After a copy that the disk refused.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Most neighbours that go into one copy.
const GROUP_MAX: usize = 16;

/// So many small copies side by side are joined even if nothing is gained.
const SMALL_MAX: usize = 4;

/// What one backend still needs of a log. Lives on: the shard that owns the log.
#[derive(Clone, Debug)]
pub struct Need {
    /// The backend's own queue has confirmed every frame below this one,
    cursor: u64,
    /// and no start sends it anything below this stamp again: by the cursors on disk,
    cut: Stamp,
    /// and even if the cursors of some log are lost.
    floor: Stamp,
    parked: Vec<ParkedNeed>,
}

#[derive(Clone, Debug)]
struct ParkedNeed {
    tag: Box<[u8]>,
    cursor: u64,
    bound: Stamp,
}

/// The needs of all backends at one moment. They only shrink. Lives on: the shard that owns the log.
#[derive(Clone, Debug)]
pub struct Needs(Vec<Need>);

impl Need {
    /// Whether the backend's own queue may still have to send this frame.
    pub fn is_for_main(&self, number: u64, stamp: Stamp) -> bool {
        number >= self.cursor || stamp >= self.cut || stamp >= self.floor
    }

    /// The same for a run of this tag in any of its queues.
    pub fn is_for(&self, number: u64, stamp: Stamp, tag: &[u8]) -> bool {
        let parked = self.parked.iter().filter(|parked| *parked.tag == *tag);
        self.is_for_main(number, stamp)
            || parked.into_iter().any(|parked| number >= parked.cursor || stamp >= parked.bound)
    }

    /// The same for whatever stands up to this frame.
    pub fn is_for_any(&self, number: u64, stamp: Stamp) -> bool {
        let waits = |parked: &ParkedNeed| number >= parked.cursor || stamp >= parked.bound;
        self.is_for_main(number, stamp) || self.parked.iter().any(waits)
    }

    /// Every queue has confirmed it.
    pub fn is_passed(&self, number: u64) -> bool {
        number < self.cursor && self.parked.iter().all(|parked| number < parked.cursor)
    }

    /// Only the floors on disk keep the backend's own queue from needing it no more.
    fn waits_for_floor(&self, number: u64, stamp: Stamp) -> bool {
        number < self.cursor && stamp < self.cut && stamp >= self.floor
    }

    /// Only the floors on disk are missing.
    pub fn is_confirmed(&self, number: u64, stamp: Stamp) -> bool {
        let is_done = |parked: &ParkedNeed| number < parked.cursor && stamp < parked.bound;
        number < self.cursor && stamp < self.cut && self.parked.iter().all(is_done)
    }
}

impl Needs {
    pub fn of(&self, backend: BackendId) -> &Need {
        &self.0[backend.index()]
    }

    fn keeps(&self, frame: &Frame, run: &Run<'_>) -> bool {
        let is_for =
            |backend: &BackendId| self.of(*backend).is_for(frame.number(), frame.stamp(), run.tag);
        run.targets.iter().any(is_for)
    }

    /// What is known of a segment without reading it.
    fn look(&self, segment: &Segment) -> Seen {
        let shares = segment.shares.borrow();
        let mains = shares
            .iter()
            .filter(|share| self.of(share.backend).is_for_main(share.last_frame, share.last_stamp));
        let mut owed = 0;
        let mut needs = Vec::new();
        for share in mains {
            owed += share.bytes;
            needs.push(share.backend);
        }
        let known = segment.packed_for.borrow();
        // A copy can shrink again only when somebody needs nothing of it any more.
        let is_as_before = known.as_ref().is_some_and(|before| before.len() <= needs.len());
        Seen {
            number: segment.number(),
            bytes: segment.header.bytes,
            owed: owed.min(segment.header.bytes),
            is_packed: segment.is_packed(),
            is_barred: segment.is_unpackable.get(),
            is_stuck: segment.is_packed() && is_as_before,
            numbers: segment.header.first_frame..segment.end_frame.get(),
            needs,
        }
    }
}

/// A segment, as far as packing goes.
#[derive(Clone, Debug)]
struct Seen {
    number: u64,
    bytes: u64,
    /// About so many of them are owed by queues that are not parked; what those owe is not known.
    owed: u64,
    is_packed: bool,
    is_barred: bool,
    /// Of frames; there may be a gap to the neighbour's.
    numbers: Range<u64>,
    /// A copy of it alone would be no smaller.
    is_stuck: bool,
    /// Backends whose own queues need something of it.
    needs: Vec<BackendId>,
}

impl Seen {
    /// A copy would save a quarter of it at least.
    fn shrinks(&self) -> bool {
        !self.is_barred && !self.is_stuck && self.owed <= self.bytes / 4 * 3
    }

    fn is_small(&self, usual_bytes: u64) -> bool {
        !self.is_barred && self.is_packed && self.bytes <= usual_bytes / 4
    }
}

/// Neighbours to be packed into one: the number of the first, and how many. Segments are in order; the
/// newest are not among them.
fn choose(seen: &[Seen], usual_bytes: u64) -> Option<(u64, usize)> {
    let fits = |one: &Seen| one.shrinks() || one.is_small(usual_bytes);
    let mut at = 0;
    while at < seen.len() {
        let mut owed = 0;
        let mut next = seen[at].numbers.start;
        let group = seen[at..].iter().take(GROUP_MAX).take_while(|one| {
            let has_room = owed <= usual_bytes / 2;
            let follows = one.numbers.start == next;
            (owed, next) = (owed + one.owed, one.numbers.end);
            has_room && follows && fits(one)
        });
        let group: Vec<&Seen> = group.collect();
        let is_worth_it = group.iter().any(|one| one.shrinks()) || group.len() >= SMALL_MAX;
        if is_worth_it {
            return Some((group[0].number, group.len()));
        }
        at += group.len().max(1);
    }
    None
}

impl Outlet {
    /// Packs old segments until told to end.
    pub async fn spill(self: Rc<Self>) {
        while !self.is_ending.get() {
            sleep(EVERY).await;
            self.log.forget_indexes();
            while !self.is_ending.get() {
                match self.spill_once().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::error!(%error, "what old segments owe could not be copied");
                        sleep(AFTER_FAILURE).await;
                    }
                }
            }
        }
    }

    /// Whether anything was done.
    async fn spill_once(&self) -> Result<bool, crate::wal::Error> {
        let old = self.old_segments();
        if old.is_empty() {
            return Ok(false);
        }
        let needs = self.needs();
        for segment in &old {
            for share in segment.shares.borrow().iter() {
                if needs.of(share.backend).waits_for_floor(share.last_frame, share.last_stamp) {
                    self.facts.board.want_floor(share.backend, share.last_stamp);
                }
            }
        }
        let seen: Vec<Seen> = old.iter().map(|segment| needs.look(segment)).collect();
        let Some((first, count)) = choose(&seen, self.log.segment_bytes()) else {
            return Ok(false);
        };
        let from = seen.iter().position(|one| one.number == first).expect("just chosen");
        let mut for_whom: Vec<BackendId> =
            seen[from..from + count].iter().flat_map(|one| one.needs.iter().copied()).collect();
        for_whom.sort_unstable();
        for_whom.dedup();
        let spilled =
            self.log.pack(first, count, for_whom, |frame, run| needs.keeps(frame, run)).await?;
        let Some(spilled) = spilled else { return Ok(false) };
        tracing::debug!(?spilled, "old segments are packed");
        self.facts.meters.wal_spilled_bytes.increment(spilled.bytes_after);
        Ok(spilled.segments > 1 || spilled.bytes_after < spilled.bytes_before)
    }

    /// What may be packed. A copy costs as much of the disk as the lines did, which a backend that is away for
    /// some minutes is not worth while there is plenty of room.
    fn old_segments(&self) -> Vec<Rc<Segment>> {
        let (room, limits) = (&self.facts.board.room, self.facts.limits.get());
        let is_crowded = limits.is_crowded(room.logs_bytes(), room.disk());
        let after_ms = u64::try_from(limits.spill_after.as_millis()).unwrap_or(u64::MAX);
        let latest = self.facts.clock.unix().millis().saturating_sub(after_ms);
        let is_old = |segment: &Rc<Segment>| {
            is_crowded || segment.is_packed() || segment.header.created_unix_ms <= latest
        };
        let mut segments = self.log.segments();
        segments.truncate(segments.len().saturating_sub(1 + SPILL_BEHIND));
        segments.retain(is_old);
        segments
    }

    /// What every backend needs of this log, now.
    pub(super) fn needs(&self) -> Needs {
        let board = &self.facts.board;
        let feeds = self.feeds();
        let all = 0..u16::try_from(board.backends_count()).unwrap_or(u16::MAX);
        Needs(all.map(|backend| self.need(BackendId(backend), &feeds)).collect())
    }

    fn need(&self, backend: BackendId, feeds: &[Rc<Feed>]) -> Need {
        let board = &self.facts.board;
        let ours = || feeds.iter().filter(|feed| feed.queue.borrow().backend == backend);
        let main = ours().find(|feed| feed.parked.borrow().is_none());
        // The cut is read before the databases that wait: what leaves the one is with the others by then.
        let (cut, floor) = (board.cut(backend), board.durable_floor(backend));
        let mut parked: Vec<ParkedNeed> = Vec::new();
        for (entry, bound) in board.parked.bounds(backend) {
            parked.push(ParkedNeed { tag: entry.tag.clone(), cursor: u64::MAX, bound });
        }
        for feed in ours() {
            let queue = feed.queue.borrow();
            if let Some(tag) = &queue.only {
                let (tag, cursor) = (Box::from(&**tag), queue.cursor());
                parked.push(ParkedNeed { tag, cursor, bound: Stamp::NONE });
            }
        }
        let cursor = main.map_or(0, |main| main.queue.borrow().cursor());
        Need { cursor, cut, floor, parked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: u64 = 1000;

    fn need(parked: &[(&[u8], u64, u64)]) -> Need {
        let parked = parked.iter().map(|(tag, cursor, bound)| ParkedNeed {
            tag: Box::from(*tag),
            cursor: *cursor,
            bound: Stamp(*bound),
        });
        Need { cursor: 10, cut: Stamp(100), floor: Stamp(90), parked: parked.collect() }
    }

    #[test]
    fn a_run_is_needed_until_cursor_cut_and_floor_are_behind_it() {
        let need = need(&[]);
        assert!(!need.is_for(9, Stamp(89), b"d"));
        assert!(need.is_for(10, Stamp(89), b"d"), "not confirmed");
        assert!(need.is_for(9, Stamp(100), b"d"), "repeated behind something older");
        assert!(need.is_for(9, Stamp(90), b"d"), "repeated if cursors are lost");
        assert!(need.waits_for_floor(9, Stamp(90)) && !need.waits_for_floor(9, Stamp(100)));
    }

    #[test]
    fn a_database_that_waits_keeps_its_own_runs_and_no_others() {
        let need = need(&[(b"waits", 5, u64::MAX), (b"waits", u64::MAX, 40)]);
        assert!(need.is_for(5, Stamp(30), b"waits") && need.is_for(4, Stamp(40), b"waits"));
        assert!(!need.is_for(4, Stamp(39), b"waits") && !need.is_for(5, Stamp(40), b"flows"));
        assert!(need.is_for_any(5, Stamp(40)) && !need.is_passed(5) && need.is_passed(4));
    }

    fn seen(number: u64, bytes: u64, owed: u64) -> Seen {
        Seen {
            number,
            bytes,
            owed,
            is_packed: bytes < USUAL,
            is_barred: false,
            numbers: number * 10..(number + 1) * 10,
            is_stuck: false,
            needs: Vec::new(),
        }
    }

    #[test]
    fn neighbours_are_packed_where_that_saves_something() {
        assert_eq!(choose(&[], USUAL), None);
        assert_eq!(choose(&[seen(1, 1000, 900)], USUAL), None, "nearly all of it is owed");
        let old = [seen(1, 1000, 900), seen(2, 1000, 100), seen(3, 1000, 200), seen(4, 1000, 800)];
        assert_eq!(choose(&old, USUAL), Some((2, 2)));
        let many: Vec<Seen> = (0..40).map(|number| seen(number, 1000, 100)).collect();
        assert_eq!(choose(&many, USUAL), Some((0, 6)), "about a segment's worth at a time");
    }

    #[test]
    fn small_copies_are_joined_and_nothing_is_copied_for_nothing() {
        let stuck = |number| Seen { is_stuck: true, ..seen(number, 100, 100) };
        assert_eq!(choose(&[stuck(1), stuck(2), stuck(3)], USUAL), None);
        assert_eq!(choose(&[stuck(1), stuck(2), stuck(3), stuck(4)], USUAL), Some((1, 4)));
        assert_eq!(choose(&[stuck(1), seen(2, 1000, 50)], USUAL), Some((1, 2)));
    }

    #[test]
    fn a_gap_and_a_damaged_segment_are_not_packed_over() {
        let barred = |number| Seen { is_barred: true, ..seen(number, 1000, 0) };
        assert_eq!(choose(&[barred(1), seen(2, 1000, 0), barred(3)], USUAL), Some((2, 1)));
        assert_eq!(choose(&[seen(1, 1000, 0), seen(3, 1000, 0)], USUAL), Some((1, 1)));
    }
}
