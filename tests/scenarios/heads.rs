//! Rows 7 and 9: heads that could be read in two ways, and heads that are too large.

use crate::support::neighbour::{Neighbour, expect_v1, expect_v2, rejected};
use crate::support::prelude::*;

/// Raw bytes and the status; the connection must be closed after it.
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

pub fn bad_framing_is_refused_and_closed() {
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

pub fn heads_and_bodies_have_limits() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    let before = rejected(&world);
    let many = (0..101)
        .fold(Request::get("/ping"), |request, index| request.header(&format!("X-{index}"), "1"));
    assert_eq!(world.ask(&many).status, 431);
    let large = Request::get("/ping").header("X-Large", &"x".repeat(17 << 10));
    assert_eq!(world.ask(&large).status, 431);
    for bytes in [9 << 10, 64 << 10] {
        let target = format!("/ping?x={}", "y".repeat(bytes));
        assert_eq!(world.ask(&Request::get(&target)).status, 414, "{bytes}");
    }
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
    assert!(rejected(&world) - before >= 6.0);
    neighbour.check(&world);
}
