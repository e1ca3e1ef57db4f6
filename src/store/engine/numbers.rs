//! A set of small numbers: which series a window has points of.

#[derive(Clone, Debug, Default)]
pub struct Numbers {
    words: Vec<u64>,
}

impl Numbers {
    pub fn insert(&mut self, number: u32) {
        let word = number as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (number % 64);
    }

    pub fn remove(&mut self, number: u32) {
        if let Some(word) = self.words.get_mut(number as usize / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    #[inline]
    pub fn contains(&self, number: u32) -> bool {
        let word = self.words.get(number as usize / 64);
        word.is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let bits = |(at, word): (usize, &u64)| {
            let (at, word) = (at as u32, *word);
            (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| at * 64 + bit)
        };
        self.words.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_gives_back_what_is_in_it() {
        let mut numbers = Numbers::default();
        for number in [200, 0, 63, 64, 7] {
            numbers.insert(number);
        }
        numbers.remove(7);
        numbers.remove(100_000);
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [0, 63, 64, 200]);
        assert!(numbers.contains(64) && !numbers.contains(7) && !numbers.contains(100_000));
    }
}
