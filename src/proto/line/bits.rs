//! The skeleton of lines as bitmaps: which of 64 bytes are what, and whether what they make is valid.
//!
//! A valid line with a timestamp alternates: a comma or a blank, then `=` or (at the end) LF. So the parity of
//! all of these together checks the whole skeleton. The parity of the blanks is the zone of the fields. A
//! number is followed from its first byte to its end by an addition, whose carry runs through the digits.
//!
//! Everything here may refuse a good line (then nom is asked), and may never pass a bad one. An error bit
//! stands in the line that it is about, at its LF at the latest. What a block leaves for the next one is in `Carry`.

use super::escapes::{self, Escapes};
use super::stamp;
use super::walk::{self, MARKS};

/// Bytes that are looked at together, a bit for each in a word.
pub(super) const BLOCK: usize = 64;

/// Where the bytes that hold a line together stand in a block; bit 0 is the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Structure {
    pub line_feeds: u64,
    pub commas: u64,
    pub blanks: u64,
    pub equals: u64,
    /// Any of `Specials`.
    pub special: u64,
}

/// The bytes of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub digits: u64,
    pub points: u64,
    /// The letter i.
    pub integers: u64,
}

/// The special bytes of a block, one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Specials {
    pub quotes: u64,
    pub backslashes: u64,
    /// Control characters but LF, and all that is not ASCII.
    pub others: u64,
}

/// What classifies: the processor's vectors, or plain words.
pub(super) trait Classifier: Copy {
    fn structure(self, block: &[u8; BLOCK]) -> Structure;
    fn numbers(self, block: &[u8; BLOCK]) -> Numbers;
    fn minuses(self, block: &[u8; BLOCK]) -> u64;
    fn specials(self, block: &[u8; BLOCK]) -> Specials;
    /// Bit i is the parity of the bits 0 to i.
    fn parity(self, bits: u64) -> u64;
    /// `stamp::sixteen`, for those who have something better.
    #[inline(always)]
    fn sixteen(self, bytes: &[u8; 16], digits: usize) -> u64 {
        stamp::sixteen(bytes, digits)
    }
    /// `walk::list`, for those who have something better.
    #[inline(always)]
    fn list(self, places: &mut [u16; MARKS], count: usize, base: usize, bits: u64) -> usize {
        walk::list(places, count, base, bits)
    }
}

/// What the bytes before a block mean for it: 1 where the last bit of the block before counts or a sum ran over,
/// parities as all bits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carry {
    structure: u64,
    structure_parity: u64,
    blank_parity: u64,
    before_values: u64,
    minus: u64,
    digits: u64,
    point: u64,
    fraction: u64,
    integer: u64,
    digits_before: u32,
    escapes: escapes::Carry,
}

impl Carry {
    /// Before the first byte of a line: nothing, as if an LF stood there.
    pub fn line_start() -> Carry {
        Carry { structure: 1, ..Carry::default() }
    }

    /// Not 0 if a number goes on from the block before, or must begin or end first here.
    #[inline(always)]
    fn of_numbers(&self) -> u64 {
        self.minus | self.digits | self.point | self.fraction | self.integer
    }
}

/// What a block says about its lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// The commas of tags, both blanks and the LF of each line.
    pub marks: u64,
    /// Where something is wrong, or not known here.
    pub errors: u64,
}

/// Looks at the next block. `refused` is asked about values that start with neither a digit nor a minus nor a
/// quote, and gives those that are wrong.
#[inline(always)]
pub(super) fn block<C: Classifier>(
    classifier: C,
    bytes: &[u8; BLOCK],
    carry: &mut Carry,
    refused: impl Fn(u64) -> u64,
) -> Marks {
    let map = classifier.structure(bytes);
    if (map.special | carry.escapes.is_set) == 0 {
        return rules(classifier, bytes, map, Escapes::default(), carry, refused);
    }
    let specials = classifier.specials(bytes);
    let (map, escapes, after) = escapes::hide(classifier, specials, map, carry.escapes);
    carry.escapes = after;
    rules(classifier, bytes, map, escapes, carry, refused)
}

/// Looks at a block of which it is known what escapes hide: nothing, most often, and then nothing of `escapes` is
/// left after the compiler has put this into `block` twice.
#[inline(always)]
fn rules<C: Classifier>(
    classifier: C,
    bytes: &[u8; BLOCK],
    map: Structure,
    escapes: Escapes,
    carry: &mut Carry,
    refused: impl Fn(u64) -> u64,
) -> Marks {
    let separators = map.commas | map.blanks;
    let structure = separators | map.equals | map.line_feeds;
    let mut errors = escapes.errors | (structure & shifted(structure, &mut carry.structure));
    let parity = classifier.parity(structure) ^ carry.structure_parity;
    carry.structure_parity = spread(parity);
    errors |= (parity ^ separators) & structure;

    // From the blank before the fields up to, and without, the blank after them.
    let fields = classifier.parity(map.blanks) ^ carry.blank_parity;
    carry.blank_parity = spread(fields);
    errors |= (map.line_feeds | escapes.backslashes) & fields;
    let closing = map.blanks & !fields;
    let first = shifted((map.equals & fields) | closing, &mut carry.before_values);
    errors |= escapes.opening & !(first & fields);

    let zones = Zones {
        good_ends: (map.commas & fields) | closing,
        line_feeds: map.line_feeds,
        fields,
        first: first & !escapes.opening,
    };
    errors |= escapes.ended & !zones.good_ends;
    let marks = (map.commas & !fields) | map.blanks | map.line_feeds;
    if (zones.first | carry.of_numbers()) == 0 {
        // Tags alone, or the inside of a string: no number is here. An LF without a time is an error.
        carry.digits_before = 0;
        return Marks { marks, errors: errors | zones.line_feeds };
    }
    // Only now: more bitmaps at once than there are registers cost more than a second look at the bytes.
    let found = classifier.numbers(bytes);
    errors |= numbers(classifier, bytes, &found, &zones, carry, refused);
    let digits = found.digits & fields & !escapes.in_string;
    errors |= long_runs(digits, &mut carry.digits_before);
    Marks { marks, errors }
}

/// Where values and timestamps are.
struct Zones {
    fields: u64,
    /// What may follow a value.
    good_ends: u64,
    /// What follows a timestamp.
    line_feeds: u64,
    /// The first bytes of values that are no strings, and of timestamps.
    first: u64,
}

/// Checks numbers and timestamps from their first byte to what follows them.
#[inline(always)]
fn numbers<C: Classifier>(
    classifier: C,
    bytes: &[u8; BLOCK],
    map: &Numbers,
    zones: &Zones,
    carry: &mut Carry,
    refused: impl Fn(u64) -> u64,
) -> u64 {
    let fields = zones.fields;
    let (mut first, mut errors) = (zones.first, 0);
    let odd = first & !map.digits;
    if (odd | carry.minus) != 0 {
        let minuses = odd & fields & classifier.minuses(bytes);
        let after_minuses = shifted(minuses, &mut carry.minus);
        errors = (after_minuses & !map.digits) | (odd & !fields);
        errors |= refused(odd & fields & !minuses);
        first = (first ^ odd) | after_minuses;
    }
    let ends = run_ends(first, map.digits, &mut carry.digits);
    let integers = ends & map.integers & fields;
    let points = ends & map.points & fields;
    let plain = ends ^ integers ^ points;
    let fractions = shifted(points, &mut carry.point);
    let after_points = run_ends(fractions, map.digits, &mut carry.fraction);
    let after_integers = shifted(integers, &mut carry.integer);

    // A timestamp ends at each LF, and nothing else does: in the zone of the fields LF is an error already.
    errors |= zones.line_feeds & !plain;
    errors |= (after_points | after_integers) & !zones.good_ends;
    errors | (plain & !(zones.good_ends | zones.line_feeds))
}

/// Where the runs of `digits` end that begin at `first`; there, if it is no digit. A run that goes on from the
/// block before is as good as one that begins here.
#[inline(always)]
fn run_ends(first: u64, digits: u64, carry: &mut u64) -> u64 {
    let (sum, over) = (first | *carry).overflowing_add(digits);
    *carry = u64::from(over);
    sum & !digits
}

/// Digits whose number may be too long for the simple rules: 19 in a row.
#[inline(always)]
fn long_runs(digits: u64, before: &mut u32) -> u64 {
    let two = digits & (digits << 1);
    let four = two & (two << 2);
    let eight = four & (four << 4);
    let sixteen = eight & (eight << 8);
    let over_the_edge = *before + (!digits).trailing_zeros() > SAFE_DIGITS;
    *before = (!digits).leading_zeros();
    (sixteen & (four << 15)) | u64::from(over_the_edge)
}

/// Decimal digits that always fit into 64 bits.
const SAFE_DIGITS: u32 = 18;

/// `bits` one byte later; `before` is the last bit of the block before. (A shift of two words at once would be one
/// instruction, and six steps of it on many processors.)
#[inline(always)]
pub(super) fn shifted(bits: u64, before: &mut u64) -> u64 {
    let shifted = bits.wrapping_add(bits).wrapping_add(*before);
    *before = bits >> 63;
    shifted
}

/// All bits as the last one.
#[inline(always)]
pub(super) fn spread(bits: u64) -> u64 {
    ((bits as i64) >> 63) as u64
}
