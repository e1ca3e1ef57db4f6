//! Disks that are full, that fail, or that turn read-only: what is not safe is not acknowledged, delivery goes
//! on, and the gateway goes on by itself as soon as the disk does.

use crate::device::Device;
use crate::mount::{Kind, Mount, image};
use crate::support::ledger::{Running, Tally, expect_whole};
use crate::support::prelude::*;
use crate::support::wait::let_pass;
use crate::support::world::directory;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The word that each frame of the log begins with.
const FRAME: &[u8] = b"CFRM";

fn world(data: &Path) -> World {
    let setup = Setup::new().write("ack = \"durable\"");
    // The watermark of free space would refuse writes before the disk does.
    setup.tables("[log]\nsegment_bytes = \"1MiB\"\nmin_free = \"0%\"").data(data).start()
}

/// Fills a disk of some MiB within seconds, with few lines: a commit takes a whole page.
fn load() -> Load {
    Load { lines_per_body: 20, pause: Duration::ZERO, ..Load::default() }
}

fn ext4(directory: &TempDir, bytes: u64) -> Mount {
    let disk = directory.path().join("disk");
    image(&disk, bytes);
    Kind::Ext4.format(&disk);
    Mount::image(Kind::Ext4, &disk, &directory.path().join("mounted"))
}

fn probe(world: &World) -> Answer {
    world.write("d", "probe v=1 1")
}

/// Waits until every shard refuses writes, and says so as it should.
fn wait_for_refusal(world: &World) {
    until("every shard refuses", seconds(60), || {
        let answers: Vec<Answer> = (0..12).map(|_| probe(world)).collect();
        for answer in answers.iter().filter(|answer| answer.status != 204) {
            assert_eq!(answer.status, 503, "{answer:?}");
            let wait = answer.header("Retry-After").expect("a client is told when to come again");
            assert!(wait.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{wait}");
            assert!(answer.json()["error"].is_string(), "{answer:?}");
        }
        answers.iter().all(|answer| answer.status == 503).then_some(())
    });
    // Every few seconds a shard tries a fresh segment, and is ready until it fails, too.
    until("every shard says that it is not ready", seconds(10), || {
        let ready = |_| world.ask(&Request::get("/ready")).status == 200;
        (!(0..4).any(ready)).then_some(())
    });
}

/// Waits until these backends have all that they are owed.
fn wait_delivered(world: &World, names: &[&str]) {
    for name in names {
        until(&format!("{name} is owed nothing"), seconds(60), || {
            (world.backlog_bytes(&[("backend", name)]) == 0.0).then_some(())
        });
    }
}

/// Waits until every shard takes writes again, by itself.
fn wait_for_recovery(world: &World) {
    until("every shard takes writes", seconds(40), || {
        let all = (0..12).all(|_| probe(world).status == 204);
        (all && world.ask(&Request::get("/ready")).status == 200).then_some(())
    });
}

fn wait_for_more(running: &Running, lines: u64) {
    let before = running.acknowledged();
    until("lines are acknowledged", seconds(60), || {
        (running.acknowledged() >= before + lines).then_some(())
    });
}

/// Ends the load: all that was acknowledged is everywhere, and writers saw nothing but yes and later.
fn finish(world: &World, running: Running) -> Tally {
    let (load, tally) = running.stop();
    world.wait_drained(seconds(120));
    expect_whole(world, &load, &tally);
    world.expect_nothing_lost();
    let log = fs::read_to_string(world.circlet.log()).unwrap();
    assert!(!log.contains("panicked"), "{}", world.circlet.log_end());
    let trials = log.matches("no segment could be prepared ahead").count();
    assert!(trials < 40, "{trials} trials to prepare a segment: a hot loop");
    tally
}

fn expect_only_yes_and_later(tally: &Tally) {
    assert!(tally.answers.keys().all(|status| [204, 503].contains(status)), "{:?}", tally.answers);
    assert!(tally.answers.contains_key(&503), "nothing was ever refused");
    assert_eq!(tally.broken, 0, "no connection breaks");
}

const CIRCLE_1: [&str; 2] = ["influxdb-1-1", "influxdb-1-2"];

#[test]
fn a_disk_that_the_backlog_fills_refuses_until_backends_take_it() {
    let directory = directory();
    let mount = ext4(&directory, 20 << 20);
    let mut world = world(&mount.path);
    world.circles[1].iter_mut().for_each(Influxd::kill);
    // Lines of a dead backend are packed on the disk: it takes dense ones to fill it.
    let dense = Load { lines_per_body: 300, ..load() };
    let running = dense.start(world.circlet.address);
    wait_for_refusal(&world);
    wait_delivered(&world, &CIRCLE_1);
    world.circles[1].iter_mut().for_each(Influxd::restart);
    wait_for_recovery(&world);
    wait_for_more(&running, 4000);
    expect_only_yes_and_later(&finish(&world, running));
}

#[test]
fn a_disk_that_others_fill_refuses_until_they_make_room() {
    let directory = directory();
    let mount = ext4(&directory, 64 << 20);
    let mut world = world(&mount.path);
    world.circles[1].iter_mut().for_each(Influxd::kill);
    let running = load().start(world.circlet.address);
    wait_for_more(&running, 1000);
    let filler = mount.path.join("filler");
    // Ends with an error when nothing is left.
    fs::write(&filler, vec![7; 64 << 20]).unwrap_err();
    wait_for_refusal(&world);
    wait_delivered(&world, &CIRCLE_1);
    // How far deliveries are is still recorded: a start needs no room, and delivers.
    world.circlet.kill();
    world.circlet.restart();
    world.wait_up("influxdb-1-1", true);
    wait_for_refusal(&world);
    fs::remove_file(&filler).unwrap();
    wait_for_recovery(&world);
    wait_for_more(&running, 2000);
    world.circles[1].iter_mut().for_each(Influxd::restart);
    let tally = finish(&world, running);
    assert!(tally.answers.contains_key(&503));
    let log = fs::read_to_string(world.circlet.log()).unwrap();
    assert!(!log.contains("cursors could not be written"), "{log}");
}

#[test]
fn one_bad_write_costs_nothing() {
    let directory = directory();
    let device = Device::new(&directory.path().join("disk"), 96 << 20);
    Kind::Ext4.format(&device.path);
    let mount = Mount::image(Kind::Ext4, &device.path, &directory.path().join("mounted"));
    let world = world(&mount.path);
    let running = Load::default().start(world.circlet.address);
    for round in 1..=3 {
        wait_for_more(&running, 500);
        device.fail_writes(FRAME, 1);
        until("a write has failed", seconds(30), || (device.failed() == round).then_some(()));
        wait_for_more(&running, 500);
    }
    assert_eq!(world.metrics().sum("circlet_wal_failures_total", &[]), 0.0);
    let tally = finish(&world, running);
    assert_eq!(tally.answers.keys().collect::<Vec<_>>(), [&204], "{tally:?}");
    drop((world, mount));
}

#[test]
fn a_disk_that_fails_every_write_refuses_until_it_works_again() {
    let directory = directory();
    let device = Device::new(&directory.path().join("disk"), 96 << 20);
    Kind::Ext4.format(&device.path);
    let mount = Mount::image(Kind::Ext4, &device.path, &directory.path().join("mounted"));
    let world = world(&mount.path);
    let running = Load::default().start(world.circlet.address);
    wait_for_more(&running, 500);
    device.fail_writes(FRAME, u64::MAX);
    wait_for_refusal(&world);
    assert!(device.failed() >= 4, "each shard tries twice");
    wait_delivered(&world, &CIRCLE_1);
    assert!(world.metrics().must("circlet_wal_failures_total", &[]) >= 2.0);
    let files = || -> usize {
        let logs = ["log-000", "log-001"].map(|log| world.circlet.data().join("wal").join(log));
        logs.iter().map(|log| fs::read_dir(log).unwrap().count()).sum()
    };
    let before = files();
    let_pass(seconds(11));
    assert!(files() <= before, "what the disk refuses does not pile up: {before}, {}", files());
    assert!(device.failed() < 40, "no hot loop of trials");
    device.fail_writes(FRAME, 0);
    wait_for_recovery(&world);
    wait_for_more(&running, 1000);
    expect_only_yes_and_later(&finish(&world, running));
    drop((world, mount));
}

/// The loop file has holes that a too small file system in memory cannot fill: the file system has room, and
/// the disk fails. What the kernel makes of it, EIO or ENOSPC, depends on who wrote.
#[test]
fn a_disk_that_fails_below_its_file_system_is_no_acknowledgement() {
    let directory = directory();
    let memory = Mount::memory(20 << 20, &directory.path().join("memory"));
    let disk = memory.path.join("disk");
    image(&disk, 64 << 20);
    Kind::Ext4.format(&disk);
    let mut mount = Mount::image(Kind::Ext4, &disk, &directory.path().join("mounted"));
    let mut world = world(&mount.path);
    world.circles[1].iter_mut().for_each(Influxd::kill);
    let running = load().start(world.circlet.address);
    wait_for_refusal(&world);
    let log = fs::read_to_string(world.circlet.log()).unwrap();
    let is_told = log.contains("os error 5)") || log.contains("os error 28)");
    assert!(is_told && mount.free_bytes() > 16 << 20, "{}", world.circlet.log_end());
    wait_delivered(&world, &CIRCLE_1);
    memory.remount("size=192m");
    if fs::write(mount.path.join("well"), "").is_ok() {
        wait_for_recovery(&world);
    } else {
        mount = start_after_repair(&mut world, mount, &disk);
    }
    wait_for_more(&running, 1000);
    world.circles[1].iter_mut().for_each(Influxd::restart);
    let tally = finish(&world, running);
    assert!(tally.answers.contains_key(&503));
    drop((world, mount));
}

/// What a person does with a file system that has given up.
fn start_after_repair(world: &mut World, mount: Mount, disk: &Path) -> Mount {
    let at = mount.path.clone();
    world.circlet.kill();
    mount.unmount();
    // It says by its code that it mended something.
    let status = Command::new("e2fsck").args(["-y", "-f"]).arg(disk).status().unwrap();
    assert!(status.code().is_some_and(|code| code < 4), "{status}");
    let mount = Mount::image(Kind::Ext4, disk, &at);
    world.circlet.restart();
    mount
}

#[test]
fn a_file_system_that_turns_read_only_refuses_and_loses_nothing() {
    let directory = directory();
    let disk = directory.path().join("disk");
    image(&disk, 96 << 20);
    Kind::Ext4.format(&disk);
    let at = directory.path().join("mounted");
    let options = ["-t", "ext4", "-o", "loop,errors=remount-ro"];
    let mount = Mount::with(&options, &disk, &at);
    let mut world = world(&at);
    world.circles[1].iter_mut().for_each(Influxd::kill);
    let running = Load::default().start(world.circlet.address);
    wait_for_more(&running, 2000);
    let trigger = format!("/sys/fs/ext4/{}/trigger_fs_error", mount.device());
    fs::write(trigger, "a test").unwrap();
    wait_for_refusal(&world);
    assert!(fs::write(at.join("new"), "").is_err(), "it is read-only");
    wait_delivered(&world, &CIRCLE_1);
    let mount = start_after_repair(&mut world, mount, &disk);
    world.circles[1].iter_mut().for_each(Influxd::restart);
    wait_for_recovery(&world);
    wait_for_more(&running, 1000);
    let tally = finish(&world, running);
    assert!(tally.answers.contains_key(&503));
    drop((world, mount));
}
