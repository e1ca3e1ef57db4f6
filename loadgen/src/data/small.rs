//! Tiny lines: what costs here is the line, not its bytes.

use super::{Random, Series};
use std::io::Write;

const MEASUREMENTS: [&str; 8] =
    ["load", "temp", "power", "level", "flow", "speed", "press", "humid"];

pub fn push(series: Series, measurements: u64, random: &mut Random, out: &mut Vec<u8>) {
    let (pick, room) = super::pick(series, measurements, 100, random);
    let kinds = MEASUREMENTS.len() as u64;
    super::push_name(MEASUREMENTS[(pick % kinds) as usize], pick / kinds, out);
    let (whole, part) = (random.below(1000), random.below(10));
    write!(out, ",unit=r{room:02} value={whole:03}.{part}").expect("a vector takes every byte");
}
