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

/// What the bytes before a block mean for it. Flags are bit 0, parities are all bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carry {
    structure: u64,
    structure_parity: u64,
    blank_parity: u64,
    equals: u64,
    minus: u64,
    time: u64,
    digits: bool,
    point: u64,
    fraction: bool,
    integer: u64,
    digits_before: u32,
    escapes: escapes::Carry,
}

impl Carry {
    /// Before the first byte of a line: nothing, as if an LF stood there.
    pub fn line_start() -> Carry {
        Carry {
            structure: 1,
            structure_parity: 0,
            blank_parity: 0,
            equals: 0,
            minus: 0,
            time: 0,
            digits: false,
            point: 0,
            fraction: false,
            integer: 0,
            digits_before: 0,
            escapes: escapes::Carry::default(),
        }
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

/// Values that start with neither a digit nor a minus nor a quote; gives those that are wrong.
pub(super) trait Booleans {
    fn refused(&self, starts: u64) -> u64;
}

/// Looks at the next block.
#[inline(always)]
pub(super) fn block<C: Classifier>(
    classifier: C,
    bytes: &[u8; BLOCK],
    booleans: impl Booleans,
    carry: &mut Carry,
) -> Marks {
    let mut map = classifier.bitmaps(bytes);
    let mut escapes = Escapes::default();
    if map.special != 0 || carry.escapes.is_set() {
        let specials = classifier.specials(bytes);
        escapes = escapes::hide(classifier, &specials, &mut map, &mut carry.escapes);
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
    let values = shifted(map.equals, &mut carry.equals) & fields;
    errors |= escapes.opening & !values;

    errors |=
        numbers(&map, fields, closing, values & !escapes.opening, escapes.ended, booleans, carry);
    errors |= long_runs(map.digits & fields, &mut carry.digits_before);
    Marks { marks: (map.commas & !fields) | map.blanks | map.line_feeds, errors }
}

/// Checks numbers and timestamps from their first byte to what follows them.
#[inline(always)]
fn numbers(
    map: &Bitmaps,
    fields: u64,
    closing: u64,
    values: u64,
    ended: u64,
    booleans: impl Booleans,
    carry: &mut Carry,
) -> u64 {
    let minuses = values & map.minuses;
    let unsigned = values ^ minuses;
    let mut first = unsigned | shifted(minuses, &mut carry.minus);
    let mut errors = 0;
    let odd = unsigned & !map.digits;
    if odd != 0 {
        errors |= booleans.refused(odd);
        first ^= odd;
    }
    first |= shifted(closing, &mut carry.time);
    errors |= first & !map.digits;

    let ends = run_ends(first, map.digits, &mut carry.digits);
    let integers = ends & map.integers & fields;
    let points = ends & map.points & fields;
    let plain = ends ^ integers ^ points;
    let fractions = shifted(points, &mut carry.point);
    let after_points = run_ends(fractions, map.digits, &mut carry.fraction);
    let after_integers = shifted(integers, &mut carry.integer);

    let good_ends = (map.commas & fields) | closing;
    // A timestamp ends at each LF, and nothing else does: in the zone of the fields LF is an error already.
    errors |= map.line_feeds & !plain;
    errors |= (after_points | after_integers | ended) & !good_ends;
    errors | (plain & !(good_ends | map.line_feeds))
}

/// Where the runs of `digits` end that begin at `first`; there, if it is no digit.
#[inline(always)]
fn run_ends(first: u64, digits: u64, carry: &mut bool) -> u64 {
    let (sum, over) = first.carrying_add(digits, *carry);
    *carry = over;
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

/// `bits` one byte later.
#[inline(always)]
pub(super) fn shifted(bits: u64, carry: &mut u64) -> u64 {
    let shifted = (bits << 1) | *carry;
    *carry = bits >> 63;
    shifted
}

/// All bits as the last one.
#[inline(always)]
pub(super) fn spread(bits: u64) -> u64 {
    ((bits as i64) >> 63) as u64
}
