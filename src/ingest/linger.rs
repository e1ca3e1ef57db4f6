//! Where nobody waits for a backend's answer, small commits share a request to it: each request costs both sides a
//! trip through the kernel, whatever is in it.

use super::{Feed, Outlet};
use crate::base::time::Mono;
use crate::config::checked::{Ack, Consistency};
use std::time::Duration;

/// Usually, from one request of a queue to its next one. Far below the order window, so that no other log's lines
/// wait for it.
pub const LINGER: Duration = Duration::from_millis(10);

/// So much goes at once.
const ENOUGH_BYTES: u64 = 256 * 1024;

impl Outlet {
    /// How long the next lines should wait for company. Never where a client waits for them, and never the first
    /// ones after a pause.
    pub(super) fn linger(&self, feed: &Feed) -> Option<Duration> {
        let write = self.facts.write.get();
        if write.ack == Ack::Delivered || write.consistency == Consistency::Honour {
            return None;
        }
        let due = feed.sent_at.get().after(self.facts.linger);
        rest(due, self.facts.clock.mono(), feed.queue.borrow().owed().bytes)
    }
}

fn rest(due: Mono, now: Mono, owed_bytes: u64) -> Option<Duration> {
    (due > now && owed_bytes < ENOUGH_BYTES).then(|| due.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_waits_until_it_is_due_and_much_goes_at_once() {
        let (due, before) = (Mono(50), Mono(20));
        assert_eq!(rest(due, before, ENOUGH_BYTES - 1), Some(Duration::from_nanos(30)));
        assert_eq!(rest(due, before, ENOUGH_BYTES), None);
        assert_eq!(rest(due, due, 1), None);
        assert_eq!(rest(Mono(0).after(LINGER), Mono(0).after(2 * LINGER), 1), None, "a pause");
    }
}
