//! Ends what is asked for somebody who has gone.
//!
//! A question that runs for minutes at a backend is of no use to a client that has left. A pending read cannot be
//! dropped; but its connection can be shut down, which ends the read here and the question over there.

use crate::rt::net::Stopper;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What one client has asked of backends. Clones share it. Lives on: the shard that asks.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_over: Cell<bool>,
    next: Cell<u64>,
    open: RefCell<Vec<(u64, Stopper)>>,
}

/// A connection that is under way for somebody. To be dropped before the connection.
#[derive(Debug)]
pub(super) struct Watch {
    cancel: Cancel,
    number: u64,
}

impl Cancel {
    /// The client has gone: all that is under way for it ends, and nothing new begins.
    pub fn end(&self) {
        self.0.is_over.set(true);
        for (_, stopper) in self.0.open.borrow().iter() {
            stopper.stop();
        }
    }

    pub fn is_over(&self) -> bool {
        self.0.is_over.get()
    }

    pub(super) fn watch(&self, stopper: Stopper) -> Watch {
        let number = self.0.next.get();
        self.0.next.set(number + 1);
        self.0.open.borrow_mut().push((number, stopper));
        Watch { cancel: self.clone(), number }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.cancel.0.open.borrow_mut().retain(|(number, _)| *number != self.number);
    }
}
