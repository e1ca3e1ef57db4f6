//! Finding it all again: the catalogue, the files of every window, then the log.

use super::adopt::adopt;
use super::catalogue::Catalogue;
use super::counters::{Count, Counters};
use super::database::{Database, Policies};
use super::delete;
use super::shared::{Shared, Wake};
use super::window::Window;
use super::writer::Reading;
use crate::base::map::FastMap;
use crate::proto::line::{Precision, Rules};
use crate::store::compact;
use crate::store::damage::{Damage, Damages};
use crate::store::index::{Found, Index, IndexLimits};
use crate::store::lock::{Mutex, RwLock};
use crate::store::log::{self, Kind, Log};
use crate::store::point::SEPARATOR;
use crate::store::store::{OpenError, Options};
use crate::store::tsm::{FileName, OpenError as FileError, Reader};
use crate::store::value::FieldType;
use crate::store::view::Policy;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// Opens a directory, or makes it.
pub fn open(options: Options) -> Result<Arc<Shared>, OpenError> {
    let directory = options.directory.clone();
    let failed = |path: &Path, error: &io::Error| OpenError::Disk {
        path: path.to_owned(),
        problem: error.to_string(),
    };
    for part in ["data", "log"] {
        let path = directory.join(part);
        fs::create_dir_all(&path).map_err(|error| failed(&path, &error))?;
    }
    let synced = fs::File::open(&directory).and_then(|opened| opened.sync_all());
    synced.map_err(|error| failed(&directory, &error))?;
    let catalogue = Catalogue::open(&directory.join("meta"))?;
    let damages = Damages::default();
    let mut entries = Vec::new();
    let log_directory = directory.join("log");
    let found = log::recover(&log_directory, &damages, |kind, sequence, contents| {
        entries.push((kind, sequence, contents.to_vec()));
    });
    let found = found.map_err(|error| failed(&log_directory, &error))?;
    let shared = Arc::new_cyclic(|shared: &Weak<Shared>| {
        let databases = databases(&options, &catalogue, shared);
        Shared {
            log: Log::new(&log_directory, found),
            options,
            damages,
            counters: Counters::default(),
            cache_bytes: Arc::new(Count::default()),
            catalogue: Mutex::new(catalogue),
            databases: RwLock::new(databases),
            statements: Mutex::default(),
            is_stopped: AtomicBool::new(false),
            wake: Wake::default(),
            compaction_wake: Wake::default(),
        }
    });
    load(&shared);
    replay(&shared, &entries);
    Ok(shared)
}

fn databases(
    options: &Options,
    catalogue: &Catalogue,
    shared: &Weak<Shared>,
) -> std::collections::BTreeMap<String, Arc<Database>> {
    let entries = catalogue.meta().databases.iter();
    let made = entries.map(|entry| {
        let policies = catalogue.policies(&entry.name);
        let database = new_database(options, &entry.name, shared.clone(), policies);
        (entry.name.clone(), Arc::new(database))
    });
    made.collect()
}

pub fn new_database(
    options: &Options,
    name: &str,
    shared: Weak<Shared>,
    policies: Policies,
) -> Database {
    let limits = IndexLimits {
        series_max: options.limits.series_max,
        values_per_tag_max: options.limits.values_per_tag_max,
    };
    Database::new(name, shared, limits, policies)
}

/// Opens the files of all windows, several at a time.
fn load(shared: &Arc<Shared>) {
    let mut jobs: Vec<(Arc<Database>, Arc<Window>)> = Vec::new();
    for database in shared.all_databases() {
        let infos = shared.catalogue.lock().windows(&database.name);
        for info in infos {
            jobs.push((database.clone(), database.add_window(shared, info)));
        }
    }
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(jobs.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((database, window)) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    load_window(shared, database, window);
                }
            });
        }
    });
}

fn load_window(shared: &Shared, database: &Database, window: &Window) {
    if !window.directory.is_dir() {
        return;
    }
    let report = |path: &Path, problem: String| {
        shared.damages.report(Damage { file: path.to_owned(), offset: None, problem });
    };
    if let Err(error) = compact::tidy(&window.directory) {
        report(&window.directory, error.to_string());
    }
    if let Err(error) = find_files(shared, database, window) {
        report(&window.directory, error.to_string());
    }
}

fn find_files(shared: &Shared, database: &Database, window: &Window) -> io::Result<()> {
    let highest = |paths: &[PathBuf]| {
        let name = |path: &PathBuf| FileName::parse(path.file_name()?.to_str()?);
        paths.iter().filter_map(name).map(|name| name.generation).max().unwrap_or(0)
    };
    let generation = highest(&files_of(&window.directory)?) + 1;
    if let Err(error) = adopt(shared, &database.name, window, generation) {
        let problem = format!("what InfluxDB has left cannot be taken over: {error}");
        shared.damages.report(Damage { file: window.directory.clone(), offset: None, problem });
    }
    let paths = files_of(&window.directory)?;
    window.generation.store(highest(&paths) + 1, Ordering::Relaxed);
    let files = open_files(shared, paths);
    learn(database, window, &files);
    files.iter().for_each(|file| file.rest());
    window.state.write().files = Arc::new(files);
    Ok(())
}

fn open_files(shared: &Shared, paths: Vec<PathBuf>) -> Vec<Arc<Reader>> {
    let report = |path: &Path, problem: String| {
        shared.damages.report(Damage { file: path.to_owned(), offset: None, problem });
    };
    let mut files = Vec::new();
    for path in paths {
        match open_file(&path) {
            Ok((reader, None)) => files.push(Arc::new(reader)),
            Ok((reader, Some(problem))) => {
                files.push(Arc::new(reader));
                report(&path.with_extension("tombstone"), problem);
            }
            Err(FileError::Malformed { problem, .. }) => {
                report(&path, problem.to_string());
                drop(fs::rename(&path, path.with_extension("tsm.bad")));
            }
            // It may be sound.
            Err(FileError::Io { error, .. }) => report(&path, error.to_string()),
        }
    }
    files
}
/// In the order of age.
fn files_of(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tsm") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// A file whose tombstones are damaged is opened without them, which are set aside; the problem is told beside it.
fn open_file(path: &Path) -> Result<(Reader, Option<String>), FileError> {
    match Reader::open(path) {
        Ok(reader) => Ok((reader, None)),
        Err(FileError::Malformed { path: place, problem }) if place != path => {
            drop(fs::rename(&place, place.with_extension("tombstone.bad")));
            let reader = Reader::open_undeleted(path)?;
            Ok((reader, Some(format!("{problem}: what it deleted is back"))))
        }
        Err(error) => Err(error),
    }
}

/// Puts the series and fields of files into the index and the window.
fn learn(database: &Database, window: &Window, files: &[Arc<Reader>]) {
    let mut fields: FastMap<u32, Vec<(Arc<str>, FieldType)>> = FastMap::default();
    let mut index = database.index.write();
    let mut present = window.present.write();
    for file in files {
        let tombstones = file.tombstones();
        let mut last: Option<(&[u8], Found)> = None;
        for key in file.keys() {
            if is_deleted(&tombstones, &key) {
                continue;
            }
            let Some(at) = memchr::memmem::find(key.key, SEPARATOR) else { continue };
            let (series, field) = (&key.key[..at], &key.key[at + SEPARATOR.len()..]);
            let found = match last {
                Some((known, found)) if known == series => found,
                _ => {
                    let found = index.find(series);
                    let found = found.unwrap_or_else(|| index.restore(series));
                    present.insert(found.series);
                    last = Some((series, found));
                    found
                }
            };
            add_field(fields.entry(found.measurement).or_default(), field, key.entries.kind);
        }
    }
    publish(&index, window, fields);
}

fn is_deleted(
    tombstones: &crate::store::tsm::Tombstones,
    key: &crate::store::tsm::Key<'_>,
) -> bool {
    let Some(range) = key.entries.range() else { return true };
    tombstones.holds(key.number, range)
}

/// The type of the first file that has the field counts, as in InfluxDB.
fn add_field(fields: &mut Vec<(Arc<str>, FieldType)>, name: &[u8], kind: FieldType) {
    let is_it = |(known, _): &(Arc<str>, FieldType)| known.as_bytes() == name;
    if !fields.iter().any(is_it) {
        fields.push((String::from_utf8_lossy(name).into(), kind));
    }
}

fn publish(index: &Index, window: &Window, fields: FastMap<u32, Vec<(Arc<str>, FieldType)>>) {
    let mut published = window.published.write();
    for (measurement, mut fields) in fields {
        fields.sort();
        published.insert(index.measurement_name(measurement).clone(), fields.into());
    }
}

/// Does again what the log says.
fn replay(shared: &Shared, entries: &[(Kind, u64, Vec<u8>)]) {
    let mut by_window: FastMap<u64, Arc<Database>> = FastMap::default();
    for database in shared.all_databases() {
        by_window.extend(database.all_windows().iter().map(|one| (one.info.id, database.clone())));
    }
    for (kind, sequence, contents) in entries {
        match kind {
            Kind::Write => replay_write(shared, &by_window, contents, *sequence),
            Kind::Delete => replay_delete(shared, contents),
            Kind::Nothing => {}
        }
    }
}

/// The parts of the entry of a write: windows and their lines, up to the first part that is torn.
pub fn read_write(contents: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = contents;
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<12>()?;
        let id = u64::from_le_bytes(*head.first_chunk().expect("twelve bytes"));
        let len = u32::from_le_bytes(*head[8..].first_chunk().expect("twelve bytes"));
        let (body, after) = after.split_at_checked(len as usize)?;
        rest = after;
        Some((id, body))
    })
}

fn replay_write(
    shared: &Shared,
    by_window: &FastMap<u64, Arc<Database>>,
    contents: &[u8],
    sequence: u64,
) {
    for (id, body) in read_write(contents) {
        // A window that is gone since.
        let Some(database) = by_window.get(&id) else { continue };
        let Some(window) = database.window(id) else { continue };
        let policy = Policy {
            name: window.info.policy.clone(),
            duration_ns: 0,
            window_ns: 0,
            replication: 1,
        };
        let rules = Rules { precision: Precision::Nanoseconds, unsigned: true, nul_tag_key: true };
        let reading = Reading {
            body,
            rules,
            all_or_nothing: true,
            now_ns: 0,
            oldest_ns: i64::MAX,
            has_limits: false,
            policy: &policy,
        };
        let mut writer = database.writer.lock();
        if let Ok(mut checked) = database.check(shared, &mut writer, &reading) {
            database.apply(shared, &mut writer, &mut checked, sequence);
        }
    }
}

fn replay_delete(shared: &Shared, contents: &[u8]) {
    let Some((name, range, keys)) = delete::read_entry(contents) else { return };
    let Some(database) = shared.databases.read().get(name).cloned() else { return };
    let series: Vec<u32> = {
        let index = database.index.read();
        keys.iter().filter_map(|key| index.find(key)).map(|found| found.series).collect()
    };
    let outcome =
        database.alone(|writer, windows| database.remove_points(writer, windows, &series, range));
    if let Err(error) = outcome {
        let file = shared.options.directory.join("log");
        let problem = format!("a delete could not be done again: {error}");
        shared.damages.report(Damage { file, offset: None, problem });
    }
}
