//! The language: nom parsers that borrow from the body and carry no error values.
//!
//! Shape of a line; `blank` is 0x20 and nothing else, `gap` is a run of blank, TAB and NUL:
//! ```text
//! line   = key blank gap* fields [blank gap* [time blank*]] end
//! key    = name {"," name "=" name}               a backslash hides the next byte, pairs do not count
//! fields = key "=" value {"," key "=" value}      escapes are pairs: a backslash and any byte
//! value  = string | number | boolean
//! end    = LF | CR LF | end of the body
//! ```
//! Every token ends at a byte of a class, looked up in one table; the first byte of a value decides what it
//! must be. Nothing is tried twice.

use nom::bytes::complete::{tag, take_till, take_while};
use nom::combinator::{opt, recognize, verify};
use nom::{Err, IResult, Parser};
use smallvec::SmallVec;

use super::number;
use super::{Line, Rules};
use crate::base::limits::KEY_BYTES_MAX;
use crate::base::time::UnixNanos;

pub(super) type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

/// Bytes that the storage engine puts between a series key and a field key.
pub(super) const SEPARATOR_BYTES: usize = 4;

/// The word that neither a tag key nor all field keys of a line may be.
pub(super) const TIME: &[u8] = b"time";

/// A set of the classes of a byte, as bits of `CLASSES`.
#[derive(Clone, Copy)]
pub(super) struct Class(u8);

impl Class {
    /// Ends a measurement, outside escapes.
    pub(super) const MEASUREMENT: Class = Class(NAME | LINE_FEED);
    /// Ends a tag key, a tag value or a field key, outside escapes.
    pub(super) const TAG: Class = Class(NAME | EQUALS | LINE_FEED);
    /// Ends a number or a boolean.
    const PLAIN: Class = Class(PLAIN | LINE_FEED);
    /// Ends a string, or hides its end.
    const STRING: Class = Class(STRING);
    /// Skipped before a line, before its fields and before its timestamp.
    const GAP: Class = Class(GAP);
    /// Ends a run of digits.
    const NO_DIGIT: Class = Class(NO_DIGIT);

    /// The same for a token that goes on over line ends, as those of the servers do.
    pub(super) const fn over_line_feeds(self) -> Class {
        Class(self.0 & !LINE_FEED)
    }

    #[inline]
    fn has(self, byte: u8) -> bool {
        CLASSES[usize::from(byte)] & self.0 != 0
    }
}

const NAME: u8 = 1;
const EQUALS: u8 = 2;
const PLAIN: u8 = 4;
const STRING: u8 = 8;
const GAP: u8 = 16;
const LINE_FEED: u8 = 32;
const NO_DIGIT: u8 = 64;

static CLASSES: [u8; 256] = {
    let mut classes = [0_u8; 256];
    classes[b',' as usize] = NAME | PLAIN;
    classes[b' ' as usize] = NAME | PLAIN | GAP;
    classes[b'=' as usize] = EQUALS;
    classes[b'\\' as usize] = NAME | STRING;
    classes[b'"' as usize] = STRING;
    classes[b'\r' as usize] = PLAIN;
    classes[b'\n' as usize] = LINE_FEED;
    classes[b'\t' as usize] = GAP;
    classes[0] = GAP;
    let mut byte = 0;
    while byte < 256 {
        if byte < b'0' as usize || byte > b'9' as usize {
            classes[byte] |= NO_DIGIT;
        }
        byte += 1;
    }
    classes
};

const REFUSED: Err<()> = Err::Error(());

/// The bytes before the first one of `stops`. Eight at a time, so that a byte costs a look into the table and a
/// jump that is not taken: tokens are too short for more.
#[inline(always)]
fn until(input: &[u8], stops: Class) -> Parsed<'_, &[u8]> {
    let (chunks, _) = input.as_chunks::<8>();
    let mut end = 0;
    for chunk in chunks {
        if let Some(at) = chunk.iter().position(|byte| stops.has(*byte)) {
            return Ok((&input[end + at..], &input[..end + at]));
        }
        end += 8;
    }
    let (rest, last) = take_till(|byte| stops.has(byte)).parse(&input[end..])?;
    Ok((rest, &input[..end + last.len()]))
}

/// Whether `byte` is skipped before a line, before its fields and before its timestamp.
pub(super) fn gap(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_while(|byte| Class::GAP.has(byte)).parse(input)
}

/// One line with its end; what is left starts with the next line.
pub(super) fn line(input: &[u8], rules: Rules) -> Parsed<'_, Line<'_>> {
    let (rest, measurement) = measurement(input)?;
    let (rest, ()) = tags(rest, rules)?;
    let key_bytes = input.len() - rest.len();
    let (rest, _) = gap(rest)?;
    let (rest, longest) = fields(rest, rules)?;
    if key_bytes + SEPARATOR_BYTES + longest > KEY_BYTES_MAX {
        return Result::Err(REFUSED);
    }
    let head = &input[..input.len() - rest.len()];
    let (rest, time) = time(rest, rules)?;
    let (rest, ()) = end(rest)?;
    Ok((rest, Line { head, measurement, time }))
}

/// A name up to a byte of `stops` that no backslash precedes, or to the end of the input. Its first byte
/// never ends it. From a class that has LF, LF is hidden neither by being first nor by a backslash.
#[inline(always)]
pub(super) fn name(input: &[u8], stops: Class) -> Parsed<'_, &[u8]> {
    let mut end = match input {
        [] | [b'\\', ..] => 0,
        [b'\n', ..] if stops.has(b'\n') => 0,
        _ => 1,
    };
    loop {
        let (_, run) = until(&input[end..], stops)?;
        end += run.len();
        end += match &input[end..] {
            [b'\\', b'\n', ..] if stops.has(b'\n') => {
                return Ok((&input[end + 1..], &input[..end + 1]));
            }
            [b'\\', b'\\', ..] | [b'\\'] => 1,
            [b'\\', ..] => 2,
            rest => return Ok((rest, &input[..end])),
        };
    }
}

fn measurement(input: &[u8]) -> Parsed<'_, &[u8]> {
    match input.first() {
        None | Some(b',') => Result::Err(REFUSED),
        Some(_) => name(input, Class::MEASUREMENT).and_then(|(rest, name)| utf8(rest, name)),
    }
}

/// Nothing, or `,key=value` any number of times; stops at the blank after the key.
fn tags<'a>(input: &'a [u8], rules: Rules) -> Parsed<'a, ()> {
    let mut rest = input;
    let mut keys: SmallVec<[&[u8]; KEYS_IN_PLACE]> = SmallVec::new();
    while let [b',', tag @ ..] = rest {
        let (after, key) = tag_key(tag, rules)?;
        keys.push(key);
        (rest, _) = tag_value(after)?;
    }
    if !rest.starts_with(b" ") || has_duplicate_in(&mut keys) {
        return Result::Err(REFUSED);
    }
    Ok((rest, ()))
}

fn tag_key<'a>(input: &'a [u8], rules: Rules) -> Parsed<'a, &'a [u8]> {
    if matches!(input, [] | [b' ' | b',' | b'=', ..]) {
        return Result::Err(REFUSED);
    }
    let (rest, key) = name(input, Class::TAG)?;
    let refused = key == TIME || (!rules.nul_tag_key && is_reserved(key));
    match rest {
        [b'=', rest @ ..] if !refused => utf8(rest, key),
        _ => Result::Err(REFUSED),
    }
}

fn tag_value(input: &[u8]) -> Parsed<'_, &[u8]> {
    match input.first() {
        None | Some(b' ' | b',') => Result::Err(REFUSED),
        Some(_) => name(input, Class::TAG),
    }
}

/// Whether InfluxDB 2.x keeps this tag key for itself. (It also keeps 0xff, which is not UTF-8.)
pub(super) fn is_reserved(key: &[u8]) -> bool {
    matches!(key, b"\0" | b"_field" | b"_measurement")
}

/// The keys of `,key=value` repeated, which `tags` or the servers' walk has passed.
pub(super) struct TagKeys<'a>(pub &'a [u8]);

impl<'a> Iterator for TagKeys<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let stops = Class::TAG.over_line_feeds();
        let (rest, key) = name(self.0.strip_prefix(b",")?, stops).ok()?;
        (self.0, _) = name(rest.strip_prefix(b"=")?, stops).ok()?;
        Some(key)
    }
}

/// Whether a key occurs twice, as written: the servers compare before they drop escapes.
pub(super) fn has_duplicate<'a>(keys: impl Iterator<Item = &'a [u8]>) -> bool {
    has_duplicate_in(&mut keys.collect::<SmallVec<[&[u8]; KEYS_IN_PLACE]>>())
}

const KEYS_IN_PLACE: usize = 32;

/// The same; may change the order of `keys`. Keys that are not equal mostly differ in their ends or lengths, so
/// one word tells them apart.
fn has_duplicate_in(keys: &mut [&[u8]]) -> bool {
    if keys.len() > KEYS_IN_PLACE {
        keys.sort_unstable();
        return keys.windows(2).any(|pair| pair[0] == pair[1]);
    }
    let mut signs = [0_u64; KEYS_IN_PLACE];
    for (at, key) in keys.iter().enumerate() {
        let sign = signature(key);
        let alike = signs[..at].iter().fold(false, |alike, other| alike | (*other == sign));
        if alike && keys[..at].contains(key) {
            return true;
        }
        signs[at] = sign;
    }
    false
}

/// Equal for equal keys: the first and the last four bytes (fewer of a short key), and the length.
#[inline]
fn signature(key: &[u8]) -> u64 {
    let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    let ends = match (key.first_chunk(), key.last_chunk()) {
        (Some(first), Some(last)) => half(first) | (half(last) << 32),
        _ => key.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte)),
    };
    ends.wrapping_add((key.len() as u64) << 56)
}

/// `key=value` once or more, with commas between; gives the length of the longest key.
fn fields<'a>(input: &'a [u8], rules: Rules) -> Parsed<'a, usize> {
    let (mut rest, mut longest, mut only_time) = (input, 0, true);
    loop {
        let (after, key) = field_key(rest)?;
        longest = longest.max(key.len());
        only_time &= key == TIME;
        (rest, ()) = value(after, rules)?;
        match rest {
            [b',', after @ ..] => rest = after,
            _ if only_time => return Result::Err(REFUSED),
            _ => return Ok((rest, longest)),
        }
    }
}

/// A key that ends in a (paired) backslash is refused: parser and store of the servers disagree about its end,
/// and InfluxDB 1.6.7 can die of it.
#[inline(always)]
fn field_key(input: &[u8]) -> Parsed<'_, &[u8]> {
    let mut end = 0;
    loop {
        let (rest, run) = until(&input[end..], Class::TAG)?;
        end += run.len();
        match rest {
            [b'=', rest @ ..] if end > 0 && input[end - 1] != b'\\' => {
                return utf8(rest, &input[..end]);
            }
            [b'\\', escaped, ..] if *escaped != b'\n' => end += 2,
            _ => return Result::Err(REFUSED),
        }
    }
}

#[inline(always)]
fn value<'a>(input: &'a [u8], rules: Rules) -> Parsed<'a, ()> {
    match input.first() {
        Some(b'"') => string(input),
        Some(b'0'..=b'9') => match usual_number(input)? {
            (rest, true) => Ok((rest, ())),
            (_, false) => any_number(input, rules),
        },
        Some(b'.' | b'-') => any_number(input, rules),
        Some(b't' | b'T' | b'f' | b'F') => {
            let (rest, text) = until(input, Class::PLAIN)?;
            if is_boolean(text) { Ok((rest, ())) } else { Result::Err(REFUSED) }
        }
        _ => Result::Err(REFUSED),
    }
}

/// Digits that may go on with `i` or with a point and digits, few enough to need no second look at them; says
/// whether that is all of the value.
#[inline(always)]
fn usual_number(input: &[u8]) -> Parsed<'_, bool> {
    let (rest, digits) = until(input, Class::NO_DIGIT)?;
    let (rest, fraction) = match rest {
        [b'i', rest @ ..] => (rest, &[][..]),
        [b'.', rest @ ..] => until(rest, Class::NO_DIGIT)?,
        _ => (rest, &[][..]),
    };
    let is_short = digits.len().max(fraction.len()) <= number::SAFE_DIGITS;
    Ok((rest, is_short && rest.first().is_none_or(|byte| Class::PLAIN.has(*byte))))
}

fn any_number<'a>(input: &'a [u8], rules: Rules) -> Parsed<'a, ()> {
    let (rest, text) = until(input, Class::PLAIN)?;
    number::check(text, rules.unsigned).map(|()| (rest, ())).map_err(|_| REFUSED)
}

pub(super) fn is_boolean(text: &[u8]) -> bool {
    matches!(
        text,
        b"t" | b"T" | b"true" | b"True" | b"TRUE" | b"f" | b"F" | b"false" | b"False" | b"FALSE"
    )
}

/// A string with its quotes. Any byte may stand in it but LF behind a backslash, where parsers differ.
fn string(input: &[u8]) -> Parsed<'_, ()> {
    let (mut rest, _) = tag(&b"\""[..]).parse(input)?;
    loop {
        (rest, _) = until(rest, Class::STRING)?;
        rest = match rest {
            [b'"', rest @ ..] => return Ok((rest, ())),
            [b'\\', escaped, rest @ ..] if *escaped != b'\n' => rest,
            _ => return Result::Err(REFUSED),
        };
    }
}

/// Nothing, or a blank, a gap, and perhaps a timestamp with blanks after it.
fn time<'a>(input: &'a [u8], rules: Rules) -> Parsed<'a, Option<UnixNanos>> {
    if !input.starts_with(b" ") {
        return Ok((input, None));
    }
    let (rest, _) = gap(input)?;
    if !matches!(rest.first(), Some(b'-' | b'0'..=b'9')) {
        return Ok((rest, None));
    }
    let digits = |input| until(input, Class::NO_DIGIT);
    let (rest, text) = recognize((opt(tag(&b"-"[..])), verify(digits, has_bytes))).parse(rest)?;
    let (rest, _) = take_while(|byte| byte == b' ').parse(rest)?;
    let time = number::nanoseconds(text, rules.precision.factor()).map_err(|_| REFUSED)?;
    Ok((rest, Some(UnixNanos(time))))
}

fn has_bytes(text: &[u8]) -> bool {
    !text.is_empty()
}

fn end(input: &[u8]) -> Parsed<'_, ()> {
    match input {
        [] => Ok((input, ())),
        [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] => Ok((rest, ())),
        _ => Result::Err(REFUSED),
    }
}

/// Names and keys are UTF-8: the servers take other bytes, and then cannot store the name or ever drop it.
fn utf8<'a>(rest: &'a [u8], name: &'a [u8]) -> Parsed<'a, &'a [u8]> {
    if name.is_ascii() || std::str::from_utf8(name).is_ok() {
        Ok((rest, name))
    } else {
        Result::Err(REFUSED)
    }
}
