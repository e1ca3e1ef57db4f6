//! A backend's turn: takes what its queue owes, sends it, and does what the answer means.
//!
//! One request is under way for each (log, backend, database); while it is, the next one fills. Nothing
//! ticks while nothing is owed.

use super::commit::wait_at_most;
use super::queue::Part;
use super::refuse::Isolated;
use super::statement::never_waits;
use super::{Feed, Outlet, Retry, order};
use crate::backend::board::ORDER_WINDOW_MIN;
use crate::backend::{Condition, Error, Verdict, write};
use crate::base::failpoint;
use crate::base::planted::{Planted, is_planted};
use crate::base::time::{Mono, Stamp};
use crate::ring::Target;
use crate::rt::{Lane, sleep, spawn};
use crate::telemetry::Stage;
use crate::wal::{Frame, Item};
use std::rc::Rc;
use std::time::Duration;

/// Bytes read from the log at a time.
const READ_BYTES: usize = 1024 * 1024;

/// A read of old lines gives way for so long, so often.
const WAIT: Duration = Duration::from_millis(1);
const WAITS_MAX: usize = 20;

/// A frame that may not go yet is looked at again this soon.
const ORDER_POLL: Duration = Duration::from_millis(2);

/// A backend that is down is looked at on the board this often, while something is owed.
const DOWN_POLL: Duration = Duration::from_millis(50);

/// A request that was answered 500 this often is narrowed down, if the backend is healthy otherwise.
const SUSPECT_TRIES: u32 = 3;

/// All queues are asked what may be forgotten when one in so many has moved.
const FORGET_SHARE: usize = 16;

/// What keeps a feed from sending.
enum Next {
    /// A request was started, or nothing is owed: a signal will come.
    Wait,
    /// Another queue's older frames go first.
    Order,
    Later(Duration),
    /// More lines may share the next request.
    Linger(Duration),
}

impl Outlet {
    /// Drives one queue until it is ended.
    pub async fn run(self: Rc<Self>, feed: Rc<Feed>) {
        while !feed.is_ended.get() {
            self.shed(&feed).await;
            self.forget_moot(&feed).await;
            let next = match self.pause(&feed) {
                Some(pause) => Next::Later(pause),
                None => {
                    self.load(&feed).await;
                    self.start(&feed)
                }
            };
            match next {
                Next::Wait => feed.wake.wait().await,
                Next::Order => wait_at_most(&feed.wake, ORDER_POLL).await,
                Next::Later(pause) => wait_at_most(&feed.wake, pause).await,
                Next::Linger(pause) => sleep(pause).await,
            }
        }
    }

    /// How long nothing should be sent; `None` to go on.
    fn pause(&self, feed: &Feed) -> Option<Duration> {
        let now = self.facts.clock.mono();
        let queue = feed.queue.borrow();
        if queue.is_empty() {
            return None;
        }
        let mut retry = feed.retry.get();
        let is_up = self.facts.board.condition(queue.backend) == Condition::Up;
        if is_up && !retry.was_up {
            retry = Retry { was_up: true, ..Retry::default() };
        }
        retry.was_up = is_up;
        feed.retry.set(retry);
        let is_closed = feed.parked.borrow().as_ref().is_some_and(|parked| !parked.is_open());
        if !is_up || is_closed || feed.client.is_none() {
            return Some(DOWN_POLL);
        }
        (retry.at > now).then(|| retry.at.since(now))
    }

    pub(super) async fn load(self: &Rc<Self>, feed: &Rc<Feed>) {
        loop {
            let Some(number) = feed.queue.borrow().next_load() else { return };
            self.give_way(number).await;
            let items = match self.log.read(number, READ_BYTES).await {
                Ok(items) if items.is_empty() => return,
                Ok(items) => items,
                Err(error) => {
                    tracing::error!(%error, "the log could not be read");
                    self.back_off(feed, None);
                    return;
                }
            };
            for item in items {
                if feed.queue.borrow().next_load().is_none() {
                    break;
                }
                self.load_item(feed, item);
            }
            self.settled(feed);
        }
    }

    /// Nobody waits for old lines: they go between commits, and beside those that other backends read.
    async fn give_way(&self, number: u64) {
        for _ in 0..WAITS_MAX {
            if !self.log.should_read_later(number) {
                return;
            }
            sleep(WAIT).await;
        }
    }

    fn load_item(self: &Rc<Self>, feed: &Rc<Feed>, item: Item) {
        match item {
            Item::Frame(frame) => {
                let is_main = feed.parked.borrow().is_none();
                let backend = feed.queue.borrow().backend;
                let may_wait = is_main && !self.facts.board.parked.is_forgotten();
                feed.queue.borrow_mut().load(&frame, |run, has_older| {
                    // The parked queue takes runs in order: older ones that are still here go there first.
                    // What makes or drops a database went through the backend's own queue.
                    self.is_dropped(backend, frame.number(), run.tag)
                        || (may_wait && !has_older && self.lead_away(backend, &frame, run))
                        || (!is_main && never_waits(&frame, run))
                });
            }
            Item::Damaged(numbers) => {
                let lost = numbers.end - numbers.start;
                feed.queue.borrow_mut().skip(&numbers);
                self.facts.meters.lost("damaged", lost);
                let backend = feed.queue.borrow().backend;
                self.mark_incomplete(backend, "frames of the log are damaged", lost);
            }
        }
    }

    /// Starts what may be sent.
    fn start(self: &Rc<Self>, feed: &Rc<Feed>) -> Next {
        let statement =
            feed.queue.borrow_mut().next_statement(|stamp| self.statement_may_go(feed, stamp));
        if let Some(part) = statement {
            let tag = part.run().tag.clone();
            if self.parked_instead(feed, &tag, &part) || self.drop_waits(feed, &part) {
                return Next::Order;
            }
            self.under_way(feed, 1);
            spawn(Lane::Deliver, self.clone().send_statement(feed.clone(), part));
            return Next::Wait;
        }
        let tags: Vec<_> = feed.queue.borrow().ready_lanes().collect();
        if !tags.is_empty()
            && let Some(pause) = self.linger(feed)
        {
            return Next::Linger(pause);
        }
        let mut is_held = false;
        for tag in tags {
            if let Some(wait) = self.pace(feed) {
                return Next::Later(wait);
            }
            let allows = self.allowance(feed);
            let may_go = |frame: &Frame| self.lines_may_go(feed, frame) && allows(frame);
            let batch = feed.queue.borrow_mut().next_batch(&tag, may_go);
            if batch.is_empty() {
                is_held = true;
                continue;
            }
            let last = batch.last().expect("just seen");
            if self.parked_instead(feed, &tag, last) {
                continue;
            }
            self.paced(feed, &batch);
            feed.sent_at.set(self.facts.clock.mono());
            self.under_way(feed, 1);
            spawn(Lane::Deliver, self.clone().send_lines(feed.clone(), tag, batch));
        }
        let queue = feed.queue.borrow();
        let waits_for_turn = feed.sending.get() == 0 && !queue.is_empty();
        if is_held || waits_for_turn { Next::Order } else { Next::Wait }
    }

    fn statement_may_go(&self, feed: &Feed, stamp: Stamp) -> bool {
        if is_planted(Planted::NoOrderRule) {
            return true;
        }
        if let Some(parked) = feed.parked.borrow().as_ref() {
            return self.parked_statement_may_go(parked, stamp);
        }
        let client = feed.client.as_ref().expect("only a feed with a client sends");
        let others = self.facts.board.other_cells(self.log.id(), client.place.id);
        order::statement_may_go(stamp, others)
    }

    /// By the window that held when the frame was sealed: whoever waited for that long before sending it
    /// must win, however slow the backend has become since.
    fn lines_may_go(&self, feed: &Feed, frame: &Frame) -> bool {
        if is_planted(Planted::NoOrderRule) {
            return true;
        }
        let (log, board, stamp) = (self.log.id(), &self.facts.board, frame.stamp());
        let client = feed.client.as_ref().expect("only a feed with a client sends");
        let backend = client.place.id;
        let window = ORDER_WINDOW_MIN.max(Duration::from_millis(frame.header.note.into()));
        match feed.parked.borrow().as_ref() {
            Some(parked) => self.parked_lines_may_go(parked, stamp, window),
            None => order::lines_may_go(stamp, window, board.other_cells(log, backend)),
        }
    }

    pub(super) fn under_way(&self, feed: &Feed, by: usize) {
        feed.sending.set(feed.sending.get() + by);
    }

    async fn send_lines(self: Rc<Self>, feed: Rc<Feed>, tag: Rc<[u8]>, batch: Vec<Part>) {
        let Some(target) = Target::from_tag(&tag) else {
            // Only a log of a strange origin could hold it; it can never be sent.
            self.lose(&feed, &tag, &batch, "its database cannot be read");
            return;
        };
        let client = feed.client.as_ref().expect("only a feed with a client sends");
        let path = client.place.write_path(&target.org, &target.database, &target.retention_policy);
        let pieces: Vec<&[u8]> = batch.iter().map(Part::payload).collect();
        let begun = self.facts.clock.mono();
        failpoint::reach("deliver.before_send");
        let answer = write::send(client, &path, &pieces).await;
        failpoint::reach("deliver.after_send");
        self.took(&feed, begun);
        drop(pieces);
        match answer {
            Ok(Verdict::Done) => self.confirm(&feed, &tag, "done"),
            Ok(Verdict::Parked { message }) => self.parked_answer(&feed, &tag, &message),
            Ok(Verdict::Later { message, after }) => {
                self.put_back(&feed, &tag, &message, after);
            }
            Ok(Verdict::Suspect { message }) if !self.is_poison(&feed, &tag) => {
                self.put_back(&feed, &tag, &message, None);
            }
            Ok(verdict) => {
                let isolated = self.isolate(&feed, &target, &path, &batch, verdict).await;
                self.after_isolation(&feed, &tag, isolated);
            }
            Err(error) => self.no_answer(&feed, &tag, &error),
        }
        self.finished(&feed);
    }

    fn after_isolation(self: &Rc<Self>, feed: &Rc<Feed>, tag: &Rc<[u8]>, isolated: Isolated) {
        match isolated {
            Isolated::Settled => self.confirm(feed, tag, "refused"),
            Isolated::Parked(message) => self.parked_answer(feed, tag, &message),
            Isolated::Later(message, after) => self.put_back(feed, tag, &message, after),
        }
    }

    /// Notes how long a request took; the slowest one widens the order window.
    pub(super) fn took(&self, feed: &Feed, begun: Mono) {
        let now = self.facts.clock.mono();
        let took = now.since(begun);
        self.facts.latencies.record(Stage::Backend, took);
        let mut slow = feed.slow.borrow_mut();
        slow.record(now, took);
        let backend = feed.queue.borrow().backend;
        self.facts.board.cell(self.log.id(), backend).set_slowest(slow.slowest(now));
    }

    fn confirm(&self, feed: &Feed, tag: &[u8], outcome: &'static str) {
        failpoint::reach("deliver.before_confirm");
        let lines = feed.queue.borrow_mut().confirm(tag);
        feed.retry.set(Retry { was_up: true, ..Retry::default() });
        feed.suspects.borrow_mut().remove(tag);
        feed.rejected.borrow_mut().clear();
        let name = &feed.client.as_ref().expect("it just answered").place.name;
        self.facts.meters.backend_write(name, outcome);
        self.facts.meters.backend_lines(name, lines);
        self.settled(feed);
        failpoint::reach("deliver.after_confirm");
    }

    /// The queue has moved: tell the board, then whoever waits.
    pub(super) fn settled(&self, feed: &Feed) {
        self.is_dirty.set(true);
        self.publish_feed(feed);
        let (backend, cursor) = {
            let queue = feed.queue.borrow();
            (queue.backend, queue.cursor())
        };
        self.forget_some();
        if feed.parked.borrow().is_some() {
            self.close_parked(feed);
            return;
        }
        if feed.owed_since_start.get() && cursor >= feed.start_end {
            feed.owed_since_start.set(false);
            self.facts.board.cell(self.log.id(), backend).set_owed_since_start(false);
        }
        self.acks.confirmed(backend, cursor);
    }

    /// Frees the memory of frames that every queue has confirmed, when so many queues have moved that asking
    /// all of them costs each a few; the checkpoint asks them anyhow.
    fn forget_some(&self) {
        let moved = self.moved.get() + 1;
        self.moved.set(moved);
        if moved * FORGET_SHARE >= self.queues.borrow().len() {
            self.forget_confirmed();
        }
    }

    /// Frees the memory of frames that every queue has confirmed.
    pub(super) fn forget_confirmed(&self) {
        self.moved.set(0);
        let queues = self.queues.borrow();
        let owed = queues.iter().map(|feed| feed.queue.borrow().owed_from());
        self.log.forget_hot(owed.min().unwrap_or(u64::MAX));
    }

    fn put_back(&self, feed: &Feed, tag: &[u8], message: &str, after: Option<Duration>) {
        feed.queue.borrow_mut().put_back(tag);
        let place = &feed.client.as_ref().expect("it was just asked").place;
        self.facts.meters.backend_write(&place.name, "later");
        self.facts.board.set_last_error(place.id, Some(message.to_owned()));
        self.back_off(feed, after);
    }

    fn no_answer(&self, feed: &Feed, tag: &[u8], error: &Error) {
        let client = feed.client.as_ref().expect("it was just asked");
        if matches!(error, Error::Connect(_)) {
            // The prober finds out when it is back; until then nobody tries.
            let now = self.facts.clock.unix().millis();
            let before = self.facts.board.set_condition(client.place.id, Condition::Down, now);
            if before != Condition::Down {
                tracing::warn!(backend = client.place.label(), %error, "backend is down");
            }
            client.forget_connections();
        }
        self.put_back(feed, tag, &error.to_string(), None);
    }

    /// Exponential, with jitter of a quarter, so that shards do not come back in step.
    pub(super) fn back_off(&self, feed: &Feed, after: Option<Duration>) {
        let now = self.facts.clock.mono();
        let mut retry = feed.retry.get();
        let write = self.facts.write.get();
        let doubled = write.retry_min * (1 << retry.failures.min(16));
        let wait = doubled.min(write.retry_max);
        let jitter = wait / 4 * u32::try_from(now.0 / 1000 % 1000).unwrap_or(0) / 1000;
        retry.failures += 1;
        retry.at = now.after(after.unwrap_or(wait - jitter).min(Duration::from_secs(120)));
        feed.retry.set(retry);
    }

    /// Counts a 500 that may never end. True when it is time to look which line it is.
    fn is_poison(&self, feed: &Feed, tag: &Rc<[u8]>) -> bool {
        let now = self.facts.clock.mono();
        let mut suspects = feed.suspects.borrow_mut();
        let (tries, _) = suspects.entry(tag.clone()).or_insert((0, now));
        *tries += 1;
        let backend = feed.queue.borrow().backend;
        *tries >= SUSPECT_TRIES && self.facts.board.condition(backend) == Condition::Up
    }

    fn lose(&self, feed: &Rc<Feed>, tag: &[u8], batch: &[Part], why: &str) {
        let points = batch.iter().map(|part| u64::from(part.run().points)).sum();
        tracing::error!(points, why, "lines are lost");
        self.facts.meters.lost("damaged", points);
        feed.queue.borrow_mut().confirm(tag);
        self.settled(feed);
        self.finished(feed);
    }

    pub(super) fn finished(&self, feed: &Feed) {
        feed.sending.set(feed.sending.get() - 1);
        feed.wake.raise();
    }
}
