//! Laws of a re-routing, on simulated disks: two logs, a circle that lost a backend, another one that is whole.

use super::carry::{Limits, Rerouted, Work, all};
use super::way::Way;
use crate::base::ids::{BackendId, LogId};
use crate::base::limits::PAGE;
use crate::base::time::{Mono, Stamp};
use crate::config::checked::MinFree;
use crate::ring::{BackendPlan, CirclePlan, HashKey, Placement, Plan, ShardKey, Target, Topology};
use crate::rt::sim::{Fault, SimDisk};
use crate::rt::{Clock, Disk};
use crate::wal::{Checkpoint, Frame, Item, Opened, QueueMark, Run, Settings, Writer, open};
use futures_lite::future::block_on;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

const GONE: BackendId = BackendId(0);
const A: BackendId = BackendId(1);
const B: BackendId = BackendId(2);
const X: BackendId = BackendId(3);

fn topology() -> Arc<Topology> {
    let circle = |(at, names): (usize, &&[&str])| CirclePlan {
        name: format!("circle-{}", at + 1),
        backends: names
            .iter()
            .map(|name| BackendPlan { name: (*name).to_owned(), url: format!("http://{name}") })
            .collect(),
    };
    let circles: [&[&str]; 2] = [&["a", "b"], &["x"]];
    Arc::new(Topology::new(&Plan {
        placement: Placement::Even,
        hash_key: HashKey::Template("%idx".into()),
        shard_key: ShardKey::parse("%db,%mm").unwrap(),
        circles: circles.iter().enumerate().map(circle).collect(),
    }))
}

fn way(circle: Option<usize>) -> Way {
    Way::new(GONE, circle, topology(), vec![A, B, X])
}

fn target(database: &str) -> Target {
    Target { org: "o".into(), database: database.into(), retention_policy: "".into() }
}

/// Whom a line belongs to in the first circle now. Measurements of the database that waits begin with a `w`.
fn owner(line: &str) -> BackendId {
    let measurement = line.split([',', ' ']).next().unwrap();
    let database = if line.starts_with('w') { "waits" } else { "d" };
    [A, B, X][usize::from(topology().route(&target(database), measurement.as_bytes())[0])]
}

fn settings(disk: &SimDisk, clock: &Clock, log: u16) -> Settings {
    Settings {
        log: LogId(log),
        directory: PathBuf::from(format!("/data/wal/log-{log:03}")),
        quarantine: PathBuf::from("/data/wal/quarantine"),
        node: [7; 16],
        segment_bytes: 12 * PAGE as u64,
        hot_bytes_max: 0,
        sync_each_commit: true,
        disk: Disk::Sim(disk.clone()),
        clock: clock.clone(),
    }
}

/// A gateway's two logs while it runs.
struct Gateway {
    now: Rc<Cell<u64>>,
    logs: Vec<(Opened, Writer)>,
}

impl Gateway {
    fn start(disk: &SimDisk) -> Gateway {
        let now = Rc::new(Cell::new(1000));
        let clock = Clock::Sim(now.clone());
        let logs = [0, 1].map(|log| {
            let opened = block_on(open(settings(disk, &clock, log))).unwrap();
            opened.log.continue_stamps(Stamp(0), Mono(0));
            let writer = opened.log.writer();
            (opened, writer)
        });
        Gateway { now, logs: logs.into() }
    }

    fn commit(&mut self, log: usize) -> u64 {
        let (opened, writer) = &mut self.logs[log];
        let committed = block_on(writer.commit());
        assert!(committed.error.is_none());
        writer.release(&committed.frames);
        self.now.set(self.now.get() + 10);
        opened.log.end() - 1
    }

    /// A line alone in its frame; the number of the frame.
    fn line(&mut self, log: usize, database: &str, targets: &[BackendId], line: &str) -> u64 {
        let (tag, len) = (Rc::from(target(database).to_tag()), line.len() + 1);
        let copy = |space: &mut [u8]| space.copy_from_slice(format!("{line}\n").as_bytes());
        self.logs[log].0.log.append(&tag, targets, 1, len, copy).unwrap();
        self.commit(log)
    }

    fn statement(&mut self, log: usize, targets: &[BackendId], text: &str) {
        let tag = Rc::from(target("d").to_tag());
        self.logs[log].0.log.append_statement(&tag, targets, text.as_bytes()).unwrap();
        self.commit(log);
    }

    /// Writes the cursors of a log: backend, database that waits (or empty), first frame that is owed.
    fn mark(&mut self, log: usize, cursors: &[(BackendId, &str, u64)]) {
        let (opened, _) = &mut self.logs[log];
        let frames = frames(opened);
        let marks = cursors.iter().map(|(backend, database, cursor)| {
            let tag = if database.is_empty() { Vec::new() } else { target(database).to_tag() };
            let owed = |frame: &&Rc<Frame>| frame.number() >= *cursor && frame.names(*backend);
            QueueMark {
                backend: *backend,
                tag: tag.into(),
                cursor: *cursor,
                oldest: frames.iter().find(owed).map_or(Stamp::NONE, |frame| frame.stamp()),
                oldest_statement: Stamp::NONE,
                bytes: 0,
            }
        });
        let checkpoint = Checkpoint {
            highest_stamp: opened.log.last_stamp(),
            marks: marks.collect(),
            ..Checkpoint::default()
        };
        block_on(opened.checkpoint_file.write(&checkpoint)).unwrap();
    }
}

fn frames(opened: &Opened) -> Vec<Rc<Frame>> {
    let (mut at, mut frames) = (0, Vec::new());
    loop {
        let items = block_on(opened.log.read(at, 1 << 20)).unwrap();
        if items.is_empty() {
            return frames;
        }
        for item in items {
            match item {
                Item::Frame(frame) => {
                    at = frame.number() + 1;
                    frames.push(frame);
                }
                Item::Damaged(numbers) => at = numbers.end,
            }
        }
    }
}

/// A copy of a disk as it is.
fn copy(disk: &SimDisk) -> SimDisk {
    disk.power_cut(true, |_| true)
}

/// The lines and statements that the logs owe a backend, by the cursors on disk, in the order of their stamps.
fn owed(disk: &SimDisk, backend: BackendId) -> Vec<String> {
    let disk = copy(disk);
    let clock = Clock::Sim(Rc::new(Cell::new(1_000_000)));
    let mut owed: Vec<(Stamp, String)> = Vec::new();
    for log in [0, 1] {
        let opened = block_on(open(settings(&disk, &clock, log))).unwrap();
        let checkpoint = opened.checkpoint.clone().unwrap();
        for frame in frames(&opened) {
            let is_owed = |run: &Run<'_>| {
                run.targets.contains(&backend)
                    && checkpoint.owes(backend, frame.number(), run.tag).is_some()
            };
            for run in frame.runs.iter().filter(is_owed) {
                let text = std::str::from_utf8(frame.payload(&run)).unwrap();
                owed.extend(text.lines().map(|line| (frame.stamp(), line.to_owned())));
            }
        }
    }
    owed.sort_by_key(|(stamp, _)| *stamp);
    owed.into_iter().map(|(_, line)| line).collect()
}

const NO_LIMITS: Limits =
    Limits { min_free: MinFree::Bytes(0), logs_bytes_max: None, dropped_beyond: Vec::new() };

fn reroute(disk: &SimDisk, way: Way, limits: Limits, moves: bool) -> Result<Rerouted, String> {
    // The machine was started anew meanwhile: its clock says less than the stamps.
    let clock = Clock::Sim(Rc::new(Cell::new(5)));
    let logs = [0, 1].map(|log| settings(disk, &clock, log)).into();
    block_on(all(Work { way, logs, limits, moves }, &mut |_| {}))
}

/// The value that the last of these lines leaves at each measurement and time.
fn last_values(lines: &[String]) -> BTreeMap<String, String> {
    let split = |line: &String| {
        let mut words = line.split(' ');
        let (series, value) = (words.next().unwrap(), words.next().unwrap());
        (format!("{series} {}", words.next().unwrap()), value.to_owned())
    };
    lines.iter().filter(|line| !line.starts_with('{')).map(split).collect()
}

/// Lines of a few points in two logs by turns, each point written again and again. The backend that is
/// gone has confirmed the first ten; of the database `waits`, nothing. A part is packed.
fn story() -> (SimDisk, Vec<String>) {
    let disk = SimDisk::default();
    let mut gateway = Gateway::start(&disk);
    let (mut lines, mut first) = (Vec::new(), [0, 0]);
    for at in 0..45usize {
        let log = usize::from(at % 3 == 0);
        let database = if at % 7 == 2 { "waits" } else { "d" };
        let letter = &database[..1];
        let line = format!("{letter}{},w={} v={at}i 1700000000000000001", at % 12, at % 5 % 2);
        let number = gateway.line(log, database, &[GONE, X], &line);
        if at < 10 {
            first[log] = number + 1;
        }
        if at >= 10 || database == "waits" {
            lines.push(line);
        }
        if at == 20 {
            gateway.statement(0, &[GONE, A, X], "{\"made\":1}");
        }
    }
    for log in [0, 1] {
        let end = gateway.logs[log].0.log.end();
        gateway
            .mark(log, &[(GONE, "", first[log]), (GONE, "waits", 0), (A, "", end), (X, "", end)]);
    }
    let log = &gateway.logs[0].0.log;
    assert!(log.segments().len() > 2, "there is something to pack");
    let packed = log.pack(log.segments()[0].number(), 1, vec![GONE], |frame, run| {
        frame.number() >= first[0] || *target("waits").to_tag() == **run.tag
    });
    assert!(block_on(packed).unwrap().is_some());
    (disk, lines)
}

#[test]
fn every_line_goes_to_its_owner_of_today_in_its_order_and_leaves_the_old_queue() {
    let (disk, lines) = story();
    let (before, of_x) = (owed(&disk, GONE), owed(&disk, X));
    assert_eq!(before.len(), lines.len() + 1, "with the statement");
    let only_said = reroute(&disk, way(None), NO_LIMITS, false).unwrap();
    assert_eq!(owed(&disk, GONE), before, "nothing moves without a yes");
    let done = reroute(&disk, way(None), NO_LIMITS, true).unwrap();
    assert_eq!(only_said, done);
    assert_eq!(owed(&disk, GONE), [""; 0]);
    assert_eq!(owed(&disk, X), of_x);
    let (of_a, of_b) = (owed(&disk, A), owed(&disk, B));
    for (backend, theirs) in [(A, &of_a), (B, &of_b)] {
        let theirs: Vec<&String> = theirs.iter().filter(|line| !line.starts_with('{')).collect();
        let wanted: Vec<&String> = lines.iter().filter(|line| owner(line) == backend).collect();
        assert!(wanted.len() > 3);
        assert_eq!(theirs, wanted);
    }
    assert!(of_b.contains(&"{\"made\":1}".to_owned()), "nobody told the one that came later");
    assert!(!of_a.contains(&"{\"made\":1}".to_owned()), "it was told");
    assert_eq!((done.statements, done.statements_kept, done.damaged_frames), (1, 1, 0));
    assert_eq!(done.all().lines, lines.len() as u64);
    let named: Vec<_> = done.owners.iter().map(|(circle, name, _)| (&**circle, &**name)).collect();
    assert_eq!(named, [("circle-1", "a"), ("circle-1", "b")]);
    let again = reroute(&disk, way(None), NO_LIMITS, true).unwrap();
    assert_eq!(again, Rerouted::default(), "nothing is left");
}

#[test]
fn a_crash_at_any_operation_loses_nothing_and_a_second_run_ends_it() {
    let (disk, lines) = story();
    let of_x = owed(&disk, X);
    let whole = copy(&disk);
    let before = whole.operations();
    reroute(&whole, way(None), NO_LIMITS, true).unwrap();
    let operations = whole.operations() - before;
    assert!(operations > 40, "{operations}");
    for at in 1..=operations {
        let running = copy(&disk);
        running.plant(at, Fault::PowerCut);
        reroute(&running, way(None), NO_LIMITS, true).unwrap_err();
        let found =
            running.power_cut(!at.is_multiple_of(3), |turn| (turn as u64 + at).is_multiple_of(2));
        let [of_gone, of_a, of_b] = [GONE, A, B].map(|backend| owed(&found, backend));
        for line in &lines {
            let new = if owner(line) == A { &of_a } else { &of_b };
            assert!(of_gone.contains(line) || new.contains(line), "operation {at}: {line}");
        }
        reroute(&found, way(None), NO_LIMITS, true).unwrap();
        assert_eq!(owed(&found, GONE), [""; 0], "operation {at}");
        assert_eq!(owed(&found, X), of_x, "operation {at}");
        let mut values = last_values(&owed(&found, A));
        values.extend(last_values(&owed(&found, B)));
        assert_eq!(values, last_values(&lines), "operation {at}");
    }
    println!("{operations} operations");
}

#[test]
fn what_was_taken_before_something_older_is_repeated_behind_it() {
    let disk = SimDisk::default();
    let mut gateway = Gateway::start(&disk);
    // Each becomes durable alone.
    let [older, newer] = [1, 2].map(|value| format!("m,t={} v={value}i 1", "x".repeat(300)));
    gateway.line(0, "d", &[GONE, X], &older);
    gateway.line(1, "d", &[GONE, X], &newer);
    gateway.mark(0, &[(GONE, "", 0)]);
    gateway.mark(1, &[(GONE, "", 2)]);
    let whole = copy(&disk);
    reroute(&whole, way(None), NO_LIMITS, true).unwrap();
    assert_eq!(owed(&whole, owner("m")), [older, newer.clone()]);
    // Also when a first run ends half way.
    for at in 1..=whole.operations() {
        let running = copy(&disk);
        running.plant(at, Fault::PowerCut);
        reroute(&running, way(None), NO_LIMITS, true).unwrap_err();
        let found = running.power_cut(true, |_| true);
        reroute(&found, way(None), NO_LIMITS, true).unwrap();
        assert_eq!(owed(&found, owner("m")).pop(), Some(newer.clone()), "operation {at}");
    }
}

#[test]
fn what_is_re_routed_stands_behind_what_its_new_owner_is_owed() {
    let disk = SimDisk::default();
    let mut gateway = Gateway::start(&disk);
    gateway.line(0, "d", &[GONE, X], "m v=1i 1");
    gateway.line(1, "d", &[owner("m"), X], "m v=2i 1");
    gateway.mark(0, &[(GONE, "", 0)]);
    gateway.mark(1, &[(GONE, "", 2)]);
    reroute(&disk, way(None), NO_LIMITS, true).unwrap();
    assert_eq!(owed(&disk, owner("m")), ["m v=2i 1", "m v=1i 1"]);
}

#[test]
fn a_circle_that_is_no_more_needs_nothing_and_a_doubt_is_asked() {
    assert_eq!(way(None).circle_of(&[GONE, X]), Ok(Some(0)));
    assert_eq!(way(None).circle_of(&[A, GONE]), Ok(Some(1)));
    assert_eq!(way(None).circle_of(&[GONE, A, X]), Ok(None));
    assert_eq!(way(None).circle_of(&[GONE]), Err(vec!["circle-1", "circle-2"]));
    assert_eq!(way(Some(1)).circle_of(&[GONE]), Ok(Some(1)));
    let disk = SimDisk::default();
    let mut gateway = Gateway::start(&disk);
    gateway.line(0, "d", &[GONE, A, X], "m v=1i 1");
    gateway.line(1, "d", &[GONE], "m v=2i 1");
    gateway.mark(0, &[(GONE, "", 0)]);
    gateway.mark(1, &[(GONE, "", 0)]);
    let doubt = reroute(&disk, way(None), NO_LIMITS, true).unwrap_err();
    assert!(doubt.contains("--circle with one of circle-1, circle-2; 0 lines"), "{doubt}");
    assert_eq!(owed(&disk, GONE).len(), 2);
    let done = reroute(&disk, way(Some(1)), NO_LIMITS, true).unwrap();
    assert_eq!((done.all().lines, done.unneeded.lines), (2, 0));
    let disk = SimDisk::default();
    let mut gateway = Gateway::start(&disk);
    gateway.line(0, "d", &[GONE, A, X], "m v=3i 1");
    gateway.mark(0, &[(GONE, "", 0)]);
    gateway.mark(1, &[(GONE, "", 0)]);
    let done = reroute(&disk, way(None), NO_LIMITS, true).unwrap();
    assert_eq!((done.all().lines, done.unneeded.lines), (0, 1));
    assert_eq!(owed(&disk, GONE), [""; 0]);
}

#[test]
fn beyond_a_budget_it_stops_and_says_which() {
    let tight = [
        (Limits { min_free: MinFree::Bytes(1 << 40), ..NO_LIMITS }, "min_free"),
        (Limits { logs_bytes_max: Some(1 << 16), ..NO_LIMITS }, "max_bytes"),
        (Limits { dropped_beyond: vec![Some(100), Some(100), None], ..NO_LIMITS }, "circle-1/"),
    ];
    for (limits, word) in tight {
        let (disk, lines) = story();
        let error = reroute(&disk, way(None), limits, true).unwrap_err();
        assert!(error.contains(word) && error.contains("the rest is owed as before"), "{error}");
        assert_eq!(owed(&disk, GONE).len(), lines.len() + 1, "{word}");
    }
}

#[test]
fn a_log_without_cursors_is_left_to_the_gateway() {
    let disk = SimDisk::default();
    let mut gateway = Gateway::start(&disk);
    gateway.line(0, "d", &[GONE, X], "m v=1i 1");
    let error = reroute(&disk, way(None), NO_LIMITS, true).unwrap_err();
    assert!(error.contains("the cursors of log 0 are lost"), "{error}");
}
