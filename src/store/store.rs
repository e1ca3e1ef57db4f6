//! The store as its callers see it: open, write, ask (through `view`), stop.

use super::damage::Damage;
use super::stats::Stats;
use super::view::{Catalog, Change, ChangeError, Database};
use crate::proto::line::Precision;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

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
    /// 404. Nothing is stored.
    DatabaseNotFound(String),
    /// 1.6 answers 500. Nothing is stored.
    PolicyNotFound(String),
    /// 400. No line could be read, or one could not and all were wanted. Texts of `proto::line`, joined by LF.
    /// Nothing is stored.
    Unparsable(String),
    /// 400 (2.x: 422). The other lines are stored and durable. `reason` is what was wrong with the first bad one.
    Partial { reason: String, dropped: u64 },
    /// 400. One body has two types for a new field. Nothing of it is stored.
    FieldTypeConflict,
    /// 503. Points that are in no file yet fill the memory that is meant for them. Nothing is stored.
    CacheFull { bytes: u64, bytes_max: u64 },
    /// 503. Not durable: the disk has no room. May be tried again.
    DiskFull,
    /// 503. Not durable: what the disk said. May be tried again.
    Disk(String),
    /// 503. The store has been stopped.
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
    options: Options,
}

impl Store {
    pub fn open(options: Options) -> Result<Arc<Store>, OpenError> {
        Ok(Arc::new(Store { options }))
    }

    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// Stores what is good. Durable when it returns, except for what the error says.
    pub fn write(&self, request: WriteRequest<'_>) -> Result<(), WriteError> {
        Err(WriteError::DatabaseNotFound(request.database.to_owned()))
    }

    /// Removes windows that are older than their policy wants them, by this clock. The store does it every half
    /// hour by its own.
    pub fn enforce_retention(&self, _now_ns: i64) {}

    /// What was found damaged since the start, oldest first.
    pub fn damage(&self) -> Vec<Damage> {
        Vec::new()
    }

    pub fn stats(&self) -> Stats {
        Stats::default()
    }

    /// Takes no more writes, brings all points to files and ends the threads. The directory is then a complete
    /// InfluxDB directory. Questions may go on.
    pub fn stop(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Catalog for Store {
    fn databases(&self) -> Vec<String> {
        Vec::new()
    }

    fn database(&self, _name: &str) -> Option<Arc<dyn Database>> {
        None
    }

    fn change(&self, _change: Change) -> Result<(), ChangeError> {
        Err(ChangeError("not yet".to_owned()))
    }
}
