//! The one reader of clocks.

use crate::base::time::{Mono, UnixNanos};
use std::fs::File;
use std::os::unix::fs::FileExt;
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

/// How much of its core the calling thread wants: what it got, and what it waited for because others had the core.
/// A thread that gets half a core is full, if it wants a whole one. Lives on: one thread.
#[derive(Debug)]
pub struct Wanted {
    clock: Clock,
    /// Two numbers of nanoseconds: at work, and waiting for the core. Not every kernel has it.
    facts: Option<File>,
}

impl Wanted {
    pub fn new(clock: Clock) -> Wanted {
        let facts = match clock {
            Clock::Real => File::open("/proc/thread-self/schedstat").ok(),
            #[cfg(any(test, feature = "sim"))]
            Clock::Sim(_) => None,
        };
        Wanted { clock, facts }
    }

    /// Since the thread began.
    pub fn so_far(&self) -> Duration {
        let mut bytes = [0; 64];
        let read = self.facts.as_ref().and_then(|facts| facts.read_at(&mut bytes, 0).ok());
        let text = str::from_utf8(&bytes[..read.unwrap_or(0)]).unwrap_or_default();
        let waited = text.split(' ').nth(1).and_then(|number| number.parse().ok());
        self.clock.thread_busy() + Duration::from_nanos(waited.unwrap_or(0))
    }
}

fn read(clock: rustix::time::ClockId) -> i64 {
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_wants_what_it_works_and_waits_but_not_its_sleep() {
        let wanted = Wanted::new(Clock::Real);
        assert!(wanted.facts.is_some(), "this kernel does not count");
        let (before, busy) = (wanted.so_far(), Clock::Real.thread_busy());
        while Clock::Real.thread_busy() < busy + Duration::from_millis(20) {}
        let worked = wanted.so_far() - before;
        assert!(worked >= Duration::from_millis(20), "{worked:?}");
        let before = wanted.so_far();
        std::thread::sleep(Duration::from_millis(200));
        let slept = wanted.so_far() - before;
        assert!(slept < Duration::from_millis(150), "{slept:?}");
    }
}
