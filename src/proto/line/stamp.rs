//! Timestamps whose digits were counted already: sixteen of them at a time.

use super::bits::Classifier;
use super::number::TIME_MAX;

/// Digits that fit into a `u64`, whatever they are.
const DIGITS_MAX: usize = 19;

/// Bytes that are looked at: sixteen, and a word before them.
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
pub(super) fn nanoseconds<C: Classifier>(
    classifier: C,
    text: &[u8],
    blank: u16,
    line_feed: u16,
    factor: i64,
) -> Option<i64> {
    let (blank, end) = (usize::from(blank), usize::from(line_feed));
    let digits = end - blank - 1;
    if digits > DIGITS_MAX {
        return None;
    }
    let units = match end.checked_sub(WINDOW) {
        Some(from) => number(classifier, text[from..].first_chunk().expect("a window"), digits),
        None => at_the_start(classifier, &text[..end], digits),
    };
    let units = i64::try_from(units).ok()?;
    units.checked_mul(factor).filter(|time| *time <= TIME_MAX)
}

/// The same for the first line of a text, if it is short.
#[cold]
fn at_the_start<C: Classifier>(classifier: C, text: &[u8], digits: usize) -> u64 {
    let mut window = [0; WINDOW];
    window[WINDOW - text.len()..].copy_from_slice(text);
    number(classifier, &window, digits)
}

/// The number that the last `digits` bytes of a window are.
#[inline(always)]
fn number<C: Classifier>(classifier: C, window: &[u8; WINDOW], digits: usize) -> u64 {
    let high = u64::from_le_bytes(*window.first_chunk().expect("eight bytes"));
    let low = classifier.sixteen(window.last_chunk().expect("sixteen bytes"), digits);
    four((high & LAST[digits.saturating_sub(16)]) >> 32) * 10_000_000_000_000_000 + low
}

/// The number that the last `digits` of 16 bytes are.
#[inline(always)]
pub(super) fn sixteen(bytes: &[u8; 16], digits: usize) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    let word = |at: usize, count: usize| eight(u64::from_le_bytes(words[at]) & LAST[count.min(8)]);
    word(0, digits.saturating_sub(8)) * 100_000_000 + word(1, digits)
}

/// The number that four digits are, the first one in the lowest byte; zero bytes count as zeros. Each step joins
/// neighbours.
#[inline(always)]
fn four(digits: u64) -> u64 {
    let ones = digits as u32 & 0x0F0F_0F0F;
    let pairs = (ones.wrapping_mul(10 * 256 + 1) >> 8) & 0x00FF_00FF;
    u64::from(pairs.wrapping_mul(100 * 65_536 + 1) >> 16)
}

/// The number that eight digits are.
#[inline(always)]
fn eight(digits: u64) -> u64 {
    let ones = digits & 0x0F0F_0F0F_0F0F_0F0F;
    let pairs = (ones.wrapping_mul(10 * 256 + 1) >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100 * 65_536 + 1) >> 16) & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul(10_000 * 4_294_967_296 + 1) >> 32
}
