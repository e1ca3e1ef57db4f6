//! Streaming gzip: any number of members in a row are one body.
//!
//! Shape: RFC 1952. It works in slices, so that a shard can breathe between two of them, and it stops before
//! a small body becomes a large one. Errors name what is wrong with the stream; nothing of a body with an
//! error may be used.

use std::fmt;

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// From here on the ratio counts, in bytes of content.
const RATIO_FREE_BYTES: u64 = 1024 * 1024;

/// Content per byte of gzip. Lines compress to about 1:10, a bomb to 1:1000.
const RATIO_MAX: u64 = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    NotGzip,
    /// The stream does not follow the rules of its own compression.
    Corrupt,
    Truncated,
    /// The content is not what was packed: its checksum or its length differs.
    BadChecksum,
    /// Something that is not gzip follows a whole member.
    TrailingJunk,
    /// More content than the limit, or far more than such a body should hold.
    TooLarge,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::NotGzip => "gzip: invalid header",
            Error::Corrupt => "gzip: corrupt input",
            Error::Truncated => "unexpected EOF",
            Error::BadChecksum => "gzip: invalid checksum",
            Error::TrailingJunk => "gzip: unexpected data after the end",
            Error::TooLarge => "inflated body is too large",
        })
    }
}

/// What one slice did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub consumed: usize,
    pub produced: usize,
}

/// A decoder for one body.
pub struct Inflate {
    part: Part,
    deflate: Decompress,
    /// Of the content of this member.
    checksum: Crc,
    members: u64,
    total_in: u64,
    total_out: u64,
    content_bytes_max: u64,
}

enum Part {
    Header(Header),
    Deflate,
    Trailer { bytes: [u8; 8], seen: usize },
}

impl Inflate {
    pub fn new(content_bytes_max: u64) -> Inflate {
        Inflate {
            part: Part::Header(Header::default()),
            deflate: Decompress::new(false),
            checksum: Crc::new(),
            members: 0,
            total_in: 0,
            total_out: 0,
            content_bytes_max,
        }
    }

    /// Inflates from the front of `input` to the front of `out`. When it has consumed everything and left
    /// room, it needs more input.
    pub fn push(&mut self, input: &[u8], out: &mut [u8]) -> Result<Pushed, Error> {
        let mut done = Pushed { consumed: 0, produced: 0 };
        loop {
            let rest = &input[done.consumed..];
            let room = &mut out[done.produced..];
            let step = match &mut self.part {
                Part::Deflate if room.is_empty() => return Ok(done),
                Part::Deflate => self.inflate(rest, room)?,
                Part::Header(_) | Part::Trailer { .. } if rest.is_empty() => return Ok(done),
                Part::Header(_) => self.header(rest)?,
                Part::Trailer { .. } => self.trailer(rest)?,
            };
            done.consumed += step.consumed;
            done.produced += step.produced;
            self.total_in += step.consumed as u64;
            self.total_out += step.produced as u64;
            self.check_limits()?;
            if step == (Pushed { consumed: 0, produced: 0 }) && matches!(self.part, Part::Deflate) {
                return Ok(done);
            }
        }
    }

    /// The body has ended: was that the end of the stream? A body of no bytes is empty content, because
    /// clients announce gzip on requests without a body.
    pub fn finish(&self) -> Result<(), Error> {
        match &self.part {
            Part::Header(header) if header.is_untouched() => Ok(()),
            _ => Err(Error::Truncated),
        }
    }

    pub fn total_out(&self) -> u64 {
        self.total_out
    }

    fn check_limits(&self) -> Result<(), Error> {
        let is_bomb =
            self.total_out > RATIO_FREE_BYTES && self.total_out / RATIO_MAX > self.total_in;
        if self.total_out > self.content_bytes_max || is_bomb {
            return Err(Error::TooLarge);
        }
        Ok(())
    }

    fn header(&mut self, input: &[u8]) -> Result<Pushed, Error> {
        let Part::Header(header) = &mut self.part else { unreachable!("called in a header") };
        for (at, byte) in input.iter().enumerate() {
            match header.push(*byte) {
                Ok(false) => {}
                Ok(true) => {
                    self.part = Part::Deflate;
                    self.deflate.reset(false);
                    self.checksum.reset();
                    return Ok(Pushed { consumed: at + 1, produced: 0 });
                }
                Err(()) if self.members == 0 => return Err(Error::NotGzip),
                Err(()) => return Err(Error::TrailingJunk),
            }
        }
        Ok(Pushed { consumed: input.len(), produced: 0 })
    }

    fn inflate(&mut self, input: &[u8], out: &mut [u8]) -> Result<Pushed, Error> {
        // One byte above the limit shows that it is passed; more is never produced.
        let left = self.content_bytes_max - self.total_out + 1;
        let room = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let out = &mut out[..room];
        let (before_in, before_out) = (self.deflate.total_in(), self.deflate.total_out());
        let status = self.deflate.decompress(input, out, FlushDecompress::None);
        let consumed = usize::try_from(self.deflate.total_in() - before_in).unwrap_or(input.len());
        let produced = usize::try_from(self.deflate.total_out() - before_out).unwrap_or(room);
        match status.map_err(|_| Error::Corrupt)? {
            Status::StreamEnd => self.part = Part::Trailer { bytes: [0; 8], seen: 0 },
            Status::Ok | Status::BufError => {}
        }
        self.checksum.update(&out[..produced]);
        Ok(Pushed { consumed, produced })
    }

    fn trailer(&mut self, input: &[u8]) -> Result<Pushed, Error> {
        let Part::Trailer { bytes, seen } = &mut self.part else {
            unreachable!("called in a trailer")
        };
        let consumed = input.len().min(bytes.len() - *seen);
        bytes[*seen..*seen + consumed].copy_from_slice(&input[..consumed]);
        *seen += consumed;
        if *seen == bytes.len() {
            let [a, b, c, d, length @ ..] = *bytes;
            let sum = u32::from_le_bytes([a, b, c, d]);
            if sum != self.checksum.sum() || u32::from_le_bytes(length) != self.checksum.amount() {
                return Err(Error::BadChecksum);
            }
            self.members += 1;
            self.part = Part::Header(Header::default());
        }
        Ok(Pushed { consumed, produced: 0 })
    }
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflate")
            .field("members", &self.members)
            .field("total_in", &self.total_in)
            .field("total_out", &self.total_out)
            .finish_non_exhaustive()
    }
}

const FLAG_HEADER_CHECKSUM: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;
const FLAGS_RESERVED: u8 = 0xe0;

/// The head of a member, one byte at a time. What it says is not kept.
#[derive(Debug, Default)]
struct Header {
    place: Place,
    flags: u8,
    checksum: Crc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The ten bytes that are always there.
    Fixed(u8),
    ExtraLengthLow,
    ExtraLengthHigh(u8),
    Extra(u16),
    Name,
    Comment,
    ChecksumLow,
    ChecksumHigh(u8),
    End,
}

impl Default for Place {
    fn default() -> Place {
        Place::Fixed(0)
    }
}

impl Header {
    fn is_untouched(&self) -> bool {
        self.place == Place::Fixed(0)
    }

    /// True when the header is whole; an error when it is none.
    fn push(&mut self, byte: u8) -> Result<bool, ()> {
        let expected = self.checksum.sum() & 0xffff;
        self.checksum.update(&[byte]);
        self.place = match self.place {
            Place::Fixed(at) => self.fixed(at, byte)?,
            Place::ExtraLengthLow => Place::ExtraLengthHigh(byte),
            Place::ExtraLengthHigh(low) => match u16::from_le_bytes([low, byte]) {
                0 => self.after_extra(),
                length => Place::Extra(length),
            },
            Place::Extra(1) => self.after_extra(),
            Place::Extra(left) => Place::Extra(left - 1),
            Place::Name if byte == 0 => self.after_name(),
            Place::Comment if byte == 0 => self.after_comment(),
            place @ (Place::Name | Place::Comment) => place,
            // The sum is of what stands before its two bytes, so the first one hands on what the second must be.
            Place::ChecksumLow if u32::from(byte) == expected & 0xff => {
                Place::ChecksumHigh(u8::try_from(expected >> 8).unwrap_or_default())
            }
            Place::ChecksumHigh(high) if byte == high => Place::End,
            Place::ChecksumLow | Place::ChecksumHigh(_) | Place::End => return Err(()),
        };
        Ok(self.place == Place::End)
    }

    fn fixed(&mut self, at: u8, byte: u8) -> Result<Place, ()> {
        let fits = match at {
            0 => byte == 0x1f,
            1 => byte == 0x8b,
            2 => byte == 8,
            3 => byte & FLAGS_RESERVED == 0,
            _ => true,
        };
        if !fits {
            return Err(());
        }
        if at == 3 {
            self.flags = byte;
        }
        Ok(match at {
            9 if self.flags & FLAG_EXTRA != 0 => Place::ExtraLengthLow,
            9 => self.after_extra(),
            _ => Place::Fixed(at + 1),
        })
    }

    fn after_extra(&self) -> Place {
        if self.flags & FLAG_NAME != 0 { Place::Name } else { self.after_name() }
    }

    fn after_name(&self) -> Place {
        if self.flags & FLAG_COMMENT != 0 { Place::Comment } else { self.after_comment() }
    }

    fn after_comment(&self) -> Place {
        if self.flags & FLAG_HEADER_CHECKSUM != 0 { Place::ChecksumLow } else { Place::End }
    }
}

#[cfg(test)]
#[path = "inflate_tests.rs"]
mod tests;
