//! A request as bytes that are ready to send, made before the clock starts, and new in every use.

use super::packed::{Checksum, Packed, pack};
use super::times::{PREFIX_DIGITS_MAX, Times, decimal};
use crate::destination::Destination;
use circlet_load::data::Lines;
use std::io;

/// Bytes of one chunk of a chunked body, a few less where a timestamp would be cut.
const CHUNK_BYTES: usize = 32 << 10;
/// Digits at the end of a prefix that are written in every use; those before change once in 10^8 requests.
const FAST_DIGITS: usize = 8;

#[derive(Debug)]
pub struct Request {
    pub bytes: Vec<u8>,
    /// Bytes of lines, before compression.
    pub plain_bytes: u64,
    /// Bytes of the body as it travels, without chunk framing.
    pub body_bytes: u64,
    prefix_digits: usize,
    /// Where the prefixes begin in `bytes`.
    prefixes: Vec<usize>,
    /// The prefix in front of the fast digits, as it is now written.
    high: Option<u64>,
    /// Where the checksum of a compressed body stands, and what it is made of.
    checksum: Option<(usize, Checksum)>,
}

/// How to make requests.
#[derive(Clone, Debug)]
pub struct Maker<'a> {
    pub destination: &'a Destination,
    pub times: Times,
    /// Lines of a request, but for the last one of a run.
    pub lines: u64,
    pub gzip_level: u32,
}

/// A stretch of a body that no chunk may cut.
type Mark = (usize, usize);

impl Maker<'_> {
    /// A request with all these lines; its times are still to be set.
    pub fn make(&self, lines: &mut Lines) -> io::Result<Request> {
        lines.stamp(0, self.times.step);
        let prefix_digits = self.times.prefix_digits;
        let stamps = lines.stamps().to_vec();
        let plain_bytes = lines.bytes.len() as u64;
        let (body, marks, checksum) = if self.destination.coding.gzip {
            let packed = self.pack(lines, &stamps)?;
            let marks = vec![(packed.prefix_at, prefix_digits), (packed.checksum_at, 4)];
            (packed.bytes, marks, Some(packed.checksum))
        } else {
            let marks = stamps.iter().map(|at| (*at, prefix_digits)).collect();
            (std::mem::take(&mut lines.bytes), marks, None)
        };
        let (bytes, mut places) = self.frame(&body, &marks);
        let checksum = checksum.and_then(|checksum| Some((places.pop()?, checksum)));
        Ok(Request {
            bytes,
            plain_bytes,
            body_bytes: body.len() as u64,
            prefix_digits,
            prefixes: places,
            high: None,
            checksum,
        })
    }

    /// Compresses at the level asked for, or the next lower one whose output can be given new times.
    fn pack(&self, lines: &mut Lines, stamps: &[usize]) -> io::Result<Packed> {
        for level in (1..=self.gzip_level).rev() {
            let packed = pack(&mut lines.bytes, stamps, self.times.prefix_digits, level)?;
            if let Some(packed) = packed {
                return Ok(packed);
            }
        }
        Err(io::Error::other("these lines cannot be compressed so that their times can be changed"))
    }

    /// Head and body in their framing, and where the marked stretches are now.
    fn frame(&self, body: &[u8], marks: &[Mark]) -> (Vec<u8>, Vec<usize>) {
        let mut out = self.destination.head.clone().into_bytes();
        if !self.destination.coding.chunked {
            out.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
            let start = out.len();
            out.extend_from_slice(body);
            return (out, marks.iter().map(|(at, _)| start + at).collect());
        }
        out.extend(b"Transfer-Encoding: chunked\r\n\r\n");
        let (mut at, mut next, mut places) = (0, 0, Vec::with_capacity(marks.len()));
        while at < body.len() {
            let end = chunk_end(at, body.len(), marks);
            out.extend(format!("{:x}\r\n", end - at).bytes());
            while let Some((start, _)) = marks.get(next).filter(|(start, _)| *start < end) {
                places.push(out.len() + start - at);
                next += 1;
            }
            out.extend_from_slice(&body[at..end]);
            out.extend(b"\r\n");
            at = end;
        }
        out.extend(b"0\r\n\r\n");
        (out, places)
    }
}

/// Where the chunk that begins at `at` ends: not within a mark.
fn chunk_end(at: usize, length: usize, marks: &[Mark]) -> usize {
    let end = length.min(at + CHUNK_BYTES);
    let before = marks.partition_point(|(start, _)| *start < end);
    match before.checked_sub(1).and_then(|index| marks.get(index)) {
        Some((start, bytes)) if start + bytes > end && *start > at => *start,
        _ => end,
    }
}

impl Request {
    /// Gives all lines the times of this prefix.
    pub fn stamp(&mut self, prefix: u64) {
        let digits = decimal(prefix);
        let whole = &digits[PREFIX_DIGITS_MAX - self.prefix_digits..];
        if let Some((at, checksum)) = &self.checksum {
            self.bytes[*at..at + 4].copy_from_slice(&checksum.with(whole));
        }
        let high = prefix / 10u64.pow(FAST_DIGITS as u32);
        if self.high != Some(high) {
            self.high = Some(high);
            for at in &self.prefixes {
                self.bytes[*at..at + whole.len()].copy_from_slice(whole);
            }
            return;
        }
        let skip = self.prefix_digits - FAST_DIGITS;
        let mut fast = [0; FAST_DIGITS];
        fast.copy_from_slice(&digits[PREFIX_DIGITS_MAX - FAST_DIGITS..]);
        for at in &self.prefixes {
            self.bytes[at + skip..at + skip + FAST_DIGITS].copy_from_slice(&fast);
        }
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
