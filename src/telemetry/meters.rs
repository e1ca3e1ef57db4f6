//! The counters of one shard, made once and held.

use super::names;
use crate::base::map::FastMap;
use metrics::{Counter, Gauge, counter, gauge};
use std::cell::RefCell;

/// Counters that only their shard writes. Lives on: every shard.
pub struct Meters {
    pub lines_accepted: Counter,
    pub wal_frames: Counter,
    pub wal_bytes: Counter,
    pub wal_failures: Counter,
    pub failovers: Counter,
    pub wal_disk_bytes: Gauge,
    pub wal_segments: Gauge,
    pub wal_packed_bytes: Gauge,
    pub wal_spilled_bytes: Counter,
    pub handed_over: Counter,
    pub shard_busy_ratio: Gauge,
    /// Rises only; a gauge because counters are whole numbers.
    pub shard_busy_seconds: Gauge,
    labelled: Labelled,
}

/// Counters with labels of ours, each made when it counts first. Lives on: whoever counts.
struct Labelled {
    /// What all of them say: the shard or the store that they are of.
    of: (&'static str, String),
    counters: RefCell<FastMap<Key, Counter>>,
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
            labelled: Labelled::new("shard", shard.clone()),
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
        self.labelled.add(name, labels, values, by);
    }
}

impl Labelled {
    fn new(label: &'static str, value: String) -> Labelled {
        Labelled { of: (label, value), counters: RefCell::default() }
    }

    fn add(&self, name: &'static str, labels: [&'static str; 2], values: [&str; 2], by: u64) {
        let key = Key { name, first: values[0].to_owned(), second: values[1].to_owned() };
        let mut counters = self.counters.borrow_mut();
        let counter = counters.entry(key).or_insert_with(|| {
            let mut set = vec![(self.of.0.to_owned(), self.of.1.clone())];
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

/// What a listener counts. Those of a store have names of their own, so that sums over shards stay what they
/// are where both run in one process. Lives on: the executor of the listener.
pub struct HttpMeters {
    names: [&'static str; 3],
    pub connections: Gauge,
    labelled: Labelled,
}

impl HttpMeters {
    /// A shard's number, or `admin`: the listener of operators.
    pub fn of_shard(shard: &str) -> HttpMeters {
        let of = shard.to_owned();
        let names = [names::HTTP_REQUESTS, names::HTTP_REJECTED, names::HTTP_BODY_BYTES];
        let connections = gauge!(names::HTTP_CONNECTIONS, "shard" => of.clone());
        HttpMeters { names, connections, labelled: Labelled::new("shard", of) }
    }

    pub fn of_store(store: &str) -> HttpMeters {
        let of = store.to_owned();
        let names =
            [names::STORE_HTTP_REQUESTS, names::STORE_HTTP_REJECTED, names::STORE_HTTP_BODY_BYTES];
        let connections = gauge!(names::STORE_HTTP_CONNECTIONS, "store" => of.clone());
        HttpMeters { names, connections, labelled: Labelled::new("store", of) }
    }

    pub fn request(&self, endpoint: &'static str, code: u16) {
        let [requests, ..] = self.names;
        self.labelled.add(requests, ["endpoint", "code"], [endpoint, &code.to_string()], 1);
    }

    pub fn rejected(&self, reason: &'static str) {
        let [_, rejected, _] = self.names;
        self.labelled.add(rejected, ["reason", ""], [reason, ""], 1);
    }

    pub fn body_bytes(&self, encoding: &'static str, bytes: u64) {
        let [.., body_bytes] = self.names;
        self.labelled.add(body_bytes, ["encoding", ""], [encoding, ""], bytes);
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

/// Whether the last reload was a success, and when the last success was.
pub fn reload(is_success: bool, success_unix_seconds: Option<f64>) {
    gauge!(names::RELOAD_SUCCESSFUL).set(if is_success { 1.0 } else { 0.0 });
    if let Some(seconds) = success_unix_seconds {
        gauge!(names::RELOAD_SUCCESS_TIME).set(seconds);
    }
}

/// When the certificate that one side shows ends.
pub fn certificate_ends(side: &'static str, name: &str, unix_seconds: i64) {
    #[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
    let ends = unix_seconds as f64;
    gauge!(names::CERTIFICATE_EXPIRY, "side" => side, "name" => name.to_owned()).set(ends);
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

/// Over all shards, at this moment.
pub fn queries_running(count: f64) {
    gauge!(names::QUERIES_RUNNING).set(count);
}

/// What a store says of itself, at one moment. Counters go up from the start of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreLevels {
    pub is_open: bool,
    pub values_written: u64,
    pub points_written: u64,
    pub points_dropped: u64,
    pub writes_failed: u64,
    pub databases: u64,
    pub windows: u64,
    pub series: u64,
    pub files: u64,
    pub file_bytes: u64,
    pub cache_bytes: u64,
    pub log_bytes: u64,
    pub log_syncs: u64,
    pub snapshots: u64,
    pub snapshots_failed: u64,
    pub compactions: u64,
    pub compactions_failed: u64,
    pub windows_expired: u64,
    pub damaged: u64,
}

/// Shows them as those of the store of this name.
pub fn store(name: &str, levels: &StoreLevels) {
    let counters = [
        (names::STORE_VALUES, levels.values_written),
        (names::STORE_POINTS, levels.points_written),
        (names::STORE_DROPPED, levels.points_dropped),
        (names::STORE_WRITES_FAILED, levels.writes_failed),
        (names::STORE_LOG_SYNCS, levels.log_syncs),
        (names::STORE_SNAPSHOTS, levels.snapshots),
        (names::STORE_SNAPSHOTS_FAILED, levels.snapshots_failed),
        (names::STORE_COMPACTIONS, levels.compactions),
        (names::STORE_COMPACTIONS_FAILED, levels.compactions_failed),
        (names::STORE_EXPIRED, levels.windows_expired),
    ];
    for (counter, value) in counters {
        counter!(counter, "store" => name.to_owned()).absolute(value);
    }
    let gauges = [
        (names::STORE_OPEN, u64::from(levels.is_open)),
        (names::STORE_DATABASES, levels.databases),
        (names::STORE_WINDOWS, levels.windows),
        (names::STORE_SERIES, levels.series),
        (names::STORE_FILES, levels.files),
        (names::STORE_FILE_BYTES, levels.file_bytes),
        (names::STORE_CACHE_BYTES, levels.cache_bytes),
        (names::STORE_LOG_BYTES, levels.log_bytes),
        (names::STORE_DAMAGED, levels.damaged),
    ];
    for (gauge, value) in gauges {
        #[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
        gauge!(gauge, "store" => name.to_owned()).set(value as f64);
    }
}
