//! Bodies of generated lines, in the three mixes that people measure gateways with.
//!
//! Promise: equal seeds give equal lines; each line ends with a 19-digit timestamp in nanoseconds that
//! is written anew for every request. It knows nothing of HTTP. Read `body` (all that a benchmark needs), `Lines`, then
//! any one mix.

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
    /// Measurements of the mix where the user names no number.
    pub fn measurements(self) -> u64 {
        match self {
            Mix::Tsbs => 1,
            Mix::Telegraf => 14,
            Mix::Small => 8,
        }
    }
}

/// A body whose timestamps can be set in place.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    pub bytes: Vec<u8>,
    stamps: Vec<usize>,
}

impl Lines {
    /// Generates `count` lines over `measurements` names, with timestamps still unset.
    pub fn generate(mix: Mix, count: usize, measurements: u64, random: &mut Random) -> Self {
        let mut lines = Lines::default();
        for _ in 0..count {
            let out = &mut lines.bytes;
            match mix {
                Mix::Tsbs => tsbs::push(random.below(measurements), random, out),
                Mix::Telegraf => telegraf::push(measurements, random, out),
                Mix::Small => small::push(random.below(measurements), random, out),
            }
            out.push(b' ');
            lines.stamps.push(out.len());
            out.extend_from_slice(&[b'0'; STAMP_DIGITS]);
            out.push(b'\n');
        }
        lines
    }

    /// Gives line i the time `first_ns + i * step_ns`.
    pub fn stamp(&mut self, first_ns: u64, step_ns: u64) {
        let mut time_ns = first_ns;
        for at in &self.stamps {
            let mut rest = time_ns;
            for digit in self.bytes[*at..*at + STAMP_DIGITS].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            time_ns += step_ns;
        }
    }

    /// The first `count` lines only, as bytes.
    pub fn first(&self, count: usize) -> &[u8] {
        match self.stamps.get(count.wrapping_sub(1)) {
            Some(at) => &self.bytes[..at + STAMP_DIGITS + 1],
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

/// Writes `name`, or `name_3` for its copy number 3, so that any number of measurements can be had.
fn push_name(name: &str, copy: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    if copy > 0 {
        out.extend_from_slice(format!("_{copy}").as_bytes());
    }
}
