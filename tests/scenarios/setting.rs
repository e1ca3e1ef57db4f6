//! Sizes and seeds that the environment may change.

/// A whole number from the environment, or the one for every day.
pub fn number(variable: &str, usual: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => usual,
    }
}

/// The seed of this run: `SEED`, or another one each time. It is printed with the way to repeat it.
pub fn seed(test: &str) -> u64 {
    let mut fresh = [0; 4];
    getrandom::fill(&mut fresh).expect("Linux gives random bytes");
    let seed = number("SEED", u64::from(u32::from_le_bytes(fresh)));
    println!("SEED={seed} cargo test --test scenarios -- {test}");
    seed
}

/// Small and repeatable: xorshift, 64 bits.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        (0..8).for_each(|_| {
            random.next();
        });
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Below `limit`, which is above 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from((self.next() >> 16) % limit as u64).expect("below a usize")
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
