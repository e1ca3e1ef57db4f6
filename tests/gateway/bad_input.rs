//! Bad input of every kind: a clear error in the dialect of the endpoint, counted, harming nobody else.

use crate::support::neighbour::{Neighbour, V1, V2, expect_v1, expect_v2};
use crate::support::prelude::*;

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

/// In all it takes longer than one piece of a body may.
#[test]
fn a_large_body_that_comes_in_dribbles_is_heard_out() {
    let world = Setup::new().tables("[server]\nbody_timeout = \"1s\"").start();
    let line = |number: u32| format!("dribble text=\"{}\" {number}\n", "x".repeat(1000));
    let body: String = (0..300).map(line).collect();
    let mut connection = world.connect();
    // From here on the shard has memory for such a body, and waits for much at a time.
    connection.request(&Request::post(V1, &body)).unwrap().expect(204);
    let request = Request::post(V1, &body).bytes();
    for piece in request.chunks(20_000) {
        connection.send(piece).unwrap();
        std::thread::sleep(Duration::from_millis(150));
    }
    connection.answer(false).unwrap().expect(204);
    world.wait_drained(seconds(30));
    let counted = world.query("d", "SELECT count(text) FROM dribble").expect(200).text();
    assert!(counted.contains(",300]"), "{counted}");
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
    Neighbour::of(connection, 2).check(&world);
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
    Neighbour::of(connection, 1).check(&world);
}
