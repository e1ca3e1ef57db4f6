//! The counters of one shard, made once and held.

use super::names;
use crate::base::map::FastMap;
use metrics::{Counter, Gauge, counter, gauge};
use std::cell::RefCell;

/// Counters that only their shard writes. Lives on: every shard.
pub struct Meters {
    shard: String,
    pub lines_accepted: Counter,
    pub wal_frames: Counter,
    pub wal_bytes: Counter,
    pub wal_failures: Counter,
    pub failovers: Counter,
    pub wal_disk_bytes: Gauge,
    pub wal_segments: Gauge,
    pub wal_packed_bytes: Gauge,
    pub wal_spilled_bytes: Counter,
    pub connections: Gauge,
    pub handed_over: Counter,
    pub shard_busy_ratio: Gauge,
    /// Rises only; a gauge because counters are whole numbers.
    pub shard_busy_seconds: Gauge,
    labelled: RefCell<FastMap<Key, Counter>>,
}

/// A counter with two labels of ours. The values come from small fixed sets, never from clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    name: &'static str,
    first: String,
    second: String,
}

impl Meters {
    pub fn new(shard: u16) -> Meters {
        let shard = shard.to_string();
        let count = |name: &'static str| {
            let counter = counter!(name, "shard" => shard.clone());
            counter.increment(0);
            counter
        };
        let level = |name: &'static str| gauge!(name, "shard" => shard.clone());
        let meters = Meters {
            lines_accepted: count(names::LINES_ACCEPTED),
            wal_frames: count(names::WAL_FRAMES),
            wal_bytes: count(names::WAL_BYTES),
            wal_failures: count(names::WAL_FAILURES),
            failovers: count(names::FAILOVERS),
            handed_over: count(names::HANDED_OVER),
            shard_busy_ratio: level(names::SHARD_BUSY),
            shard_busy_seconds: level(names::SHARD_BUSY_SECONDS),
            wal_disk_bytes: level(names::WAL_DISK_BYTES),
            wal_segments: level(names::WAL_SEGMENTS),
            wal_packed_bytes: level(names::WAL_PACKED_BYTES),
            wal_spilled_bytes: count(names::WAL_SPILLED),
            connections: level(names::HTTP_CONNECTIONS),
            labelled: RefCell::default(),
            shard,
        };
        for way in ["dropped", "damaged"] {
            meters.lost(way, 0);
        }
        // From the start, so that the first one shows as an increase.
        for reason in ["disk_full", "log_full", "backlog_full"] {
            meters.add(names::WRITES_REFUSED, ["reason", ""], [reason, ""], 0);
        }
        meters
    }

    pub fn request(&self, endpoint: &'static str, code: u16) {
        self.add(names::HTTP_REQUESTS, ["endpoint", "code"], [endpoint, &code.to_string()], 1);
    }

    pub fn rejected(&self, reason: &'static str) {
        self.add(names::HTTP_REJECTED, ["reason", ""], [reason, ""], 1);
    }

    pub fn body_bytes(&self, encoding: &'static str, bytes: u64) {
        self.add(names::HTTP_BODY_BYTES, ["encoding", ""], [encoding, ""], bytes);
    }

    pub fn lines_rejected(&self, reason: &'static str, lines: u64) {
        self.add(names::LINES_REJECTED, ["reason", ""], [reason, ""], lines);
    }

    pub fn lost(&self, way: &'static str, points: u64) {
        self.add(names::LOST_POINTS, ["way", ""], [way, ""], points);
    }

    /// Points that gave way to a budget; `lost` counts them, too.
    pub fn dropped(&self, backend: &str, reason: &'static str, points: u64) {
        self.add(names::BACKEND_DROPPED, ["backend", "reason"], [backend, reason], points);
    }

    /// Requests that a budget had no room for.
    pub fn no_room(&self, reason: &'static str) {
        self.add(names::WRITES_REFUSED, ["reason", ""], [reason, ""], 1);
    }

    pub fn reject(&self, backend: &str, reason: &'static str, lines: u64) {
        self.add(names::REJECTS, ["backend", "reason"], [backend, reason], lines);
    }

    pub fn backend_write(&self, backend: &str, outcome: &'static str) {
        self.add(names::BACKEND_WRITES, ["backend", "outcome"], [backend, outcome], 1);
    }

    pub fn backend_lines(&self, backend: &str, lines: u64) {
        self.add(names::BACKEND_LINES, ["backend", ""], [backend, ""], lines);
    }

    pub fn query(&self, language: &'static str, outcome: &'static str) {
        self.add(names::QUERIES, ["language", "outcome"], [language, outcome], 1);
    }

    fn add(&self, name: &'static str, labels: [&'static str; 2], values: [&str; 2], by: u64) {
        let key = Key { name, first: values[0].to_owned(), second: values[1].to_owned() };
        let mut labelled = self.labelled.borrow_mut();
        let counter = labelled.entry(key).or_insert_with(|| {
            let mut set = vec![("shard".to_owned(), self.shard.clone())];
            for (label, value) in labels.iter().zip(values) {
                if !label.is_empty() {
                    set.push(((*label).to_owned(), value.to_owned()));
                }
            }
            counter!(name, &set)
        });
        counter.increment(by);
    }
}

/// The gauges of one backend. Lives on: the control thread.
pub struct BackendGauges {
    pub up: Gauge,
    pub incomplete: Gauge,
    pub backlog_bytes: Gauge,
    pub backlog_age_seconds: Gauge,
    pub parked: Gauge,
    pub order_window_seconds: Gauge,
    pub backlog_full: Gauge,
}

impl BackendGauges {
    pub fn new(circle: &str, backend: &str) -> BackendGauges {
        let level = |name: &'static str| gauge!(name, "circle" => circle.to_owned(), "backend" => backend.to_owned());
        BackendGauges {
            up: level(names::BACKEND_UP),
            incomplete: level(names::BACKEND_INCOMPLETE),
            backlog_bytes: level(names::BACKLOG_BYTES),
            backlog_age_seconds: level(names::BACKLOG_AGE),
            parked: level(names::PARKED),
            order_window_seconds: level(names::ORDER_WINDOW),
            backlog_full: level(names::BACKLOG_FULL),
        }
    }
}

/// The gauges of the process.
pub fn process(version: &'static str, start_unix_seconds: f64) {
    gauge!(names::BUILD_INFO, "version" => version).set(1.0);
    gauge!(names::START_TIME_SECONDS).set(start_unix_seconds);
}

pub fn ready(is_ready: bool) {
    gauge!(names::READY).set(if is_ready { 1.0 } else { 0.0 });
}

/// Memory in use, in bytes.
pub fn memory(used: f64) {
    gauge!(names::MEMORY_USED).set(used);
}

/// The gauges of the disk that holds the logs, in bytes.
pub fn disk(free: f64, min_free: f64, ballast: f64) {
    gauge!(names::DISK_FREE).set(free);
    gauge!(names::DISK_MIN_FREE).set(min_free);
    gauge!(names::BALLAST).set(ballast);
}
