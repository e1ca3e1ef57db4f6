//! The store as its callers see it: open, write, ask (through `view`), stop.

use super::damage::Damage;
use super::engine::{self, Shared, Worker};
use super::lock::Mutex;
use super::notes;
use super::stats::Stats;
use super::view::{Catalog, Change, ChangeError, Database, Notes};
use crate::proto::line::Precision;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What a store may use. Every bound has an error that names it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Series of one database; 0: no limit.
    pub series_max: usize,
    /// Values of one tag key of one measurement; 0: no limit.
    pub values_per_tag_max: usize,
    /// Memory of points that are in no file yet, of the whole store.
    pub cache_bytes_max: u64,
    /// Memory of such points of one window from which on they go to a file.
    pub snapshot_bytes: u64,
    /// A window that nobody writes to for so long goes to a file, too.
    pub snapshot_cold_ns: u64,
    /// The log is kept below this by taking the windows to files that hold it up.
    pub log_bytes_max: u64,
    /// Memory of one question.
    pub query_bytes_max: u64,
    /// Time of one question; `None`: no limit.
    pub query_time_max_ns: Option<u64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            series_max: 1_000_000,
            values_per_tag_max: 100_000,
            cache_bytes_max: 1 << 30,
            snapshot_bytes: 25 << 20,
            snapshot_cold_ns: 600_000_000_000,
            log_bytes_max: 512 << 20,
            query_bytes_max: 512 << 20,
            query_time_max_ns: None,
        }
    }
}

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Made where it is absent. Holds `meta`, `data` and `log`.
    pub directory: PathBuf,
    pub limits: Limits,
    /// Snapshots, compaction and retention by threads of the store. Without, [`Store::tend`] does a round of it.
    pub background: bool,
}

impl Options {
    pub fn new(directory: PathBuf) -> Options {
        Options { directory, limits: Limits::default(), background: true }
    }
}

/// One request to write.
#[derive(Clone, Copy, Debug)]
pub struct WriteRequest<'a> {
    pub database: &'a str,
    /// Absent: the default policy of the database.
    pub policy: Option<&'a str>,
    pub precision: Precision,
    /// Whether `1u` is a value. InfluxDB 1.x says no.
    pub unsigned: bool,
    /// As InfluxDB 2.x: a line that cannot be read refuses all, and its reserved tag keys are refused.
    pub all_or_nothing: bool,
    pub body: &'a [u8],
    /// The time of lines without one.
    pub now_ns: i64,
}

/// Why not all of a request is stored. Its `Display` is the text that InfluxDB 1.6 has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// Answered 404. Nothing is stored.
    DatabaseNotFound(String),
    /// 1.6 answers 500. Nothing is stored.
    PolicyNotFound(String),
    /// Answered 400. No line could be read, or one could not and all were wanted. Nothing is stored. The texts are those
    /// of `proto::line`, joined by LF.
    Unparsable(String),
    /// Answered 400 (2.x: 422). The other lines are stored and durable. `reason` is what was wrong with the first bad one.
    Partial { reason: String, dropped: u64 },
    /// Answered 400. One body has two types for a new field. Nothing of it is stored.
    FieldTypeConflict,
    /// Answered 503. Points that are in no file yet fill the memory that is meant for them. Nothing is stored.
    CacheFull { bytes: u64, bytes_max: u64 },
    /// Answered 503. Not durable: the disk has no room. May be tried again.
    DiskFull,
    /// Answered 503. Not durable: what the disk said. May be tried again.
    Disk(String),
    /// Answered 503. The store has been stopped.
    Stopped,
}

impl WriteError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            WriteError::CacheFull { .. }
                | WriteError::DiskFull
                | WriteError::Disk(_)
                | WriteError::Stopped
        )
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::DatabaseNotFound(name) => write!(text, "database not found: {name:?}"),
            WriteError::PolicyNotFound(name) => write!(text, "retention policy not found: {name}"),
            WriteError::Unparsable(texts) => text.write_str(texts),
            WriteError::Partial { reason, dropped } => {
                write!(text, "partial write: {reason} dropped={dropped}")
            }
            WriteError::FieldTypeConflict => text.write_str("field type conflict"),
            WriteError::CacheFull { bytes, bytes_max } => {
                write!(text, "engine: cache-max-memory-size exceeded: ({bytes}/{bytes_max})")
            }
            WriteError::DiskFull => text.write_str("engine: no space left on device"),
            WriteError::Disk(problem) => write!(text, "engine: {problem}"),
            WriteError::Stopped => text.write_str("engine is closed"),
        }
    }
}

/// Why a directory cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Another process has it.
    InUse(PathBuf),
    /// `meta/meta.db` is there and cannot be read: without it nobody knows which window is which.
    Meta(String),
    Disk {
        path: PathBuf,
        problem: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::InUse(path) => {
                write!(text, "{}: another process has this store open", path.display())
            }
            OpenError::Meta(problem) => write!(text, "meta/meta.db: {problem}"),
            OpenError::Disk { path, problem } => write!(text, "{}: {problem}", path.display()),
        }
    }
}

/// An open store. Every method may be called by several threads at once, and waits for the disk where it must.
pub struct Store {
    worker: Mutex<Worker>,
    shared: Arc<Shared>,
    /// Held as long as the store is open.
    _lock: File,
}

const LOCK_TRIES: usize = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

fn lock(directory: &Path) -> Result<File, OpenError> {
    let failed = |error: std::io::Error| OpenError::Disk {
        path: directory.to_owned(),
        problem: error.to_string(),
    };
    fs::create_dir_all(directory).map_err(failed)?;
    let path = directory.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(failed)?;
    // A process that was killed, or is just being made, may hold it for a moment more.
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(OpenError::InUse(directory.to_owned()))
}

impl Store {
    pub fn open(options: Options) -> Result<Arc<Store>, OpenError> {
        let lock = lock(&options.directory)?;
        let shared = engine::open(options)?;
        let worker = Mutex::new(Worker::start(&shared));
        Ok(Arc::new(Store { worker, shared, _lock: lock }))
    }

    pub fn limits(&self) -> &Limits {
        &self.shared.options.limits
    }

    /// Stores what is good. Durable when it returns, except for what the error says.
    pub fn write(&self, request: WriteRequest<'_>) -> Result<(), WriteError> {
        let database = self.shared.databases.read().get(request.database).cloned();
        match database {
            Some(database) => database.write(&self.shared, &request),
            None => Err(WriteError::DatabaseNotFound(request.database.to_owned())),
        }
    }

    /// Removes windows that are older than their policy wants them, by this clock. The store does it every half
    /// hour by its own.
    pub fn enforce_retention(&self, now_ns: i64) {
        engine::enforce_retention(&self.shared, now_ns);
    }

    /// Does all that is to be done in the background, now.
    pub fn tend(&self) {
        engine::tend(&self.shared);
    }

    /// Brings all points to files.
    pub fn flush(&self) -> Result<(), String> {
        engine::flush(&self.shared)
    }

    /// What was found damaged since the start, oldest first.
    pub fn damage(&self) -> Vec<Damage> {
        self.shared.damages.list()
    }

    pub fn stats(&self) -> Stats {
        engine::stats(&self.shared)
    }

    /// Takes no more writes, brings all points to files and ends the threads. The directory is then a complete
    /// InfluxDB directory. Questions may go on.
    pub fn stop(&self) -> Result<(), String> {
        self.worker.lock().stop();
        engine::flush(&self.shared)
    }
}

impl Catalog for Store {
    fn notes(&self) -> Notes {
        notes::of(self.shared.catalogue.lock().meta())
    }

    fn note(&self, before: &Notes, after: Notes) -> Result<bool, ChangeError> {
        self.shared.catalogue.lock().change(|meta| {
            let is_same = notes::of(meta) == *before;
            if is_same {
                notes::put(meta, &after);
            }
            Ok(is_same)
        })
    }

    fn databases(&self) -> Vec<String> {
        self.shared.databases.read().keys().cloned().collect()
    }

    fn database(&self, name: &str) -> Option<Arc<dyn Database>> {
        let found = self.shared.databases.read().get(name).cloned()?;
        Some(found)
    }

    fn change(&self, change: Change) -> Result<(), ChangeError> {
        if let Change::Write { database, policy, lines } = &change {
            let request = WriteRequest {
                database,
                policy: policy.as_deref(),
                precision: Precision::Nanoseconds,
                unsigned: true,
                all_or_nothing: false,
                body: lines,
                now_ns: 0,
            };
            return self.write(request).map_err(|error| ChangeError(error.to_string()));
        }
        engine::change(&self.shared, change)
    }
}
