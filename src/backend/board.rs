//! The board: what every queue owes and how every backend fares, for all shards to read.
//!
//! Each cell has one writer, the shard that owns the log; all read. *Publish before you acknowledge, read
//! before you send*: a shard writes a queue's cell before it answers the requests in it, and reads the
//! cells of the other logs before it sends.

use super::catalogue::Catalogue;
use super::crowd::{Addresses, Questions};
use super::load::Load;
use super::parked::ParkedList;
use super::room::Room;
use super::tap::Taps;
use crate::base::ids::{BackendId, LogId, ShardId};
use crate::base::time::{Mono, Stamp, nanos};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// The smallest order window: how far apart two requests over different connections must be for the
/// second one to win.
pub const ORDER_WINDOW_MIN: Duration = Duration::from_millis(100);

/// A backend is current while its oldest unconfirmed frame is at most this old.
const CURRENT_AGE_MAX: Duration = Duration::from_secs(1);

/// How a backend answers the prober.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Unknown,
    Up,
    Down,
}

/// What one log owes one backend. Padded, so that two writers never share a cache line.
/// Shared: by all shards; written by the one that owns the log.
#[derive(Debug)]
#[repr(align(128))]
pub struct Cell {
    oldest: AtomicU64,
    oldest_statement: AtomicU64,
    durable_oldest: AtomicU64,
    durable_floor: AtomicU64,
    oldest_unix_ms: AtomicU64,
    bytes: AtomicU64,
    slowest_ns: AtomicU64,
    /// Found on disk at start and not yet confirmed.
    owed_since_start: AtomicBool,
}

/// What one log will never stamp again.
#[derive(Debug)]
#[repr(align(128))]
struct LowWater(AtomicU64);

#[derive(Debug)]
struct Backend {
    condition: AtomicU8,
    /// Wall-clock milliseconds of the last change.
    condition_since: AtomicU64,
    wanted_floor: AtomicU64,
    not_current_until: AtomicU64,
    last_error: ArcSwapOption<String>,
    incomplete: ArcSwapOption<Incomplete>,
    version: ArcSwapOption<String>,
}

/// Why a backend may lack points that other circles have. Kept on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    pub reason: String,
    pub since_unix_ms: u64,
    pub points: u64,
}

/// Shared: by all shards and the control thread, for the life of the process.
#[derive(Debug)]
pub struct Board {
    logs: usize,
    backends: Vec<Backend>,
    cells: Vec<Cell>,
    low_waters: Vec<LowWater>,
    loads: Vec<Load>,
    pub catalogue: ArcSwap<Catalogue>,
    pub parked: ParkedList,
    pub room: Room,
    pub taps: Taps,
    pub questions: Questions,
    /// Of clients, while their connections are limited.
    pub addresses: Addresses,
    pub draining: AtomicBool,
}

impl Cell {
    pub(super) fn empty() -> Cell {
        Cell {
            oldest: AtomicU64::new(Stamp::NONE.0),
            oldest_statement: AtomicU64::new(Stamp::NONE.0),
            durable_oldest: AtomicU64::new(Stamp::NONE.0),
            durable_floor: AtomicU64::new(0),
            oldest_unix_ms: AtomicU64::new(u64::MAX),
            bytes: AtomicU64::new(0),
            slowest_ns: AtomicU64::new(0),
            owed_since_start: AtomicBool::new(false),
        }
    }

    /// The oldest unconfirmed stamp, or `Stamp::NONE`.
    pub fn oldest(&self) -> Stamp {
        Stamp(self.oldest.load(Ordering::SeqCst))
    }

    pub fn oldest_statement(&self) -> Stamp {
        Stamp(self.oldest_statement.load(Ordering::SeqCst))
    }

    /// As `oldest`, by the cursors on disk.
    pub fn durable_oldest(&self) -> Stamp {
        Stamp(self.durable_oldest.load(Ordering::SeqCst))
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Wall-clock milliseconds of the oldest unconfirmed frame; `None` if there is none.
    pub fn oldest_unix_ms(&self) -> Option<u64> {
        Some(self.oldest_unix_ms.load(Ordering::Relaxed)).filter(|ms| *ms != u64::MAX)
    }

    pub fn publish(&self, oldest: Stamp, oldest_statement: Stamp, unix_ms: u64, bytes: u64) {
        self.oldest_unix_ms.store(unix_ms, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.oldest_statement.store(oldest_statement.0, Ordering::SeqCst);
        self.oldest.store(oldest.0, Ordering::SeqCst);
    }

    pub fn publish_durable(&self, oldest: Stamp) {
        self.durable_oldest.store(oldest.0, Ordering::SeqCst);
    }

    /// The floor in the cursors on disk of this log.
    pub fn durable_floor(&self) -> Stamp {
        Stamp(self.durable_floor.load(Ordering::SeqCst))
    }

    pub fn publish_floor(&self, floor: Stamp) {
        self.durable_floor.store(floor.0, Ordering::SeqCst);
    }

    pub fn set_slowest(&self, slowest: Duration) {
        self.slowest_ns.store(nanos(slowest), Ordering::Relaxed);
    }

    pub fn set_owed_since_start(&self, owed: bool) {
        self.owed_since_start.store(owed, Ordering::Relaxed);
    }

    pub fn is_owed_since_start(&self) -> bool {
        self.owed_since_start.load(Ordering::Relaxed)
    }
}

impl Board {
    pub fn new(logs: usize, backends: usize, shards: usize) -> Board {
        let backend = || Backend {
            condition: AtomicU8::new(0),
            condition_since: AtomicU64::new(0),
            wanted_floor: AtomicU64::new(0),
            not_current_until: AtomicU64::new(0),
            last_error: ArcSwapOption::empty(),
            incomplete: ArcSwapOption::empty(),
            version: ArcSwapOption::empty(),
        };
        Board {
            logs,
            backends: (0..backends).map(|_| backend()).collect(),
            cells: (0..logs * backends).map(|_| Cell::empty()).collect(),
            low_waters: (0..logs).map(|_| LowWater(AtomicU64::new(0))).collect(),
            loads: (0..shards).map(|_| Load::default()).collect(),
            catalogue: ArcSwap::from_pointee(Catalogue::default()),
            parked: ParkedList::new(logs),
            room: Room::new(logs, backends),
            taps: Taps::default(),
            questions: Questions::default(),
            addresses: Addresses::default(),
            draining: AtomicBool::new(false),
        }
    }

    pub fn cell(&self, log: LogId, backend: BackendId) -> &Cell {
        &self.cells[log.index() * self.backends.len() + backend.index()]
    }

    /// The cells of one backend, one for each log.
    pub fn cells_of(&self, backend: BackendId) -> impl Iterator<Item = &Cell> {
        (0..self.logs).map(move |log| &self.cells[log * self.backends.len() + backend.index()])
    }

    /// The cells of one backend in all logs but one.
    pub fn other_cells(&self, log: LogId, backend: BackendId) -> impl Iterator<Item = &Cell> {
        self.cells_of(backend).enumerate().filter(move |(at, _)| *at != log.index()).map(|(_, c)| c)
    }

    pub fn set_low_water(&self, log: LogId, stamp: Stamp) {
        self.low_waters[log.index()].0.store(stamp.0, Ordering::SeqCst);
    }

    /// Everything for this backend below this stamp is confirmed, by the cursors on disk: it need not be
    /// sent again after a crash.
    pub fn cut(&self, backend: BackendId) -> Stamp {
        let mut cut = Stamp::NONE;
        for (log, cell) in self.cells_of(backend).enumerate() {
            // The low water is read first: a frame that is published in between has a higher stamp.
            let low = Stamp(self.low_waters[log].0.load(Ordering::SeqCst)).next();
            let oldest = cell.durable_oldest();
            cut = cut.min(if oldest == Stamp::NONE { low } else { oldest });
        }
        cut
    }

    /// The lowest floor in the cursors on disk of any log. Whichever of them are lost but not all, a start
    /// sends nothing below it again; so only what lies below it may be given back.
    pub fn durable_floor(&self, backend: BackendId) -> Stamp {
        self.cells_of(backend).map(Cell::durable_floor).min().unwrap_or(Stamp(0))
    }

    /// Some log could give space back if every floor on disk were above this stamp.
    pub fn want_floor(&self, backend: BackendId, above: Stamp) {
        self.backends[backend.index()].wanted_floor.fetch_max(above.0, Ordering::SeqCst);
    }

    pub fn wanted_floor(&self, backend: BackendId) -> Stamp {
        Stamp(self.backends[backend.index()].wanted_floor.load(Ordering::SeqCst))
    }

    /// How far above the oldest unconfirmed stamp of the other queues a frame may be sent.
    pub fn order_window(&self, backend: BackendId) -> Duration {
        let slowest = self.cells_of(backend).map(|cell| cell.slowest_ns.load(Ordering::Relaxed));
        let slowest = Duration::from_nanos(slowest.max().unwrap_or(0));
        ORDER_WINDOW_MIN.max(slowest.saturating_mul(4))
    }

    pub fn condition(&self, backend: BackendId) -> Condition {
        match self.backends[backend.index()].condition.load(Ordering::SeqCst) {
            1 => Condition::Up,
            2 => Condition::Down,
            _ => Condition::Unknown,
        }
    }

    /// Wall-clock milliseconds since which it is so; 0 before it was ever asked.
    pub fn condition_since(&self, backend: BackendId) -> u64 {
        self.backends[backend.index()].condition_since.load(Ordering::Relaxed)
    }

    /// Returns what it was before.
    pub fn set_condition(
        &self,
        backend: BackendId,
        condition: Condition,
        now_unix_ms: u64,
    ) -> Condition {
        let code = match condition {
            Condition::Unknown => 0,
            Condition::Up => 1,
            Condition::Down => 2,
        };
        let before = self.condition(backend);
        if before != condition {
            self.backends[backend.index()].condition_since.store(now_unix_ms, Ordering::Relaxed);
        }
        self.backends[backend.index()].condition.store(code, Ordering::SeqCst);
        before
    }

    /// Bytes owed over all logs.
    pub fn owed_bytes(&self, backend: BackendId) -> u64 {
        self.cells_of(backend).map(Cell::bytes).sum::<u64>() + self.parked.bytes(backend)
    }

    /// Age of the oldest unconfirmed frame by the wall clock; nothing if nothing is owed.
    pub fn owed_age(&self, backend: BackendId, now_unix_ms: u64) -> Option<Duration> {
        // What waits for a database that does not exist does not make the others stale.
        let oldest = self.cells_of(backend).filter_map(Cell::oldest_unix_ms).min()?;
        Some(Duration::from_millis(now_unix_ms.saturating_sub(oldest)))
    }

    /// Whether an answer should wait for this backend.
    pub fn is_current(&self, backend: BackendId, now: Mono, now_unix_ms: u64) -> bool {
        let late = |age: Duration| age > CURRENT_AGE_MAX;
        let holds = self.condition(backend) == Condition::Up
            && !self.owed_age(backend, now_unix_ms).is_some_and(late);
        if !holds {
            self.set_not_current(backend, now);
        }
        holds && self.backends[backend.index()].not_current_until.load(Ordering::Relaxed) <= now.0
    }

    /// An answer waited in vain: this backend must keep up for a second before another one waits.
    pub fn set_not_current(&self, backend: BackendId, now: Mono) {
        let until = now.after(CURRENT_AGE_MAX).0;
        self.backends[backend.index()].not_current_until.store(until, Ordering::Relaxed);
    }

    /// Whether it holds everything that its circle should, but for what was written just now.
    pub fn is_complete(&self, backend: BackendId, stale_after: Duration, now_unix_ms: u64) -> bool {
        self.condition(backend) == Condition::Up
            && self.incomplete(backend).is_none()
            && !self.cells_of(backend).any(Cell::is_owed_since_start)
            && self.owed_age(backend, now_unix_ms).is_none_or(|age| age <= stale_after)
    }

    pub fn incomplete(&self, backend: BackendId) -> Option<Arc<Incomplete>> {
        self.backends[backend.index()].incomplete.load_full()
    }

    pub fn set_incomplete(&self, backend: BackendId, incomplete: Option<Incomplete>) {
        self.backends[backend.index()].incomplete.store(incomplete.map(Arc::new));
    }

    pub fn last_error(&self, backend: BackendId) -> Option<Arc<String>> {
        self.backends[backend.index()].last_error.load_full()
    }

    pub fn set_last_error(&self, backend: BackendId, error: Option<String>) {
        self.backends[backend.index()].last_error.store(error.map(Arc::new));
    }

    pub fn version(&self, backend: BackendId) -> Option<Arc<String>> {
        self.backends[backend.index()].version.load_full()
    }

    pub fn set_version(&self, backend: BackendId, version: Option<String>) {
        self.backends[backend.index()].version.store(version.map(Arc::new));
    }

    pub fn backends_count(&self) -> usize {
        self.backends.len()
    }

    pub fn logs_count(&self) -> usize {
        self.logs
    }

    /// How busy each shard is.
    pub fn loads(&self) -> &[Load] {
        &self.loads
    }

    pub fn load(&self, shard: ShardId) -> &Load {
        &self.loads[shard.index()]
    }
}
