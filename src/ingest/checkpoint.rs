//! Writes down how far the queues are, at least every second, and frees what nobody needs any more.

use super::{Facts, Feed, Outlet};
use crate::backend::Place;
use crate::backend::board::Incomplete;
use crate::backend::parked::Parked;
use crate::base::ids::BackendId;
use crate::base::planted::{Planted, is_planted};
use crate::base::time::Stamp;
use crate::wal::segment::Segment;
use crate::wal::{Checkpoint, Error, ParkedFloor, QueueMark, during};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The longest time that a crash repeats deliveries of.
pub const EVERY: Duration = Duration::from_secs(1);

impl Outlet {
    /// Checkpoints until told to end; then once more.
    pub async fn keep(self: Rc<Self>) {
        loop {
            super::commit::wait_at_most(&self.checkpoint_now, EVERY).await;
            self.acks.sweep();
            self.forget_confirmed();
            self.note_window();
            self.judge_refusals();
            for feed in self.feeds().iter().filter(|feed| feed.parked.borrow().is_some()) {
                self.close_parked(feed);
            }
            let is_ending = self.is_ending.get();
            self.obey(is_ending).await;
            if let Err(error) = self.checkpoint().await {
                tracing::error!(%error, "the cursors could not be written");
            }
            if let Err(error) = self.free().await {
                tracing::error!(%error, "segments could not be freed");
            }
            self.measure();
            if is_ending {
                self.checkpoint_done.raise();
                return;
            }
        }
    }

    fn note_window(&self) {
        let windows = self.facts.places.iter().map(|place| self.facts.board.order_window(place.id));
        if let Some(smallest) = windows.min() {
            self.window.borrow_mut().publish(self.facts.clock.mono(), smallest);
        }
    }

    /// Ends the queues and writes the cursors a last time.
    pub async fn end(&self) {
        for feed in self.feeds() {
            feed.is_ended.set(true);
            feed.wake.raise();
        }
        let before = self.checkpoints.get();
        self.is_dirty.set(true);
        self.is_ending.set(true);
        let deadline = self.facts.clock.mono().after(Duration::from_secs(5));
        while self.checkpoints.get() == before && self.facts.clock.mono() < deadline {
            self.checkpoint_now.raise();
            super::commit::wait_at_most(&self.checkpoint_done, Duration::from_millis(20)).await;
        }
        if self.checkpoints.get() == before {
            tracing::warn!("the last cursors were not written; deliveries will be repeated");
        }
    }

    /// Asks for a checkpoint and waits until it is on stable storage.
    pub async fn checkpoint_soon(&self) {
        self.is_dirty.set(true);
        let wanted = self.checkpoints.get() + 2;
        // One that is under way may not hold the newest state: the one after it does.
        while self.checkpoints.get() < wanted && !self.is_ending.get() {
            self.checkpoint_now.raise();
            super::commit::wait_at_most(&self.checkpoint_done, Duration::from_millis(20)).await;
            self.is_dirty.set(true);
        }
    }

    /// Writes the cursors, if anything has changed.
    pub async fn checkpoint(&self) -> Result<(), Error> {
        // Before the cursors are looked at: they may have passed what is said there.
        let saved = self.save_marks().await;
        saved.map_err(during("writing that a backend is incomplete"))?;
        let end = self.log.end();
        let board = &self.facts.board;
        board.set_low_water(self.log.id(), self.log.low_water());
        self.set_floors();
        if !self.is_dirty.replace(false) && !self.is_floor_wanted() {
            return Ok(());
        }
        let parked_floors = board.parked.floors(self.log.id());
        self.catch_up(end);
        let feeds = self.feeds();
        let checkpoint = Checkpoint {
            // Every frame that is not yet in the marks has a higher stamp.
            highest_stamp: self.log.low_water(),
            floors: self.floors.borrow().clone(),
            marks: feeds.iter().map(|feed| mark(feed)).collect(),
            drops: self.drops_in_force(&feeds),
            parked_floors: parked_floors.iter().map(parked_floor).collect(),
            refusals: self.refusals.borrow().clone(),
            reached: feeds.iter().map(|feed| self.reached_now(feed)).collect(),
        };
        let Some(mut file) = self.checkpoint_file.borrow_mut().take() else {
            self.is_dirty.set(true);
            return Ok(());
        };
        let written = file.write(&checkpoint).await;
        *self.checkpoint_file.borrow_mut() = Some(file);
        if let Err(error) = written {
            self.is_dirty.set(true);
            return Err(error);
        }
        board.parked.floors_written(self.log.id(), &parked_floors);
        self.publish_written(&feeds, &checkpoint, end);
        self.checkpoints.set(self.checkpoints.get() + 1);
        self.checkpoint_done.raise();
        Ok(())
    }

    /// Empty queues move over frames that do not name their backend, so that these can be freed. A parked
    /// queue never moves past the backend's own queue, from which lines are led to it.
    fn catch_up(&self, end: u64) {
        let feeds = self.feeds();
        for feed in feeds.iter().filter(|feed| feed.parked.borrow().is_none()) {
            feed.queue.borrow_mut().catch_up(end);
        }
        for feed in feeds.iter().filter(|feed| feed.parked.borrow().is_some()) {
            let backend = feed.queue.borrow().backend;
            let main = feeds.iter().find(|other| {
                other.parked.borrow().is_none() && other.queue.borrow().backend == backend
            });
            let cursor = main.map_or(0, |main| main.queue.borrow().cursor());
            feed.queue.borrow_mut().catch_up(cursor);
        }
    }

    /// What was dropped by command, as long as a queue is still before it.
    fn drops_in_force(&self, feeds: &[Rc<Feed>]) -> Vec<crate::wal::Dropped> {
        let mut drops = self.drops.borrow_mut();
        drops.retain(|dropped| {
            feeds.iter().any(|feed| {
                let queue = feed.queue.borrow();
                queue.backend == dropped.backend && queue.cursor() < dropped.end
            })
        });
        drops.clone()
    }

    pub(super) fn is_dropped(&self, backend: BackendId, frame: u64, tag: &[u8]) -> bool {
        self.drops.borrow().iter().any(|dropped| {
            dropped.backend == backend && frame < dropped.end && *dropped.tag == *tag
        })
    }

    fn set_floors(&self) {
        let board = &self.facts.board;
        let all = 0..u16::try_from(board.backends_count()).unwrap_or(u16::MAX);
        for backend in all.map(BackendId) {
            // In this order: what leaves the backend's own queue is parked before.
            let cut = board.cut(backend);
            let parked = board.parked.durable_oldest(backend);
            crate::wal::raise_floor(&mut self.floors.borrow_mut(), backend, cut);
            crate::wal::raise_floor(&mut self.safe_floors.borrow_mut(), backend, cut.min(parked));
        }
    }

    /// Whether another log waits for this one's floors to be written, although nothing else has changed.
    fn is_floor_wanted(&self) -> bool {
        let board = &self.facts.board;
        board.parked.has_stale_floor(self.log.id())
            || self.floors.borrow().iter().any(|(backend, floor)| {
                let wanted = board.wanted_floor(*backend);
                let written = board.cell(self.log.id(), *backend).durable_floor();
                written <= wanted && wanted < *floor
            })
    }

    /// What is on disk now bounds what a start sends again.
    fn publish_written(&self, feeds: &[Rc<Feed>], written: &Checkpoint, end: u64) {
        for (feed, mark) in feeds.iter().zip(&written.marks) {
            let newer = {
                let queue = feed.queue.borrow();
                let owed = queue.owed();
                // Something that came after the marks were taken: nothing below their end is meant.
                let is_newer = mark.oldest == Stamp::NONE && owed.oldest != Stamp::NONE;
                if is_newer || self.log.end() > end {
                    written.highest_stamp.next()
                } else {
                    Stamp::NONE
                }
            };
            let oldest = mark.oldest.min(newer);
            self.with_cell(feed, |cell| cell.publish_durable(oldest));
        }
        for (backend, floor) in &written.floors {
            self.facts.board.cell(self.log.id(), *backend).publish_floor(*floor);
        }
        self.facts.board.parked.forget_closed(self.log.id(), |entry| {
            let is_here = |parked: &std::sync::Arc<_>| std::sync::Arc::ptr_eq(parked, entry);
            feeds.iter().any(|feed| feed.parked.borrow().as_ref().is_some_and(is_here))
        });
    }

    /// Frees segments of which no queue, by the cursors on disk, needs anything: neither to send it, nor
    /// to repeat it behind something older, even if the cursors of some log are lost.
    async fn free(&self) -> Result<(), Error> {
        let needs = self.needs();
        let is_free = |segment: &Segment| {
            segment.shares.borrow().iter().all(|share| {
                let need = needs.of(share.backend);
                if need.is_confirmed(share.last_frame, share.last_stamp) {
                    self.facts.board.want_floor(share.backend, share.last_stamp);
                }
                !need.is_for_any(share.last_frame, share.last_stamp)
                    || is_planted(Planted::EarlyFree) && need.is_passed(share.last_frame)
            })
        };
        let freed = self.log.free(is_free).await?;
        if freed > 0 {
            tracing::debug!(freed, "segments are free");
        }
        Ok(())
    }

    fn measure(&self) {
        let meters = &self.facts.meters;
        #[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
        meters.wal_disk_bytes.set(self.log.disk_bytes() as f64);
        #[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
        meters.wal_packed_bytes.set(self.log.packed_bytes() as f64);
        let segments = u32::try_from(self.log.segments().len()).unwrap_or(u32::MAX);
        meters.wal_segments.set(f64::from(segments));
    }

    /// Says that a backend may lack points that other circles have. On stable storage before any cursors that
    /// pass these points.
    pub fn mark_incomplete(&self, backend: BackendId, reason: &str, points: u64) {
        let incomplete = self.incomplete_with(backend, reason, points);
        self.tell_incomplete(backend, &incomplete);
        self.facts.board.set_incomplete(backend, Some(incomplete));
        self.unsaved_marks.borrow_mut().insert(backend);
        self.is_dirty.set(true);
    }

    /// Brings to stable storage what was said since the last time.
    async fn save_marks(&self) -> io::Result<()> {
        loop {
            let Some(backend) = self.unsaved_marks.borrow_mut().pop_first() else { return Ok(()) };
            // Nothing, if an operator has cleared it meanwhile.
            let Some(incomplete) = self.facts.board.incomplete(backend) else { continue };
            if let Err(error) = self.save_mark(backend, &incomplete).await {
                self.unsaved_marks.borrow_mut().insert(backend);
                return Err(error);
            }
        }
    }

    /// Not for a backend that is no longer in the configuration.
    async fn save_mark(&self, backend: BackendId, incomplete: &Incomplete) -> io::Result<()> {
        let Some(place) = self.facts.place_of(backend) else { return Ok(()) };
        let path = incomplete_path(&self.facts.data, &place.name);
        self.facts.disk.replace_text(&path, incomplete_text(incomplete).into_bytes()).await
    }

    /// The same, at once: on stable storage when this returns; nothing has changed if it fails.
    pub(super) async fn write_mark(
        &self,
        backend: BackendId,
        reason: &str,
        points: u64,
    ) -> io::Result<()> {
        let incomplete = self.incomplete_with(backend, reason, points);
        self.tell_incomplete(backend, &incomplete);
        self.save_mark(backend, &incomplete).await?;
        // Somebody may have added to it meanwhile.
        let incomplete = self.incomplete_with(backend, reason, points);
        self.facts.board.set_incomplete(backend, Some(incomplete));
        Ok(())
    }

    fn incomplete_with(&self, backend: BackendId, reason: &str, points: u64) -> Incomplete {
        match self.facts.board.incomplete(backend) {
            Some(before) => Incomplete { points: before.points + points, ..(*before).clone() },
            None => Incomplete {
                reason: reason.to_owned(),
                since_unix_ms: self.facts.clock.unix().millis(),
                points,
            },
        }
    }

    fn tell_incomplete(&self, backend: BackendId, incomplete: &Incomplete) {
        let Some(place) = self.facts.place_of(backend) else { return };
        let Incomplete { reason, points, .. } = incomplete;
        tracing::error!(backend = place.label(), reason, points, "the backend is incomplete");
    }
}

impl Facts {
    /// Says, durably, that a backend lacks nothing any more. Returns what was said of it before.
    pub async fn clear_incomplete(&self, place: &Place) -> io::Result<Option<Arc<Incomplete>>> {
        let path = incomplete_path(&self.data, &place.name);
        match self.disk.remove(&path).await {
            Ok(()) => {
                let directory = path.parent().unwrap_or(&self.data);
                self.disk.sync_directory(directory).await?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let before = self.board.incomplete(place.id);
        self.board.set_incomplete(place.id, None);
        if before.is_some() {
            tracing::info!(backend = place.label(), "the backend counts as complete, by command");
        }
        Ok(before)
    }
}

/// Where the flag of a backend stands: since (Unix ms), points, reason, a line each.
pub fn incomplete_path(data: &std::path::Path, backend: &str) -> std::path::PathBuf {
    data.join("incomplete").join(format!("{backend}.txt"))
}

/// The flag as it is written to disk.
pub fn incomplete_text(flag: &Incomplete) -> String {
    format!("{}\n{}\n{}\n", flag.since_unix_ms, flag.points, flag.reason)
}

/// The flag as it stands on disk.
pub fn parse_incomplete(text: &str) -> Option<Incomplete> {
    let mut lines = text.lines();
    Some(Incomplete {
        since_unix_ms: lines.next()?.parse().ok()?,
        points: lines.next()?.parse().ok()?,
        reason: lines.next()?.to_owned(),
    })
}

fn parked_floor((parked, stamp): &(Arc<Parked>, Stamp)) -> ParkedFloor {
    ParkedFloor { backend: parked.backend, tag: Rc::from(&*parked.tag), stamp: *stamp }
}

fn mark(feed: &Feed) -> QueueMark {
    let queue = feed.queue.borrow();
    let owed = queue.owed();
    QueueMark {
        backend: queue.backend,
        tag: queue.only.clone().unwrap_or_else(|| Rc::from(&b""[..])),
        cursor: queue.cursor(),
        oldest: owed.oldest,
        oldest_statement: owed.oldest_statement,
        bytes: owed.bytes,
    }
}
