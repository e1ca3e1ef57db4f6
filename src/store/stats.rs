//! Counters of a store, for whoever shows them.

/// All at one moment. Counts go up from the start of the process; the others are levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Values that were written and are durable: one per field.
    pub values_written: u64,
    pub points_written: u64,
    /// Points that were refused: field type, retention, limits.
    pub points_dropped: u64,
    pub writes_failed: u64,
    pub databases: u64,
    pub windows: u64,
    pub series: u64,
    pub files: u64,
    pub file_bytes: u64,
    /// Memory of points that are in no file yet.
    pub cache_bytes: u64,
    pub log_bytes: u64,
    pub log_syncs: u64,
    pub snapshots: u64,
    pub snapshots_failed: u64,
    pub compactions: u64,
    pub compactions_failed: u64,
    /// Windows that retention has removed.
    pub windows_expired: u64,
    pub damaged: u64,
}
