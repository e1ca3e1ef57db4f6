//! The watermarks of free space on a real small file system, and the ballast under them.

use crate::mount::{Kind, Mount, image};
use crate::support::ledger::expect_whole;
use crate::support::prelude::*;
use crate::support::world::directory;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const DISK_BYTES: u64 = 64 << 20;

fn ext4(directory: &TempDir) -> Mount {
    let disk = directory.path().join("disk");
    image(&disk, DISK_BYTES);
    Kind::Ext4.format(&disk);
    Mount::image(Kind::Ext4, &disk, &directory.path().join("mounted"))
}

fn world(data: &Path, min_free: &str) -> World {
    let log = format!("[log]\nsegment_bytes = \"1MiB\"\nmin_free = \"{min_free}\"");
    Setup::new().write("ack = \"durable\"").tables(&log).data(data).start()
}

/// What `/ready` says against writes.
fn refusal(world: &World) -> Option<String> {
    let answer = world.ask(&Request::get("/ready"));
    (answer.status == 503).then(|| answer.json()["message"].as_str().unwrap_or("").to_owned())
}

fn wait_for_ready(world: &World) {
    until("writes are taken", seconds(40), || refusal(world).is_none().then_some(()));
}

fn ballast_bytes(world: &World) -> f64 {
    world.metrics().must("circlet_wal_ballast_bytes", &[])
}

/// Files of the log that are kept for later.
fn recycled(data: &Path) -> usize {
    let logs = ["log-000", "log-001"].map(|log| data.join("wal").join(log));
    let names = logs.iter().flat_map(|log| fs::read_dir(log).unwrap());
    names
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("free-"))
        .count()
}

#[test]
fn writes_stop_at_the_watermark_and_go_on_when_the_backends_are_back() {
    let directory = directory();
    let mount = ext4(&directory);
    let mut world = world(&mount.path, "20MiB");
    world.circles[1].iter_mut().for_each(Influxd::kill);
    let load = Load { lines_per_body: 400, pause: Duration::from_millis(2), ..Load::default() };
    let running = load.start(world.circlet.address);
    let why = until("writes are refused", seconds(90), || refusal(&world));
    assert_eq!(why, "the disk is full (min_free)");
    let left = mount.free_bytes();
    assert!(left > 4 << 20, "most of it is still free: {left}");
    until("recycled files are given up", seconds(10), || {
        (recycled(&mount.path) == 0).then_some(())
    });
    world.circles[1].iter_mut().for_each(Influxd::restart);
    wait_for_ready(&world);
    let before = running.acknowledged();
    until("lines are acknowledged", seconds(30), || {
        (running.acknowledged() > before + 2000).then_some(())
    });
    let (load, tally) = running.stop();
    world.wait_drained(seconds(60));
    assert!(tally.answers.keys().all(|status| [204, 503].contains(status)), "{:?}", tally.answers);
    assert!(tally.complaint.as_ref().is_some_and(|text| text.contains("(min_free)")), "{tally:?}");
    assert_eq!(
        world.metrics().sum("circlet_wal_failures_total", &[]),
        0.0,
        "the log met no full disk"
    );
    expect_whole(&world, &load, &tally);
    world.expect_nothing_lost();
    drop((world, mount));
}

#[test]
fn on_the_fullest_disk_the_ballast_lets_rejects_be_kept() {
    let directory = directory();
    let mount = ext4(&directory);
    let mut world = world(&mount.path, "2MiB");
    until("ballast is held", seconds(10), || (ballast_bytes(&world) > 0.0).then_some(()));
    let owner = world.owners(&["--db", "d"], "kind")[1].clone();
    world.write("d", "kind v=1 1").expect(204);
    world.wait_drained(seconds(10));
    world.server_mut(&owner).kill();
    world.wait_up(&owner, false);
    world.write("d", "kind v=\"text\" 2").expect(204);
    let filler = mount.path.join("filler");
    fs::write(&filler, vec![7; usize::try_from(DISK_BYTES).unwrap()]).unwrap_err();
    let why = until("writes are refused", seconds(10), || refusal(&world));
    assert_eq!(why, "the disk is full (min_free)");
    until("the ballast is given up", seconds(10), || (ballast_bytes(&world) == 0.0).then_some(()));
    assert!(!mount.path.join("wal/ballast").exists());
    world.server_mut(&owner).restart();
    world.wait_drained(seconds(60));
    let kept = fs::read_dir(mount.path.join("rejects").join(&owner)).unwrap().count();
    assert_eq!(kept, 1, "what the backend refused is kept on a full disk");
    assert!(refusal(&world).is_some(), "the filler is still there");
    fs::remove_file(&filler).unwrap();
    wait_for_ready(&world);
    until("ballast is held again", seconds(10), || (ballast_bytes(&world) > 0.0).then_some(()));
    world.write("d", "kind v=3 3").expect(204);
    world.expect_nothing_lost();
    drop((world, mount));
}
