//! Escapes of a measurement's name.

use std::borrow::Cow;

/// The name that the servers store for `raw`: a backslash before `,` `=` `"` or a blank is dropped, every
/// other backslash stays, two of them stay two. Borrows where nothing is dropped.
pub fn decode_measurement(raw: &[u8]) -> Cow<'_, [u8]> {
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
