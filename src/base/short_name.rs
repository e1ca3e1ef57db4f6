//! Names of at most 16 bytes as two numbers: to be compared and mixed without a look at each byte.

/// A name of 1 to 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShortName {
    /// Its bytes, the first one lowest, and zeros behind them.
    words: [u64; 2],
    /// A name may end with zeros of its own.
    len: u32,
}

/// What `words` keep of 16 bytes, by the length of the name.
const KEPT: [[u64; 2]; 17] = {
    let mut masks = [[0; 2]; 17];
    let mut len = 1;
    while len <= 16 {
        let all = u128::MAX >> (128 - 8 * len);
        masks[len] = [all as u64, (all >> 64) as u64];
        len += 1;
    }
    masks
};

impl ShortName {
    pub fn of(name: &[u8]) -> Option<ShortName> {
        let mut bytes = [0; 16];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        ShortName::front_of(&bytes, name.len())
    }

    /// The first `len` of these bytes. No branch depends on the length.
    #[inline]
    pub fn front_of(bytes: &[u8; 16], len: usize) -> Option<ShortName> {
        let kept = KEPT.get(len).filter(|_| len > 0)?;
        let (halves, _) = bytes.as_chunks::<8>();
        let word = |at: usize| u64::from_le_bytes(halves[at]) & kept[at];
        Some(ShortName { words: [word(0), word(1)], len: len as u32 })
    }

    #[inline]
    pub fn words(&self) -> [u64; 2] {
        self.words
    }

    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    #[inline]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether `byte`, not zero, is one of its bytes: what is zero after the XOR borrows from its top bit.
    #[inline]
    pub fn contains(&self, byte: u8) -> bool {
        const ONES: u64 = u64::MAX / 255;
        let borrows = |word: u64| {
            let zero_there = word ^ (ONES * u64::from(byte));
            zero_there.wrapping_sub(ONES) & !zero_there
        };
        (borrows(self.words[0]) | borrows(self.words[1])) & (ONES << 7) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::map::FastSet;

    #[test]
    fn no_two_names_are_the_same() {
        // Every name of up to six of three letters, and long ones that differ in one byte.
        let mut names: Vec<Vec<u8>> = vec![vec![]];
        let mut at = 0;
        while names[at].len() < 6 {
            for letter in *b"a\0\xff" {
                names.push([&names[at][..], &[letter]].concat());
            }
            at += 1;
        }
        for len in 7..=16 {
            names.push(vec![b'a'; len]);
            for at in 0..len {
                let mut name = vec![b'a'; len];
                name[at] = 0;
                names.push(name);
            }
        }
        let short = |name: &Vec<u8>| ShortName::of(name).map(|name| (name.words, name.len));
        let seen: FastSet<_> = names.iter().filter_map(short).collect();
        assert_eq!(seen.len(), names.len() - 1, "all but the empty name");
        assert_eq!(ShortName::of(&[b'a'; 17]), None);
    }

    #[test]
    fn what_follows_a_name_is_no_part_of_it() {
        let text = b"measurement,tag=";
        for len in 1..=16 {
            assert_eq!(ShortName::front_of(text, len), ShortName::of(&text[..len]));
        }
        assert_eq!((ShortName::front_of(text, 0), ShortName::front_of(text, 17)), (None, None));
    }

    #[test]
    fn a_byte_is_found_wherever_it_stands() {
        for (len, other) in (1..=16).zip([b'a', b']', b'[', 0xDC, 0, 0xFF].into_iter().cycle()) {
            let mut name = vec![other; len];
            assert!(!ShortName::of(&name).unwrap().contains(b'\\'), "{len} of {other}");
            for at in 0..len {
                name[at] = b'\\';
                assert!(ShortName::of(&name).unwrap().contains(b'\\'), "{len} of {other}, {at}");
                name[at] = other;
            }
        }
    }
}
