//! Spill: what old segments still owe is copied densely into one packed segment, which takes their place.
//!
//! A backend that is down for a day, or a database that it lacks, then takes only its own share of the disk.
//! A frame keeps its number, stamp and runs, so that cursors and queues know nothing of it. The copy is
//! whole on stable storage before it gets the name of the last segment that it stands for; only then are the
//! others removed. A crash between leaves both, and the copy counts (case K of `recovery`).

use super::format::{PACKED_STEP, Packed, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::frame::{Frame, Kind};
use super::log::Log;
use super::reader::{Item, read_cold};
use super::recovery::{Finding, Scan};
use super::runs::Run;
use super::segment::{self, Segment, note_shares};
use super::writer::{fresh_epoch, write_footer};
use super::{Error, during};
use crate::base::ids::BackendId;
use crate::base::limits::PAGE;
use crate::rt::{Buffer, File};
use std::path::PathBuf;
use std::rc::Rc;

/// Bytes read and written at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// What packing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spilled {
    pub segments: usize,
    pub bytes_before: u64,
    pub bytes_after: u64,
}

/// While it lives, none of these segments is given up.
struct Hold(Vec<Rc<Segment>>);

impl Hold {
    fn new(segments: Vec<Rc<Segment>>) -> Hold {
        for segment in &segments {
            segment.is_being_packed.set(true);
        }
        Hold(segments)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for segment in &self.0 {
            segment.is_being_packed.set(false);
        }
    }
}

impl Log {
    /// Packs up to `count` neighbours, from this segment on, into one: as many as give a segment of usual
    /// size. `None` if nothing can be done here: they have gone, are being written, or are damaged, which
    /// must not be hidden by a copy.
    pub async fn pack(
        &self,
        first: u64,
        count: usize,
        packed_for: Vec<BackendId>,
        keeps: impl Fn(&Frame, &Run<'_>) -> bool,
    ) -> Result<Option<Spilled>, Error> {
        let hold = Hold::new(self.neighbours(first, count));
        let mut output = Output::new(
            self,
            match hold.0.first() {
                Some(first) => first.header.first_frame,
                None => return Ok(None),
            },
        );
        let done = self.copy(&hold.0, &keeps, &mut output).await;
        let inputs = &hold.0[..*done.as_ref().unwrap_or(&0)];
        let finished = match done {
            Ok(_) if inputs.is_empty() => Ok(None),
            Ok(_) => output.finish(self, inputs).await.map(Some),
            Err(error) => Err(error),
        };
        let Ok(Some(packed)) = finished else {
            self.0.litter.borrow_mut().push(output.path);
            return finished.map(|_| None);
        };
        let spilled = Spilled {
            segments: inputs.len(),
            bytes_before: inputs.iter().map(|input| input.header.bytes).sum(),
            bytes_after: packed.header.bytes,
        };
        *packed.packed_for.borrow_mut() = Some(packed_for);
        self.replace(inputs, packed).await?;
        Ok(Some(spilled))
    }

    /// Adjacent segments that will not change, in order, without a gap between their numbers.
    fn neighbours(&self, first: u64, count: usize) -> Vec<Rc<Segment>> {
        let segments = self.0.segments.borrow();
        let closed = &segments[..segments.len().saturating_sub(1)];
        let mut taken: Vec<Rc<Segment>> = Vec::new();
        for segment in closed.iter().filter(|segment| segment.number() >= first).take(count) {
            let follows =
                taken.last().is_none_or(|last| last.end_frame.get() == segment.header.first_frame);
            if !follows || segment.is_being_packed.get() || segment.is_unpackable.get() {
                break;
            }
            taken.push(segment.clone());
        }
        taken
    }

    /// Returns how many of them were copied.
    async fn copy(
        &self,
        inputs: &[Rc<Segment>],
        keeps: &impl Fn(&Frame, &Run<'_>) -> bool,
        output: &mut Output,
    ) -> Result<usize, Error> {
        for (done, input) in inputs.iter().enumerate() {
            let half = self.0.settings.segment_bytes / 2;
            if done > 0 && output.end() > half {
                return Ok(done);
            }
            self.load_index(input).await?;
            if !input.damage.borrow().is_empty() {
                input.is_unpackable.set(true);
                return Ok(done);
            }
            let mut next = input.header.first_frame;
            loop {
                let items = read_cold(self, input, next, CHUNK_BYTES).await?;
                if items.is_empty() {
                    break;
                }
                for item in items {
                    // What is lost must be found by each queue that it was owed to.
                    let Item::Frame(frame) = item else {
                        input.is_unpackable.set(true);
                        return Ok(0);
                    };
                    next = frame.number() + 1;
                    output.push(self, &frame, |run| keeps(&frame, run)).await?;
                }
            }
        }
        Ok(inputs.len())
    }

    /// The copy takes the place of the segments that it stands for. Where these cannot be removed, it stays
    /// until the next start, which removes them.
    async fn replace(&self, inputs: &[Rc<Segment>], packed: Segment) -> Result<(), Error> {
        let disk = &self.0.settings.disk;
        let directory = &self.0.settings.directory;
        let packing = "putting a packed segment in place";
        let last = inputs.last().expect("at least one was copied").clone();
        assert_eq!(packed.path, last.path);
        let made = self.packing_path();
        if let Err(error) = disk.rename(&made, &packed.path).await {
            // The next copy is made under the same name.
            self.0.litter.borrow_mut().push(made);
            return Err(during(packing)(error));
        }
        // Until that name is durable the others are needed: an error leaves all of them in use.
        disk.sync_directory(directory).await.map_err(during(packing))?;
        // Given up before the others have gone, it would leave them with a gap behind.
        packed.is_being_packed.set(true);
        let packed = Rc::new(packed);
        self.0.segments.borrow_mut().retain_mut(|segment| {
            if Rc::ptr_eq(segment, &last) {
                *segment = packed.clone();
                return true;
            }
            !inputs.iter().any(|input| Rc::ptr_eq(input, segment))
        });
        // Not used again: somebody may be reading from them.
        for input in inputs.iter().filter(|input| !Rc::ptr_eq(input, &last)) {
            disk.remove(&input.path).await.map_err(during("removing a segment that was packed"))?;
        }
        disk.sync_directory(directory).await.map_err(during(packing))?;
        packed.is_being_packed.set(false);
        Ok(())
    }

    fn packing_path(&self) -> PathBuf {
        self.0.settings.directory.join(segment::PACKING_NAME)
    }

    /// Forgets where the frames of old segments stand, if nobody has read there since the last call: memory
    /// must not grow with what a backend is owed.
    pub fn forget_indexes(&self) {
        self.0.cold.forget(self.0.settings.clock.mono());
        let segments = self.0.segments.borrow();
        let closed = &segments[..segments.len().saturating_sub(1)];
        for segment in closed.iter().filter(|segment| !segment.is_read.replace(false)) {
            if segment.damage.borrow().is_empty() {
                *segment.index.borrow_mut() = None;
            }
        }
    }
}

/// A packed segment in the making.
struct Output {
    path: PathBuf,
    file: Option<File>,
    epoch: u64,
    first_frame: u64,
    last_frame: u64,
    frames: u64,
    statements: u32,
    shares: Vec<super::format::Share>,
    /// Bytes that are not yet written; their place in the file.
    chunk: Vec<u8>,
    at: u64,
}

impl Output {
    fn new(log: &Log, first_frame: u64) -> Output {
        Output {
            path: log.packing_path(),
            file: None,
            epoch: fresh_epoch(),
            first_frame,
            last_frame: first_frame.saturating_sub(1),
            frames: 0,
            statements: 0,
            shares: Vec::new(),
            chunk: Vec::new(),
            at: SEGMENT_HEADER_BYTES as u64,
        }
    }

    fn end(&self) -> u64 {
        self.at + self.chunk.len() as u64
    }

    async fn push(
        &mut self,
        log: &Log,
        frame: &Frame,
        keeps: impl Fn(&Run<'_>) -> bool,
    ) -> Result<(), Error> {
        let narrowed = frame.narrowed(self.epoch, self.last_frame, &keeps);
        let Some(narrowed) = narrowed else { return Ok(()) };
        debug_assert!(narrowed.bytes.len().is_multiple_of(PACKED_STEP));
        self.last_frame = narrowed.header.number;
        self.frames += 1;
        self.statements += u32::from(frame.kind == Kind::Statement);
        note_shares(&mut self.shares, &narrowed.header, &narrowed.index);
        self.chunk.extend_from_slice(&narrowed.bytes);
        if self.chunk.len() >= CHUNK_BYTES {
            let whole = self.chunk.len() / PAGE * PAGE;
            self.write(log, whole).await?;
        }
        Ok(())
    }

    /// Writes the first `len` bytes of the chunk, filled up with zeros to a page.
    async fn write(&mut self, log: &Log, len: usize) -> Result<(), Error> {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => self.file.insert(self.create(log).await?).clone(),
        };
        let mut buffer = Buffer::new(len);
        buffer.bytes_mut()[..len].copy_from_slice(&self.chunk[..len]);
        let pages = len.next_multiple_of(PAGE);
        let written = file.write(buffer.freeze(pages), self.at).await;
        written.map_err(during("writing a packed segment"))?;
        self.chunk.drain(..len);
        self.at += pages as u64;
        Ok(())
    }

    async fn create(&self, log: &Log) -> Result<File, Error> {
        log.sweep().await;
        let created = log.0.settings.disk.create(&self.path).await;
        created.map_err(during("creating a packed segment"))
    }

    /// Footer and header, and everything on stable storage; the name comes later.
    async fn finish(&mut self, log: &Log, inputs: &[Rc<Segment>]) -> Result<Segment, Error> {
        let end = self.end();
        // A page at least, so that a segment without frames is no special case.
        let rest = self.chunk.len().max(usize::from(self.at == SEGMENT_HEADER_BYTES as u64));
        self.chunk.resize(rest, 0);
        if rest > 0 {
            self.write(log, rest).await?;
        }
        let last = inputs.last().expect("at least one was copied");
        let shared = &log.0;
        let header = SegmentHeader {
            log: shared.settings.log,
            segment: last.number(),
            epoch: self.epoch,
            node: shared.settings.node,
            first_frame: self.first_frame,
            stamp_before: inputs[0].header.stamp_before,
            created_unix_ms: shared.settings.clock.unix().millis(),
            bytes: self.at + PAGE as u64,
            floors: last.header.floors.clone(),
            packed: Some(Packed {
                frames: self.frames,
                last_frame: self.last_frame,
                end_frame: last.end_frame.get(),
                last_stamp: last.last_stamp.get(),
                end,
            }),
        };
        let file = self.file.clone().expect("at least a page was written");
        let pages = header.encode();
        let mut buffer = Buffer::new(pages.len());
        buffer.bytes_mut().copy_from_slice(&pages);
        let segment = Segment::new(header, file.clone(), last.path.clone());
        segment.statements.set(self.statements);
        *segment.shares.borrow_mut() = std::mem::take(&mut self.shares);
        write_footer(&segment).await;
        let written = async {
            file.write(buffer.freeze(pages.len()), 0).await?;
            file.sync().await
        };
        written.await.map_err(during("writing a packed segment"))?;
        self.read_back(&segment).await?;
        Ok(segment)
    }

    /// The others are given up for this copy, so it is looked at on the disk first.
    async fn read_back(&self, segment: &Segment) -> Result<(), Error> {
        let pages = segment.file.read(0, SEGMENT_HEADER_BYTES).await;
        let header = SegmentHeader::decode(&pages.map_err(during("reading a packed segment"))?);
        let (epoch, first) = (self.epoch, self.first_frame);
        let mut scan = Scan::new(&segment.file, epoch, first, segment.area_end(), 0)
            .packed_as(&segment.header);
        let mut frames = 0;
        while let Some(Finding::Frame { .. }) = scan.next().await? {
            frames += 1;
        }
        if header.as_ref() == Some(&segment.header) && frames == self.frames {
            return Ok(());
        }
        let lie = std::io::Error::other("the disk does not give back what was written");
        Err(during("reading a packed segment")(lie))
    }
}
