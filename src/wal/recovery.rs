//! What a start makes of the bytes that it finds. One pure decision, one scan that asks it.
//!
//! | case | what stands here | what follows in the segment | verdict | usual cause |
//! |---|---|---|---|---|
//! | A | the expected frame, whole | anything | take it | normal |
//! | B | no header | no frame of this life | end | zero-filled or stale space |
//! | C | the end of the frame area | - | end | a full segment |
//! | D | no header, or a broken body | frames of this life, all sealed before this place was synced | skip, not counted | a commit of several frames, cut short by a crash: nothing of it was acknowledged |
//! | E | a header of this life with a broken body | no frame of this life | end | a torn last write |
//! | F | no header, or a broken body | a frame of this life that was sealed after this place was synced, or a footer that says so | set aside, counted, go on behind it | rot, a lost or misdirected write |
//! | G | a frame of another life, or with a lower number | judged as no header | B, D or F | recycled space |
//! | H | a frame of this life with a higher number | judged as a hole before it | D or F | a lost write |
//! | I | in a packed segment: the next frame of its chain | anything | take it; numbers between were not owed | normal |
//! | J | in a packed segment: anything else | - | set aside, counted, go on at the next whole frame | rot: it was whole before it got its name |
//! | K | a segment that begins at or behind the first number of a later packed one | - | removed: what was owed of it stands there | a crash between two names |

use super::format::{
    FRAME_HEADER_BYTES, FrameHeader, PACKED_STEP, SEGMENT_HEADER_BYTES, SegmentHeader,
};
use super::frame::Frame;
use super::{Error, during};
use crate::base::limits::PAGE;
use crate::base::mapped::Mapped;
use crate::base::planted::{Planted, is_planted};
use crate::rt::{Bytes, File};
use std::ops::Range;
use std::rc::Rc;

/// Bytes read from a segment at a time.
const READ_BYTES: usize = 1024 * 1024;

/// What stands at a position.
#[derive(Debug)]
pub enum Here {
    /// A whole frame of this life with the expected number.
    Expected,
    /// Something of this life that cannot be taken.
    Broken,
    /// Nothing of this life, or something older.
    Nothing,
}

/// The letter of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Take,
    End,
    SkipUnacknowledged,
    SetAside,
}

/// The decision of the table. `follows`: a whole frame of this life stands behind this position. `synced`:
/// the highest number that any frame of the segment, or its footer, says was on stable storage.
pub fn judge(here: &Here, expected: u64, follows: bool, synced: u64) -> Verdict {
    match here {
        Here::Expected => Verdict::Take,
        Here::Broken | Here::Nothing if synced >= expected => Verdict::SetAside,
        Here::Broken | Here::Nothing if follows => Verdict::SkipUnacknowledged,
        Here::Broken | Here::Nothing => Verdict::End,
    }
}

/// Something found in a segment, in order.
#[derive(Debug)]
pub enum Finding {
    Frame {
        frame: Frame,
        offset: u64,
    },
    /// Frames `numbers` are missing and were never acknowledged.
    Hole {
        numbers: Range<u64>,
    },
    /// Frames `numbers` are lost; `place` is where they should be.
    Damage {
        numbers: Range<u64>,
        place: Range<u64>,
    },
}

/// What a segment is read from.
#[derive(Clone, Copy)]
enum Medium<'a> {
    File(&'a File),
    /// A running gateway may be writing it.
    Mapped(&'a Mapped),
}

/// Walks over the frames of one segment.
pub struct Scan<'a> {
    medium: Medium<'a>,
    epoch: u64,
    expected: u64,
    at: u64,
    area_end: u64,
    synced: u64,
    /// Whether `synced` takes account of every frame up to the end.
    walked: bool,
    is_packed: bool,
    /// Learned when a read comes back short.
    file_end: u64,
    window: Option<(u64, Rc<Bytes>)>,
}

impl<'a> Scan<'a> {
    /// Begins at the first frame's place, where frame `expected` should stand. `synced` is what a footer
    /// knows, or 0.
    pub fn new(file: &'a File, epoch: u64, expected: u64, area_end: u64, synced: u64) -> Scan<'a> {
        Scan::of(Medium::File(file), epoch, expected, area_end, synced)
    }

    /// The same over a mapped file, to which somebody may be writing: what is there only now was not
    /// missing. Its futures are ready at once and need no executor.
    pub fn of_mapped(
        mapped: &'a Mapped,
        epoch: u64,
        expected: u64,
        area_end: u64,
        synced: u64,
    ) -> Scan<'a> {
        Scan::of(Medium::Mapped(mapped), epoch, expected, area_end, synced)
    }

    fn of(medium: Medium<'a>, epoch: u64, expected: u64, area_end: u64, synced: u64) -> Scan<'a> {
        let at = SEGMENT_HEADER_BYTES as u64;
        let (walked, is_packed, file_end, window) = (false, false, u64::MAX, None);
        Scan { medium, epoch, expected, at, area_end, synced, walked, is_packed, file_end, window }
    }

    /// Walks over a packed segment instead, if it is one.
    pub fn packed_as(mut self, header: &SegmentHeader) -> Scan<'a> {
        if let Some(packed) = &header.packed {
            self.is_packed = true;
            self.expected = header.first_frame;
            self.area_end = packed.end;
            self.synced = packed.last_frame;
        }
        self
    }

    /// The next finding; `None` at the end of the log in this segment.
    pub async fn next(&mut self) -> Result<Option<Finding>, Error> {
        if self.is_packed {
            return self.next_packed().await;
        }
        if self.at >= self.area_end {
            return Ok(None); // Case C.
        }
        let (mut here, frame) = self.look(self.at).await?;
        if let (Here::Expected, Some(frame)) = (&here, frame) {
            return Ok(Some(self.take(frame)));
        }
        let ahead = self.look_ahead().await?;
        if let Medium::Mapped(_) = self.medium {
            // It may have been written after the first look; then the look ahead found what came behind it.
            self.window = None;
            let (again, frame) = self.look(self.at).await?;
            if let (Here::Expected, Some(frame)) = (&again, frame) {
                return Ok(Some(self.take(frame)));
            }
            here = again;
        }
        let verdict = judge(&here, self.expected, ahead.is_some(), self.synced);
        // Without a frame behind it, the hole reaches to the end of the frame area.
        let (next_at, next) = ahead.unwrap_or((self.area_end, u64::MAX));
        let place = self.at..next_at;
        let from = self.expected;
        (self.at, self.expected) = (next_at, next);
        Ok(match verdict {
            Verdict::Take | Verdict::End => None,
            Verdict::SkipUnacknowledged => Some(Finding::Hole { numbers: from..next }),
            Verdict::SetAside if is_planted(Planted::LossUntold) => {
                Some(Finding::Hole { numbers: from..next })
            }
            Verdict::SetAside => {
                let numbers = from..next.min(self.synced.saturating_add(1));
                Some(Finding::Damage { numbers, place })
            }
        })
    }

    fn take(&mut self, frame: Frame) -> Finding {
        let offset = self.at;
        self.at += frame.header.frame_bytes() as u64;
        self.expected = frame.number() + 1;
        Finding::Frame { frame, offset }
    }

    /// Cases I and J. Every frame names the one before it, so that what is missing is known exactly.
    async fn next_packed(&mut self) -> Result<Option<Finding>, Error> {
        let (from, began) = (self.expected, self.at);
        while self.at < self.area_end.min(self.file_end) {
            if let Some(frame) = self.packed_at(self.at).await? {
                let before = frame.header.synced.max(from - 1);
                if before >= from {
                    // Looked at again, as the next of the chain, when the damage has been told.
                    self.expected = before + 1;
                    let place = began..self.at;
                    return Ok(Some(Finding::Damage { numbers: from..before + 1, place }));
                }
                let offset = self.at;
                self.at += frame.header.packed_bytes() as u64;
                self.expected = frame.number() + 1;
                return Ok(Some(Finding::Frame { frame, offset }));
            }
            self.at += PACKED_STEP as u64;
        }
        self.expected = self.synced + 1;
        let numbers = from..self.synced + 1;
        let place = began..self.area_end;
        Ok((!numbers.is_empty()).then_some(Finding::Damage { numbers, place }))
    }

    /// A whole frame of this life that has not been passed.
    async fn packed_at(&mut self, at: u64) -> Result<Option<Frame>, Error> {
        let Some(header) = self.header(at).await? else { return Ok(None) };
        let len = FRAME_HEADER_BYTES + header.body_len();
        let fits = at + len as u64 <= self.area_end;
        let is_ours = header.epoch == self.epoch
            && (self.expected..=self.synced).contains(&header.number)
            && header.synced < header.number;
        if !fits || !is_ours {
            return Ok(None);
        }
        let (bytes, inside) = self.window(at, len).await?;
        Ok(Frame::decode(&bytes, inside))
    }

    async fn look(&mut self, at: u64) -> Result<(Here, Option<Frame>), Error> {
        let Some(header) = self.header(at).await? else { return Ok((Here::Nothing, None)) };
        let is_ours = header.epoch == self.epoch || is_planted(Planted::StaleTaken);
        if !is_ours || header.number < self.expected {
            return Ok((Here::Nothing, None));
        }
        let len = header.frame_bytes();
        if at + len as u64 > self.area_end {
            return Ok((Here::Broken, None));
        }
        let (bytes, inside) = self.window(at, len).await?;
        match Frame::decode(&bytes, inside) {
            Some(frame) if header.number == self.expected => Ok((Here::Expected, Some(frame))),
            Some(_) => Ok((Here::Nothing, None)),
            None => Ok((Here::Broken, None)),
        }
    }

    /// Place and number of the first whole frame of this life behind this position with at least the
    /// expected number. The first time it walks on to the end, because a commit of several frames says
    /// only in the next commit's frames that it was synced.
    async fn look_ahead(&mut self) -> Result<Option<(u64, u64)>, Error> {
        let mut at = self.at;
        let mut first = None;
        while at < self.area_end && (first.is_none() || !self.walked) {
            match self.whole_at(at).await? {
                Some(header) => {
                    self.synced = self.synced.max(header.synced);
                    first = first.or(Some((at, header.number)));
                    at += header.frame_bytes() as u64;
                }
                None => at += PAGE as u64,
            }
        }
        self.walked = true;
        Ok(first)
    }

    async fn whole_at(&mut self, at: u64) -> Result<Option<FrameHeader>, Error> {
        let Some(header) = self.header(at).await? else { return Ok(None) };
        let fits = at + header.frame_bytes() as u64 <= self.area_end;
        if header.epoch != self.epoch || header.number < self.expected || !fits {
            return Ok(None);
        }
        let (bytes, inside) = self.window(at, header.frame_bytes()).await?;
        Ok(Frame::decode(&bytes, inside).map(|frame| frame.header))
    }

    async fn header(&mut self, at: u64) -> Result<Option<FrameHeader>, Error> {
        let len = if self.is_packed { FRAME_HEADER_BYTES } else { PAGE };
        let (bytes, inside) = self.window(at, len).await?;
        Ok(bytes.get(inside..).and_then(FrameHeader::decode))
    }

    /// Bytes that hold `len` bytes from `at`, and where in them these begin; shorter at the file's end.
    async fn window(&mut self, at: u64, len: usize) -> Result<(Rc<Bytes>, usize), Error> {
        if let Some((from, bytes)) = &self.window
            && *from <= at
            && at + len as u64 <= from + bytes.len() as u64
        {
            return Ok((bytes.clone(), usize::try_from(at - from).expect("inside a window")));
        }
        // Only a packed segment has frames that begin within a page.
        let inside = usize::try_from(at % PAGE as u64).expect("below a page");
        let base = at - inside as u64;
        let left = usize::try_from(self.area_end - base).unwrap_or(usize::MAX);
        let want = READ_BYTES.max(inside + len).min(left.next_multiple_of(PAGE));
        let want = want.next_multiple_of(PAGE);
        let read = match self.medium {
            Medium::File(file) => file.read(base, want).await,
            Medium::Mapped(mapped) => mapped.read(base, want).map(Bytes::Heap),
        };
        let bytes = Rc::new(read.map_err(during("reading a segment"))?);
        if bytes.len() < want {
            self.file_end = base + bytes.len() as u64;
        }
        self.window = Some((base, bytes.clone()));
        Ok((bytes, inside))
    }
}
