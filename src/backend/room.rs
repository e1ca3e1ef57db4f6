//! How much room there is: what the logs take, and what that means for writes and for each backlog.
//!
//! Every shard writes what its own logs take; shard 0 looks at all of it once a second and writes what
//! follows; all read. Nothing here orders anything else, so every access is relaxed.

use crate::base::ids::{BackendId, LogId};
use crate::base::time::{Mono, nanos};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Whether writes are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    #[default]
    Open,
    /// Only those that have nothing for some backends.
    SomeBacklogFull,
    /// The logs take as much as they may.
    LogFull,
    /// Too little is free on the file system.
    DiskFull,
}

/// Which limit something is beyond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    #[default]
    Within,
    Bytes,
    Age,
}

/// How a backlog that is beyond its limit is to shrink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shrink {
    /// Over all logs; `u64::MAX` if its size is no reason.
    pub keep_bytes: u64,
    /// Everything that was received before goes; 0 if its age is no reason.
    pub before_unix_ms: u64,
    /// How much newer than the oldest of the other logs' a frame may be to go.
    pub slack: Duration,
}

impl Shrink {
    pub const NOT: Shrink =
        Shrink { keep_bytes: u64::MAX, before_unix_ms: 0, slack: Duration::ZERO };
}

/// What is known of the file system, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFacts {
    pub free: u64,
    /// To be kept free.
    pub min_free: u64,
    /// Held for the moment when nothing else is left.
    pub ballast: u64,
}

/// What all shards know of the room. Shared: by all shards, for the life of the process.
#[derive(Debug)]
pub struct Room {
    log_bytes: Vec<AtomicU64>,
    gate: AtomicU8,
    is_tight: AtomicBool,
    free_bytes: AtomicU64,
    min_free_bytes: AtomicU64,
    ballast_bytes: AtomicU64,
    /// How many times shard 0 has looked.
    turn: AtomicU64,
    shed_bytes: AtomicU64,
    backlogs: Vec<Backlog>,
}

#[derive(Debug)]
struct Backlog {
    limit: AtomicU8,
    keep_bytes: AtomicU64,
    before_unix_ms: AtomicU64,
    slack_ns: AtomicU64,
    /// When the next lines that are not fresh may be sent.
    replay_at: AtomicU64,
    dropped_points: AtomicU64,
    /// Some shard is writing the mark of this backend.
    is_marking: AtomicBool,
    /// The mark is on stable storage, if it stands at all.
    is_marked: AtomicBool,
}

impl Room {
    pub fn new(logs: usize, backends: usize) -> Room {
        let backlog = || Backlog {
            limit: AtomicU8::new(0),
            keep_bytes: AtomicU64::new(u64::MAX),
            before_unix_ms: AtomicU64::new(0),
            slack_ns: AtomicU64::new(0),
            replay_at: AtomicU64::new(0),
            dropped_points: AtomicU64::new(0),
            is_marking: AtomicBool::new(false),
            is_marked: AtomicBool::new(false),
        };
        Room {
            log_bytes: (0..logs).map(|_| AtomicU64::new(0)).collect(),
            gate: AtomicU8::new(0),
            is_tight: AtomicBool::new(false),
            free_bytes: AtomicU64::new(0),
            min_free_bytes: AtomicU64::new(0),
            ballast_bytes: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            shed_bytes: AtomicU64::new(0),
            backlogs: (0..backends).map(|_| backlog()).collect(),
        }
    }

    /// One load: every request asks.
    pub fn gate(&self) -> Gate {
        match self.gate.load(Relaxed) {
            1 => Gate::SomeBacklogFull,
            2 => Gate::LogFull,
            3 => Gate::DiskFull,
            _ => Gate::Open,
        }
    }

    pub fn set_gate(&self, gate: Gate) {
        self.gate.store(gate as u8, Relaxed);
    }

    /// Files should not be kept for later.
    pub fn is_tight(&self) -> bool {
        self.is_tight.load(Relaxed)
    }

    pub fn set_tight(&self, is_tight: bool) {
        self.is_tight.store(is_tight, Relaxed);
    }

    pub fn log_bytes(&self, log: LogId) -> u64 {
        self.log_bytes[log.index()].load(Relaxed)
    }

    pub fn set_log_bytes(&self, log: LogId, bytes: u64) {
        self.log_bytes[log.index()].store(bytes, Relaxed);
    }

    /// Of all logs.
    pub fn logs_bytes(&self) -> u64 {
        self.log_bytes.iter().map(|bytes| bytes.load(Relaxed)).sum()
    }

    pub fn disk(&self) -> DiskFacts {
        DiskFacts {
            free: self.free_bytes.load(Relaxed),
            min_free: self.min_free_bytes.load(Relaxed),
            ballast: self.ballast_bytes.load(Relaxed),
        }
    }

    pub fn set_disk(&self, facts: DiskFacts) {
        self.free_bytes.store(facts.free, Relaxed);
        self.min_free_bytes.store(facts.min_free, Relaxed);
        self.ballast_bytes.store(facts.ballast, Relaxed);
    }

    /// So many bytes of backends that lag are to go, in this turn, from all logs together.
    pub fn set_shed(&self, bytes: u64) {
        self.shed_bytes.store(bytes, Relaxed);
        self.turn.fetch_add(1, Relaxed);
    }

    /// The turn and its bytes.
    pub fn shed(&self) -> (u64, u64) {
        (self.turn.load(Relaxed), self.shed_bytes.load(Relaxed))
    }

    /// The limit for which new lines for this backend are refused.
    pub fn full(&self, backend: BackendId) -> Limit {
        match self.backlogs[backend.index()].limit.load(Relaxed) {
            1 => Limit::Bytes,
            2 => Limit::Age,
            _ => Limit::Within,
        }
    }

    pub fn set_full(&self, backend: BackendId, limit: Limit) {
        self.backlogs[backend.index()].limit.store(limit as u8, Relaxed);
    }

    pub fn shrink(&self, backend: BackendId) -> Shrink {
        let backlog = &self.backlogs[backend.index()];
        Shrink {
            keep_bytes: backlog.keep_bytes.load(Relaxed),
            before_unix_ms: backlog.before_unix_ms.load(Relaxed),
            slack: Duration::from_nanos(backlog.slack_ns.load(Relaxed)),
        }
    }

    pub fn set_shrink(&self, backend: BackendId, shrink: Shrink) {
        let backlog = &self.backlogs[backend.index()];
        backlog.keep_bytes.store(shrink.keep_bytes, Relaxed);
        backlog.before_unix_ms.store(shrink.before_unix_ms, Relaxed);
        backlog.slack_ns.store(nanos(shrink.slack), Relaxed);
    }

    /// How long lines that are not fresh have to wait for their rate.
    pub fn replay_wait(&self, backend: BackendId, now: Mono) -> Option<Duration> {
        let at = Mono(self.backlogs[backend.index()].replay_at.load(Relaxed));
        (at > now).then(|| at.since(now))
    }

    /// Such lines are on their way: the next ones wait until the rate allows them.
    pub fn replayed(&self, backend: BackendId, now: Mono, bytes: usize, rate: u64) {
        let took = nanos(Duration::from_secs_f64(bytes as f64 / rate as f64));
        let next = |at: u64| Some(at.max(now.0).saturating_add(took));
        let at = &self.backlogs[backend.index()].replay_at;
        at.fetch_update(Relaxed, Relaxed, next).expect("it always gives one");
    }

    /// Whether the mark as incomplete, if it stands, is on stable storage.
    pub fn is_marked(&self, backend: BackendId) -> bool {
        self.backlogs[backend.index()].is_marked.load(Relaxed)
    }

    /// Takes the turn to write that mark; only one shard has it.
    pub fn begin_mark(&self, backend: BackendId) -> bool {
        !self.backlogs[backend.index()].is_marking.swap(true, Relaxed)
    }

    pub fn end_mark(&self, backend: BackendId, is_written: bool) {
        let backlog = &self.backlogs[backend.index()];
        if is_written {
            backlog.is_marked.store(true, Relaxed);
        }
        backlog.is_marking.store(false, Relaxed);
    }

    /// Points that gave way since the start.
    pub fn dropped_points(&self, backend: BackendId) -> u64 {
        self.backlogs[backend.index()].dropped_points.load(Relaxed)
    }

    pub fn add_dropped(&self, backend: BackendId, points: u64) {
        self.backlogs[backend.index()].dropped_points.fetch_add(points, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replayed_takes_its_time() {
        let room = Room::new(1, 1);
        let (backend, second) = (BackendId(0), 1_000_000_000);
        assert_eq!(room.replay_wait(backend, Mono(second)), None);
        room.replayed(backend, Mono(second), 3000, 1000);
        room.replayed(backend, Mono(second), 1000, 1000);
        assert_eq!(room.replay_wait(backend, Mono(2 * second)), Some(Duration::from_secs(3)));
        assert_eq!(room.replay_wait(backend, Mono(5 * second)), None);
        room.replayed(backend, Mono(9 * second), 1000, 1000);
        let wait = room.replay_wait(backend, Mono(9 * second));
        assert_eq!(wait, Some(Duration::from_secs(1)), "what was not used is not saved up");
    }
}
