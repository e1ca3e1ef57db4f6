//! Days in minutes: small segments, a backend that flaps every 5 s, a configuration that changes every 2 s, and as
//! much load as one core gives.

use crate::setting::{Random, number, seed};
use crate::support::ledger::expect_whole;
use crate::support::prelude::*;
use crate::support::reloads::Reloads;
use crate::support::wait::{let_pass, until};
use std::time::Instant;

/// Of one round, in seconds: what it wrote is read back as a whole.
const ROUND: u64 = 60;

const RELOAD_EVERY: Duration = Duration::from_secs(2);

/// MiB that the memory in use may grow by in a minute. It is judged where nothing is under way: everything has
/// been delivered, and the clients have gone. What is then in use is the hot window, which was filled before
/// the first round, and what a gateway has anyway. While backends come and go the windows of the queues are now full
/// and now empty; and what is resident moves with the holes that the allocator keeps, 16 MiB a shard, in which
/// a leak could hide for a quarter of an hour. Neither says anything in a few minutes.
const GROWTH: f64 = 1.0;

/// MiB by which what is resident at such moments may exceed the first of them: those holes. More of them, round
/// by round, would be a heap that falls to pieces.
const HOLES: f64 = 2.0 * 16.0;

/// MiB above the beginning: the hot window and eight queues' windows, as tests/scenarios/memory.rs counts them,
/// and what frames, connections and the allocator need.
const ABOVE_IDLE: f64 = 16.0 + 8.0 * 8.0 + 32.0;

/// Looks at the memory in use when everything has been delivered, four a second.
const LOOKS: u32 = 20;

/// What is looked at every second.
struct Sample {
    resident: f64,
    files: usize,
}

/// What is in use when everything has been delivered, in MiB.
struct Rest {
    minutes: f64,
    used: f64,
    resident: f64,
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The world under load for one round, and what was seen of it.
struct Soak {
    world: World,
    names: Vec<String>,
    random: Random,
    began: Instant,
    down: Option<String>,
    flaps: u32,
    /// MiB that were resident before anything was written.
    idle: f64,
    samples: Vec<Sample>,
    rests: Vec<Rest>,
}

impl Soak {
    fn start(seed: u64, databases: &[String]) -> Soak {
        let setup = databases.iter().fold(Setup::new(), |setup, name| setup.database(name));
        let world = setup
            .tables("[log]\nsegment_bytes = \"1MiB\"\nspill_after = \"0s\"\nhot_window = \"16MiB\"")
            .write("ack_wait = \"1s\"")
            .start();
        let names = world.servers().map(|server| server.name.clone()).collect();
        let random = Random::new(seed);
        let idle = mebibytes(world.circlet.resident_bytes());
        let (began, samples, rests) = (Instant::now(), Vec::new(), Vec::new());
        Soak { world, names, random, began, down: None, flaps: 0, idle, samples, rests }
    }

    /// Writes until the hot window of each shard has been filled twice, over new connections now and then: it is
    /// not said which shard these go to.
    fn warm_up(&mut self) {
        until("each shard has filled its hot window", seconds(120), || {
            let running = Soak::load("d").start(self.world.circlet.address);
            let_pass(seconds(2));
            running.stop();
            let least = self.world.metrics().least("circlet_wal_appended_bytes_total", &[]);
            (least > f64::from(16 << 20)).then_some(())
        });
        self.world.wait_drained(seconds(120));
    }

    fn load(db: &str) -> Load {
        let (db, pause) = (db.to_owned(), Duration::from_millis(1));
        Load { db, lines_per_body: 100, padding: 1000, pause, ..Load::default() }
    }

    /// Writes for so long, then proves that nothing is missing, and drops the database behind Circlet's back. Each
    /// round has its own, so that what a server does with deleted series when it is killed plays no part.
    /// Gives the number of points.
    fn round(&mut self, db: &str, lasts: Duration) -> u64 {
        let running = Soak::load(db).start(self.world.circlet.address);
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
        self.rest();
        assert_eq!(tally.answers.keys().collect::<Vec<_>>(), [&204], "{tally:?}");
        assert_eq!(tally.broken, 0, "connections were dropped: {tally:?}");
        expect_whole(&self.world, &load, &tally);
        self.world.expect_nothing_lost();
        for server in self.world.servers() {
            server.query("", &format!("DROP DATABASE {db}"));
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

    /// The least of many looks: now and then a checkpoint or a probe is under way, and what was last read from
    /// the disk for a backend that had been down is kept for up to two seconds, for others who may want it.
    fn rest(&mut self) {
        let used = (0..LOOKS).map(|_| {
            let_pass(Duration::from_millis(250));
            self.world.metrics().must("circlet_memory_used_bytes", &[]) / f64::from(1 << 20)
        });
        let used = used.fold(f64::INFINITY, f64::min);
        let resident = mebibytes(self.world.circlet.resident_bytes());
        self.rests.push(Rest {
            minutes: self.began.elapsed().as_secs_f64() / 60.0,
            used,
            resident,
        });
    }

    fn look(&mut self) {
        self.samples.push(Sample {
            resident: mebibytes(self.world.circlet.resident_bytes()),
            files: self.world.circlet.open_files_but_segments(),
        });
    }
}

pub fn memory_and_files_stay_level_through_days_in_minutes() {
    let lasts = match number("CIRCLET_SOAK_MINUTES", 0) {
        0 => number("CIRCLET_SOAK_SECONDS", 180),
        minutes => minutes * 60,
    };
    // At least two rounds, so that there is something to compare.
    let round = ROUND.min(lasts / 2).max(1);
    let rounds: Vec<String> = (0..lasts / round).map(|turn| format!("round{turn}")).collect();
    let mut soak = Soak::start(seed("days_in_minutes"), &rounds);
    soak.warm_up();
    let reloading = Reloads::of(&soak.world).begin(RELOAD_EVERY);
    let points: u64 = rounds.iter().map(|db| soak.round(db, seconds(round))).sum();
    let reloads = reloading.stop();
    let bytes = soak.world.metrics().must("circlet_wal_appended_bytes_total", &[]);
    let segments = bytes / f64::from(1 << 20);
    let (first, warm) = soak.samples.split_at(soak.samples.len() / 2);
    let peak = soak.samples.iter().fold(0.0_f64, |peak, sample| peak.max(sample.resident));
    let idle = soak.idle;
    let least = |samples: &[Sample]| samples.iter().map(|sample| sample.files).min();
    let (before, after) = (least(first), least(warm));
    let [early, .., late] = &soak.rests[..] else { panic!("{lasts} s is less than two rounds") };
    let growth = (late.used - early.used) / (late.minutes - early.minutes);
    let holes = late.resident - early.resident - (late.used - early.used);
    let used: Vec<String> = soak.rests.iter().map(|rest| format!("{:.2}", rest.used)).collect();
    println!(
        "{lasts} s: {points} points, {segments:.0} segments of 1 MiB, {} flaps, {reloads} reloads; memory {idle:.0} MiB at first, \
         {peak:.0} MiB at most; in use at the end of each round {} MiB, {growth:+.2} MiB a minute, and \
         {holes:+.1} MiB of holes; {before:?} files at least, then {after:?}",
        soak.flaps,
        used.join(", ")
    );
    assert!(segments > 20.0, "only {segments} segments");
    assert!(reloads as u64 >= lasts / 2, "only {reloads} reloads");
    assert!(peak - idle < ABOVE_IDLE, "{peak} MiB of memory");
    assert!(growth < GROWTH, "the memory in use grows by {growth} MiB a minute");
    assert!(holes < HOLES, "{holes} MiB more of holes in the heap");
    assert!(after <= before.map(|files| files + 2), "{before:?} open files, then {after:?}");
}
