//! Routes of short names, found by the name's bytes as two numbers: no hash of text, no comparison of text.
//!
//! Most measurements have at most 16 letters. A name is kept whole, so two names are never taken for one
//! another; they may only take each other's place, and then the larger map answers.

use super::router::TargetSetNo;
use crate::base::short_name::ShortName;

/// Places for two names each; 32 KiB in all.
const SLOTS: usize = 512;

/// An odd number with well mixed bits: 2^64 divided by the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// A short name under one target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    pub name: ShortName,
    pub target: u32,
}

impl Key {
    #[inline]
    fn slot(&self) -> usize {
        let [front, back] = self.name.words();
        let tail = u64::from(self.target) << 8 | u64::from(self.name.len());
        // The upper bits of a product depend on all bits of its factors.
        let front = (front ^ tail).wrapping_mul(MIX).rotate_left(32);
        let mixed = (front ^ back).wrapping_mul(MIX);
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

    fn key(target: u32, name: &[u8]) -> Key {
        Key { name: ShortName::of(name).unwrap(), target }
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
                        key(0, &name)
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
        let keys = names.iter().map(|name| key(0, name.as_bytes()));
        for (number, key) in keys.clone().enumerate() {
            short.put(key, TargetSetNo(number as u32));
        }
        let known = keys.enumerate().filter(|(number, key)| {
            short.get(key).inspect(|set| assert_eq!(set.0, *number as u32)).is_some()
        });
        assert!((SLOTS..=2 * SLOTS).contains(&known.count()), "the places are well used");
        assert_eq!(short.get(&key(0, b"cpu")), None);
        let newest = b"cpu1999";
        assert_eq!(short.get(&key(0, newest)), Some(TargetSetNo(1999)));
        assert_eq!(short.get(&key(1, newest)), None, "another target");
    }
}
