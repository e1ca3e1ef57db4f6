//! Routes of short names, found by the name's bytes as two numbers: no hash of text, no comparison of text.
//!
//! Most measurements have at most 16 letters. A name is kept whole, so two names are never taken for one
//! another; they may only take each other's place, and then the larger map answers.

use super::router::{TargetNo, TargetSetNo};

/// Places for two names each; 32 KiB in all.
const SLOTS: usize = 512;

/// An odd number with well mixed bits: 2^64 divided by the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// A name of 1 to 16 bytes under one target. With its length the two numbers say every byte of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    front: u64,
    back: u64,
    target: u32,
    len: u32,
}

impl Key {
    #[inline]
    pub(super) fn of(target: TargetNo, name: &[u8]) -> Option<Key> {
        let (front, back) = match name.len() {
            8..=16 => {
                (u64::from_le_bytes(*name.first_chunk()?), u64::from_le_bytes(*name.last_chunk()?))
            }
            4..=7 => (
                u64::from(u32::from_le_bytes(*name.first_chunk()?)),
                u64::from(u32::from_le_bytes(*name.last_chunk()?)),
            ),
            // The first, the middle and the last are all there are.
            1..=3 => (
                u64::from(name[0]) << 8 | u64::from(name[name.len() / 2]),
                u64::from(name[name.len() - 1]),
            ),
            _ => return None,
        };
        Some(Key { front, back, target: target.0, len: u32::try_from(name.len()).ok()? })
    }

    #[inline]
    fn slot(&self) -> usize {
        let tail = u64::from(self.target) << 8 | u64::from(self.len);
        // The upper bits of a product depend on all bits of its factors.
        let front = (self.front ^ tail).wrapping_mul(MIX).rotate_left(32);
        let mixed = (front ^ self.back).wrapping_mul(MIX);
        (mixed >> (64 - SLOTS.ilog2())) as usize
    }
}

/// Lives on one shard, within its router.
#[derive(Debug)]
pub(super) struct Short {
    /// The first of two is the newer one.
    slots: Box<[[(Key, TargetSetNo); 2]]>,
}

impl Default for Short {
    fn default() -> Short {
        // A key of no letters is nobody's.
        Short { slots: vec![[(Key::default(), TargetSetNo(0)); 2]; SLOTS].into() }
    }
}

impl Short {
    #[inline]
    pub(super) fn get(&self, key: &Key) -> Option<TargetSetNo> {
        let slot = &self.slots[key.slot()];
        slot.iter().find(|(known, _)| known == key).map(|(_, set)| *set)
    }

    pub(super) fn put(&mut self, key: Key, set: TargetSetNo) {
        let slot = &mut self.slots[key.slot()];
        *slot = [(key, set), slot[0]];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_names_have_one_key() {
        // Every name of up to six of two letters, and long ones that differ in one byte.
        let mut names: Vec<Vec<u8>> = vec![vec![]];
        for at in 0.. {
            if names[at].len() == 6 {
                break;
            }
            for letter in *b"ab" {
                names.push([&names[at][..], &[letter]].concat());
            }
        }
        for len in 7..=16 {
            names.push(vec![b'a'; len]);
            for at in 0..len {
                let mut name = vec![b'a'; len];
                name[at] = 0;
                names.push(name);
            }
        }
        let key = |name: &Vec<u8>| Key::of(TargetNo(1), name).map(|key| format!("{key:?}"));
        let keys: BTreeSet<_> = names.iter().filter_map(key).collect();
        assert_eq!(keys.len(), names.len() - 1, "all but the empty name have a key of their own");
        assert_ne!(Key::of(TargetNo(1), b"cpu"), Key::of(TargetNo(2), b"cpu"));
        assert_eq!(Key::of(TargetNo(1), &[b'a'; 17]), None);
    }

    #[test]
    fn names_that_differ_in_any_letter_are_spread() {
        for len in 1..=16_usize {
            for at in 0..len {
                let mut short = Short::default();
                let keys: Vec<_> = (b'a'..=b'z')
                    .map(|letter| {
                        let mut name = vec![b'm'; len];
                        name[at] = letter;
                        Key::of(TargetNo(0), &name).unwrap()
                    })
                    .collect();
                for (number, key) in keys.iter().enumerate() {
                    short.put(*key, TargetSetNo(number as u32));
                }
                let known = keys.iter().filter(|key| short.get(key).is_some()).count();
                assert!(known >= 24, "{known} of 26 are known, length {len}, letter {at}");
            }
        }
    }

    #[test]
    fn a_name_that_lost_its_place_is_unknown_again() {
        let mut short = Short::default();
        let names: Vec<String> = (0..2000).map(|number| format!("cpu{number}")).collect();
        let keys = names.iter().map(|name| Key::of(TargetNo(0), name.as_bytes()).unwrap());
        for (number, key) in keys.clone().enumerate() {
            short.put(key, TargetSetNo(number as u32));
        }
        let known = keys.enumerate().filter(|(number, key)| {
            short.get(key).inspect(|set| assert_eq!(set.0, *number as u32)).is_some()
        });
        assert!((SLOTS..=2 * SLOTS).contains(&known.count()), "the places are well used");
        assert_eq!(short.get(&Key::of(TargetNo(0), b"cpu").unwrap()), None);
    }
}
