//! What one log still owes a backend, oldest first, and how far that was taken.

use crate::base::ids::BackendId;
use crate::base::time::Stamp;
use crate::ingest::start::{Plan, Told, found};
use crate::shard::backlog::open;
use crate::wal::{
    self, Checkpoint, CheckpointFile, Error, Frame, Item, Log, Opened, QueueMark, Run,
};
use std::collections::VecDeque;
use std::rc::Rc;

/// Bytes read from a log at a time.
const READ_BYTES: usize = 1024 * 1024;

/// One log as it was found, and the frames that are to be taken next.
/// Lives on: the thread of the command.
pub struct Source {
    backend: BackendId,
    pub log: Log,
    checkpoint: Checkpoint,
    file: CheckpointFile,
    /// Where the log ended when it was opened.
    end: u64,
    /// Everything below was looked at.
    read_to: u64,
    frames: VecDeque<Rc<Frame>>,
    /// Frames that could not be read.
    pub damaged: u64,
}

impl Source {
    /// Opens a log; with what it tells a start.
    pub async fn open(
        settings: wal::Settings,
        backend: BackendId,
    ) -> Result<(Source, Told), String> {
        let opened = open(settings).await?;
        let told = found(&opened, &[backend]);
        let Opened { log, checkpoint, checkpoint_file: file, .. } = opened;
        let end = log.end();
        let source = Source {
            backend,
            log,
            checkpoint: checkpoint.unwrap_or_default(),
            file,
            end,
            read_to: end,
            frames: VecDeque::new(),
            damaged: 0,
        };
        Ok((source, told))
    }

    /// Sets the backend's queues to its cuts, as a start does.
    pub async fn rewind(&mut self, plan: &Plan) -> Result<(), Error> {
        let cut = plan.cut(self.backend, b"");
        let main = if cut == Stamp::NONE { self.end } else { self.log.first_at(cut).await? };
        let mut marks = vec![self.mark(Rc::from(&b""[..]), main, cut)];
        for (backend, tag) in plan.parked() {
            if backend == self.backend {
                let cut = plan.cut(backend, &tag);
                let cursor = self.log.first_at(cut).await?.min(main);
                marks.push(self.mark(Rc::from(tag), cursor, cut));
            }
        }
        self.read_to = marks.iter().map(|mark| mark.cursor).min().unwrap_or(main);
        self.checkpoint.marks.retain(|mark| mark.backend != self.backend);
        self.checkpoint.marks.extend(marks);
        Ok(())
    }

    fn mark(&self, tag: Rc<[u8]>, cursor: u64, oldest: Stamp) -> QueueMark {
        let ours = |mark: &&QueueMark| mark.backend == self.backend && *mark.tag == *tag;
        let bytes = self.checkpoint.marks.iter().find(ours).map_or(0, |mark| mark.bytes);
        let oldest_statement = oldest;
        QueueMark { backend: self.backend, tag, cursor, oldest, oldest_statement, bytes }
    }

    /// The stamp of the next frame that is owed; `None` behind the last one.
    pub async fn front(&mut self) -> Result<Option<Stamp>, Error> {
        while self.frames.is_empty() && self.read_to < self.end {
            match self.end_of_foreign() {
                Some(end) => self.read_to = end.min(self.end),
                None => self.read().await?,
            }
        }
        Ok(self.frames.front().map(|frame| frame.stamp()))
    }

    /// A whole segment that holds nothing for this backend is not read.
    fn end_of_foreign(&self) -> Option<u64> {
        let segments = self.log.segments();
        let here = segments.iter().find(|segment| segment.end_frame.get() > self.read_to)?;
        let is_foreign = here.header.first_frame <= self.read_to
            && here.share(self.backend).is_none()
            && here.damage.borrow().is_empty();
        is_foreign.then(|| here.end_frame.get())
    }

    async fn read(&mut self) -> Result<(), Error> {
        let items = self.log.read(self.read_to, READ_BYTES).await?;
        if items.is_empty() {
            self.read_to = self.end;
        }
        for item in items {
            match item {
                Item::Frame(frame) if frame.number() < self.end => {
                    self.read_to = frame.number() + 1;
                    if frame.runs.iter().any(|run| self.owes(&frame, &run)) {
                        self.frames.push_back(frame);
                    }
                }
                Item::Frame(_) => self.read_to = self.end,
                Item::Damaged(numbers) => {
                    self.damaged += numbers.end - numbers.start;
                    self.read_to = numbers.end;
                }
            }
        }
        Ok(())
    }

    pub fn owes(&self, frame: &Frame, run: &Run<'_>) -> bool {
        run.targets.contains(&self.backend)
            && self.checkpoint.owes(self.backend, frame.number(), run.tag).is_some()
    }

    /// Takes the frame that `front` told of.
    pub fn take(&mut self) -> Option<Rc<Frame>> {
        self.frames.pop_front()
    }

    /// Bytes that this log owes another backend, by the cursors on disk.
    pub fn owed_bytes(&self, backend: BackendId) -> u64 {
        let ours = self.checkpoint.marks.iter().filter(|mark| mark.backend == backend);
        ours.map(|mark| mark.bytes).sum()
    }

    /// Writes down that what is before the front was taken. When nothing is left, the backend has no queue but an
    /// empty one.
    pub async fn save(&mut self) -> Result<(), Error> {
        let backend = self.backend;
        match self.frames.front() {
            Some(front) => {
                let ours = self.checkpoint.marks.iter_mut().filter(|mark| mark.backend == backend);
                for mark in ours {
                    mark.cursor = mark.cursor.max(front.number());
                    mark.oldest = mark.oldest.max(front.stamp());
                    mark.oldest_statement = mark.oldest;
                }
            }
            None => {
                let end = self.end;
                self.checkpoint.marks.retain(|mark| mark.backend != backend);
                self.checkpoint.drops.retain(|dropped| dropped.backend != backend);
                self.checkpoint.parked_floors.retain(|floor| floor.backend != backend);
                self.checkpoint.marks.push(QueueMark::empty(backend, end));
            }
        }
        self.file.write(&self.checkpoint).await
    }
}
