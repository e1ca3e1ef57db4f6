//! Takes what is owed to a backend out of the logs of a stopped node.

use super::control::{self, Trouble};
use super::core::PROBE_FILE;
use crate::backend::board::Incomplete;
use crate::base::ids::{BackendId, LogId};
use crate::config::Config;
use crate::ingest::checkpoint::{incomplete_path, incomplete_text, parse_incomplete};
use crate::ring::Target;
use crate::rt::disk::replace_now;
use crate::rt::{Clock, Disk, launch, preflight};
use crate::wal::registry::log_directory;
use crate::wal::{self, Checkpoint, Dropped, Frame, Item, Kind, Opened, QueueMark, Registry, Run};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::sync_channel;

/// No segment is made here, but that a log has some size of them.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes read from a log at a time.
const READ_BYTES: usize = 1024 * 1024;

/// What is to be taken.
#[derive(Clone, Debug)]
pub struct Wish {
    pub backend: String,
    /// Only what waits for this database.
    pub database: Option<String>,
    /// The lines are written out before they are dropped.
    pub exports: bool,
}

/// What was taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    pub lines: u64,
    pub bytes: u64,
}

/// The same of one log, on its way.
#[derive(Default)]
struct Taking {
    taken: Taken,
    tags: Vec<Rc<[u8]>>,
    last: Option<Target>,
}

struct Work {
    wish: Wish,
    backend: BackendId,
    directory: PathBuf,
    node: [u8; 16],
    logs: Vec<LogId>,
}

/// Takes the lines; `write` gets them as line protocol if they are exported.
pub fn take(
    config: &Config,
    wish: Wish,
    mut write: impl FnMut(&[u8]) -> io::Result<()> + Send + 'static,
) -> Result<Taken, Trouble> {
    preflight::check()?;
    let registry = Registry::open(&config.data_dir, [0; 16]).map_err(Trouble::Environment)?;
    let work = Work {
        backend: number_of(&registry, &wish.backend)?,
        directory: registry.directory().to_owned(),
        node: registry.node,
        logs: registry.logs().map_err(Trouble::Running)?,
        wish,
    };
    let name = work.wish.backend.clone();
    let probe = work.directory.join(PROBE_FILE);
    let taken = alone("backlog", probe, move || async move { take_all(work, &mut write).await })?;
    if taken.lines > 0 {
        let reason = "its backlog was dropped by command";
        mark(config, &name, reason, taken.lines)
            .map_err(|error| Trouble::Running(error.to_string()))?;
    }
    Ok(taken)
}

/// The number of a backend that the logs know.
pub(super) fn number_of(registry: &Registry, name: &str) -> Result<BackendId, Trouble> {
    let known = registry.names().iter().position(|known| known == name);
    known.and_then(|at| u16::try_from(at).ok()).map(BackendId).ok_or_else(|| {
        Trouble::Usage(format!(
            "no backend named {name:?} is known here; there are: {}",
            registry.names().join(", ")
        ))
    })
}

/// Runs `work` where logs can be read and written, and waits for its end.
pub(super) fn alone<T, F>(
    name: &'static str,
    probe: PathBuf,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<T, Trouble>
where
    T: Send + 'static,
    F: Future<Output = Result<T, String>> + 'static,
{
    let (sender, receiver) = sync_channel(1);
    launch(control::allowed_cpus()[0], name, move || async move {
        let done = match Disk::Real.open(&probe).await {
            Ok(_) => work().await,
            Err(error) => Err(error.to_string()),
        };
        // The starter waits for exactly this one message.
        sender.send(done).unwrap_or(());
    })?;
    let done = receiver.recv().map_err(|error| Trouble::Running(error.to_string()))?;
    done.map_err(Trouble::Running)
}

async fn take_all(
    work: Work,
    write: &mut impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Taken, String> {
    let mut taken = Taken::default();
    // All of them before anything is taken from one.
    let mut opened = Vec::new();
    for log in &work.logs {
        opened.push(open(settings(&work.directory, *log, work.node, SEGMENT_BYTES)).await?);
    }
    for log in opened {
        let of_log = take_log(&work, log, write).await.map_err(|error| error.to_string())?;
        taken.lines += of_log.lines;
        taken.bytes += of_log.bytes;
    }
    Ok(taken)
}

/// A log of a stopped node. `all` is the directory of all logs.
pub(super) fn settings(
    all: &Path,
    log: LogId,
    node: [u8; 16],
    segment_bytes: u64,
) -> wal::Settings {
    wal::Settings {
        log,
        directory: log_directory(all, log),
        quarantine: all.join("quarantine"),
        node,
        segment_bytes,
        hot_bytes_max: 0,
        sync_each_commit: true,
        disk: Disk::Real,
        clock: Clock::Real,
    }
}

/// Opens a log that has its cursors: without them nobody knows what it owes, and new ones would say that it is
/// known.
pub(super) async fn open(settings: wal::Settings) -> Result<Opened, String> {
    let log = settings.log;
    let opened = wal::open(settings).await;
    let opened = opened.map_err(|error| format!("log {log} cannot be opened: {error}"))?;
    if opened.checkpoint.is_none() && opened.found.frames > 0 {
        return Err(format!(
            "the cursors of log {log} are lost, so nobody knows what it owes: run the gateway once, which finds \
             out, stop it, and try again"
        ));
    }
    Ok(opened)
}

async fn take_log(
    work: &Work,
    opened: Opened,
    write: &mut impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Taken, wal::Error> {
    let end = opened.log.end();
    let mut checkpoint = opened.checkpoint.unwrap_or_default();
    let mut taking = Taking::default();
    for (tag, from) in queues(work, &checkpoint) {
        let mut at = from;
        while at < end {
            let items = opened.log.read(at, READ_BYTES).await?;
            if items.is_empty() {
                break;
            }
            for item in items {
                at = take_item(work, &item, &tag, &checkpoint, write, &mut taking)?;
            }
        }
    }
    forget(work, &mut checkpoint, end, taking.tags);
    let mut file = opened.checkpoint_file;
    // Both slots, so that an older one cannot bring the lines back.
    file.write(&checkpoint).await?;
    file.write(&checkpoint).await?;
    Ok(taking.taken)
}

/// The queues to take from: the tag, empty for the backend's own, and the first frame.
fn queues(work: &Work, checkpoint: &Checkpoint) -> Vec<(Rc<[u8]>, u64)> {
    let ours = checkpoint.marks.iter().filter(|mark| mark.backend == work.backend);
    let mut queues: Vec<_> = ours.map(|mark| (mark.tag.clone(), mark.cursor)).collect();
    if !queues.iter().any(|(tag, _)| tag.is_empty()) {
        queues.push((Rc::from(&b""[..]), 0));
    }
    queues
}

/// Whether a run's tag is of the database that a person named.
pub fn is_of(tag: &[u8], database: &str) -> bool {
    let target = Target::from_tag(tag);
    target.is_some_and(|target| *target.database == *database || target.bucket() == database)
}

/// Writes a run as it can be posted again. A comment says for which database, whenever that changes; a
/// statement is a comment.
pub fn write_run(
    frame: &Frame,
    run: &Run<'_>,
    last: &mut Option<Target>,
    write: &mut impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), wal::Error> {
    let target = Target::from_tag(run.tag);
    let payload = frame.payload(run);
    let mut text = Vec::new();
    if let (Some(target), true) = (&target, *last != target) {
        text.extend_from_slice(format!("# {}\n", target.to_comment()).as_bytes());
        *last = Some(target.clone());
    }
    if frame.kind == Kind::Statement {
        text.extend_from_slice(b"# statement: ");
    }
    text.extend_from_slice(payload);
    if !payload.ends_with(b"\n") {
        text.push(b'\n');
    }
    write(&text).map_err(|source| wal::Error::Disk { during: "writing the lines", source })
}

/// Returns the number of the next frame.
fn take_item(
    work: &Work,
    item: &Item,
    tag: &[u8],
    checkpoint: &Checkpoint,
    write: &mut impl FnMut(&[u8]) -> io::Result<()>,
    taking: &mut Taking,
) -> Result<u64, wal::Error> {
    let frame = match item {
        Item::Frame(frame) => frame,
        Item::Damaged(numbers) => return Ok(numbers.end),
    };
    for run in frame.runs.iter().filter(|run| run.targets.contains(&work.backend)) {
        let is_owed = checkpoint.owes(work.backend, frame.number(), run.tag) == Some(tag);
        let is_wanted =
            work.wish.database.as_deref().is_none_or(|database| is_of(run.tag, database));
        if !is_owed || !is_wanted {
            continue;
        }
        if !taking.tags.contains(run.tag) {
            taking.tags.push(run.tag.clone());
        }
        taking.taken.lines += u64::from(run.points);
        taking.taken.bytes += run.payload.len() as u64;
        if work.wish.exports {
            write_run(frame, &run, &mut taking.last, write)?;
        }
    }
    Ok(frame.number() + 1)
}

/// The highest stamp stays as it was written: what came after it, other backends may not have confirmed, and
/// a start finds that out by it.
fn forget(work: &Work, checkpoint: &mut Checkpoint, end: u64, tags: Vec<Rc<[u8]>>) {
    let backend = work.backend;
    if work.wish.database.is_some() {
        checkpoint.marks.retain(|mark| mark.backend != backend || !tags.contains(&mark.tag));
        let drops = tags.into_iter().map(|tag| Dropped { backend, tag, end });
        checkpoint.drops.extend(drops);
        return;
    }
    checkpoint.marks.retain(|mark| mark.backend != backend);
    checkpoint.marks.push(QueueMark::empty(backend, end));
}

/// Says, durably, that a backend may lack so many points.
pub(super) fn mark(config: &Config, backend: &str, reason: &str, points: u64) -> io::Result<()> {
    let path = incomplete_path(&config.data_dir, backend);
    let before = std::fs::read_to_string(&path).ok().and_then(|text| parse_incomplete(&text));
    let flag = Incomplete {
        reason: reason.to_owned(),
        since_unix_ms: Clock::Real.unix().millis(),
        points: points + before.map_or(0, |before| before.points),
    };
    replace_now(&path, incomplete_text(&flag).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::start::found;
    use crate::rt::sim::SimDisk;
    use futures_lite::future::block_on;

    const GONE: BackendId = BackendId(0);
    const OTHER: BackendId = BackendId(1);

    fn settings(disk: &SimDisk) -> wal::Settings {
        wal::Settings {
            log: LogId(0),
            directory: PathBuf::from("/data/wal/log-000"),
            quarantine: PathBuf::from("/data/quarantine"),
            node: [7; 16],
            segment_bytes: 1 << 20,
            hot_bytes_max: 1 << 20,
            sync_each_commit: true,
            disk: Disk::Sim(disk.clone()),
            clock: Clock::Real,
        }
    }

    /// A gateway that was killed: of its last line no checkpoint tells yet.
    #[test]
    fn what_is_dropped_for_one_backend_hides_nothing_that_is_owed_to_another() {
        let disk = SimDisk::default();
        let mut opened = block_on(wal::open(settings(&disk))).unwrap();
        let mut checkpoint = Checkpoint {
            highest_stamp: opened.log.low_water(),
            marks: vec![QueueMark::empty(GONE, 1), QueueMark::empty(OTHER, 1)],
            ..Checkpoint::default()
        };
        block_on(opened.checkpoint_file.write(&checkpoint)).unwrap();
        let mut writer = opened.log.writer();
        let fill = |place: &mut [u8]| place.copy_from_slice(b"m v=1 1");
        opened.log.append(&Rc::from(&b"d"[..]), &[GONE, OTHER], 1, 7, fill).unwrap();
        let frame = block_on(writer.commit()).frames.remove(0);
        let work = Work {
            wish: Wish { backend: "gone".to_owned(), database: None, exports: false },
            backend: GONE,
            directory: PathBuf::from("/data/wal"),
            node: [7; 16],
            logs: vec![LogId(0)],
        };
        forget(&work, &mut checkpoint, frame.number() + 1, Vec::new());
        block_on(opened.checkpoint_file.write(&checkpoint)).unwrap();
        drop((writer, opened));
        let told = found(&block_on(wal::open(settings(&disk))).unwrap(), &[GONE, OTHER]);
        let cuts: Vec<_> = told.oldest.iter().map(|(backend, _, cut)| (*backend, *cut)).collect();
        assert!(cuts.len() == 1 && cuts[0].0 == OTHER && cuts[0].1 <= frame.stamp(), "{cuts:?}");
    }
}
