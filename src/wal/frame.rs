//! A frame: the atomic unit of the log. Open while requests are copied into it, then sealed for ever.

use super::format::{FRAME_HEADER_BYTES, FrameHeader, In, PACKED_STEP};
use crate::base::checksum::crc32c;
use crate::base::ids::BackendId;
use crate::base::limits::{FRAME_BYTES_MAX, PAGE};
use crate::base::time::Stamp;
use crate::rt::{Buffer, Bytes, SharedBuffer};
use smallvec::SmallVec;
use std::ops::Range;
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

/// Bytes that go to the same backends. Ranges count from the start of the frame.
/// Lives on: the shard that owns the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub payload: Range<usize>,
    pub points: u32,
    pub targets: SmallVec<[BackendId; 4]>,
    /// What the owner of the log wrote to know the run again: opaque here.
    pub tag: Rc<[u8]>,
}

/// Bytes of a run's table entry beside its targets and tag.
const ENTRY_BYTES: usize = 12;

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
    table_len: usize,
    runs: Vec<Run>,
    kind: Kind,
    points: u32,
}

/// A sealed frame, in memory. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct Frame {
    pub header: FrameHeader,
    pub kind: Kind,
    pub runs: Vec<Run>,
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
        let runs: usize = runs.iter().map(|run| run.len + entry_bytes(tag, run.targets)).sum();
        let first = FRAME_HEADER_BYTES + runs;
        let bytes = (first + PAGE).max(usual).clamp(FRAME_BYTES_MAX / 8, FRAME_BYTES_MAX);
        OpenFrame {
            // Few sizes, so that the memory of one frame fits the next.
            buffer: Buffer::unfilled(bytes.next_power_of_two()),
            filled: FRAME_HEADER_BYTES,
            table_len: 0,
            runs: Vec::new(),
            kind,
            points: 0,
        }
    }

    /// The bytes that a frame has for runs, and what each run with this tag and so many targets takes of them
    /// beside its own.
    pub fn room_for(tag: &[u8], targets: usize) -> (usize, usize) {
        (FRAME_BYTES_MAX - FRAME_HEADER_BYTES, ENTRY_BYTES + 2 * targets + tag.len())
    }

    /// Whether these runs fit behind what is there.
    pub fn has_room(&self, tag: &[u8], runs: &[NewRun<'_>]) -> bool {
        let wanted: usize = runs.iter().map(|run| run.len + entry_bytes(tag, run.targets)).sum();
        self.filled + self.table_len + wanted <= self.buffer.capacity()
    }

    /// The longest run with this tag and number of targets that a frame can hold.
    pub fn room_max(tag: &[u8], targets: &[BackendId]) -> usize {
        FRAME_BYTES_MAX.saturating_sub(FRAME_HEADER_BYTES + entry_bytes(tag, targets))
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Bytes that a further run of this tag and number of targets may still have.
    pub fn room(&self, tag: &[u8], targets: &[BackendId]) -> usize {
        let entry = entry_bytes(tag, targets);
        self.buffer.capacity().saturating_sub(self.filled + self.table_len + entry)
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
        assert!(len <= self.room(tag, targets), "a run of {len} bytes does not fit");
        assert!(!targets.is_empty() && targets.len() <= usize::from(u8::MAX));
        let from = self.filled;
        self.filled += len;
        self.points += points;
        match self.runs.last_mut() {
            Some(last) if last.targets.as_slice() == targets && last.tag == *tag => {
                last.payload.end += len;
                last.points += points;
            }
            _ => {
                self.table_len += entry_bytes(tag, targets);
                self.runs.push(Run {
                    payload: from..self.filled,
                    points,
                    targets: targets.into(),
                    tag: tag.clone(),
                });
            }
        }
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

    /// Ends the filling.
    pub fn seal(mut self, place: Sealing) -> Frame {
        assert!(!self.is_empty(), "an empty frame is never sealed");
        let table = encode_table(self.runs.iter());
        assert_eq!(table.len(), self.table_len);
        let payload_len = self.filled - FRAME_HEADER_BYTES;
        let bytes = self.buffer.bytes_mut();
        let end = self.filled + table.len();
        bytes[self.filled..end].copy_from_slice(&table);
        bytes[end..end.next_multiple_of(PAGE)].fill(0);
        let header = FrameHeader {
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
        Frame { header, kind: self.kind, runs: self.runs, source }
    }
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
        let runs = decode_table(&header, body)?;
        let kind = Kind::of(header.kind)?;
        Some(Frame { header, kind, runs, source: Source::Cold(bytes.clone(), at) })
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

    pub fn payload(&self, run: &Run) -> &[u8] {
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
        Frame { header, kind: self.kind, runs: self.runs.clone(), source }
    }

    /// The bytes of the same frame with the runs that `keeps` names, for a packed segment of this epoch in
    /// which frame `before` stands in front of it; `None` if no run is kept.
    pub fn narrowed(
        &self,
        epoch: u64,
        before: u64,
        keeps: impl Fn(&Run) -> bool,
    ) -> Option<(FrameHeader, Vec<u8>)> {
        let kept: Vec<&Run> = self.runs.iter().filter(|run| keeps(run)).collect();
        let points = kept.iter().map(|run| run.points).sum();
        let payload_len: usize = kept.iter().map(|run| run.payload.len()).sum();
        let table = encode_table(kept.iter().copied());
        if kept.is_empty() {
            return None;
        }
        let mut bytes = vec![0; FRAME_HEADER_BYTES];
        bytes.reserve(payload_len + table.len() + PACKED_STEP);
        for run in &kept {
            bytes.extend_from_slice(self.payload(run));
        }
        bytes.extend_from_slice(&table);
        let header = FrameHeader {
            payload_len: u32::try_from(payload_len).expect("less than it was"),
            table_len: u32::try_from(table.len()).expect("less than it was"),
            epoch,
            points,
            runs: u32::try_from(kept.len()).expect("fewer than there were"),
            synced: before,
            body_crc: crc32c(&bytes[FRAME_HEADER_BYTES..]),
            ..self.header
        };
        header.encode(&mut bytes);
        bytes.resize(header.packed_bytes(), 0);
        Some((header, bytes))
    }

    /// Whether anything in it is for `backend`.
    pub fn names(&self, backend: BackendId) -> bool {
        self.runs.iter().any(|run| run.targets.contains(&backend))
    }

    /// Memory that the frame pins.
    pub fn memory_bytes(&self) -> usize {
        self.header.frame_bytes()
    }
}

fn entry_bytes(tag: &[u8], targets: &[BackendId]) -> usize {
    ENTRY_BYTES + 2 * targets.len() + tag.len()
}

fn encode_table<'a>(runs: impl ExactSizeIterator<Item = &'a Run>) -> Vec<u8> {
    let mut table = Vec::with_capacity(runs.len() * 32);
    for run in runs {
        let len = u32::try_from(run.payload.len()).expect("a frame is far below 4 GiB");
        let targets = u8::try_from(run.targets.len()).expect("asserted when pushed");
        let tag_len = u16::try_from(run.tag.len()).expect("a tag is a database's name");
        table.extend_from_slice(&len.to_le_bytes());
        table.extend_from_slice(&run.points.to_le_bytes());
        table.extend_from_slice(&[targets, 0]);
        table.extend_from_slice(&tag_len.to_le_bytes());
        for target in &run.targets {
            table.extend_from_slice(&target.0.to_le_bytes());
        }
        table.extend_from_slice(&run.tag);
    }
    table
}

fn decode_table(header: &FrameHeader, body: &[u8]) -> Option<Vec<Run>> {
    let mut input = In { bytes: body.get(header.payload_len as usize..)? };
    let mut at = FRAME_HEADER_BYTES;
    let end = FRAME_HEADER_BYTES + header.payload_len as usize;
    let mut runs: Vec<Run> = Vec::new();
    for _ in 0..header.runs {
        let len = input.u32()? as usize;
        let points = input.u32()?;
        let count = input.u8()?;
        input.u8()?;
        let tag_len = input.u16()?;
        let mut targets = SmallVec::new();
        for _ in 0..count {
            targets.push(BackendId(input.u16()?));
        }
        let tag = input.take(usize::from(tag_len))?;
        // Runs of one database repeat its tag: share it.
        let tag = match runs.last() {
            Some(last) if *last.tag == *tag => last.tag.clone(),
            _ => Rc::from(tag),
        };
        let payload = at..at.checked_add(len).filter(|next| *next <= end)?;
        at = payload.end;
        runs.push(Run { payload, points, targets, tag });
    }
    (at == end && input.bytes.is_empty()).then_some(runs)
}
