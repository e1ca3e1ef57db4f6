//! Memory: every backend is dead, clients write as much as they can, and bombs fall.

use crate::setting::number;
use crate::support::http::gzip;
use crate::support::ledger::expect_whole;
use crate::support::prelude::*;
use std::time::Instant;

const SHARDS: u64 = 2;
const BACKENDS: u64 = 4;

/// As configured below: `[server] memory`, and the hot window, of which each shard has 8 MiB at least.
const BODIES: u64 = 64 << 20;
const HOT_WINDOW: u64 = 16 << 20;

/// The part of one queue that is read into memory: 4 MiB of lines for one backend, in frames that hold the
/// lines for both backends of its circle. And what an executor keeps for its files.
const QUEUE_WINDOW: u64 = 8 << 20;
const IO_MEMORY: u64 = 2 << 20;

/// What each shard reads and writes at a time while it packs old segments: a frame or 256 KiB as read, the
/// part of it that is kept, what waits to be written, and 1 MiB of what is read back.
const SPILL: u64 = 4 << 20;

/// Frames that are open or on their way to the disk, connections, and what the allocator keeps of small
/// pieces: at most 16 MiB a thread.
const REST: u64 = 32 << 20;

/// What it may take above what it takes when idle, in bytes, and a tenth.
fn bound() -> u64 {
    let queues = SHARDS * BACKENDS * QUEUE_WINDOW;
    (BODIES + HOT_WINDOW + queues + SHARDS * (IO_MEMORY + SPILL) + REST) / 10 * 11
}

pub fn dead_backends_and_bombs_take_no_more_memory_than_configured() {
    let lasts = seconds(number("CIRCLET_DEAD_SECONDS", 60));
    let mut world = Setup::new()
        .database("small")
        .tables("[server]\nmemory = \"64MiB\"\n[log]\nhot_window = \"16MiB\"")
        .write("ack_wait = \"100ms\"")
        .start();
    let idle = world.circlet.resident_bytes();
    world.circles.iter_mut().flatten().for_each(Influxd::kill);
    let load =
        Load { pause: Duration::ZERO, lines_per_body: 100, padding: 1_000, ..Load::default() };
    let running = load.start(world.circlet.address);
    // Each of these is a frame of its own, and the hot window is full of them.
    let small = Load {
        db: "small".to_owned(),
        pause: Duration::ZERO,
        lines_per_body: 1,
        writers: 8,
        ..Load::default()
    };
    let small = small.start(world.circlet.address);
    let line = [vec![b'x'; 64 << 20], "a v=1 1\n".repeat(8 << 20).into_bytes()];
    let bombs = line.map(|body| gzip(&body));
    let began = Instant::now();
    let (mut fallen, mut refused) = (0, 0);
    while began.elapsed() < lasts {
        for bomb in &bombs {
            let request = Request::post("/write?db=d", bomb).header("Content-Encoding", "gzip");
            let status = world.ask(&request).status;
            // Too large for what is left of the memory, or for what there is of it at all.
            assert!([413, 503].contains(&status), "a bomb was answered {status}");
            fallen += 1;
            refused += u32::from(status == 413);
        }
    }
    let runs = [running.stop(), small.stop()];
    let peak = world.circlet.resident_peak_bytes();
    let owed = world.metrics().must("circlet_wal_disk_bytes", &[]);
    println!(
        "{} points acknowledged, {fallen} bombs ({refused} by 413), {:.0} MiB of log; memory \
         {} MiB idle, {} MiB at most, {} MiB allowed above idle",
        runs.iter().map(|(_, tally)| tally.count()).sum::<u64>(),
        owed / f64::from(1 << 20),
        idle >> 20,
        peak >> 20,
        bound() >> 20
    );
    assert!(peak < idle + bound(), "{} MiB of {}", peak >> 20, (idle + bound()) >> 20);
    assert!(owed > HOT_WINDOW as f64 * 2.0, "so little could hide in memory: {owed}");
    world.expect_nothing_lost();
    world.circles.iter_mut().flatten().for_each(Influxd::restart);
    world.wait_drained(seconds(180));
    let peak = world.circlet.resident_peak_bytes();
    assert!(peak < idle + bound(), "after the delivery: {} MiB", peak >> 20);
    for (load, tally) in &runs {
        expect_whole(&world, load, tally);
    }
    world.expect_nothing_lost();
}
