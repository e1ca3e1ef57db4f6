//! A bloom filter over the keys of one file: a line of the processor's cache for each key that is asked for.
//!
//! It is made when a file is opened, where all keys are walked through anyhow; the format has no place for it.

use crate::base::map::FastState;

/// One key in a hundred that is not there is searched for in vain.
const BITS_PER_KEY: usize = 12;
const BITS_SET: u32 = 6;

/// A cache line.
type Line = [u64; 8];

#[derive(Debug)]
pub(super) struct Bloom {
    state: FastState,
    lines: Box<[Line]>,
}

impl Bloom {
    pub(super) fn new(keys: usize) -> Bloom {
        let lines = (keys * BITS_PER_KEY).div_ceil(512).max(1);
        Bloom { state: FastState::new(), lines: vec![[0; 8]; lines].into() }
    }

    pub(super) fn add(&mut self, key: &[u8]) {
        let (at, bits) = self.place(key);
        let line = &mut self.lines[at];
        bits.for_each(|bit| line[bit >> 6] |= 1 << (bit & 63));
    }

    /// `false` only if it was never added.
    pub(super) fn may_hold(&self, key: &[u8]) -> bool {
        let (at, mut bits) = self.place(key);
        let line = &self.lines[at];
        bits.all(|bit| line[bit >> 6] >> (bit & 63) & 1 == 1)
    }

    /// The line, and the bits in it: the high half of the hash chooses the one, nine bits of it each of the others.
    fn place(&self, key: &[u8]) -> (usize, impl Iterator<Item = usize> + use<>) {
        let hash = self.state.hash_one(key);
        let at = usize::try_from((u128::from(hash) * self.lines.len() as u128) >> 64);
        // The line has used the top bits; a product mixes them away.
        let mixed = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let bits = (0..BITS_SET).map(move |at| (mixed >> (9 * at) & 511) as usize);
        (at.expect("below the number of lines"), bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_and_most_else_is_not() {
        let mut bloom = Bloom::new(10_000);
        for key in 0..10_000_u32 {
            bloom.add(&key.to_be_bytes());
        }
        assert!((0..10_000_u32).all(|key| bloom.may_hold(&key.to_be_bytes())));
        let wrong = (10_000..110_000_u32).filter(|key| bloom.may_hold(&key.to_be_bytes())).count();
        assert!(wrong < 3_000, "{wrong} of 100000");
        assert!(!Bloom::new(0).may_hold(b"x"));
    }
}
