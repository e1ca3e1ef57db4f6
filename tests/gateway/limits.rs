//! Nobody takes it all: questions at once, connections of one client, and bodies that hardly come are limited.

use crate::support::metrics::Metrics;
use crate::support::neighbour::{V1, V2, expect_v1, expect_v2};
use crate::support::prelude::*;
use crate::support::proxy::Trouble;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

const ASK: &str = "/query?db=d&q=SELECT+v+FROM+m";

fn wait_running(world: &World, wanted: f64) {
    until(&format!("{wanted} questions run"), seconds(20), || {
        (world.metrics().must("circlet_queries_running", &[]) == wanted).then_some(())
    });
}

#[test]
fn a_question_too_many_is_told_to_come_back_and_one_that_leaves_makes_room() {
    let world = Setup::new().circles(1, 1).proxied().write("ack_wait = \"200ms\"");
    let world = world.tables("[query]\nmax_queries = 1\n").start();
    world.write("d", "m v=1 1").expect(204);
    world.ask(&Request::get(ASK)).expect(200);
    wait_running(&world, 0.0);
    let backend = world.server("influxdb-1-1").name.clone();
    world.proxy(&backend).make(Trouble::Silence);
    let mut patient = world.connect();
    patient.send(&Request::get(ASK).bytes()).unwrap();
    wait_running(&world, 1.0);
    // New connections, so that every shard is asked.
    for _ in 0..4 {
        let answer = world.ask(&Request::get(ASK));
        expect_v1(&answer, 503, "1 queries run already, as many as [query] max_queries allows");
        assert_eq!(answer.header("Retry-After"), Some("1"));
    }
    let flux = Request::post("/api/v2/query?org=default", "from(bucket: \"d\")")
        .header("Content-Type", "application/vnd.flux");
    let answer = world.ask(&flux);
    expect_v2(&answer, 503, "unavailable", "[query] max_queries");
    assert_eq!(answer.header("Retry-After"), Some("1"));
    // What changes something goes by way of the log, and asks nobody for a turn.
    world.query("", "CREATE DATABASE later").expect(200);
    world.write("d", "m v=2 2").expect(204);
    let refused = world.metrics().sum("circlet_queries_total", &[("outcome", "too_many")]);
    assert_eq!(refused, 5.0);
    drop(patient);
    wait_running(&world, 0.0);
    world.proxy(&backend).make(Trouble::None);
    until("questions are answered again", seconds(20), || {
        (world.ask(&Request::get(ASK)).status == 200).then_some(())
    });
}

/// The request's head, then its body in little pieces, over each of these connections.
fn trickle(connections: &mut [Connection], targets: &[&str]) {
    let body = "trickle v=1 1\n";
    for (connection, target) in connections.iter_mut().zip(targets) {
        let request = Request::post(target, body).bytes();
        connection.send(&request[..request.len() - body.len()]).unwrap();
    }
    for piece in body.as_bytes().chunks(1) {
        std::thread::sleep(Duration::from_millis(50));
        for connection in connections.iter_mut() {
            connection.send(piece).unwrap();
        }
    }
}

#[test]
fn a_body_that_hardly_comes_is_ended_though_it_never_stalls() {
    let limits = "[server]\nbody_timeout = \"400ms\"\nmin_body_rate = \"10KiB\"\n";
    let world = Setup::new().circles(1, 1).tables(limits).start();
    let mut slow = [world.connect(), world.connect()];
    trickle(&mut slow, &[V1, V2]);
    let [mut one, mut two] = slow;
    expect_v1(&one.answer(false).unwrap(), 408, "request timed out");
    expect_v2(&two.answer(false).unwrap(), 408, "invalid", "request timed out");
    assert!(one.closes_within(seconds(5)) && two.closes_within(seconds(5)));
    let count = || world.metrics().sum("circlet_http_rejected_total", &[("reason", "too_slow")]);
    assert_eq!(count(), 2.0);
    // Without a rate it is enough not to stall, for the next body of connections that are open, too.
    let mut patient = [world.connect()];
    patient[0].request(&Request::get("/ping")).unwrap().expect(204);
    let text = std::fs::read_to_string(&world.circlet.config).unwrap();
    std::fs::write(&world.circlet.config, text.replacen("10KiB", "0B", 1)).unwrap();
    let report = world.ask(&Request::post("/-/reload", "")).expect(200).json();
    assert_eq!(report["changed"], serde_json::json!(["server.min_body_rate"]));
    trickle(&mut patient, &[V1]);
    patient[0].answer(false).unwrap().expect(204);
    assert_eq!(count(), 2.0);
}

/// A connection that was served, and stays open.
fn held(world: &World) -> Connection {
    until("there is room for a connection", seconds(20), || {
        let mut connection = world.connect();
        let answer = connection.request(&Request::get("/ping")).ok()?;
        (answer.status == 204).then_some(connection)
    })
}

/// How many were refused for their address, as somebody at another one is told.
fn refused(world: &World) -> f64 {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let other = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 0);
    socket.bind(&other.into()).unwrap();
    socket.connect(&world.circlet.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(seconds(20))).unwrap();
    let request = Request::get("/metrics").header("Connection", "close");
    stream.write_all(&request.bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    Metrics::parse(body).sum("circlet_http_rejected_total", &[("reason", "too_many_of_address")])
}

#[test]
fn one_address_has_its_share_of_connections_and_others_have_theirs() {
    let limits = "[server]\nmax_connections_per_address = 2\n";
    let world = Setup::new().circles(1, 1).tables(limits).start();
    let (mut first, second) = (held(&world), held(&world));
    let before = refused(&world);
    for _ in 0..6 {
        let mut third = world.connect();
        // It is told without having asked.
        let answer = third.answer(false).unwrap();
        expect_v1(&answer, 503, "[server] max_connections_per_address");
        assert_eq!(answer.header("Retry-After"), Some("1"));
        assert!(third.closes_within(seconds(5)));
        first.request(&Request::post(V1, "m v=1 1")).unwrap().expect(204);
    }
    assert_eq!(refused(&world) - before, 6.0);
    drop(second);
    drop(held(&world));
}
