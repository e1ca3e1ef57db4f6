//! Rows 26 and 28: a log that rots, belongs to a later version, or to a backend that is gone.

use crate::support::prelude::*;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const LINES: u64 = 40;

/// A stopped gateway that owes one backend forty frames of one line, each of some pages; the backend runs.
fn owing() -> World {
    let mut world = Setup::new()
        .circles(2, 1)
        .shards(1)
        .write("ack_wait = \"100ms\"")
        .tables("[log]\nsegment_bytes = \"1MiB\"")
        .start();
    world.circles[1][0].kill();
    world.wait_up("influxdb-2-1", false);
    let mut connection = world.connect();
    for number in 0..LINES {
        let line =
            format!("mark v={number}i,text=\"MARK{number:03}{}\" {number}", "x".repeat(100_000));
        connection.request(&Request::post("/write?db=d", line)).unwrap().expect(204);
    }
    assert_eq!(world.circlet.terminate().code(), Some(0));
    world.circles[1][0].restart();
    world
}

fn segments(world: &World) -> Vec<PathBuf> {
    let directory = world.circlet.data().join("wal/log-000");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.ends_with(".wal") && !name.starts_with("free")
    };
    let mut found: Vec<PathBuf> = files.filter(is_segment).collect();
    found.sort();
    assert!(found.len() >= 4, "{found:?}");
    found
}

/// The segment that holds these bytes, and where.
fn place_of(segments: &[PathBuf], needle: &str) -> (PathBuf, u64) {
    let found = segments.iter().find_map(|path| {
        let bytes = fs::read(path).unwrap();
        let at = memchr::memmem::find(&bytes, needle.as_bytes())?;
        Some((path.clone(), at as u64))
    });
    found.unwrap_or_else(|| panic!("no segment holds {needle}"))
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
    file.sync_all().unwrap();
}

/// Starts it: it must deliver all lines but these, and tell of the loss by its counter, the mark of the
/// backend, and what it set aside.
fn expect_all_but(world: &mut World, lost: &[u64], is_set_aside: bool) {
    world.circlet.restart();
    world.wait_drained(seconds(60));
    let series = world.circles[1][0].series("d", "SELECT v FROM mark");
    let rows = series.first().and_then(|series| series["values"].as_array()).cloned();
    let found: Vec<u64> =
        rows.unwrap_or_default().iter().map(|row| row[1].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (0..LINES).filter(|number| !lost.contains(number)).collect();
    assert_eq!(found, expected, "what is whole is delivered");
    let metrics = world.metrics();
    let counted = metrics.must("circlet_lost_points_total", &[("way", "damaged")]);
    assert!(counted >= lost.len() as f64, "{counted} counted of {lost:?}");
    let labels = [("backend", "influxdb-2-1")];
    assert_eq!(metrics.must("circlet_backend_incomplete", &labels), 1.0);
    let quarantine = world.circlet.data().join("wal/quarantine");
    let copies = fs::read_dir(quarantine).map_or(0, Iterator::count);
    assert_eq!(copies > 0, is_set_aside, "{copies} copies for people");
    let other = world.circles[0][0].count("d", "SELECT count(v) FROM mark");
    assert_eq!(other, LINES, "the other circle had them before");
    world.write("d", "mark v=100i 100").expect(204);
    world.wait_drained(seconds(20));
}

pub fn a_flipped_bit_and_a_zeroed_page_cost_their_frames() {
    let mut world = owing();
    let segments = segments(&world);
    let (path, at) = place_of(&segments, "MARK007");
    let byte = fs::read(&path).unwrap()[usize::try_from(at).unwrap() + 50];
    overwrite(&path, at + 50, &[byte ^ 1]);
    let (path, at) = place_of(&segments, "MARK021");
    overwrite(&path, (at / 4096 + 3) * 4096, &[0; 4096]);
    expect_all_but(&mut world, &[7, 21], true);
}

/// The numbers whose lines begin in this segment.
fn marks_in(path: &Path) -> Vec<u64> {
    let bytes = fs::read(path).unwrap();
    let has = |number: &u64| {
        memchr::memmem::find(&bytes, format!("MARK{number:03}").as_bytes()).is_some()
    };
    (0..LINES).filter(has).collect()
}

pub fn a_missing_segment_is_counted_and_the_others_are_delivered() {
    let mut world = owing();
    let segments = segments(&world);
    let lost = marks_in(&segments[1]);
    assert!(lost.len() > 3, "{lost:?}");
    fs::remove_file(&segments[1]).unwrap();
    expect_all_but(&mut world, &lost, false);
}

pub fn a_truncated_segment_costs_what_is_cut_off() {
    let mut world = owing();
    let segments = segments(&world);
    let (path, at) = place_of(&segments, "MARK012");
    let lost: Vec<u64> = marks_in(&path).into_iter().filter(|number| *number >= 12).collect();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(at / 4096 * 4096).unwrap();
    expect_all_but(&mut world, &lost, true);
}

/// A later format is refused in words, with nothing changed.
pub fn a_log_of_a_later_version_is_refused() {
    let mut world = owing();
    let path = world.circlet.data().join("wal/FORMAT");
    let text = fs::read_to_string(&path).unwrap();
    let later = text.replace("format=1", "format=99");
    assert_ne!(later, text);
    fs::write(&path, &later).unwrap();
    world.circlet.start_only();
    let status = world.circlet.wait_end();
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    let log = world.circlet.log_end();
    assert!(log.contains("99"), "it says which version it found: {log}");
    assert_eq!(fs::read_to_string(&path).unwrap(), later, "it changes nothing");
    fs::write(&path, text).unwrap();
    world.circlet.restart();
    world.wait_drained(seconds(60));
    assert_eq!(world.circles[1][0].count("d", "SELECT count(v) FROM mark"), LINES);
    world.expect_nothing_lost();
}

/// What the log owes a backend that the configuration no longer names is kept, is listed, and is delivered
/// when it is named again.
pub fn what_is_owed_to_a_backend_that_is_gone_is_kept_and_listed() {
    let mut world = owing();
    let config = fs::read_to_string(&world.circlet.config).unwrap();
    let without = config.split("[[circle]]\nname = \"circle-2\"").next().unwrap();
    fs::write(&world.circlet.config, without).unwrap();
    world.circlet.restart();
    world.write("d", "mark v=200i 200").expect(204);
    // The cursors on disk are at most a second old.
    let config_path = world.circlet.config.to_str().unwrap().to_owned();
    until("the queue is listed", seconds(10), || {
        let output = world.circlet.command(&["wal", "stat", "--json", "-c", &config_path]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let row = text.lines().find(|line| line.contains("influxdb-2-1"))?;
        let row: Value = serde_json::from_str(row).unwrap();
        (row["points"] == LINES).then_some(())
    });
    assert_eq!(world.circlet.terminate().code(), Some(0));
    fs::write(&world.circlet.config, config).unwrap();
    // A circle more is a change of the rings: its data must come from somewhere.
    world.circlet.restart_with(&["--accept-ring-change"]);
    world.wait_drained(seconds(60));
    let count = world.circles[1][0].count("d", "SELECT count(v) FROM mark WHERE time < 100");
    assert_eq!(count, LINES);
    world.expect_nothing_lost();
}
