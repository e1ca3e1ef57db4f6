//! One window: its files, its caches, what is in them.

use super::cache::Cache;
use super::clock;
use super::counters::Count;
use super::numbers::Numbers;
use crate::base::map::FastMap;
use crate::store::lock::{Mutex, RwLock};
use crate::store::tsm::Reader;
use crate::store::value::FieldType;
use crate::store::view::WindowInfo;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// The fields of measurements, as questions see them.
pub type Published = FastMap<Arc<str>, Arc<[(Arc<str>, FieldType)]>>;

/// Where the points are. Replaced piece by piece; who reads takes a copy of the whole.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// From the oldest to the newest.
    pub files: Arc<Vec<Arc<Reader>>>,
    /// On its way to a file: newer than all files.
    pub frozen: Option<Arc<RwLock<Cache>>>,
    /// Newer than that.
    pub active: Arc<RwLock<Cache>>,
}

#[derive(Debug)]
pub struct Window {
    pub info: WindowInfo,
    pub directory: PathBuf,
    pub state: RwLock<State>,
    pub published: RwLock<Published>,
    /// The series with points here; a few more where a delete has not looked.
    pub present: RwLock<Numbers>,
    /// Shared by snapshots and compaction, alone for deletes.
    pub jobs: RwLock<()>,
    /// Held by a snapshot.
    pub snapshotting: Mutex<()>,
    /// Removed for good: nothing is to be written to its directory.
    pub is_gone: AtomicBool,
    /// The next file's generation.
    pub generation: AtomicU64,
    pub last_write: Mutex<Instant>,
    /// Memory of all caches of the store.
    cache_bytes: Arc<Count>,
}

impl Window {
    pub fn new(info: WindowInfo, directory: PathBuf, cache_bytes: Arc<Count>) -> Window {
        Window {
            info,
            directory,
            state: RwLock::default(),
            published: RwLock::default(),
            present: RwLock::default(),
            jobs: RwLock::default(),
            snapshotting: Mutex::default(),
            is_gone: AtomicBool::new(false),
            generation: AtomicU64::new(1),
            last_write: Mutex::new(clock::mono()),
            cache_bytes,
        }
    }

    pub fn state(&self) -> State {
        self.state.read().clone()
    }

    pub fn contains_time(&self, time_ns: i64) -> bool {
        self.info.start_ns <= time_ns && time_ns < self.info.end_ns
    }

    /// Changes a cache, and keeps the books.
    pub fn change_cache<R>(
        &self,
        cache: &RwLock<Cache>,
        change: impl FnOnce(&mut Cache) -> R,
    ) -> R {
        let mut cache = cache.write();
        let before = cache.bytes();
        let outcome = change(&mut cache);
        let after = cache.bytes();
        if after >= before {
            self.cache_bytes.add(after - before);
        } else {
            self.cache_bytes.sub(before - after);
        }
        outcome
    }

    /// Makes the active cache the frozen one, if there is none yet; gives the frozen one, if there is any.
    pub fn freeze(&self) -> Option<Arc<RwLock<Cache>>> {
        let mut state = self.state.write();
        if state.frozen.is_none() {
            if state.active.read().is_empty() {
                return None;
            }
            state.frozen = Some(std::mem::take(&mut state.active));
        }
        state.frozen.clone()
    }

    /// The frozen cache has come to files.
    pub fn thaw(&self, files: Vec<Arc<Reader>>) {
        let mut state = self.state.write();
        let mut all = Vec::clone(&state.files);
        all.extend(files);
        state.files = Arc::new(all);
        if let Some(frozen) = state.frozen.take() {
            self.cache_bytes.sub(frozen.read().bytes());
        }
    }

    /// Takes other files for some.
    pub fn replace_files(&self, old: &[Arc<Reader>], new: Vec<Arc<Reader>>) {
        let mut state = self.state.write();
        let is_old = |file: &Arc<Reader>| old.iter().any(|one| Arc::ptr_eq(one, file));
        let mut all: Vec<Arc<Reader>> =
            state.files.iter().filter(|file| !is_old(file)).cloned().collect();
        all.extend(new);
        all.sort_by(|one, other| one.path().cmp(other.path()));
        state.files = Arc::new(all);
    }

    /// All points are forgotten: the window is dropped.
    pub fn clear(&self) {
        self.is_gone.store(true, Ordering::Relaxed);
        let mut state = self.state.write();
        let State { frozen, active, .. } = std::mem::take(&mut *state);
        for cache in frozen.iter().chain([&active]) {
            self.cache_bytes.sub(cache.read().bytes());
        }
        *self.present.write() = Numbers::default();
        self.published.write().clear();
    }

    /// The oldest entry of the log that has points which are in no file.
    pub fn oldest(&self) -> Option<u64> {
        let state = self.state.read();
        let frozen = state.frozen.as_ref().and_then(|cache| cache.read().oldest);
        let active = state.active.read().oldest;
        frozen.into_iter().chain(active).min()
    }

    pub fn active_bytes(&self) -> u64 {
        self.state.read().active.read().bytes()
    }

    pub fn next_generation(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::Relaxed)
    }

    pub fn file_path(directory: &Path, generation: u64) -> PathBuf {
        directory.join(format!("{generation:09}-{:09}.tsm", 1))
    }
}
