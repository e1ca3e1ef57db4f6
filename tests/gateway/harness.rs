//! The harness itself: its servers are real, and what it says of them is so.

use crate::support::metrics::Metrics;
use crate::support::prelude::*;
use crate::support::python::flux_server;
use crate::support::world::directory;

#[test]
fn a_real_server_keeps_its_points_through_a_kill() {
    let directory = directory();
    let mut server = Influxd::start(directory.path(), "real");
    server.create_database("d");
    server.write("d", "a,t=x v=1i,s=\"q\" 5\nb v=2.5 6").expect(204);
    let before = server.points("d");
    server.kill();
    assert!(Connection::try_open(server.address()).is_err());
    server.restart();
    assert_eq!(server.points("d"), before);
    let key = ("a,t=x".to_owned(), 5);
    assert_eq!(before[&key]["\"v\""], "1");
    assert_eq!(before.len(), 2);
    assert_eq!(server.measurements("d"), ["a", "b"]);
    assert_eq!(server.count("d", "SELECT count(v) FROM a"), 1);
}

#[test]
fn a_frozen_server_answers_again_when_thawed() {
    let directory = directory();
    let mut server = Influxd::start(directory.path(), "frozen");
    server.freeze();
    let mut connection = Connection::open(server.address());
    connection.send(&Request::get("/ping").bytes()).unwrap();
    assert!(!connection.closes_within(Duration::from_millis(300)));
    server.thaw();
    connection.answer(false).unwrap().expect(204);
}

#[test]
fn the_http_client_frames_as_a_real_server_reads() {
    let directory = directory();
    let server = Influxd::start(directory.path(), "framed");
    server.create_database("d");
    let mut connection = Connection::open(server.address());
    for (time, chunk) in [(1, None), (2, Some(1)), (3, Some(7))] {
        let line = format!("m v={time} {time}");
        let request = Request::post("/write?db=d", line).gzip();
        let request = chunk.map_or(request.clone(), |bytes| request.chunked(bytes));
        connection.request(&request).unwrap().expect(204);
    }
    assert_eq!(server.count("d", "SELECT sum(v) FROM m"), 6);
}

#[test]
fn the_flux_server_answers_only_what_was_recorded() {
    let directory = directory();
    let (_process, port) = flux_server(directory.path());
    let mut connection = Connection::open(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
    let question = Request::post("/api/v2/query", "{\"query\":\"buckets()\"}");
    assert_eq!(connection.request(&question).unwrap().status, 404);
    connection.request(&Request::get("/ping")).unwrap().expect(204);
}

#[test]
fn metrics_are_read_with_their_labels() {
    let text =
        "# HELP a b\n# TYPE a counter\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"3\"} 4.5\nb 1e3\n";
    let metrics = Metrics::parse(text);
    assert_eq!(metrics.sum("a", &[("x", "1")]), 7.5);
    assert_eq!(metrics.must("a", &[("y", "2")]), 3.0);
    assert_eq!(metrics.greatest("a", &[]), 4.5);
    assert_eq!(metrics.must("b", &[]), 1000.0);
    assert_eq!(metrics.sum("nosuch", &[]), 0.0);
}
