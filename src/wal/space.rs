//! The files of a log: made, kept ready, given up, used again.

use super::log::Log;
use super::segment::{self, Segment};
use super::{Error, during};
use crate::base::failpoint;
use crate::rt::{Buffer, File};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Zeros written at a time: a commit that begins meanwhile waits for them, half a millisecond on a usual disk.
const ZERO_BYTES: usize = 256 << 10;

/// The same where commits will have to wait for the whole file: fewer and larger writes are done sooner.
const HASTY_BYTES: usize = 1 << 20;

/// One in so many parts of a segment: when so much is used a spare is begun that has to be filled, and when so
/// much is left it is to be ready.
const AHEAD: u64 = 8;

/// Recycled files that a log keeps.
const FREE_FILES_MAX: usize = 4;

/// A file of a segment's length that has no header yet.
#[derive(Debug)]
pub struct Made {
    pub file: File,
    pub path: PathBuf,
}

impl Log {
    /// Gives up the oldest segments that `is_free` names, as long as they are not the active one.
    pub async fn free(&self, is_free: impl Fn(&Segment) -> bool) -> Result<usize, Error> {
        let mut freed = 0;
        let mut recycled = Vec::new();
        loop {
            let oldest = {
                let segments = self.0.segments.borrow();
                let last = segments.len() <= 1;
                let is_free =
                    |oldest: &&Rc<Segment>| !oldest.is_being_packed.get() && is_free(oldest);
                segments.first().filter(|_| !last).filter(is_free).cloned()
            };
            let Some(oldest) = oldest else { break };
            failpoint::reach("wal.segment.before_free");
            // Nobody begins a copy of what is going.
            oldest.is_being_packed.set(true);
            let free = self.give_up(&oldest, recycled.len()).await;
            oldest.is_being_packed.set(free.is_ok());
            recycled.extend(free.map_err(during("freeing a segment"))?);
            failpoint::reach("wal.segment.after_free");
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
            && !self.0.is_tight.get()
            && segment.header.bytes == settings.segment_bytes;
        if !keep {
            return settings.disk.remove(&segment.path).await.map(|()| None);
        }
        let free = settings.directory.join(segment::free_name(segment.number()));
        settings.disk.rename(&segment.path, &free).await?;
        Ok(Some(free))
    }

    /// While it is tight no file is made ahead, and none is kept for later: those that are kept are given
    /// up now. A spare that is there stays, so that the next rotation needs no room.
    pub async fn set_tight(&self, is_tight: bool) -> std::io::Result<()> {
        let was_tight = self.0.is_tight.replace(is_tight);
        if !is_tight {
            if was_tight {
                self.0.spare_wanted.raise();
            }
            return Ok(());
        }
        loop {
            let Some(path) = self.0.free_files.borrow_mut().pop() else { return Ok(()) };
            if let Err(error) = self.0.settings.disk.remove(&path).await {
                self.0.free_files.borrow_mut().push(path);
                return Err(error);
            }
        }
    }

    /// Bytes of all files of this log, also of those that hold nothing now.
    pub fn footprint_bytes(&self) -> u64 {
        let kept = self.0.free_files.borrow().len() + usize::from(self.0.spare.borrow().is_some());
        self.disk_bytes() + kept as u64 * self.0.settings.segment_bytes
    }

    /// Of one file.
    pub fn segment_bytes(&self) -> u64 {
        self.0.settings.segment_bytes
    }

    pub(super) fn add_free_file(&self, path: PathBuf) {
        self.0.free_files.borrow_mut().push(path);
    }

    /// Asks for a spare once enough of the active segment is used.
    pub(super) fn want_spare(&self, active: &Segment) {
        // One that has to be filled takes long; one that is used again is there at once.
        let part = if self.0.free_files.borrow().is_empty() { AHEAD } else { 2 };
        if active.end_offset.get() * part > active.header.bytes {
            self.0.spare_wanted.raise();
        }
    }

    /// Waits until the writer wants a spare file; then [`Log::prepare_spare`] makes one.
    pub async fn spare_wanted(&self) {
        self.0.spare_wanted.wait().await;
    }

    /// Has a zero-filled file ready for the next segment, so that a rotation need not wait for one.
    pub async fn prepare_spare(&self) -> Result<(), Error> {
        if self.0.spare.borrow().is_some() || self.0.is_tight.get() {
            return Ok(());
        }
        let made = self.make_file(Haste::InTime).await.map_err(during("preparing a segment"))?;
        *self.0.spare.borrow_mut() = Some(made);
        Ok(())
    }

    /// A file of a segment's length under a name of its own: recycled if there is one, else new and full of
    /// zeros. Frames go to no place that was only allocated: such a write is whole when the file system's
    /// journal is, and ext4 that gives up (errors=remount-ro) tells a sync under way that all is well.
    pub(super) async fn make_file(&self, haste: Haste) -> std::io::Result<Made> {
        self.sweep().await;
        let turn = self.0.made.get();
        self.0.made.set(turn + 1);
        let path = self.0.settings.directory.join(segment::next_name(turn));
        match self.make_file_at(&path, haste).await {
            Ok(file) => Ok(Made { file, path }),
            Err(error) => {
                // Half a segment must not hold the space that others on a full disk wait for.
                self.0.litter.borrow_mut().push(path);
                self.sweep().await;
                Err(error)
            }
        }
    }

    /// Removes what failures left; what cannot be removed now is tried again later.
    pub(super) async fn sweep(&self) {
        for path in self.0.litter.take() {
            match self.0.settings.disk.remove(&path).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    self.0.litter.borrow_mut().push(path);
                }
                _ => {}
            }
        }
    }

    async fn make_file_at(&self, next: &Path, haste: Haste) -> std::io::Result<File> {
        let settings = &self.0.settings;
        let recycled = self.0.free_files.borrow_mut().pop();
        if let Some(path) = recycled {
            if let Err(error) = settings.disk.rename(&path, next).await {
                // On a disk that takes no change it is still there, to be used later.
                self.0.free_files.borrow_mut().push(path);
                return Err(error);
            }
            let file = settings.disk.open(next).await?;
            if file.size().await? == settings.segment_bytes {
                return Ok(file);
            }
            // From a start with another size of segments.
            settings.disk.remove(next).await?;
        }
        let file = settings.disk.create(next).await?;
        file.allocate(settings.segment_bytes).await?;
        self.fill(&file, haste).await?;
        Ok(file)
    }

    /// Zeros from end to end, between the commits where that is in time: requests wait for commits.
    async fn fill(&self, file: &File, haste: Haste) -> std::io::Result<()> {
        let bytes = usize::try_from(self.0.settings.segment_bytes).expect("far below 4 GiB");
        let zeros = |bytes: usize| Buffer::new(bytes).freeze(bytes);
        let (small, large) = (zeros(ZERO_BYTES.min(bytes)), zeros(HASTY_BYTES.min(bytes)));
        let mut at = 0;
        while at < bytes {
            let left = bytes - at;
            let is_ahead = haste == Haste::InTime && self.is_ahead(left as u64);
            if is_ahead && self.0.turns.is_taken() {
                self.0.turns.end_of_commit().await;
                continue;
            }
            let piece = if is_ahead { &small } else { &large };
            let piece = if left >= piece.len() { piece.clone() } else { zeros(left) };
            let written = piece.len();
            file.write(piece, at as u64).await?;
            at += written;
        }
        Ok(())
    }

    /// Whether the segment that is written has room for more than is left to fill of the next one.
    fn is_ahead(&self, left: u64) -> bool {
        let segments = self.0.segments.borrow();
        let room =
            segments.last().map_or(0, |last| last.area_end().saturating_sub(last.end_offset.get()));
        room > left + self.0.settings.segment_bytes / AHEAD
    }
}

/// Whether a commit waits for what is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    /// No, and it may not wait for what is only for later.
    InTime,
    Now,
}
