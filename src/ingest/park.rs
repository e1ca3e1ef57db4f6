//! Lines for a database that a backend does not take wait in a queue of their own; the rest flows.

use super::queue::{Part, Queue};
use super::{Feed, Outlet};
use crate::backend::parked::Parked;
use crate::base::ids::BackendId;
use crate::rt::{Lane, spawn};
use crate::wal::{Frame, Kind, Run};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Outlet {
    pub(super) fn is_parked(&self, feed: &Feed, tag: &[u8]) -> bool {
        let parked = &self.facts.board.parked;
        !parked.is_empty() && parked.find(feed.queue.borrow().backend, tag).is_some()
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
        tracing::warn!(backend = place.label(), message, "lines of a database have to wait");
        self.park(feed, tag, message);
        self.facts.asked.raise();
    }

    /// Moves a database's lane out of the backend's queue. The parked queue's cell is on the board before
    /// the backend's own cell moves on.
    pub(super) fn park(self: &Rc<Self>, feed: &Rc<Feed>, tag: &Rc<[u8]>, reason: &str) {
        let parts = feed.queue.borrow_mut().take_lane(tag);
        let backend = feed.queue.borrow().backend;
        self.facts.board.parked.park(backend, tag, reason, |entry| {
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
        let parked = &self.facts.board.parked;
        if frame.kind == Kind::Statement || parked.is_empty() {
            return false;
        }
        let entry = parked.join(backend, run.tag, |entry| self.lead(entry, run.tag, frame));
        if entry.is_some() {
            self.acks.parked(backend, frame.number(), &run.payload);
        }
        entry.is_some()
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
