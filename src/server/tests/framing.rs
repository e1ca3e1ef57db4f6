//! What a connection does with bytes in every order and cut.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::world::World;
use crate::base::limits::HEAD_BYTES_MAX;
use crate::server::budget::Budget;

const HEAD: &str = "POST /write?db=d HTTP/1.1\r\nHost: h\r\n";

fn world() -> World {
    World::new(&[], &["d"])
}

fn plain(body: &str) -> Vec<u8> {
    format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// In chunks of `size` bytes.
fn chunked(more: &str, body: &[u8], size: usize) -> Vec<u8> {
    let mut out = format!("{HEAD}{more}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(size) {
        out.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

fn statuses(world: &mut World, input: &[u8], piece: usize, hangs_up: bool) -> (Vec<u16>, bool) {
    let seen = world.talk(input, piece, hangs_up);
    (seen.answers.iter().map(|answer| answer.status).collect(), seen.closed)
}

#[test]
fn pipelined_requests_are_answered_in_order_however_they_are_cut() {
    let gz = gzip(b"b v=2 2\n");
    let input = [
        plain("a v=1 1\n"),
        chunked("Content-Encoding: gzip\r\n", &gz, 5),
        b"GET /nosuch HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        plain("c v\n"),
        b"HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        plain("d v=4 4"),
    ]
    .concat();
    for piece in 1..input.len() {
        let mut world = world();
        let seen = statuses(&mut world, &input, piece, false);
        assert_eq!(seen, (vec![204, 204, 404, 400, 200, 204], false), "piece {piece}");
        assert_eq!(world.kept, ["d: a v=1", "d: b v=2", "d: d v=4"]);
    }
}

#[test]
fn a_body_without_a_sure_end_is_refused_and_the_connection_closed() {
    let cases = [
        (format!("{HEAD}Content-Length: 8\r\nTransfer-Encoding: chunked\r\n\r\n"), 400),
        (format!("{HEAD}Content-Length: 8\r\nContent-Length: 9\r\n\r\n"), 400),
        (format!("{HEAD}Content-Length: -8\r\n\r\n"), 400),
        (format!("{HEAD}Transfer-Encoding: xchunked\r\n\r\n"), 501),
        (format!("{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400),
        (format!("{HEAD}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), 400),
        (format!("{HEAD}Expect: foo\r\nContent-Length: 8\r\n\r\n"), 417),
        (format!("{HEAD}A : b\r\n\r\n"), 400),
        (format!("{HEAD}A: b\r\n c\r\n\r\n"), 400),
        (format!("{HEAD}\n\r\n\r\n"), 400),
        ("POST /write HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET http://h/ping HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 400),
        ("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
    ];
    for (text, status) in cases {
        // What would be smuggled behind it is never looked at.
        let input = [text.as_bytes(), &plain("a v=1 1")].concat();
        let mut world = world();
        assert_eq!(statuses(&mut world, &input, 7, false), (vec![status], true), "{text}");
        assert!(world.kept.is_empty());
    }
}

#[test]
fn heads_and_targets_have_limits() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(64 * 1024));
    assert_eq!(statuses(&mut world(), long.as_bytes(), 1000, false), (vec![414], true));
    let large = format!("{HEAD}A: {}\r\n\r\n", "a".repeat(HEAD_BYTES_MAX));
    assert_eq!(statuses(&mut world(), large.as_bytes(), 1000, false), (vec![431], true));
    let many = format!("{HEAD}{}\r\n", "A: b\r\n".repeat(101));
    assert_eq!(statuses(&mut world(), many.as_bytes(), 1000, false), (vec![431], true));
}

#[test]
fn a_short_body_is_refused_and_nothing_of_it_kept() {
    for input in [plain("a v=1 1\nb v=2 2\n"), chunked("", b"a v=1 1\nb v=2 2\n", 9)] {
        for end in input.len() - 12..input.len() {
            let mut world = world();
            let seen = world.talk(&input[..end], 8, true);
            assert_eq!(seen.answers.len(), 1);
            assert_eq!(seen.answers[0].body, "{\"error\":\"unexpected EOF\"}\n");
            assert!(seen.closed && world.kept.is_empty());
        }
    }
}

#[test]
fn a_client_that_waits_is_told_to_go_on_and_another_is_not() {
    let head = format!("{HEAD}Expect: 100-continue\r\nContent-Length: 7\r\n\r\n");
    let input = [head.as_bytes(), b"a v=1 1"].concat();
    let waits = world().talk(&input, head.len(), false);
    assert_eq!((waits.interim, waits.answers[0].status, waits.closed), (1, 204, false));
    let at_once = world().talk(&input, input.len(), false);
    assert_eq!((at_once.interim, at_once.answers[0].status), (0, 204));
    let refused = head.replace("db=d", "db=");
    let refused = world().talk(refused.as_bytes(), refused.len(), false);
    assert_eq!((refused.interim, refused.answers[0].status, refused.closed), (0, 400, true));
}

#[test]
fn http_10_is_answered_in_its_own_version_and_closed_unless_it_asks() {
    let ask =
        |more: &str| format!("POST /write?db=d HTTP/1.0\r\n{more}Content-Length: 7\r\n\r\na v=1 1");
    assert_eq!(statuses(&mut world(), ask("").as_bytes(), 9, false), (vec![204], true));
    let kept = ask("Connection: keep-alive\r\n");
    let twice = [kept.as_bytes(), kept.as_bytes()].concat();
    let seen = world().talk(&twice, 9, false);
    assert_eq!((seen.answers.len(), seen.closed), (2, false));
    assert_eq!(seen.answers[0].field("connection"), Some("keep-alive"));
}

#[test]
fn a_refused_body_is_read_away_if_it_is_short() {
    let bad = "POST /write HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\na v=1 1";
    let bad_chunks = "POST /write HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for first in [bad, bad_chunks] {
        let input = [first.as_bytes(), &plain("a v=1 1")].concat();
        for piece in 1..input.len() {
            assert_eq!(statuses(&mut world(), &input, piece, false), (vec![400, 204], false));
        }
    }
    let long = "POST /write HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n";
    assert_eq!(statuses(&mut world(), long.as_bytes(), 100, false), (vec![400], true));
    let endless = chunked("", &[b'a'; 400_000], 1000);
    let endless = [&b"POST /write HTTP/1.1\r\nHost: h\r\n"[..], &endless[HEAD.len()..]].concat();
    assert_eq!(statuses(&mut world(), &endless, 5000, false), (vec![400], true));
}

#[test]
fn bodies_have_limits_before_and_after_inflating() {
    let mut small = world();
    small.settings.server.body_bytes_max = 1000;
    small.settings.server.inflated_body_bytes_max = 5000;
    let told = format!("{HEAD}Content-Length: 1001\r\n\r\n");
    assert_eq!(statuses(&mut small, told.as_bytes(), 99, false), (vec![413], true));
    let untold = chunked("", &[b'#'; 1001], 100);
    assert_eq!(statuses(&mut small, &untold, 99, false), (vec![413], true));
    let fits = chunked("Content-Encoding: gzip\r\n", &gzip(&[b'#'; 5000]), 10);
    assert_eq!(statuses(&mut small, &fits, 99, false), (vec![204], false));
    let large = chunked("Content-Encoding: gzip\r\n", &gzip(&[b'#'; 5001]), 10);
    assert_eq!(statuses(&mut small, &large, 99, false), (vec![413], true));
    assert_eq!(small.budget.left(), 8_000_000, "everything came back");
}

#[test]
fn without_memory_a_request_is_told_to_come_back() {
    let mut full = world();
    let mut other = full.budget.lease();
    assert!(other.cover(8_000_000));
    let seen = full.talk(&[plain("a v=1 1"), plain("a v=1 1")].concat(), 50, false);
    assert_eq!(seen.answers.len(), 2, "the connection goes on");
    assert_eq!((seen.answers[0].status, seen.answers[0].field("retry-after")), (503, Some("1")));
    assert_eq!(seen.answers[0].body, "{\"error\":\"too many bytes in flight\"}\n");
    drop(other);
    let mut nearly_full = world();
    let mut other = nearly_full.budget.lease();
    assert!(other.cover(8_000_000 - 300 * 1024));
    let large = chunked("", "a v=1 1\n".repeat(50_000).as_bytes(), 4000);
    assert_eq!(statuses(&mut nearly_full, &large, 5000, false), (vec![503], true));
    assert!(nearly_full.kept.is_empty());
}

#[test]
fn a_body_that_no_budget_could_hold_need_not_come_back() {
    let mut small = world();
    small.budget = Budget::new(512 * 1024);
    let large = chunked("", "a v=1 1\n".repeat(80_000).as_bytes(), 4000);
    assert_eq!(statuses(&mut small, &large, 5000, false), (vec![413], true));
    assert_eq!(small.budget.left(), 512 * 1024);
}

#[test]
fn a_bad_gzip_body_is_refused_and_the_connection_goes_on() {
    let good = gzip(b"a v=1 1\n");
    let mut wrong_sum = good.clone();
    wrong_sum[good.len() - 6] ^= 1;
    let mut wrong_length = good.clone();
    wrong_length[good.len() - 2] ^= 1;
    let bodies = [
        good[..good.len() - 3].to_vec(),
        wrong_sum,
        wrong_length,
        b"a v=1 1\n".to_vec(),
        [&good[..], b"a v=1 1\n"].concat(),
        [&good[..], &good[..9]].concat(),
    ];
    for body in bodies {
        let mut input = chunked("Content-Encoding: gzip\r\n", &body, 6);
        input.extend(plain("c v=1 1"));
        for piece in 1..input.len() {
            let mut world = world();
            let seen = statuses(&mut world, &input, piece, false);
            assert_eq!(seen, (vec![400, 204], false), "piece {piece}");
            assert_eq!(world.kept, ["d: c v=1"]);
        }
    }
}

#[test]
fn gzip_announced_for_no_body_is_no_body() {
    let input = format!("{HEAD}Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(statuses(&mut world(), input.as_bytes(), 9, false), (vec![204], false));
    let input = chunked("Content-Encoding: gzip\r\n", b"", 1);
    assert_eq!(statuses(&mut world(), &input, 9, false), (vec![204], false));
}

#[test]
fn other_encodings_are_refused_with_those_that_are_known() {
    for name in ["deflate", "br", "zstd", "gzip, gzip"] {
        let input = format!("{HEAD}Content-Encoding: {name}\r\nContent-Length: 1\r\n\r\n#");
        let answer = world().ask(input.as_bytes());
        assert_eq!(answer.status, 415);
        assert_eq!(answer.field("accept-encoding"), Some("gzip, x-gzip, identity"));
    }
}

#[test]
fn large_bodies_breathe_and_arrive_whole() {
    let line = "cpu,host=a usage=1.5,idle=98i 1700000000000000000\n";
    let content = line.repeat(20_000);
    let mut world = world();
    let input = chunked("Content-Encoding: gzip\r\n", &gzip(content.as_bytes()), 4096);
    assert_eq!(statuses(&mut world, &input, 60_000, false), (vec![204], false));
    assert_eq!(world.kept.len(), 20_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_input_panics_and_no_cut_changes_the_answers(
        parts in proptest::collection::vec(prop_oneof![
            Just(plain("a v=1 1")),
            Just(chunked("", b"a v=1 1\nb v=1 1", 4)),
            Just(chunked("Content-Encoding: gzip\r\n", &gzip(b"a v=1 1"), 4)),
            Just(format!("{HEAD}Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n").into_bytes()),
            Just(b"\r\n".to_vec()),
            Just(b"GET /ping?verbose=1 HTTP/1.1\r\nHost: h\r\n\r\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20),
        ], 0..6),
        piece in 1usize..40,
        hangs_up: bool,
    ) {
        let input = parts.concat();
        let (mut one, mut other) = (world(), world());
        let whole = one.talk(&input, input.len().max(1), hangs_up);
        let cut = other.talk(&input, piece, hangs_up);
        prop_assert_eq!(&whole.answers, &cut.answers);
        prop_assert_eq!(one.kept, other.kept);
        prop_assert_eq!(one.budget.left(), 8_000_000);
    }
}
