//! Simple-8b: as many small numbers as fit into one word of 64 bits, the number of bits in its top four.

use super::Malformed;

/// The largest number that can be packed.
pub(super) const MAX: u64 = (1 << 60) - 1;

/// Numbers in a word, and the bits of each, by selector. The first two are runs of the number 1.
const KINDS: [(usize, u32); 16] = [
    (240, 0),
    (120, 0),
    (60, 1),
    (30, 2),
    (20, 3),
    (15, 4),
    (12, 5),
    (10, 6),
    (8, 7),
    (7, 8),
    (6, 10),
    (5, 12),
    (4, 15),
    (3, 20),
    (2, 30),
    (1, 60),
];

static ONES: [u64; 240] = [1; 240];

/// Hands the numbers of each word to `take`, word after word. `bytes` that are no whole words are refused, and so are
/// more than `numbers_max` numbers.
#[inline]
pub(super) fn read(
    bytes: &[u8],
    numbers_max: usize,
    mut take: impl FnMut(&[u64]),
) -> Result<(), Malformed> {
    let (words, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Malformed("packed numbers end within a word"));
    }
    let mut room = numbers_max;
    for word in words {
        let word = u64::from_be_bytes(*word);
        let selector = usize::try_from(word >> 60).expect("four bits");
        let (count, _) = KINDS[selector];
        room = room.checked_sub(count).ok_or(Malformed("more packed numbers than points"))?;
        match selector {
            0 => take(&ONES),
            1 => take(&ONES[..120]),
            2 => take(&unpack::<60, 1>(word)),
            3 => take(&unpack::<30, 2>(word)),
            4 => take(&unpack::<20, 3>(word)),
            5 => take(&unpack::<15, 4>(word)),
            6 => take(&unpack::<12, 5>(word)),
            7 => take(&unpack::<10, 6>(word)),
            8 => take(&unpack::<8, 7>(word)),
            9 => take(&unpack::<7, 8>(word)),
            10 => take(&unpack::<6, 10>(word)),
            11 => take(&unpack::<5, 12>(word)),
            12 => take(&unpack::<4, 15>(word)),
            13 => take(&unpack::<3, 20>(word)),
            14 => take(&unpack::<2, 30>(word)),
            _ => take(&unpack::<1, 60>(word)),
        }
    }
    Ok(())
}

/// How many numbers whole words hold.
pub(super) fn count(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| KINDS[usize::from(word[0] >> 4)].0).sum()
}

#[inline(always)]
fn unpack<const COUNT: usize, const BITS: u32>(word: u64) -> [u64; COUNT] {
    let mask = (1 << BITS) - 1;
    let mut numbers = [0; COUNT];
    let mut shift = 0;
    for number in &mut numbers {
        *number = (word >> shift) & mask;
        shift += BITS;
    }
    numbers
}

/// How far the encoder looks for a run of ones. The two of InfluxDB differ, and so do their bytes.
#[derive(Clone, Copy)]
pub(super) enum Sight {
    /// That of timestamps sees the next 240 numbers.
    Window,
    /// That of integers sees all that are left.
    All,
}

/// Packs `numbers`, none of which is above [`MAX`].
pub(super) fn write(mut numbers: &[u64], sight: Sight, out: &mut Vec<u8>) {
    // Whether all that are left are ones is asked for every word, and counted once.
    let ones_from = numbers.iter().rposition(|number| *number != 1).map_or(0, |last| last + 1);
    let all = numbers.len();
    while !numbers.is_empty() {
        let run = match sight {
            Sight::All if all - numbers.len() >= ones_from => numbers.len(),
            Sight::All => 0,
            Sight::Window => {
                let seen = &numbers[..numbers.len().min(240)];
                if seen.len() >= 120 && seen.iter().all(|number| *number == 1) {
                    seen.len()
                } else {
                    0
                }
            }
        };
        let (selector, count) = match run {
            240.. => (0, 240),
            120..240 => (1, 120),
            _ => widest(numbers),
        };
        let word = if selector < 2 { 0 } else { pack(&numbers[..count], KINDS[selector].1) };
        out.extend_from_slice(&(word | (selector as u64) << 60).to_be_bytes());
        numbers = &numbers[count..];
    }
}

/// The selector that takes the most numbers. What `count` numbers need, fewer need too, so the first that
/// does not fit ends the search.
fn widest(numbers: &[u64]) -> (usize, usize) {
    let mut best = (15, 1);
    let mut seen = 0;
    let mut union = 0;
    for (selector, (count, bits)) in KINDS.iter().enumerate().skip(2).rev() {
        if *count > numbers.len() {
            break;
        }
        union |= numbers[seen..*count].iter().fold(0, |union, number| union | number);
        if u64::BITS - u64::leading_zeros(union) > *bits {
            break;
        }
        seen = *count;
        best = (selector, *count);
    }
    best
}

fn pack(numbers: &[u64], bits: u32) -> u64 {
    let numbers = numbers.iter().zip((0..60).step_by(bits as usize));
    numbers.fold(0, |word, (number, shift)| word | number << shift)
}
