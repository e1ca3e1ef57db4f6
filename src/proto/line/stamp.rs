//! Timestamps whose digits were counted already: eight of them at a time.

use super::number::TIME_MAX;

/// Digits that fit into a `u64`, whatever they are.
const DIGITS_MAX: usize = 19;

/// Bytes that are looked at: three words.
const WINDOW: usize = 24;

/// Masks that keep the last bytes of a word.
const LAST: [u64; 9] = {
    let mut masks = [0_u64; 9];
    let mut bytes = 1;
    while bytes < 9 {
        masks[bytes] = !0 << (64 - 8 * bytes);
        bytes += 1;
    }
    masks
};

/// The time whose digits stand between a blank and an LF. `None`: too long or too late.
#[inline(always)]
pub(super) fn nanoseconds(text: &[u8], blank: u16, line_feed: u16, factor: i64) -> Option<i64> {
    let (blank, end) = (usize::from(blank), usize::from(line_feed));
    let digits = end - blank - 1;
    if digits > DIGITS_MAX {
        return None;
    }
    let units = match end.checked_sub(WINDOW) {
        Some(from) => number(text[from..end].as_chunks::<8>().0, digits),
        None => {
            // Only the first line of a text is so short.
            let mut window = [0; WINDOW];
            window[WINDOW - end..].copy_from_slice(&text[..end]);
            number(window.as_chunks::<8>().0, digits)
        }
    };
    let units = i64::try_from(units).ok()?;
    units.checked_mul(factor).filter(|time| *time <= TIME_MAX)
}

/// The number that the last `digits` bytes of three words are.
#[inline(always)]
fn number(words: &[[u8; 8]], digits: usize) -> u64 {
    let word = |at: usize, count: usize| eight(u64::from_le_bytes(words[at]) & LAST[count.min(8)]);
    let low = word(2, digits);
    let middle = word(1, digits.saturating_sub(8));
    let high = word(0, digits.saturating_sub(16));
    (high * 100_000_000 + middle) * 100_000_000 + low
}

/// The number that eight digits are, the first one in the lowest byte; zero bytes count as zeros. Each step joins neighbours.
#[inline(always)]
fn eight(digits: u64) -> u64 {
    let ones = digits & 0x0F0F_0F0F_0F0F_0F0F;
    let pairs = (ones.wrapping_mul(10 * 256 + 1) >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100 * 65_536 + 1) >> 16) & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul(10_000 * 4_294_967_296 + 1) >> 32
}
