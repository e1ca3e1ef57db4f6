//! Bodies of generated lines, in the three mixes that people measure gateways with.
//!
//! Promise: equal seeds give equal lines; each line ends with a timestamp of fixed width that can be
//! written anew in place. It knows nothing of HTTP. Read `body` (all that a benchmark needs), `Lines`,
//! then any one mix.

mod random;
mod small;
mod telegraf;
mod tsbs;

#[cfg(test)]
mod tests;

pub use random::{Random, mix};

use clap::ValueEnum;

/// Digits of a timestamp in nanoseconds between the years 2001 and 2262.
const STAMP_DIGITS: usize = 19;

/// What the lines look like. Give each mix a database of its own: `cpu` of the first two has the same
/// fields with different types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mix {
    /// One measurement, 10 tags, 10 integer fields, about 345 bytes.
    Tsbs,
    /// 14 measurements as agents send them, about 160 bytes; one line in ten has strings and escapes.
    Telegraf,
    /// 8 measurements, one tag, one field, about 46 bytes.
    Small,
}

impl Mix {
    /// As it is called at the command line.
    pub fn name(self) -> &'static str {
        match self {
            Mix::Tsbs => "tsbs",
            Mix::Telegraf => "telegraf",
            Mix::Small => "small",
        }
    }

    /// Measurements of the mix where the user names no number.
    pub fn measurements(self) -> u64 {
        match self {
            Mix::Tsbs => 1,
            Mix::Telegraf => 14,
            Mix::Small => 8,
        }
    }
}

/// Which of a mix's series a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// Any one.
    Random,
    /// The series with this number: different numbers are different series.
    Number(u64),
}

/// A body whose timestamps can be set in place.
#[derive(Clone, Debug)]
pub struct Lines {
    pub bytes: Vec<u8>,
    /// Where each line's timestamp begins.
    stamps: Vec<usize>,
    /// Digits of a timestamp.
    digits: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Lines::new(STAMP_DIGITS)
    }
}

impl Lines {
    /// No lines yet; timestamps will have this many digits, 19 for nanoseconds.
    pub fn new(digits: usize) -> Self {
        Lines { bytes: Vec::new(), stamps: Vec::new(), digits }
    }

    /// Generates `count` lines over `measurements` names, with timestamps still unset.
    pub fn generate(mix: Mix, count: usize, measurements: u64, random: &mut Random) -> Self {
        let mut lines = Lines::default();
        for _ in 0..count {
            lines.push(mix, Series::Random, measurements, random);
        }
        lines
    }

    /// Appends a generated line.
    pub fn push(&mut self, mix: Mix, series: Series, measurements: u64, random: &mut Random) {
        let out = &mut self.bytes;
        match mix {
            Mix::Tsbs => tsbs::push(series, measurements, random, out),
            Mix::Telegraf => telegraf::push(series, measurements, random, out),
            Mix::Small => small::push(series, measurements, random, out),
        }
        self.end_line();
    }

    /// Appends somebody else's line, which comes without a timestamp and without an end of line.
    pub fn push_text(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.end_line();
    }

    fn end_line(&mut self) {
        self.bytes.push(b' ');
        self.stamps.push(self.bytes.len());
        self.bytes.resize(self.bytes.len() + self.digits, b'0');
        self.bytes.push(b'\n');
    }

    /// Where each line's timestamp begins in `bytes`.
    pub fn stamps(&self) -> &[usize] {
        &self.stamps
    }

    /// Gives line i the time `first + i * step`, in whatever unit the digits are meant for.
    pub fn stamp(&mut self, first: u64, step: u64) {
        let mut time = first;
        for at in &self.stamps {
            let mut rest = time;
            for digit in self.bytes[*at..*at + self.digits].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            time += step;
        }
    }

    /// The first `count` lines only, as bytes.
    pub fn first(&self, count: usize) -> &[u8] {
        match self.stamps.get(count.wrapping_sub(1)) {
            Some(at) => &self.bytes[..at + self.digits + 1],
            None => &self.bytes[..0],
        }
    }
}

/// A body of `count` lines over the measurements that the mix has by itself, 1 microsecond apart from
/// 14 November 2023 on. Equal arguments give equal bytes.
pub fn body(mix: Mix, count: usize, seed: u64) -> Vec<u8> {
    let mut lines = Lines::generate(mix, count, mix.measurements(), &mut Random::new(seed));
    lines.stamp(1_700_000_000_000_000_000, 1000);
    lines.bytes
}

/// A measurement's number and a host's: any, or those of a numbered series.
fn pick(series: Series, measurements: u64, hosts: u64, random: &mut Random) -> (u64, u64) {
    match series {
        Series::Random => (random.below(measurements), random.below(hosts)),
        Series::Number(number) => (number % measurements.max(1), number / measurements.max(1)),
    }
}

/// Writes `name`, or `name_3` for its copy number 3, so that any number of measurements can be had.
fn push_name(name: &str, copy: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    if copy > 0 {
        out.extend_from_slice(format!("_{copy}").as_bytes());
    }
}
