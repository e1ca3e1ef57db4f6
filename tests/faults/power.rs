//! Power cuts: everything that was acknowledged before one is found after it.
//!
//! One load goes on over all cuts of a test. At a cut the disk keeps what it was told to flush and any
//! choice of the rest; the gateway is killed, the file system mounted again from what the disk kept, so
//! that its journal is replayed, and the next gateway starts on it. With ack `durable` a 204 says nothing about
//! backends, and while a circle is down the log alone holds its lines.

use crate::device::{AtStake, CUTS, Cut, Device, Random};
use crate::mount::{Kind, Mount};
use crate::support::ledger::{Running, expect_whole, findings};
use crate::support::prelude::*;
use crate::support::wait::let_pass;
use crate::support::world::directory;
use std::path::Path;
use tempfile::TempDir;

/// A gateway before its servers, and the disk that it is on.
struct Machine {
    world: World,
    mount: Option<Mount>,
    device: Device,
    kind: Kind,
    directory: TempDir,
}

impl Machine {
    fn start(kind: Kind, write: &str) -> Machine {
        let directory = directory();
        let bytes = match kind {
            Kind::Ext4 => 128 << 20,
            Kind::Xfs => 320 << 20, // The least that mkfs.xfs takes.
        };
        let device = Device::new(&directory.path().join("disk"), bytes);
        kind.format(&device.path);
        let at = directory.path().join("mounted");
        let mount = Mount::image(kind, &device.path, &at);
        let setup = Setup::new()
            .write(write)
            .tables("[log]\nsegment_bytes = \"1MiB\"\nspill_after = \"0s\"");
        let world = setup.data(&at).start();
        Machine { world, mount: Some(mount), device, kind, directory }
    }

    /// Cuts the power at once, or after so many writes, and starts again from what the disk kept.
    fn cut(&mut self, turn: usize, after: Option<u64>, seed: u64) -> AtStake {
        let cut = CUTS[turn % CUTS.len()];
        match after {
            None => self.device.cut_power(),
            Some(writes) => {
                self.device.cut_power_after(writes);
                until("the power is gone", seconds(30), || {
                    (!self.device.has_power()).then_some(())
                });
            }
        }
        self.world.circlet.kill();
        self.mount.take().expect("it is mounted").unmount();
        let stake = self.device.restore_power(cut, seed);
        if turn % 4 == 3 {
            self.cut_while_starting(cut, seed);
        }
        self.mount = Some(self.try_mount().expect("a sound file system"));
        self.world.circlet.restart();
        stake
    }

    /// The power goes again while the journal is replayed or the gateway starts.
    fn cut_while_starting(&mut self, cut: Cut, seed: u64) {
        self.device.cut_power_after(1 + seed % 40);
        if let Ok(mount) = self.try_mount() {
            self.world.circlet.start_only();
            until("the power is gone", seconds(30), || (!self.device.has_power()).then_some(()));
            self.world.circlet.kill();
            mount.unmount();
        }
        self.device.restore_power(cut, seed);
    }

    fn try_mount(&self) -> Result<Mount, String> {
        let at = self.directory.path().join("mounted");
        Mount::try_with(&["-t", self.kind.name(), "-o", "loop"], &self.device.path, &at)
    }
}

fn load() -> Load {
    Load { lines_per_body: 100, ..Load::default() }
}

/// Waits until so many more lines were acknowledged.
fn wait_for_more(running: &Running, lines: u64) {
    let before = running.acknowledged();
    until("lines are acknowledged", seconds(60), || {
        (running.acknowledged() >= before + lines).then_some(())
    });
}

/// A life of `cuts` power cuts under one load. Returns the writes that were in the disk's cache at the cuts.
fn live(kind: Kind, cuts: usize, seed: u64) -> usize {
    let mut machine = Machine::start(kind, "ack = \"durable\"");
    let mut random = Random(seed);
    let running = load().start(machine.world.circlet.address);
    let mut at_stake = 0;
    for turn in 0..cuts {
        change_backends(&mut machine.world, turn, cuts);
        wait_for_more(&running, 400);
        let_pass(Duration::from_millis(random.below(400)));
        // At any moment nearly nothing is unflushed; right after a write, that one is.
        let after = (turn % 3 > 0).then(|| 1 + random.below(60));
        let stake = machine.cut(turn, after, random.below(u64::MAX));
        println!("{} seed {seed} cut {turn}: {stake:?}", kind.name());
        at_stake += stake.writes;
        machine.world.expect_nothing_lost();
    }
    change_backends(&mut machine.world, cuts, cuts);
    wait_for_more(&running, 400);
    let (load, tally) = running.stop();
    let world = &machine.world;
    world.wait_drained(seconds(120));
    expect_whole(world, &load, &tally);
    world.expect_nothing_lost();
    let log = std::fs::read_to_string(world.circlet.log()).unwrap();
    for word in ["damage", "cursors are lost", "panicked"] {
        assert!(!log.contains(word), "a power cut is not {word}:\n{}", world.circlet.log_end());
    }
    println!("{} seed {seed}: {} lines acknowledged", kind.name(), tally.count());
    at_stake
}

/// First all are up and segments are freed and used again; then circle 2 is down, later a backend of circle 1
/// too; at the end all come back.
fn change_backends(world: &mut World, turn: usize, turns: usize) {
    let quarter = turns / 4;
    if turn == quarter {
        world.circles[1].iter_mut().for_each(Influxd::kill);
    }
    if turn == 2 * quarter {
        world.circles[0][0].kill();
    }
    if turn == 3 * quarter {
        world.circles.iter_mut().flatten().for_each(|server| {
            if !server.is_running() {
                server.restart();
            }
        });
    }
}

/// How many cuts a run of the tests makes on each file system.
const CUTS_EACH: usize = 10;

#[test]
fn a_power_cut_loses_no_acknowledged_line_on_ext4() {
    assert!(live(Kind::Ext4, CUTS_EACH, 1) > 0, "nothing was ever at stake");
}

#[test]
fn a_power_cut_loses_no_acknowledged_line_on_xfs() {
    if !Kind::Xfs.is_known() {
        println!("skipped: this kernel cannot mount xfs");
        return;
    }
    assert!(live(Kind::Xfs, CUTS_EACH, 1) > 0, "nothing was ever at stake");
}

/// Lives of this many cuts, in turn on each file system, until as many were made as are wanted or the time
/// is over. What was reached stands in a file, so that the next run goes on there.
#[test]
#[ignore = "scripts/faults power runs it"]
fn long_run() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let wanted = number("FAULTS_WANTED").expect("FAULTS_WANTED is a number");
    let minutes = number("FAULTS_MINUTES").expect("FAULTS_MINUTES is a number");
    let began = std::time::Instant::now();
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("faults").join("power");
    let read = std::fs::read_to_string(&state).unwrap_or_default();
    let mut reached = read.trim().parse::<u64>().unwrap_or(0);
    let kinds = [Kind::Ext4, Kind::Xfs].into_iter().filter(|kind| kind.is_known());
    for kind in kinds.cycle() {
        if reached >= wanted || began.elapsed() >= seconds(60 * minutes) {
            break;
        }
        live(kind, 2 * CUTS_EACH, 1000 + reached);
        reached += 2 * CUTS_EACH as u64;
        std::fs::create_dir_all(state.parent().unwrap()).unwrap();
        std::fs::write(&state, format!("{reached}\n")).unwrap();
        println!("{reached} of {wanted} power cuts, none lost an acknowledged line");
    }
}

/// The disk of these tests is worth something: what nobody flushed is gone.
#[test]
fn a_power_cut_takes_what_was_acknowledged_without_a_sync() {
    let mut machine = Machine::start(Kind::Ext4, "ack = \"interval\"\nsync_interval = \"1m\"");
    machine.world.circles.iter_mut().flatten().for_each(Influxd::kill);
    let running = load().start(machine.world.circlet.address);
    wait_for_more(&running, 2000);
    machine.device.cut_power();
    let (load, tally) = running.stop();
    machine.cut(1, None, 1);
    machine.world.circles.iter_mut().flatten().for_each(Influxd::restart);
    machine.world.wait_drained(seconds(60));
    let findings = findings(&machine.world, &load, &tally);
    assert!(findings.iter().any(|finding| finding.contains("lacks")), "nothing was lost");
}
