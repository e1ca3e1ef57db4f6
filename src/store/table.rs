//! A hash table of numbers whose keys live elsewhere: eight bytes a place, so that a million series cost little.

const EMPTY: u64 = u64::MAX;

/// Maps hashes to numbers below `u32::MAX`; who asks compares the keys.
#[derive(Debug, Default)]
pub struct Table {
    /// The upper half of a hash, then a number. As many as a power of two, or none.
    places: Vec<u64>,
    count: usize,
}

impl Table {
    /// The number among those of this hash that `is` wanted.
    #[inline]
    pub fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.places.is_empty() {
            return None;
        }
        let mask = self.places.len() - 1;
        let mut at = (hash >> 32) as usize & mask;
        loop {
            let place = self.places[at];
            if place == EMPTY {
                return None;
            }
            if place >> 32 == hash >> 32 && is(place as u32) {
                return Some(place as u32);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds what [`Table::find`] has not found.
    pub fn insert(&mut self, hash: u64, number: u32) {
        assert!(number < u32::MAX, "the largest number means an empty place");
        if 4 * (self.count + 1) > 3 * self.places.len() {
            self.grow();
        }
        self.put((hash >> 32 << 32) | u64::from(number));
        self.count += 1;
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Memory in use.
    pub fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<u64>()
    }

    fn put(&mut self, entry: u64) {
        let mask = self.places.len() - 1;
        let mut at = (entry >> 32) as usize & mask;
        while self.places[at] != EMPTY {
            at = (at + 1) & mask;
        }
        self.places[at] = entry;
    }

    fn grow(&mut self) {
        let len = (2 * self.places.len()).max(8);
        let old = std::mem::replace(&mut self.places, vec![EMPTY; len]);
        for entry in old.into_iter().filter(|entry| *entry != EMPTY) {
            self.put(entry);
        }
    }

    /// Takes the number out, if it is there. What stands behind it moves up, so that no gap hides it.
    pub fn remove(&mut self, hash: u64, number: u32) {
        if self.places.is_empty() {
            return;
        }
        let mask = self.places.len() - 1;
        let entry = (hash >> 32 << 32) | u64::from(number);
        let mut gap = (hash >> 32) as usize & mask;
        while self.places[gap] != entry {
            if self.places[gap] == EMPTY {
                return;
            }
            gap = (gap + 1) & mask;
        }
        self.count -= 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let place = self.places[at];
            if place == EMPTY {
                break;
            }
            let home = (place >> 32) as usize & mask;
            // It may move into the gap unless its home lies behind that.
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(gap) & mask) {
                self.places[gap] = place;
                gap = at;
            }
        }
        self.places[gap] = EMPTY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Hashes are made to collide.
        #[test]
        fn a_table_holds_what_a_map_holds(steps in prop::collection::vec((0_u32..60, any::<bool>()), 0..300)) {
            let hash = |key: u32| u64::from(key % 7) << 32;
            let mut table = Table::default();
            let mut map = BTreeMap::new();
            for (key, add) in steps {
                let known = table.find(hash(key), |number| number == key);
                prop_assert_eq!(known, map.get(&key).copied());
                if add && known.is_none() {
                    table.insert(hash(key), key);
                    map.insert(key, key);
                }
                if !add {
                    table.remove(hash(key), key);
                    map.remove(&key);
                }
                prop_assert_eq!(table.len(), map.len());
            }
            for key in 0..60 {
                prop_assert_eq!(table.find(hash(key), |number| number == key), map.get(&key).copied());
            }
        }
    }
}
