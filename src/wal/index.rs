//! Where the frames of an old segment stand, learned again when somebody reads there.
//!
//! Every frame up to the last one that the footer names was found by an earlier scan or synced, but for the
//! holes that it names. So headers that follow one another without a gap are believed: a broken body shows when
//! it is read. Wherever they do not, the whole segment is scanned and judged.

use super::format::{FRAME_HEADER_BYTES, FrameHeader, SEGMENT_HEADER_BYTES};
use super::log::Log;
use super::reader::set_aside;
use super::recovery::{Finding, Scan};
use super::segment::{Entry, Segment};
use super::{Error, during};
use crate::base::limits::PAGE;
use crate::rt::Bytes;
use std::ops::Range;
use std::rc::Rc;

/// Bytes read for the headers that stand in them: large frames are skipped, of small ones many are in it.
const HEADERS_BYTES: usize = 4 * PAGE;

impl Log {
    /// The index of a segment that was found with a footer, or whose index was forgotten.
    pub(super) async fn load_index(&self, segment: &Rc<Segment>) -> Result<(), Error> {
        segment.is_read.set(true);
        if segment.index.borrow().is_some() {
            return Ok(());
        }
        match by_headers(segment).await? {
            Some(index) => *segment.index.borrow_mut() = Some(index),
            None => self.scan_index(segment).await?,
        }
        Ok(())
    }

    async fn scan_index(&self, segment: &Rc<Segment>) -> Result<(), Error> {
        let first = segment.header.first_frame;
        let (epoch, end) = (segment.header.epoch, segment.end_offset.get());
        let last = segment.end_frame.get() - 1;
        let mut scan = Scan::new(&segment.file, epoch, first, end, last).packed_as(&segment.header);
        let mut index = Vec::new();
        let mut damage = Vec::new();
        while let Some(finding) = scan.next().await? {
            match finding {
                Finding::Frame { frame, offset } if segment.holds(frame.number()) => {
                    index.push(Entry::of(&frame.header, offset, segment.is_packed()));
                }
                Finding::Frame { .. } | Finding::Hole { .. } => {}
                Finding::Damage { numbers, place } => {
                    let lost = without(numbers, &segment.holes.borrow());
                    if let (Some(first), Some(last)) = (lost.first(), lost.last()) {
                        let numbers = first.start..last.end;
                        set_aside(&self.0.settings, segment, &numbers, place).await;
                    }
                    damage.extend(lost);
                }
            }
        }
        *segment.damage.borrow_mut() = damage;
        *segment.index.borrow_mut() = Some(index);
        Ok(())
    }
}

/// The index, if header follows header from the first frame to the last.
async fn by_headers(segment: &Segment) -> Result<Option<Vec<Entry>>, Error> {
    if segment.is_packed() || !segment.holes.borrow().is_empty() {
        return Ok(None);
    }
    let mut index = Vec::new();
    let mut seen = Headers { base: 0, bytes: None };
    let (mut at, mut expected) = (SEGMENT_HEADER_BYTES, segment.header.first_frame);
    let end = usize::try_from(segment.end_offset.get()).expect("a segment is far below 4 GiB");
    while at < end {
        let Some(header) = seen.header(segment, at).await? else { return Ok(None) };
        let is_next = header.epoch == segment.header.epoch && header.number == expected;
        if !is_next || at + header.frame_bytes() > end {
            return Ok(None);
        }
        index.push(Entry::of(&header, at as u64, false));
        (at, expected) = (at + header.frame_bytes(), expected + 1);
    }
    Ok((expected == segment.end_frame.get()).then_some(index))
}

/// What was read last.
struct Headers {
    base: usize,
    bytes: Option<Bytes>,
}

impl Headers {
    async fn header(&mut self, segment: &Segment, at: usize) -> Result<Option<FrameHeader>, Error> {
        let is_here = |bytes: &Bytes| {
            (self.base..self.base + bytes.len()).contains(&(at + FRAME_HEADER_BYTES))
        };
        if !self.bytes.as_ref().is_some_and(is_here) {
            let read = segment.file.read(at as u64, HEADERS_BYTES).await;
            self.bytes = Some(read.map_err(during("reading headers of a segment"))?);
            self.base = at;
        }
        let bytes = self.bytes.as_ref().and_then(|bytes| bytes.get(at - self.base..));
        Ok(bytes.and_then(FrameHeader::decode))
    }
}

/// The parts of `numbers` that are in none of the holes, which are in order.
pub(super) fn without(numbers: Range<u64>, holes: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut parts = Vec::new();
    let mut from = numbers.start;
    for hole in holes.iter().filter(|hole| hole.end > numbers.start && hole.start < numbers.end) {
        parts.push(from..hole.start);
        from = hole.end;
    }
    parts.push(from..numbers.end);
    parts.retain(|part| part.start < part.end);
    parts
}
