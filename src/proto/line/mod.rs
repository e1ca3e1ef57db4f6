//! Line protocol: which bytes are a line, what it is called, when it happened, and what is wrong with it.
//!
//! Promises:
//! - A line that is accepted here is accepted by InfluxDB 1.x and 2.x as the same point, and is
//!   *self-delimiting*: joined by LF with any other accepted lines, in any order, every server finds the
//!   same lines again. So lines of different clients can share a batch.
//! - A line that is refused names its reason in the words of InfluxDB 1.6, if that server refuses it, too.
//! - A line that is accepted is borrowed from the body; nothing is copied. (A line of more than 32 tags
//!   that are not sorted is the exception: its tag keys are listed once on the heap.)
//!
//! Does not know: databases, types of stored fields, the clock that stamps a line without a time.
//!
//! How to read it: `grammar` is the language, as nom parsers without error values. `lines` walks a body.
//! Common lines never reach the grammar: `fast` asks `walk` for lines that are surely valid. `walk` has a
//! classifier (`simd`, or `swar` on other machines) turn 64 bytes at a time into `bits`, whose rules say where the
//! lines lie; `escapes` takes out what is quoted, `keys` knows good tag keys, `stamp` reads times. Where they
//! are not sure, the grammar takes exactly one line: it alone refuses. Whatever the grammar refuses goes to `explain`, the cold side, which walks the line as the servers do
//! and finds the words. `split` is the servers' rule for the end of a line, `number` that for numbers,
//! `name` that for escapes. Where and why we differ from the servers: docs/line-protocol.md.

mod bits;
mod error;
mod escapes;
mod explain;
mod fast;
mod grammar;
mod keys;
mod lines;
mod name;
mod number;
mod simd;
mod split;
mod stamp;
mod swar;
#[cfg(test)]
mod tests;
mod walk;

use std::borrow::Cow;

pub use error::{LineError, Reason};
pub use fast::Way;
pub use lines::Lines;
pub use name::decode_measurement;

use crate::base::short_name::ShortName;
use crate::base::time::UnixNanos;

/// The unit of the timestamps in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
}

impl Precision {
    /// The `precision` of `/write`; absent is the empty text. `None`: answer 400.
    pub fn v1(text: &str) -> Option<Self> {
        Some(match text {
            "" | "n" | "ns" => Self::Nanoseconds,
            "u" | "us" => Self::Microseconds,
            "ms" => Self::Milliseconds,
            "s" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            _ => return None,
        })
    }

    /// The `precision` of `/api/v2/write`; absent is the empty text. `None`: answer 400.
    pub fn v2(text: &str) -> Option<Self> {
        Some(match text {
            "" | "ns" => Self::Nanoseconds,
            "us" => Self::Microseconds,
            "ms" => Self::Milliseconds,
            "s" => Self::Seconds,
            _ => return None,
        })
    }

    /// Nanoseconds in one unit.
    pub fn factor(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60_000_000_000,
            Self::Hours => 3_600_000_000_000,
        }
    }
}

/// What may differ from request to request and from one set of backends to another.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub precision: Precision,
    /// Every backend takes unsigned integers (`1u`). InfluxDB 1.x does not.
    pub unsigned: bool,
    /// Every backend takes the tag keys that InfluxDB 2.x keeps for itself: NUL, `_field`, `_measurement`.
    pub nul_tag_key: bool,
}

/// One accepted point. All slices are parts of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// From the measurement to the end of the last field, byte for byte: no timestamp, no blank after it.
    pub head: &'a [u8],
    /// As written, with its escapes; a prefix of `head`.
    pub measurement: &'a [u8],
    /// In nanoseconds and in the servers' range; `None` where the line has no timestamp.
    pub time: Option<UnixNanos>,
}

/// Where the servers end the line that starts at `start`: the index of its LF, or the length of the body.
pub fn line_end(body: &[u8], start: usize) -> usize {
    split::line_end(body, start).at
}

impl Line<'_> {
    /// The measurement as the servers decode it: what is hashed, and what a query names.
    pub fn measurement_name(&self) -> Cow<'_, [u8]> {
        decode_measurement(self.measurement)
    }

    /// The same, if it is short and without a backslash, as most are.
    #[inline]
    pub fn short_name(&self) -> Option<ShortName> {
        // The head goes on after the name, most often by more than that.
        let name = ShortName::front_of(self.head.first_chunk()?, self.measurement.len())?;
        (!name.contains(b'\\')).then_some(name)
    }
}
