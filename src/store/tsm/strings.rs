//! Strings: each a length and its bytes, all together one piece of Snappy.

use super::{Malformed, uvarint};
use crate::store::value::Strings;
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

const KIND: u8 = 1 << 4;

/// A copy of 64 bytes takes three at least, so nothing honest grows more.
const GROWTH_MAX: usize = 22;

pub(super) fn write(values: &Strings, out: &mut Vec<u8>) {
    let mut plain = Vec::with_capacity(values.bytes());
    for value in values.iter() {
        uvarint::write(value.len() as u64, &mut plain);
        plain.extend_from_slice(value);
    }
    out.push(KIND);
    let begin = out.len();
    out.resize(begin + max_compress_len(plain.len()), 0);
    let packed = Encoder::new().compress(&plain, &mut out[begin..]);
    out.truncate(begin + packed.expect("room for the worst case, and below 4 GiB"));
}

/// Exactly `count` values.
pub(super) fn read(bytes: &[u8], count: usize) -> Result<Strings, Malformed> {
    let Some((&KIND, packed)) = bytes.split_first() else {
        return Err(Malformed("strings have no such encoding"));
    };
    const DAMAGED: Malformed = Malformed("strings are no whole Snappy");
    let plain_len = decompress_len(packed).map_err(|_| DAMAGED)?;
    if plain_len > packed.len() * GROWTH_MAX {
        return Err(Malformed("strings claim to be longer than Snappy can make them"));
    }
    let mut plain = vec![0; plain_len];
    Decoder::new().decompress(packed, &mut plain).map_err(|_| DAMAGED)?;
    if count > plain_len {
        return Err(Malformed("not as many strings as times"));
    }
    let mut values = Strings::with_capacity(count, plain_len - count);
    let mut rest = &plain[..];
    for _ in 0..count {
        let (len, after) = uvarint::read(rest)?;
        let len = usize::try_from(len).ok().filter(|len| *len <= after.len());
        let (value, after) = after.split_at(len.ok_or(Malformed("a string has no end"))?);
        values.push(value);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(Malformed("not as many strings as times"));
    }
    Ok(values)
}
