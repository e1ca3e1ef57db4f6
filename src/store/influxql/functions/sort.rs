//! Sorting as Go 1.19 does it. It is not stable, and which of several equal values comes first shows in answers, by
//! their times.
//!
//! Patterns are looked for and used: short parts by insertion, others around a pivot that is guessed from a few
//! values, and after too many bad guesses by a heap.

/// Sorts by what comes before what.
pub fn sort<T>(items: &mut [T], before: impl Fn(&T, &T) -> bool) {
    let guesses = usize::BITS - items.len().leading_zeros();
    let length = items.len();
    Sorting { items, before }.part(0, length, guesses);
}

const INSERTION_MAX: usize = 12;
const SHORT: usize = 50;

struct Sorting<'i, T, F> {
    items: &'i mut [T],
    before: F,
}

#[derive(Clone, Copy, PartialEq)]
enum Hint {
    Unknown,
    Rising,
    Falling,
}

impl<T, F: Fn(&T, &T) -> bool> Sorting<'_, T, F> {
    fn less(&self, a: usize, b: usize) -> bool {
        (self.before)(&self.items[a], &self.items[b])
    }

    fn part(&mut self, mut a: usize, mut b: usize, mut guesses: u32) {
        let (mut was_balanced, mut was_partitioned) = (true, true);
        loop {
            let length = b - a;
            if length <= INSERTION_MAX {
                return self.insert(a, b);
            }
            if guesses == 0 {
                return self.heap(a, b);
            }
            if !was_balanced {
                self.shuffle(a, b);
                guesses -= 1;
            }
            let (mut pivot, mut hint) = self.pivot(a, b);
            if hint == Hint::Falling {
                self.items[a..b].reverse();
                pivot = (b - 1) - (pivot - a);
                hint = Hint::Rising;
            }
            if was_balanced && was_partitioned && hint == Hint::Rising && self.nearly(a, b) {
                return;
            }
            if a > 0 && !self.less(a - 1, pivot) {
                a = self.equals(a, b, pivot);
                continue;
            }
            let (middle, was_done) = self.partition(a, b, pivot);
            was_partitioned = was_done;
            let (left, right) = (middle - a, b - middle);
            was_balanced = left.min(right) >= length / 8;
            if left < right {
                self.part(a, middle, guesses);
                a = middle + 1;
            } else {
                self.part(middle + 1, b, guesses);
                b = middle;
            }
        }
    }

    fn insert(&mut self, a: usize, b: usize) {
        for i in a + 1..b {
            let mut j = i;
            while j > a && self.less(j, j - 1) {
                self.items.swap(j, j - 1);
                j -= 1;
            }
        }
    }

    fn heap(&mut self, a: usize, b: usize) {
        let size = b - a;
        for at in (0..=(size - 1) / 2).rev() {
            self.sink(at, size, a);
        }
        for at in (0..size).rev() {
            self.items.swap(a, a + at);
            self.sink(0, at, a);
        }
    }

    fn sink(&mut self, mut root: usize, size: usize, first: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= size {
                return;
            }
            if child + 1 < size && self.less(first + child, first + child + 1) {
                child += 1;
            }
            if !self.less(first + root, first + child) {
                return;
            }
            self.items.swap(first + root, first + child);
            root = child;
        }
    }

    /// Moves three values elsewhere, as if by chance.
    fn shuffle(&mut self, a: usize, b: usize) {
        let length = b - a;
        if length < 8 {
            return;
        }
        let mut random = length as u64;
        let mask = (1_u64 << (u64::BITS - random.leading_zeros())) - 1;
        let at = a + (length / 4) * 2 - 1;
        for i in 0..3 {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            let mut other = (random & mask) as usize;
            if other >= length {
                other -= length;
            }
            self.items.swap(at - 1 + i, a + other);
        }
    }

    fn pivot(&self, a: usize, b: usize) -> (usize, Hint) {
        let length = b - a;
        let mut swaps = 0;
        let (mut i, mut j, mut k) = (a + length / 4, a + length / 4 * 2, a + length / 4 * 3);
        if length >= 8 {
            if length >= SHORT {
                i = self.median(i - 1, i, i + 1, &mut swaps);
                j = self.median(j - 1, j, j + 1, &mut swaps);
                k = self.median(k - 1, k, k + 1, &mut swaps);
            }
            j = self.median(i, j, k, &mut swaps);
        }
        let hint = match swaps {
            0 => Hint::Rising,
            12 => Hint::Falling,
            _ => Hint::Unknown,
        };
        (j, hint)
    }

    fn median(&self, a: usize, b: usize, c: usize, swaps: &mut u32) -> usize {
        let mut order = |a: usize, b: usize| {
            if self.less(b, a) {
                *swaps += 1;
                return (b, a);
            }
            (a, b)
        };
        let (a, b) = order(a, b);
        let (b, _) = order(b, c);
        order(a, b).1
    }

    /// Whether a few steps were enough.
    fn nearly(&mut self, a: usize, b: usize) -> bool {
        let mut i = a + 1;
        for _ in 0..5 {
            while i < b && !self.less(i, i - 1) {
                i += 1;
            }
            if i == b {
                return true;
            }
            if b - a < SHORT {
                return false;
            }
            self.items.swap(i, i - 1);
            if i - a >= 2 {
                let mut j = i - 1;
                while j >= 1 && self.less(j, j - 1) {
                    self.items.swap(j, j - 1);
                    j -= 1;
                }
            }
            if b - i >= 2 {
                let mut j = i + 1;
                while j < b && self.less(j, j - 1) {
                    self.items.swap(j, j - 1);
                    j += 1;
                }
            }
        }
        false
    }

    /// What equals the pivot comes to the left. Where the rest begins.
    fn equals(&mut self, a: usize, b: usize, pivot: usize) -> usize {
        self.items.swap(a, pivot);
        let (mut i, mut j) = (a + 1, b - 1);
        loop {
            while i <= j && !self.less(a, i) {
                i += 1;
            }
            while i <= j && self.less(a, j) {
                j -= 1;
            }
            if i > j {
                return i;
            }
            self.items.swap(i, j);
            (i, j) = (i + 1, j - 1);
        }
    }

    /// Where the pivot is then, and whether nothing had to be moved.
    fn partition(&mut self, a: usize, b: usize, pivot: usize) -> (usize, bool) {
        self.items.swap(a, pivot);
        let (mut i, mut j) = (a + 1, b - 1);
        let mut was_done = true;
        loop {
            while i <= j && self.less(i, a) {
                i += 1;
            }
            while i <= j && !self.less(j, a) {
                j -= 1;
            }
            if i > j {
                self.items.swap(j, a);
                return (j, was_done);
            }
            self.items.swap(i, j);
            (i, j, was_done) = (i + 1, j - 1, false);
        }
    }
}
