//! How much a bench does whose instructions are counted.

/// How often the work is to be done: the first number on the command line. `scripts/callgrind` takes the
/// difference of two numbers, so that what happens once does not count.
pub fn rounds() -> usize {
    std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1)
}
