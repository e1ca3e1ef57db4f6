//! The one reader of clocks.

use crate::base::time::{Mono, UnixNanos};
use std::time::Duration;

/// The time of this node. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Clock {
    Real,
    #[cfg(any(test, feature = "sim"))]
    Sim(std::rc::Rc<std::cell::Cell<u64>>),
}

impl Clock {
    /// Nanoseconds of the node's monotonic clock, the same for every core and process of one boot.
    pub fn mono(&self) -> Mono {
        match self {
            Clock::Real => Mono(read(rustix::time::ClockId::Monotonic).unsigned_abs()),
            #[cfg(any(test, feature = "sim"))]
            Clock::Sim(now) => Mono(now.get()),
        }
    }

    /// Wall-clock time.
    pub fn unix(&self) -> UnixNanos {
        match self {
            Clock::Real => UnixNanos(read(rustix::time::ClockId::Realtime)),
            #[cfg(any(test, feature = "sim"))]
            Clock::Sim(now) => {
                UnixNanos(1_700_000_000_000_000_000 + i64::try_from(now.get()).unwrap_or(0))
            }
        }
    }

    /// CPU time that this thread has used so far.
    pub fn thread_busy(&self) -> Duration {
        match self {
            Clock::Real => {
                Duration::from_nanos(read(rustix::time::ClockId::ThreadCPUTime).unsigned_abs())
            }
            #[cfg(any(test, feature = "sim"))]
            Clock::Sim(_) => Duration::ZERO,
        }
    }

    /// Wall-clock time since the epoch, for text that people read.
    pub fn unix_duration(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.unix().0).unwrap_or(0))
    }
}

fn read(clock: rustix::time::ClockId) -> i64 {
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}
