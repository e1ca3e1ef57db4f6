//! Whether a client still waits for its answer.
//!
//! Nothing is read while a question is under way, so nobody would notice that its client has gone, and the backends
//! would go on for minutes. As with other servers, a client that has closed its side counts as gone.

use super::endpoint::Job;
use crate::backend::Cancel;
use crate::rt::net::{Stopper, Stream};
use crate::rt::{Lane, sleep, spawn};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// How often a client is looked after.
const EVERY: Duration = Duration::from_millis(250);

/// Looks after the client of one request for as long as it lives, which must be less than its connection does.
pub(super) struct Presence {
    pub asker: Cancel,
    is_answered: Rc<Cell<bool>>,
}

impl Presence {
    /// Only what may take long is worth it: a write is done whether its client waits or not.
    pub fn new(stream: &Stream, job: &Job) -> Presence {
        let presence = Presence { asker: Cancel::default(), is_answered: Rc::default() };
        if matches!(job, Job::InfluxQl(_) | Job::Flux(_) | Job::Tap(_)) {
            let (asker, is_answered) = (presence.asker.clone(), presence.is_answered.clone());
            spawn(Lane::Serve, look(stream.stopper(), asker, is_answered));
        }
        presence
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.is_answered.set(true);
    }
}

async fn look(client: Stopper, asker: Cancel, is_answered: Rc<Cell<bool>>) {
    loop {
        sleep(EVERY).await;
        // The connection is alive as long as this is not said: both run on this core.
        if is_answered.get() {
            return;
        }
        if client.has_ended() {
            asker.end();
            return;
        }
    }
}
