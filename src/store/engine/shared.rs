//! What all databases of a store share.

use super::catalogue::Catalogue;
use super::counters::{Count, Counters};
use crate::store::damage::Damages;
use crate::store::lock::{Mutex, RwLock};
use crate::store::log::Log;
use crate::store::stats::Stats;
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
    /// Held by whoever makes or drops databases and policies.
    pub statements: Mutex<()>,
    pub is_stopped: AtomicBool,
    /// Something is to be done in the background.
    pub wake: Wake,
    /// The same for compaction.
    pub compaction_wake: Wake,
}

impl Shared {
    pub fn data(&self) -> PathBuf {
        self.options.directory.join("data")
    }

    pub fn all_databases(&self) -> Vec<Arc<Database>> {
        self.databases.read().values().cloned().collect()
    }
}

/// All counters at this moment.
pub fn stats(shared: &Shared) -> Stats {
    let counters = &shared.counters;
    let mut stats = Stats {
        values_written: counters.values_written.get(),
        points_written: counters.points_written.get(),
        points_dropped: counters.points_dropped.get(),
        writes_failed: counters.writes_failed.get(),
        cache_bytes: shared.cache_bytes.get(),
        log_bytes: shared.log.bytes(),
        log_syncs: shared.log.syncs(),
        snapshots: counters.snapshots.get(),
        snapshots_failed: counters.snapshots_failed.get(),
        compactions: counters.compactions.get(),
        compactions_failed: counters.compactions_failed.get(),
        windows_expired: counters.windows_expired.get(),
        damaged: shared.damages.list().len() as u64,
        ..Stats::default()
    };
    for database in shared.all_databases() {
        stats.databases += 1;
        stats.series += database.index.read().len() as u64;
        for window in database.all_windows() {
            let files = window.state().files;
            stats.windows += 1;
            stats.files += files.len() as u64;
            stats.file_bytes += files.iter().map(|file| file.bytes()).sum::<u64>();
        }
    }
    stats
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
