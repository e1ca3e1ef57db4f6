//! A frame: the atomic unit of the log. Open while requests are copied into it, then sealed for ever.

use super::format::{FRAME_HEADER_BYTES, FrameHeader};
use super::runs::{Index, Run, Runs, is_same};
use super::table::{self, Table};
use crate::base::checksum::crc32c;
use crate::base::ids::BackendId;
use crate::base::limits::{FRAME_BYTES_MAX, PAGE};
use crate::base::time::Stamp;
use crate::rt::{Buffer, Bytes, SharedBuffer};
use std::rc::Rc;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lines, in runs.
    Lines,
    /// One statement, alone.
    Statement,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Kind::Lines => 1,
            Kind::Statement => 2,
        }
    }

    fn of(code: u8) -> Option<Kind> {
        match code {
            1 => Some(Kind::Lines),
            2 => Some(Kind::Statement),
            _ => None,
        }
    }
}

/// A run that is to be filled.
/// Lives on: the shard that owns the log.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'a> {
    pub targets: &'a [BackendId],
    pub points: u32,
    pub len: usize,
}

/// A frame that is being filled.
#[derive(Debug)]
pub struct OpenFrame {
    buffer: Buffer,
    filled: usize,
    /// Of all runs but the last, which may go on.
    table: Table,
    /// Most bytes that the last run's entry may take.
    last_entry: usize,
    runs: Runs,
    kind: Kind,
    points: u32,
}

/// A sealed frame, in memory. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct Frame {
    pub header: FrameHeader,
    pub kind: Kind,
    pub runs: Runs,
    index: Index,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Hot(SharedBuffer),
    Cold(Rc<Bytes>, usize),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Source::Hot(_) => "hot",
            Source::Cold(..) => "cold",
        })
    }
}

impl OpenFrame {
    /// An empty frame with room for a first run of `len` bytes with this tag and number of targets, within
    /// the limits of a frame, and usually for more.
    pub fn new(kind: Kind, tag: &[u8], targets: &[BackendId], len: usize) -> OpenFrame {
        OpenFrame::with_room(kind, tag, &[NewRun { targets, points: 0, len }], 0)
    }

    /// The same for several first runs, and with `usual` bytes at least.
    pub fn with_room(kind: Kind, tag: &[u8], runs: &[NewRun<'_>], usual: usize) -> OpenFrame {
        let first = FRAME_HEADER_BYTES + wanted(tag, runs);
        // More than one frame holds is no reason for one that is larger than its first request.
        let usual = if usual > FRAME_BYTES_MAX { 0 } else { usual };
        let bytes = (first + PAGE).max(usual).min(FRAME_BYTES_MAX);
        OpenFrame {
            // Few sizes, so that the memory of one frame fits the next.
            buffer: Buffer::unfilled(bytes.next_multiple_of(FRAME_BYTES_MAX / 8)),
            filled: FRAME_HEADER_BYTES,
            table: Table::default(),
            last_entry: 0,
            runs: Runs::default(),
            kind,
            points: 0,
        }
    }

    /// The bytes that a frame has for runs, and what each run with this tag and so many targets takes of them
    /// beside its own.
    pub fn room_for(tag: &[u8], targets: usize) -> (usize, usize) {
        let room = FRAME_BYTES_MAX - FRAME_HEADER_BYTES;
        (room.saturating_sub(table::tag_bytes_max(tag)), table::entry_bytes_max(targets))
    }

    /// Whether these runs fit behind what is there.
    pub fn has_room(&self, tag: &[u8], runs: &[NewRun<'_>]) -> bool {
        self.used() + wanted(tag, runs) <= self.buffer.capacity()
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    /// Bytes that a further run of this tag and number of targets may still have.
    pub fn room(&self, tag: &[u8], targets: &[BackendId]) -> usize {
        let wanted = wanted(tag, &[NewRun::empty(targets)]);
        self.buffer.capacity().saturating_sub(self.used() + wanted)
    }

    /// Bytes that are spoken for.
    fn used(&self) -> usize {
        self.filled + self.table.bytes().len() + self.last_entry
    }

    /// Where the next run's bytes will begin.
    pub fn payload_end(&self) -> usize {
        self.filled
    }

    /// The place for the bytes of a run. A run with the tag and targets of the last one goes on with it.
    ///
    /// Panics if there is no room: ask [`OpenFrame::room`] first.
    pub fn push(
        &mut self,
        tag: &Rc<[u8]>,
        targets: &[BackendId],
        points: u32,
        len: usize,
    ) -> &mut [u8] {
        assert!(!targets.is_empty() && targets.len() <= usize::from(u8::MAX));
        let from = self.filled;
        self.filled += len;
        self.points += points;
        let last = self.runs.last();
        let is_of_tag = last.as_ref().is_some_and(|last| is_same(last.tag, tag));
        if is_of_tag && last.is_some_and(|last| last.targets == targets) {
            self.runs.extend_last(points, len);
        } else {
            self.end_last();
            self.last_entry = table::entry_bytes_max(targets.len());
            if !is_of_tag {
                self.last_entry += table::tag_bytes_max(tag);
            }
            self.runs.push(tag, targets, points, len);
        }
        assert!(self.used() <= self.buffer.capacity(), "a run of {len} bytes does not fit");
        &mut self.buffer.bytes_mut()[from..from + len]
    }

    /// The place for the bytes of these runs, side by side.
    ///
    /// Panics if there is no room: ask [`OpenFrame::has_room`] first.
    pub fn push_all(&mut self, tag: &Rc<[u8]>, runs: &[NewRun<'_>]) -> &mut [u8] {
        let from = self.filled;
        for run in runs {
            self.push(tag, run.targets, run.points, run.len);
        }
        &mut self.buffer.bytes_mut()[from..self.filled]
    }

    /// The last run will not go on.
    fn end_last(&mut self) {
        if let Some(last) = self.runs.last() {
            self.table.push(&last, self.runs.tag_number(self.runs.len() - 1));
        }
    }

    /// Ends the filling.
    pub fn seal(mut self, place: Sealing) -> Frame {
        assert!(!self.is_empty(), "an empty frame is never sealed");
        self.end_last();
        let table = self.table.bytes();
        let payload_len = self.filled - FRAME_HEADER_BYTES;
        let bytes = self.buffer.bytes_mut();
        let end = self.filled + table.len();
        bytes[self.filled..end].copy_from_slice(table);
        bytes[end..end.next_multiple_of(PAGE)].fill(0);
        let header = FrameHeader {
            version: table::COMPACT,
            kind: self.kind.code(),
            note: place.note,
            payload_len: u32::try_from(payload_len).expect("a frame is far below 4 GiB"),
            table_len: u32::try_from(table.len()).expect("a frame is far below 4 GiB"),
            epoch: place.epoch,
            number: place.number,
            stamp: place.stamp,
            unix_ms: place.unix_ms,
            points: self.points,
            runs: u32::try_from(self.runs.len()).expect("a frame is far below 4 Gi runs"),
            synced: place.synced,
            body_crc: crc32c(&bytes[FRAME_HEADER_BYTES..end]),
        };
        header.encode(bytes);
        let source = Source::Hot(self.buffer.freeze(header.frame_bytes()));
        let index = Index::of(&self.runs);
        Frame { header, kind: self.kind, runs: self.runs, index, source }
    }
}

impl NewRun<'_> {
    fn empty(targets: &[BackendId]) -> NewRun<'_> {
        NewRun { targets, points: 0, len: 0 }
    }
}

/// Most bytes that runs of one tag take of a frame.
fn wanted(tag: &[u8], runs: &[NewRun<'_>]) -> usize {
    let entry = |run: &NewRun<'_>| run.len + table::entry_bytes_max(run.targets.len());
    table::tag_bytes_max(tag) + runs.iter().map(entry).sum::<usize>()
}

/// A frame that lost runs, as it is to be written.
#[derive(Debug)]
pub struct Narrowed {
    pub header: FrameHeader,
    pub bytes: Vec<u8>,
    pub index: Index,
}

/// What a frame learns when it is sealed.
#[derive(Clone, Copy, Debug)]
pub struct Sealing {
    pub epoch: u64,
    pub number: u64,
    pub stamp: Stamp,
    pub unix_ms: u64,
    pub synced: u64,
    pub note: u16,
}

impl Frame {
    /// The frame that stands at `at` in bytes from a disk, if it is whole.
    pub fn decode(bytes: &Rc<Bytes>, at: usize) -> Option<Frame> {
        let here = bytes.get(at..)?;
        let header = FrameHeader::decode(here)?;
        let body = here.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + header.body_len())?;
        if crc32c(body) != header.body_crc {
            return None;
        }
        let runs = table::decode(&header, body)?;
        let kind = Kind::of(header.kind)?;
        let index = Index::of(&runs);
        Some(Frame { header, kind, runs, index, source: Source::Cold(bytes.clone(), at) })
    }

    pub fn number(&self) -> u64 {
        self.header.number
    }

    pub fn stamp(&self) -> Stamp {
        self.header.stamp
    }

    /// The frame as it is on disk; at least up to the end of its body.
    pub fn bytes(&self) -> &[u8] {
        match &self.source {
            Source::Hot(buffer) => buffer,
            Source::Cold(bytes, at) => {
                // The file may end within the zeros behind the body.
                let here = bytes.get(*at..).unwrap_or(&[]);
                here.get(..self.header.frame_bytes()).unwrap_or(here)
            }
        }
    }

    pub fn payload(&self, run: &Run<'_>) -> &[u8] {
        self.bytes().get(run.payload.clone()).unwrap_or(&[])
    }

    /// The buffer to write, for a frame that was sealed in this process.
    pub fn buffer(&self) -> SharedBuffer {
        match &self.source {
            Source::Hot(buffer) => buffer.clone(),
            Source::Cold(..) => panic!("a frame from a disk is not written again"),
        }
    }

    /// The same frame for another segment.
    pub fn moved_to(&self, epoch: u64) -> Frame {
        let old = self.bytes();
        let mut buffer = Buffer::new(old.len());
        buffer.bytes_mut()[..old.len()].copy_from_slice(old);
        let header = FrameHeader { epoch, ..self.header };
        header.encode(buffer.bytes_mut());
        let source = Source::Hot(buffer.freeze(header.frame_bytes()));
        let (runs, index) = (self.runs.clone(), self.index.clone());
        Frame { header, kind: self.kind, runs, index, source }
    }

    /// The same frame with the runs that `keeps` names, for a packed segment of this epoch in which frame
    /// `before` stands in front of it; `None` if no run is kept.
    pub fn narrowed(
        &self,
        epoch: u64,
        before: u64,
        keeps: impl Fn(&Run<'_>) -> bool,
    ) -> Option<Narrowed> {
        let mut runs = Runs::default();
        let mut bytes = vec![0; FRAME_HEADER_BYTES];
        let mut points: u32 = 0;
        for run in self.runs.iter().filter(|run| keeps(run)) {
            points = points.saturating_add(run.points);
            bytes.extend_from_slice(self.payload(&run));
            runs.push(run.tag, run.targets, run.points, run.payload.len());
        }
        if runs.is_empty() {
            return None;
        }
        let payload_len = bytes.len() - FRAME_HEADER_BYTES;
        let table = Table::of(&runs);
        bytes.extend_from_slice(table.bytes());
        let header = FrameHeader {
            version: table::COMPACT,
            payload_len: u32::try_from(payload_len).expect("no more than it was"),
            table_len: u32::try_from(table.bytes().len()).expect("no more than it was"),
            epoch,
            points,
            runs: u32::try_from(runs.len()).expect("no more than there were"),
            synced: before,
            body_crc: crc32c(&bytes[FRAME_HEADER_BYTES..]),
            ..self.header
        };
        header.encode(&mut bytes);
        bytes.resize(header.packed_bytes(), 0);
        Some(Narrowed { header, bytes, index: Index::of(&runs) })
    }

    /// Whether anything in it is for `backend`.
    pub fn names(&self, backend: BackendId) -> bool {
        self.index.portion(backend).is_some()
    }

    /// What it holds for each backend.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Memory that the frame pins, but for what its runs take, which is 28 bytes for one with two backends.
    pub fn memory_bytes(&self) -> usize {
        match &self.source {
            Source::Hot(buffer) => buffer.capacity(),
            Source::Cold(..) => self.header.frame_bytes(),
        }
    }
}
