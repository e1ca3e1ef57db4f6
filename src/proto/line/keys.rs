//! Which sequences of tag keys are known to be good: the keys of lines that passed, compared byte for byte.
//!
//! A sequence is good if no key occurs twice, none is reserved, and all are ASCII. Finding that out for keys
//! that are not sorted costs a sort; being the same as those of an earlier line costs a comparison each. What
//! is kept is bounded, and holds tag keys only: neither values nor fields.

use super::grammar::{self, TIME, TagKeys};

/// Tags of a sequence that is kept, and bytes of a key with its `=`.
const KEYS: usize = 16;
const KEY_BYTES: usize = 32;

/// Sequences kept; a new one takes the place of another that shares its slot.
const SLOTS: usize = 64;

/// A key with the `=` after it, then zeros.
#[derive(Clone, Copy, Debug)]
struct Key {
    bytes: [u8; KEY_BYTES],
    /// With the `=`.
    len: usize,
}

/// The mask of a key is a window of this: as many ones as it has bytes, then zeros.
static ONES_ZEROS: [u8; 2 * KEY_BYTES] = {
    let mut bytes = [0; 2 * KEY_BYTES];
    let mut at = 0;
    while at < KEY_BYTES {
        bytes[at] = 0xFF;
        at += 1;
    }
    bytes
};

/// A sequence of tag keys that is known to be good.
#[derive(Debug)]
pub(super) struct Template {
    count: usize,
    keys: [Key; KEYS],
}

/// The sequences that this core has seen lately.
#[derive(Debug)]
pub(super) struct Templates {
    slots: [Template; SLOTS],
}

impl Templates {
    /// No line has no tags but is refused for it: an empty sequence is always good.
    pub const fn new() -> Templates {
        const NO_KEY: Key = Key { bytes: [0; KEY_BYTES], len: 0 };
        const EMPTY: Template = Template { count: 0, keys: [NO_KEY; KEYS] };
        Templates { slots: [EMPTY; SLOTS] }
    }

    /// The sequence that lines of this measurement had last. A hint: any other may come back.
    #[inline(always)]
    pub fn slot(&mut self, measurement: u64, bytes: usize) -> &mut Template {
        let mixed = (measurement ^ bytes as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        &mut self.slots[(mixed >> 58) as usize % SLOTS]
    }
}

impl Template {
    #[inline(always)]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether the tags that begin behind the first `marks` have exactly these keys. `None`: the text ends too
    /// early to see.
    #[inline(always)]
    pub fn matches(&self, text: &[u8], marks: &[u16]) -> Option<bool> {
        let mut differences = [0; KEY_BYTES / 8];
        for (key, mark) in self.keys[..self.count].iter().zip(marks) {
            let from = usize::from(*mark) + 1;
            let found = words(text.get(from..from + KEY_BYTES)?);
            let wanted = words(&key.bytes);
            let mask = words(&ONES_ZEROS[KEY_BYTES - key.len..][..KEY_BYTES]);
            for at in 0..differences.len() {
                differences[at] |= (found[at] ^ wanted[at]) & mask[at];
            }
        }
        Some(differences == [0; KEY_BYTES / 8])
    }

    /// Checks tags, `,key=value` repeated and well-formed, without the help of an earlier line. If they are
    /// good and short, later lines have that help.
    #[cold]
    pub fn learn(&mut self, tags: &[u8]) -> bool {
        if !is_good(tags) {
            return false;
        }
        let keys = || TagKeys(tags);
        let count = keys().count();
        if count <= KEYS && keys().all(|key| key.len() < KEY_BYTES) {
            for (place, key) in self.keys.iter_mut().zip(keys()) {
                *place = Key::new(key);
            }
            self.count = count;
        }
        true
    }
}

fn is_good(tags: &[u8]) -> bool {
    let keys = || TagKeys(tags);
    let is_plain = |key: &[u8]| key != TIME && !grammar::is_reserved(key) && key.is_ascii();
    keys().all(is_plain)
        && (keys().is_sorted_by(|one, other| one < other) || !grammar::has_duplicate(keys()))
}

impl Key {
    fn new(key: &[u8]) -> Key {
        let mut bytes = [0; KEY_BYTES];
        bytes[..key.len()].copy_from_slice(key);
        bytes[key.len()] = b'=';
        Key { bytes, len: key.len() + 1 }
    }
}

/// The first `KEY_BYTES` bytes as words.
#[inline(always)]
fn words(bytes: &[u8]) -> [u64; KEY_BYTES / 8] {
    let (chunks, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_ne_bytes(chunks[at]))
}
