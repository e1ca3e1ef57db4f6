//! Days in minutes: small segments, a backend that flaps every 5 s, and as much load as one core gives.

use crate::setting::{Random, number, seed};
use crate::support::ledger::expect_whole;
use crate::support::prelude::*;
use crate::support::wait::let_pass;
use std::time::Instant;

/// Of one round, in seconds: what it wrote is read back as a whole.
const ROUND: u64 = 60;

/// From so many seconds on a run is long: it grows by less than 1 MiB a minute in its second half. A shorter
/// one has windows that still fill in that time, and is held by what it may take in all.
const LONG: u64 = 180;
const SLOPE_OF_A_SHORT_RUN: f64 = 20.0;

/// MiB above the beginning: the hot window and eight queues' windows, as tests/scenarios/memory.rs counts them,
/// and what frames, connections and the allocator need.
const ABOVE_IDLE: f64 = 16.0 + 8.0 * 8.0 + 32.0;

/// What is looked at every second.
struct Sample {
    seconds: f64,
    resident: f64,
    files: usize,
}

/// Change of the memory a minute, in bytes, by least squares.
fn slope_a_minute(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let time = samples.iter().map(|sample| sample.seconds).sum::<f64>() / count;
    let value = samples.iter().map(|sample| sample.resident).sum::<f64>() / count;
    let both = samples.iter().map(|sample| (sample.seconds - time) * (sample.resident - value));
    let squares = samples.iter().map(|sample| (sample.seconds - time).powi(2));
    both.sum::<f64>() / squares.sum::<f64>() * 60.0
}

/// The world under load for one round, and what was seen of it.
struct Soak {
    world: World,
    names: Vec<String>,
    random: Random,
    began: Instant,
    down: Option<String>,
    flaps: u32,
    samples: Vec<Sample>,
}

impl Soak {
    fn start(seed: u64) -> Soak {
        let world = Setup::new()
            .tables("[log]\nsegment_bytes = \"1MiB\"\nhot_window = \"16MiB\"")
            .write("ack_wait = \"1s\"")
            .start();
        let names = world.servers().map(|server| server.name.clone()).collect();
        let random = Random::new(seed);
        let (began, samples) = (Instant::now(), Vec::new());
        Soak { world, names, random, began, down: None, flaps: 0, samples }
    }

    /// Writes for so long, then proves that nothing is missing, and empties the servers behind Circlet's
    /// back, so that the next round proves itself. Gives the number of points.
    fn round(&mut self, lasts: Duration) -> u64 {
        let pause = Duration::from_millis(1);
        let load = Load { lines_per_body: 100, padding: 1000, pause, ..Load::default() };
        let running = load.start(self.world.circlet.address);
        let end = Instant::now() + lasts;
        while Instant::now() < end {
            let_pass(seconds(1));
            self.flap();
            self.look();
        }
        if let Some(name) = self.down.take() {
            self.world.server_mut(&name).restart();
        }
        let (load, tally) = running.stop();
        self.world.wait_drained(seconds(120));
        assert_eq!(tally.answers.keys().collect::<Vec<_>>(), [&204], "{tally:?}");
        expect_whole(&self.world, &load, &tally);
        self.world.expect_nothing_lost();
        for server in self.world.servers() {
            server.query("d", "DELETE FROM /.*/");
        }
        tally.count()
    }

    /// A server goes down every 5 s, for 2 s.
    fn flap(&mut self) {
        let second = self.began.elapsed().as_secs() % 5;
        match &self.down {
            Some(name) if second >= 2 => {
                self.world.server_mut(name).restart();
                self.down = None;
            }
            None if second < 2 => {
                let name = self.random.pick(&self.names).clone();
                self.world.server_mut(&name).kill();
                self.down = Some(name);
                self.flaps += 1;
            }
            _ => {}
        }
    }

    fn look(&mut self) {
        self.samples.push(Sample {
            seconds: self.began.elapsed().as_secs_f64(),
            resident: self.world.circlet.resident_bytes() as f64,
            files: self.world.circlet.open_files_but_segments(),
        });
    }
}

pub fn memory_and_files_stay_level_through_days_in_minutes() {
    let lasts = match number("CIRCLET_SOAK_MINUTES", 0) {
        0 => number("CIRCLET_SOAK_SECONDS", 180),
        minutes => minutes * 60,
    };
    let mut soak = Soak::start(seed("days_in_minutes"));
    let mut points = 0;
    let mut left = lasts;
    while left > 0 {
        let round = left.min(ROUND);
        points += soak.round(seconds(round));
        left -= round;
    }
    let bytes = soak.world.metrics().must("circlet_wal_appended_bytes_total", &[]);
    let segments = bytes / f64::from(1 << 20);
    // The hot window and the windows of the queues fill up first.
    let (first, warm) = soak.samples.split_at(soak.samples.len() / 2);
    let memory = slope_a_minute(warm) / f64::from(1 << 20);
    let peak = soak.samples.iter().fold(0.0_f64, |peak, sample| peak.max(sample.resident));
    let (peak, idle) = (peak / f64::from(1 << 20), first[0].resident / f64::from(1 << 20));
    let least = |samples: &[Sample]| samples.iter().map(|sample| sample.files).min();
    let (before, after) = (least(first), least(warm));
    println!(
        "{lasts} s: {points} points, {segments:.0} segments of 1 MiB, {} flaps; memory {idle:.0} MiB at first, \
         {peak:.0} MiB at most, {memory:+.2} MiB a minute in the second half; {before:?} files at least, then \
         {after:?}",
        soak.flaps
    );
    assert!(segments > 20.0, "only {segments} segments");
    assert!(peak - idle < ABOVE_IDLE, "{peak} MiB of memory");
    let limit = if lasts < LONG { SLOPE_OF_A_SHORT_RUN } else { 1.0 };
    assert!(memory < limit, "memory grows by {memory} MiB a minute");
    assert!(after <= before.map(|files| files + 2), "{before:?} open files, then {after:?}");
}
