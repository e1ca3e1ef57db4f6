use std::io::Write;

use flate2::{Compression, GzBuilder, write::GzEncoder};
use proptest::prelude::*;

use super::*;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Inflates `input` cut into pieces of `piece` bytes, in slices of `slice` bytes.
fn inflate_cut(input: &[u8], piece: usize, slice: usize, max: u64) -> Result<Vec<u8>, Error> {
    let mut inflate = Inflate::new(max);
    let (mut out, mut room) = (Vec::new(), vec![0; slice]);
    for piece in input.chunks(piece) {
        let mut rest = piece;
        loop {
            let pushed = inflate.push(rest, &mut room)?;
            out.extend_from_slice(&room[..pushed.produced]);
            rest = &rest[pushed.consumed..];
            if rest.is_empty() && pushed.produced < slice {
                break;
            }
        }
    }
    inflate.finish()?;
    assert_eq!(out.len() as u64, inflate.total_out());
    Ok(out)
}

fn inflate(input: &[u8]) -> Result<Vec<u8>, Error> {
    inflate_cut(input, input.len().max(1), 1 << 16, 1 << 30)
}

#[test]
fn members_in_a_row_are_one_body() {
    let mut body = gzip(b"m v=1 1\n");
    body.extend(gzip(b""));
    body.extend(gzip(b"m v=2 2\n"));
    assert_eq!(inflate(&body).unwrap(), b"m v=1 1\nm v=2 2\n");
}

#[test]
fn no_bytes_are_no_content() {
    assert_eq!(inflate(b"").unwrap(), b"");
    assert_eq!(inflate(&gzip(b"")).unwrap(), b"");
}

#[test]
fn optional_parts_of_the_header_are_skipped() {
    let mut encoder = GzBuilder::new()
        .filename("a name")
        .comment("a comment")
        .extra(vec![1, 2, 3])
        .write(Vec::new(), Compression::fast());
    encoder.write_all(b"a v=1").unwrap();
    let body = encoder.finish().unwrap();
    for piece in 1..body.len() {
        assert_eq!(inflate_cut(&body, piece, 7, 100).unwrap(), b"a v=1");
    }
}

#[test]
fn a_header_checksum_is_checked() {
    let plain = gzip(b"a v=1");
    let mut header = plain[..10].to_vec();
    header[3] |= FLAG_HEADER_CHECKSUM;
    let mut crc = Crc::new();
    crc.update(&header);
    let [low, high, ..] = crc.sum().to_le_bytes();
    let body = [&header[..], &[low, high], &plain[10..]].concat();
    assert_eq!(inflate(&body).unwrap(), b"a v=1");
    let wrong = [&header[..], &[low, high ^ 1], &plain[10..]].concat();
    assert_eq!(inflate(&wrong), Err(Error::NotGzip));
}

#[test]
fn every_way_to_be_wrong_has_its_name() {
    let good = gzip(b"cpu v=1 1\ncpu v=2 2\n");
    assert_eq!(inflate(b"not gzip"), Err(Error::NotGzip));
    assert_eq!(inflate(b"\x1f\x8b\x07"), Err(Error::NotGzip));
    for length in 1..good.len() {
        assert_eq!(inflate(&good[..length]), Err(Error::Truncated), "{length}");
    }
    for at in 1..=8 {
        let mut wrong = good.clone();
        let place = wrong.len() - at;
        wrong[place] ^= 0x10;
        assert_eq!(inflate(&wrong), Err(Error::BadChecksum), "byte {at} from the end");
    }
    assert_eq!(inflate(&[&good[..], b"garbage"].concat()), Err(Error::TrailingJunk));
    assert_eq!(inflate(&[&good[..], b"\x1f"].concat()), Err(Error::Truncated));
    let mut corrupt = good;
    corrupt[10] = 0xff;
    assert_eq!(inflate(&corrupt), Err(Error::Corrupt));
}

#[test]
fn content_stops_one_byte_above_the_limit() {
    let body = gzip(&[b'a'; 1000]);
    assert_eq!(inflate_cut(&body, 10, 64, 1000).unwrap().len(), 1000);
    assert_eq!(inflate_cut(&body, 10, 64, 999), Err(Error::TooLarge));
    let mut out = vec![0; 1 << 10];
    assert_eq!(Inflate::new(10).push(&body, &mut out), Err(Error::TooLarge));
    assert!(out.starts_with(&[b'a'; 11]) && out[11..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_bomb_is_found_by_its_ratio() {
    let body = gzip(&vec![0; 8 << 20]);
    assert!(body.len() * 200 < 8 << 20);
    let mut inflate = Inflate::new(1 << 30);
    let mut out = vec![0; 1 << 16];
    let (mut at, mut bytes) = (0, 0);
    let error = loop {
        match inflate.push(&body[at..], &mut out) {
            Ok(pushed) => (at, bytes) = (at + pushed.consumed, bytes + pushed.produced),
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::TooLarge);
    assert!(bytes <= (1 << 20) + (1 << 17), "{bytes} bytes before it was found");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_cut_and_slice_gives_the_same_content(
        members in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 1..4),
        piece in 1usize..60,
        slice in 1usize..90,
    ) {
        let body: Vec<u8> = members.iter().flat_map(|content| gzip(content)).collect();
        prop_assert_eq!(inflate_cut(&body, piece, slice, 1 << 20).unwrap(), members.concat());
    }

    #[test]
    fn no_input_panics_and_no_cut_changes_the_verdict(
        mut body in proptest::collection::vec(any::<u8>(), 0..100).prop_map(|content| gzip(&content)),
        hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        piece in 1usize..20,
    ) {
        for (index, byte) in hits {
            let at = index.index(body.len());
            body[at] = byte;
        }
        let whole = inflate(&body);
        prop_assert_eq!(inflate_cut(&body, piece, 16, 1 << 30), whole);
    }
}
