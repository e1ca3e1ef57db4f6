//! The table behind a frame's payload: what each run is, in few bytes.
//!
//! Layout 1 has 12 bytes, two for each backend, and the tag for each run. Layout 2, which is written, tells only
//! what differs from the run before: where there are many backends nearly every line is a run, and then
//! its length and its backends are all that is told. `docs/wal-format.md` draws both.

use super::format::{FRAME_HEADER_BYTES, FrameHeader, In};
use super::runs::{Run, Runs};
use crate::base::ids::BackendId;
use crate::base::limits::FRAME_BYTES_MAX;
use std::rc::Rc;

/// What a frame's version says of its table.
pub const PLAIN: u8 = 1;
pub const COMPACT: u8 = 2;

/// Most bytes of a run's entry beside its backends and its tag: its length, its points, and the number of
/// its backends. A frame is far below a megabyte, so that a length takes three.
const ENTRY_BYTES_MAX: usize = 3 + 5 + 1;
const _: () = assert!(FRAME_BYTES_MAX < 1 << 20);

/// Most bytes of a tag's number and its length.
const TAG_BYTES_MAX: usize = 3 + 3;

/// Most bytes of a backend.
const BACKEND_BYTES_MAX: usize = 3;

/// Bits of the word that follows a run's length, if anything differs.
const HAS_TAG: u64 = 1;
const HAS_COUNT: u64 = 2;
const POINTS_SHIFT: u32 = 2;

/// A table that grows by one run after the other.
#[derive(Debug, Default)]
pub struct Table {
    bytes: Vec<u8>,
    before: Before,
}

/// What a run is told as a difference from.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    tag: Option<usize>,
    /// Number of backends.
    count: usize,
    /// Tags that were told.
    tags: usize,
}

/// Bytes that the entry of a run with so many backends takes at most, if its tag is that of the run before.
pub fn entry_bytes_max(backends: usize) -> usize {
    ENTRY_BYTES_MAX + BACKEND_BYTES_MAX * backends
}

/// Bytes that it takes more if it has another tag.
pub fn tag_bytes_max(tag: &[u8]) -> usize {
    TAG_BYTES_MAX + tag.len()
}

impl Table {
    /// The table of these runs.
    pub fn of(runs: &Runs) -> Table {
        let mut table =
            Table { bytes: Vec::with_capacity(4 * runs.len() + 64), ..Table::default() };
        for (at, run) in runs.iter().enumerate() {
            table.push(&run, runs.tag_number(at));
        }
        table
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds the entry of a run whose tag has this number, counted from the first tag of the table.
    pub fn push(&mut self, run: &Run<'_>, tag: usize) {
        let before = self.before;
        let (has_tag, has_count) = (before.tag != Some(tag), before.count != run.targets.len());
        let len = run.payload.len() as u64;
        if !has_tag && !has_count && run.points == 1 {
            self.number(len << 1);
        } else {
            self.number(len << 1 | 1);
            let flags = u64::from(has_tag) * HAS_TAG + u64::from(has_count) * HAS_COUNT;
            self.number(u64::from(run.points) << POINTS_SHIFT | flags);
        }
        if has_tag {
            self.number(tag as u64);
            self.before.tag = Some(tag);
            if tag == before.tags {
                assert!(run.tag.len() <= usize::from(u16::MAX), "a tag is a database's name");
                self.number(run.tag.len() as u64);
                self.bytes.extend_from_slice(run.tag);
                self.before.tags += 1;
            }
        }
        if has_count {
            self.bytes.push(u8::try_from(run.targets.len()).expect("asserted when pushed"));
            self.before.count = run.targets.len();
        }
        for target in run.targets {
            self.number(u64::from(target.0));
        }
    }

    /// Seven bits in a byte, the lowest first; the highest bit says that another byte follows.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }
}

/// The runs of a frame, from the bytes behind its header. `None` if they are not what was written.
pub fn decode(header: &FrameHeader, body: &[u8]) -> Option<Runs> {
    let input = In { bytes: body.get(header.payload_len as usize..)? };
    let runs = match header.version {
        PLAIN => decode_plain(header, input)?,
        COMPACT => decode_compact(header, input)?,
        _ => return None,
    };
    (runs.end() == FRAME_HEADER_BYTES + header.payload_len as usize).then_some(runs)
}

/// What is left of the payload behind the runs so far, if `len` bytes of it are.
fn take_payload(header: &FrameHeader, runs: &Runs, len: usize) -> Option<()> {
    let end = FRAME_HEADER_BYTES + header.payload_len as usize;
    (len <= end - runs.end()).then_some(())
}

fn decode_plain(header: &FrameHeader, mut input: In<'_>) -> Option<Runs> {
    let mut runs = Runs::default();
    let mut targets: Vec<BackendId> = Vec::new();
    for _ in 0..header.runs {
        let len = input.u32()? as usize;
        let points = input.u32()?;
        let count = input.u8()?;
        input.u8()?;
        let tag_len = input.u16()?;
        targets.clear();
        for _ in 0..count {
            targets.push(BackendId(input.u16()?));
        }
        let tag = input.take(usize::from(tag_len))?;
        take_payload(header, &runs, len)?;
        // Runs of one database repeat its tag: share it.
        let shared = runs.last().filter(|last| **last.tag == *tag).map(|last| last.tag.clone());
        runs.push(&shared.unwrap_or_else(|| Rc::from(tag)), &targets, points, len);
    }
    input.bytes.is_empty().then_some(runs)
}

/// Takes only what `Table::push` writes: one table has one form.
fn decode_compact(header: &FrameHeader, mut input: In<'_>) -> Option<Runs> {
    let mut runs = Runs::default();
    let (mut tag, mut count) = (None, 0);
    let mut all_points: u32 = 0;
    for _ in 0..header.runs {
        let head = number(&mut input)?;
        let len = usize::try_from(head >> 1).ok()?;
        take_payload(header, &runs, len)?;
        let mut points = 1;
        if head & 1 == 1 {
            let word = number(&mut input)?;
            points = u32::try_from(word >> POINTS_SHIFT).ok()?;
            let (has_tag, has_count) = (word & HAS_TAG != 0, word & HAS_COUNT != 0);
            if points == 1 && !has_tag && !has_count {
                return None;
            }
            if has_tag {
                let told = Some(decode_tag(&mut runs, &mut input)?);
                (told != tag).then_some(())?;
                tag = told;
            }
            if has_count {
                let told = input.u8()?;
                (told != count).then_some(())?;
                count = told;
            }
        }
        all_points = all_points.checked_add(points)?;
        decode_run(&mut runs, &mut input, tag?, count, points, len)?;
    }
    (input.bytes.is_empty() && all_points == header.points).then_some(runs)
}

/// The number of a tag: of one that was told, or of the one that follows.
fn decode_tag(runs: &mut Runs, input: &mut In<'_>) -> Option<usize> {
    let told = usize::try_from(number(input)?).ok()?;
    if told == runs.tags().len() {
        let len = number(input)?;
        let len = u16::try_from(len).ok()?;
        runs.push_tag(Rc::from(input.take(usize::from(len))?));
    }
    (told < runs.tags().len()).then_some(told)
}

fn decode_run(
    runs: &mut Runs,
    input: &mut In<'_>,
    tag: usize,
    count: u8,
    points: u32,
    len: usize,
) -> Option<()> {
    let mut is_whole = true;
    let targets = (0..count).map_while(|_| {
        let backend = number(input).and_then(|number| u16::try_from(number).ok());
        is_whole &= backend.is_some();
        backend.map(BackendId)
    });
    runs.push_numbered(tag, targets, points, len);
    is_whole.then_some(())
}

/// The opposite of `Table::number`, for numbers below 2^35. None has a zero too much at its end.
fn number(input: &mut In<'_>) -> Option<u64> {
    let mut number = 0;
    for turn in 0..5 {
        let byte = input.u8()?;
        number |= u64::from(byte & 0x7F) << (7 * turn);
        if byte < 0x80 {
            return (turn == 0 || byte != 0).then_some(number);
        }
    }
    None
}
