//! Timestamps: a run of equal steps, steps packed by Simple-8b, or steps as they are.
//!
//! The first byte holds the encoding in its high half and the power of ten by which all steps were divided in its low
//! half. Steps are unsigned and wrap around, so that the whole range of times has them.

use super::simple8b::{self, Sight};
use super::{BLOCK_POINTS_MAX, Malformed, uvarint};

const RAW: u8 = 0;
const PACKED: u8 = 1;
const RUN: u8 = 2;

/// The largest power of ten that the encoder tries. A single point has no steps, and every power divides none.
const POWER_MAX: u8 = 12;

pub(super) fn write(times: &[i64], out: &mut Vec<u8>) {
    let Some(first) = times.first() else { return };
    let step = |pair: &[i64]| pair[1].wrapping_sub(pair[0]).cast_unsigned();
    let mut steps: Vec<u64> = times.windows(2).map(step).collect();
    let (power, divisor) = power_of(&steps);
    if let Some(run) = steps.first().filter(|first| steps.iter().all(|step| step == *first)) {
        out.push(RUN << 4 | power);
        out.extend_from_slice(&first.to_be_bytes());
        uvarint::write(run / divisor, out);
        uvarint::write(times.len() as u64, out);
    } else if steps.iter().all(|step| *step <= simple8b::MAX) {
        out.push(PACKED << 4 | power);
        out.extend_from_slice(&first.to_be_bytes());
        if divisor > 1 {
            steps.iter_mut().for_each(|step| *step /= divisor);
        }
        simple8b::write(&steps, Sight::Window, out);
    } else {
        out.push(RAW << 4);
        out.extend_from_slice(&first.to_be_bytes());
        out.extend(steps.iter().flat_map(|step| step.to_be_bytes()));
    }
}

/// The largest power of ten that divides every step.
fn power_of(steps: &[u64]) -> (u8, u64) {
    let mut power = POWER_MAX;
    let mut divisor = 10_u64.pow(u32::from(POWER_MAX));
    for step in steps {
        while !step.is_multiple_of(divisor) {
            power -= 1;
            divisor /= 10;
        }
        if power == 0 {
            break;
        }
    }
    (power, divisor)
}

/// As many times as the bytes hold: they alone know how many points a block has.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<i64>, Malformed> {
    let (kind, rest) = bytes.split_first().ok_or(Malformed("no encoding of the times"))?;
    let scale = 10_u64.checked_pow(u32::from(kind & 15)).filter(|_| kind & 15 <= POWER_MAX);
    let scale = scale.ok_or(Malformed("times have no such scale"))?;
    match kind >> 4 {
        RAW => raw(rest),
        PACKED => packed(rest, scale),
        RUN => run(rest, scale),
        _ => Err(Malformed("times have no such encoding")),
    }
}

/// How many times the bytes hold.
pub(super) fn count(bytes: &[u8]) -> Result<usize, Malformed> {
    let (kind, rest) = bytes.split_first().ok_or(Malformed("no encoding of the times"))?;
    match kind >> 4 {
        RAW => Ok(rest.len() / 8),
        PACKED => Ok(1 + simple8b::count(first(rest)?.1)),
        RUN => {
            let (_, rest) = uvarint::read(first(rest)?.1)?;
            let (count, _) = uvarint::read(rest)?;
            Ok(usize::try_from(count).unwrap_or(usize::MAX))
        }
        _ => Err(Malformed("times have no such encoding")),
    }
}

fn first(bytes: &[u8]) -> Result<(i64, &[u8]), Malformed> {
    let (first, rest) = bytes.split_first_chunk::<8>().ok_or(Malformed("no first time"))?;
    Ok((i64::from_be_bytes(*first), rest))
}

fn raw(bytes: &[u8]) -> Result<Vec<i64>, Malformed> {
    let (words, rest) = bytes.as_chunks::<8>();
    if words.is_empty() || !rest.is_empty() {
        return Err(Malformed("times end within a word"));
    }
    if words.len() > BLOCK_POINTS_MAX {
        return Err(Malformed("a block of too many points"));
    }
    let mut time = 0_i64;
    let times = words.iter().map(|word| {
        time = time.wrapping_add(i64::from_be_bytes(*word));
        time
    });
    Ok(times.collect())
}

fn packed(bytes: &[u8], scale: u64) -> Result<Vec<i64>, Malformed> {
    let (first, words) = first(bytes)?;
    // Most words hold few steps; whatever is longer grows.
    let mut times = Vec::with_capacity((words.len() / 2 + 1).min(BLOCK_POINTS_MAX));
    times.push(first);
    let mut time = first.cast_unsigned();
    let mut add = |times: &mut Vec<i64>, steps: &[u64], scale: u64| {
        times.extend(steps.iter().map(|step| {
            time = time.wrapping_add(step.wrapping_mul(scale));
            time.cast_signed()
        }));
    };
    let room = BLOCK_POINTS_MAX - 1;
    if scale == 1 {
        simple8b::read(words, room, |steps| add(&mut times, steps, 1))?;
    } else {
        simple8b::read(words, room, |steps| add(&mut times, steps, scale))?;
    }
    Ok(times)
}

fn run(bytes: &[u8], scale: u64) -> Result<Vec<i64>, Malformed> {
    let (first, rest) = first(bytes)?;
    let (step, rest) = uvarint::read(rest)?;
    let (count, rest) = uvarint::read(rest)?;
    if !rest.is_empty() {
        return Err(Malformed("bytes behind a run of times"));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count == 0 || count > BLOCK_POINTS_MAX {
        return Err(Malformed("a run of no times, or of too many"));
    }
    let step = step.wrapping_mul(scale).cast_signed();
    let times = 0..i64::try_from(count).expect("below the limit");
    Ok(times.map(|at| first.wrapping_add(step.wrapping_mul(at))).collect())
}
