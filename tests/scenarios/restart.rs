//! A restart with a long log: only headers, footers and the last segment are read before the start.

use crate::setting::number;
use crate::support::prelude::*;
use std::time::Instant;

const SEGMENT: u64 = 16 << 20;
const SHARDS: u64 = 2;

/// Segments of a log that are read as a whole: the last one, and the one before it.
const WHOLE: u64 = 2;
const BODY_LINES: u64 = 32;
const LINE: usize = 200_000;

/// Headers, their copies and the footer of a segment, with what the kernel reads ahead at either end.
const EACH_SEGMENT: u64 = 1 << 20;

/// Beside segments: cursors, the probe file, the registry, and pages of the binary.
const REST: u64 = 16 << 20;

pub fn a_start_reads_a_small_part_of_a_long_log() {
    let mut world = Setup::new()
        .circles(1, 1)
        .tables("[log]\nsegment_bytes = \"16MiB\"")
        .write("ack = \"durable\"")
        .start();
    world.circles[0][0].kill();
    world.wait_up("influxdb-1-1", false);
    // A binary without optimisation needs its time to check so many lines.
    let long = number("CIRCLET_LOG_MIB", 256) << 20;
    let bodies = long / (BODY_LINES * LINE as u64) + 1;
    let text = "x".repeat(LINE - 60);
    let mut connections = [world.connect(), world.connect(), world.connect(), world.connect()];
    for body in 0..bodies {
        let line =
            |index: u64| format!("long text=\"{text}\",n={body}i {}\n", body * BODY_LINES + index);
        let lines: String = (0..BODY_LINES).map(line).collect();
        let connection = &mut connections[usize::try_from(body).unwrap() % 4];
        connection.request(&Request::post("/write?db=d", lines)).unwrap().expect(204);
    }
    drop(connections);
    let owed = world.backlog_bytes(&[]);
    assert!(owed > long as f64 * 0.99, "{owed}");
    let segments = world.metrics().must("circlet_wal_segments", &[]);
    world.circlet.kill();
    let began = Instant::now();
    world.circlet.restart();
    let took = began.elapsed();
    let read = world.circlet.read_bytes();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let bound = SHARDS * WHOLE * SEGMENT + (segments as u64) * EACH_SEGMENT + REST;
    println!(
        "ready after {:.2} s with {:.0} MiB owed in {segments} segments; {} MiB read, {} MiB allowed",
        took.as_secs_f64(),
        owed / f64::from(1 << 20),
        read >> 20,
        bound >> 20
    );
    assert!(read < bound, "{} MiB were read before the start", read >> 20);
    assert!(bound < long / 2, "the bound means something");
    assert!(world.backlog_bytes(&[]) >= owed, "all of it is still owed");
    // The count of bytes is a true one: what is delivered from the disk has been read from it.
    world.circles[0][0].restart();
    until("a part is delivered", seconds(60), || {
        (world.backlog_bytes(&[]) < owed * 0.7).then_some(())
    });
    let read = world.circlet.read_bytes();
    let told = "what was delivered came from the disk, and was not counted";
    assert!(read as f64 > owed * 0.2, "{told}: {} MiB", read >> 20);
    world.expect_nothing_lost();
}
