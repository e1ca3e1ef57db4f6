//! Booleans: how many, then a bit each, the highest of a byte first.

use super::{Malformed, uvarint};

const KIND: u8 = 1 << 4;

pub(super) fn write(values: &[bool], out: &mut Vec<u8>) {
    out.push(KIND);
    uvarint::write(values.len() as u64, out);
    let byte = |eight: &[bool]| {
        let bits = eight.iter().zip((0..8).rev());
        bits.fold(0, |byte, (value, shift)| byte | u8::from(*value) << shift)
    };
    out.extend(values.chunks(8).map(byte));
}

/// Exactly `count` values.
pub(super) fn read(bytes: &[u8], count: usize) -> Result<Vec<bool>, Malformed> {
    let Some((&KIND, rest)) = bytes.split_first() else {
        return Err(Malformed("booleans have no such encoding"));
    };
    let (claimed, bits) = uvarint::read(rest)?;
    if claimed != count as u64 || bits.len() < count.div_ceil(8) {
        return Err(Malformed("not as many booleans as times"));
    }
    let mut values = Vec::with_capacity(count.next_multiple_of(8));
    for byte in &bits[..count.div_ceil(8)] {
        values.extend([7, 6, 5, 4, 3, 2, 1, 0].map(|shift| byte >> shift & 1 == 1));
    }
    values.truncate(count);
    Ok(values)
}
