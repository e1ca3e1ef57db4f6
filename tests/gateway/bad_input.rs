//! Bad input of every kind: a clear error in the dialect of the endpoint, counted, harming nobody else.

use crate::support::http::{Connection, gzip};
use crate::support::prelude::*;

const V1: &str = "/write?db=d";
const V2: &str = "/api/v2/write?bucket=d&org=default";

/// A v1 error: JSON with one line end, and the header that Telegraf logs.
#[track_caller]
fn expect_v1(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("Content-Type"), Some("application/json"), "{}", answer.text());
    let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains(part), "`{error}` lacks `{part}`");
    assert!(answer.text().ends_with("}\n"), "{}", answer.text());
    if status != 401 {
        assert!(answer.header("X-Influxdb-Error").is_some(), "{:?}", answer.headers);
    }
}

/// A v2 error: JSON with the code, and the header of the same code.
#[track_caller]
fn expect_v2(answer: &Answer, status: u16, code: &str, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
    let body = answer.json();
    assert_eq!(body["code"], code, "{body}");
    assert!(
        body["message"].as_str().is_some_and(|text| text.contains(part)),
        "{body} lacks {part}"
    );
    assert_eq!(answer.header("X-Platform-Error-Code"), Some(code));
}

/// What a neighbour writes before and after each piece of bad input, over a connection of its own.
struct Neighbour {
    connection: Connection,
    written: i64,
}

impl Neighbour {
    fn new(world: &World) -> Neighbour {
        Neighbour { connection: world.connect(), written: 0 }
    }

    #[track_caller]
    fn write(&mut self) {
        self.written += 1;
        let line = format!("neighbour v=1i {}", self.written);
        self.connection.request(&Request::post(V1, line)).unwrap().expect(204);
    }

    fn check(self, world: &World) {
        world.wait_drained(seconds(30));
        for circle in 0..2 {
            let points = world.points(circle, "d");
            let own = points.keys().filter(|(name, _)| name == "neighbour").count();
            assert_eq!(own, usize::try_from(self.written).unwrap(), "circle {}", circle + 1);
            assert_eq!(own, points.len(), "bad input stored something: {:?}", points.keys());
        }
        world.expect_nothing_lost();
    }
}

/// Requests answered with this code, over all endpoints.
fn answered(world: &World, code: &str) -> f64 {
    world.metrics().sum("circlet_http_requests_total", &[("code", code)])
}

fn rejected(world: &World) -> f64 {
    world.metrics().sum("circlet_http_rejected_total", &[])
}

#[test]
fn an_unknown_database_is_404_in_both_dialects() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    let before = answered(&world, "404");
    for name in ["nosuch", "../x", "a/b/c", &"long".repeat(2500)[..7000]] {
        neighbour.write();
        let answer = world.ask(&Request::post(&format!("/write?db={}", encode(name)), "a v=1"));
        expect_v1(&answer, 404, "database not found: \"");
        let target = format!("/api/v2/write?org=default&bucket={}", encode(name));
        expect_v2(&world.ask(&Request::post(&target, "a v=1")), 404, "not found", "not found");
    }
    expect_v1(&world.ask(&Request::post("/write", "a v=1")), 400, "database is required");
    expect_v1(&world.ask(&Request::post("/write?db=", "a v=1")), 400, "database is required");
    let answer = world.ask(&Request::post("/api/v2/write?org=default", "a v=1"));
    expect_v2(&answer, 404, "not found", "bucket not found");
    assert_eq!(answered(&world, "404") - before, 9.0);
    neighbour.check(&world);
}

#[test]
fn a_wrong_token_is_401_in_both_dialects() {
    let world = Setup::new().tokens(&["right"]).start();
    let line = "a v=1 1";
    let before = answered(&world, "401");
    for value in
        ["Token wrong", "Token ", "Bearer wrong", "Basic cmlnaHQ6d3Jvbmc=", "right", "Token righ"]
    {
        let answer = world.ask(&Request::post(V1, line).header("Authorization", value));
        expect_v1(&answer, 401, "auth");
        assert!(answer.header("WWW-Authenticate").is_some());
        let answer = world.ask(&Request::post(V2, line).header("Authorization", value));
        expect_v2(&answer, 401, "unauthorized", "unauthorized access");
    }
    let answer = world.ask(&Request::post(V1, line));
    expect_v1(&answer, 401, "unable to parse authentication credentials");
    expect_v2(&world.ask(&Request::post(V2, line)), 401, "unauthorized", "unauthorized access");
    expect_v1(&world.ask(&Request::get("/query?db=d&q=SELECT+v+FROM+a")), 401, "credentials");
    let answer = world.ask(&Request::post("/write?db=d&u=any&p=wrong", line));
    expect_v1(&answer, 401, "authorization failed");
    assert_eq!(answered(&world, "401") - before, 16.0);
    world.ask(&Request::get("/ping")).expect(204);
    world.ask(&Request::get("/ready")).expect(200);
    for value in ["Token right", "token any:right", "Bearer right", "Basic YW55OnJpZ2h0"] {
        world.ask(&Request::post(V1, line).header("Authorization", value)).expect(204);
    }
    world.ask(&Request::post("/write?db=d&u=any&p=right", line)).expect(204);
}

#[test]
fn bad_lines_say_which_and_why() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    let before = world.metrics().sum("circlet_lines_rejected_total", &[]);
    let lines =
        ["nofields", "a v", "a v=", "a,=x v=1", "a v=NaN", "a v=\"open", "a v=1 12x", "a v=7u 1"];
    for line in lines {
        neighbour.write();
        let start = format!("unable to parse '{line}");
        let answer = world.ask(&Request::post(V1, line));
        expect_v1(&answer, 400, &start);
        expect_v2(&world.ask(&Request::post(V2, line)), 400, "invalid", &start);
    }
    let rejected = world.metrics().sum("circlet_lines_rejected_total", &[]) - before;
    assert_eq!(rejected, 2.0 * lines.len() as f64);
    let long = format!("a v=\"{}", "x".repeat(100_000));
    let answer = world.ask(&Request::post(V1, long));
    expect_v1(&answer, 400, "unable to parse");
    assert!(answer.body.len() < 600, "an error quotes at most 256 bytes: {}", answer.body.len());
    neighbour.check(&world);
}

#[test]
fn bad_parameters_are_400() {
    let world = Setup::new().start();
    let answer = world.ask(&Request::post("/write?db=d&precision=parsec", "a v=1"));
    expect_v1(&answer, 400, "precision");
    let answer = world.ask(&Request::post(&format!("{V2}&precision=h"), "a v=1"));
    expect_v2(&answer, 400, "invalid", "invalid precision");
    let answer = world.ask(&Request::post("/write?db=d&consistency=most", "a v=1"));
    expect_v1(&answer, 400, "invalid consistency level");
    let answer = world.ask(&Request::post("/query?db=d", ""));
    expect_v1(&answer, 400, "missing required parameter \"q\"");
    Neighbour::new(&world).check(&world);
}

#[test]
fn a_broken_gzip_body_is_400_and_stores_nothing() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    let before = rejected(&world);
    let whole = gzip(b"a v=1 1\na v=2 2\n");
    let mut wrong_sum = whole.clone();
    let at = wrong_sum.len() - 5;
    wrong_sum[at] ^= 1;
    let mut trailing = whole.clone();
    trailing.extend_from_slice(b"junk after the stream");
    let bodies =
        [b"not gzip at all".to_vec(), whole[..whole.len() - 9].to_vec(), wrong_sum, trailing];
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
    assert!(rejected(&world) - before >= 16.0);
    for encoding in ["br", "deflate", "zstd", "gzip, gzip"] {
        let request = Request::post(V1, "a v=1 1").header("Content-Encoding", encoding);
        expect_v1(&world.ask(&request), 415, "gzip");
        let request = Request::post(V2, "a v=1 1").header("Content-Encoding", encoding);
        assert_eq!(world.ask(&request).status, 415);
    }
    let empty = Request::post("/write?db=d", "").header("Content-Encoding", "gzip");
    world.ask(&empty).expect(204);
    neighbour.check(&world);
}

/// Raw bytes, the status, and what the client must see close.
const BAD_FRAMING: [(&str, u16); 12] = [
    (
        "POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n7\r\na v=1 1\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\na v=1 1",
        400,
    ),
    ("POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: -7\r\n\r\na v=1 1", 400),
    ("POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 7x\r\n\r\na v=1 1", 400),
    (
        "POST /write?db=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\na v=1 1\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST /write?db=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na",
        400,
    ),
    (
        "POST /write?db=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7\r\na v=1 1 and more\r\n",
        400,
    ),
    (
        "POST /write?db=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n7\r\na v=1 1\r\n0\r\n\r\n",
        501,
    ),
    ("POST /write?db=d HTTP/1.1\r\nHost : x\r\nContent-Length: 7\r\n\r\na v=1 1", 400),
    ("POST /write?db=d HTTP/1.1\r\nContent-Length: 7\r\n\r\na v=1 1", 400),
    ("FOO\r\n\r\n", 400),
    ("POST /write?db=d HTTP/3.0\r\nHost: x\r\nContent-Length: 7\r\n\r\na v=1 1", 505),
];

#[test]
fn bad_framing_is_refused_and_closed() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    let before = rejected(&world);
    for (sent, status) in BAD_FRAMING {
        neighbour.write();
        let mut connection = world.connect();
        connection.send(sent.as_bytes()).unwrap();
        let answer = connection.answer(false).unwrap_or_else(|error| panic!("{sent:?}: {error}"));
        assert_eq!(answer.status, status, "{sent:?}: {}", answer.text());
        assert!(connection.closes_within(seconds(5)), "{sent:?} left the connection open");
    }
    assert!(rejected(&world) - before >= BAD_FRAMING.len() as f64);
    neighbour.check(&world);
}

#[test]
fn a_body_cut_short_stores_nothing() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    let heads = [
        "POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\na v=1 1\na v=2 2\n",
        "POST /write?db=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8\r\na v=1 1\n\r\n8\r\na v=",
        "POST /write?db=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8\r\na v=1 1\n\r\n",
    ];
    for sent in heads {
        neighbour.write();
        let mut connection = world.connect();
        connection.send(sent.as_bytes()).unwrap();
        connection.end_sending();
        if let Ok(answer) = connection.answer(false) {
            assert_eq!(answer.status, 400, "{}", answer.text());
        }
        assert!(connection.closes_within(seconds(5)));
    }
    neighbour.check(&world);
}

#[test]
fn heads_and_bodies_have_limits() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    let before = rejected(&world);
    let many = (0..101)
        .fold(Request::get("/ping"), |request, index| request.header(&format!("X-{index}"), "1"));
    assert_eq!(world.ask(&many).status, 431);
    let large = Request::get("/ping").header("X-Large", &"x".repeat(17 << 10));
    assert_eq!(world.ask(&large).status, 431);
    let target = format!("/ping?x={}", "y".repeat(9 << 10));
    assert_eq!(world.ask(&Request::get(&target)).status, 414);
    neighbour.write();
    let mut connection = world.connect();
    let head = "POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 25000001\r\n\r\na v=1";
    connection.send(head.as_bytes()).unwrap();
    expect_v1(&connection.answer(false).unwrap(), 413, "Request Entity Too Large");
    let head =
        "POST /api/v2/write?bucket=d HTTP/1.1\r\nHost: x\r\nContent-Length: 25000001\r\n\r\n";
    let mut connection = world.connect();
    connection.send(head.as_bytes()).unwrap();
    expect_v2(&connection.answer(false).unwrap(), 413, "request too large", "");
    assert!(rejected(&world) - before >= 5.0);
    neighbour.check(&world);
}

#[test]
fn a_chunked_body_is_cut_at_the_limit() {
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
        Ok(answer) => assert_eq!(answer.status, 413, "{}", answer.text()),
        Err(error) => assert!(refused.is_some(), "40 MB were taken, then {error}"),
    }
    neighbour.write();
    neighbour.check(&world);
}

/// 64 MiB of blanks and more in some tens of KB.
#[test]
fn a_gzip_bomb_costs_neither_memory_nor_time() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    neighbour.write();
    let before = world.circlet.resident_bytes();
    for body in [vec![b'x'; 256 << 20], "a v=1 1\n".repeat(32 << 20).into_bytes()] {
        let started = std::time::Instant::now();
        let request = Request::post(V1, body).gzip();
        let packed = started.elapsed();
        let started = std::time::Instant::now();
        let answer = world.ask(&request);
        expect_v1(&answer, 413, "");
        let took = started.elapsed();
        assert!(took < seconds(5), "{took:?} (packing took {packed:?})");
    }
    let more = world.circlet.resident_bytes().saturating_sub(before);
    assert!(more < 200 << 20, "memory grew by {} MiB", more >> 20);
    neighbour.check(&world);
}

#[test]
fn a_slow_client_is_closed_and_hinders_nobody() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    let mut slow: Vec<Connection> = (0..50).map(|_| world.connect()).collect();
    for connection in &mut slow {
        connection.send(b"POST /write?db=d HTTP/1.1\r\nHost: x\r\n").unwrap();
    }
    let started = std::time::Instant::now();
    for _ in 0..20 {
        neighbour.write();
    }
    assert!(started.elapsed() < seconds(5));
    for connection in &mut slow {
        let answer = connection.answer(false);
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 408));
    }
    let closed_after = started.elapsed();
    assert!((seconds(5)..seconds(20)).contains(&closed_after), "{closed_after:?}");
    neighbour.check(&world);
}

#[test]
fn unknown_paths_and_methods_are_named() {
    let world = Setup::new().start();
    assert_eq!(world.ask(&Request::get("/nosuch")).status, 404);
    assert_eq!(world.ask(&Request::post("/api/v2/nosuch", "")).json()["code"], "not found");
    for (method, target) in [("GET", V1), ("PUT", V1), ("GET", V2), ("DELETE", "/ping")] {
        let answer = world.ask(&Request::new(method, target));
        assert_eq!(answer.status, 405, "{method} {target}: {}", answer.text());
        assert!(answer.header("Allow").is_some_and(|allow| allow.len() > 2), "{method} {target}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_around_a_bad_one() {
    let world = Setup::new().start();
    let mut connection = world.connect();
    let mut sent = Request::post(V1, "neighbour v=1i 1").bytes();
    sent.extend(Request::post(V1, "bad").bytes());
    sent.extend(Request::post(V1, "neighbour v=1i 2").bytes());
    sent.extend(Request::get("/ping").bytes());
    connection.send(&sent).unwrap();
    let statuses: Vec<u16> = (0..4).map(|_| connection.answer(false).unwrap().status).collect();
    assert_eq!(statuses, [204, 400, 204, 204]);
    Neighbour { connection, written: 2 }.check(&world);
}

#[test]
fn expect_100_continue_is_answered_before_the_body() {
    let world = Setup::new().start();
    let mut connection = world.connect();
    let head = "POST /write?db=d HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 16\r\n\r\n";
    connection.send(head.as_bytes()).unwrap();
    crate::support::wait::let_pass(Duration::from_millis(50));
    connection.send(b"neighbour v=1i 1").unwrap();
    let answer = connection.answer(false).unwrap().expect(204);
    assert_eq!(answer.interim, [100]);
    Neighbour { connection, written: 1 }.check(&world);
}
