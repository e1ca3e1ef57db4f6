//! Lines for a database that a backend does not take wait in a queue of their own; the rest flows. What must
//! come behind them waits there, too: newer lines, and statements for that database but CREATE.

use super::queue::{Part, Queue};
use super::statement::{Dropping, dropped, never_waits};
use super::{Feed, Outlet, order};
use crate::backend::parked::{Parked, Waits};
use crate::base::ids::BackendId;
use crate::base::planted::{Planted, is_planted};
use crate::base::time::Stamp;
use crate::rt::{Lane, spawn};
use crate::wal::{Frame, Kind, Run};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Outlet {
    /// The entry behind which a run of the backend's own queue has to wait, if there is one.
    fn entry_before(
        &self,
        backend: BackendId,
        frame: &Frame,
        run: &Run<'_>,
    ) -> Option<Arc<Parked>> {
        let parked = &self.facts.board.parked;
        if parked.is_forgotten() {
            return None;
        }
        match frame.kind {
            Kind::Lines => parked.before_lines(backend, run.tag, frame.stamp()),
            Kind::Statement if never_waits(frame, run) || is_planted(Planted::ParkedOvertaken) => {
                None
            }
            Kind::Statement => parked.before_statement(backend, run.tag, frame.stamp()),
        }
    }

    /// Parks what the backend's own queue was about to send, if others of its database have begun to wait.
    /// Asked after the cells were read: another shard parks a database before its own cell moves on.
    pub(super) fn parked_instead(
        self: &Rc<Self>,
        feed: &Rc<Feed>,
        tag: &Rc<[u8]>,
        last: &Part,
    ) -> bool {
        if feed.parked.borrow().is_some() {
            return false;
        }
        let backend = feed.queue.borrow().backend;
        let Some(before) = self.entry_before(backend, &last.frame, &last.run()) else {
            return false;
        };
        self.park(feed, tag, &before.reason, true);
        true
    }

    /// A statement that drops a database, or a policy, needs nothing that waits for it: that is confirmed
    /// first, in every log and on disk, so that no start sends it into a database of the same name that is
    /// made later. Returns whether the statement has to wait for this.
    pub(super) fn drop_waits(&self, feed: &Feed, part: &Part) -> bool {
        let Some(dropping) = dropped(part) else { return false };
        let parked = &self.facts.board.parked;
        if parked.is_forgotten() {
            return false;
        }
        let (backend, run) = (feed.queue.borrow().backend, part.run());
        let all_policies = dropping == Dropping::Database;
        let is_gone = parked.drop_below(backend, run.tag, all_policies, part.frame.stamp());
        if !is_gone {
            feed.queue.borrow_mut().put_back(run.tag);
        }
        !is_gone
    }

    /// Confirms what waits in a parked queue and is not needed any more.
    pub(super) async fn forget_moot(self: &Rc<Self>, feed: &Rc<Feed>) {
        let moot_below = match feed.parked.borrow().as_ref() {
            Some(entry) => entry.moot_below(),
            None => return,
        };
        while feed.sending.get() == 0 && feed.queue.borrow().owed().oldest < moot_below {
            self.load(feed).await;
            let moot = feed.queue.borrow_mut().take_below(moot_below);
            if moot.is_empty() {
                return;
            }
            self.settle_parts(feed, &moot);
            // The statement waits until the disk knows.
            self.checkpoint_now.raise();
        }
    }

    /// Whether a parked statement may go: nothing that any queue holds of its database is older.
    pub(super) fn parked_statement_may_go(&self, parked: &Parked, stamp: Stamp) -> bool {
        let (log, board, backend) = (self.log.id(), &self.facts.board, parked.backend);
        // In this order: what leaves the backend's own queues is parked before. The own one counts, too: it
        // may hold older lines of another policy.
        order::statement_may_go(stamp, board.cells_of(backend))
            && order::statement_may_go(stamp, parked.other_cells(log))
            && board.parked.others_before(backend, &parked.tag, stamp).is_none()
    }

    /// Whether parked lines may go. Another log's own queue may hold older lines of this database that it
    /// has yet to lead away.
    pub(super) fn parked_lines_may_go(
        &self,
        parked: &Parked,
        stamp: Stamp,
        window: Duration,
    ) -> bool {
        let (log, board, backend) = (self.log.id(), &self.facts.board, parked.backend);
        // In this order: what leaves the backend's own queues is parked before.
        order::lines_may_go(stamp, window, board.other_cells(log, backend))
            && order::lines_may_go(stamp, window, parked.other_cells(log))
            && board.parked.statements_before(backend, &parked.tag, stamp).is_none()
    }

    /// A backend said that it does not take this database.
    pub(super) fn parked_answer(self: &Rc<Self>, feed: &Rc<Feed>, tag: &Rc<[u8]>, message: &str) {
        let place = &feed.client.as_ref().expect("it just answered").place;
        self.facts.meters.backend_write(&place.name, "parked");
        self.facts.board.set_last_error(place.id, Some(message.to_owned()));
        if let Some(parked) = feed.parked.borrow().as_ref() {
            // Tried in vain: wait for the prober to open it again.
            parked.is_open.store(false, Ordering::SeqCst);
            feed.queue.borrow_mut().put_back(tag);
            return;
        }
        tracing::warn!(
            backend = place.label(),
            answer = message,
            "lines of a database have to wait"
        );
        self.park(feed, tag, message, false);
        self.facts.asked.raise();
    }

    /// Moves a database's lane out of the backend's queue. The parked queue's cell is on the board before
    /// the backend's own cell moves on.
    fn park(self: &Rc<Self>, feed: &Rc<Feed>, tag: &Rc<[u8]>, reason: &str, is_open: bool) {
        // What makes a database may not wait for it.
        let stays = |part: &Part| never_waits(&part.frame, &part.run());
        let parts = feed.queue.borrow_mut().take_lane(tag, stays);
        let backend = feed.queue.borrow().backend;
        let has_statements = parts.iter().any(|part| part.frame.kind == Kind::Statement);
        let waits = Waits { backend, tag, reason, is_open, has_statements };
        self.facts.board.parked.park(waits, |entry| {
            for part in &parts {
                self.lead(entry, tag, &part.frame);
            }
        });
        for part in &parts {
            self.acks.parked(backend, part.number(), &part.run().payload);
        }
        self.settle_parts(feed, &parts);
    }

    fn settle_parts(&self, feed: &Feed, parts: &[Part]) {
        feed.queue.borrow_mut().settle(parts);
        self.settled(feed);
    }

    /// Whether a run goes to a parked queue instead; if so, it is noted there.
    pub(super) fn lead_away(
        self: &Rc<Self>,
        backend: BackendId,
        frame: &Rc<Frame>,
        run: &Run<'_>,
    ) -> bool {
        let Some(before) = self.entry_before(backend, frame, run) else { return false };
        let has_statements = frame.kind == Kind::Statement;
        let (tag, reason) = (run.tag, &*before.reason);
        let waits = Waits { backend, tag, reason, is_open: true, has_statements };
        self.facts.board.parked.park(waits, |entry| self.lead(entry, tag, frame));
        self.acks.parked(backend, frame.number(), &run.payload);
        true
    }

    /// Notes a frame in the parked queue of this log and publishes its cell.
    fn lead(self: &Rc<Self>, entry: &Arc<Parked>, tag: &Rc<[u8]>, frame: &Frame) {
        let feed = self.parked_feed(entry, tag, frame.number());
        feed.queue.borrow_mut().note(frame);
        self.publish_feed(&feed);
        self.publish_durable(&feed, frame.stamp());
        feed.wake.raise();
    }

    /// The parked queue of this log, made if need be.
    pub(super) fn parked_feed(
        self: &Rc<Self>,
        entry: &Arc<Parked>,
        tag: &Rc<[u8]>,
        cursor: u64,
    ) -> Rc<Feed> {
        let known = self.feeds().into_iter().find(|feed| {
            feed.parked.borrow().is_some()
                && feed.queue.borrow().backend == entry.backend
                && feed.queue.borrow().only.as_ref() == Some(tag)
        });
        if let Some(feed) = known {
            let is_same =
                feed.parked.borrow().as_ref().is_some_and(|known| Arc::ptr_eq(known, entry));
            if !is_same {
                // The entry was removed and made again while this log owed nothing to it.
                *feed.parked.borrow_mut() = Some(entry.clone());
            }
            return feed;
        }
        let queue = Queue::new(entry.backend, Some(tag.clone()), cursor);
        let client = self.client_of(entry.backend);
        let feed = Rc::new(Feed::new(queue, client, Some(entry.clone()), 0));
        self.queues.borrow_mut().push(feed.clone());
        spawn(Lane::Deliver, self.clone().run(feed.clone()));
        feed
    }

    /// Ends a parked queue when nothing waits in it, in any log.
    pub(super) fn close_parked(&self, feed: &Feed) {
        if !feed.queue.borrow().is_empty() {
            return;
        }
        let entry = feed.parked.borrow().clone().expect("only called for parked queues");
        self.facts.board.parked.remove_if_empty(&entry);
        let tag = feed.queue.borrow().only.clone().expect("a parked queue has a tag");
        if self.facts.board.parked.find(entry.backend, &tag).is_none() {
            feed.is_ended.set(true);
            feed.wake.raise();
            // The cursors on disk still say that something waits here.
            self.is_dirty.set(true);
            self.queues.borrow_mut().retain(|other| !std::ptr::eq(&**other, feed));
        }
    }
}
