//! Escapes of a measurement's name.

use std::borrow::Cow;

/// The name that the servers store for `raw`: a backslash before `,` `=` `"` or a blank is dropped, every
/// other backslash stays, two of them stay two. Borrows where nothing is dropped.
#[inline]
pub fn decode_measurement(raw: &[u8]) -> Cow<'_, [u8]> {
    if is_short_and_plain(raw) {
        return Cow::Borrowed(raw);
    }
    decode_escapes(raw)
}

/// 8 to 16 bytes without a backslash, which is nearly every name: two words tell, without a call.
#[inline]
fn is_short_and_plain(raw: &[u8]) -> bool {
    let (Some(front), Some(back), ..=16) = (raw.first_chunk(), raw.last_chunk(), raw.len()) else {
        return raw.len() < 8 && !raw.contains(&b'\\');
    };
    !has_backslash(u64::from_le_bytes(*front)) && !has_backslash(u64::from_le_bytes(*back))
}

/// Whether one of the eight bytes is a backslash: a byte that is zero after the XOR borrows from its top bit.
#[inline]
fn has_backslash(bytes: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let zero_there = bytes ^ (ONES * b'\\' as u64);
    zero_there.wrapping_sub(ONES) & !zero_there & (ONES << 7) != 0
}

fn decode_escapes(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', raw) else { return Cow::Borrowed(raw) };
    let mut name = Vec::with_capacity(raw.len());
    name.extend_from_slice(&raw[..first]);
    let mut rest = &raw[first..];
    loop {
        rest = match rest {
            [b'\\', escaped @ (b',' | b'=' | b'"' | b' '), after @ ..] => {
                name.push(*escaped);
                after
            }
            [byte, after @ ..] => {
                name.push(*byte);
                after
            }
            [] => return Cow::Owned(name),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_is_seen_at_every_place_of_a_name_of_any_length() {
        for len in 0..40 {
            for letter in [b'a', 0x5b, 0x5d, 0xdc, 0x80, 0xff, 0, 1] {
                let mut name = vec![letter; len];
                assert!(matches!(decode_measurement(&name), Cow::Borrowed(_)), "{name:?}");
                for at in 0..len.saturating_sub(1) {
                    name[at] = b'\\';
                    name[at + 1] = b',';
                    assert_eq!(decode_measurement(&name).len(), len - 1, "{name:?}");
                    name[at] = letter;
                    name[at + 1] = letter;
                }
            }
        }
    }
}
