//! Rows 1 to 6: bodies that are too large, broken, empty, or packed in a way that nobody asked for.

use crate::support::http::gzip;
use crate::support::neighbour::{Neighbour, V1, V2, answered, expect_v1, expect_v2, rejected};
use crate::support::prelude::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Instant;

/// Of the gateways that bombs are thrown at, in bytes.
const INFLATED_MAX: u64 = 16 << 20;

/// So often is a neighbour answered while bombs fall.
const MEANWHILE: i64 = 20;

fn narrow() -> Setup {
    Setup::new().tables("[server]\nmax_inflated_body = \"16MiB\"\nmemory = \"64MiB\"")
}

/// One gzip member of so many MiB of this text again and again, packed as small as it goes.
fn bomb(text: &str, mebibytes: usize) -> Vec<u8> {
    let block = text.repeat((1 << 20) / text.len());
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..mebibytes {
        encoder.write_all(block.as_bytes()).unwrap();
    }
    encoder.finish().unwrap()
}

pub fn half_a_gigabyte_in_one_line_is_413() {
    let world = narrow().start();
    let mut neighbour = Neighbour::new(&world);
    neighbour.write();
    let before = world.circlet.resident_bytes();
    let body = bomb("x", 512);
    assert!(body.len() < 1 << 20, "{} bytes are no bomb", body.len());
    for target in [V1, V2] {
        let answer = world.ask(&Request::post(target, &body).header("Content-Encoding", "gzip"));
        assert_eq!(answer.status, 413, "{}", answer.text());
        assert!(answer.body.len() < 600, "an error quotes at most 256 bytes: {}", answer.text());
    }
    let more = world.circlet.resident_bytes().saturating_sub(before);
    assert!(more < 2 * INFLATED_MAX, "memory grew by {} MiB", more >> 20);
    neighbour.write();
    neighbour.check(&world);
}

pub fn sixteen_million_lines_in_half_a_megabyte_hinder_nobody() {
    let world = narrow().start();
    let body = bomb("measure v=1 1700\n", 256);
    assert!(body.len() < 1 << 20, "{} bytes are no bomb", body.len());
    let before = world.circlet.resident_bytes();
    let (done, written) = (AtomicBool::new(false), AtomicI64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut neighbour = Neighbour::new(&world);
            while !done.load(Ordering::Relaxed) {
                neighbour.write();
                written.fetch_add(1, Ordering::Relaxed);
            }
        });
        // Until the neighbour has been answered often enough, which is meanwhile.
        let throw = || {
            let began = Instant::now();
            let mut thrown = 0;
            while thrown < 5 || written.load(Ordering::Relaxed) < MEANWHILE {
                assert!(began.elapsed() < seconds(60), "{written:?} answers in a minute of bombs");
                let request = Request::post(V1, &body).header("Content-Encoding", "gzip");
                expect_v1(&world.ask(&request), 413, "");
                thrown += 1;
            }
        };
        let throwers: Vec<_> = (0..3).map(|_| scope.spawn(throw)).collect();
        let outcomes: Vec<_> = throwers.into_iter().map(|thrower| thrower.join()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()), "every bomb is answered 413");
    });
    let more = world.circlet.resident_bytes().saturating_sub(before);
    assert!(more < 4 * INFLATED_MAX, "three at a time, and memory grew by {} MiB", more >> 20);
    Neighbour::of(world.connect(), written.into_inner()).check(&world);
}

pub fn a_broken_gzip_body_is_400_and_stores_nothing() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    let before = rejected(&world);
    let whole = gzip(b"a v=1 1\na v=2 2\n");
    let mut wrong_sum = whole.clone();
    let at = wrong_sum.len() - 5;
    wrong_sum[at] ^= 1;
    let mut wrong_length = whole.clone();
    let at = wrong_length.len() - 1;
    wrong_length[at] ^= 1;
    let mut trailing = whole.clone();
    trailing.extend_from_slice(b"junk after the stream");
    let bodies = [
        b"not gzip at all".to_vec(),
        whole[..whole.len() - 9].to_vec(),
        wrong_sum,
        wrong_length,
        trailing,
    ];
    for body in &bodies {
        for chunked in [false, true] {
            neighbour.write();
            let request = |target| {
                let request = Request::post(target, body).header("Content-Encoding", "gzip");
                if chunked { request.chunked(5) } else { request }
            };
            expect_v1(&world.ask(&request(V1)), 400, "");
            expect_v2(&world.ask(&request(V2)), 400, "invalid", "");
        }
    }
    assert!(rejected(&world) - before >= 20.0);
    neighbour.check(&world);
}

pub fn members_one_after_the_other_are_one_body() {
    let world = Setup::new().circles(1, 1).start();
    let members = [gzip(b"neighbour v=1i 1\nneighbo"), gzip(b"ur v=1i 2\n"), gzip(b"")].concat();
    for chunk in [None, Some(7)] {
        let request = Request::post(V1, &members).header("Content-Encoding", "gzip");
        world.ask(&chunk.map_or(request.clone(), |bytes| request.chunked(bytes))).expect(204);
    }
    Neighbour::of(world.connect(), 2).check(&world);
}

pub fn an_empty_gzip_body_is_an_empty_body() {
    let world = Setup::new().circles(1, 1).start();
    let gzipped = |request: Request| request.header("Content-Encoding", "gzip");
    world.ask(&gzipped(Request::post(V1, ""))).expect(204);
    world.ask(&gzipped(Request::post(V1, "").chunked(1))).expect(204);
    world.ask(&gzipped(Request::post(V2, ""))).expect(204);
    let query = Request::get("/query?db=d&q=SELECT+v+FROM+nothing");
    let answer = world.ask(&gzipped(query)).expect(200);
    assert_eq!(answer.text(), "{\"results\":[{\"statement_id\":0}]}\n");
    Neighbour::new(&world).check(&world);
}

pub fn an_unknown_encoding_is_415_with_those_that_are_known() {
    let world = Setup::new().circles(1, 1).start();
    let before = answered(&world, "415");
    for encoding in ["br", "deflate", "zstd", "gzip, gzip"] {
        let request = Request::post(V1, "a v=1 1").header("Content-Encoding", encoding);
        expect_v1(&world.ask(&request), 415, "gzip");
        let request = Request::post(V2, "a v=1 1").header("Content-Encoding", encoding);
        assert_eq!(world.ask(&request).status, 415);
    }
    assert_eq!(answered(&world, "415") - before, 8.0);
    Neighbour::new(&world).check(&world);
}

pub fn a_chunked_body_is_cut_at_the_limit() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    let mut connection = world.connect();
    connection
        .send(b"POST /write?db=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    let mut chunk = format!("{:x}\r\n", 1 << 20).into_bytes();
    chunk.extend_from_slice(&"a v=1 1\n".repeat(1 << 17).into_bytes());
    chunk.extend_from_slice(b"\r\n");
    let refused = (0..40).find(|_| connection.send(&chunk).is_err());
    match connection.answer(false) {
        Ok(answer) => {
            assert_eq!(answer.status, 413, "{}", answer.text());
            assert!(connection.closes_within(seconds(10)), "the connection stays open");
        }
        Err(error) => assert!(refused.is_some(), "40 MB were taken, then {error}"),
    }
    neighbour.write();
    neighbour.check(&world);
}
