//! Blocks with quotes and backslashes: what they hide is taken out of the bitmaps.
//!
//! In names a backslash hides the byte after it; in strings, and to the servers everywhere, backslashes
//! are taken in pairs. Where the two differ about a byte that matters, nom is asked. So what is passed here ends
//! at the same place for everybody.

use super::bits::{Classifier, Specials, Structure, shifted, spread};

/// What the bytes before a block hide in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carry {
    backslash: u64,
    hidden: u64,
    in_string: u64,
    closing: u64,
    /// Not 0 if any of these matters to the next block.
    pub is_set: u64,
}

/// What is left to check when the zones are known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Escapes {
    /// Quotes that open a string: they must begin a value.
    pub opening: u64,
    /// The bytes after strings.
    pub ended: u64,
    pub in_string: u64,
    /// Backslashes outside strings: they must stand before the fields.
    pub backslashes: u64,
    pub errors: u64,
}

/// Takes all that is hidden out of `map`. By value: what is lent to a function does not stay in registers.
#[inline(never)]
pub(super) fn hide<C: Classifier>(
    classifier: C,
    specials: Specials,
    mut map: Structure,
    mut carry: Carry,
) -> (Structure, Escapes, Carry) {
    let after_backslash = shifted(specials.backslashes, &mut carry.backslash);
    let hidden = hidden_by_pairs(specials.backslashes, &mut carry.hidden);
    let quotes = specials.quotes & !hidden;
    let in_string = classifier.parity(quotes) ^ carry.in_string;
    carry.in_string = spread(in_string);
    let closing = quotes & !in_string;

    let structure = map.commas | map.blanks | map.equals | map.line_feeds;
    let mut errors = (after_backslash ^ hidden) & structure & !in_string;
    errors |= after_backslash & map.line_feeds;
    errors |= specials.others & !in_string;
    let seen = !(in_string | hidden);
    map.commas &= seen;
    map.blanks &= seen;
    map.equals &= seen;
    map.line_feeds &= seen;
    let escapes = Escapes {
        opening: quotes & in_string,
        ended: shifted(closing, &mut carry.closing),
        in_string,
        backslashes: specials.backslashes & !in_string,
        errors,
    };
    carry.is_set = carry.backslash | carry.closing | carry.hidden | (carry.in_string & 1);
    (map, escapes, carry)
}

/// The bytes after an odd number of backslashes. An addition carries each run that starts at an odd place to
/// its end.
fn hidden_by_pairs(backslashes: u64, carry: &mut u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let backslashes = backslashes & !*carry;
    let follows = (backslashes << 1) | *carry;
    let odd_starts = backslashes & !EVEN & !follows;
    let (even_runs, over) = odd_starts.overflowing_add(backslashes);
    *carry = u64::from(over);
    (EVEN ^ (even_runs << 1)) & follows
}
