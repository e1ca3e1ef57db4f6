//! What one sink has been sent.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub struct Counts {
    pub lines: AtomicU64,
    /// Bytes of bodies, uncompressed unless nobody is to look into them.
    pub bytes: AtomicU64,
    /// Writes read whole, also those that were then refused.
    pub requests: AtomicU64,
    /// Lines of writes answered 204.
    pub taken: AtomicU64,
    /// Writes answered with a failure.
    pub failed: AtomicU64,
    /// Writes never answered.
    pub hung: AtomicU64,
    pub malformed: AtomicU64,
    databases: Mutex<BTreeSet<String>>,
}

impl Counts {
    pub fn new(databases: &[String]) -> Self {
        Counts { databases: Mutex::new(databases.iter().cloned().collect()), ..Self::default() }
    }

    /// Remembers a database, so that it shows.
    pub fn saw(&self, database: &str) {
        let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        if !databases.contains(database) {
            databases.insert(database.to_owned());
        }
    }

    pub fn databases(&self) -> Vec<String> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub fn json(&self) -> Value {
        json!({
            "lines": self.lines.load(Relaxed),
            "taken": self.taken.load(Relaxed),
            "bytes": self.bytes.load(Relaxed),
            "requests": self.requests.load(Relaxed),
            "failed": self.failed.load(Relaxed),
            "hung": self.hung.load(Relaxed),
            "malformed": self.malformed.load(Relaxed),
            "databases": self.databases(),
        })
    }
}
