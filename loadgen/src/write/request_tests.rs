//! Laws of prepared requests: whatever the coding, they carry the lines with the times that they should.

use super::*;
use crate::destination::Coding;
use crate::write::times::Precision;
use circlet_load::data::{Mix, Random};
use std::io::Read;

fn destination(gzip: bool, chunked: bool) -> Destination {
    let (address, head) = ("h:1".to_owned(), "POST /write HTTP/1.1\r\n".to_owned());
    Destination { address, head, coding: Coding { gzip, chunked } }
}

fn lines(mix: Mix, count: usize, digits: usize) -> Lines {
    let (mut lines, mut random) = (Lines::new(digits), Random::new(3));
    for _ in 0..count {
        lines.push(mix, circlet_load::data::Series::Random, mix.measurements(), &mut random);
    }
    lines
}

/// The body of a request, without its framing.
fn body(request: &Request, chunked: bool) -> Vec<u8> {
    let end = request.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let (head, mut rest) = request.bytes.split_at(end + 4);
    let head = String::from_utf8(head.to_vec()).unwrap();
    if !chunked {
        let length: usize = head.rsplit(": ").next().unwrap().trim().parse().unwrap();
        assert_eq!(length, rest.len());
        return rest.to_vec();
    }
    assert!(head.contains("Transfer-Encoding: chunked"));
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size..];
        assert!(rest.starts_with(b"\r\n"));
        rest = &rest[2..];
        if size == 0 {
            assert!(rest.is_empty());
            return body;
        }
    }
}

/// What a server makes of a request.
fn text(request: &Request, gzip: bool, chunked: bool) -> String {
    let body = body(request, chunked);
    assert_eq!(body.len() as u64, request.body_bytes);
    let mut text = String::new();
    if gzip {
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(body).unwrap();
    }
    assert_eq!(text.len() as u64, request.plain_bytes);
    text
}

#[test]
fn every_coding_carries_every_line_at_its_time() {
    let first_ns = 1_790_000_099_999_000_000;
    for (gzip, chunked) in [(false, false), (false, true), (true, false), (true, true)] {
        for (mix, precision, count) in [
            (Mix::Tsbs, Precision::Ns, 1000),
            (Mix::Telegraf, Precision::Us, 1000),
            (Mix::Small, Precision::Ms, 2000),
            (Mix::Telegraf, Precision::S, 1),
            (Mix::Small, Precision::Ns, 3),
        ] {
            let times = Times::new(precision, count as u64, first_ns);
            let destination = destination(gzip, chunked);
            let gzip_level = 6;
            let maker = Maker { destination: &destination, times, lines: count as u64, gzip_level };
            let mut request = maker.make(&mut lines(mix, count, precision.digits())).unwrap();
            let span = 10u64.pow((precision.digits() - times.prefix_digits) as u32);
            // With 10^8 more than the digits written in every use move.
            for number in [0, 1, 2, 999, 1000, 200_000_000, 3] {
                let prefix = times.prefix(number);
                request.stamp(prefix);
                let mut wanted = lines(mix, count, precision.digits());
                wanted.stamp(prefix * span, times.step);
                let wanted = String::from_utf8(wanted.bytes).unwrap();
                let got = text(&request, gzip, chunked);
                assert!(got == wanted, "{mix:?} {precision:?} {gzip} {chunked} {number}");
            }
        }
    }
}

#[test]
fn every_level_of_compression_can_be_given_new_times_for_little_more_bytes() {
    for mix in [Mix::Tsbs, Mix::Telegraf, Mix::Small] {
        for level in [1, 4, 6, 9] {
            let mut lines = lines(mix, 1000, 19);
            lines.stamp(1_790_000_000_000_000_000, 1000);
            let mut usual = Vec::new();
            crate::http::gzip(&lines.bytes, level, &mut usual).unwrap();
            let stamps = lines.stamps().to_vec();
            let packed = pack(&mut lines.bytes, &stamps, 13, level).unwrap();
            let packed = packed.unwrap_or_else(|| panic!("{mix:?} at level {level}"));
            let (have, usual) = (packed.bytes.len(), usual.len());
            // At level 1 the compressor forgets most of what it has seen, and is helped to see it.
            let more = if level == 1 { 1.35 } else { 1.05 };
            assert!(
                (have as f64) < usual as f64 * more,
                "{mix:?} {level}: {have}, usually {usual}"
            );
        }
    }
}

#[test]
fn lines_that_repeat_for_long_stretches_can_be_packed() {
    // Longer than the longest reference, which may then end within a timestamp.
    for length in 200..320 {
        let mut lines = Lines::new(19);
        let line = format!("m,t={} f=1", "x".repeat(length));
        (0..50).for_each(|_| lines.push_text(line.as_bytes()));
        let destination = destination(true, false);
        let times = Times::new(Precision::Ns, 50, 1_790_000_000_000_000_000);
        let maker = Maker { destination: &destination, times, lines: 50, gzip_level: 6 };
        let mut request = maker.make(&mut lines).unwrap();
        request.stamp(times.prefix(7));
        assert_eq!(text(&request, true, false).lines().count(), 50);
    }
}
