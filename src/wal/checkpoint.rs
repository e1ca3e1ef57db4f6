//! The file `cursors`: how far each queue of a log is confirmed, in two slots written in turn.
//!
//! ```text
//! slot  = magic u64, generation u64, log u16, len u32, highest stamp u64,
//!         floors n u32, (backend u16, stamp u64) ..., marks n u32, mark ..., drops n u32, drop ...,
//!         refusals n u32, refusal ..., reached n u32, drop ..., parked floors n u32, parked floor ...,
//!         for each mark: bytes owed u64, CRC-32C
//! mark  = backend u16, cursor u64, oldest u64, oldest statement u64, tag_len u16, tag
//! drop  = backend u16, end u64, tag_len u16, tag
//! parked floor = backend u16, stamp u64, tag_len u16, tag
//! refusal = frame u64, line u32, n u16, backends that refused u16 ..., n u16, all its backends u16 ...
//! ```
//! A torn slot has a wrong checksum, and then the other one, one second older, counts. Losing both is
//! safe: everything that is still on disk is sent again.

use super::format::In;
use super::{Error, during, format};
use crate::base::failpoint;
use crate::base::ids::{BackendId, LogId};
use crate::base::planted::{Planted, is_planted};
use crate::base::time::Stamp;
use crate::rt::{Buffer, Disk, File};
use std::path::Path;
use std::rc::Rc;

const MAGIC: u64 = u64::from_le_bytes(*b"CIRCCUR1");
pub(super) const SLOT_BYTES: usize = 256 * 1024;
/// Magic, generation, log, length.
const HEAD_BYTES: usize = 22;
pub(super) const NAME: &str = "cursors";

/// How far one queue is confirmed. Lives on: the shard that owns the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMark {
    pub backend: BackendId,
    /// Empty for the queue of the backend; the tag of the runs for a parked queue.
    pub tag: Rc<[u8]>,
    /// Every frame below this number is confirmed.
    pub cursor: u64,
    /// No frame at or above the cursor has a lower stamp; `Stamp::NONE` if none was owed.
    pub oldest: Stamp,
    /// The oldest statement that is owed, or `Stamp::NONE`.
    pub oldest_statement: Stamp,
    /// Bytes of lines that are owed.
    pub bytes: u64,
}

impl QueueMark {
    /// A backend's own queue that has confirmed every frame below `end`, and owes nothing.
    pub fn empty(backend: BackendId, end: u64) -> QueueMark {
        QueueMark {
            backend,
            tag: Rc::from(&b""[..]),
            cursor: end,
            oldest: Stamp::NONE,
            oldest_statement: Stamp::NONE,
            bytes: 0,
        }
    }
}

/// Runs that an operator has dropped: they are not sent. Lives on: the shard that owns the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    pub backend: BackendId,
    pub tag: Rc<[u8]>,
    /// Of frames below this number.
    pub end: u64,
}

/// How far a queue was in any life, though its cursor was set back since: frames below it that are sent once
/// more were answered before. Lives on: the shard that owns the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    pub backend: BackendId,
    pub tag: Rc<[u8]>,
    pub end: u64,
}

/// Below this stamp nothing waits in the parked queues of a database, in any log.
/// Lives on: the shard that owns the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedFloor {
    pub backend: BackendId,
    pub tag: Rc<[u8]>,
    pub stamp: Stamp,
}

/// Bytes of a frame that some of its backends refused, until it is known what the others make of them.
/// Lives on: the shard that owns the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub frame: u64,
    /// CRC-32C of its bytes: where they stand in the frame changes when the frame is packed.
    pub line: u32,
    pub refused_by: Vec<BackendId>,
    pub targets: Vec<BackendId>,
}

/// What a log writes down at least every second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    pub highest_stamp: Stamp,
    /// Below its floor a backend has confirmed everything, in every log, but for what is parked.
    pub floors: Vec<(BackendId, Stamp)>,
    pub marks: Vec<QueueMark>,
    pub drops: Vec<Dropped>,
    pub refusals: Vec<Refusal>,
    pub reached: Vec<Reached>,
    /// Every database that waits anywhere, as of the moment of the floors.
    pub parked_floors: Vec<ParkedFloor>,
}

impl Checkpoint {
    /// The cursor of the queue with this tag; 0 if nothing was ever confirmed.
    pub fn cursor(&self, backend: BackendId, tag: &[u8]) -> u64 {
        let mut ours = self.marks.iter().filter(|mark| mark.backend == backend);
        ours.find(|mark| *mark.tag == *tag).map_or(0, |mark| mark.cursor)
    }

    /// The tag of the queue in which frame `number` still owes a backend its runs with `tag`; `None` if they
    /// are confirmed or were dropped.
    pub fn owes<'a>(&self, backend: BackendId, number: u64, tag: &'a [u8]) -> Option<&'a [u8]> {
        let is_dropped = self.drops.iter().any(|dropped| {
            dropped.backend == backend && *dropped.tag == *tag && number < dropped.end
        });
        let mut ours = self.marks.iter().filter(|mark| mark.backend == backend);
        // The backend's own queue does not hold what waits in a parked one.
        let is_parked = ours.any(|mark| *mark.tag == *tag);
        let queue = if is_parked { tag } else { &[] };
        (!is_dropped && number >= self.cursor(backend, queue)).then_some(queue)
    }
}

/// The open file and the turn of its slots.
#[derive(Debug)]
pub struct CheckpointFile {
    file: File,
    log: LogId,
    generation: u64,
}

impl CheckpointFile {
    /// Opens or creates the file and gives the newest whole checkpoint, if any.
    pub async fn open(
        disk: &Disk,
        directory: &Path,
        log: LogId,
    ) -> Result<(CheckpointFile, Option<Checkpoint>), Error> {
        let path = directory.join(NAME);
        let file = match disk.open(&path).await {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return create(disk, directory, log).await.map(|file| (file, None));
            }
            Err(error) => return Err(during("opening the cursors")(error)),
        };
        let mut newest: Option<(u64, Checkpoint)> = None;
        for slot in 0..2u64 {
            let bytes = file
                .read(slot * SLOT_BYTES as u64, SLOT_BYTES)
                .await
                .map_err(during("reading the cursors"))?;
            if let Some((generation, checkpoint)) = decode(&bytes, log)
                && newest.as_ref().is_none_or(|(newer, _)| generation > *newer)
            {
                newest = Some((generation, checkpoint));
            }
        }
        let generation = newest.as_ref().map_or(0, |(generation, _)| *generation);
        Ok((CheckpointFile { file, log, generation }, newest.map(|(_, checkpoint)| checkpoint)))
    }

    /// Writes the checkpoint to the older slot and syncs it.
    pub async fn write(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let generation = self.generation + 1;
        let body = encode(checkpoint, generation, self.log);
        let len = (body.len() + 4).next_multiple_of(crate::base::limits::PAGE);
        if len > SLOT_BYTES {
            return Err(Error::Format(format!(
                "{} queues do not fit the cursors' slot",
                checkpoint.marks.len()
            )));
        }
        let mut buffer = Buffer::new(len);
        buffer.bytes_mut()[..body.len()].copy_from_slice(&body);
        format::seal(&mut buffer.bytes_mut()[..body.len() + 4]);
        let at = (generation % 2) * SLOT_BYTES as u64;
        failpoint::reach("wal.checkpoint.before_write");
        let is_torn = failpoint::tear("wal.checkpoint.torn", &mut buffer.bytes_mut()[..body.len()]);
        self.file.write(buffer.freeze(len), at).await.map_err(during("writing the cursors"))?;
        failpoint::die_if(is_torn);
        if !is_planted(Planted::MarkUnsynced) {
            self.file.sync().await.map_err(during("syncing the cursors"))?;
        }
        failpoint::reach("wal.checkpoint.after_sync");
        self.generation = generation;
        Ok(())
    }
}

async fn create(disk: &Disk, directory: &Path, log: LogId) -> Result<CheckpointFile, Error> {
    // Under another name first: a file that is there always has its whole length, so that progress can
    // be recorded on a full disk.
    let fresh = directory.join("cursors.tmp");
    if disk.list(directory).await.is_ok_and(|names| names.iter().any(|name| name == "cursors.tmp"))
    {
        disk.remove(&fresh).await.map_err(during("removing half-made cursors"))?;
    }
    let making = during("creating the cursors");
    let made = async {
        let file = disk.create(&fresh).await?;
        file.allocate(2 * SLOT_BYTES as u64).await?;
        file.write(Buffer::new(2 * SLOT_BYTES).freeze(2 * SLOT_BYTES), 0).await?;
        file.sync().await?;
        disk.rename(&fresh, &directory.join(NAME)).await?;
        disk.sync_directory(directory).await?;
        Ok(file)
    };
    let file = made.await.map_err(making)?;
    Ok(CheckpointFile { file, log, generation: 0 })
}

/// A slot without its checksum, for which four bytes more are needed.
pub fn encode(checkpoint: &Checkpoint, generation: u64, log: LogId) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&generation.to_le_bytes());
    out.extend_from_slice(&log.0.to_le_bytes());
    let len_at = out.len();
    out.extend_from_slice(&0u32.to_le_bytes());
    out.extend_from_slice(&checkpoint.highest_stamp.0.to_le_bytes());
    out.extend_from_slice(&count(checkpoint.floors.len()));
    for (backend, floor) in &checkpoint.floors {
        out.extend_from_slice(&backend.0.to_le_bytes());
        out.extend_from_slice(&floor.0.to_le_bytes());
    }
    out.extend_from_slice(&count(checkpoint.marks.len()));
    for mark in &checkpoint.marks {
        out.extend_from_slice(&mark.backend.0.to_le_bytes());
        out.extend_from_slice(&mark.cursor.to_le_bytes());
        out.extend_from_slice(&mark.oldest.0.to_le_bytes());
        out.extend_from_slice(&mark.oldest_statement.0.to_le_bytes());
        push_tag(&mut out, &mark.tag);
    }
    out.extend_from_slice(&count(checkpoint.drops.len()));
    for dropped in &checkpoint.drops {
        push_end(&mut out, dropped.backend, dropped.end, &dropped.tag);
    }
    out.extend_from_slice(&count(checkpoint.refusals.len()));
    for refusal in &checkpoint.refusals {
        out.extend_from_slice(&refusal.frame.to_le_bytes());
        out.extend_from_slice(&refusal.line.to_le_bytes());
        push_backends(&mut out, &refusal.refused_by);
        push_backends(&mut out, &refusal.targets);
    }
    out.extend_from_slice(&count(checkpoint.reached.len()));
    for reached in &checkpoint.reached {
        push_end(&mut out, reached.backend, reached.end, &reached.tag);
    }
    out.extend_from_slice(&count(checkpoint.parked_floors.len()));
    for floor in &checkpoint.parked_floors {
        out.extend_from_slice(&floor.backend.0.to_le_bytes());
        out.extend_from_slice(&floor.stamp.0.to_le_bytes());
        push_tag(&mut out, &floor.tag);
    }
    checkpoint.marks.iter().for_each(|mark| out.extend_from_slice(&mark.bytes.to_le_bytes()));
    let len = count(out.len());
    out[len_at..len_at + 4].copy_from_slice(&len);
    out
}

fn push_tag(out: &mut Vec<u8>, tag: &[u8]) {
    let tag_len = u16::try_from(tag.len()).expect("a tag is a database's name");
    out.extend_from_slice(&tag_len.to_le_bytes());
    out.extend_from_slice(tag);
}

fn push_end(out: &mut Vec<u8>, backend: BackendId, end: u64, tag: &[u8]) {
    out.extend_from_slice(&backend.0.to_le_bytes());
    out.extend_from_slice(&end.to_le_bytes());
    push_tag(out, tag);
}

fn push_backends(out: &mut Vec<u8>, backends: &[BackendId]) {
    let len = u16::try_from(backends.len()).expect("backends have numbers of 16 bits");
    out.extend_from_slice(&len.to_le_bytes());
    backends.iter().for_each(|backend| out.extend_from_slice(&backend.0.to_le_bytes()));
}

fn count(len: usize) -> [u8; 4] {
    u32::try_from(len).expect("bounded by the slot").to_le_bytes()
}

/// Generation and content of a slot; `None` if it is torn, rotten, or of another log.
pub fn decode(slot: &[u8], log: LogId) -> Option<(u64, Checkpoint)> {
    let mut input = In { bytes: slot };
    if input.u64()? != MAGIC {
        return None;
    }
    let generation = input.u64()?;
    let log_found = input.u16()?;
    let len = input.u32()? as usize;
    format::sealed(slot.get(..len.checked_add(4)?)?)?;
    if log_found != log.0 {
        return None;
    }
    let mut input = In { bytes: slot.get(HEAD_BYTES..len)? };
    let mut checkpoint = Checkpoint { highest_stamp: Stamp(input.u64()?), ..Checkpoint::default() };
    for _ in 0..input.u32()? {
        checkpoint.floors.push((BackendId(input.u16()?), Stamp(input.u64()?)));
    }
    for _ in 0..input.u32()? {
        let backend = BackendId(input.u16()?);
        let cursor = input.u64()?;
        let oldest = Stamp(input.u64()?);
        let oldest_statement = Stamp(input.u64()?);
        let tag = take_tag(&mut input)?;
        let bytes = 0;
        checkpoint.marks.push(QueueMark { backend, tag, cursor, oldest, oldest_statement, bytes });
    }
    for _ in 0..input.u32()? {
        let backend = BackendId(input.u16()?);
        let end = input.u64()?;
        checkpoint.drops.push(Dropped { backend, tag: take_tag(&mut input)?, end });
    }
    if input.bytes.is_empty() {
        // An older one ends here.
        return Some((generation, checkpoint));
    }
    for _ in 0..input.u32()? {
        checkpoint.refusals.push(Refusal {
            frame: input.u64()?,
            line: input.u32()?,
            refused_by: take_backends(&mut input)?,
            targets: take_backends(&mut input)?,
        });
    }
    for _ in 0..input.u32()? {
        let backend = BackendId(input.u16()?);
        let end = input.u64()?;
        checkpoint.reached.push(Reached { backend, tag: take_tag(&mut input)?, end });
    }
    if input.bytes.is_empty() {
        return Some((generation, checkpoint));
    }
    for _ in 0..input.u32()? {
        let backend = BackendId(input.u16()?);
        let stamp = Stamp(input.u64()?);
        checkpoint.parked_floors.push(ParkedFloor { backend, tag: take_tag(&mut input)?, stamp });
    }
    for mark in &mut checkpoint.marks {
        mark.bytes = input.u64()?;
    }
    Some((generation, checkpoint))
}

fn take_tag(input: &mut In<'_>) -> Option<Rc<[u8]>> {
    let len = input.u16()?;
    input.take(usize::from(len)).map(Rc::from)
}

fn take_backends(input: &mut In<'_>) -> Option<Vec<BackendId>> {
    let len = input.u16()?;
    (0..len).map(|_| input.u16().map(BackendId)).collect()
}
