//! The one task that brings a log to stable storage: group commit, rotation, and what a failing disk means.

use super::format::SegmentHeader;
use super::frame::{Frame, OpenFrame, Sealing};
use super::log::Log;
use super::segment::{self, Entry, Segment};
use super::space::{Haste, Made};
use super::{Error, during};
use crate::base::failpoint;
use crate::base::ids::BackendId;
use crate::base::limits::PAGE;
use crate::base::planted::{Planted, is_planted};
use crate::base::time::Stamp;
use crate::rt::{Buffer, DurableFile, Signal};
use std::rc::Rc;

/// What a commit brought to the disk. Lives on: the shard that owns the log.
#[derive(Debug)]
pub struct Committed {
    /// To be published and released.
    pub frames: Vec<Rc<Frame>>,
    /// Why frames behind these were refused.
    pub error: Option<Error>,
}

/// The segment that is written.
#[derive(Debug)]
struct Active {
    segment: Rc<Segment>,
    /// Its file, for a commit of one frame; none where commits are not synced one by one.
    durable: Option<DurableFile>,
}

/// The one that commits. Lives on: the shard that owns the log.
#[derive(Debug)]
pub struct Writer {
    log: Log,
    active: Option<Active>,
    /// The floors to write into the next segment's header.
    floors: Vec<(BackendId, Stamp)>,
    /// The note of frames that are sealed from now on.
    note: u16,
    /// Bytes written since the last sync.
    unsynced_bytes: usize,
}

impl Writer {
    pub(super) fn new(log: Log) -> Writer {
        Writer { log, active: None, floors: Vec::new(), note: 0, unsynced_bytes: 0 }
    }

    /// Waits until there is something to commit, or to repair.
    pub async fn work(&self) {
        while !self.has_work() {
            self.log.0.work.wait().await;
        }
    }

    pub fn has_work(&self) -> bool {
        let shared = &self.log.0;
        shared.failed.get() || shared.open.borrow().is_some() || !shared.full.borrow().is_empty()
    }

    /// Wakes [`Writer::work`]'s waiter without work, so that it can look whether to stop.
    pub fn signal(&self) -> Signal {
        self.log.0.work.clone()
    }

    /// What frames that are sealed from now on carry in their headers.
    pub fn set_note(&mut self, note: u16) {
        self.note = note;
    }

    pub fn set_floors(&mut self, floors: Vec<(BackendId, Stamp)>) {
        self.floors = floors;
    }

    /// Commits everything that was appended: sealed, written, synced. The frames are not yet released:
    /// the caller publishes them first and then calls [`Writer::release`].
    ///
    /// After a failure of the disk the segment is abandoned and the frames are written to a fresh one.
    /// If that fails, too, all that is not on stable storage is refused, and the log takes nothing until
    /// [`Writer::try_again`] works.
    pub async fn commit(&mut self) -> Committed {
        if self.log.0.failed.get() {
            return Committed { frames: Vec::new(), error: Some(Error::Failed) };
        }
        if self.active.is_none() {
            // A failure shows again in the write below, and is handled there.
            self.rotate().await.map(drop).unwrap_or(());
        }
        let frames = self.seal();
        let Err(error) = self.write_first(&frames).await else { return self.done(frames, None) };
        tracing::error!(%error, "the segment is abandoned, its frames go to a fresh one");
        self.abandon();
        match self.write_again(&frames).await {
            Ok(()) => self.done(frames, None),
            Err(error) => {
                self.abandon();
                self.refuse(frames, error)
            }
        }
    }

    /// Lets requests that wait for these frames go on.
    pub fn release(&self, frames: &[Rc<Frame>]) {
        if let Some(last) = frames.last() {
            failpoint::reach("wal.append.before_release");
            self.log.0.released_end.set(last.number() + 1);
            self.log.0.released_stamp.set(last.stamp());
            self.log.0.released.raise();
        }
    }

    /// Brings earlier commits to stable storage, for logs that do not sync each. A failure is treated as
    /// in [`Writer::commit`]: a sync that failed once says nothing when it is repeated.
    pub async fn sync(&mut self) -> Result<(), Error> {
        let Err(error) = self.sync_active().await else { return Ok(()) };
        tracing::error!(%error, "the segment is abandoned, its frames go to a fresh one");
        self.abandon();
        let Err(error) = self.write_again(&[]).await else { return Ok(()) };
        self.abandon();
        match self.refuse(Vec::new(), error).error {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// After a refusal: tries a fresh segment; the log takes appends again if it works.
    pub async fn try_again(&mut self) -> Result<(), Error> {
        let tried = async {
            self.rotate().await?;
            self.write_again(&[]).await
        };
        if let Err(error) = tried.await {
            self.abandon();
            return Err(error);
        }
        self.log.0.failed.set(false);
        Ok(())
    }

    async fn sync_active(&mut self) -> Result<(), Error> {
        let Some(segment) = self.segment() else { return Ok(()) };
        let end = segment.end_frame.get();
        if !is_planted(Planted::EarlyAnswer) {
            segment.file.sync().await.map_err(during("syncing a segment"))?;
        }
        self.is_synced_up_to(end);
        Ok(())
    }

    /// The active segment.
    fn segment(&self) -> Option<Rc<Segment>> {
        self.active.as_ref().map(|active| active.segment.clone())
    }

    fn is_synced_up_to(&mut self, end: u64) {
        self.log.0.synced_end.set(end.max(self.log.0.synced_end.get()));
        self.unsynced_bytes = 0;
    }

    /// Writes to a fresh segment all that is not on stable storage: `frames`, and with lazy syncing what
    /// was released before. It has been at risk once and is synced at once.
    async fn write_again(&mut self, frames: &[Rc<Frame>]) -> Result<(), Error> {
        let unsynced = self.unsynced(frames);
        self.write(&unsynced).await?;
        self.sync_active().await
    }

    fn seal(&self) -> Vec<Rc<Frame>> {
        let shared = &self.log.0;
        shared.close(&mut shared.open.borrow_mut());
        let full = shared.full.take();
        let epoch = self.segment().map_or(0, |segment| segment.header.epoch);
        let unix_ms = shared.settings.clock.unix().millis();
        let seal = |open: OpenFrame| {
            let number = shared.next_number.get();
            shared.next_number.set(number + 1);
            let synced = shared.synced_end.get() - 1;
            let stamp = shared.next_stamp();
            Rc::new(open.seal(Sealing { epoch, number, stamp, unix_ms, synced, note: self.note }))
        };
        let frames: Vec<Rc<Frame>> = full.into_iter().map(seal).collect();
        let bytes: usize = frames.iter().map(|frame| frame.header.frame_bytes()).sum();
        // Shrinks slowly, so that one small commit between large ones changes nothing.
        shared.recent_bytes.set(bytes.max(shared.recent_bytes.get() / 8 * 7));
        frames
    }

    /// With a log that syncs each commit a frame is written durably if it is all that is not synced: a disk that can
    /// (FUA) then keeps this write and flushes nothing else. Several frames are written, then synced.
    async fn write(&mut self, frames: &[Rc<Frame>]) -> Result<(), Error> {
        let mut is_synced = false;
        for (place, frame) in frames.iter().enumerate() {
            let segment = self.segment_for(frame.header.frame_bytes()).await?;
            let at = segment.end_offset.get();
            let here = if frame.header.epoch == segment.header.epoch {
                frame.clone()
            } else {
                Rc::new(frame.moved_to(segment.header.epoch))
            };
            let is_last = place + 1 == frames.len() && !is_planted(Planted::EarlyAnswer);
            let is_alone = self.unsynced_bytes == 0 || is_planted(Planted::LastDurable);
            let durable = self.active.as_ref().and_then(|active| active.durable.as_ref());
            let durable = durable.filter(|_| is_last && is_alone);
            is_synced = durable.is_some();
            failpoint::reach("wal.append.before_write");
            let written = match durable {
                Some(file) => {
                    failpoint::reach("wal.append.before_sync");
                    file.write(here.buffer(), at).await
                }
                None => segment.file.write(here.buffer(), at).await,
            };
            written.map_err(during("writing a frame"))?;
            failpoint::reach("wal.append.after_write");
            segment.note(frame, at);
            self.unsynced_bytes += frame.memory_bytes();
        }
        // What is not synced is kept in memory: half of the hot window may be that.
        let settings = &self.log.0.settings;
        if let Some(last) = frames.last().filter(|_| is_synced) {
            failpoint::reach("wal.append.after_sync");
            self.is_synced_up_to(last.number() + 1);
        } else if settings.sync_each_commit || self.unsynced_bytes > settings.hot_bytes_max / 2 {
            self.sync_active().await?;
        }
        Ok(())
    }

    /// Old lines are read only between the commits that requests wait for.
    async fn write_first(&mut self, frames: &[Rc<Frame>]) -> Result<(), Error> {
        let shared = self.log.0.clone();
        let clock = &shared.settings.clock;
        shared.turns.commit_begins(clock.mono());
        let written = self.write(frames).await;
        shared.turns.commit_ends(clock.mono());
        written
    }

    fn done(&self, frames: Vec<Rc<Frame>>, error: Option<Error>) -> Committed {
        for frame in &frames {
            self.log.0.keep_hot(frame.clone());
        }
        if let Some(segment) = self.segment() {
            self.log.want_spare(&segment);
        }
        Committed { frames, error }
    }

    /// Never writes to the active segment again. What of it is not synced may be there or not.
    fn abandon(&mut self) {
        let Some(Active { segment: active, .. }) = self.active.take() else { return };
        active.cut(self.log.0.synced_end.get());
        if active.end_frame.get() == active.header.first_frame {
            // Nothing in it counts: a disk that fails for a day must not be filled by what it refused.
            let shared = &self.log.0;
            shared.segments.borrow_mut().retain(|segment| !Rc::ptr_eq(segment, &active));
            shared.litter.borrow_mut().push(active.path.clone());
        }
    }

    /// The frames that a fresh segment must hold: these, and with lazy syncing what was released before.
    fn unsynced(&self, frames: &[Rc<Frame>]) -> Vec<Rc<Frame>> {
        let end = self.log.0.synced_end.get();
        let first = frames.first().map_or(u64::MAX, |frame| frame.number());
        let hot = self.log.0.hot.borrow();
        let earlier = hot.iter().filter(|frame| (end..first).contains(&frame.number()));
        earlier.chain(frames.iter().filter(|frame| frame.number() >= end)).cloned().collect()
    }

    fn refuse(&mut self, mut frames: Vec<Rc<Frame>>, error: Error) -> Committed {
        let shared = self.log.0.clone();
        let end = shared.synced_end.get();
        frames.retain(|frame| frame.number() < end);
        shared.open.borrow_mut().take();
        shared.full.borrow_mut().clear();
        shared.next_number.set(end.max(shared.released_end.get()));
        shared.failures.set(shared.failures.get() + 1);
        shared.failed.set(true);
        shared.released.raise();
        self.done(frames, Some(error))
    }

    async fn segment_for(&mut self, bytes: usize) -> Result<Rc<Segment>, Error> {
        if let Some(segment) = self.segment() {
            if segment.end_offset.get() + bytes as u64 <= segment.area_end() {
                return Ok(segment);
            }
            // It stays the active one until it is synced, so that a failure abandons it.
            self.finish(&segment).await?;
            self.active = None;
        }
        self.rotate().await
    }

    /// Everything in a full segment is synced before the next one exists, so that a hole can only be in
    /// the last one. The footer comes after that, or a torn end could stand behind a whole footer; it saves
    /// the next start from reading the segment, and may be lost.
    async fn finish(&mut self, full: &Segment) -> Result<(), Error> {
        self.sync_active().await?;
        write_footer(full).await;
        Ok(())
    }

    /// Makes a fresh segment the active one: header first, then the name, then the directory.
    async fn rotate(&mut self) -> Result<Rc<Segment>, Error> {
        let shared = self.log.0.clone();
        let settings = &shared.settings;
        let spare = shared.spare.borrow_mut().take();
        let Made { file, path: made } = match spare {
            Some(made) => made,
            None => self.log.make_file(Haste::Now).await.map_err(during("creating a segment"))?,
        };
        let number = shared.next_segment.get();
        shared.next_segment.set(number + 1);
        let header = self.header(number);
        let pages = header.encode();
        let mut buffer = Buffer::new(pages.len());
        buffer.bytes_mut().copy_from_slice(&pages);
        let path = segment::path(&settings.directory, number);
        let creating = async {
            file.write(buffer.freeze(pages.len()), 0).await?;
            failpoint::reach("wal.segment.before_header_sync");
            if !is_planted(Planted::HeaderUnsynced) {
                file.sync().await?;
            }
            failpoint::reach("wal.segment.after_header_sync");
            settings.disk.rename(&made, &path).await?;
            failpoint::reach("wal.segment.after_rename");
            settings.disk.sync_directory(&settings.directory).await?;
            match settings.sync_each_commit {
                true => file.durable(&path).await.map(Some),
                false => Ok(None),
            }
        };
        let durable = match creating.await {
            Ok(durable) => durable,
            Err(error) => {
                // It holds no frame, under whichever of the two names.
                shared.litter.borrow_mut().extend([made, path]);
                return Err(during("creating a segment")(error));
            }
        };
        failpoint::reach("wal.segment.after_dir_sync");
        let segment = Rc::new(Segment::new(header, file.clone(), path));
        *segment.index.borrow_mut() = Some(Vec::<Entry>::new());
        shared.segments.borrow_mut().push(segment.clone());
        self.active = Some(Active { segment: segment.clone(), durable });
        Ok(segment)
    }

    fn header(&self, number: u64) -> SegmentHeader {
        let shared = &self.log.0;
        let first_frame = shared.synced_end.get();
        let segments = shared.segments.borrow();
        let before = segments.iter().rev().find(|old| old.end_frame.get() <= first_frame);
        SegmentHeader {
            log: shared.settings.log,
            segment: number,
            epoch: fresh_epoch(),
            node: shared.settings.node,
            first_frame,
            stamp_before: before.map_or(Stamp(0), |old| old.last_stamp.get()),
            created_unix_ms: shared.settings.clock.unix().millis(),
            bytes: shared.settings.segment_bytes,
            floors: self.floors.clone(),
            packed: None,
        }
    }
}

/// Only an accelerator: a failure is told and does no harm.
pub(super) async fn write_footer(segment: &Segment) {
    if segment.end_frame.get() == segment.header.first_frame {
        return;
    }
    let Some(page) = segment.footer().encode() else { return };
    let mut buffer = Buffer::new(PAGE);
    buffer.bytes_mut().copy_from_slice(&page);
    if let Err(error) = segment.file.write(buffer.freeze(PAGE), segment.area_end()).await {
        tracing::warn!(%error, segment = %segment.path.display(), "no footer");
    }
}

pub(super) fn fresh_epoch() -> u64 {
    getrandom::u64().expect("the kernel gives random numbers")
}
