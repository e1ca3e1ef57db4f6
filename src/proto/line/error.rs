//! Why a line was refused, and the words for it.

use std::borrow::Cow;
use std::fmt;

use super::decode_measurement;
use super::grammar::TIME;
use crate::base::limits::{KEY_BYTES_MAX, LINE_BYTES_MAX, QUOTE_BYTES_MAX};

/// A line that was refused. Its `Display` is what a client of InfluxDB 1.6 would read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineError<'a> {
    /// The line in the body, from 1; the first one, where a string goes over several.
    pub number: u64,
    /// The line as the servers split it, without blanks before it and without its line end.
    pub line: &'a [u8],
    pub reason: Reason<'a>,
}

/// What is wrong. Down to `LeastField` in the servers' words, then in ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    MissingMeasurement,
    MissingFields,
    MissingTagKey,
    MissingTagValue,
    InvalidTagFormat,
    DuplicateTags,
    MissingFieldKey,
    MissingFieldValue,
    InvalidFieldFormat,
    UnbalancedQuotes,
    InvalidNumber,
    InvalidFloat,
    InvalidBoolean,
    /// The digits of an integer field that does not fit into 64 bits.
    IntegerRange(&'a [u8]),
    /// The same for an unsigned one.
    UnsignedRange(&'a [u8]),
    BadTimestamp,
    /// A minus sign where the timestamp should be.
    TimestampWithoutDigits,
    /// A timestamp that does not fit into 64 bits.
    TimestampRange(&'a [u8]),
    /// A timestamp that does not fit when it is scaled to nanoseconds.
    TimeRange,
    /// Bytes after the timestamp.
    InvalidPoint,
    /// The length of the series key, or of series key and field key.
    KeyTooLong(usize),
    /// A tag key that InfluxDB 2.x keeps for itself.
    ReservedTagKey(&'a [u8]),
    /// A field key that ends in a backslash, with its value.
    InvalidFieldKey(&'a [u8]),
    /// A tag is called `time`; the measurement as written.
    TagTime(&'a [u8]),
    /// No field is called anything but `time`; the measurement as written.
    FieldTime(&'a [u8]),
    /// Ours from here: each breaks the promise of `super` that lines can share a batch.
    BytesAfterString,
    BackslashNewline,
    /// A quote in a name keeps the servers from seeing the end of the line.
    HiddenEnd,
    MeasurementNotUtf8,
    TagKeyNotUtf8,
    FieldKeyNotUtf8,
    /// The length of the line.
    LineTooLong(usize),
}

impl LineError<'_> {
    /// Whether InfluxDB 1.6 takes the line and drops its point, and so counts it in `dropped=N`, where it
    /// does not count the lines that it cannot parse.
    pub fn dropped(&self) -> bool {
        matches!(self.reason, Reason::TagTime(_) | Reason::FieldTime(_))
    }

    /// The same in the words of InfluxDB 2.x, which cannot parse a tag that is called `time`.
    pub fn v2(&self) -> Self {
        match self.reason {
            Reason::TagTime(_) => Self { reason: Reason::ReservedTagKey(TIME), ..*self },
            _ => *self,
        }
    }
}

impl fmt::Display for LineError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropped() {
            return self.reason.fmt(f);
        }
        write!(f, "unable to parse '{}': {}", quote(self.line), self.reason)
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::MissingMeasurement => "missing measurement",
            Self::MissingFields => "missing fields",
            Self::MissingTagKey => "missing tag key",
            Self::MissingTagValue => "missing tag value",
            Self::InvalidTagFormat => "invalid tag format",
            Self::DuplicateTags => "duplicate tags",
            Self::MissingFieldKey => "missing field key",
            Self::MissingFieldValue => "missing field value",
            Self::InvalidFieldFormat => "invalid field format",
            Self::UnbalancedQuotes => "unbalanced quotes",
            Self::InvalidNumber => "invalid number",
            Self::InvalidFloat => "invalid float",
            Self::InvalidBoolean => "invalid boolean",
            Self::BadTimestamp => "bad timestamp",
            Self::TimestampWithoutDigits => "strconv.ParseInt: parsing \"-\": invalid syntax",
            Self::TimeRange => "time outside range -9223372036854775806 - 9223372036854775806",
            Self::InvalidPoint => "point is invalid",
            Self::BytesAfterString => "bytes after the closing quote of a string",
            Self::BackslashNewline => "backslash before a line feed",
            Self::HiddenEnd => "a quote in a name hides the end of the line",
            Self::MeasurementNotUtf8 => "measurement is not valid UTF-8",
            Self::TagKeyNotUtf8 => "tag key is not valid UTF-8",
            Self::FieldKeyNotUtf8 => "field key is not valid UTF-8",
            _ => return self.with_detail(f),
        })
    }
}

impl Reason<'_> {
    fn with_detail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::IntegerRange(text) => {
                let text = quote(text);
                write!(f, "unable to parse integer {text}: ")?;
                write!(f, "strconv.ParseInt: parsing \"{text}\": value out of range")
            }
            Self::UnsignedRange(text) => {
                let text = quote(text);
                write!(f, "unable to parse unsigned {text}: ")?;
                write!(f, "strconv.ParseUint: parsing \"{text}\": value out of range")
            }
            Self::TimestampRange(text) => {
                write!(f, "strconv.ParseInt: parsing \"{}\": value out of range", quote(text))
            }
            Self::KeyTooLong(bytes) => {
                write!(f, "max key length exceeded: {bytes} > {KEY_BYTES_MAX}")
            }
            Self::LineTooLong(bytes) => {
                write!(f, "max line length exceeded: {bytes} > {LINE_BYTES_MAX}")
            }
            Self::ReservedTagKey(key) => {
                let key = if key == b"\0" { Cow::Borrowed(r"\x00") } else { quote(key) };
                write!(f, "cannot use reserved tag key \"{key}\"")
            }
            Self::InvalidFieldKey(text) => {
                write!(f, "invalid value: field-key={}", quote(text))
            }
            Self::TagTime(name) => write!(
                f,
                "invalid tag key: input tag \"time\" on measurement \"{}\" is invalid",
                quote(&decode_measurement(name))
            ),
            Self::FieldTime(name) => write!(
                f,
                "invalid field name: input field \"time\" on measurement \"{}\" is invalid",
                quote(&decode_measurement(name))
            ),
            _ => Ok(()),
        }
    }
}

/// `bytes` as text, cut to `QUOTE_BYTES_MAX` bytes at the border of a character.
fn quote(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.len() <= QUOTE_BYTES_MAX {
        return String::from_utf8_lossy(bytes);
    }
    // A character has at most three bytes that continue it.
    let mut cut = QUOTE_BYTES_MAX;
    while cut > QUOTE_BYTES_MAX - 3 && bytes[cut] & 0xC0 == 0x80 {
        cut -= 1;
    }
    Cow::Owned(format!("{}...", String::from_utf8_lossy(&bytes[..cut])))
}
