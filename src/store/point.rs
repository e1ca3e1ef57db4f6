//! A checked line as values: its series key as TSM files spell it, its fields with their types.
//!
//! [`Point`] takes a line apart whole, and allocates. The write path asks only for what it does not know yet: it finds
//! the end of the series key by [`key_end`] and walks the fields by [`Fields`], whose names it expects to be those of
//! the line before.

use super::value::{FieldType, Value};
use crate::proto::line::{Line, decode_measurement};
use std::borrow::Cow;

/// What stands between a series key and a field's name in the keys of TSM files.
pub const SEPARATOR: &[u8] = b"#!~#";

/// A line taken apart. Names are unescaped.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'a> {
    pub measurement: Cow<'a, [u8]>,
    /// Sorted by key.
    pub tags: Tags<'a>,
    /// As written; a name that stands twice has its last value.
    pub fields: Vec<(Cow<'a, [u8]>, Value)>,
}

impl<'a> Point<'a> {
    /// Takes apart what the grammar has accepted.
    pub fn of(line: &Line<'a>) -> Point<'a> {
        let (tags, rest) = tags(&line.head[line.measurement.len()..]);
        let mut fields: Vec<(Cow<'a, [u8]>, Value)> = Vec::new();
        let mut walk = Fields::new(rest);
        while let Some(name) = walk.name() {
            let key = decode_measurement(name);
            let value = walk.value().to_value();
            match fields.iter_mut().find(|(name, _)| *name == key) {
                Some(known) => known.1 = value,
                None => fields.push((key, value)),
            }
        }
        Point { measurement: decode_measurement(line.measurement), tags, fields }
    }

    /// Measurement and tags, escaped as TSM files have them.
    pub fn series_key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        write_key(&self.measurement, &self.tags, &mut key);
        key
    }
}

/// The tags of a text that begins with `,` or where there are none, sorted by key; and what follows them.
fn tags(text: &[u8]) -> (Tags<'_>, &[u8]) {
    let mut rest = text;
    let mut tags = Vec::new();
    while let [b',', tag @ ..] = rest {
        let (key, after) = name(tag, b"=");
        // A foreign file may hold anything.
        let (value, after) = name(after.get(1..).unwrap_or_default(), b", ");
        if !value.is_empty() {
            tags.push((decode_measurement(key), decode_measurement(value)));
        }
        rest = after;
    }
    tags.sort();
    (tags, rest)
}

/// A key and a value, unescaped.
pub type Tag<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);
pub type Tags<'a> = Vec<Tag<'a>>;

/// The measurement and the tags of a series key as TSM files have it.
pub fn split_key(key: &[u8]) -> (Cow<'_, [u8]>, Tags<'_>) {
    let (measurement, rest) = name(key, b",");
    (decode_measurement(measurement), tags(rest).0)
}

/// The series key of a checked line as TSM files have it.
pub fn canonical_key(line: &Line<'_>, out: &mut Vec<u8>) {
    let (tags, _) = tags(&line.head[line.measurement.len()..]);
    write_key(&decode_measurement(line.measurement), &tags, out);
}

fn write_key(measurement: &[u8], tags: &Tags<'_>, key: &mut Vec<u8>) {
    escape(measurement, b", ", key);
    for (name, value) in tags {
        key.push(b',');
        escape(name, b", =", key);
        key.push(b'=');
        escape(value, b", =", key);
    }
}

/// Where measurement and tags of a checked line end.
#[inline]
pub fn key_end(line: &Line<'_>) -> usize {
    let start = line.measurement.len();
    let rest = &line.head[start..];
    match memchr::memchr2(b' ', b'\\', rest) {
        Some(at) if rest[at] == b' ' => start + at,
        _ => start + rest.len() - tags(rest).1.len(),
    }
}

/// A value as a word of memory; a string lies in the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Raw<'a> {
    Float(f64),
    Integer(i64),
    Unsigned(u64),
    Boolean(bool),
    /// Between its quotes, with its escapes.
    String(&'a [u8]),
}

impl Raw<'_> {
    #[inline]
    pub fn kind(&self) -> FieldType {
        match self {
            Raw::Float(_) => FieldType::Float,
            Raw::Integer(_) => FieldType::Integer,
            Raw::Unsigned(_) => FieldType::Unsigned,
            Raw::Boolean(_) => FieldType::Boolean,
            Raw::String(_) => FieldType::String,
        }
    }

    pub fn to_value(self) -> Value {
        match self {
            Raw::Float(value) => Value::Float(value),
            Raw::Integer(value) => Value::Integer(value),
            Raw::Unsigned(value) => Value::Unsigned(value),
            Raw::Boolean(value) => Value::Boolean(value),
            Raw::String(quoted) => {
                let mut plain = Vec::with_capacity(quoted.len());
                unquote(quoted, &mut plain);
                Value::String(plain.into())
            }
        }
    }
}

/// The fields of a checked line, one after the other: a name, then its value.
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// From the blank behind the series key.
    pub fn new(text: &'a [u8]) -> Fields<'a> {
        Fields { rest: text }
    }

    /// Passes the next field's name if it is spelled like this; `spelled` ends in `=`.
    #[inline]
    pub fn expect(&mut self, spelled: &[u8]) -> bool {
        // One blank before the first field, one comma before the others: anything else takes the long way.
        let [b' ' | b',', rest @ ..] = self.rest else { return false };
        let Some(after) = rest.strip_prefix(spelled) else { return false };
        self.rest = after;
        true
    }

    /// The next field's name as written.
    pub fn name(&mut self) -> Option<&'a [u8]> {
        let is_between = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\0' | b',');
        let start = self.rest.iter().take_while(is_between).count();
        if start == self.rest.len() {
            return None;
        }
        let (key, after) = name(&self.rest[start..], b"=");
        self.rest = &after[1..];
        Some(key)
    }

    #[inline]
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// The value behind the name.
    #[inline]
    pub fn value(&mut self) -> Raw<'a> {
        let (value, rest) = match simple(self.rest) {
            Some(found) => found,
            None => other(self.rest),
        };
        self.rest = rest;
        value
    }
}

/// Powers of ten that a float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Digits that always fit into a `u64`, and into an `i64`.
const SAFE_DIGITS: usize = 18;

/// Integers up to here are floats exactly.
const EXACT_MAX: u64 = 1 << 53;

/// A number of few digits without an exponent. Its digits are an exact float and so is the power of ten, so that one
/// division gives the nearest float to their quotient, which is the value written.
#[inline]
fn simple(text: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let negative = text.first() == Some(&b'-');
    let digits = &text[usize::from(negative)..];
    let (mut at, mut number) = (0, 0_u64);
    let digit = |at: usize| digits.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|d| *d < 10);
    while let Some(value) = digit(at) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(value));
        at += 1;
    }
    let whole = at;
    let mut parts = 0;
    if digits.get(at) == Some(&b'.') {
        at += 1;
        while let Some(value) = digit(at) {
            number = number.wrapping_mul(10).wrapping_add(u64::from(value));
            at += 1;
        }
        parts = at - whole - 1;
    }
    if whole + parts > SAFE_DIGITS || whole + parts == 0 {
        return None;
    }
    match digits.get(at) {
        None | Some(b',') if number <= EXACT_MAX => {
            let value = number as f64 / POWERS[parts];
            Some((Raw::Float(if negative { -value } else { value }), &digits[at..]))
        }
        Some(b'i') => {
            let value = number as i64;
            Some((Raw::Integer(if negative { -value } else { value }), &digits[at + 1..]))
        }
        Some(b'u') => Some((Raw::Unsigned(number), &digits[at + 1..])),
        _ => None,
    }
}

#[inline(never)]
fn other(text: &[u8]) -> (Raw<'_>, &[u8]) {
    if let [b'"', inner @ ..] = text {
        let mut at = 0;
        while inner[at] != b'"' {
            at += if inner[at] == b'\\' && matches!(inner[at + 1], b'"' | b'\\') { 2 } else { 1 };
        }
        return (Raw::String(&inner[..at]), &inner[at + 1..]);
    }
    let end = memchr::memchr(b',', text).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (number(word), rest)
}

/// Appends a string without its escapes.
pub fn unquote(quoted: &[u8], out: &mut Vec<u8>) {
    let mut rest = quoted;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let escapes = matches!(rest.get(at + 1), Some(b'"' | b'\\'));
        out.extend_from_slice(&rest[..at]);
        out.push(if escapes { rest[at + 1] } else { b'\\' });
        rest = &rest[at + 1 + usize::from(escapes)..];
    }
    out.extend_from_slice(rest);
}

pub fn escape(text: &[u8], special: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        if special.contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
}

/// Up to the first byte of `stops` that no backslash hides, as the grammar has it: the first byte never stops it, and
/// of two backslashes the second may hide something.
fn name<'a>(text: &'a [u8], stops: &[u8]) -> (&'a [u8], &'a [u8]) {
    let mut at = usize::from(!text.is_empty() && text[0] != b'\\');
    while at < text.len() {
        match &text[at..] {
            [b'\\', b'\\', ..] | [b'\\'] => at += 1,
            [b'\\', ..] => at += 2,
            [byte, ..] if stops.contains(byte) => break,
            _ => at += 1,
        }
    }
    text.split_at(at)
}

fn number(word: &[u8]) -> Raw<'_> {
    let text = std::str::from_utf8(word).expect("the grammar has taken a number or a boolean");
    match word {
        [digits @ .., b'i'] if !digits.is_empty() => {
            Raw::Integer(text[..digits.len()].parse().expect("checked"))
        }
        [digits @ .., b'u'] if !digits.is_empty() => {
            Raw::Unsigned(text[..digits.len()].parse().expect("checked"))
        }
        [b't' | b'T', ..] => Raw::Boolean(true),
        [b'f' | b'F', ..] => Raw::Boolean(false),
        _ => Raw::Float(text.parse().expect("checked")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::line::{Lines, Precision, Rules};
    use proptest::prelude::*;

    const RULES: Rules =
        Rules { precision: Precision::Nanoseconds, unsigned: true, nul_tag_key: true };

    fn line(text: &str) -> Line<'_> {
        Lines::new(text.as_bytes(), RULES).next().unwrap().unwrap()
    }

    #[test]
    fn a_key_that_was_written_as_files_have_it_stays_itself() {
        let texts = [
            "cpu,b=2,a=1 v=1 1",
            r"c\ p\,u,k\=e\ y=v\,a\ l\=ue v=1 1",
            r#"a\"b,t=x\\y f\ x="a\"b\\c\d" 1"#,
            r"m\=n,a=\b v=t 1",
            "m v=1 1",
        ];
        for text in texts {
            let line = line(text);
            let mut key = Vec::new();
            canonical_key(&line, &mut key);
            assert_eq!(key, Point::of(&line).series_key());
            let again = [&key[..], b" v=1 1"].concat();
            let again = super::tests::line(std::str::from_utf8(&again).unwrap());
            assert_eq!(&again.head[..key_end(&again)], &key[..], "{text}");
            let mut second = Vec::new();
            canonical_key(&again, &mut second);
            assert_eq!(key, second);
            let (measurement, tags) = split_key(&key);
            assert_eq!((measurement, tags), (Point::of(&line).measurement, Point::of(&line).tags));
        }
    }

    #[test]
    fn strings_lose_their_escapes_and_nothing_else() {
        let text = r#"m a="x\"y\\z\w",b="",c=true,d=-5i,e=7u,f=-1e3 1"#;
        let line = line(text);
        let fields: Vec<_> = Point::of(&line).fields.into_iter().map(|(_, value)| value).collect();
        let string = |text: &str| Value::String(text.as_bytes().into());
        let wanted = [
            string(r#"x"y\z\w"#),
            string(""),
            Value::Boolean(true),
            Value::Integer(-5),
            Value::Unsigned(7),
            Value::Float(-1000.0),
        ];
        assert_eq!(fields, wanted);
    }

    proptest! {
        #[test]
        fn every_float_is_read_as_std_reads_it(
            whole in 0_u64..1_000_000_000_000, parts in 0_u64..1_000_000_000, width in 0_usize..12, negative: bool
        ) {
            let sign = if negative { "-" } else { "" };
            let text = format!("{sign}{whole}.{parts:0width$}");
            let wanted: f64 = text.parse().unwrap();
            let Raw::Float(found) = Fields::new(text.as_bytes()).value() else { panic!("{text}") };
            prop_assert_eq!(found.to_bits(), wanted.to_bits(), "{}", text);
        }
    }
}
