//! Takes what is owed to a backend out of the logs of a stopped node.

use super::control::Trouble;
use super::core::PROBE_FILE;
use crate::backend::board::Incomplete;
use crate::base::ids::{BackendId, LogId};
use crate::base::time::Stamp;
use crate::config::Config;
use crate::ingest::checkpoint::{incomplete_path, parse_incomplete};
use crate::ring::Target;
use crate::rt::{Clock, Disk, launch, preflight};
use crate::wal::{self, Checkpoint, Dropped, Item, QueueMark, Registry};
use std::io;
use std::rc::Rc;
use std::sync::mpsc::sync_channel;

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

struct Work {
    wish: Wish,
    backend: BackendId,
    directory: std::path::PathBuf,
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
    let known = registry.names().iter().position(|name| *name == wish.backend);
    let Some(backend) = known.and_then(|at| u16::try_from(at).ok()).map(BackendId) else {
        return Err(Trouble::Usage(format!(
            "no backend named {:?} is known here; there are: {}",
            wish.backend,
            registry.names().join(", ")
        )));
    };
    let work = Work {
        backend,
        directory: registry.directory().to_owned(),
        node: registry.node,
        logs: registry.logs().map_err(Trouble::Running)?,
        wish,
    };
    let name = work.wish.backend.clone();
    let (sender, receiver) = sync_channel(1);
    let cpu = super::control::allowed_cpus()[0];
    launch(cpu, "backlog", move || async move {
        // The starter waits for exactly this one message.
        sender.send(take_all(work, &mut write).await).unwrap_or(());
    })?;
    let taken = receiver.recv().map_err(|error| Trouble::Running(error.to_string()))?;
    let taken = taken.map_err(Trouble::Running)?;
    if taken.lines > 0 {
        mark(config, &name, taken.lines).map_err(|error| Trouble::Running(error.to_string()))?;
    }
    Ok(taken)
}

async fn take_all(
    work: Work,
    write: &mut impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Taken, String> {
    let probe = work.directory.join(PROBE_FILE);
    Disk::Real.open(&probe).await.map_err(|error| error.to_string())?;
    let mut taken = Taken::default();
    for log in &work.logs {
        take_log(&work, *log, write, &mut taken).await.map_err(|error| error.to_string())?;
    }
    Ok(taken)
}

async fn take_log(
    work: &Work,
    log: LogId,
    write: &mut impl FnMut(&[u8]) -> io::Result<()>,
    taken: &mut Taken,
) -> Result<(), wal::Error> {
    let opened = wal::open(wal::Settings {
        log,
        directory: work.directory.join(format!("log-{:03}", log.0)),
        quarantine: work.directory.join("quarantine"),
        node: work.node,
        segment_bytes: 8 * 1024 * 1024,
        hot_bytes_max: 0,
        sync_each_commit: true,
        disk: Disk::Real,
        clock: Clock::Real,
    })
    .await?;
    let end = opened.log.end();
    let mut checkpoint = opened.checkpoint.unwrap_or_default();
    let mut tags: Vec<Rc<[u8]>> = Vec::new();
    for (tag, from) in queues(work, &checkpoint) {
        let mut at = from;
        while at < end {
            let items = opened.log.read(at, READ_BYTES).await?;
            if items.is_empty() {
                break;
            }
            for item in items {
                at = take_item(work, &item, tag.as_deref(), &checkpoint, write, taken, &mut tags)?;
            }
        }
    }
    forget(work, &mut checkpoint, end, opened.found.highest_stamp, tags);
    let mut file = opened.checkpoint_file;
    // Both slots, so that an older one cannot bring the lines back.
    file.write(&checkpoint).await?;
    file.write(&checkpoint).await
}

/// The queues to take from: the tag of a parked one, and the first frame.
fn queues(work: &Work, checkpoint: &Checkpoint) -> Vec<(Option<Vec<u8>>, u64)> {
    let ours = checkpoint.marks.iter().filter(|mark| mark.backend == work.backend);
    let mut queues: Vec<_> =
        ours.map(|mark| ((!mark.tag.is_empty()).then(|| mark.tag.to_vec()), mark.cursor)).collect();
    if !queues.iter().any(|(tag, _)| tag.is_none()) {
        queues.push((None, 0));
    }
    queues
}

fn is_wanted(work: &Work, tag: &[u8]) -> bool {
    let Some(wanted) = &work.wish.database else { return true };
    let target = Target::from_tag(tag);
    target.is_some_and(|target| *target.database == **wanted || target.bucket() == **wanted)
}

/// Returns the number of the next frame.
fn take_item(
    work: &Work,
    item: &Item,
    tag: Option<&[u8]>,
    checkpoint: &Checkpoint,
    write: &mut impl FnMut(&[u8]) -> io::Result<()>,
    taken: &mut Taken,
    tags: &mut Vec<Rc<[u8]>>,
) -> Result<u64, wal::Error> {
    let frame = match item {
        Item::Frame(frame) => frame,
        Item::Damaged(numbers) => return Ok(numbers.end),
    };
    for run in frame.runs.iter().filter(|run| run.targets.contains(&work.backend)) {
        // The backend's own queue does not hold what waits in a parked one.
        let mut ours = checkpoint.marks.iter().filter(|mark| mark.backend == work.backend);
        let is_elsewhere = tag.is_none() && ours.any(|mark| *mark.tag == *run.tag);
        let is_other = tag.is_some_and(|tag| *run.tag != *tag);
        let is_gone = checkpoint.drops.iter().any(|dropped| {
            dropped.backend == work.backend
                && *dropped.tag == *run.tag
                && frame.number() < dropped.end
        });
        if is_elsewhere || is_other || is_gone || !is_wanted(work, &run.tag) {
            continue;
        }
        if !tags.contains(&run.tag) {
            tags.push(run.tag.clone());
        }
        taken.lines += u64::from(run.points);
        taken.bytes += run.payload.len() as u64;
        if work.wish.exports {
            let target = Target::from_tag(&run.tag);
            let bucket = target.map(|target| target.bucket().into_owned()).unwrap_or_default();
            let comment = format!("# db={bucket:?}\n");
            let written = write(comment.as_bytes()).and_then(|()| write(frame.payload(run)));
            written.map_err(|source| wal::Error::Disk { during: "writing the lines", source })?;
        }
    }
    Ok(frame.number() + 1)
}

fn forget(work: &Work, checkpoint: &mut Checkpoint, end: u64, highest: Stamp, tags: Vec<Rc<[u8]>>) {
    checkpoint.highest_stamp = checkpoint.highest_stamp.max(highest);
    let backend = work.backend;
    if work.wish.database.is_some() {
        checkpoint.marks.retain(|mark| mark.backend != backend || !tags.contains(&mark.tag));
        let drops = tags.into_iter().map(|tag| Dropped { backend, tag, end });
        checkpoint.drops.extend(drops);
        return;
    }
    checkpoint.marks.retain(|mark| mark.backend != backend);
    checkpoint.marks.push(QueueMark {
        backend,
        tag: Rc::from(&b""[..]),
        cursor: end,
        oldest: Stamp::NONE,
        oldest_statement: Stamp::NONE,
    });
}

fn mark(config: &Config, backend: &str, points: u64) -> io::Result<()> {
    let path = incomplete_path(&config.data_dir, backend);
    let before = std::fs::read_to_string(&path).ok().and_then(|text| parse_incomplete(&text));
    let flag = Incomplete {
        reason: "its backlog was dropped by command".to_owned(),
        since_unix_ms: Clock::Real.unix().millis(),
        points: points + before.map_or(0, |before| before.points),
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(&path, format!("{}\n{}\n{}\n", flag.since_unix_ms, flag.points, flag.reason))?;
    std::fs::File::open(&path)?.sync_all()
}
