//! A checked line as values: its series key as TSM files spell it, its fields with their types.

use super::value::Value;
use crate::proto::line::{Line, decode_measurement};
use std::borrow::Cow;

/// What stands between a series key and a field's name in the keys of TSM files.
pub const SEPARATOR: &[u8] = b"#!~#";

/// A line taken apart. Names are unescaped.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'a> {
    pub measurement: Cow<'a, [u8]>,
    /// Sorted by key.
    pub tags: Vec<(Cow<'a, [u8]>, Cow<'a, [u8]>)>,
    /// As written; a name that stands twice has its last value.
    pub fields: Vec<(Cow<'a, [u8]>, Value)>,
}

impl<'a> Point<'a> {
    /// Takes apart what the grammar has accepted.
    pub fn of(line: &Line<'a>) -> Point<'a> {
        let mut rest = &line.head[line.measurement.len()..];
        let mut tags = Vec::new();
        while let [b',', tag @ ..] = rest {
            let (key, after) = name(tag, b"=");
            let (value, after) = name(&after[1..], b", ");
            if !value.is_empty() {
                tags.push((decode_measurement(key), decode_measurement(value)));
            }
            rest = after;
        }
        tags.sort();
        let mut fields: Vec<(Cow<'a, [u8]>, Value)> = Vec::new();
        loop {
            let start =
                rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\0' | b',')).count();
            if start == rest.len() {
                break;
            }
            let (key, after) = name(&rest[start..], b"=");
            let (value, after) = value(&after[1..]);
            let key = decode_measurement(key);
            match fields.iter_mut().find(|(name, _)| *name == key) {
                Some(known) => known.1 = value,
                None => fields.push((key, value)),
            }
            rest = after;
        }
        Point { measurement: decode_measurement(line.measurement), tags, fields }
    }

    /// Measurement and tags, escaped as TSM files have them.
    pub fn series_key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        escape(&self.measurement, b", ", &mut key);
        for (name, value) in &self.tags {
            key.push(b',');
            escape(name, b", =", &mut key);
            key.push(b'=');
            escape(value, b", =", &mut key);
        }
        key
    }
}

fn escape(text: &[u8], special: &[u8], out: &mut Vec<u8>) {
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

fn value(text: &[u8]) -> (Value, &[u8]) {
    if let [b'"', inner @ ..] = text {
        let mut plain = Vec::new();
        let mut at = 0;
        while inner[at] != b'"' {
            if inner[at] == b'\\' && matches!(inner[at + 1], b'"' | b'\\') {
                at += 1;
            }
            plain.push(inner[at]);
            at += 1;
        }
        return (Value::String(plain.into()), &inner[at + 1..]);
    }
    let end = text.iter().position(|byte| *byte == b',').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (number(word), rest)
}

fn number(word: &[u8]) -> Value {
    let text = std::str::from_utf8(word).expect("the grammar has taken a number or a boolean");
    match word {
        [digits @ .., b'i'] if !digits.is_empty() => {
            Value::Integer(text[..digits.len()].parse().expect("checked"))
        }
        [digits @ .., b'u'] if !digits.is_empty() => {
            Value::Unsigned(text[..digits.len()].parse().expect("checked"))
        }
        [b't' | b'T', ..] => Value::Boolean(true),
        [b'f' | b'F', ..] => Value::Boolean(false),
        _ => Value::Float(text.parse().expect("checked")),
    }
}
