//! The skeleton of lines as bitmaps: which of 64 bytes are what, and whether what they make is valid.
//!
//! A valid line with a timestamp alternates: a comma or a blank, then `=` or (at the end) LF. So the parity of
//! all of these together checks the whole skeleton. The parity of the blanks is the zone of the fields. A
//! number is followed from its first byte to its end by an addition, whose carry runs through the digits.
//!
//! Everything here may refuse a good line (then nom is asked), and may never pass a bad one. An error bit
//! stands in the line that it is about, at its LF at the latest. What a block leaves for the next one is in `Carry`.

use super::escapes::{self, Escapes};

/// Bytes that are looked at together, a bit for each in a word.
pub(super) const BLOCK: usize = 64;

/// For each kind of byte where it stands in a block; bit 0 is the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bitmaps {
    pub line_feeds: u64,
    pub commas: u64,
    pub blanks: u64,
    pub equals: u64,
    pub digits: u64,
    pub points: u64,
    pub minuses: u64,
    /// The letter i.
    pub integers: u64,
    /// Quotes, backslashes, and `others`.
    pub special: u64,
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
    fn bitmaps(self, block: &[u8; BLOCK]) -> Bitmaps;
    fn specials(self, block: &[u8; BLOCK]) -> Specials;
    /// Bit i is the parity of the bits 0 to i.
    fn parity(self, bits: u64) -> u64;
}

/// What the bytes before a block mean for it: bitmaps of the block before whose last bit counts, parities as all
/// bits, sums that ran over as 1.
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
        Carry { structure: 1 << 63, ..Carry::default() }
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
    let mut map = classifier.bitmaps(bytes);
    let mut escapes = Escapes::default();
    if (map.special | carry.escapes.is_set) != 0 {
        let specials = classifier.specials(bytes);
        (map, escapes, carry.escapes) = escapes::hide(classifier, specials, map, carry.escapes);
    }
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

    let zones = Zones { fields, closing, first: first & !escapes.opening, ended: escapes.ended };
    errors |= numbers(&map, &zones, carry, refused);
    errors |= long_runs(map.digits & fields, &mut carry.digits_before);
    Marks { marks: (map.commas & !fields) | map.blanks | map.line_feeds, errors }
}

/// Where values and timestamps are.
struct Zones {
    fields: u64,
    /// The blank after the fields.
    closing: u64,
    /// The first bytes of values that are no strings, and of timestamps.
    first: u64,
    /// The bytes after strings.
    ended: u64,
}

/// Checks numbers and timestamps from their first byte to what follows them.
#[inline(always)]
fn numbers(map: &Bitmaps, zones: &Zones, carry: &mut Carry, refused: impl Fn(u64) -> u64) -> u64 {
    let fields = zones.fields;
    let minuses = zones.first & map.minuses & fields;
    let begins = zones.first ^ minuses;
    let after_minuses = shifted(minuses, &mut carry.minus);
    let mut first = begins | after_minuses;
    let odd = first & !map.digits;
    let mut errors = 0;
    if odd != 0 {
        first ^= odd;
        errors = (odd & (after_minuses | !fields)) | refused(odd & begins & fields);
    }
    let ends = run_ends(first, map.digits, &mut carry.digits);
    let integers = ends & map.integers & fields;
    let points = ends & map.points & fields;
    let plain = ends ^ integers ^ points;
    let fractions = shifted(points, &mut carry.point);
    let after_points = run_ends(fractions, map.digits, &mut carry.fraction);
    let after_integers = shifted(integers, &mut carry.integer);

    let good_ends = (map.commas & fields) | zones.closing;
    // A timestamp ends at each LF, and nothing else does: in the zone of the fields LF is an error already.
    errors |= map.line_feeds & !plain;
    errors |= (after_points | after_integers | zones.ended) & !good_ends;
    errors | (plain & !(good_ends | map.line_feeds))
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

/// `bits` one byte later; `before` are the bits of the block before.
#[inline(always)]
pub(super) fn shifted(bits: u64, before: &mut u64) -> u64 {
    let shifted = (bits << 1) | (*before >> 63);
    *before = bits;
    shifted
}

/// All bits as the last one.
#[inline(always)]
pub(super) fn spread(bits: u64) -> u64 {
    ((bits as i64) >> 63) as u64
}
