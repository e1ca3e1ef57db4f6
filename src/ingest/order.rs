//! When a frame may be sent: the rule between the queues of one backend. Pure.
//!
//! Between two connections of one client that sit on two shards nothing orders the sends but this:
//! - lines may go while their stamp is at most the order window above the oldest unconfirmed stamp of
//!   every other queue of that backend, and below every other queue's oldest statement;
//! - a statement may go when no other queue holds anything unconfirmed with a smaller stamp.
//!
//! The smallest stamp may always go, so that nothing waits for ever.
//! What holds for parked queues beside this stands in `park`.

use crate::backend::board::Cell;
use crate::base::time::{Stamp, nanos};
use std::time::Duration;

pub fn lines_may_go<'a>(
    stamp: Stamp,
    window: Duration,
    mut others: impl Iterator<Item = &'a Cell>,
) -> bool {
    let window = nanos(window);
    others.all(|other| {
        stamp.0 <= other.oldest().0.saturating_add(window) && stamp <= other.oldest_statement()
    })
}

pub fn statement_may_go<'a>(stamp: Stamp, mut others: impl Iterator<Item = &'a Cell>) -> bool {
    others.all(|other| stamp <= other.oldest())
}
