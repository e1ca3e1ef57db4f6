//! From bitmaps to lines: walks a text in blocks, lists where its lines are marked, and reads each line's
//! time and tag keys at the marks.
//!
//! What was tried and was slower: to lend the bitmaps to `escapes::hide` instead of giving them by value (it kept
//! all of them in memory: a tenth more instructions); all nine bitmaps at once (they do not fit into the
//! registers); the carry of the digits by an addition with carry; one place for each measurement's tag keys
//! (two measurements that share it learn their keys at each line: a fifth of all instructions of 14 measurements);
//! to list the marks of a block before its numbers are checked (fewer instructions, and a tenth more time); four or
//! eight marks at once (a tenth more for short lines, a twentieth more for long ones); the part after a point only in
//! blocks that have one (no less, and more where every line has one).

use super::bits::{self, BLOCK, Carry, Classifier};
use super::grammar;
use super::keys::{Template, Templates};
use super::stamp;

/// Marks that are listed before lines are read; a block has at most `BLOCK`.
pub(super) const MARKS: usize = 640;

/// A line has at least three marks: two blanks and its LF.
pub(super) const LINES: usize = MARKS / 3 + 1;

/// Marks that are written at once.
const AT_ONCE: usize = 6;

/// Blocks in a row: a mark is a number of 16 bits.
const TEXT_BYTES_MAX: usize = 60 * 1024;

const BOOLEAN_BYTES_MAX: usize = 5;

/// A line that is surely valid. All are places in the text that was scanned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub start: u16,
    pub measurement_end: u16,
    pub head_end: u16,
    pub line_feed: u16,
    pub time_ns: i64,
}

/// The lines that a scan has found, one after the other from the beginning of its text.
#[derive(Debug)]
pub(super) struct Batch {
    pub lines: [Found; LINES],
    pub count: usize,
    /// The scan stopped because the text did, and not because of a line that nom must see.
    pub ran_out: bool,
}

impl Batch {
    pub const fn new() -> Batch {
        const NONE: Found =
            Found { start: 0, measurement_end: 0, head_end: 0, line_feed: 0, time_ns: 0 };
        Batch { lines: [NONE; LINES], count: 0, ran_out: false }
    }
}

/// Finds the first lines of `text`, as long as they are surely valid.
#[inline(always)]
pub(super) fn scan<C: Classifier>(
    classifier: C,
    text: &[u8],
    factor: i64,
    templates: &mut Templates,
    batch: &mut Batch,
) {
    let mut marks = Marks { places: [0; MARKS], count: 0 };
    batch.ran_out = mark(classifier, text, &mut marks);
    batch.count = 0;
    let (mut next, mut start) = (0, 0);
    while batch.count < LINES {
        match line(classifier, text, &marks, &mut next, start, factor, templates) {
            Ok(found) => {
                batch.lines[batch.count] = found;
                batch.count += 1;
                start = usize::from(found.line_feed) + 1;
            }
            Err(Stop::OutOfText) => {
                batch.ran_out = true;
                return;
            }
            Err(Stop::Ask) => {
                batch.ran_out = false;
                return;
            }
            Err(Stop::OutOfMarks) => return,
        }
    }
}

/// Why no further line is read.
enum Stop {
    /// All that was marked has been read.
    OutOfMarks,
    /// Too few bytes follow to look at this line in whole words.
    OutOfText,
    /// Nom must see this line.
    Ask,
}

/// Where lines are marked: for each line the commas of its tags, two blanks, LF.
struct Marks {
    places: [u16; MARKS],
    count: usize,
}

/// Lists the places of `bits` behind the first `count`; gives the new count. `AT_ONCE` are written
/// whether they are there or not: a loop whose length differs from block to block costs more.
#[inline(always)]
pub(super) fn list(places: &mut [u16; MARKS], count: usize, base: usize, bits: u64) -> usize {
    let end = count + bits.count_ones() as usize;
    let mut bits = bits;
    let mut from = count;
    loop {
        for place in &mut places[from..from + AT_ONCE] {
            *place = (base + bits.trailing_zeros() as usize) as u16;
            bits &= bits.wrapping_sub(1);
        }
        from += AT_ONCE;
        if from >= end {
            return end;
        }
    }
}

/// Lists marks until the first error, the end of the whole blocks or of the list; says whether there was
/// no error.
#[inline(always)]
fn mark<C: Classifier>(classifier: C, text: &[u8], marks: &mut Marks) -> bool {
    let text = &text[..text.len().min(TEXT_BYTES_MAX)];
    let (blocks, _) = text.as_chunks::<BLOCK>();
    let mut carry = Carry::line_start();
    let (mut count, mut base) = (0, 0);
    for bytes in blocks {
        let refused = |starts| not_booleans(text, base, starts);
        let found = bits::block(classifier, bytes, &mut carry, refused);
        if found.errors != 0 {
            let before = (found.errors & found.errors.wrapping_neg()) - 1;
            marks.count = classifier.list(&mut marks.places, count, base, found.marks & before);
            return false;
        }
        count = classifier.list(&mut marks.places, count, base, found.marks);
        if count > MARKS - BLOCK - AT_ONCE {
            break;
        }
        base += BLOCK;
    }
    marks.count = count;
    true
}

/// Looks at values that start as no number does; gives those that are no booleans. A boolean ends before a comma or
/// a blank, which no backslash before it can hide.
#[cold]
#[inline(never)]
fn not_booleans(text: &[u8], base: usize, mut starts: u64) -> u64 {
    let mut refused = 0;
    while starts != 0 {
        let bit = starts & starts.wrapping_neg();
        starts ^= bit;
        let from = base + bit.trailing_zeros() as usize;
        let value = text.get(from..from + BOOLEAN_BYTES_MAX + 1).unwrap_or_default();
        let end = value.iter().position(|byte| matches!(byte, b',' | b' '));
        let is_boolean = end.is_some_and(|end| grammar::is_boolean(&value[..end]));
        if !is_boolean {
            refused |= bit;
        }
    }
    refused
}

/// Reads the line whose marks begin at `next`, and goes on to the marks after it.
#[inline(always)]
fn line<C: Classifier>(
    classifier: C,
    text: &[u8],
    marks: &Marks,
    next: &mut usize,
    start: usize,
    factor: i64,
    templates: &mut Templates,
) -> Result<Found, Stop> {
    let marks = &marks.places[..marks.count];
    let first = *next;
    let Some(&measurement_end) = marks.get(first) else { return Err(Stop::OutOfMarks) };
    let Some(name) = text.get(start..start + 8) else { return Err(Stop::OutOfText) };
    if name[0] == b'#' {
        return Err(Stop::Ask);
    }
    let name_bytes = usize::from(measurement_end) - start;
    let name = u64::from_le_bytes(name.try_into().expect("eight bytes"));
    let name = name & (!0 >> (64 - 8 * name_bytes.clamp(1, 8)));
    let hint = Templates::hint(name, name_bytes);
    let mut tags = templates.hinted(hint).count();
    match fits(text, &marks[first..], templates.hinted(hint)) {
        None => return Err(Stop::OutOfText),
        Some(true) => {}
        Some(false) => tags = learn(text, &marks[first..], templates, hint)?,
    }
    let [fields, head_end, line_feed] = marks[first + tags..first + tags + 3] else {
        return Err(Stop::OutOfMarks);
    };
    let Some(key) = text.get(usize::from(fields) + 1..usize::from(fields) + 6) else {
        return Err(Stop::OutOfText);
    };
    // It may be the only field. Any other is enough.
    if key == b"time=" {
        return Err(Stop::Ask);
    }
    let Some(time_ns) = stamp::nanoseconds(classifier, text, head_end, line_feed, factor) else {
        return Err(Stop::Ask);
    };
    *next = first + tags + 3;
    Ok(Found { start: start as u16, measurement_end, head_end, line_feed, time_ns })
}

/// Whether the line has the tag keys of `template`. Its marks are commas, two blanks and LF; so if a blank
/// follows as many marks as there are keys, and each key matches up to its `=`, they are the commas: after the first
/// blank there is no second blank two marks on, and after the second there is no `=`.
#[inline(always)]
fn fits(text: &[u8], marks: &[u16], template: &Template) -> Option<bool> {
    let tags = template.count();
    let Some(&[fields, head_end, _]) = marks.get(tags..tags + 3).and_then(<[u16]>::first_chunk)
    else {
        return Some(false);
    };
    if text[usize::from(fields)] != b' ' || text[usize::from(head_end)] != b' ' {
        return Some(false);
    }
    template.matches(text, marks)
}

/// Counts the tags of a line that has other keys than its measurement had last, and checks them.
#[cold]
fn learn(
    text: &[u8],
    marks: &[u16],
    templates: &mut Templates,
    hint: usize,
) -> Result<usize, Stop> {
    let tags = marks.iter().take_while(|mark| text[usize::from(**mark)] == b',').count();
    if marks.len() < tags + 3 {
        return Err(Stop::OutOfMarks);
    }
    match templates.learn(hint, text, &marks[..tags], usize::from(marks[tags])) {
        None => Err(Stop::OutOfText),
        Some(false) => Err(Stop::Ask),
        Some(true) => Ok(tags),
    }
}
