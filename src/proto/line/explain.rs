//! The cold side: the words for a line that the grammar refused.
//!
//! It walks the line as the servers do, check after check in their order, so that the first thing that they
//! would complain of is found. If they would complain of nothing, the line broke a rule of ours.

use super::Rules;
use super::error::Reason;
use super::grammar::{self, Class, SEPARATOR_BYTES, TIME, TagKeys, gap, name};
use super::number::{self, Fault, TimeFault};
use super::split;
use crate::base::limits::{KEY_BYTES_MAX, LINE_BYTES_MAX};

type Walk<'a, T> = Result<T, Reason<'a>>;

/// Why `line`, a line as the servers split it, is refused; `after_blank` if a blank stood before it.
pub(super) fn reason<'a>(line: &'a [u8], after_blank: bool, rules: Rules) -> Reason<'a> {
    let point = match servers(line, rules) {
        Err(reason) => return reason,
        Ok(point) => point,
    };
    if point.fields.text.starts_with(b"=") {
        Reason::MissingFieldKey
    } else if let Some(reason) = names(&point, rules) {
        reason
    } else if point.fields.after_string {
        Reason::BytesAfterString
    } else if memchr::memmem::find(line, b"\\\n").is_some() {
        Reason::BackslashNewline
    } else if line.len() > LINE_BYTES_MAX {
        Reason::LineTooLong(line.len())
    } else if split::hides_its_end(line, after_blank) {
        Reason::HiddenEnd
    } else {
        // The servers only compare sums, and do not see a comma before the first key that makes up for a
        // quote that they took for an ordinary byte.
        Reason::InvalidFieldFormat
    }
}

/// A line that the servers can parse.
struct Point<'a> {
    measurement: &'a [u8],
    /// `,key=value` repeated.
    tags: &'a [u8],
    fields: Fields<'a>,
}

fn servers<'a>(line: &'a [u8], rules: Rules) -> Walk<'a, Point<'a>> {
    let (rest, measurement, tags) = key(line)?;
    let key_bytes = line.len() - rest.len();
    if key_bytes > KEY_BYTES_MAX {
        return Err(Reason::KeyTooLong(key_bytes));
    }
    let fields = fields(line, key_bytes, rules)?;
    for (key, value) in fields.pairs() {
        if value.is_none_or(<[u8]>::is_empty) {
            return Err(Reason::InvalidFieldKey(key));
        }
        let bytes = key_bytes + SEPARATOR_BYTES + key.len();
        if bytes > KEY_BYTES_MAX {
            return Err(Reason::KeyTooLong(bytes));
        }
    }
    time(&line[fields.end..], rules)?;
    Ok(Point { measurement, tags, fields })
}

/// Measurement and tags, up to the blank after them.
fn key(line: &[u8]) -> Walk<'_, (&[u8], &[u8], &[u8])> {
    if matches!(line, [] | [b',', ..]) {
        return Err(Reason::MissingMeasurement);
    }
    let (start, measurement) = token(line, Class::MEASUREMENT);
    let mut rest = start;
    while let [b',', tag @ ..] = rest {
        if matches!(tag, [] | [b' ' | b',' | b'=', ..]) {
            return Err(Reason::MissingTagKey);
        }
        let (after, _) = token(tag, Class::TAG);
        let [b'=', value @ ..] = after else { return Err(Reason::MissingTagValue) };
        if matches!(value, [] | [b' ' | b',', ..]) {
            return Err(Reason::MissingTagValue);
        }
        (rest, _) = token(value, Class::TAG);
        if rest.starts_with(b"=") {
            return Err(Reason::InvalidTagFormat);
        }
    }
    if rest.is_empty() {
        return Err(Reason::MissingFields);
    }
    let tags = &start[..start.len() - rest.len()];
    if grammar::has_duplicate(TagKeys(tags)) {
        return Err(Reason::DuplicateTags);
    }
    Ok((rest, measurement, tags))
}

fn token(input: &[u8], stops: Class) -> (&[u8], &[u8]) {
    name(input, stops.over_line_feeds()).unwrap_or((&[], input))
}

/// The fields of a line, as far as the servers look at them before they store the point.
struct Fields<'a> {
    text: &'a [u8],
    /// Where they end in the line.
    end: usize,
    /// A string is followed by something that is neither a comma nor a blank.
    after_string: bool,
}

impl<'a> Fields<'a> {
    /// Keys and values as the servers' store takes them apart, which is not how their parser does it: to
    /// the store a backslash hides `=` even if it is itself hidden. A key without a value is the last.
    fn pairs(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let mut rest = self.text;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let equals =
                (0..rest.len()).find(|&at| rest[at] == b'=' && (at == 0 || rest[at - 1] != b'\\'));
            let Some(equals) = equals else {
                return Some((std::mem::take(&mut rest), None));
            };
            let (key, after) = (&rest[..equals], &rest[equals + 1..]);
            let end = value_end(after);
            rest = after.get(end + 1..).unwrap_or_default();
            Some((key, Some(&after[..end])))
        })
    }
}

/// The end of a value that the parser has passed: the first comma outside quotes.
fn value_end(text: &[u8]) -> usize {
    let (mut at, mut quoted) = (0, false);
    while at < text.len() {
        match text[at] {
            b'\\' if matches!(text.get(at + 1), Some(b'"' | b'\\')) => at += 1,
            b'"' => quoted = !quoted,
            b',' if !quoted => break,
            _ => {}
        }
        at += 1;
    }
    at.min(text.len())
}

/// The servers' loose walk over the fields: `=`, commas and quotes are counted, values are checked where
/// they start, and only the sums say at the end whether every field had a key and a value.
fn fields<'a>(line: &'a [u8], key_bytes: usize, rules: Rules) -> Walk<'a, Fields<'a>> {
    let start = line.len() - skip_gap(&line[key_bytes..]).len();
    let (mut at, mut quoted, mut after_string) = (start, false, false);
    let (mut equals, mut commas) = (0_usize, 0_usize);
    while at < line.len() {
        match line[at] {
            b'\\' if at + 1 < line.len() => at += 1,
            b'"' if equals > commas => {
                quoted = !quoted;
                let next = line.get(at + 1);
                after_string |= !quoted && !matches!(next, None | Some(b',' | b' '));
            }
            b'=' if !quoted => {
                equals += 1;
                let value = &line[at + 1..];
                check_key(line, at)?;
                if !value.starts_with(b"\"") {
                    at += check_value(value, rules)?;
                }
            }
            b',' if !quoted => commas += 1,
            b' ' if !quoted => break,
            _ => {}
        }
        at += 1;
    }
    if quoted {
        return Err(Reason::UnbalancedQuotes);
    }
    if equals == 0 || commas != equals - 1 {
        return Err(Reason::InvalidFieldFormat);
    }
    let end = at.min(line.len());
    Ok(Fields { text: &line[start..end], end, after_string })
}

/// Whether a key stands before the `=` at `at`. (The servers do not see that it is missing after a TAB.)
fn check_key(line: &[u8], at: usize) -> Walk<'_, ()> {
    let hidden = at >= 2 && line[at - 2] == b'\\';
    if at >= 1 && matches!(line[at - 1], b' ' | b',') && !hidden {
        return Err(Reason::MissingFieldKey);
    }
    Ok(())
}

/// Checks a value that is no string, and gives its length.
fn check_value(text: &[u8], rules: Rules) -> Walk<'_, usize> {
    let end = text.iter().position(|byte| matches!(byte, b',' | b' ')).unwrap_or(text.len());
    let value = &text[..end];
    match value.first() {
        None => return Err(Reason::MissingFieldValue),
        Some(b'0'..=b'9' | b'.' | b'-' | b'N' | b'n') => {
            let digits = &value[..end - 1];
            number::check(value, rules.unsigned).map_err(|fault| match fault {
                Fault::Number => Reason::InvalidNumber,
                Fault::Float => Reason::InvalidFloat,
                Fault::Integer => Reason::IntegerRange(digits),
                Fault::Unsigned => Reason::UnsignedRange(digits),
            })?;
        }
        Some(_) if grammar::is_boolean(value) => {}
        Some(_) => return Err(Reason::InvalidBoolean),
    }
    Ok(end)
}

/// The rest of a line after its fields.
fn time(text: &[u8], rules: Rules) -> Walk<'_, ()> {
    let text = skip_gap(text);
    let end = text.iter().position(|byte| matches!(byte, b' ' | b'\n')).unwrap_or(text.len());
    let (time, after) = text.split_at(end);
    let digits = time.strip_prefix(b"-").unwrap_or(time);
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Reason::BadTimestamp);
    }
    if time.is_empty() {
        return Ok(());
    }
    number::nanoseconds(time, rules.precision.factor()).map_err(|fault| match fault {
        TimeFault::NoDigits => Reason::TimestampWithoutDigits,
        TimeFault::Digits => Reason::TimestampRange(time),
        TimeFault::Range => Reason::TimeRange,
    })?;
    if after.iter().any(|&byte| byte != b' ') { Err(Reason::InvalidPoint) } else { Ok(()) }
}

fn skip_gap(text: &[u8]) -> &[u8] {
    gap(text).map_or(text, |(rest, _)| rest)
}

/// What breaks our rules in the names of a line that the servers parse.
fn names<'a>(point: &Point<'a>, rules: Rules) -> Option<Reason<'a>> {
    let tag_keys = || TagKeys(point.tags);
    let field_keys = || point.fields.pairs().map(|(key, _)| key);
    let reserved = tag_keys().find(|key| grammar::is_reserved(key));
    if tag_keys().any(|key| key == TIME) {
        Some(Reason::TagTime(point.measurement))
    } else if field_keys().all(|key| key == TIME) {
        Some(Reason::FieldTime(point.measurement))
    } else if let Some(key) = reserved.filter(|_| !rules.nul_tag_key) {
        Some(Reason::ReservedTagKey(key))
    } else if !is_utf8(point.measurement) {
        Some(Reason::MeasurementNotUtf8)
    } else if !tag_keys().all(is_utf8) {
        Some(Reason::TagKeyNotUtf8)
    } else if let Some(pair) = field_key_with_backslash(&point.fields) {
        Some(Reason::InvalidFieldKey(pair))
    } else if !field_keys().all(is_utf8) {
        Some(Reason::FieldKeyNotUtf8)
    } else {
        None
    }
}

/// The first field whose key ends in a backslash, as the store reads it: with more than its key.
fn field_key_with_backslash<'a>(fields: &Fields<'a>) -> Option<&'a [u8]> {
    fields.pairs().map(|(key, _)| key).find(|key| {
        // The parser ends a key at an `=` whose backslash is itself hidden; the store reads on.
        let mut at = 0;
        while at < key.len() {
            match key[at] {
                b'\\' => at += 1,
                b'=' => return true,
                _ => {}
            }
            at += 1;
        }
        false
    })
}

fn is_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

/// Whether the servers can parse a line, whatever our own rules say.
#[cfg(test)]
pub(super) fn servers_take(line: &[u8], rules: Rules) -> bool {
    servers(line, rules).is_ok()
}
