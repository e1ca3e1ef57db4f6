//! What happens by itself: caches become files, many files become few, old windows go, the log is given back.

use super::clock;
use super::database::Database;
use super::shared::{Shared, Wake};
use super::snapshot::snapshot;
use super::window::Window;
use crate::base::map::FastSet;
use crate::store::compact::{self, Facts, Failed, Job};
use crate::store::damage::Damage;
use crate::store::tsm::{FileName, Reader};
use crate::store::view::ChangeError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const ROUND: Duration = Duration::from_secs(1);
const RETENTION_ROUND: Duration = Duration::from_secs(30 * 60);

/// A window that nobody writes to for so long becomes one file.
const COMPACTION_COLD: Duration = Duration::from_secs(4 * 3600);

/// Compaction works for so long, then rests for a while, so that writes and questions find a core.
const WORK: Duration = Duration::from_millis(20);
const REST: Duration = Duration::from_millis(10);

/// The threads of a store.
pub struct Worker {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Worker {
    pub fn start(shared: &Arc<Shared>) -> Worker {
        let mut worker = Worker { shared: shared.clone(), threads: Vec::new() };
        if shared.options.background {
            worker.spawn("store-snapshots", run_snapshots);
            worker.spawn("store-compaction", run_compaction);
        }
        worker
    }

    fn spawn(&mut self, name: &str, run: fn(&Shared)) {
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared));
        match thread {
            Ok(thread) => self.threads.push(thread),
            Err(error) => tracing::error!(name, %error, "a thread of the store does not start"),
        }
    }

    /// No write is taken any more; the threads end what they do at the moment.
    pub fn stop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        self.shared.wake.wake();
        self.shared.compaction_wake.wake();
        for thread in self.threads.drain(..) {
            // It has said why it died.
            drop(thread.join());
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_stopped(shared: &Shared) -> bool {
    shared.is_stopped.load(Ordering::Relaxed)
}

fn run_snapshots(shared: &Shared) {
    let mut retention_at: Option<Instant> = None;
    while !is_stopped(shared) {
        if retention_at.is_none_or(|at| clock::mono() >= at) {
            enforce_retention(shared, clock::unix_ns());
            retention_at = Some(clock::mono() + RETENTION_ROUND);
        }
        take_snapshots(shared);
        shared.wake.sleep(ROUND);
    }
}

fn run_compaction(shared: &Shared) {
    while !is_stopped(shared) {
        let mut did_something = false;
        for database in shared.all_databases() {
            for window in database.all_windows() {
                did_something |= !is_stopped(shared) && compact_once(shared, &window, true);
            }
        }
        if !did_something {
            shared.compaction_wake.sleep(ROUND);
        }
    }
}

/// Snapshots that are due, and what they free of the log.
pub fn take_snapshots(shared: &Shared) {
    let limits = &shared.options.limits;
    let windows = all_windows(shared);
    let holds_up = (shared.log.bytes() > limits.log_bytes_max)
        .then(|| windows.iter().filter_map(|(_, window)| window.oldest()).min())
        .flatten();
    let is_tight = shared.cache_bytes.get() > limits.cache_bytes_max / 4 * 3;
    let mut did_something = false;
    for (database, window) in &windows {
        let bytes = window.active_bytes();
        let is_due = window.state().frozen.is_some()
            || bytes >= limits.snapshot_bytes
            || (bytes > 0 && is_tight)
            || (holds_up.is_some() && window.oldest() == holds_up)
            || (window.oldest().is_some() && is_cold(window, limits.snapshot_cold_ns));
        if is_due {
            run_snapshot(shared, database, window);
            did_something = true;
        }
    }
    if did_something {
        free_log(shared, false);
        shared.compaction_wake.wake();
    }
}

/// A round of everything, without pauses.
pub fn tend(shared: &Shared) {
    take_snapshots(shared);
    for (_, window) in all_windows(shared) {
        while compact_once(shared, &window, false) {}
    }
    free_log(shared, false);
}

fn is_cold(window: &Window, cold_ns: u64) -> bool {
    window.last_write.lock().elapsed() >= Duration::from_nanos(cold_ns)
}

fn run_snapshot(shared: &Shared, database: &Database, window: &Window) {
    if let Err(error) = snapshot(shared, database, window) {
        let window = window.directory.display();
        tracing::warn!(%window, %error, "points stay in memory and in the log: no file can be written");
    }
}

fn all_windows(shared: &Shared) -> Vec<(Arc<Database>, Arc<Window>)> {
    let mut all = Vec::new();
    for database in shared.all_databases() {
        let windows = database.all_windows();
        all.extend(windows.into_iter().map(|window| (database.clone(), window)));
    }
    all
}

/// Gives back the log as far as everything in it is in files.
pub fn free_log(shared: &Shared, all: bool) {
    // First what is on its way to a cache, then the caches: in the other order a point could be missed.
    let applied = shared.log.all_applied_below();
    let oldest = all_windows(shared).iter().filter_map(|(_, window)| window.oldest()).min();
    shared.log.free_below(oldest.map_or(applied, |oldest| oldest.min(applied)), all);
}

/// All points to files; what does not succeed is said.
pub fn flush(shared: &Shared) -> Result<(), String> {
    let mut problem = Ok(());
    for (database, window) in all_windows(shared) {
        // The first one may only end what was frozen before.
        for _ in 0..2 {
            if let Err(error) = snapshot(shared, &database, &window) {
                problem = Err(format!("{}: {error}", window.directory.display()));
            }
        }
    }
    free_log(shared, true);
    problem
}

/// One job of compaction, if there is any. Says whether there was.
pub fn compact_once(shared: &Shared, window: &Window, is_paced: bool) -> bool {
    let files = window.state().files;
    let is_cold = window.last_write.lock().elapsed() >= COMPACTION_COLD;
    let facts: Vec<Facts> = files.iter().filter_map(facts_of).collect();
    let jobs = compact::plan(&facts, &FastSet::default(), is_cold);
    let Some(job) = jobs.into_iter().next() else { return false };
    match run_job(shared, window, &files, &job, is_paced) {
        Ok(()) => {
            shared.counters.compactions.add(1);
            true
        }
        Err(problem) => {
            if !is_stopped(shared) && !window.is_gone.load(Ordering::Relaxed) {
                shared.counters.compactions_failed.add(1);
                let window = window.directory.display();
                tracing::warn!(%window, problem, "compaction does not succeed");
            }
            false
        }
    }
}

fn facts_of(file: &Arc<Reader>) -> Option<Facts> {
    let name = FileName::parse(file.path().file_name()?.to_str()?)?;
    let has_tombstones = !file.tombstones().is_empty();
    Some(Facts { name, bytes: file.bytes(), has_tombstones })
}

fn run_job(
    shared: &Shared,
    window: &Window,
    files: &[Arc<Reader>],
    job: &Job,
    is_paced: bool,
) -> Result<(), String> {
    let is_source =
        |file: &&Arc<Reader>| facts_of(file).is_some_and(|facts| job.files.contains(&facts.name));
    let sources: Vec<Arc<Reader>> = files.iter().filter(is_source).cloned().collect();
    let pace = Pace::new(is_paced);
    let should_stop = || {
        pace.rest(&shared.compaction_wake);
        is_stopped(shared) || window.is_gone.load(Ordering::Relaxed)
    };
    let made = compact::rewrite(&window.directory, &sources, job.thoroughness, &should_stop);
    let mut made = match made {
        Ok(made) => made,
        Err(Failed::Stopped) => return Err("it was stopped".to_owned()),
        Err(Failed::Io(error)) => return Err(error.to_string()),
    };
    for error in &made.damages {
        shared.damages.report(Damage::of_read(error));
    }
    let _no_delete = window.jobs.read();
    if window.is_gone.load(Ordering::Relaxed) {
        return Err("the window is gone".to_owned());
    }
    let new = made.publish().map_err(|error| error.to_string())?;
    window.replace_files(&sources, new);
    let retired = (0..3).map(|_| made.retire()).find(Result::is_ok);
    match retired {
        Some(_) => Ok(()),
        None => Err("the old files cannot be removed".to_owned()),
    }
}

/// Lets others have the core from time to time.
struct Pace {
    is_wanted: bool,
    keys: std::cell::Cell<u32>,
    since: std::cell::Cell<Instant>,
}

/// The clock is read every so many keys.
const LOOK_KEYS: u32 = 64;

impl Pace {
    fn new(is_wanted: bool) -> Pace {
        let since = std::cell::Cell::new(clock::mono());
        Pace { is_wanted, keys: std::cell::Cell::new(0), since }
    }

    fn rest(&self, wake: &Wake) {
        self.keys.set(self.keys.get() + 1);
        let is_time = self.is_wanted && self.keys.get().is_multiple_of(LOOK_KEYS);
        if is_time && self.since.get().elapsed() >= WORK {
            wake.sleep(REST);
            self.since.set(clock::mono());
        }
    }
}

/// Removes windows whose youngest possible point is older than its policy wants.
pub fn enforce_retention(shared: &Shared, now_ns: i64) {
    for database in shared.all_databases() {
        let policies = database.policies.read().list.clone();
        let is_old = |window: &Window| {
            let policy = policies.iter().find(|policy| policy.name == window.info.policy);
            policy.is_some_and(|policy| {
                policy.duration_ns > 0
                    && window.info.end_ns.saturating_add(policy.duration_ns) < now_ns
            })
        };
        if !database.all_windows().iter().any(|window| is_old(window)) {
            continue;
        }
        match database.drop_windows(shared, is_old, |_| Ok(())) {
            Ok(count) => shared.counters.windows_expired.add(count as u64),
            Err(ChangeError(error)) => {
                tracing::warn!(database = database.name, error, "retention cannot be enforced");
            }
        }
    }
}
