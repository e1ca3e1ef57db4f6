//! Requests that wait for their backends' confirmation.

use crate::base::ids::BackendId;
use crate::rt::Signal;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// One request that waits. Lives on: the shard that took it.
#[derive(Debug, Default)]
pub struct Waiter {
    /// Backends that have not confirmed everything of it yet.
    missing: RefCell<Vec<BackendId>>,
    /// Backends where its lines wait for a database.
    parked: RefCell<Vec<BackendId>>,
    /// What backends refused of it: their words, and how many lines.
    refused: RefCell<Vec<(String, u64)>>,
    changed: Signal,
    /// It waits no more; its entries can go.
    is_gone: Cell<bool>,
}

/// Lives on: the shard that owns the log.
#[derive(Debug, Default)]
pub struct Acks {
    /// Who waits until a queue's cursor is above a frame.
    cursors: RefCell<BTreeMap<(BackendId, u64), Waiters>>,
    /// Whose bytes stand where in a frame.
    places: RefCell<BTreeMap<u64, Vec<Owner>>>,
}

type Waiters = Vec<Rc<Waiter>>;

/// Bytes of a frame and whose they are.
type Owner = (Range<usize>, Rc<Waiter>);

impl Waiter {
    /// Waits until all backends have confirmed or parked it.
    pub async fn settled(&self) {
        while !self.missing.borrow().is_empty() {
            self.changed.wait().await;
        }
    }

    /// As `settled`, or until some backend has refused.
    pub async fn answered(&self) {
        while !self.missing.borrow().is_empty() && self.refused.borrow().is_empty() {
            self.changed.wait().await;
        }
    }

    /// Backends that have not confirmed it.
    pub fn missing(&self) -> Vec<BackendId> {
        let mut missing = self.missing.borrow().clone();
        missing.extend_from_slice(&self.parked.borrow());
        missing
    }

    /// Backends that were expected to keep up and did not.
    pub fn late(&self) -> Vec<BackendId> {
        self.missing.borrow().clone()
    }

    pub fn take_refused(&self) -> Vec<(String, u64)> {
        self.refused.take()
    }

    /// Ends the waiting; whatever comes later is for the counters and the rejects only.
    pub fn leave(&self) {
        self.is_gone.set(true);
    }
}

impl Acks {
    /// A waiter for backends, each with the last frame that it must have confirmed.
    pub fn wait(&self, last_frames: &[(BackendId, u64)]) -> Rc<Waiter> {
        let waiter = Rc::new(Waiter::default());
        for (backend, frame) in last_frames {
            waiter.missing.borrow_mut().push(*backend);
            let mut cursors = self.cursors.borrow_mut();
            cursors.entry((*backend, *frame)).or_default().push(waiter.clone());
        }
        waiter
    }

    /// Tells whose bytes stand in a frame, so that a refusal of them finds its way back.
    pub fn place(&self, frame: u64, range: Range<usize>, waiter: &Rc<Waiter>) {
        self.places.borrow_mut().entry(frame).or_default().push((range, waiter.clone()));
    }

    /// A queue's cursor has moved to `cursor`.
    pub fn confirmed(&self, backend: BackendId, cursor: u64) {
        let mut cursors = self.cursors.borrow_mut();
        let done: Vec<_> =
            cursors.range((backend, 0)..(backend, cursor)).map(|(key, _)| *key).collect();
        for key in done {
            for waiter in cursors.remove(&key).unwrap_or_default() {
                waiter.missing.borrow_mut().retain(|missing| *missing != backend);
                waiter.changed.raise();
            }
        }
    }

    /// Bytes of a frame wait for a database on `backend`.
    pub fn parked(&self, backend: BackendId, frame: u64, range: &Range<usize>) {
        for waiter in self.owners(frame, range) {
            waiter.missing.borrow_mut().retain(|missing| *missing != backend);
            let mut parked = waiter.parked.borrow_mut();
            if !parked.contains(&backend) {
                parked.push(backend);
            }
            waiter.changed.raise();
        }
    }

    /// A backend refused these bytes for good.
    pub fn refused(&self, frame: u64, range: &Range<usize>, message: &str) {
        for waiter in self.owners(frame, range) {
            let mut refused = waiter.refused.borrow_mut();
            match refused.iter_mut().find(|(known, _)| known == message) {
                Some((_, lines)) => *lines += 1,
                None => refused.push((message.to_owned(), 1)),
            }
            waiter.changed.raise();
        }
    }

    fn owners(&self, frame: u64, range: &Range<usize>) -> Vec<Rc<Waiter>> {
        let places = self.places.borrow();
        let here = places.get(&frame).into_iter().flatten();
        let touches = |place: &Range<usize>| place.start < range.end && range.start < place.end;
        here.filter(|(place, _)| touches(place)).map(|(_, waiter)| waiter.clone()).collect()
    }

    /// Forgets everybody who has left.
    pub fn sweep(&self) {
        self.cursors.borrow_mut().retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_gone.get());
            !waiters.is_empty()
        });
        self.places.borrow_mut().retain(|_, places| {
            places.retain(|(_, waiter)| !waiter.is_gone.get());
            !places.is_empty()
        });
    }

    /// Forgets one who leaves, at the frames where it waited.
    pub fn forget(&self, waiter: &Rc<Waiter>, frames: &[u64]) {
        waiter.leave();
        let mut places = self.places.borrow_mut();
        for frame in frames {
            if let Some(here) = places.get_mut(frame) {
                here.retain(|(_, other)| !Rc::ptr_eq(other, waiter));
                if here.is_empty() {
                    places.remove(frame);
                }
            }
        }
    }
}
