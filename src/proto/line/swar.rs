//! Bitmaps without vectors: eight bytes at a time in a word, for processors that `simd` does not know.

use super::bits::{BLOCK, Classifier, Numbers, Specials, Structure};

/// The portable classifier.
#[derive(Clone, Copy, Debug)]
pub(super) struct Swar;

const ONES: u64 = 0x0101_0101_0101_0101;
const LOW_BITS: u64 = 0x7F * ONES;
const HIGH_BITS: u64 = 0x80 * ONES;

impl Classifier for Swar {
    #[inline(always)]
    fn structure(self, block: &[u8; BLOCK]) -> Structure {
        let mut map = Structure { line_feeds: 0, commas: 0, blanks: 0, equals: 0, special: 0 };
        for (at, word) in words(block) {
            let line_feeds = equal(word, b'\n');
            map.line_feeds |= bits(line_feeds) << at;
            map.commas |= bits(equal(word, b',')) << at;
            map.blanks |= bits(equal(word, b' ')) << at;
            map.equals |= bits(equal(word, b'=')) << at;
            let special = equal(word, b'"') | equal(word, b'\\') | others(word, line_feeds);
            if special != 0 {
                map.special |= bits(special) << at;
            }
        }
        map
    }

    #[inline(always)]
    fn numbers(self, block: &[u8; BLOCK]) -> Numbers {
        let mut map = Numbers { digits: 0, points: 0, integers: 0 };
        for (at, word) in words(block) {
            map.digits |= bits(below(word, b'9' + 1) & !below(word, b'0')) << at;
            map.points |= bits(equal(word, b'.')) << at;
            map.integers |= bits(equal(word, b'i')) << at;
        }
        map
    }

    #[inline(always)]
    fn minuses(self, block: &[u8; BLOCK]) -> u64 {
        words(block).map(|(at, word)| bits(equal(word, b'-')) << at).fold(0, |all, bits| all | bits)
    }

    fn specials(self, block: &[u8; BLOCK]) -> Specials {
        let (mut quotes, mut backslashes, mut rest) = (0, 0, 0);
        for (at, word) in words(block) {
            quotes |= bits(equal(word, b'"')) << at;
            backslashes |= bits(equal(word, b'\\')) << at;
            rest |= bits(others(word, equal(word, b'\n'))) << at;
        }
        Specials { quotes, backslashes, others: rest }
    }

    #[inline(always)]
    fn parity(self, bits: u64) -> u64 {
        let mut parity = bits;
        for shift in [1, 2, 4, 8, 16, 32] {
            parity ^= parity << shift;
        }
        parity
    }
}

#[inline(always)]
fn words(block: &[u8; BLOCK]) -> impl Iterator<Item = (usize, u64)> {
    let (words, _) = block.as_chunks::<8>();
    words.iter().enumerate().map(|(at, word)| (8 * at, u64::from_le_bytes(*word)))
}

/// The high bit of each byte that is `byte`.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    let zero = word ^ (u64::from(byte) * ONES);
    !(((zero & LOW_BITS) + LOW_BITS) | zero) & HIGH_BITS
}

/// The high bit of each byte below `limit`, an ASCII character.
#[inline(always)]
fn below(word: u64, limit: u8) -> u64 {
    !(((word & LOW_BITS) + u64::from(0x80 - limit) * ONES) | word) & HIGH_BITS
}

#[inline(always)]
fn others(word: u64, line_feeds: u64) -> u64 {
    (below(word, b' ') & !line_feeds) | (word & HIGH_BITS)
}

/// The high bits of eight bytes, side by side.
#[inline(always)]
fn bits(high_bits: u64) -> u64 {
    const GATHER: u64 = 0x0002_0408_1020_4081;
    (high_bits.wrapping_mul(GATHER)) >> 56
}
