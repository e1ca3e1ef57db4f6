//! One file of frames: its name, what is known of it, where its frames stand.

use super::format::{Footer, FrameHeader, SEGMENT_HEADER_BYTES, SegmentHeader, Share};
use super::frame::{Frame, Kind};
use super::runs::Index;
use crate::base::ids::BackendId;
use crate::base::limits::PAGE;
use crate::base::time::Stamp;
use crate::rt::File;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A segment. Lives on: the shard that owns the log.
#[derive(Debug)]
pub struct Segment {
    pub header: SegmentHeader,
    pub file: File,
    pub path: PathBuf,
    /// One behind the last frame. Moves while the segment is the active one.
    pub end_frame: Cell<u64>,
    pub end_offset: Cell<u64>,
    pub last_stamp: Cell<Stamp>,
    pub statements: Cell<u32>,
    pub shares: RefCell<Vec<Share>>,
    /// Numbers that were never acknowledged and are missing.
    pub holes: RefCell<Vec<Range<u64>>>,
    /// Frames that were acknowledged once and are lost; known when the index is.
    pub damage: RefCell<Vec<Range<u64>>>,
    /// Number and offset of each frame, in order; `None` until somebody reads an old segment.
    pub index: RefCell<Option<Vec<Entry>>>,
    /// Somebody has read from it since the last look.
    pub is_read: Cell<bool>,
    /// A dense copy is being made: until it stands, nothing here is given up.
    pub is_being_packed: Cell<bool>,
    /// It is damaged, which a copy would hide from the queues that have yet to find it.
    pub is_unpackable: Cell<bool>,
    /// For which backends' own queues the copy was made; `None` if that is not known any more.
    pub packed_for: RefCell<Option<Vec<BackendId>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub number: u64,
    pub stamp: Stamp,
    pub offset: u32,
    pub bytes: u32,
}

impl Segment {
    pub fn new(header: SegmentHeader, file: File, path: PathBuf) -> Segment {
        Segment {
            end_frame: Cell::new(
                header.packed.map_or(header.first_frame, |packed| packed.end_frame),
            ),
            end_offset: Cell::new(
                header.packed.map_or(SEGMENT_HEADER_BYTES as u64, |packed| packed.end),
            ),
            last_stamp: Cell::new(
                header.packed.map_or(header.stamp_before, |packed| packed.last_stamp),
            ),
            statements: Cell::new(0),
            shares: RefCell::default(),
            holes: RefCell::default(),
            damage: RefCell::default(),
            index: RefCell::default(),
            is_read: Cell::new(false),
            is_being_packed: Cell::new(false),
            is_unpackable: Cell::new(false),
            packed_for: RefCell::default(),
            header,
            file,
            path,
        }
    }

    pub fn number(&self) -> u64 {
        self.header.segment
    }

    /// Frames may stand below this offset; the last page is the footer's.
    pub fn area_end(&self) -> u64 {
        self.header.bytes - PAGE as u64
    }

    pub fn holds(&self, number: u64) -> bool {
        (self.header.first_frame..self.end_frame.get()).contains(&number)
    }

    /// Whether it is a dense copy of what was still owed.
    pub fn is_packed(&self) -> bool {
        self.header.packed.is_some()
    }

    /// Notes a frame that now stands at `offset`.
    pub fn note(&self, frame: &Frame, offset: u64) {
        assert!(!self.is_packed(), "a packed segment does not grow");
        assert!(frame.number() >= self.end_frame.get() && frame.stamp() > self.last_stamp.get());
        self.end_frame.set(frame.number() + 1);
        self.end_offset.set(offset + frame.header.frame_bytes() as u64);
        self.last_stamp.set(frame.stamp());
        self.learn(frame, offset);
    }

    /// Notes what a frame holds that stands at `offset`.
    pub fn learn(&self, frame: &Frame, offset: u64) {
        if frame.kind == Kind::Statement {
            self.statements.set(self.statements.get() + 1);
        }
        note_shares(&mut self.shares.borrow_mut(), &frame.header, frame.index());
        if let Some(index) = self.index.borrow_mut().as_mut() {
            index.push(Entry::of(&frame.header, offset, self.is_packed()));
        }
    }

    /// Forgets the frames from `end` on: they were not synced, and stand in a later segment. The shares
    /// keep them: a segment that names a backend too much is only freed later.
    pub fn cut(&self, end: u64) {
        let mut index = self.index.borrow_mut();
        let index = index.as_mut().expect("a segment that was written has its index");
        index.retain(|entry| entry.number < end);
        self.end_frame.set(self.end_frame.get().min(end.max(self.header.first_frame)));
        self.last_stamp.set(index.last().map_or(self.header.stamp_before, |entry| entry.stamp));
    }

    pub fn footer(&self) -> Footer {
        Footer {
            epoch: self.header.epoch,
            last_frame: self.end_frame.get() - 1,
            last_stamp: self.last_stamp.get(),
            end: self.end_offset.get(),
            holes: self.holes.borrow().clone(),
            statements: self.statements.get(),
            shares: self.shares.borrow().clone(),
        }
    }

    /// Takes over what a footer says.
    pub fn adopt(&self, footer: Footer) {
        self.end_frame.set(footer.last_frame + 1);
        self.end_offset.set(footer.end.min(self.area_end()));
        *self.holes.borrow_mut() = footer.holes;
        self.last_stamp.set(footer.last_stamp);
        self.statements.set(footer.statements);
        *self.shares.borrow_mut() = in_order(footer.shares);
    }

    pub fn share(&self, backend: BackendId) -> Option<Share> {
        let shares = self.shares.borrow();
        let at = shares.binary_search_by_key(&backend, |share| share.backend);
        at.ok().map(|at| shares[at])
    }
}

impl Entry {
    pub fn of(header: &FrameHeader, offset: u64, is_packed: bool) -> Entry {
        let bytes = if is_packed { header.packed_bytes() } else { header.frame_bytes() };
        Entry {
            number: header.number,
            stamp: header.stamp,
            offset: u32::try_from(offset).expect("a segment is far below 4 GiB"),
            bytes: u32::try_from(bytes).expect("far below 4 GiB"),
        }
    }
}

/// Footers of version 1 name the backends in the order of their first runs.
pub(super) fn in_order(mut shares: Vec<Share>) -> Vec<Share> {
    shares.sort_by_key(|share| share.backend);
    shares
}

/// Adds what a frame holds. Shares are in the order of their backends.
pub(super) fn note_shares(shares: &mut Vec<Share>, header: &FrameHeader, index: &Index) {
    let mut from = 0;
    for portion in index.portions() {
        let at = shares[from..].partition_point(|share| share.backend < portion.backend) + from;
        if shares.get(at).is_none_or(|share| share.backend != portion.backend) {
            let (backend, last_stamp) = (portion.backend, Stamp(0));
            shares.insert(at, Share { backend, last_frame: 0, last_stamp, bytes: 0, points: 0 });
        }
        let share = &mut shares[at];
        share.last_frame = header.number;
        share.last_stamp = header.stamp;
        share.bytes += u64::from(portion.bytes);
        share.points += u64::from(portion.points);
        from = at + 1;
    }
}

pub fn file_name(segment: u64) -> String {
    format!("{segment:016x}.wal")
}

pub fn free_name(segment: u64) -> String {
    format!("free-{segment:016x}.wal")
}

/// The name of a packed segment in the making; there is one at a time. A start removes it.
pub const PACKING_NAME: &str = "next-packed.tmp";

/// The name of a file that is being made into a segment. Each gets its own: a spare may be in the making
/// while a rotation that could not wait for it makes another.
pub fn next_name(turn: u64) -> String {
    format!("next-{turn:x}.tmp")
}

pub fn is_next(name: &str) -> bool {
    name.starts_with("next") && name.ends_with(".tmp")
}

/// The segment's number in a file name such as `0000000000000001.wal`.
pub fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

pub fn is_free(name: &str) -> bool {
    name.strip_prefix("free-").and_then(parse_name).is_some()
}

pub fn path(directory: &Path, segment: u64) -> PathBuf {
    directory.join(file_name(segment))
}
