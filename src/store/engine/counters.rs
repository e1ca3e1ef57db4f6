//! What the engine counts.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub fn sub(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub struct Counters {
    pub points_written: Count,
    pub values_written: Count,
    pub points_dropped: Count,
    pub writes_failed: Count,
    pub snapshots: Count,
    pub snapshots_failed: Count,
    pub compactions: Count,
    pub compactions_failed: Count,
    pub windows_expired: Count,
}
