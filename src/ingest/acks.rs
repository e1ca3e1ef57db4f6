//! Requests that wait for their backends' confirmation.

use crate::base::ids::BackendId;
use crate::rt::Signal;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;

/// One request that waits. Lives on: the shard that took it.
#[derive(Debug, Default)]
pub struct Waiter {
    /// How far each backend is, by their numbers.
    backends: RefCell<Vec<(BackendId, Has)>>,
    /// How many of them have not confirmed everything of it yet.
    missing: Cell<usize>,
    /// What backends refused of it: their words, and how many lines.
    refused: RefCell<Vec<(String, u64)>>,
    changed: Signal,
    /// It waits no more; its entries can go.
    is_gone: Cell<bool>,
}

/// What a backend has of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Has {
    NotAll,
    All,
    /// Lines of it wait for a database.
    Parked,
}

/// Who waits until a queue's cursor is above a frame, the lowest first.
type Line = VecDeque<(u64, Rc<Waiter>)>;

/// Lives on: the shard that owns the log.
#[derive(Debug, Default)]
pub struct Acks {
    /// At each backend's number its line.
    cursors: RefCell<Vec<Line>>,
    /// Whose bytes stand where in a frame.
    places: RefCell<BTreeMap<u64, Owners>>,
}

/// Bytes of a frame and whose they are, and how many of these have not left.
#[derive(Debug, Default)]
struct Owners {
    all: Vec<(Range<usize>, Rc<Waiter>)>,
    waiting: usize,
}

impl Waiter {
    /// Waits until all backends have confirmed or parked it.
    pub async fn settled(&self) {
        while self.missing.get() > 0 {
            self.changed.wait().await;
        }
    }

    /// As `settled`, or until some backend has refused.
    pub async fn answered(&self) {
        while self.missing.get() > 0 && self.refused.borrow().is_empty() {
            self.changed.wait().await;
        }
    }

    fn those(&self, which: impl Fn(Has) -> bool) -> Vec<BackendId> {
        let backends = self.backends.borrow();
        backends.iter().filter(|(_, has)| which(*has)).map(|(backend, _)| *backend).collect()
    }

    /// Backends that have not confirmed it.
    pub fn missing(&self) -> Vec<BackendId> {
        self.those(|has| has != Has::All)
    }

    /// Backends that were expected to keep up and did not.
    pub fn late(&self) -> Vec<BackendId> {
        self.those(|has| has == Has::NotAll)
    }

    /// Notes what a backend has now, and wakes whoever waits if it was the last one.
    fn note(&self, backend: BackendId, has: Has) {
        let mut backends = self.backends.borrow_mut();
        let before = match backends.binary_search_by_key(&backend, |(known, _)| *known) {
            Ok(at) if has == Has::All && backends[at].1 == Has::Parked => Has::Parked,
            Ok(at) => std::mem::replace(&mut backends[at].1, has),
            Err(_) if has == Has::All => Has::All,
            Err(at) => {
                // Nobody waits for it, and still it is told.
                backends.insert(at, (backend, has));
                has
            }
        };
        if before == Has::NotAll {
            self.missing.set(self.missing.get() - 1);
            if self.missing.get() == 0 {
                self.changed.raise();
            }
        }
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
        let mut backends: Vec<_> =
            last_frames.iter().map(|(backend, _)| (*backend, Has::NotAll)).collect();
        backends.sort_unstable_by_key(|(backend, _)| *backend);
        debug_assert!(backends.is_sorted_by(|one, next| one.0 < next.0), "each is named once");
        let waiter = Rc::new(Waiter {
            missing: Cell::new(backends.len()),
            backends: RefCell::new(backends),
            ..Waiter::default()
        });
        let mut cursors = self.cursors.borrow_mut();
        for (backend, frame) in last_frames {
            if cursors.len() <= backend.index() {
                cursors.resize_with(backend.index() + 1, VecDeque::new);
            }
            let queue = &mut cursors[backend.index()];
            // At the end, unless the log has failed and gave numbers again.
            let behind = queue.iter().rev().take_while(|(known, _)| known > frame).count();
            queue.insert(queue.len() - behind, (*frame, waiter.clone()));
        }
        waiter
    }

    /// Tells whose bytes stand in a frame, so that a refusal of them finds its way back. What is told of one
    /// request stands side by side there.
    pub fn place(&self, frame: u64, range: Range<usize>, waiter: &Rc<Waiter>) {
        let mut places = self.places.borrow_mut();
        let owners = places.entry(frame).or_default();
        match owners.all.last_mut() {
            Some((known, last)) if Rc::ptr_eq(last, waiter) => {
                assert_eq!(known.end, range.start, "a request is copied in one go");
                known.end = range.end;
            }
            _ => {
                owners.all.push((range, waiter.clone()));
                owners.waiting += 1;
            }
        }
    }

    /// A queue's cursor has moved to `cursor`.
    pub fn confirmed(&self, backend: BackendId, cursor: u64) {
        let mut cursors = self.cursors.borrow_mut();
        let Some(queue) = cursors.get_mut(backend.index()) else { return };
        while let Some((_, waiter)) = queue.pop_front_if(|(frame, _)| *frame < cursor) {
            waiter.note(backend, Has::All);
        }
    }

    /// Bytes of a frame wait for a database on `backend`.
    pub fn parked(&self, backend: BackendId, frame: u64, range: &Range<usize>) {
        for waiter in self.owners(frame, range) {
            waiter.note(backend, Has::Parked);
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
        let here = places.get(&frame).into_iter().flat_map(|owners| &owners.all);
        let touches = |place: &Range<usize>| place.start < range.end && range.start < place.end;
        let here = here.filter(|(place, waiter)| touches(place) && !waiter.is_gone.get());
        here.map(|(_, waiter)| waiter.clone()).collect()
    }

    /// Forgets everybody who has left.
    pub fn sweep(&self) {
        for queue in self.cursors.borrow_mut().iter_mut() {
            queue.retain(|(_, waiter)| !waiter.is_gone.get());
        }
        self.places.borrow_mut().retain(|_, owners| {
            owners.all.retain(|(_, waiter)| !waiter.is_gone.get());
            owners.waiting = owners.all.len();
            owners.waiting > 0
        });
    }

    /// Forgets one who leaves, at the frames where it waited: these are in order. Who else stood in a frame
    /// is not looked through: the last one who leaves takes all with it.
    pub fn forget(&self, waiter: &Rc<Waiter>, frames: &[u64]) {
        if waiter.is_gone.replace(true) {
            return;
        }
        let mut places = self.places.borrow_mut();
        for together in frames.chunk_by(|one, other| one == other) {
            let Some(owners) = places.get_mut(&together[0]) else { continue };
            owners.waiting -= 1;
            if owners.waiting == 0 {
                places.remove(&together[0]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: BackendId = BackendId(3);
    const B: BackendId = BackendId(0);

    #[test]
    fn a_request_waits_until_every_backend_is_past_its_frame() {
        let acks = Acks::default();
        let (first, second) = (acks.wait(&[(A, 5), (B, 6)]), acks.wait(&[(A, 6)]));
        acks.confirmed(A, 5);
        assert_eq!((first.late(), second.late()), (vec![B, A], vec![A]));
        acks.confirmed(A, 6);
        acks.confirmed(BackendId(9), 99);
        assert_eq!((first.late(), second.late()), (vec![B], vec![A]));
        acks.confirmed(A, 7);
        acks.confirmed(B, 7);
        assert_eq!((first.late(), second.late()), (vec![], vec![]));
    }

    #[test]
    fn numbers_that_a_failed_log_gives_again_hide_nobody() {
        let acks = Acks::default();
        let (refused, later) = (acks.wait(&[(A, 9)]), acks.wait(&[(A, 7)]));
        acks.confirmed(A, 8);
        assert_eq!((refused.missing(), later.missing()), (vec![A], vec![]));
    }

    #[test]
    fn what_is_parked_is_missing_and_nobody_waits_for_it() {
        let acks = Acks::default();
        let waiter = acks.wait(&[(A, 5)]);
        acks.place(5, 72..100, &waiter);
        acks.place(5, 100..120, &waiter);
        acks.parked(A, 5, &(120..130));
        assert_eq!(waiter.late(), [A]);
        acks.parked(A, 5, &(110..130));
        acks.parked(B, 5, &(72..73));
        acks.confirmed(A, 6);
        assert_eq!((waiter.late(), waiter.missing()), (vec![], vec![B, A]));
    }

    #[test]
    fn the_last_one_who_leaves_a_frame_takes_all_with_it() {
        let acks = Acks::default();
        let (one, other) = (acks.wait(&[(A, 5)]), acks.wait(&[(A, 5)]));
        acks.place(5, 72..100, &one);
        acks.place(5, 100..120, &other);
        acks.forget(&one, &[5, 5]);
        acks.forget(&one, &[5]);
        acks.refused(5, &(72..120), "no");
        assert_eq!((one.take_refused(), other.take_refused().len()), (vec![], 1));
        acks.forget(&other, &[5]);
        assert!(acks.places.borrow().is_empty());
        acks.sweep();
        assert!(acks.cursors.borrow().iter().all(VecDeque::is_empty));
    }
}
