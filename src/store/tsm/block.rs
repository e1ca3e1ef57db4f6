//! A block: the type, the length of its times, times, values. The times alone know how many points there are.

use super::{Malformed, booleans, floats, integers, strings, times, uvarint};
use crate::store::value::{Column, FieldType, Values};

pub(super) fn type_byte(kind: FieldType) -> u8 {
    match kind {
        FieldType::Float => 0,
        FieldType::Integer => 1,
        FieldType::Boolean => 2,
        FieldType::String => 3,
        FieldType::Unsigned => 4,
    }
}

pub(super) fn type_of(byte: u8) -> Result<FieldType, Malformed> {
    Ok(match byte {
        0 => FieldType::Float,
        1 => FieldType::Integer,
        2 => FieldType::Boolean,
        3 => FieldType::String,
        4 => FieldType::Unsigned,
        _ => return Err(Malformed("a type of field that there is not")),
    })
}

/// Appends a block of all points, without a checksum. InfluxDB puts at most [`super::BLOCK_POINTS`] into one.
///
/// # Panics
/// If there is no point.
pub fn encode(column: &Column, out: &mut Vec<u8>) {
    assert!(!column.is_empty(), "a block without points");
    out.push(type_byte(column.values.kind()));
    let mut packed = Vec::new();
    times::write(&column.times, &mut packed);
    uvarint::write(packed.len() as u64, out);
    out.extend_from_slice(&packed);
    match &column.values {
        Values::Float(values) => floats::write(values, out),
        Values::Integer(values) => integers::write(values, out),
        Values::Unsigned(values) => integers::write(values, out),
        Values::String(values) => strings::write(values, out),
        Values::Boolean(values) => booleans::write(values, out),
    }
}

/// All points of a block, its checksum left out. Times are as they stand there, also where they do not rise.
pub fn decode(block: &[u8]) -> Result<Column, Malformed> {
    let (kind, packed, values) = parts(block)?;
    let times = times::read(packed)?;
    let count = times.len();
    let values = match kind {
        FieldType::Float => Values::Float(floats::read(values, count)?),
        FieldType::Integer => Values::Integer(integers::read(values, count)?),
        FieldType::Unsigned => Values::Unsigned(integers::read(values, count)?),
        FieldType::String => Values::String(strings::read(values, count)?),
        FieldType::Boolean => Values::Boolean(booleans::read(values, count)?),
    };
    Ok(Column { times, values })
}

/// How many points a block has, without decoding them.
pub fn count(block: &[u8]) -> Result<usize, Malformed> {
    times::count(parts(block)?.1)
}

/// Type, times, values.
fn parts(block: &[u8]) -> Result<(FieldType, &[u8], &[u8]), Malformed> {
    let (kind, rest) = block.split_first().ok_or(Malformed("an empty block"))?;
    let kind = type_of(*kind)?;
    let (len, rest) = uvarint::read(rest)?;
    let len = usize::try_from(len).ok().filter(|len| *len <= rest.len());
    let (packed, values) = rest.split_at(len.ok_or(Malformed("times have no end"))?);
    Ok((kind, packed, values))
}
