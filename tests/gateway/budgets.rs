//! What happens when logs and backlogs may not grow any more: refused with a word that makes clients come
//! again, or the oldest given up, told and counted; and never anything else.

use crate::support::prelude::*;
use crate::support::wait::let_pass;
use std::collections::BTreeSet;
use std::fs;

/// Lines of some 4 KiB each, so that limits of some MiB are reached with few points.
const LINES_PER_BODY: u64 = 32;
const TEXT_BYTES: usize = 4000;

/// Phrases at which Telegraf throws a batch away.
const FATAL: [&str; 5] = [
    "partial write",
    "unable to parse",
    "points beyond retention policy",
    "retention policy not found",
    "hinted handoff queue not empty",
];

/// Numbered lines of one measurement over one connection, so that all of them are in one log.
struct Writer {
    connection: Connection,
    measurement: String,
    next: u64,
}

impl Writer {
    fn new(world: &World, measurement: &str) -> Writer {
        Writer { connection: world.connect(), measurement: measurement.to_owned(), next: 0 }
    }

    fn body(&self) -> String {
        let text = "x".repeat(TEXT_BYTES);
        let numbers = self.next..self.next + LINES_PER_BODY;
        let line = |number| {
            let time = 1_700_000_000_000_000_000_u64 + number;
            format!("{} n={number}i,t=\"{text}\" {time}\n", self.measurement)
        };
        numbers.map(line).collect()
    }

    /// The same lines again until they are acknowledged.
    fn send(&mut self) -> Answer {
        let request = Request::post("/write?db=d", self.body());
        let answer = self.connection.request(&request).expect("Circlet answers");
        if answer.status == 204 {
            self.next += LINES_PER_BODY;
        }
        answer
    }

    /// Sends until one is refused, or so many bytes are acknowledged.
    fn send_bytes(&mut self, bytes: usize) -> Option<Answer> {
        let end = self.next + (bytes / TEXT_BYTES) as u64;
        while self.next < end {
            let answer = self.send();
            if answer.status != 204 {
                return Some(answer);
            }
        }
        None
    }

    /// The numbers that a server holds.
    fn held(&self, server: &Influxd) -> BTreeSet<u64> {
        let series = server.series("d", &format!("SELECT n FROM {}", self.measurement));
        let rows = series.first().and_then(|series| series["values"].as_array()).cloned();
        rows.unwrap_or_default().iter().map(|row| row[1].as_u64().expect("a number")).collect()
    }

    fn acknowledged(&self) -> BTreeSet<u64> {
        (0..self.next).collect()
    }
}

fn world(log: &str) -> World {
    Setup::new().write("ack = \"durable\"").tables(&format!("[log]\n{log}")).start()
}

/// Kills the owner in the second circle, and gives its name and that in the first.
fn kill_owner(world: &mut World, measurement: &str) -> [String; 2] {
    let owners = world.owners(&["--db", "d"], measurement);
    world.server_mut(&owners[1]).kill();
    world.wait_up(&owners[1], false);
    [owners[1].clone(), owners[0].clone()]
}

/// A measurement with this owner in the second circle, or any other one.
fn measurement_of(world: &World, owner: &str, wanted: bool) -> String {
    let mut names = (0..50).map(|number| format!("m{number}"));
    let fits = |name: &String| (world.owners(&["--db", "d"], name)[1] == owner) == wanted;
    names.find(fits).expect("a ring gives everybody something")
}

#[track_caller]
fn expect_refusal(answer: &Answer, words: &str) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let retry = answer.header("Retry-After").expect("a client is told when to come again");
    assert!(retry.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{retry}");
    let text = answer.json()["error"].as_str().expect("an error in the dialect").to_owned();
    assert!(text.contains(words), "{text}");
    assert!(FATAL.iter().all(|phrase| !text.contains(phrase)), "{text}");
}

fn status(world: &World) -> serde_json::Value {
    world.ask(&Request::get("/-/status")).expect(200).json()
}

fn status_of(world: &World, name: &str) -> serde_json::Value {
    let status = status(world);
    let backends = status["backends"].as_array().expect("a list");
    backends.iter().find(|backend| backend["name"] == name).expect("it is there").clone()
}

fn refused(world: &World, reason: &str) -> f64 {
    world.metrics().sum("circlet_writes_refused_total", &[("reason", reason)])
}

fn dropped(world: &World) -> f64 {
    world.metrics().must("circlet_lost_points_total", &[("way", "dropped")])
}

/// What `circlet status` prints.
fn told(world: &World) -> String {
    let config = world.circlet.config.to_str().expect("a path of ours is text");
    let output = world.circlet.command(&["status", "-c", config]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_full_backlog_refuses_what_it_would_get_and_nothing_else() {
    let mut world = world("max_backlog_bytes = \"1MiB\"");
    let [dead, _] = kill_owner(&mut world, "full");
    let other = measurement_of(&world, &dead, false);
    let mut writer = Writer::new(&world, "full");
    let answer = until("the backlog is full", seconds(30), || writer.send_bytes(1 << 20));
    expect_refusal(&answer, &format!("the backlog of circle-2/{dead} is full (max_backlog_bytes)"));
    world.write("d", format!("{other} v=1 1")).expect(204);
    // A request with some line for it is refused whole.
    let mixed = world.write("d", format!("{other} v=2 2\nfull n=1i 1"));
    expect_refusal(&mixed, "is full");
    let v2 =
        Request::post("/api/v2/write?bucket=d&org=default", format!("{other} v=3 3\nfull n=1i 1"));
    assert_eq!(world.ask(&v2).expect(503).json()["code"], "unavailable");
    world.ask(&Request::get("/ready")).expect(200);
    assert_eq!(status_of(&world, &dead)["backlog_full"], "max_backlog_bytes");
    assert!(told(&world).contains("FULL (max_backlog_bytes)"), "{}", told(&world));
    let labels = [("backend", dead.as_str())];
    assert_eq!(world.metrics().must("circlet_backend_backlog_full", &labels), 1.0);
    assert!(refused(&world, "backlog_full") >= 3.0);

    world.server_mut(&dead).restart();
    until("writes are taken again", seconds(30), || (writer.send().status == 204).then_some(()));
    world.wait_drained(seconds(30));
    assert_eq!(writer.held(world.server(&dead)), writer.acknowledged());
    assert_eq!(world.points(0, "d"), world.points(1, "d"));
    let there = |server: &Influxd| server.count("d", &format!("SELECT count(v) FROM {other}"));
    assert_eq!(
        world.servers().map(there).sum::<u64>(),
        2,
        "one line in each circle, no half request"
    );
    world.expect_nothing_lost();
}

#[test]
fn all_backlogs_of_a_circle_full_means_not_ready() {
    let mut world = world("max_backlog_bytes = \"1MiB\"");
    for server in &mut world.circles[1] {
        server.kill();
    }
    let names = ["influxdb-2-1", "influxdb-2-2"];
    let mut writers: Vec<Writer> =
        names.iter().map(|name| Writer::new(&world, &measurement_of(&world, name, true))).collect();
    for writer in &mut writers {
        until("the backlog is full", seconds(30), || writer.send_bytes(1 << 20));
    }
    until("no write is taken", seconds(10), || {
        (world.ask(&Request::get("/ready")).status == 503).then_some(())
    });
    let why = world.ask(&Request::get("/ready")).json()["message"].clone();
    assert_eq!(why, "the backlogs of circle-2 are full");
    assert_eq!(world.metrics().must("circlet_ready", &[]), 0.0);
    world.circles[1].iter_mut().for_each(Influxd::restart);
    until("writes are taken", seconds(30), || {
        (world.ask(&Request::get("/ready")).status == 200).then_some(())
    });
    world.wait_drained(seconds(30));
    world.expect_nothing_lost();
}

#[test]
fn drop_oldest_keeps_the_newest_and_says_what_went() {
    let mut world = world("max_backlog_bytes = \"1MiB\"\non_backlog_full = \"drop_oldest\"");
    let [dead, living] = kill_owner(&mut world, "kept");
    let mut writer = Writer::new(&world, "kept");
    assert!(writer.send_bytes(4 << 20).is_none(), "nothing is refused");
    let labels = [("backend", dead.as_str())];
    let limit = f64::from(1 << 20);
    until("the backlog has shrunk", seconds(30), || {
        (world.backlog_bytes(&labels) <= limit).then_some(())
    });
    let flag = world.circlet.data().join(format!("incomplete/{dead}.txt"));
    let reason = fs::read_to_string(&flag).expect("the mark is on the disk");
    assert!(reason.contains("its oldest lines were dropped (max_backlog_bytes)"), "{reason}");
    until("a line says what was dropped", seconds(10), || marker(&world, &dead));
    let points = status_of(&world, &dead)["dropped_points"].as_f64().expect("a number");
    assert_eq!(points, dropped(&world));
    let of_limit = [("backend", dead.as_str()), ("reason", "max_backlog_bytes")];
    assert_eq!(world.metrics().sum("circlet_backend_dropped_points_total", &of_limit), points);
    assert!(told(&world).contains(&format!("{points} points dropped")), "{}", told(&world));
    // Cursors and mark survive the process.
    let_pass(seconds(2));
    world.circlet.kill();
    world.circlet.restart();
    assert!(world.backlog_bytes(&labels) <= limit, "what was dropped is not owed again");
    assert_eq!(world.metrics().must("circlet_backend_incomplete", &labels), 1.0);

    world.server_mut(&dead).restart();
    world.wait_drained(seconds(30));
    assert_eq!(dropped(&world), 0.0, "nothing more went after the start");
    assert_eq!(writer.held(world.server(&living)), writer.acknowledged());
    let kept = writer.held(world.server(&dead));
    let oldest_kept = *kept.first().expect("the newest are there");
    assert_eq!(kept, (oldest_kept..writer.next).collect(), "the oldest went, and only they");
    assert_eq!(oldest_kept as f64, points, "each is counted once");
}

/// The text that says what was dropped for a backend.
fn marker(world: &World, name: &str) -> Option<String> {
    let directory = world.circlet.data().join("rejects").join(name);
    let mut texts = fs::read_dir(directory).ok()?.filter_map(|entry| {
        let path = entry.ok()?.path();
        let is_marker = path.file_name()?.to_str()?.starts_with("dropped-");
        is_marker.then(|| fs::read_to_string(&path).ok()).flatten()
    });
    texts.find(|text| text.contains("were dropped: max_backlog"))
}

#[test]
fn lines_that_are_too_old_give_way() {
    let mut world = world("max_backlog_age = \"2s\"\non_backlog_full = \"drop_oldest\"");
    let [dead, living] = kill_owner(&mut world, "old");
    let mut writer = Writer::new(&world, "old");
    assert_eq!(writer.send().status, 204);
    until("they are dropped", seconds(30), || (dropped(&world) > 0.0).then_some(()));
    assert_eq!(dropped(&world), LINES_PER_BODY as f64);
    until("a line says why", seconds(10), || {
        marker(&world, &dead).filter(|text| text.contains("max_backlog_age"))
    });
    assert_eq!(world.backlog_bytes(&[]), 0.0);
    assert_eq!(writer.held(world.server(&living)), writer.acknowledged());
}

#[test]
fn a_statement_is_never_dropped_silently() {
    let mut world = world("max_backlog_age = \"2s\"\non_backlog_full = \"drop_oldest\"");
    let [dead, _] = kill_owner(&mut world, "old");
    world.query("", "CREATE DATABASE \"late\"").expect(200);
    let path = || {
        let directory = fs::read_dir(world.circlet.data().join("rejects").join(&dead)).ok()?;
        let texts = directory.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
        texts.into_iter().find(|text| text.contains("CREATE DATABASE"))
    };
    let text = until("the statement is in the rejects", seconds(30), path);
    assert!(text.contains("not run: max_backlog_age"), "{text}");
    world.server_mut(&dead).restart();
    world.wait_drained(seconds(30));
    let series = world.server(&dead).series("", "SHOW DATABASES");
    assert!(!series[0]["values"].to_string().contains("late"), "it was given up: {series:?}");
}

#[test]
fn a_replay_keeps_its_rate() {
    const RATE: usize = 256 << 10;
    let mut world = world("replay_rate = \"256KiB\"");
    let [dead, _] = kill_owner(&mut world, "slow");
    let mut writer = Writer::new(&world, "slow");
    assert!(writer.send_bytes(8 * RATE).is_none());
    // What is younger counts as fresh.
    let_pass(seconds(11));
    world.server_mut(&dead).restart();
    let started = std::time::Instant::now();
    world.wait_drained(seconds(60));
    let took = started.elapsed();
    // The last request need not wait for its own bytes; a frame may be as large as two seconds' worth.
    assert!(took >= seconds(3), "2 MiB at 256 KiB a second took {took:?}");
    assert_eq!(writer.held(world.server(&dead)), writer.acknowledged());
}

#[test]
fn a_full_log_refuses_and_goes_on_by_itself() {
    let mut world = world("max_bytes = \"16MiB\"");
    let [dead, _] = kill_owner(&mut world, "much");
    let mut writer = Writer::new(&world, "much");
    let answer = until("the log is full", seconds(60), || writer.send_bytes(1 << 20));
    expect_refusal(&answer, "the log is full (max_bytes)");
    let ready = world.ask(&Request::get("/ready")).expect(503);
    assert_eq!(ready.json()["message"], "the log is full (max_bytes)");
    assert!(told(&world).contains("WRITES ARE REFUSED: the log is full"), "{}", told(&world));
    let create = world.query("", "CREATE DATABASE \"more\"");
    expect_refusal(&create, "the log is full (max_bytes)");
    assert!(refused(&world, "log_full") >= 2.0);
    world.server_mut(&dead).restart();
    until("writes are taken again", seconds(60), || (writer.send().status == 204).then_some(()));
    world.ask(&Request::get("/ready")).expect(200);
    world.wait_drained(seconds(60));
    assert_eq!(writer.held(world.server(&dead)), writer.acknowledged());
    world.expect_nothing_lost();
}

#[test]
fn a_full_log_with_drop_oldest_goes_on() {
    let mut world = world("max_bytes = \"16MiB\"\non_full = \"drop_oldest\"");
    let [dead, living] = kill_owner(&mut world, "much");
    let mut writer = Writer::new(&world, "much");
    let end = 32 * (1 << 20) / TEXT_BYTES as u64;
    until("twice of the limit is written", seconds(120), || {
        if let Some(answer) = writer.send_bytes(1 << 20) {
            expect_refusal(&answer, "the log is full (max_bytes)");
        }
        (writer.next >= end).then_some(())
    });
    until("the log is within its limit", seconds(30), || {
        let bytes = status(&world)["log"]["bytes"].as_u64().expect("a number");
        (bytes <= 16 << 20).then_some(())
    });
    let points = dropped(&world);
    let of_log = [("backend", dead.as_str()), ("reason", "on_full")];
    assert!(points > 0.0);
    assert_eq!(world.metrics().sum("circlet_backend_dropped_points_total", &of_log), points);
    world.server_mut(&dead).restart();
    world.wait_drained(seconds(60));
    assert_eq!(writer.held(world.server(&living)), writer.acknowledged());
    let kept = writer.held(world.server(&dead));
    assert_eq!(kept, (points as u64..writer.next).collect(), "the newest are kept");
}
