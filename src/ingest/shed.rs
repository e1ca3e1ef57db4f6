//! What a log gives up when it may not keep all: the oldest lines of a backend that lags.
//!
//! 1. The mark of the backend as incomplete is on stable storage.
//! 2. Whole frames leave its queue, oldest first; what is under way stays. On the board and in the cursors
//!    they are as confirmed ones, so that segments become free by the same rule. A statement goes to the
//!    rejects first: none vanishes.
//! 3. They are counted; once a minute the log and a line in `rejects/<backend>/dropped-<log>.txt` say so.

use super::look::key;
use super::queue::{Line, Part};
use super::{Feed, Outlet};
use crate::backend::Condition;
use crate::backend::board;
use crate::backend::room::{Limit, Shrink};
use crate::base::ids::BackendId;
use crate::base::map::FastMap;
use crate::base::time::{Mono, Stamp, nanos};
use crate::rt::{breathe, sleep};
use crate::wal::{self, Item, Kind};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A backend lags when its oldest frame is older than this, or when it does not answer.
const LAG: Duration = Duration::from_secs(10);

/// Queues whose oldest frames are so close give up at the same time.
const TOGETHER: Duration = Duration::from_secs(1);

/// Given up in one step, in bytes, so that others can work in between.
const STEP_BYTES: u64 = 1024 * 1024;

/// After so long the next look decides anew.
const TURN: Duration = Duration::from_secs(1);

/// Bytes read from the log at a time.
const READ_BYTES: usize = 1024 * 1024;

/// The mark of one backend is written by one core at a time.
const MARK_POLL: Duration = Duration::from_millis(5);

const TELL_EVERY: Duration = Duration::from_secs(60);

/// Why lines are given up, as metrics and files say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Backlog(Limit),
    Log,
}

/// What a queue is told.
#[derive(Clone, Copy, Debug)]
struct Order {
    why: Why,
    shrink: Shrink,
    /// For the log as a whole.
    bytes: u64,
}

/// What a queue has to give up. Lives on: the shard that owns the log.
#[derive(Debug, Default)]
pub struct Shedding {
    order: Cell<Option<Order>>,
}

/// What a log has given up. Lives on: the shard that owns the log.
#[derive(Debug, Default)]
pub struct Given {
    /// The last turn in which it gave something up for the logs as a whole.
    turn: Cell<u64>,
    /// A parked queue may be gone before that is told, so this is by backend.
    tallies: RefCell<FastMap<BackendId, Tally>>,
}

/// What was given up of one backend and is not told yet.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    told_at: Option<Mono>,
    points: u64,
    bytes: u64,
    first_unix_ms: u64,
    last_unix_ms: u64,
    why: &'static str,
}

impl Why {
    fn word(self) -> &'static str {
        match self {
            Why::Backlog(limit) => key(limit),
            Why::Log => "on_full",
        }
    }
}

impl Outlet {
    /// Once a second: what is ruled for this log becomes orders for its queues.
    pub(super) async fn obey(&self, is_ending: bool) {
        let room = &self.facts.board.room;
        room.set_log_bytes(self.log.id(), self.log.footprint_bytes());
        if let Err(error) = self.log.set_tight(room.is_tight()).await {
            tracing::warn!(%error, "recycled files could not be given up");
        }
        let feeds = self.feeds();
        for feed in &feeds {
            self.shrink(feed);
        }
        self.share_out(&feeds);
        self.tell_dropped(is_ending).await;
    }

    fn order(&self, feed: &Feed, order: Order) {
        feed.shedding.order.set(Some(order));
        feed.wake.raise();
    }

    /// The backend's own limits.
    fn shrink(&self, feed: &Feed) {
        let (backend, oldest_unix_ms) = {
            let queue = feed.queue.borrow();
            (queue.backend, queue.owed().unix_ms)
        };
        let shrink = self.facts.board.room.shrink(backend);
        let is_large = self.facts.board.owed_bytes(backend) > shrink.keep_bytes;
        // After a start the age of a parked queue is not known before its first frame is read.
        let is_old = oldest_unix_ms < shrink.before_unix_ms
            || oldest_unix_ms == u64::MAX - 1 && shrink.before_unix_ms > 0;
        let is_owed = !feed.queue.borrow().is_empty();
        if is_owed && (is_large || is_old) {
            let limit = if is_large { Limit::Bytes } else { Limit::Age };
            self.order(feed, Order { why: Why::Backlog(limit), shrink, bytes: 0 });
        }
    }

    /// This log's part of what all logs are to give up, for the queues that lag most.
    fn share_out(&self, feeds: &[Rc<Feed>]) {
        let room = &self.facts.board.room;
        let (turn, all) = room.shed();
        if self.given.turn.replace(turn) == turn || all == 0 {
            return;
        }
        let (own, of_all) = (room.log_bytes(self.log.id()), room.logs_bytes().max(1));
        let share = u128::from(all) * u128::from(own) / u128::from(of_all);
        let share = u64::try_from(share).unwrap_or(u64::MAX);
        let lagging: Vec<_> = feeds.iter().filter(|feed| self.lags(feed)).collect();
        let oldest = |feed: &Feed| feed.queue.borrow().owed().oldest;
        let Some(first) = lagging.iter().map(|feed| oldest(feed)).min() else { return };
        let near = Stamp(first.0.saturating_add(nanos(TOGETHER)));
        let chosen: Vec<_> = lagging.iter().filter(|feed| oldest(feed) <= near).collect();
        for feed in &chosen {
            let bytes = share.div_ceil(chosen.len() as u64);
            self.order(feed, Order { why: Why::Log, shrink: Shrink::NOT, bytes });
        }
    }

    /// Whether it may have to give way to the log as a whole. What a backend that left the configuration
    /// is owed goes by command only.
    fn lags(&self, feed: &Feed) -> bool {
        let queue = feed.queue.borrow();
        let (board, now) = (&self.facts.board, self.facts.clock.unix().millis());
        let is_old = queue.owed().unix_ms < now.saturating_sub(nanos(LAG) / 1_000_000);
        let is_up = board.condition(queue.backend) == Condition::Up;
        let is_known = self.facts.place_of(queue.backend).is_some();
        let is_parked = feed.parked.borrow().is_some();
        is_known && !queue.is_empty() && (is_old || is_parked || !is_up)
    }

    /// The queue's turn: gives up what it was told to. Called by the task that loads the queue.
    pub(super) async fn shed(self: &Rc<Self>, feed: &Rc<Feed>) {
        let Some(order) = feed.shedding.order.take() else { return };
        let deadline = self.facts.clock.mono().after(TURN);
        let mut bytes = 0;
        while !feed.is_ended.get() && self.facts.clock.mono() < deadline {
            self.load(feed).await;
            let line = self.line(feed, &order, bytes);
            let oldest = feed.queue.borrow().oldest_waiting(&line).cloned();
            let Some(oldest) = oldest else { return };
            if let Err(error) = self.prepare(feed, &oldest, order.why).await {
                tracing::error!(%error, "nothing is dropped before that is written down");
                return;
            }
            if feed.is_ended.get() {
                return; // What was dropped has been told for the last time.
            }
            let parts = feed.queue.borrow_mut().give_up(&line);
            bytes += self.dropped(feed, &parts, order.why);
            breathe().await;
        }
    }

    /// How much has to go in the next step, after `done` bytes.
    fn line(&self, feed: &Feed, order: &Order, done: u64) -> Line {
        let backend = feed.queue.borrow().backend;
        let by_size = self.facts.board.owed_bytes(backend).saturating_sub(order.shrink.keep_bytes);
        let by_log = order.bytes.saturating_sub(done);
        let stamp_max = if by_log > 0 || by_size == 0 {
            Stamp::NONE
        } else {
            let others = self.others_oldest(feed);
            Stamp(others.0.saturating_add(nanos(order.shrink.slack)))
        };
        let before_unix_ms = order.shrink.before_unix_ms;
        Line { bytes: by_size.max(by_log).min(STEP_BYTES), before_unix_ms, stamp_max }
    }

    /// The oldest stamp that other queues owe the same backend.
    fn others_oldest(&self, feed: &Feed) -> Stamp {
        let (board, backend) = (&self.facts.board, feed.queue.borrow().backend);
        let mut own: *const board::Cell = std::ptr::null();
        self.with_cell(feed, |cell| own = cell);
        let entries = board.parked.entries();
        let parked = entries.iter().filter(|entry| entry.backend == backend);
        let parked = parked.flat_map(|entry| entry.cells());
        let all = board.cells_of(backend).chain(parked);
        let others = all.filter(|cell| !std::ptr::eq(*cell, own));
        others.map(board::Cell::oldest).min().unwrap_or(Stamp::NONE)
    }

    /// What must be on stable storage before the oldest part goes.
    async fn prepare(&self, feed: &Feed, oldest: &Part, why: Why) -> io::Result<()> {
        let backend = feed.queue.borrow().backend;
        let reason = format!("its oldest lines were dropped ({})", why.word());
        self.mark_durably(backend, &reason, 0).await?;
        if oldest.frame.kind != Kind::Statement {
            return Ok(());
        }
        let name = self.facts.place_of(backend).map_or("", |place| place.name.as_str());
        let text = super::statement::text_of(oldest);
        let message = format!("not run: {}", why.word());
        self.keep_statement(name, &oldest.frame, &text, &message).await?;
        tracing::error!(backend = name, statement = text, "a statement is dropped, to the rejects");
        self.facts.meters.reject(name, "statement", 1);
        Ok(())
    }

    /// Marks a backend as incomplete, or adds to its mark; on stable storage when this returns.
    async fn mark_durably(&self, backend: BackendId, reason: &str, points: u64) -> io::Result<()> {
        let (board, room) = (&self.facts.board, &self.facts.board.room);
        let is_there = board.incomplete(backend).is_some() && room.is_marked(backend);
        if is_there && points == 0 {
            return Ok(());
        }
        while !room.begin_mark(backend) {
            // Another core writes it just now.
            sleep(MARK_POLL).await;
        }
        let written = self.write_mark(backend, reason, points).await;
        room.end_mark(backend, written.is_ok());
        written
    }

    /// Counts, and tells whoever waits that this backend has not got them.
    fn dropped(&self, feed: &Feed, parts: &[Part], why: Why) -> u64 {
        let backend = feed.queue.borrow().backend;
        let mut tallies = self.given.tallies.borrow_mut();
        let tally = tallies.entry(backend).or_default();
        let (mut points, mut bytes) = (0, 0);
        for part in parts {
            #[cfg(test)]
            witness::saw(backend, part.payload());
            let run = part.run();
            self.acks.parked(backend, part.number(), &run.payload);
            points += u64::from(run.points);
            bytes += run.payload.len() as u64;
            tally.last_unix_ms = part.frame.header.unix_ms;
            if tally.first_unix_ms == 0 {
                tally.first_unix_ms = tally.last_unix_ms;
            }
        }
        (tally.points, tally.bytes) = (tally.points + points, tally.bytes + bytes);
        tally.why = why.word();
        drop(tallies);
        let name = self.facts.place_of(backend).map_or("", |place| place.name.as_str());
        self.facts.meters.lost("dropped", points);
        self.facts.meters.dropped(name, why.word(), points);
        self.facts.board.room.add_dropped(backend, points);
        self.settled(feed);
        bytes
    }

    /// Says what was dropped since it was told last, of each backend at most once a minute.
    async fn tell_dropped(&self, is_ending: bool) {
        let now = self.facts.clock.mono();
        let is_due = |tally: &Tally| {
            let is_late = tally.told_at.is_none_or(|at| now.since(at) >= TELL_EVERY);
            tally.first_unix_ms > 0 && (is_late || is_ending)
        };
        let due: Vec<(BackendId, Tally)> = {
            let tallies = self.given.tallies.borrow();
            let due = tallies.iter().filter(|(_, tally)| is_due(tally));
            due.map(|(backend, tally)| (*backend, *tally)).collect()
        };
        for (backend, tally) in due {
            if self.tell_tally(backend, &tally).await {
                let mut tallies = self.given.tallies.borrow_mut();
                let later = tallies.entry(backend).or_default();
                (later.points, later.bytes) =
                    (later.points - tally.points, later.bytes - tally.bytes);
                later.first_unix_ms = if later.points > 0 { tally.last_unix_ms } else { 0 };
                later.told_at = Some(now);
            }
        }
    }

    /// Returns whether the mark of the backend holds it now.
    async fn tell_tally(&self, backend: BackendId, tally: &Tally) -> bool {
        let Some(place) = self.facts.place_of(backend) else { return true };
        let Tally { points, bytes, why, .. } = *tally;
        let marked = self.mark_durably(backend, "its oldest lines were dropped", points).await;
        if let Err(error) = marked {
            tracing::warn!(%error, "what was dropped could not be written down yet");
            return false;
        }
        if let Err(error) = self.keep_marker(&place.name, tally).await {
            tracing::error!(%error, "no marker of what was dropped");
        }
        let label = place.label();
        tracing::error!(backend = label, points, bytes, why, "the oldest lines were dropped");
        true
    }

    async fn keep_marker(&self, backend: &str, tally: &Tally) -> io::Result<()> {
        let Tally { points, bytes, why, .. } = tally;
        let date = |when: SystemTime| httpdate::fmt_http_date(when);
        let at = |ms| date(UNIX_EPOCH + Duration::from_millis(ms));
        let text = format!(
            "# {}: {points} points ({bytes} bytes), received from {} to {}, were dropped: {why}\n",
            date(UNIX_EPOCH + self.facts.clock.unix_duration()),
            at(tally.first_unix_ms),
            at(tally.last_unix_ms),
        );
        let name = format!("dropped-{:03}.txt", self.log.id().0);
        let path = self.facts.data.join("rejects").join(backend).join(name);
        self.facts.disk.append_text(&path, text.into_bytes()).await
    }

    /// Bytes that a backend had confirmed of the segment that holds frame `cursor`. They are read only where
    /// a limit makes them count.
    pub(super) async fn bytes_passed(
        &self,
        backend: BackendId,
        cursor: u64,
    ) -> Result<u64, wal::Error> {
        let limit = self.facts.limits.get().backlog(backend).and_then(|config| config.bytes_max);
        let segments = self.log.segments();
        let segment = segments.iter().find(|segment| segment.end_frame.get() > cursor);
        let share =
            segment.and_then(|segment| Some((segment.header.first_frame, segment.share(backend)?)));
        let (Some((mut at, share)), Some(_)) = (share, limit) else { return Ok(0) };
        let mut passed = 0;
        while at < cursor {
            let items = self.log.read(at, READ_BYTES).await?;
            if items.is_empty() {
                break;
            }
            for item in items {
                match item {
                    Item::Frame(frame) if frame.number() < cursor => {
                        let portion = frame.index().portion(backend);
                        passed += portion.map_or(0, |portion| u64::from(portion.bytes));
                        at = frame.number() + 1;
                    }
                    Item::Frame(frame) => at = frame.number(),
                    Item::Damaged(numbers) => at = numbers.end,
                }
            }
        }
        Ok(passed.min(share.bytes))
    }
}

/// Lets the simulated world compare what was given up with what is missing in the end.
#[cfg(test)]
pub mod witness {
    use crate::base::ids::BackendId;
    use std::cell::RefCell;

    thread_local! {
        static SEEN: RefCell<Vec<(BackendId, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn saw(backend: BackendId, payload: &[u8]) {
        SEEN.with(|seen| seen.borrow_mut().push((backend, payload.to_vec())));
    }

    /// Everything since the last call on this thread.
    pub fn take() -> Vec<(BackendId, Vec<u8>)> {
        SEEN.take()
    }
}
