//! Which sequences of tag keys are known to be good: the keys of lines that passed, compared byte for byte.
//!
//! A sequence is good if no key occurs twice, none is reserved, and all are ASCII. Finding that out for keys
//! that are not sorted costs a sort; being the same as those of an earlier line costs a comparison each. What
//! is kept is bounded, and holds tag keys only: neither values nor fields.

use super::grammar::{self, TIME, TagKeys};

/// Tags of a sequence that is kept, and bytes of a key with its `=`.
const KEYS: usize = 16;
const KEY_BYTES: usize = 32;

/// Sequences kept; a new one takes the place of the oldest.
const TEMPLATES: usize = 64;

/// Measurements whose sequence is remembered, if no other shares their place.
const HINTS: usize = 1024;

type Words = [u64; KEY_BYTES / 8];

/// A key with the `=` after it, and the bits that belong to it. (A mask that was looked up by the length made
/// each comparison seven instructions longer.)
#[derive(Clone, Copy, Debug)]
struct Key {
    bytes: Words,
    mask: Words,
}

/// A sequence of tag keys that is known to be good.
#[derive(Debug)]
pub(super) struct Template {
    count: usize,
    keys: [Key; KEYS],
}

/// The sequences that this core has seen lately.
#[derive(Debug)]
pub(super) struct Templates {
    templates: [Template; TEMPLATES],
    oldest: usize,
    /// For each hash of a measurement the number of the sequence that it had last. Whatever stands there is
    /// compared.
    hints: [u8; HINTS],
}

impl Templates {
    /// The empty sequence is good, so all of them begin as that.
    pub const fn new() -> Templates {
        const NO_KEY: Key = Key { bytes: [0; KEY_BYTES / 8], mask: [0; KEY_BYTES / 8] };
        const EMPTY: Template = Template { count: 0, keys: [NO_KEY; KEYS] };
        Templates { templates: [EMPTY; TEMPLATES], oldest: 0, hints: [0; HINTS] }
    }

    /// The place in `hints` of a measurement: its first eight bytes, and its length.
    #[inline(always)]
    pub fn hint(measurement: u64, bytes: usize) -> usize {
        let mixed = (measurement ^ bytes as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 54) as usize % HINTS
    }

    #[inline(always)]
    pub fn hinted(&self, hint: usize) -> &Template {
        &self.templates[usize::from(self.hints[hint]) % TEMPLATES]
    }

    /// Checks the tags that begin behind `marks`, commas, and end at `end`, where the hint was wrong. `None`: the
    /// text ends too early to see.
    #[cold]
    pub fn learn(&mut self, hint: usize, text: &[u8], marks: &[u16], end: usize) -> Option<bool> {
        for (number, template) in self.templates.iter().enumerate() {
            if template.count == marks.len() && template.matches(text, marks)? {
                self.hints[hint] = number as u8;
                return Some(true);
            }
        }
        let tags = marks.first().map_or(&[][..], |first| &text[usize::from(*first)..end]);
        if !is_good(tags) {
            return Some(false);
        }
        if self.templates[self.oldest].set(tags) {
            self.hints[hint] = self.oldest as u8;
            self.oldest = (self.oldest + 1) % TEMPLATES;
        }
        Some(true)
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
            for at in 0..differences.len() {
                differences[at] |= (found[at] ^ key.bytes[at]) & key.mask[at];
            }
        }
        Some(differences == [0; KEY_BYTES / 8])
    }

    /// Takes the keys of `tags`, if they are few and short.
    fn set(&mut self, tags: &[u8]) -> bool {
        let keys = || TagKeys(tags);
        let count = keys().count();
        if count > KEYS || keys().any(|key| key.len() >= KEY_BYTES) {
            return false;
        }
        for (place, key) in self.keys.iter_mut().zip(keys()) {
            *place = Key::new(key);
        }
        self.count = count;
        true
    }
}

/// Checks tags, `,key=value` repeated and well-formed, without the help of an earlier line.
fn is_good(tags: &[u8]) -> bool {
    let keys = || TagKeys(tags);
    let is_plain = |key: &[u8]| key != TIME && !grammar::is_reserved(key) && key.is_ascii();
    keys().all(is_plain)
        && (keys().is_sorted_by(|one, other| one < other) || !grammar::has_duplicate(keys()))
}

impl Key {
    fn new(key: &[u8]) -> Key {
        let (mut bytes, mut mask) = ([0; KEY_BYTES], [0; KEY_BYTES]);
        bytes[..key.len()].copy_from_slice(key);
        bytes[key.len()] = b'=';
        mask[..=key.len()].fill(0xFF);
        Key { bytes: words(&bytes), mask: words(&mask) }
    }
}

/// The first `KEY_BYTES` bytes as words.
#[inline(always)]
fn words(bytes: &[u8]) -> Words {
    let (chunks, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_ne_bytes(chunks[at]))
}
