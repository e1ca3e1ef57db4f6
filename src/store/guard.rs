//! What one question may cost: memory and time, and the client that may go away.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Why a question ends before its answer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Nobody waits for the answer any more.
    Cancelled,
    /// `query_timeout`.
    Late,
    /// `query_memory_bytes`: what it was allowed.
    Memory(u64),
}

impl fmt::Display for Stopped {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::Cancelled => text.write_str("query interrupted"),
            Stopped::Late => text.write_str("query-timeout limit exceeded"),
            Stopped::Memory(bytes_max) => {
                write!(
                    text,
                    "the query needs more than {bytes_max} bytes of memory: narrow its range or raise the limit"
                )
            }
        }
    }
}

/// Shared between the thread that evaluates and whoever waits for it.
#[derive(Debug)]
pub struct Guard {
    cancelled: AtomicBool,
    deadline: Option<Instant>,
    bytes: AtomicU64,
    bytes_max: u64,
}

impl Guard {
    pub fn new(deadline: Option<Instant>, bytes_max: u64) -> Guard {
        Guard { cancelled: AtomicBool::new(false), deadline, bytes: AtomicU64::new(0), bytes_max }
    }

    /// The time runs from now on; `None`: as long as it takes.
    #[expect(
        clippy::disallowed_methods,
        reason = "the engine runs on plain threads, and no rule hangs on this time"
    )]
    pub fn within(limit: Option<Duration>, bytes_max: u64) -> Guard {
        Guard::new(limit.and_then(|limit| Instant::now().checked_add(limit)), bytes_max)
    }

    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// To be asked for every block that is read and every few thousand rows that are made.
    #[expect(
        clippy::disallowed_methods,
        reason = "the engine runs on plain threads, and no rule hangs on this time"
    )]
    pub fn check(&self) -> Result<(), Stopped> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Stopped::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Stopped::Late),
            _ => Ok(()),
        }
    }

    /// So many bytes more are held until the question is answered, or [`Guard::give_back`].
    pub fn take(&self, bytes: usize) -> Result<(), Stopped> {
        let before = self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if before + bytes as u64 > self.bytes_max {
            Err(Stopped::Memory(self.bytes_max))
        } else {
            Ok(())
        }
    }

    pub fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }
}
