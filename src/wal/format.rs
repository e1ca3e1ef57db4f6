//! The bytes of a segment. All integers are little endian; `docs/wal-format.md` draws the picture.
//!
//! ```text
//! segment  = header page | header page again | frame | frame | ... | zeros or stale bytes | footer page
//! frame    = header 72 B | payload | table | zeros to the next page
//! packed   = header page | header page again | frames without zeros between | zeros | footer page
//! ```
//! What is in the table, `table` says.
//! The table stands behind the payload because its size is known only when the frame is sealed, and the
//! payload is copied to its final place line by line before that.

use super::table::{COMPACT, PLAIN};
use crate::base::checksum::crc32c;
use crate::base::ids::{BackendId, LogId};
use crate::base::limits::PAGE;
use crate::base::time::Stamp;
use std::ops::Range;

pub const FRAME_HEADER_BYTES: usize = 72;

/// The header of a segment stands twice: one rotten page must not take every frame with it.
pub const SEGMENT_HEADER_BYTES: usize = 2 * PAGE;
const FRAME_MAGIC: u32 = u32::from_le_bytes(*b"CFRM");
/// Those of version 1 hold only frames of version 1.
const SEGMENT_MAGICS: [u64; 2] =
    [u64::from_le_bytes(*b"CIRCSEG1"), u64::from_le_bytes(*b"CIRCSEG2")];
const PACKED_MAGICS: [u64; 2] =
    [u64::from_le_bytes(*b"CIRCPCK1"), u64::from_le_bytes(*b"CIRCPCK2")];
const FOOTER_MAGIC: u64 = u64::from_le_bytes(*b"CIRCFTR1");

/// A frame in a packed segment begins at a multiple of this.
pub const PACKED_STEP: usize = 8;

/// Where the facts of a packed segment stand in its header page.
const PACKED_AT: usize = PAGE - 4 - 40;

/// How many backends fit a page of floors or of footer facts. With more, the page carries none and the
/// segment is read whole at start, which is slower and just as right.
const PER_PAGE_MAX: usize = 200;

/// The first 72 bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Of the table: see `table`.
    pub version: u8,
    pub kind: u8,
    /// What the owner of the log wants to know of the frame again: opaque here.
    pub note: u16,
    pub payload_len: u32,
    pub table_len: u32,
    pub epoch: u64,
    pub number: u64,
    pub stamp: Stamp,
    pub unix_ms: u64,
    pub points: u32,
    pub runs: u32,
    /// Every frame up to this number was on stable storage when this one was sealed. A hole below it is
    /// damage; a hole above it is a commit that was never acknowledged.
    ///
    /// In a packed segment: the number of the frame before this one, or the one below the segment's first
    /// number. Numbers between are no hole: nothing of them was owed.
    pub synced: u64,
    pub body_crc: u32,
}

/// What the header of a packed segment knows, because it is written last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    pub frames: u64,
    /// Number of the last frame that stands here; below the first number if none does.
    pub last_frame: u64,
    /// One behind the last number that this segment stands for.
    pub end_frame: u64,
    pub last_stamp: Stamp,
    /// Behind the last frame.
    pub end: u64,
}

/// The first two pages of a segment, each the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    pub log: LogId,
    pub segment: u64,
    /// Random, new for every life of the file: stale frames of an earlier life do not match it.
    pub epoch: u64,
    pub node: [u8; 16],
    pub first_frame: u64,
    /// Every frame of this segment has a higher stamp.
    pub stamp_before: Stamp,
    pub created_unix_ms: u64,
    pub bytes: u64,
    /// The cut of each backend when the segment was created.
    pub floors: Vec<(BackendId, Stamp)>,
    /// Set for a dense copy of what several segments still owed.
    pub packed: Option<Packed>,
}

/// What a sealed segment holds for one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub backend: BackendId,
    pub last_frame: u64,
    pub last_stamp: Stamp,
    pub bytes: u64,
    pub points: u64,
}

/// The last page of a sealed segment: only an accelerator of the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    pub epoch: u64,
    pub last_frame: u64,
    pub last_stamp: Stamp,
    pub end: u64,
    pub statements: u32,
    /// Numbers that were never acknowledged and are missing. Any other hole is damage.
    pub holes: Vec<Range<u64>>,
    pub shares: Vec<Share>,
}

impl FrameHeader {
    /// Bytes of the whole frame on disk, a multiple of a page.
    pub fn frame_bytes(&self) -> usize {
        (FRAME_HEADER_BYTES + self.payload_len as usize + self.table_len as usize)
            .next_multiple_of(PAGE)
    }

    /// The same in a packed segment.
    pub fn packed_bytes(&self) -> usize {
        (FRAME_HEADER_BYTES + self.body_len()).next_multiple_of(PACKED_STEP)
    }

    pub fn body_len(&self) -> usize {
        self.payload_len as usize + self.table_len as usize
    }

    pub fn encode(&self, page: &mut [u8]) {
        let mut out = Out { bytes: page, at: 0 };
        out.u32(FRAME_MAGIC);
        out.put(&[self.version, self.kind]);
        out.put(&self.note.to_le_bytes());
        out.u32(self.payload_len);
        out.u32(self.table_len);
        out.u64(self.epoch);
        out.u64(self.number);
        out.u64(self.stamp.0);
        out.u64(self.unix_ms);
        out.u32(self.points);
        out.u32(self.runs);
        out.u64(self.synced);
        out.u32(self.body_crc);
        assert_eq!(out.at, FRAME_HEADER_BYTES - 4);
        let crc = crc32c(&page[..FRAME_HEADER_BYTES - 4]);
        page[FRAME_HEADER_BYTES - 4..FRAME_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    }

    /// `None` if no whole header stands here.
    pub fn decode(bytes: &[u8]) -> Option<FrameHeader> {
        let head = bytes.get(..FRAME_HEADER_BYTES)?;
        let mut input = In { bytes: head };
        let magic = input.u32()?;
        let version = input.u8()?;
        if magic != FRAME_MAGIC || ![PLAIN, COMPACT].contains(&version) {
            return None;
        }
        let header = FrameHeader {
            version,
            kind: input.u8()?,
            note: input.u16()?,
            payload_len: input.u32()?,
            table_len: input.u32()?,
            epoch: input.u64()?,
            number: input.u64()?,
            stamp: Stamp(input.u64()?),
            unix_ms: input.u64()?,
            points: input.u32()?,
            runs: input.u32()?,
            synced: input.u64()?,
            body_crc: input.u32()?,
        };
        let whole = input.u32()? == crc32c(head.get(..FRAME_HEADER_BYTES - 4)?);
        // Numbers count up from 1, so that the last one means nonsense that has a checksum.
        (whole && header.number < u64::MAX).then_some(header)
    }
}

impl SegmentHeader {
    /// Two equal pages.
    pub fn encode(&self) -> Vec<u8> {
        let mut page = vec![0; PAGE];
        let mut out = Out { bytes: &mut page, at: 0 };
        let [_, magic] = if self.packed.is_some() { PACKED_MAGICS } else { SEGMENT_MAGICS };
        out.u64(magic);
        out.put(&self.log.0.to_le_bytes());
        out.u64(self.segment);
        out.u64(self.epoch);
        out.put(&self.node);
        out.u64(self.first_frame);
        out.u64(self.stamp_before.0);
        out.u64(self.created_unix_ms);
        out.u64(self.bytes);
        let floors = if self.floors.len() > PER_PAGE_MAX { &[] } else { &self.floors[..] };
        out.u32(u32::try_from(floors.len()).expect("bounded above"));
        for (backend, floor) in floors {
            out.put(&backend.0.to_le_bytes());
            out.u64(floor.0);
        }
        if let Some(packed) = &self.packed {
            out.at = PACKED_AT;
            out.u64(packed.frames);
            out.u64(packed.last_frame);
            out.u64(packed.end_frame);
            out.u64(packed.last_stamp.0);
            out.u64(packed.end);
        }
        seal(&mut page);
        page.extend_from_within(..);
        page
    }

    /// From the first of the two pages that is whole.
    pub fn decode(pages: &[u8]) -> Option<SegmentHeader> {
        pages.chunks(PAGE).take(SEGMENT_HEADER_BYTES / PAGE).find_map(Self::decode_page)
    }

    /// The header of this segment: of two whole pages one may have come here by mistake.
    pub fn decode_of(pages: &[u8], log: LogId, segment: u64) -> Option<SegmentHeader> {
        let pages = pages.chunks(PAGE).take(SEGMENT_HEADER_BYTES / PAGE);
        let mut headers = pages.filter_map(Self::decode_page);
        headers.find(|header| header.log == log && header.segment == segment)
    }

    /// Whether a whole page of them was written by a version that this one does not know.
    pub fn is_foreign(pages: &[u8]) -> bool {
        let known = SEGMENT_MAGICS.into_iter().chain(PACKED_MAGICS).map(u64::to_le_bytes);
        let foreign = |page| {
            let magic = sealed(page).and_then(|page| page.get(..8));
            magic.is_some_and(|magic| {
                known.clone().all(|known| magic != known)
                    && known.clone().any(|known| magic[..7] == known[..7])
            })
        };
        pages.chunks(PAGE).take(SEGMENT_HEADER_BYTES / PAGE).any(foreign)
    }

    fn decode_page(page: &[u8]) -> Option<SegmentHeader> {
        let mut input = In { bytes: sealed(page)? };
        let magic = input.u64()?;
        let is_packed = PACKED_MAGICS.contains(&magic);
        if !is_packed && !SEGMENT_MAGICS.contains(&magic) {
            return None;
        }
        let mut header = SegmentHeader {
            log: LogId(input.u16()?),
            segment: input.u64()?,
            epoch: input.u64()?,
            node: input.take(16)?.try_into().ok()?,
            first_frame: input.u64()?,
            stamp_before: Stamp(input.u64()?),
            created_unix_ms: input.u64()?,
            bytes: input.u64()?,
            floors: Vec::new(),
            packed: None,
        };
        for _ in 0..input.u32()? {
            header.floors.push((BackendId(input.u16()?), Stamp(input.u64()?)));
        }
        // Positions in a segment are kept in 32 bits.
        let sane = header.bytes.is_multiple_of(PAGE as u64)
            && header.bytes > (SEGMENT_HEADER_BYTES + PAGE) as u64
            && u32::try_from(header.bytes).is_ok();
        if !sane {
            return None;
        }
        if is_packed {
            let packed = Packed::decode(page.get(PACKED_AT..)?)?;
            let numbers = header.first_frame..=packed.end_frame;
            let has_sense = header.first_frame > 0
                && numbers.contains(&(packed.last_frame.checked_add(1)?))
                && (SEGMENT_HEADER_BYTES as u64..=header.bytes - PAGE as u64).contains(&packed.end);
            header.packed = Some(has_sense.then_some(packed)?);
        }
        Some(header)
    }
}

impl Packed {
    fn decode(bytes: &[u8]) -> Option<Packed> {
        let mut input = In { bytes };
        Some(Packed {
            frames: input.u64()?,
            last_frame: input.u64()?,
            end_frame: input.u64()?,
            last_stamp: Stamp(input.u64()?),
            end: input.u64()?,
        })
    }
}

impl Footer {
    /// One page; `None` if there are too many backends or holes for one.
    pub fn encode(&self) -> Option<Vec<u8>> {
        if 64 + self.holes.len() * 16 + self.shares.len() * 34 > PAGE {
            return None;
        }
        let mut page = vec![0; PAGE];
        let mut out = Out { bytes: &mut page, at: 0 };
        out.u64(FOOTER_MAGIC);
        out.u64(self.epoch);
        out.u64(self.last_frame);
        out.u64(self.last_stamp.0);
        out.u64(self.end);
        out.u32(self.statements);
        out.u32(u32::try_from(self.holes.len()).expect("bounded above"));
        for hole in &self.holes {
            out.u64(hole.start);
            out.u64(hole.end);
        }
        out.u32(u32::try_from(self.shares.len()).expect("bounded above"));
        for share in &self.shares {
            out.put(&share.backend.0.to_le_bytes());
            out.u64(share.last_frame);
            out.u64(share.last_stamp.0);
            out.u64(share.bytes);
            out.u64(share.points);
        }
        seal(&mut page);
        Some(page)
    }

    pub fn decode(page: &[u8]) -> Option<Footer> {
        let mut input = In { bytes: sealed(page)? };
        if input.u64()? != FOOTER_MAGIC {
            return None;
        }
        let mut footer = Footer {
            epoch: input.u64()?,
            last_frame: input.u64()?,
            last_stamp: Stamp(input.u64()?),
            end: input.u64()?,
            statements: input.u32()?,
            holes: Vec::new(),
            shares: Vec::new(),
        };
        for _ in 0..input.u32()? {
            footer.holes.push(input.u64()?..input.u64()?);
        }
        for _ in 0..input.u32()? {
            footer.shares.push(Share {
                backend: BackendId(input.u16()?),
                last_frame: input.u64()?,
                last_stamp: Stamp(input.u64()?),
                bytes: input.u64()?,
                points: input.u64()?,
            });
        }
        Some(footer)
    }
}

/// Puts the checksum of a page into its last four bytes.
pub fn seal(page: &mut [u8]) {
    let at = page.len() - 4;
    let crc = crc32c(&page[..at]);
    page[at..].copy_from_slice(&crc.to_le_bytes());
}

/// The bytes of a page without its checksum, if that is right.
pub fn sealed(page: &[u8]) -> Option<&[u8]> {
    let (bytes, crc) = page.split_at_checked(page.len().checked_sub(4)?)?;
    (crc32c(bytes).to_le_bytes() == crc).then_some(bytes)
}

/// Fills a fixed space from its start.
pub struct Out<'a> {
    pub bytes: &'a mut [u8],
    pub at: usize,
}

impl Out<'_> {
    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    pub fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }
}

/// Reads from the front of foreign bytes; `None` when they end.
pub struct In<'a> {
    pub bytes: &'a [u8],
}

impl<'a> In<'a> {
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}
