//! Takes one body in: framing off, inflated, into memory that the budget grants.

use std::fmt;

use super::budget::{Lease, STEP_BYTES};
use super::content::{Content, NoRoom};
use crate::proto::http::body::{self, Body, Framing};
use crate::proto::http::inflate::{self, Inflate};
use crate::proto::http::inflate_whole::{inflate_whole, told_len};
use crate::proto::http::request::Encoding;

/// The most that one slice may inflate, in bytes: some 200 us.
const SLICE_BYTES: usize = 128 * 1024;

/// The least room for a read, in bytes, if so much is to come.
const ROOM_BYTES_MIN: usize = 16 * 1024;

/// Packed bodies up to this size are gathered and, if their content is not above that, inflated in one go.
const WHOLE_PACKED_MAX: usize = 256 * 1024;
const WHOLE_CONTENT_MAX: usize = 512 * 1024;

/// Bodies of known length take memory in multiples of this, in bytes.
const GRAIN_BYTES: usize = 4096;

/// How large a body may be, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// As sent, without its framing.
    pub wire_bytes_max: usize,
    /// Inflated.
    pub content_bytes_max: usize,
}

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Framing(body::Error),
    Gzip(inflate::Error),
    TooLarge,
    /// The shard has no memory left for it.
    NoBudget,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Framing(error) => error.fmt(f),
            Fault::Gzip(error) => error.fmt(f),
            Fault::TooLarge => f.write_str("request body is too large"),
            Fault::NoBudget => f.write_str("too many bytes in flight"),
        }
    }
}

/// What an `advance` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has taken all that was there and needs more.
    Hungry,
    /// It has worked for a slice and has more to do.
    Busy,
    Done,
}

#[derive(Debug)]
pub struct Intake {
    framing: Body,
    inflate: Option<Inflate>,
    gathered: Gathered,
    /// So many bytes at the front of the input have their framing off and are not inflated yet.
    packed: usize,
    has_more_inside: bool,
    /// Inflated since it last let others work.
    worked: usize,
    wire_bytes: usize,
    limits: Limits,
    content: Content,
}

/// What of a packed body waits to be inflated.
#[derive(Debug)]
enum Gathered {
    /// Maybe all of it: it is not known yet whether it can be inflated in one go.
    All(Content),
    /// The front of it, of which so many bytes are inflated; the rest comes from the input.
    Front(Content, usize),
    /// It was inflated in one go, or nothing is gathered.
    Nothing,
}

impl Intake {
    /// Refuses at once what is known to be too large or has no room at all.
    pub fn new(
        framing: Framing,
        encoding: &Encoding,
        limits: Limits,
        lease: Lease,
    ) -> Result<Intake, Fault> {
        let first = match framing {
            Framing::None => 0,
            Framing::Length(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                if length > limits.wire_bytes_max {
                    return Err(Fault::TooLarge);
                }
                length.next_multiple_of(GRAIN_BYTES).min(STEP_BYTES)
            }
            Framing::Chunked | Framing::UntilClose => STEP_BYTES,
        };
        let content = Content::new(lease, first)?;
        let is_gzip = *encoding == Encoding::Gzip;
        Ok(Intake {
            framing: Body::new(framing),
            gathered: match is_gzip {
                true => Gathered::All(content.beside()),
                false => Gathered::Nothing,
            },
            inflate: is_gzip.then(|| Inflate::new(limits.content_bytes_max as u64)),
            packed: 0,
            has_more_inside: false,
            worked: 0,
            wire_bytes: 0,
            limits,
            content,
        })
    }

    /// Takes from the front of `input`: how much of it is used up. What is not must be there again, at the
    /// front, in the next call.
    pub fn advance(&mut self, input: &[u8]) -> (usize, Result<Progress, Fault>) {
        let mut used = 0;
        loop {
            if self.worked >= SLICE_BYTES {
                self.worked = 0;
                return (used, Ok(Progress::Busy));
            }
            let step = if let Gathered::Front(front, at) = &self.gathered
                && *at < front.len()
            {
                self.inflate_front()
            } else if self.packed > 0 || self.has_more_inside {
                self.inflate_input(&input[used..used + self.packed])
            } else if self.framing.is_done() && matches!(self.gathered, Gathered::All(_)) {
                self.inflate_all()
            } else if self.framing.is_done() {
                return (used, self.finish());
            } else if used == input.len() {
                return (used, Ok(Progress::Hungry));
            } else {
                self.unframe(&input[used..])
            };
            match step {
                Ok(taken) => used += taken,
                // The framing has counted the packed bytes as taken.
                Err(fault) => return (used + std::mem::take(&mut self.packed), Err(fault)),
            }
        }
    }

    /// The peer has closed before the end.
    pub const CUT_SHORT: Fault = Fault::Framing(body::Error::Truncated);

    pub fn into_content(self) -> Content {
        self.content
    }

    /// Makes room for content that can be read straight to its place, where that is possible.
    pub fn makes_room(&mut self) -> bool {
        let Some(left) = self.framing.left().filter(|_| self.inflate.is_none()) else {
            return false;
        };
        let fits = self.limits.content_bytes_max - self.content.len();
        // Fresh memory is taken as the body comes: many clients may have told of more than they will ever send.
        let more = self.content.len().clamp(ROOM_BYTES_MIN, STEP_BYTES).min(left);
        left > 0 && left <= fits && self.content.make_room(more).is_ok()
    }

    /// That room, after [`Intake::makes_room`].
    pub fn room(&mut self) -> &mut [u8] {
        let left = self.framing.left().unwrap_or(0);
        let room = self.content.room();
        let len = room.len().min(left);
        &mut room[..len]
    }

    /// So many bytes were read into the room.
    pub fn wrote(&mut self, count: usize) {
        self.wire_bytes += count;
        let taken = self.framing.take(&self.content.room()[..count]);
        debug_assert!(
            taken.is_ok_and(|(taken, _)| taken == count),
            "a length takes all it was promised"
        );
        self.content.wrote(count);
    }

    /// What takes the rest of the body off the connection after a fault.
    pub fn into_framing(self) -> Body {
        self.framing
    }

    pub fn wire_bytes(&self) -> usize {
        self.wire_bytes
    }

    /// Takes the framing off the front: bytes that are used up now. Packed bytes stay until they are inflated.
    fn unframe(&mut self, input: &[u8]) -> Result<usize, Fault> {
        let (taken, data) = self.framing.take(input).map_err(Fault::Framing)?;
        self.wire_bytes += data.len();
        let is_packed = self.inflate.is_some();
        // An error below uses up all that the framing has taken.
        self.packed = if is_packed { data.len() } else { taken };
        if self.wire_bytes > self.limits.wire_bytes_max
            || (!is_packed && self.content.len() + data.len() > self.limits.content_bytes_max)
        {
            self.packed = taken;
            return Err(Fault::TooLarge);
        }
        if let Gathered::All(gathered) = &mut self.gathered {
            if gathered.len() + data.len() <= WHOLE_PACKED_MAX {
                self.packed = taken;
                gathered.make_room(data.len())?;
                gathered.push(data);
                self.packed = 0;
                return Ok(taken);
            }
            self.inflate_in_slices();
        }
        if is_packed {
            return Ok(taken - data.len());
        }
        self.content.make_room(data.len())?;
        self.packed = 0;
        self.content.push(data);
        Ok(taken)
    }

    /// The body is too large, or too strange, to be inflated in one go.
    fn inflate_in_slices(&mut self) {
        self.gathered = match std::mem::replace(&mut self.gathered, Gathered::Nothing) {
            Gathered::All(front) => Gathered::Front(front, 0),
            gathered => gathered,
        };
    }

    /// Inflates the whole body in one go, if that can be done.
    fn inflate_all(&mut self) -> Result<usize, Fault> {
        let Gathered::All(packed) = &self.gathered else { return Ok(0) };
        let most = WHOLE_CONTENT_MAX.min(self.limits.content_bytes_max);
        let Some(len) = told_len(packed).filter(|len| *len <= most) else {
            self.inflate_in_slices();
            return Ok(0);
        };
        self.content.make_room(len)?;
        if inflate_whole(packed, &mut self.content.room()[..len]) {
            self.content.wrote(len);
            self.worked += len;
            (self.gathered, self.inflate) = (Gathered::Nothing, None);
        } else {
            self.inflate_in_slices();
        }
        Ok(0)
    }

    fn inflate_front(&mut self) -> Result<usize, Fault> {
        let gathered = std::mem::replace(&mut self.gathered, Gathered::Nothing);
        let Gathered::Front(front, at) = gathered else { return Ok(0) };
        let used = self.inflate_slice(&front[at..])?;
        self.gathered = Gathered::Front(front, at + used);
        Ok(0)
    }

    /// Inflates one slice of the packed bytes at the front of the input: how many of them are used up.
    fn inflate_input(&mut self, packed: &[u8]) -> Result<usize, Fault> {
        let used = self.inflate_slice(packed)?;
        self.packed -= used;
        Ok(used)
    }

    fn inflate_slice(&mut self, packed: &[u8]) -> Result<usize, Fault> {
        self.content.make_room(SLICE_BYTES)?;
        let inflate = self.inflate.as_mut().expect("only a packed body leaves packed bytes");
        let room = &mut self.content.room()[..SLICE_BYTES];
        let pushed = inflate.push(packed, room).map_err(|error| match error {
            inflate::Error::TooLarge => Fault::TooLarge,
            error => Fault::Gzip(error),
        })?;
        self.content.wrote(pushed.produced);
        // A full slice may leave content inside the decoder although it has all its input.
        self.has_more_inside = pushed.produced == SLICE_BYTES;
        self.worked += pushed.produced;
        Ok(pushed.consumed)
    }

    fn finish(&self) -> Result<Progress, Fault> {
        if let Some(inflate) = &self.inflate {
            inflate.finish().map_err(Fault::Gzip)?;
        }
        Ok(Progress::Done)
    }
}

impl From<NoRoom> for Fault {
    fn from(none: NoRoom) -> Fault {
        match none {
            NoRoom::Never => Fault::TooLarge,
            NoRoom::Now => Fault::NoBudget,
        }
    }
}
