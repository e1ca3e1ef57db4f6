//! Integers, signed or not: differences with the sign in the lowest bit; as one run, packed by Simple-8b, or as they
//! are. The value before the first one is 0, and everything wraps around.

use super::simple8b::{self, Sight};
use super::{Malformed, uvarint};

const RAW: u8 = 0;
const PACKED: u8 = 1;
const RUN: u8 = 2;

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// A 64-bit integer of either sign, as its bits.
pub(super) trait Integer: Copy {
    fn bits(self) -> i64;
    fn of(bits: i64) -> Self;
}

impl Integer for i64 {
    fn bits(self) -> i64 {
        self
    }
    fn of(bits: i64) -> i64 {
        bits
    }
}

impl Integer for u64 {
    fn bits(self) -> i64 {
        self.cast_signed()
    }
    fn of(bits: i64) -> u64 {
        bits.cast_unsigned()
    }
}

pub(super) fn write<T: Integer>(values: &[T], out: &mut Vec<u8>) {
    let mut before = 0_i64;
    let difference = |value: &T| {
        let bits = value.bits();
        zigzag(bits.wrapping_sub(std::mem::replace(&mut before, bits)))
    };
    let differences: Vec<u64> = values.iter().map(difference).collect();
    match &differences[..] {
        [] => {}
        [first, run, rest @ ..] if !rest.is_empty() && rest.iter().all(|next| next == run) => {
            out.push(RUN << 4);
            out.extend_from_slice(&first.to_be_bytes());
            uvarint::write(*run, out);
            uvarint::write(values.len() as u64 - 1, out);
        }
        [first, rest @ ..] if differences.iter().all(|next| *next <= simple8b::MAX) => {
            out.push(PACKED << 4);
            out.extend_from_slice(&first.to_be_bytes());
            simple8b::write(rest, Sight::All, out);
        }
        all => {
            out.push(RAW << 4);
            out.extend(all.iter().flat_map(|next| next.to_be_bytes()));
        }
    }
}

/// Exactly `count` values, at least one.
pub(super) fn read<T: Integer>(bytes: &[u8], count: usize) -> Result<Vec<T>, Malformed> {
    let (kind, rest) = bytes.split_first().ok_or(Malformed("no encoding of the integers"))?;
    let values = match kind >> 4 {
        RAW => raw(rest),
        PACKED => packed(rest, count),
        RUN => run(rest, count),
        _ => Err(Malformed("integers have no such encoding")),
    }?;
    if values.len() != count {
        return Err(Malformed("not as many integers as times"));
    }
    Ok(values)
}

fn first(bytes: &[u8]) -> Result<(i64, &[u8]), Malformed> {
    let (first, rest) = bytes.split_first_chunk::<8>().ok_or(Malformed("no first integer"))?;
    Ok((unzigzag(u64::from_be_bytes(*first)), rest))
}

fn raw<T: Integer>(bytes: &[u8]) -> Result<Vec<T>, Malformed> {
    let (words, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Malformed("integers end within a word"));
    }
    let mut value = 0_i64;
    let values = words.iter().map(|word| {
        value = value.wrapping_add(unzigzag(u64::from_be_bytes(*word)));
        T::of(value)
    });
    Ok(values.collect())
}

fn packed<T: Integer>(bytes: &[u8], count: usize) -> Result<Vec<T>, Malformed> {
    let (mut value, words) = first(bytes)?;
    let mut values = Vec::with_capacity(count);
    values.push(T::of(value));
    simple8b::read(words, count.saturating_sub(1), |differences| {
        values.extend(differences.iter().map(|difference| {
            value = value.wrapping_add(unzigzag(*difference));
            T::of(value)
        }));
    })?;
    Ok(values)
}

fn run<T: Integer>(bytes: &[u8], count: usize) -> Result<Vec<T>, Malformed> {
    let (first, rest) = first(bytes)?;
    let (difference, rest) = uvarint::read(rest)?;
    let (more, rest) = uvarint::read(rest)?;
    if !rest.is_empty() {
        return Err(Malformed("bytes behind a run of integers"));
    }
    if more.checked_add(1) != Some(count as u64) {
        return Err(Malformed("not as many integers as times"));
    }
    let difference = unzigzag(difference);
    let values = 0..i64::try_from(more).expect("fewer than the times in memory");
    let value = |at| T::of(first.wrapping_add(difference.wrapping_mul(at)));
    Ok((0..=values.end).map(value).collect())
}
