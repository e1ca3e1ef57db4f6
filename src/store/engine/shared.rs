//! What all databases of a store share.

use super::catalogue::Catalogue;
use super::counters::{Count, Counters};
use crate::store::damage::Damages;
use crate::store::lock::{Mutex, RwLock};
use crate::store::log::Log;
use crate::store::store::Options;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::atomic::AtomicBool;

use super::database::Database;

pub struct Shared {
    pub options: Options,
    pub log: Log,
    pub damages: Damages,
    pub counters: Counters,
    /// Memory of points that are in no file yet.
    pub cache_bytes: Arc<Count>,
    pub catalogue: Mutex<Catalogue>,
    pub databases: RwLock<BTreeMap<String, Arc<Database>>>,
    pub is_stopped: AtomicBool,
    /// Something is to be done in the background.
    pub wake: Wake,
}

impl Shared {
    pub fn data(&self) -> PathBuf {
        self.options.directory.join("data")
    }

    pub fn all_databases(&self) -> Vec<Arc<Database>> {
        self.databases.read().values().cloned().collect()
    }
}

/// Wakes a thread that sleeps.
#[derive(Debug, Default)]
pub struct Wake {
    is_wanted: Mutex<bool>,
    changed: Condvar,
}

impl Wake {
    pub fn wake(&self) {
        *self.is_wanted.lock() = true;
        self.changed.notify_all();
    }

    /// Until somebody wakes, or so long.
    pub fn sleep(&self, pause: std::time::Duration) {
        let wanted = self.is_wanted.lock();
        let waited = self.changed.wait_timeout_while(wanted, pause, |is_wanted| !*is_wanted);
        let (mut wanted, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        *wanted = false;
    }
}
