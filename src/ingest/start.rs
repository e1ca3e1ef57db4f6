//! What a start does with the logs that it finds, before anything is accepted or sent.
//!
//! 1. Each shard opens its logs and tells what each queue owes (`found`).
//! 2. The control thread takes all of that together: the highest stamp, and for each backend the *cut*,
//!    the smallest stamp that anybody owes it (`Plan::of`).
//! 3. Each shard rewinds its cursors to the cut, makes that durable, and publishes its cells (`begin`).
//!    Everything at or above the cut is sent again, from all queues, by the order rule.

use super::queue::Queue;
use super::statement::never_waits;
use super::{Facts, Feed, Outlet, Retry, refuse, slow::Slow};
use crate::backend::Client;
use crate::backend::parked::{Parked, Waits};
use crate::base::ids::{BackendId, LogId, ShardId};
use crate::base::map::FastMap;
use crate::base::planted::{Planted, is_planted};
use crate::base::time::{Mono, Stamp};
use crate::rt::{Lane, Signal, spawn};
use crate::wal::{self, Checkpoint, Frame, Item, Kind, Log, Opened};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// Bytes read from the log at a time while looking for statements.
const READ_BYTES: usize = 1024 * 1024;

/// What one log tells at start. Sent to the control thread.
#[derive(Clone, Debug)]
pub struct Told {
    pub log: LogId,
    pub highest_stamp: Stamp,
    pub floors: Vec<(BackendId, Stamp)>,
    pub parked_floors: Vec<(BackendId, Box<[u8]>, Stamp)>,
    /// In the headers of its segments: they count what is parked, too.
    pub safe_floors: Vec<(BackendId, Stamp)>,
    /// For each queue that owes something: no frame of it is older than this.
    pub oldest: Vec<(BackendId, Box<[u8]>, Stamp)>,
    pub damaged_frames: u64,
    /// There was a log, but no cursors: everything is sent again.
    pub lost_cursors: bool,
    pub has_cursors: bool,
}

/// What all logs together mean. Shared: immutable, cloned by reference.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub highest_stamp: Stamp,
    /// No cursors were found beside frames: what was given back is not repeated behind what is sent again.
    pub lost_all_cursors: bool,
    /// The moment when stamps go on, one for all logs.
    at: Mono,
    /// The highest floor of each backend that any log tells.
    floors: Vec<(BackendId, Stamp)>,
    safe_floors: Vec<(BackendId, Stamp)>,
    /// Backend and tag (empty for the backend's own queues) to the cut.
    cuts: FastMap<(BackendId, Box<[u8]>), Stamp>,
}

impl Plan {
    pub fn of(told: &[Told], now: Mono) -> Plan {
        let mut plan = Plan { at: now, ..Plan::default() };
        plan.lost_all_cursors =
            told.iter().any(|log| log.lost_cursors) && !told.iter().any(|log| log.has_cursors);
        for log in told {
            plan.highest_stamp = plan.highest_stamp.max(log.highest_stamp);
            for (backend, tag, oldest) in &log.oldest {
                let cut = plan.cuts.entry((*backend, tag.clone())).or_insert(Stamp::NONE);
                *cut = (*cut).min(*oldest);
            }
        }
        // Losing one log's cursors must not send everything again: the cut was at the floor once.
        for log in told.iter().filter(|_| !is_planted(Planted::FloorsIgnored)) {
            for (backend, floor) in log.floors.iter().chain(&log.safe_floors) {
                if let Some(cut) = plan.cuts.get_mut(&(*backend, Box::default())) {
                    *cut = (*cut).max(*floor);
                }
                wal::raise_floor(&mut plan.floors, *backend, *floor);
            }
            for (backend, floor) in &log.safe_floors {
                wal::raise_floor(&mut plan.safe_floors, *backend, *floor);
            }
        }
        plan.find_parked(told);
        // Its lines also stand in the backend's own queues, which lead them away again. A newer one that went
        // through either kind is repeated with an older one of the other kind.
        let mains: FastMap<BackendId, Stamp> = plan
            .cuts
            .iter()
            .filter(|((_, tag), _)| tag.is_empty())
            .map(|((backend, _), cut)| (*backend, *cut))
            .collect();
        for ((backend, _), cut) in &mut plan.cuts {
            *cut = (*cut).min(mains.get(backend).copied().unwrap_or(Stamp::NONE));
        }
        plan
    }

    /// A log that has lost its cursors does not know what was parked in it, below the floors of the
    /// backends' own queues. Another log does, which wrote both at one moment.
    fn find_parked(&mut self, told: &[Told]) {
        if !told.iter().any(|log| log.lost_cursors) || self.lost_all_cursors {
            return;
        }
        for (backend, _) in &self.floors {
            let floor = |log: &&Told| {
                let floor = log.floors.iter().find(|(known, _)| known == backend);
                floor.map_or(Stamp(0), |(_, floor)| *floor)
            };
            let Some(newest) = told.iter().filter(|log| log.has_cursors).max_by_key(floor) else {
                return;
            };
            let least = floor_of(&self.safe_floors, *backend);
            for (_, tag, stamp) in newest.parked_floors.iter().filter(|(of, ..)| of == backend) {
                let cut = self.cuts.entry((*backend, tag.clone())).or_insert(Stamp::NONE);
                *cut = (*cut).min(*stamp).max(least);
            }
        }
    }

    /// The mistake of a log that looks at itself alone.
    fn alone(&self, facts: &Facts, opened: &Opened) -> Plan {
        let all = u16::try_from(facts.board.backends_count()).expect("few backends");
        let told = found(opened, &(0..all).map(BackendId).collect::<Vec<_>>());
        Plan { highest_stamp: self.highest_stamp, ..Plan::of(&[told], self.at) }
    }

    /// The databases that wait somewhere.
    pub fn parked(&self) -> Vec<(BackendId, Box<[u8]>)> {
        let parked = self.cuts.keys().filter(|(_, tag)| !tag.is_empty());
        let mut parked: Vec<_> = parked.cloned().collect();
        parked.sort_unstable();
        parked
    }

    /// `Stamp::NONE` if nobody owes this queue anything.
    pub fn cut(&self, backend: BackendId, tag: &[u8]) -> Stamp {
        self.cuts.get(&(backend, Box::from(tag))).copied().unwrap_or(Stamp::NONE)
    }
}

fn floor_of(floors: &[(BackendId, Stamp)], backend: BackendId) -> Stamp {
    floors.iter().find(|(known, _)| *known == backend).map_or(Stamp(0), |(_, floor)| *floor)
}

/// What an opened log owes, by its cursors.
pub fn found(opened: &Opened, backends: &[BackendId]) -> Told {
    let empty = Checkpoint::default();
    let checkpoint = opened.checkpoint.as_ref().unwrap_or(&empty);
    let mut oldest = Vec::new();
    for backend in backends {
        let mark =
            checkpoint.marks.iter().find(|mark| mark.backend == *backend && mark.tag.is_empty());
        let cursor = mark.map_or(0, |mark| mark.cursor);
        if last_frame(&opened.log, *backend).is_some_and(|last| last >= cursor) {
            let bound = match mark {
                Some(mark) => mark.oldest.min(checkpoint.highest_stamp.next()),
                None => Stamp(0),
            };
            oldest.push((*backend, Box::default(), bound));
        }
    }
    for mark in checkpoint.marks.iter().filter(|mark| !mark.tag.is_empty()) {
        if mark.oldest != Stamp::NONE {
            oldest.push((mark.backend, Box::from(&*mark.tag), mark.oldest));
        }
    }
    Told {
        log: opened.log.id(),
        highest_stamp: opened.found.highest_stamp,
        floors: checkpoint.floors.clone(),
        parked_floors: checkpoint
            .parked_floors
            .iter()
            .map(|floor| (floor.backend, Box::from(&*floor.tag), floor.stamp))
            .collect(),
        safe_floors: opened.found.floors.clone(),
        oldest,
        damaged_frames: opened.found.damaged_frames,
        lost_cursors: opened.checkpoint.is_none() && opened.found.frames > 0,
        has_cursors: opened.checkpoint.is_some(),
    }
}

fn last_frame(log: &Log, backend: BackendId) -> Option<u64> {
    let segments = log.segments();
    segments.iter().filter_map(|segment| segment.share(backend)).map(|share| share.last_frame).max()
}

impl Feed {
    pub fn new(
        queue: Queue,
        client: Option<Rc<Client>>,
        parked: Option<Arc<Parked>>,
        start_end: u64,
    ) -> Feed {
        Feed {
            queue: RefCell::new(queue),
            client,
            wake: Signal::new(),
            parked: RefCell::new(parked),
            slow: RefCell::new(Slow::default()),
            sending: Cell::new(0),
            retry: Cell::new(Retry::default()),
            suspects: RefCell::default(),
            rejected: RefCell::default(),
            sent_at: Cell::new(Mono(0)),
            narrowed_at: Cell::new(Mono(0)),
            statement_tries: RefCell::default(),
            statement_vain: Cell::default(),
            is_noted: Cell::new(false),
            is_ended: Cell::new(false),
            start_end,
            owed_since_start: Cell::new(false),
            shedding: super::shed::Shedding::default(),
        }
    }
}

impl Outlet {
    /// Makes the queues of an opened log by the plan. Nothing is sent before the rewound cursors are
    /// durable, or a second crash would stop the repetition half way.
    pub async fn begin(
        facts: Rc<Facts>,
        opened: Opened,
        plan: &Plan,
    ) -> Result<Rc<Outlet>, wal::Error> {
        let alone = is_planted(Planted::NoCut).then(|| plan.alone(&facts, &opened));
        let plan = alone.as_ref().unwrap_or(plan);
        let Opened { log, checkpoint, checkpoint_file, found } = opened;
        log.continue_stamps(plan.highest_stamp, plan.at);
        let checkpoint = checkpoint.unwrap_or_default();
        let outlet = Rc::new(Outlet {
            facts,
            log,
            queues: RefCell::default(),
            mains: RefCell::default(),
            moved: Cell::default(),
            acks: super::acks::Acks::default(),
            checkpoint_file: RefCell::new(Some(checkpoint_file)),
            floors: RefCell::new(plan.floors.clone()),
            safe_floors: RefCell::new(plan.safe_floors.clone()),
            is_dirty: Cell::new(true),
            unsaved_marks: RefCell::default(),
            checkpoint_now: Signal::new(),
            checkpoints: Cell::new(0),
            checkpoint_done: Signal::new(),
            refusals: RefCell::new(checkpoint.refusals.clone()),
            reached: refuse::reached(&checkpoint),
            drops: RefCell::new(checkpoint.drops.clone()),
            window: RefCell::default(),
            groups: RefCell::default(),
            given: super::shed::Given::default(),
            is_ending: Cell::new(false),
        });
        let all = u16::try_from(outlet.facts.board.backends_count()).expect("few backends");
        for backend in (0..all).map(BackendId) {
            outlet.make_main(backend, plan).await?;
            if found.damaged_frames > 0 {
                outlet.mark_incomplete(
                    backend,
                    "frames of the log are damaged",
                    found.damaged_frames,
                );
            }
        }
        if plan.lost_all_cursors && outlet.facts.shard == ShardId(0) {
            for place in &outlet.facts.places {
                outlet.mark_incomplete(place.id, "all cursors were lost", 0);
            }
        }
        outlet.facts.meters.lost("damaged", found.damaged_frames);
        for (backend, tag) in plan.parked() {
            let ours = |mark: &&wal::QueueMark| mark.backend == backend && *mark.tag == *tag;
            let bytes = checkpoint.marks.iter().find(ours).map_or(0, |mark| mark.bytes);
            outlet.make_parked(backend, &Rc::from(tag), plan, bytes).await?;
        }
        if !is_planted(Planted::RewindNotDurable) {
            outlet.checkpoint().await?;
        }
        Ok(outlet)
    }

    async fn make_main(self: &Rc<Self>, backend: BackendId, plan: &Plan) -> Result<(), wal::Error> {
        let cut = plan.cut(backend, b"");
        let end = self.log.end();
        let cursor = if cut == Stamp::NONE { end } else { self.log.first_at(cut).await? };
        let last = last_frame(&self.log, backend).filter(|last| *last >= cursor);
        let mut queue = Queue::new(backend, None, cursor);
        if let Some(last) = last {
            queue.found(
                last + 1,
                cut,
                self.unix_ms_at(cursor).await?,
                self.bytes_from(backend, cursor) - self.bytes_passed(backend, cursor).await?,
            );
            for (number, stamp) in self.statements_from(backend, cursor, last + 1, |_| true).await?
            {
                queue.found_statement(number, stamp);
            }
        }
        let client = self.client_of(backend);
        let feed = Rc::new(Feed::new(queue, client, None, last.map_or(0, |last| last + 1)));
        let is_owed = last.is_some();
        feed.owed_since_start.set(is_owed);
        self.facts.board.cell(self.log.id(), backend).set_owed_since_start(is_owed);
        self.publish_durable(&feed, cut.max(Stamp(u64::from(!is_owed) * u64::MAX)));
        self.publish_feed(&feed);
        let mut mains = self.mains.borrow_mut();
        if mains.len() <= backend.index() {
            mains.resize(backend.index() + 1, None);
        }
        mains[backend.index()] = Some(feed.clone());
        self.queues.borrow_mut().push(feed);
        Ok(())
    }

    /// A database that waits in any log has a queue in each: what is newer than the oldest of its lines goes
    /// again, behind that.
    async fn make_parked(
        self: &Rc<Self>,
        backend: BackendId,
        tag: &Rc<[u8]>,
        plan: &Plan,
        bytes: u64,
    ) -> Result<(), wal::Error> {
        let cut = plan.cut(backend, tag);
        let main = self
            .feeds()
            .into_iter()
            .find(|feed| feed.parked.borrow().is_none() && feed.queue.borrow().backend == backend);
        let main_cursor = main.map_or(0, |main| main.queue.borrow().cursor());
        let cursor = self.log.first_at(cut).await?.min(main_cursor);
        let reason = "not found before the last stop";
        let board = self.facts.board.clone();
        let is_here = |frame: &Frame| {
            frame.runs.iter().any(|run| *run.tag == *tag && !never_waits(frame, &run))
        };
        let statements = self.statements_from(backend, cursor, main_cursor, is_here).await?;
        let has_statements = !statements.is_empty();
        let waits = Waits { backend, tag, reason, is_open: false, has_statements };
        board.parked.park(waits, |entry| {
            let made = self.parked_feed(entry, tag, cursor);
            for (number, stamp) in statements {
                made.queue.borrow_mut().found_statement(number, stamp);
            }
            // Up to the backend's own cursor everything of this database waits here; beyond it, that queue
            // leads it here again.
            made.queue.borrow_mut().found(main_cursor, cut, u64::MAX - 1, bytes);
            self.publish_feed(&made);
            // Also where nothing waits here: the floors that this log is about to write must count what
            // waits in logs that have not begun.
            self.publish_durable(&made, cut);
        });
        Ok(())
    }

    async fn unix_ms_at(&self, number: u64) -> Result<u64, wal::Error> {
        let items = self.log.read(number, 1).await?;
        Ok(items
            .iter()
            .find_map(|item| match item {
                Item::Frame(frame) => Some(frame.header.unix_ms),
                Item::Damaged(_) => None,
            })
            .unwrap_or(0))
    }

    /// Bytes that the segments from this frame on hold for a backend; a whole segment at a time.
    fn bytes_from(&self, backend: BackendId, cursor: u64) -> u64 {
        let segments = self.log.segments();
        let later = segments.iter().filter(|segment| segment.end_frame.get() > cursor);
        later.filter_map(|segment| segment.share(backend)).map(|share| share.bytes).sum()
    }

    /// Statements are rare: only segments that hold some are read.
    async fn statements_from(
        &self,
        backend: BackendId,
        from: u64,
        end: u64,
        which: impl Fn(&Frame) -> bool,
    ) -> Result<Vec<(u64, Stamp)>, wal::Error> {
        let mut statements = Vec::new();
        for segment in self.log.segments().iter().filter(|segment| segment.statements.get() > 0) {
            let mut at = segment.header.first_frame.max(from);
            let stop = segment.end_frame.get().min(end);
            while at < stop {
                let items = self.log.read(at, READ_BYTES).await?;
                if items.is_empty() {
                    break;
                }
                for item in items {
                    match item {
                        Item::Frame(frame) => {
                            at = frame.number() + 1;
                            let is_here = frame.number() < stop && frame.names(backend);
                            if is_here && frame.kind == Kind::Statement && which(&frame) {
                                statements.push((frame.number(), frame.stamp()));
                            }
                        }
                        Item::Damaged(numbers) => at = numbers.end,
                    }
                }
            }
        }
        Ok(statements)
    }

    pub(super) fn client_of(&self, backend: BackendId) -> Option<Rc<Client>> {
        self.facts.clients.iter().find(|client| client.place.id == backend).cloned()
    }

    /// Starts the tasks that send. Every log must have published its cells before.
    pub fn start_delivery(self: &Rc<Self>) {
        for feed in self.feeds() {
            if feed.parked.borrow().is_none() {
                spawn(Lane::Deliver, self.clone().run(feed));
            }
        }
        spawn(Lane::Background, self.clone().spill());
    }

    /// Whether nothing is owed to any backend that could take it.
    pub fn is_drained(&self) -> bool {
        self.feeds().iter().all(|feed| {
            let queue = feed.queue.borrow();
            let can_send = feed.client.is_some()
                && feed.parked.borrow().is_none()
                && self.facts.board.condition(queue.backend) == crate::backend::Condition::Up;
            queue.is_empty() || !can_send
        })
    }
}
