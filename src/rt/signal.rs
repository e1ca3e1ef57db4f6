//! A wake-up between tasks of one core.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Tasks wait for it; raising it wakes all of them. A raise without a waiter is kept for the next one.
/// Needs no runtime, so that it works in the simulated world, too. Clones share it.
#[derive(Clone, Default, Debug)]
pub struct Signal(Rc<Inner>);

#[derive(Default, Debug)]
struct Inner {
    raised: Cell<bool>,
    turn: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Signal {
    pub fn new() -> Signal {
        Signal::default()
    }

    pub fn raise(&self) {
        self.0.turn.set(self.0.turn.get() + 1);
        // Kept even if somebody seems to wait: a waiter that gave up leaves its waker behind.
        self.0.raised.set(true);
        for waker in self.0.waiting.take() {
            waker.wake();
        }
    }

    /// Waits for the next raise; returns at once if one was kept. May return without one: look at what
    /// you wait for in a loop. Cancel safe.
    pub async fn wait(&self) {
        let turn = self.0.turn.get();
        poll_fn(|context| {
            if self.0.turn.get() != turn || self.0.raised.get() {
                self.0.raised.set(false);
                return Poll::Ready(());
            }
            let mut waiting = self.0.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, or, poll_once};

    #[test]
    fn a_raise_after_a_waiter_gave_up_is_kept_for_the_next_one() {
        let signal = Signal::new();
        block_on(async {
            or(signal.wait(), async {}).await;
            signal.raise();
            assert!(poll_once(signal.wait()).await.is_some());
            assert!(poll_once(signal.wait()).await.is_none());
        });
    }

    #[test]
    fn every_waiter_wakes() {
        let signal = Signal::new();
        block_on(async {
            let (mut one, mut other) = (Box::pin(signal.wait()), Box::pin(signal.wait()));
            assert!(poll_once(&mut one).await.is_none());
            assert!(poll_once(&mut other).await.is_none());
            signal.raise();
            assert!(poll_once(&mut one).await.is_some());
            assert!(poll_once(&mut other).await.is_some());
        });
    }
}
