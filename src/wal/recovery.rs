//! What a start makes of the bytes that it finds. One pure decision, one scan that asks it.
//!
//! | case | what stands here | what follows in the segment | verdict | usual cause |
//! |---|---|---|---|---|
//! | A | the expected frame, whole | anything | take it | normal |
//! | B | no header | no frame of this life | end | zero-filled or stale space |
//! | C | the end of the frame area | - | end | a full segment |
//! | D | no header, or a broken body | a frame that was sealed before this place was synced | skip, not counted | a commit of several frames, cut short by a crash: nothing of it was acknowledged |
//! | E | a header of this life with a broken body | no frame of this life | end | a torn last write |
//! | F | no header, or a broken body | a frame that was sealed after this place was synced | set aside, counted, go on behind it | rot, a lost or misdirected write |
//! | G | a frame of another life, or with a lower number | judged as no header | B, D or F | recycled space |
//! | H | a frame of this life with a higher number | judged as a hole before it | D or F | a lost write |

use super::format::FrameHeader;
use super::frame::Frame;
use super::{Error, during};
use crate::base::limits::PAGE;
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

/// The decision of the table. `next` is the first whole frame of this life behind this position.
pub fn judge(here: &Here, expected: u64, next: Option<&FrameHeader>) -> Verdict {
    match (here, next) {
        (Here::Expected, _) => Verdict::Take,
        (Here::Broken | Here::Nothing, None) => Verdict::End,
        (Here::Broken | Here::Nothing, Some(next)) if next.synced >= expected => Verdict::SetAside,
        (Here::Broken | Here::Nothing, Some(_)) => Verdict::SkipUnacknowledged,
    }
}

/// Something found in a segment, in order.
#[derive(Debug)]
pub enum Finding {
    Frame {
        frame: Frame,
        offset: u64,
    },
    /// Frames `numbers` are lost; `place` is where they should be.
    Damage {
        numbers: Range<u64>,
        place: Range<u64>,
    },
}

/// Walks over the frames of one segment.
pub struct Scan<'a> {
    file: &'a File,
    epoch: u64,
    expected: u64,
    at: u64,
    area_end: u64,
    window: Option<(u64, Rc<Bytes>)>,
}

impl<'a> Scan<'a> {
    /// Begins at byte `at` where frame `expected` should stand.
    pub fn new(file: &'a File, epoch: u64, expected: u64, at: u64, area_end: u64) -> Scan<'a> {
        assert!(at >= PAGE as u64 && at.is_multiple_of(PAGE as u64));
        Scan { file, epoch, expected, at, area_end, window: None }
    }

    /// Where the next frame would stand.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// The next finding; `None` at the end of the log in this segment.
    pub async fn next(&mut self) -> Result<Option<Finding>, Error> {
        loop {
            if self.at >= self.area_end {
                return Ok(None); // Case C.
            }
            let (here, frame) = self.look(self.at).await?;
            if let (Here::Expected, Some(frame)) = (&here, frame) {
                let offset = self.at;
                self.at += frame.header.frame_bytes() as u64;
                self.expected = frame.number() + 1;
                return Ok(Some(Finding::Frame { frame, offset }));
            }
            let ahead = self.look_ahead().await?;
            let place = self.at..ahead.as_ref().map_or(self.area_end, |(at, _)| *at);
            match (judge(&here, self.expected, ahead.as_ref().map(|(_, header)| header)), ahead) {
                (Verdict::SetAside, Some((at, header))) => {
                    let numbers = self.expected..header.number;
                    (self.at, self.expected) = (at, header.number);
                    return Ok(Some(Finding::Damage { numbers, place }));
                }
                (Verdict::SkipUnacknowledged, Some((at, header))) => {
                    (self.at, self.expected) = (at, header.number);
                }
                _ => return Ok(None),
            }
        }
    }

    async fn look(&mut self, at: u64) -> Result<(Here, Option<Frame>), Error> {
        let Some(header) = self.header(at).await? else { return Ok((Here::Nothing, None)) };
        if header.epoch != self.epoch || header.number < self.expected {
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

    /// The first whole frame of this life at or behind this position with at least the expected number.
    async fn look_ahead(&mut self) -> Result<Option<(u64, FrameHeader)>, Error> {
        let mut at = self.at;
        while at < self.area_end {
            if let Some(header) = self.header(at).await? {
                let fits = at + header.frame_bytes() as u64 <= self.area_end;
                if header.epoch == self.epoch && header.number >= self.expected && fits {
                    let (bytes, inside) = self.window(at, header.frame_bytes()).await?;
                    if Frame::decode(&bytes, inside).is_some() {
                        return Ok(Some((at, header)));
                    }
                }
            }
            at += PAGE as u64;
        }
        Ok(None)
    }

    async fn header(&mut self, at: u64) -> Result<Option<FrameHeader>, Error> {
        let (bytes, inside) = self.window(at, PAGE).await?;
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
        let left = usize::try_from(self.area_end - at).unwrap_or(usize::MAX);
        let want = READ_BYTES.max(len).min(left.next_multiple_of(PAGE)).next_multiple_of(PAGE);
        let bytes = Rc::new(self.file.read(at, want).await.map_err(during("reading a segment"))?);
        self.window = Some((at, bytes.clone()));
        Ok((bytes, 0))
    }
}
