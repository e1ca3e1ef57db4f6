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
