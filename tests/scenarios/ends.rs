//! Row 30, and a log that nobody reads: how it stops, and what does not stop it.

use crate::support::ledger::expect_whole;
use crate::support::prelude::*;
use crate::support::process::Process;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

pub fn sigterm_under_load_ends_with_zero_and_loses_nothing() {
    let mut world = Setup::new().start();
    let running = Load::default().start(world.circlet.address);
    for _ in 0..3 {
        running.wait_for_more(1000);
        let status = world.circlet.terminate();
        assert_eq!(status.code(), Some(0), "{}", world.circlet.log_end());
        world.circlet.restart();
    }
    running.wait_for_more(1000);
    let (load, tally) = running.stop();
    world.wait_drained(seconds(60));
    expect_whole(&world, &load, &tally);
    world.expect_nothing_lost();
}

/// A client in the middle of a body is waited for; meanwhile `/ready` says 503, on a connection that was
/// there before.
pub fn a_request_under_way_is_finished_and_ready_says_no() {
    let mut world = Setup::new().circles(1, 1).start();
    let mut watcher = world.connect();
    watcher.request(&Request::get("/ready")).unwrap().expect(200);
    let mut client = world.connect();
    let head = "POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n";
    client.send(head.as_bytes()).unwrap();
    client.send(b"finish v").unwrap();
    until("the body has begun", seconds(5), || {
        (world.metrics().must("circlet_http_connections", &[]) >= 2.0).then_some(())
    });
    // Under way, too: it is answered after the signal.
    watcher.send(b"GET /ready HTTP/1.1\r\nHost: x\r\n").unwrap();
    crate::support::wait::let_pass(Duration::from_millis(200));
    world.circlet.signal(Signal::TERM);
    crate::support::wait::let_pass(Duration::from_millis(500));
    watcher.send(b"\r\n").unwrap();
    assert_eq!(watcher.answer(false).unwrap().status, 503);
    client.send(b"=1i 1234").unwrap();
    let answer = client.answer(false).unwrap().expect(204);
    assert_eq!(answer.header("Connection"), Some("close"));
    assert_eq!(world.circlet.wait_end().code(), Some(0), "{}", world.circlet.log_end());
    assert_eq!(world.circles[0][0].count("d", "SELECT count(v) FROM finish"), 1);
}

/// A body that never ends is not acknowledged and does not hold up the end for longer than it may.
pub fn a_request_that_never_ends_is_not_acknowledged() {
    let limits = "[server]\nshutdown_timeout = \"2s\"";
    let mut world = Setup::new().circles(1, 1).tables(limits).start();
    let mut client = world.connect();
    let head = "POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nnever v=1 1\n";
    client.send(head.as_bytes()).unwrap();
    until("the body has begun", seconds(5), || {
        (world.metrics().must("circlet_http_connections", &[]) >= 2.0).then_some(())
    });
    let status = world.circlet.terminate();
    assert!(status.code().is_some_and(|code| code <= 1), "{status}: {}", world.circlet.log_end());
    let told = client.answer(false);
    assert!(told.as_ref().map_or(true, |answer| answer.status != 204), "{told:?}");
    world.circlet.restart();
    world.wait_drained(seconds(20));
    assert!(world.points(0, "d").is_empty());
    world.expect_nothing_lost();
}

/// The second signal ends it at once; that is as safe as kill -9.
pub fn a_second_sigterm_ends_it_at_once_and_loses_nothing() {
    let mut world = Setup::new().start();
    let running = Load::default().start(world.circlet.address);
    running.wait_for_more(1000);
    // Somebody to wait for, so that the first signal does not end it before the second comes.
    let mut client = world.connect();
    let head = "POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nnever v=1 1\n";
    client.send(head.as_bytes()).unwrap();
    crate::support::wait::let_pass(Duration::from_millis(200));
    world.circlet.signal(Signal::TERM);
    crate::support::wait::let_pass(Duration::from_millis(300));
    world.circlet.signal(Signal::TERM);
    assert_eq!(world.circlet.wait_end().code(), Some(1), "{}", world.circlet.log_end());
    world.circlet.restart();
    running.wait_for_more(1000);
    let (load, tally) = running.stop();
    world.wait_drained(seconds(60));
    expect_whole(&world, &load, &tally);
    world.expect_nothing_lost();
}

/// What a pipe holds, in bytes.
const FULL: usize = 64 << 10;

/// Its own log goes into a pipe that is full and that nobody reads.
pub fn a_log_that_nobody_reads_stops_nothing() {
    let mut world = Setup::new().circles(2, 1).write("ack_wait = \"300ms\"").start();
    assert_eq!(world.circlet.terminate().code(), Some(0));
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&[b'\n'; FULL]).unwrap();
    let mut command = Command::new(crate::support::circlet::BINARY);
    command.arg("run").arg("-c").arg(&world.circlet.config).current_dir(world.directory.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer);
    let mut process = Process::of(command.spawn().unwrap(), &world.circlet.log());
    drop(command);
    let ready = Request::get("/ready");
    until("it takes writes", seconds(30), || {
        let mut connection = Connection::try_open(world.circlet.address).ok()?;
        connection.request(&ready).ok().filter(|answer| answer.status == 200)
    });
    for flap in 0..3 {
        world.circles[1][0].kill();
        world.wait_up("influxdb-2-1", false);
        world.write("d", format!("deaf v={flap} {flap}")).expect(204);
        world.circles[1][0].restart();
        world.wait_up("influxdb-2-1", true);
        world.write("d", format!("deaf v={flap} {}", flap + 100)).expect(204);
    }
    world.wait_drained(seconds(30));
    assert_eq!(world.points(1, "d").len(), 6);
    assert!(world.metrics().must("circlet_log_dropped_total", &[]) > 0.0);
    // The pipe was full all the time; once it is read, the log says that lines are missing.
    reader.read_exact(&mut [0; FULL]).unwrap();
    process.signal(Signal::TERM);
    assert_eq!(process.wait(seconds(20)).code(), Some(0));
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let first = text.lines().next().unwrap_or_default();
    assert!(first.ends_with("lines of this log were dropped, because nobody read it"), "{text}");
}
