//! Gzip in one go: a body of one member that is there as a whole, the common case, and faster than slices.
//!
//! What is not plainly that is left to the stream, which knows every case and every error.

use libdeflater::{Decompressor, crc32};

/// Where a second member could begin.
const MAGIC: &[u8] = b"\x1f\x8b\x08";

/// Bytes of the shortest header and of the trailer.
const HEADER_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;

/// The length that the body says its content has, in bytes: of its last member, modulo 4 GiB.
pub fn told_len(body: &[u8]) -> Option<usize> {
    let (rest, length) = body.split_last_chunk::<4>()?;
    let is_plausible = rest.len() >= HEADER_BYTES + 4 && rest.starts_with(MAGIC);
    is_plausible.then_some(u32::from_le_bytes(*length) as usize)
}

/// Inflates a body of one member to `out`, which is as long as it says. False leaves anything in `out` and
/// says nothing about the body.
///
/// The trailer that was checked must be the body's end: the same sum and length stand there, and no other
/// member can begin behind the first.
pub fn inflate_whole(body: &[u8], out: &mut [u8]) -> bool {
    let is_one = memchr::memmem::find(&body[1..], MAGIC).is_none();
    let filled = is_one.then(|| Decompressor::new().gzip_decompress(body, out));
    let sum = &body[body.len() - TRAILER_BYTES..body.len() - 4];
    filled == Some(Ok(out.len())) && sum == crc32(out).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn whole(body: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0; told_len(body)?];
        inflate_whole(body, &mut out).then_some(out)
    }

    #[test]
    fn one_member_is_inflated_at_once() {
        for content in [&b""[..], b"m v=1 1\n", &b"cpu,host=a usage=1.5 12345\n".repeat(1000)] {
            assert_eq!(whole(&gzip(content)).as_deref(), Some(content));
        }
    }

    #[test]
    fn what_is_not_one_whole_member_is_left_to_the_stream() {
        let one = gzip(b"m v=1 1\n");
        let same_twice = [&one[..], &one].concat();
        let other = [&one[..], &gzip(b"m v=2 2\n")].concat();
        let mut wrong = one.clone();
        wrong[one.len() - 6] ^= 1;
        let junk = [&one[..], b"junk"].concat();
        for body in [&same_twice[..], &other, &wrong, &junk, &[0; 40], b"", b"\x1f\x8b\x08"] {
            assert_eq!(whole(body), None, "{body:?}");
        }
        for len in 0..one.len() {
            assert_eq!(whole(&one[..len]), None, "{len}");
        }
    }
}
