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
        let waiting = self.0.waiting.take();
        if waiting.is_empty() {
            self.0.raised.set(true);
        }
        for waker in waiting {
            waker.wake();
        }
    }

    /// Waits for the next raise; returns at once if one was kept. Cancel safe.
    pub async fn wait(&self) {
        if self.0.raised.take() {
            return;
        }
        let turn = self.0.turn.get();
        poll_fn(|context| {
            if self.0.turn.get() != turn {
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
