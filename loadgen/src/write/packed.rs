//! A compressed body whose every timestamp can be changed without compressing it anew.
//!
//! The body goes up to the end of its first timestamp's prefix into a stored block of DEFLATE, as it
//! is. What follows is compressed with that as its dictionary, while all prefixes hold bytes that are
//! nowhere else: each prefix then becomes a reference to the one before, in the end to the stored one.
//! Writing digits there changes all of them at once. The checksum is linear in the bits of the body, so
//! each bit of a digit has a fixed part in it, and the new one is a few exclusive ors.
//! Whether the compressor really chose references is not believed but looked at, by inflating. Where it
//! did not, a reference had ended within the prefix: there it is made to begin a new one.

use super::times::PREFIX_DIGITS_MAX;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use std::collections::BTreeSet;
use std::io::{self, Read};

/// Header of a gzip member: DEFLATE, no name, no time, from a Unix.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
/// How often more such places are tried.
const ATTEMPTS: usize = 6;
/// Of CRC-32 as in gzip, reflected.
const POLYNOMIAL: u32 = 0xedb8_8320;
/// Bits in which two digits can differ.
const DIGIT_BITS: usize = 4;
/// Bytes that no text holds, in place of prefixes while compressing.
const FILLER: [u8; PREFIX_DIGITS_MAX] = [1, 2, 3, 4, 5, 6, 7, 8, 14, 15, 16, 17, 18, 19, 20, 21];

#[derive(Clone, Debug)]
pub struct Packed {
    pub bytes: Vec<u8>,
    /// Where the one prefix stands in `bytes`.
    pub prefix_at: usize,
    /// Where the checksum stands in `bytes`.
    pub checksum_at: usize,
    pub checksum: Checksum,
}

/// The checksum of a body as a function of its prefix.
#[derive(Clone, Debug)]
pub struct Checksum {
    /// With all digits 0.
    zero: u32,
    /// What each bit of each digit adds.
    bits: Vec<[u32; DIGIT_BITS]>,
}

impl Checksum {
    /// The checksum with these digits, little endian as it travels.
    pub fn with(&self, digits: &[u8]) -> [u8; 4] {
        let mut sum = self.zero;
        for (digit, parts) in digits.iter().zip(&self.bits) {
            for (bit, part) in parts.iter().enumerate() {
                if digit >> bit & 1 == 1 {
                    sum ^= part;
                }
            }
        }
        sum.to_le_bytes()
    }

    fn of(plain: &mut [u8], stamps: &[usize], prefix_digits: usize) -> Self {
        let sum = |bytes: &[u8]| {
            let mut crc = Crc::new();
            crc.update(bytes);
            crc.sum()
        };
        fill(plain, stamps, &[b'0'; PREFIX_DIGITS_MAX][..prefix_digits]);
        let zero = sum(plain);
        let mut bits = vec![[0; DIGIT_BITS]; prefix_digits];
        let Some(last) = prefix_digits.checked_sub(1) else { return Checksum { zero, bits } };
        for bit in 0..DIGIT_BITS {
            stamps.iter().for_each(|at| plain[at + last] ^= 1 << bit);
            let mut part = zero ^ sum(plain);
            stamps.iter().for_each(|at| plain[at + last] ^= 1 << bit);
            // A digit further left is followed by one byte more in every timestamp.
            for parts in bits.iter_mut().rev() {
                parts[bit] = part;
                part = past_zero_byte(part);
            }
        }
        Checksum { zero, bits }
    }
}

/// What a difference of checksums becomes by one byte without a difference.
fn past_zero_byte(difference: u32) -> u32 {
    (0..8).fold(difference, |rest, _| rest >> 1 ^ if rest & 1 == 1 { POLYNOMIAL } else { 0 })
}

fn fill(plain: &mut [u8], stamps: &[usize], with: &[u8]) {
    for at in stamps {
        plain[*at..at + with.len()].copy_from_slice(with);
    }
}

/// Compresses a body whose timestamps stand at `stamps`; None if its prefixes cannot be made to follow
/// one at this level. `plain` is used as room to work in; its prefixes are lost.
pub fn pack(
    plain: &mut [u8],
    stamps: &[usize],
    prefix_digits: usize,
    level: u32,
) -> io::Result<Option<Packed>> {
    let Some(first) = stamps.first() else { return Ok(None) };
    let stored = first + prefix_digits;
    let Ok(stored_length) = u16::try_from(stored) else { return Ok(None) };
    let checksum = Checksum::of(plain, stamps, prefix_digits);
    // Prefixes before which the compressor is made to end what it has begun.
    let mut cuts = BTreeSet::new();
    for attempt in 1..=ATTEMPTS {
        fill(plain, stamps, &FILLER[..prefix_digits]);
        let mut bytes = HEADER.to_vec();
        bytes.push(0);
        bytes.extend(stored_length.to_le_bytes());
        bytes.extend((!stored_length).to_le_bytes());
        bytes.extend_from_slice(&plain[..stored]);
        let prefix_at = bytes.len() - prefix_digits;
        deflate(plain, stored, &cuts, level, &mut bytes)?;
        let checksum_at = bytes.len();
        bytes.extend([0; 4]);
        bytes.extend((plain.len() as u32).to_le_bytes());
        let mut packed = Packed { bytes, prefix_at, checksum_at, checksum: checksum.clone() };
        let Some(astray) = packed.astray(plain, stamps, prefix_digits) else { break };
        if astray.is_empty() {
            return Ok(Some(packed));
        }
        cuts.extend(if attempt + 1 == ATTEMPTS { stamps[1..].to_vec() } else { astray });
    }
    Ok(None)
}

/// Compresses what follows the first `stored` bytes, with those as the dictionary.
fn deflate(
    plain: &[u8],
    stored: usize,
    cuts: &BTreeSet<usize>,
    level: u32,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let mut state = Compress::new(Compression::new(level), false);
    state.set_dictionary(&plain[..stored]).map_err(io::Error::other)?;
    let mut ends: Vec<_> = cuts.iter().map(|cut| (*cut, FlushCompress::Partial)).collect();
    ends.push((plain.len(), FlushCompress::Finish));
    for (end, flush) in ends {
        loop {
            // With room left over, everything that was to come out is out.
            out.reserve(plain.len() / 8 + 1024);
            let done = stored + usize::try_from(state.total_in()).map_err(io::Error::other)?;
            let status = state.compress_vec(&plain[done..end], out, flush);
            let is_end = status.map_err(io::Error::other)? == Status::StreamEnd;
            if is_end || (flush == FlushCompress::Partial && out.len() < out.capacity()) {
                break;
            }
        }
    }
    Ok(())
}

impl Packed {
    /// Gives the body other times.
    pub fn stamp(&mut self, digits: &[u8]) {
        self.bytes[self.prefix_at..self.prefix_at + digits.len()].copy_from_slice(digits);
        let sum = self.checksum.with(digits);
        self.bytes[self.checksum_at..self.checksum_at + sum.len()].copy_from_slice(&sum);
    }

    /// The prefixes that do not follow the stored one; None if it is something else that is wrong.
    fn astray(
        &mut self,
        plain: &mut [u8],
        stamps: &[usize],
        prefix_digits: usize,
    ) -> Option<Vec<usize>> {
        let digits = &b"9071526384061728"[..prefix_digits];
        self.stamp(digits);
        fill(plain, stamps, digits);
        let mut inflated = Vec::with_capacity(plain.len());
        let read = flate2::read::GzDecoder::new(&self.bytes[..]).read_to_end(&mut inflated);
        if read.is_ok() && inflated == plain {
            return Some(Vec::new());
        }
        let is_astray = |at: &&usize| inflated.get(**at..**at + prefix_digits) != Some(digits);
        let astray: Vec<_> = stamps.iter().filter(is_astray).copied().collect();
        (!astray.is_empty()).then_some(astray)
    }
}
