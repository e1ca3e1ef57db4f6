//! The log of one shard: append, wait, hot window.
//!
//! Requests append to the open frame; one task, the [`Writer`], seals it, writes it and syncs; while that
//! is under way the next frame fills. No timer: an idle log commits at once, a busy one in groups.

use super::Error;
use super::cold::{Cold, Turns};
use super::frame::{Frame, Kind, NewRun, OpenFrame};
use super::segment::Segment;
use super::space::Made;
use super::writer::Writer;
use crate::base::ids::{BackendId, LogId};
use crate::base::time::{Mono, Stamp};
use crate::rt::{Clock, Disk, Signal};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;

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
    pub hot_bytes: Cell<usize>,
    pub cold: Cold,
    pub turns: Turns,
    pub open: RefCell<Option<OpenFrame>>,
    pub full: RefCell<VecDeque<OpenFrame>>,
    /// The number that the open frame will get.
    pub next_number: Cell<u64>,
    /// Every frame below this number is on stable storage.
    pub synced_end: Cell<u64>,
    /// Every frame below this number may be acknowledged.
    pub released_end: Cell<u64>,
    pub released_stamp: Cell<Stamp>,
    pub last_stamp: Cell<Stamp>,
    pub stamp_offset: Cell<u64>,
    pub failures: Cell<u64>,
    pub failed: Cell<bool>,
    pub work: Signal,
    pub released: Signal,
    /// Bytes of recent commits: a busy log makes its frames large enough for all requests of one.
    pub recent_bytes: Cell<usize>,
    pub next_segment: Cell<u64>,
    pub free_files: RefCell<Vec<PathBuf>>,
    pub spare: RefCell<Option<Made>>,
    /// Files made so far, for their names.
    pub made: Cell<u64>,
    /// Files that a failure left half made, to be removed before another one takes space.
    pub litter: RefCell<Vec<PathBuf>>,
    /// Frames below this one were freed, except if `lost_front`: then a segment there was unreadable.
    pub lost_front: Cell<bool>,
    pub spare_wanted: Signal,
    /// There is little room on the disk.
    pub is_tight: Cell<bool>,
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
            cold: Cold::default(),
            turns: Turns::default(),
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
            recent_bytes: Cell::new(0),
            next_segment: Cell::new(next_segment),
            free_files: RefCell::default(),
            spare: RefCell::default(),
            made: Cell::new(0),
            litter: RefCell::default(),
            lost_front: Cell::new(false),
            spare_wanted: Signal::new(),
            is_tight: Cell::new(false),
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
        self.append_runs(tag, &[NewRun { targets, points, len }], fill)
    }

    /// Copies runs into one frame, side by side. `fill` writes the bytes of all of them.
    pub fn append_runs(
        &self,
        tag: &Rc<[u8]>,
        runs: &[NewRun<'_>],
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Place, Error> {
        if self.0.failed.get() {
            return Err(Error::Failed);
        }
        let mut open = self.0.open.borrow_mut();
        if open.as_ref().is_some_and(|frame| !frame.has_room(tag, runs)) {
            self.0.close(&mut open);
        }
        let usual = self.0.recent_bytes.get();
        let frame = open.get_or_insert_with(|| OpenFrame::with_room(Kind::Lines, tag, runs, usual));
        let offset = frame.payload_end();
        fill(frame.push_all(tag, runs));
        self.0.work.raise();
        Ok(self.0.place(offset))
    }

    /// The bytes that a frame has for runs, and what each run with this tag and so many targets takes of them
    /// beside its own.
    pub fn frame_room(&self, tag: &[u8], targets: usize) -> (usize, usize) {
        OpenFrame::room_for(tag, targets)
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

    /// Of these, of packed segments.
    pub fn packed_bytes(&self) -> u64 {
        let segments = self.0.segments.borrow();
        let packed = segments.iter().filter(|segment| segment.is_packed());
        packed.map(|segment| segment.header.bytes).sum()
    }

    /// Forgets the hot frames below `end`, which nobody will read again: their memory is still in the
    /// processor's caches and goes to the next frames. What is not on stable storage stays.
    pub fn forget_hot(&self, end: u64) {
        let end = end.min(self.0.synced_end.get()).min(self.end());
        let mut hot = self.0.hot.borrow_mut();
        while hot.front().is_some_and(|frame| frame.number() < end) {
            self.0.forget_oldest(&mut hot);
        }
    }

    pub fn hot_bytes(&self) -> usize {
        self.0.hot_bytes.get()
    }

    /// The writer of this log; there is one.
    pub fn writer(&self) -> Writer {
        Writer::new(self.clone())
    }
}

impl Shared {
    fn place(&self, offset: usize) -> Place {
        let waiting = self.full.borrow().len() as u64;
        Place { number: self.next_number.get() + waiting, offset, failures: self.failures.get() }
    }

    pub fn close(&self, open: &mut Option<OpenFrame>) {
        self.full.borrow_mut().extend(open.take());
    }

    pub fn next_stamp(&self) -> Stamp {
        let now = Stamp(self.settings.clock.mono().0 + self.stamp_offset.get());
        let stamp = now.max(self.last_stamp.get().next());
        self.last_stamp.set(stamp);
        stamp
    }

    pub fn keep_hot(&self, frame: Rc<Frame>) {
        self.hot_bytes.set(self.hot_bytes.get() + frame.memory_bytes());
        let mut hot = self.hot.borrow_mut();
        hot.push_back(frame);
        while self.hot_bytes.get() > self.settings.hot_bytes_max && hot.len() > 1 {
            self.forget_oldest(&mut hot);
        }
    }

    fn forget_oldest(&self, hot: &mut VecDeque<Rc<Frame>>) {
        let Some(oldest) = hot.pop_front() else { return };
        // The writer syncs before that: it would write them again if the disk failed.
        debug_assert!(oldest.number() < self.synced_end.get(), "an unsynced frame is forgotten");
        self.hot_bytes.set(self.hot_bytes.get() - oldest.memory_bytes());
    }
}
