//! The log of one shard: append, group commit, hot window, rotation, freeing.
//!
//! Requests append to the open frame; one task, the [`Writer`], seals it, writes it and syncs; while that
//! is under way the next frame fills. No timer: an idle log commits at once, a busy one in groups.

use super::format::SegmentHeader;
use super::frame::{Frame, Kind, OpenFrame, Sealing};
use super::segment::{self, Entry, Segment};
use super::{Error, during};
use crate::base::ids::{BackendId, LogId};
use crate::base::limits::PAGE;
use crate::base::time::{Mono, Stamp};
use crate::rt::{Buffer, Clock, Disk, File, Signal};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Zeros written at a time.
const ZERO_BYTES: usize = 1 << 20;

/// Recycled files that a log keeps.
const FREE_FILES_MAX: usize = 4;

/// What a log is told once.
#[derive(Clone, Debug)]
pub struct Settings {
    pub log: LogId,
    pub directory: PathBuf,
    /// Where copies of unreadable regions go.
    pub quarantine: PathBuf,
    pub node: [u8; 16],
    pub segment_bytes: u64,
    pub hot_bytes_max: usize,
    /// Sync with every commit; otherwise only when [`Writer::sync`] is called.
    pub sync_each_commit: bool,
    pub disk: Disk,
    pub clock: Clock,
}

/// What was found at start beside the frames themselves.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub segments: usize,
    pub frames: u64,
    /// Frames that were acknowledged once and are lost, as far as this start has looked: a segment with a
    /// footer is verified when it is read.
    pub damaged_frames: u64,
    /// Segments whose header could not be read in either place, set aside whole. Each counts as one
    /// more damaged frame, because what it held is not known.
    pub damaged_segments: usize,
    pub highest_stamp: Stamp,
    /// The highest floor of each backend in any segment header.
    pub floors: Vec<(BackendId, Stamp)>,
}

/// A log. Clones share it. Lives on: the shard that owns it.
#[derive(Clone, Debug)]
pub struct Log(pub(super) Rc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub settings: Settings,
    pub segments: RefCell<Vec<Rc<Segment>>>,
    pub hot: RefCell<VecDeque<Rc<Frame>>>,
    hot_bytes: Cell<usize>,
    open: RefCell<Option<OpenFrame>>,
    full: RefCell<VecDeque<OpenFrame>>,
    /// The number that the open frame will get.
    next_number: Cell<u64>,
    /// Every frame below this number is on stable storage.
    synced_end: Cell<u64>,
    /// Every frame below this number may be acknowledged.
    released_end: Cell<u64>,
    released_stamp: Cell<Stamp>,
    last_stamp: Cell<Stamp>,
    stamp_offset: Cell<u64>,
    failures: Cell<u64>,
    failed: Cell<bool>,
    work: Signal,
    released: Signal,
    next_segment: Cell<u64>,
    free_files: RefCell<Vec<PathBuf>>,
    spare: RefCell<Option<Made>>,
    /// Files made so far, for their names.
    made: Cell<u64>,
    /// Files that a failure left half made, to be removed before another one takes space.
    litter: RefCell<Vec<PathBuf>>,
    /// Frames below this one were freed, except if `lost_front`: then a segment there was unreadable.
    pub lost_front: Cell<bool>,
    spare_wanted: Signal,
}

/// Where a request's bytes went, to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of the frame.
    pub number: u64,
    /// Of the run's first byte in the frame.
    pub offset: usize,
    failures: u64,
}

/// What a commit brought to the disk.
#[derive(Debug)]
pub struct Committed {
    /// To be published and released.
    pub frames: Vec<Rc<Frame>>,
    /// Why frames behind these were refused.
    pub error: Option<Error>,
}

/// A file of a segment's length that has no header yet.
#[derive(Debug)]
struct Made {
    file: File,
    path: PathBuf,
}

/// The one that commits. Lives on: the shard that owns the log.
#[derive(Debug)]
pub struct Writer {
    log: Log,
    active: Option<Rc<Segment>>,
    /// The floors to write into the next segment's header.
    floors: Vec<(BackendId, Stamp)>,
    /// Bytes written since the last sync.
    unsynced_bytes: usize,
}

impl Log {
    pub(super) fn new(
        settings: Settings,
        found: &Found,
        next_number: u64,
        next_segment: u64,
    ) -> Log {
        Log(Rc::new(Shared {
            settings,
            segments: RefCell::default(),
            hot: RefCell::default(),
            hot_bytes: Cell::new(0),
            open: RefCell::default(),
            full: RefCell::default(),
            next_number: Cell::new(next_number),
            synced_end: Cell::new(next_number),
            released_end: Cell::new(next_number),
            released_stamp: Cell::new(Stamp(0)),
            last_stamp: Cell::new(found.highest_stamp),
            stamp_offset: Cell::new(0),
            failures: Cell::new(0),
            failed: Cell::new(false),
            work: Signal::new(),
            released: Signal::new(),
            next_segment: Cell::new(next_segment),
            free_files: RefCell::default(),
            spare: RefCell::default(),
            made: Cell::new(0),
            litter: RefCell::default(),
            lost_front: Cell::new(false),
            spare_wanted: Signal::new(),
        }))
    }

    pub fn id(&self) -> LogId {
        self.0.settings.log
    }

    /// Lets stamps go on above `highest`, the highest of all logs of the node. `now` is one moment for all
    /// of them, so that their stamps are of one clock.
    pub fn continue_stamps(&self, highest: Stamp, now: Mono) {
        self.0.stamp_offset.set((highest.0 + 1).saturating_sub(now.0));
        self.0.last_stamp.set(self.0.last_stamp.get().max(highest));
    }

    /// The stamp that a frame sealed now would have at least.
    pub fn stamp_now(&self) -> Stamp {
        Stamp(self.0.settings.clock.mono().0 + self.0.stamp_offset.get())
    }

    /// Copies a run into the open frame. `fill` writes its `len` bytes.
    pub fn append(
        &self,
        tag: &Rc<[u8]>,
        targets: &[BackendId],
        points: u32,
        len: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Place, Error> {
        if self.0.failed.get() {
            return Err(Error::Failed);
        }
        let mut open = self.0.open.borrow_mut();
        if open.as_ref().is_some_and(|frame| frame.room(tag, targets) < len) {
            self.0.close(&mut open);
        }
        let frame = open.get_or_insert_with(|| OpenFrame::new(Kind::Lines, tag, targets, len));
        let offset = frame.payload_end();
        fill(frame.push(tag, targets, points, len));
        self.0.work.raise();
        Ok(self.0.place(offset))
    }

    /// The longest run that one frame can hold.
    pub fn run_bytes_max(&self, tag: &[u8], targets: &[BackendId]) -> usize {
        OpenFrame::room_max(tag, targets)
    }

    /// Appends a statement, alone in its frame.
    pub fn append_statement(
        &self,
        tag: &Rc<[u8]>,
        targets: &[BackendId],
        text: &[u8],
    ) -> Result<Place, Error> {
        if self.0.failed.get() {
            return Err(Error::Failed);
        }
        let mut open = self.0.open.borrow_mut();
        self.0.close(&mut open);
        let mut frame = OpenFrame::new(Kind::Statement, tag, targets, text.len());
        frame.push(tag, targets, 0, text.len()).copy_from_slice(text);
        *open = Some(frame);
        let place = self.0.place(super::format::FRAME_HEADER_BYTES);
        self.0.close(&mut open);
        self.0.work.raise();
        Ok(place)
    }

    /// Waits until everything up to `place` may be acknowledged.
    pub async fn durable(&self, place: Place) -> Result<(), Error> {
        loop {
            if self.0.failures.get() != place.failures {
                return Err(Error::Failed);
            }
            if self.0.released_end.get() > place.number {
                return Ok(());
            }
            self.0.released.wait().await;
        }
    }

    /// One behind the last frame that may be acknowledged.
    pub fn end(&self) -> u64 {
        self.0.released_end.get()
    }

    /// Whether nothing is being filled or committed.
    pub fn is_idle(&self) -> bool {
        self.0.released_end.get() == self.0.next_number.get()
            && self.0.open.borrow().is_none()
            && self.0.full.borrow().is_empty()
    }

    /// No frame will ever get this stamp or a lower one. Moves with the clock while the log is idle.
    pub fn low_water(&self) -> Stamp {
        if self.is_idle() {
            let now = self.stamp_now().max(self.0.last_stamp.get());
            self.0.last_stamp.set(now);
            self.0.released_stamp.set(now);
        }
        self.0.released_stamp.get()
    }

    /// The highest stamp that this log gave away or found.
    pub fn last_stamp(&self) -> Stamp {
        self.0.last_stamp.get()
    }

    pub fn has_failed(&self) -> bool {
        self.0.failed.get()
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> Vec<Rc<Segment>> {
        self.0.segments.borrow().clone()
    }

    /// Bytes on disk, of segments that hold frames.
    pub fn disk_bytes(&self) -> u64 {
        self.0.segments.borrow().iter().map(|segment| segment.header.bytes).sum()
    }

    pub fn hot_bytes(&self) -> usize {
        self.0.hot_bytes.get()
    }

    /// Gives up the oldest segments that `is_free` names, as long as they are not the active one.
    pub async fn free(&self, is_free: impl Fn(&Segment) -> bool) -> Result<usize, Error> {
        let mut freed = 0;
        let mut recycled = Vec::new();
        loop {
            let oldest = {
                let segments = self.0.segments.borrow();
                let last = segments.len() <= 1;
                segments.first().filter(|oldest| !last && is_free(oldest)).cloned()
            };
            let Some(oldest) = oldest else { break };
            let free = self.give_up(&oldest, recycled.len()).await;
            recycled.extend(free.map_err(during("freeing a segment"))?);
            self.0.segments.borrow_mut().retain(|segment| !Rc::ptr_eq(segment, &oldest));
            freed += 1;
        }
        if freed > 0 {
            let directory = &self.0.settings.directory;
            self.0.settings.disk.sync_directory(directory).await.map_err(during("freeing"))?;
        }
        // Not before the new names are durable: a new life must not begin under the old name.
        self.0.free_files.borrow_mut().extend(recycled);
        Ok(freed)
    }

    async fn give_up(
        &self,
        segment: &Segment,
        recycled: usize,
    ) -> std::io::Result<Option<PathBuf>> {
        let settings = &self.0.settings;
        let keep = self.0.free_files.borrow().len() + recycled < FREE_FILES_MAX
            && segment.header.bytes == settings.segment_bytes;
        if !keep {
            return settings.disk.remove(&segment.path).await.map(|()| None);
        }
        let free = settings.directory.join(segment::free_name(segment.number()));
        settings.disk.rename(&segment.path, &free).await?;
        Ok(Some(free))
    }

    pub(super) fn add_free_file(&self, path: PathBuf) {
        self.0.free_files.borrow_mut().push(path);
    }

    /// Waits until the writer wants a spare file; then [`Log::prepare_spare`] makes one.
    pub async fn spare_wanted(&self) {
        self.0.spare_wanted.wait().await;
    }

    /// Has a zero-filled file ready for the next segment, so that a rotation need not wait for one.
    pub async fn prepare_spare(&self) -> Result<(), Error> {
        if self.0.spare.borrow().is_some() {
            return Ok(());
        }
        let made = self.make_file(true).await.map_err(during("preparing a segment"))?;
        *self.0.spare.borrow_mut() = Some(made);
        Ok(())
    }

    /// A file of a segment's length under a name of its own: recycled if there is one, else new.
    async fn make_file(&self, fill: bool) -> std::io::Result<Made> {
        self.sweep().await;
        let turn = self.0.made.get();
        self.0.made.set(turn + 1);
        let path = self.0.settings.directory.join(segment::next_name(turn));
        match self.make_file_at(&path, fill).await {
            Ok(file) => Ok(Made { file, path }),
            Err(error) => {
                self.0.litter.borrow_mut().push(path);
                Err(error)
            }
        }
    }

    /// Removes what failures left; what cannot be removed now is tried again later.
    async fn sweep(&self) {
        for path in self.0.litter.take() {
            match self.0.settings.disk.remove(&path).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    self.0.litter.borrow_mut().push(path);
                }
                _ => {}
            }
        }
    }

    async fn make_file_at(&self, next: &Path, fill: bool) -> std::io::Result<File> {
        let settings = &self.0.settings;
        let recycled = self.0.free_files.borrow_mut().pop();
        if let Some(path) = recycled {
            settings.disk.rename(&path, next).await?;
            return settings.disk.open(next).await;
        }
        let file = settings.disk.create(next).await?;
        file.allocate(settings.segment_bytes).await?;
        if fill {
            let bytes = usize::try_from(settings.segment_bytes).expect("far below 4 GiB");
            for at in (0..bytes).step_by(ZERO_BYTES) {
                let step = ZERO_BYTES.min(bytes - at);
                file.write(Buffer::new(step).freeze(step), at as u64).await?;
            }
        }
        Ok(file)
    }

    /// The writer of this log; there is one.
    pub fn writer(&self) -> Writer {
        Writer { log: self.clone(), active: None, floors: Vec::new(), unsynced_bytes: 0 }
    }
}

impl Shared {
    fn place(&self, offset: usize) -> Place {
        let waiting = self.full.borrow().len() as u64;
        Place { number: self.next_number.get() + waiting, offset, failures: self.failures.get() }
    }

    fn close(&self, open: &mut Option<OpenFrame>) {
        self.full.borrow_mut().extend(open.take());
    }

    fn next_stamp(&self) -> Stamp {
        let now = Stamp(self.settings.clock.mono().0 + self.stamp_offset.get());
        let stamp = now.max(self.last_stamp.get().next());
        self.last_stamp.set(stamp);
        stamp
    }

    fn keep_hot(&self, frame: Rc<Frame>) {
        self.hot_bytes.set(self.hot_bytes.get() + frame.memory_bytes());
        let mut hot = self.hot.borrow_mut();
        hot.push_back(frame);
        let synced_end = self.synced_end.get();
        // What is not synced stays, to be written again if the disk fails.
        let old = |frame: &mut Rc<Frame>| frame.number() < synced_end;
        while self.hot_bytes.get() > self.settings.hot_bytes_max && hot.len() > 1 {
            let Some(evicted) = hot.pop_front_if(old) else { break };
            self.hot_bytes.set(self.hot_bytes.get() - evicted.memory_bytes());
        }
    }
}

impl Writer {
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
        let Err(error) = self.write(&frames).await else { return self.done(frames, None) };
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
        let Some(active) = self.active.clone() else { return Ok(()) };
        let end = active.end_frame.get();
        active.file.sync().await.map_err(during("syncing a segment"))?;
        self.log.0.synced_end.set(end.max(self.log.0.synced_end.get()));
        self.unsynced_bytes = 0;
        Ok(())
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
        let epoch = self.active.as_ref().map_or(0, |active| active.header.epoch);
        let unix_ms = shared.settings.clock.unix().millis();
        let seal = |open: OpenFrame| {
            let number = shared.next_number.get();
            shared.next_number.set(number + 1);
            let synced = shared.synced_end.get() - 1;
            let stamp = shared.next_stamp();
            Rc::new(open.seal(Sealing { epoch, number, stamp, unix_ms, synced }))
        };
        full.into_iter().map(seal).collect()
    }

    async fn write(&mut self, frames: &[Rc<Frame>]) -> Result<(), Error> {
        for frame in frames {
            let segment = self.segment_for(frame.header.frame_bytes()).await?;
            let at = segment.end_offset.get();
            let here = if frame.header.epoch == segment.header.epoch {
                frame.clone()
            } else {
                Rc::new(frame.moved_to(segment.header.epoch))
            };
            segment.file.write(here.buffer(), at).await.map_err(during("writing a frame"))?;
            segment.note(frame, at);
            self.unsynced_bytes += frame.memory_bytes();
        }
        // What is not synced is kept in memory: half of the hot window may be that.
        let settings = &self.log.0.settings;
        if settings.sync_each_commit || self.unsynced_bytes > settings.hot_bytes_max / 2 {
            self.sync_active().await?;
        }
        Ok(())
    }

    fn done(&self, frames: Vec<Rc<Frame>>, error: Option<Error>) -> Committed {
        for frame in &frames {
            self.log.0.keep_hot(frame.clone());
        }
        if let Some(active) = &self.active
            && active.end_offset.get() * 2 > active.header.bytes
        {
            self.log.0.spare_wanted.raise();
        }
        Committed { frames, error }
    }

    /// Never writes to the active segment again. What of it is not synced may be there or not.
    fn abandon(&mut self) {
        if let Some(active) = self.active.take() {
            active.cut(self.log.0.synced_end.get());
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
        let fits =
            |active: &Rc<Segment>| active.end_offset.get() + bytes as u64 <= active.area_end();
        if let Some(active) = self.active.clone().filter(fits) {
            return Ok(active);
        }
        if let Some(full) = self.active.clone() {
            // It stays the active one until it is synced, so that a failure abandons it.
            self.finish(&full).await?;
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
            None => self.log.make_file(false).await.map_err(during("creating a segment"))?,
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
            file.sync().await?;
            settings.disk.rename(&made, &path).await?;
            settings.disk.sync_directory(&settings.directory).await
        };
        if let Err(error) = creating.await {
            // It holds no frame, under whichever of the two names.
            shared.litter.borrow_mut().extend([made, path]);
            return Err(during("creating a segment")(error));
        }
        let segment = Rc::new(Segment::new(header, file.clone(), path));
        *segment.index.borrow_mut() = Some(Vec::<Entry>::new());
        shared.segments.borrow_mut().push(segment.clone());
        self.active = Some(segment.clone());
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

fn fresh_epoch() -> u64 {
    getrandom::u64().expect("the kernel gives random numbers")
}
