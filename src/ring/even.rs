//! The `even` placement: the backend with the highest score owns the key.
//!
//! A backend's score for a key is SipHash-2-4 of the key under the 128-bit key (seed, 0), where the seed is
//! SipHash-2-4 of the backend's own string under the key (0, 0). The highest score wins; of two equal
//! ones the earlier backend. So every backend gets the same share, and a backend that comes takes its share
//! evenly from all others and moves nothing else.
//!
//! Source of the hash: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).

/// One circle's backends, by their seeds.
#[derive(Clone, Debug)]
pub struct Even {
    seeds: Vec<u64>,
}

impl Even {
    /// These strings stand for nodes 0, 1, and so on.
    pub fn new(nodes: &[Box<str>]) -> Even {
        Even { seeds: nodes.iter().map(|text| siphash24(0, 0, text.as_bytes())).collect() }
    }

    /// The node with the highest score.
    pub fn owner(&self, key: &[u8]) -> u16 {
        let mut best_node = 0;
        let mut best_score = 0;
        for (node, &seed) in (0..).zip(&self.seeds) {
            let score = siphash24(seed, 0, key);
            if score > best_score {
                (best_node, best_score) = (node, score);
            }
        }
        best_node
    }
}

/// SipHash with two rounds for each 8 bytes and four at the end.
pub fn siphash24(key_low: u64, key_high: u64, bytes: &[u8]) -> u64 {
    let mut state = State([
        key_low ^ 0x736f_6d65_7073_6575,
        key_high ^ 0x646f_7261_6e64_6f6d,
        key_low ^ 0x6c79_6765_6e65_7261,
        key_high ^ 0x7465_6462_7974_6573,
    ]);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        state.take(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..tail.len()].copy_from_slice(tail);
    // The last word carries the length, modulo 256, in its highest byte.
    last[7] = bytes.len().to_le_bytes()[0];
    state.take(u64::from_le_bytes(last));
    state.0[2] ^= 0xff;
    for _ in 0..4 {
        state.round();
    }
    state.0[0] ^ state.0[1] ^ state.0[2] ^ state.0[3]
}

struct State([u64; 4]);

impl State {
    fn take(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.0 = [a, b, c, d];
    }
}
