//! Looking into the log, the rejects and the marks, with the real binary before real servers.

use crate::support::prelude::*;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Output;

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn all(output: &Output) -> String {
    format!("{}{}", out(output), String::from_utf8_lossy(&output.stderr))
}

/// Runs `circlet WORDS -c FILE` beside whatever runs.
fn circlet(world: &World, words: &[&str]) -> Output {
    let config = world.circlet.config.to_str().unwrap();
    world.circlet.command(&[words, &["-c", config]].concat())
}

/// The same, which must end with this code; standard output.
#[track_caller]
fn told(world: &World, words: &[&str], code: i32) -> String {
    let output = circlet(world, words);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", all(&output));
    out(&output)
}

/// The objects of a command with `--json`.
#[track_caller]
fn objects(world: &World, words: &[&str], code: i32) -> Vec<Value> {
    let text = told(world, &[words, &["--json"]].concat(), code);
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn sum(objects: &[Value], key: &str) -> u64 {
    objects.iter().filter_map(|object| object[key].as_u64()).sum()
}

/// A running gateway that owes a dead backend two lines of `d`, and has delivered two of `paid`. Returns who
/// is owed.
fn owing() -> (World, String) {
    let mut world = Setup::new().write("ack_wait = \"300ms\"").start();
    world.write("d", "paid v=1 1\npaid v=2 2\n").expect(204);
    world.wait_drained(seconds(20));
    let owner = world.owners(&["--db", "d"], "owed")[0].clone();
    world.server_mut(&owner).kill();
    world.wait_up(&owner, false);
    world.write("d", "owed v=1 1\nowed v=2 2\n").expect(204);
    (world, owner)
}

/// Everything below the data directory, with its bytes.
fn files(world: &World) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![world.circlet.data()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.clone(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_log_is_looked_into_beside_a_running_gateway() {
    let (world, owner) = owing();
    for verb in ["ls", "stat", "dump", "verify"] {
        assert!(told(&world, &["wal", verb], 0).contains("log") || verb != "verify");
    }
    let rows = objects(&world, &["wal", "ls"], 0);
    assert!(sum(&rows, "frames") >= 2, "{rows:?}");
    let shares: Vec<&Value> =
        rows.iter().flat_map(|row| row["shares"].as_array()).flatten().collect();
    assert!(
        shares.iter().any(|share| share["backend"] == *owner && share["bytes"] != 0),
        "{rows:?}"
    );
    // The cursors on disk are at most a second old.
    until("the cursors on disk tell who is owed", seconds(10), || {
        let rows = objects(&world, &["wal", "stat"], 0);
        let (ours, others): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row["backend"] == *owner);
        let is_told = sum(&ours, "points") == 2 && sum(&others, "points") == 0;
        is_told.then(|| assert!(ours.iter().any(|row| row["age_ms"].is_u64()), "{ours:?}"))
    });
    assert!(told(&world, &["wal", "stat"], 0).contains("22 B"), "two lines of 11 bytes");
    let one = objects(&world, &["wal", "stat", "--log", "1"], 0);
    assert!(one.iter().all(|row| row["log"] == 1) && !one.is_empty());
    assert_eq!(circlet(&world, &["wal", "ls", "--log", "9"]).status.code(), Some(2));
}

#[test]
fn the_lines_of_a_frame_are_printed() {
    let (world, owner) = owing();
    let frames = objects(&world, &["wal", "dump"], 0);
    let names = |run: &Value| run["backends"].as_array().unwrap().contains(&owner.as_str().into());
    let names_owner = |frame: &&Value| frame["runs"].as_array().unwrap().iter().any(names);
    let ours = frames.iter().filter(names_owner).max_by_key(|frame| frame["stamp"].as_u64());
    let ours = ours.expect("a frame for the dead backend");
    assert_eq!((&ours["kind"], &ours["points"]), (&"lines".into(), &2.into()));
    assert_eq!(ours["runs"][0]["target"]["db"], "d");
    let (log, frame) = (ours["log"].to_string(), ours["frame"].to_string());
    let text = told(&world, &["wal", "dump", "--log", &log, "--frame", &frame], 0);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["owed v=1 1", "owed v=2 2"]);
    assert!(text.contains(&owner), "{text}");
    let human = told(&world, &["wal", "dump"], 0);
    assert!(human.contains(&format!("frame {frame} ")) && human.contains("d -> "), "{human}");
    assert_eq!(circlet(&world, &["wal", "dump", "--frame", "4711"]).status.code(), Some(2));
}

#[test]
fn what_is_owed_is_exported_and_stays_owed() {
    let (mut world, owner) = owing();
    assert_eq!(world.circlet.terminate().code(), Some(0));
    let before = files(&world);
    for words in [&["wal", "ls"][..], &["wal", "stat"], &["wal", "verify"], &["wal", "dump"]] {
        told(&world, words, 0);
    }
    for _ in 0..2 {
        let text = told(&world, &["wal", "export", "--backend", &owner], 0);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines, ["owed v=1 1", "owed v=2 2"]);
        assert!(text.contains("db=\"d\""), "{text}");
    }
    assert_eq!(told(&world, &["wal", "export", "--backend", &owner, "--db", "other"], 0), "");
    assert_eq!(circlet(&world, &["wal", "export", "--backend", "nosuch"]).status.code(), Some(2));
    let object = objects(&world, &["wal", "export", "--backend", &owner], 0).remove(0);
    assert_eq!(object["lines"], "owed v=1 1\nowed v=2 2\n");
    assert!(files(&world) == before, "looking changes nothing");
    world.server_mut(&owner).restart();
    world.circlet.restart();
    world.wait_drained(seconds(30));
    assert_eq!(world.server(&owner).count("d", "SELECT count(v) FROM owed"), 2);
    world.expect_nothing_lost();
}

/// The one segment of the log that holds a frame with these bytes, and where they stand.
fn place_of(world: &World, needle: &[u8]) -> (PathBuf, u64) {
    let segments = files(world).into_iter().filter(|(path, _)| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.ends_with(".wal") && !name.starts_with("free-")
    });
    for (path, bytes) in segments {
        if let Some(at) = memchr::memmem::find(&bytes, needle) {
            return (path, at as u64);
        }
    }
    panic!("no segment holds {}", needle.escape_ascii());
}

#[test]
fn a_rotten_byte_is_found_with_its_place() {
    let (mut world, owner) = owing();
    // Another frame behind it shows that the first one was once on stable storage; one connection, one log.
    let mut connection = world.connect();
    for line in ["owed v=1 101", "owed v=1 102", "owed v=1 103"] {
        connection.request(&Request::post("/write?db=d", line)).unwrap().expect(204);
    }
    assert_eq!(world.circlet.terminate().code(), Some(0));
    let whole = objects(&world, &["wal", "verify"], 0);
    assert_eq!(sum(&whole, "damages"), 0);
    assert!(sum(&whole, "points") >= 5, "{whole:?}");
    let (path, at) = place_of(&world, b"owed v=1 102");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"X", at).unwrap();
    let found = objects(&world, &["wal", "verify"], 1);
    let damage: Vec<&Value> = found.iter().filter(|object| object["damage"].is_string()).collect();
    assert_eq!(damage.len(), 1, "{found:?}");
    assert!(path.ends_with(damage[0]["file"].as_str().unwrap()), "{damage:?}");
    let place = &damage[0]["place"];
    assert!((place["from"].as_u64().unwrap()..place["to"].as_u64().unwrap()).contains(&at));
    let numbers = &damage[0]["frames"];
    assert_eq!(numbers["from"].as_u64().unwrap() + 1, numbers["to"].as_u64().unwrap());
    assert!(told(&world, &["wal", "verify"], 1).contains("DAMAGE"));
    let rest = told(&world, &["wal", "export", "--backend", &owner], 0);
    assert!(rest.contains("v=1 103") && !rest.contains("v=1 102"), "{rest}");
    // A second rotten place: one of the two pages of the header.
    file.write_all_at(b"X", 100).unwrap();
    let found = objects(&world, &["wal", "verify"], 1);
    assert_eq!(sum(&found, "damages"), 2, "{found:?}");
}

#[test]
fn a_busy_log_is_never_called_damaged() {
    let setup = Setup::new().write("ack = \"durable\"");
    let world = setup.tables("[log]\nsegment_bytes = \"5MiB\"").start();
    let pause = Duration::from_millis(1);
    let load = Load { lines_per_body: 1000, pause, ..Load::default() };
    let writers = load.start(world.circlet.address);
    let (mut frames, mut newest) = (0, 0);
    until("segments were closed, given up and begun while somebody looked", seconds(60), || {
        frames = sum(&objects(&world, &["wal", "verify"], 0), "frames").max(frames);
        let rows = objects(&world, &["wal", "ls"], 0);
        assert!(rows.iter().all(|row| row["state"] != "unreadable"), "{rows:?}");
        newest = rows.iter().filter_map(|row| row["segment"].as_u64()).max().max(Some(newest))?;
        (newest > 3).then_some(())
    });
    let (_, tally) = writers.stop();
    assert_eq!(tally.answers.len(), 1, "only 204: {tally:?}");
    assert!(frames > 0, "it has seen frames");
}

/// A gateway whose backend has refused two lines of `typed`, among good ones, and who refused them.
fn refusing() -> (World, String) {
    let world = Setup::new().start();
    let owner = world.owners(&["--db", "d"], "typed")[0].clone();
    world.server(&owner).write("d", "typed v=\"text\" 1").expect(204);
    // Only the refusing circle says no: a part of a write is refused.
    let answer = world.write("d", "typed v=1 2\ntyped w=1 3\ntyped v=2 4\n");
    assert_eq!(answer.status, 400, "{}", answer.text());
    until("the backend is incomplete", seconds(20), || {
        let marked = world.metrics().must("circlet_backend_incomplete", &[("backend", &owner)]);
        (marked == 1.0).then_some(())
    });
    (world, owner)
}

#[test]
fn rejects_are_listed_and_shown() {
    let (world, owner) = refusing();
    let rows = objects(&world, &["rejects", "ls"], 0);
    assert_eq!((rows.len(), sum(&rows, "lines")), (1, 2), "{rows:?}");
    assert_eq!(rows[0]["backend"], owner.as_str());
    assert!(rows[0]["reasons"][0].as_str().unwrap().contains("field type conflict"), "{rows:?}");
    assert!(rows[0]["oldest"].as_str().unwrap().ends_with("GMT"), "{rows:?}");
    let name = rows[0]["file"].as_str().unwrap();
    let shown = told(&world, &["rejects", "show", &owner, "--file", name], 0);
    assert!(shown.contains("typed v=1 2\n") && !shown.contains("typed w=1"), "{shown}");
    assert!(told(&world, &["rejects", "ls", &owner], 0).contains(name));
    assert_eq!(circlet(&world, &["rejects", "ls", "nosuch"]).status.code(), Some(2));
    assert_eq!(circlet(&world, &["rejects", "show", "--file", "nosuch"]).status.code(), Some(2));
}

#[test]
fn a_replay_keeps_what_is_refused_again_and_removes_what_is_taken() {
    let (world, owner) = refusing();
    let planned = told(&world, &["rejects", "replay", &owner], 0);
    assert!(planned.contains("2 lines") && world.rejects().len() == 2, "{planned}");
    assert_eq!(circlet(&world, &["rejects", "replay", "--yes"]).status.code(), Some(2));
    let refused = told(&world, &["rejects", "replay", &owner, "--yes"], 1);
    assert!(refused.contains("0 lines were taken, 2"), "{refused}");
    assert_eq!(world.rejects().len(), 2, "kept");
    world.server(&owner).query("d", "DROP MEASUREMENT typed");
    world.server(&owner).write("d", "typed v=5 5").expect(204);
    // One more that stays refused: it stands among those that are taken.
    let file = world.circlet.data().join("rejects").join(&owner);
    let path = fs::read_dir(&file).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text + "typed v=\"text\" 6\n").unwrap();
    let taken = told(&world, &["rejects", "replay", &owner, "--yes"], 1);
    assert!(taken.contains("2 lines were taken, 1"), "{taken}");
    assert_eq!(world.server(&owner).count("d", "SELECT count(v) FROM typed"), 3);
    let rest = world.rejects();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(rest[0].0, "typed v=\"text\" 6");
    let other = world.owners(&["--db", "d"], "typed")[1].clone();
    assert_eq!(world.server(&other).count("d", "SELECT count(v) FROM typed"), 2, "not twice");
}

#[test]
fn a_replay_to_a_dead_backend_keeps_everything() {
    let (mut world, owner) = refusing();
    let before = told(&world, &["rejects", "show", &owner], 0);
    world.server_mut(&owner).kill();
    let output = circlet(&world, &["rejects", "replay", &owner, "--yes"]);
    assert_eq!(output.status.code(), Some(1), "{}", all(&output));
    assert!(all(&output).contains(&owner), "{}", all(&output));
    let after = told(&world, &["rejects", "show", &owner], 0);
    let lines = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&after), lines(&before));
}

#[test]
fn rejects_are_dropped_only_with_a_yes() {
    let (world, owner) = refusing();
    assert_eq!(circlet(&world, &["rejects", "drop", &owner]).status.code(), Some(2));
    assert_eq!(world.rejects().len(), 2);
    let said = told(&world, &["rejects", "drop", &owner, "--yes"], 0);
    assert!(said.contains("dropped 2 lines in 1 files"), "{said}");
    assert!(world.rejects().is_empty());
    assert_eq!(objects(&world, &["rejects", "ls"], 0).len(), 0);
}

fn is_marked(world: &World, owner: &str) -> bool {
    world.metrics().must("circlet_backend_incomplete", &[("backend", owner)]) == 1.0
}

#[test]
fn a_running_gateway_takes_a_mark_away() {
    let (mut world, owner) = refusing();
    let flag = world.circlet.data().join("incomplete").join(format!("{owner}.txt"));
    until("the flag is on disk", seconds(10), || flag.exists().then_some(()));
    let said = told(&world, &["backend", "mark-complete", &owner], 0);
    assert!(said.contains("was incomplete") && said.contains("refused here"), "{said}");
    assert!(!is_marked(&world, &owner) && !flag.exists());
    let again = told(&world, &["backend", "mark-complete", &owner], 0);
    assert!(again.contains("was not marked"), "{again}");
    assert_eq!(world.circlet.terminate().code(), Some(0));
    world.circlet.restart();
    assert!(!is_marked(&world, &owner), "it does not come back");
    assert_eq!(circlet(&world, &["backend", "mark-complete", "nosuch"]).status.code(), Some(2));
}

#[test]
fn the_mark_of_a_stopped_gateway_is_taken_away() {
    let (mut world, owner) = refusing();
    assert_eq!(world.circlet.terminate().code(), Some(0));
    let said = told(&world, &["backend", "mark-complete", &owner], 0);
    assert!(said.contains("was incomplete") && said.contains("refused here"), "{said}");
    let again = told(&world, &["backend", "mark-complete", &owner], 0);
    assert!(again.contains("was not marked"), "{again}");
    world.circlet.restart();
    assert!(!is_marked(&world, &owner));
}

#[test]
fn a_mark_is_taken_away_only_with_a_token() {
    let world = Setup::new().tokens(&["right"]).start();
    let path = "/-/backend/influxdb-1-1/complete";
    assert_eq!(world.ask(&Request::post(path, "")).status, 401);
    assert_eq!(
        world.ask(&Request::post(path, "").header("Authorization", "Token wrong")).status,
        401
    );
    assert_eq!(world.ask(&Request::get(path).header("Authorization", "Token right")).status, 405);
    let answer = world.ask(&Request::post(path, "").header("Authorization", "Token right"));
    assert_eq!(answer.expect(200).json()["was"], Value::Null);
    let nobody = Request::post("/-/backend/nobody/complete", "");
    assert_eq!(world.ask(&nobody.header("Authorization", "Token right")).status, 404);
    let said = told(&world, &["backend", "mark-complete", "influxdb-1-1"], 0);
    assert!(said.contains("was not marked"), "the command shows the token: {said}");
}
