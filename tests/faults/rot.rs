//! Rot: files of a real gateway that change while nobody looks. Nothing wrong is ever delivered, what stands
//! behind the damage is, and what is gone is counted, kept for people and shown on the backends.

use crate::support::ledger::{Tally, findings};
use crate::support::prelude::*;
use crate::support::python;
use circlet::base::checksum::crc32c;
use circlet::base::ids::LogId;
use circlet::wal::inspect::{look, verify};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const PAGE: usize = 4096;

/// A stopped gateway with a log of several segments that no backend has seen, and a copy of all of it.
struct Ruins {
    world: World,
    whole: PathBuf,
    load: Load,
    tally: Tally,
    /// The log that holds more, and the other one: connections choose their shard.
    logs: [&'static str; 2],
}

/// A frame as it stands in a file.
#[derive(Clone, Copy, Debug)]
struct Stone {
    at: usize,
    /// In whole pages, and without the zeros at the end.
    bytes: usize,
    used_bytes: usize,
    points: u64,
}

impl Ruins {
    fn new() -> Ruins {
        let setup = Setup::new().write("ack = \"durable\"");
        let mut world =
            setup.tables("[log]\nsegment_bytes = \"1MiB\"\nspill_after = \"0s\"").start();
        world.circles.iter_mut().flatten().for_each(Influxd::kill);
        let load =
            Load { bodies: 260, lines_per_body: 200, pause: Duration::ZERO, ..Load::default() };
        let (load, tally) = load.start(world.circlet.address).join();
        world.circlet.kill();
        world.circles.iter_mut().flatten().for_each(Influxd::restart);
        let whole = world.directory.path().join("whole");
        copy(&world.circlet.data(), &whole);
        let mut ruins = Ruins { world, whole, load, tally, logs: ["log-000", "log-001"] };
        if ruins.segments("log-001").len() > ruins.segments("log-000").len() {
            ruins.logs.reverse();
        }
        ruins
    }

    /// Everything is again as it was before the first case.
    fn restore(&self) {
        fs::remove_dir_all(self.world.circlet.data()).unwrap();
        copy(&self.whole, &self.world.circlet.data());
        for server in self.world.servers() {
            server.query("", "DROP DATABASE \"d\"");
            server.create_database("d");
        }
    }

    fn wal(&self) -> PathBuf {
        self.world.circlet.data().join("wal")
    }

    /// The segments of a log, oldest first.
    fn segments(&self, log: &str) -> Vec<PathBuf> {
        let entries =
            fs::read_dir(self.wal().join(log)).unwrap().map(|entry| entry.unwrap().path());
        let is_segment = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.len() == 20 && name.ends_with(".wal")
        };
        let mut found: Vec<PathBuf> = entries.filter(is_segment).collect();
        found.sort();
        found
    }

    /// Whether `circlet wal verify` finds nothing.
    fn verifies(&self) -> bool {
        let config = self.world.circlet.config.to_str().unwrap();
        let output = self.world.circlet.command(&["wal", "verify", "-c", config]);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        output.status.success()
    }

    /// Starts, lets everything be delivered, and ends. Returns the lines that each circle lacks; panics if one
    /// holds what was never written.
    fn deliver(&mut self) -> Vec<u64> {
        self.world.circlet.restart();
        self.world.wait_drained(seconds(60));
        let mut missing = vec![0; self.world.circles.len()];
        for finding in findings(&self.world, &self.load, &self.tally) {
            let words: Vec<&str> = finding.split(' ').collect();
            assert!(words[2] == "lacks", "{finding}");
            let circle: usize = words[1].parse().unwrap();
            missing[circle - 1] += words[3].parse::<u64>().unwrap();
        }
        missing
    }

    /// After damage to the log that costs so many lines in each circle, and has cost them aloud.
    #[track_caller]
    fn expect_lost(&mut self, what: &str, lines: u64) {
        assert!(!self.verifies(), "{what}: verify says that all is well");
        assert_eq!(self.deliver(), [lines, lines], "{what}");
        let metrics = self.world.metrics();
        assert!(metrics.must("circlet_lost_points_total", &[("way", "damaged")]) >= 1.0, "{what}");
        for circle in ["circle-1", "circle-2"] {
            let marked = metrics.sum("circlet_backend_incomplete", &[("circle", circle)]);
            assert!(marked >= 1.0, "{what}: no backend of {circle} is incomplete");
        }
        // Of what is gone nothing is left to keep.
        let kept = fs::read_dir(self.wal().join("quarantine")).map_or(0, Iterator::count);
        assert_eq!(kept > 0, !what.contains("gone"), "{what}: kept for people");
        self.world.circlet.kill();
    }

    /// After damage that costs nothing.
    #[track_caller]
    fn expect_whole(&mut self, what: &str) {
        assert_eq!(self.deliver(), [0, 0], "{what}");
        self.world.expect_nothing_lost();
        self.world.circlet.kill();
    }

    /// A start is refused with these words, and changes nothing.
    #[track_caller]
    fn expect_refusal(&mut self, what: &str, words: &[&str]) {
        let before = listing(&self.wal());
        self.world.circlet.start_only();
        let status = self.world.circlet.wait_end();
        let log = self.world.circlet.log_end();
        assert_eq!(status.code(), Some(4), "{what}: {log}");
        let last = log.lines().last().unwrap();
        for word in words {
            assert!(last.contains(word), "{what}: does not say {word}: {last}");
        }
        assert_eq!(listing(&self.wal()), before, "{what}");
    }
}

fn copy(from: &Path, to: &Path) {
    python::finish(Command::new("cp").args(["-a", "--sparse=always"]).arg(from).arg(to));
}

/// Every file with its length, but for segments that are being made.
fn listing(directory: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            found.extend(listing(&entry.path()));
        } else if entry.path().extension().is_none_or(|extension| extension != "tmp") {
            found.push((entry.path(), entry.metadata().unwrap().len()));
        }
    }
    found.sort();
    found
}

/// The frames of a segment in a file, by docs/wal-format.md.
fn stones(path: &Path) -> Vec<Stone> {
    let bytes = fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut found = Vec::new();
    let mut at = 2 * PAGE;
    while at + PAGE < bytes.len() && bytes[at..].starts_with(b"CFRM") {
        let used_bytes = 72 + word(at + 8) + word(at + 12);
        let bytes = used_bytes.next_multiple_of(PAGE);
        found.push(Stone { at, bytes, used_bytes, points: word(at + 48) as u64 });
        at += bytes;
    }
    assert!(found.len() > 4, "{} holds {} frames", path.display(), found.len());
    found
}

fn points(stones: &[Stone]) -> u64 {
    stones.iter().map(|stone| stone.points).sum()
}

fn open(path: &Path) -> fs::File {
    fs::File::options().read(true).write(true).open(path).unwrap()
}

fn flip(path: &Path, at: usize) {
    let (file, mut byte) = (open(path), [0]);
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 0x20], at as u64).unwrap();
}

fn zero(path: &Path, at: usize, bytes: usize) {
    open(path).write_all_at(&vec![0; bytes], at as u64).unwrap();
}

fn cut(path: &Path, bytes: usize) {
    open(path).set_len(bytes as u64).unwrap();
}

#[test]
fn damage_costs_what_it_hit_and_no_line_more() {
    let mut ruins = Ruins::new();
    let segments = ruins.segments(ruins.logs[0]);
    assert!(segments.len() >= 3, "{segments:?}");
    let all = stones(&segments[0]);
    let hit = all[all.len() / 2];

    flip(&segments[0], hit.at + hit.bytes / 2);
    ruins.expect_lost("a flipped byte", hit.points);

    ruins.restore();
    zero(&segments[0], hit.at, PAGE);
    ruins.expect_lost("a zeroed page", hit.points);

    ruins.restore();
    // A write that went astray: a whole frame stands where another one should be.
    let other = all[all.len() / 4];
    let mut frame = vec![0; PAGE];
    open(&segments[0]).read_exact_at(&mut frame, other.at as u64).unwrap();
    open(&segments[0]).write_all_at(&frame, hit.at as u64).unwrap();
    ruins.expect_lost("a misdirected write", hit.points);

    ruins.restore();
    cut(&segments[0], hit.at + 512);
    ruins.expect_lost("the second half of a segment is cut off", points(&all[all.len() / 2..]));

    ruins.restore();
    zero(&segments[1], 0, 2 * PAGE);
    ruins.expect_lost("a segment without headers", points(&stones(&segments[1])));

    ruins.restore();
    let lost = points(&stones(&segments[1]));
    fs::remove_file(&segments[1]).unwrap();
    ruins.expect_lost("a segment is gone", lost);

    // The whole copy is what it was.
    ruins.restore();
    assert!(ruins.verifies());
    ruins.expect_whole("nothing was damaged");
}

#[test]
fn the_small_files_may_be_lost_or_rotten() {
    let mut ruins = Ruins::new();
    let wal = ruins.wal();
    let [cursors, others] = ruins.logs.map(|log| wal.join(log).join("cursors"));

    for at in [9, 256 << 10 | 9] {
        flip(&cursors, at);
    }
    assert!(!ruins.verifies());
    ruins.expect_whole("rotten cursors");

    ruins.restore();
    cut(&cursors, 300 << 10);
    ruins.expect_whole("cursors cut short");

    ruins.restore();
    cut(&cursors, 0);
    ruins.expect_whole("empty cursors");

    ruins.restore();
    fs::remove_file(&cursors).unwrap();
    ruins.expect_whole("lost cursors");

    ruins.restore();
    fs::copy(&others, &cursors).unwrap();
    ruins.expect_whole("the cursors of another log");

    ruins.restore();
    fs::remove_file(wal.join("backends.reg")).unwrap();
    ruins.expect_whole("one list of backends is lost");

    ruins.restore();
    let [list, copy] = ["backends.reg", "backends.copy"].map(|name| wal.join(name));
    flip(&list, 4);
    ruins.expect_whole("one list of backends is rotten");
    assert_eq!(fs::read(list).unwrap(), fs::read(copy).unwrap(), "it is mended by the other");

    ruins.restore();
    fs::create_dir(ruins.world.circlet.data().join("incomplete")).unwrap_or(());
    fs::write(ruins.world.circlet.data().join("incomplete/influxdb-1-1.txt"), "12").unwrap();
    ruins.world.circlet.restart();
    let labels = [("backend", "influxdb-1-1")];
    assert_eq!(ruins.world.metrics().must("circlet_backend_incomplete", &labels), 1.0);
    ruins.world.circlet.kill();
}

#[test]
fn what_is_foreign_or_newer_is_refused_and_left_alone() {
    let mut ruins = Ruins::new();
    let wal = ruins.wal();
    let format = wal.join("FORMAT");
    let text = fs::read_to_string(&format).unwrap();

    fs::write(&format, text.replace("format=1", "format=2")).unwrap();
    ruins.expect_refusal("a newer directory", &["FORMAT", "does not know"]);

    fs::write(&format, "").unwrap();
    ruins.expect_refusal("an empty FORMAT", &["FORMAT", "does not know"]);

    let last = text.trim_end().chars().last().unwrap();
    let other = if last == '0' { '1' } else { '0' };
    fs::write(&format, format!("{}{other}\n", &text[..text.len() - 2])).unwrap();
    ruins.expect_refusal("the directory of another node", &["belongs to another node"]);

    fs::remove_file(&format).unwrap();
    ruins.expect_refusal("no FORMAT", &["FORMAT", "put it back"]);
    fs::write(&format, &text).unwrap();

    for list in ["backends.reg", "backends.copy"] {
        fs::remove_file(wal.join(list)).unwrap();
    }
    ruins.expect_refusal("no list of backends", &["backends.reg", "put one of them back"]);

    ruins.restore();
    let segment = ruins.segments(ruins.logs[0]).remove(1);
    let mut header = vec![0; PAGE];
    open(&segment).read_exact_at(&mut header, 0).unwrap();
    header[7] = b'9';
    let seal = crc32c(&header[..PAGE - 4]).to_le_bytes();
    header[PAGE - 4..].copy_from_slice(&seal);
    open(&segment).write_all_at(&[header.clone(), header].concat(), 0).unwrap();
    ruins.expect_refusal("a newer segment", &["version that this one cannot read"]);

    ruins.restore();
    ruins.expect_whole("all of it is as it was");
}

/// Every sector of a segment as the gateway wrote it, with its stale and empty space.
#[test]
fn a_flip_or_a_cut_at_any_sector_hides_no_other_frame() {
    let ruins = Ruins::new();
    let segment = ruins.segments(ruins.logs[0]).remove(1);
    let log = LogId(ruins.logs[0].trim_start_matches("log-").parse().unwrap());
    let alone = ruins.world.directory.path().join("alone");
    fs::create_dir(&alone).unwrap();
    let path = alone.join(segment.file_name().unwrap());
    fs::copy(&segment, &path).unwrap();
    let all = stones(&path);
    let read = || verify(&look(&alone, log).unwrap());
    let whole = read();
    assert_eq!((whole.frames, whole.points), (all.len() as u64, points(&all)));
    let end = all.last().map(|last| last.at + last.bytes).unwrap();
    let size = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
    let original = fs::read(&path).unwrap();
    for at in (0..size).step_by(512) {
        let place = at + at / 512 % 512;
        flip(&path, place);
        let found = read();
        let hit = all.iter().find(|stone| (stone.at..stone.at + stone.bytes).contains(&place));
        let lost = whole.points - found.points;
        assert!(lost == 0 || Some(lost) == hit.map(|hit| hit.points), "a flip at {place}: {lost}");
        let is_told = found.damages.iter().any(|damage| damage.numbers.is_some());
        assert_eq!(is_told, lost > 0, "a flip at {place}: {:?}", found.damages);
        flip(&path, place);
    }
    for at in (2 * PAGE..size).step_by(512).rev() {
        cut(&path, at);
        let found = read();
        let left = all.iter().filter(|stone| stone.at + stone.used_bytes <= at);
        let left: u64 = left.map(|stone| stone.points).sum();
        assert_eq!(found.points, left, "cut at {at} of {end}");
    }
    fs::write(&path, original).unwrap();
    assert_eq!(read().points, whole.points);
}
