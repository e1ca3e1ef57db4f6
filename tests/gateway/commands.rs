//! The commands of the binary and what they exit with.

use crate::support::circlet::run;
use crate::support::prelude::*;
use crate::support::world::directory;
use std::fs;
use std::process::Output;

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn all(output: &Output) -> String {
    format!("{}{}", out(output), String::from_utf8_lossy(&output.stderr))
}

/// A configuration with many mistakes, each with what must be said of it.
const BROKEN: &str = "listen = \"nowhere\"
data_dir = \"circlet-data\"
shardz = 2
[write]
ack = \"maybe\"
ack_wait = \"three\"
[placement]
algorithm = \"dice\"
shard_key = \"%db,%nosuch\"
[[circle]]
name = \"circle-1\"
[[circle.backend]]
name = \"same\"
url = \"http://127.0.0.1:8086\"
kind = \"influxdb1\"
token = \"${CIRCLET_TEST_UNSET}\"
[[circle]]
name = \"circle-2\"
[[circle.backend]]
name = \"same\"
url = \"http://127.0.0.1:8086\"
kind = \"postgres\"
";

#[test]
fn check_config_reports_every_problem_at_once() {
    let directory = directory();
    fs::write(directory.path().join("broken.toml"), BROKEN).unwrap();
    for arguments in [&["check-config", "broken.toml"][..], &["run", "-c", "broken.toml"]] {
        let output = run(arguments, directory.path());
        assert_eq!(output.status.code(), Some(3), "{}", all(&output));
        let said = all(&output);
        for part in [
            "listen",
            "shardz",
            "maybe",
            "three",
            "dice",
            "nosuch",
            "CIRCLET_TEST_UNSET",
            "postgres",
            "same",
            "url: the same server",
        ] {
            assert!(said.contains(part), "{arguments:?} says nothing of {part}:\n{said}");
        }
        for line in ["1", "3", "5", "6", "8", "9", "16", "21"] {
            let place = format!(":{line}");
            assert!(said.contains(&place), "no place {place} in\n{said}");
        }
    }
    assert!(!directory.path().join("circlet-data").exists(), "a bad configuration touches nothing");
}

#[test]
fn a_missing_file_and_a_bad_word_have_their_exit_codes() {
    let directory = directory();
    let code = |arguments: &[&str]| run(arguments, directory.path()).status.code();
    assert_eq!(code(&["run", "-c", "nosuch.toml"]), Some(3));
    assert_eq!(code(&["check-config", "nosuch.toml"]), Some(3));
    assert_eq!(code(&["walk"]), Some(2));
    assert_eq!(code(&["run", "--nosuch"]), Some(2));
    assert_eq!(code(&["--version"]), Some(0));
    assert_eq!(code(&["--help"]), Some(0));
    let version = out(&run(&["--version"], directory.path()));
    assert!(version.starts_with(concat!("circlet ", env!("CARGO_PKG_VERSION"))), "{version}");
}

#[test]
fn a_good_configuration_passes_also_online() {
    let world = Setup::new().start();
    let config = world.circlet.config.to_str().unwrap();
    let output = world.circlet.command(&["check-config", config]);
    assert_eq!(output.status.code(), Some(0), "{}", all(&output));
    let output = world.circlet.command(&["check-config", config, "--online"]);
    assert_eq!(output.status.code(), Some(0), "{}", all(&output));
}

#[test]
fn online_finds_a_backend_that_does_not_answer() {
    let mut world = Setup::new().start();
    let config = world.circlet.config.to_str().unwrap().to_owned();
    world.circles[0][1].kill();
    let output = world.circlet.command(&["check-config", &config, "--online"]);
    assert_eq!(output.status.code(), Some(3), "{}", all(&output));
    assert!(all(&output).contains("influxdb-1-2"), "{}", all(&output));
}

#[test]
fn an_open_gateway_listens_on_loopback_only() {
    let directory = directory();
    let text = "listen = \"0.0.0.0:18086\"\ndata_dir = \"x\"\n[[circle]]\nname = \"c\"\n\
                [[circle.backend]]\nname = \"b\"\nurl = \"http://127.0.0.1:8086\"\nkind = \"influxdb1\"\n";
    fs::write(directory.path().join("open.toml"), text).unwrap();
    let output = run(&["check-config", "open.toml"], directory.path());
    assert_eq!(output.status.code(), Some(3), "{}", all(&output));
    assert!(all(&output).contains("[auth]"), "{}", all(&output));
}

#[test]
fn route_prints_the_owner_in_every_circle() {
    let world = Setup::new().start();
    let config = world.circlet.config.to_str().unwrap();
    let output = world.circlet.command(&["route", "-c", config, "--db", "d", "cpu", "mem"]);
    assert_eq!(output.status.code(), Some(0), "{}", all(&output));
    let text = out(&output);
    for measurement in ["cpu", "mem"] {
        assert!(text.contains(&format!("d,{measurement}")), "no route key in\n{text}");
        for owner in world.owners(&["--db", "d"], measurement) {
            assert!(text.contains(&owner), "no {owner} in\n{text}");
        }
    }
}

#[test]
fn status_names_a_dead_backend_and_what_it_is_owed() {
    let mut world = Setup::new().write("ack_wait = \"300ms\"").start();
    let owner = world.owners(&["--db", "d"], "owed")[0].clone();
    world.server_mut(&owner).kill();
    world.wait_up(&owner, false);
    world.write("d", "owed v=1 1").expect(204);
    let config = world.circlet.config.to_str().unwrap();
    let output = world.circlet.command(&["status", "-c", config]);
    assert_eq!(output.status.code(), Some(0), "{}", all(&output));
    let text = out(&output);
    for server in world.servers() {
        assert!(text.contains(&server.name), "no {} in\n{text}", server.name);
    }
    let line = text.lines().find(|line| line.contains(&owner)).unwrap_or_default();
    assert!(line.contains("down"), "{line}");
}

#[test]
fn a_start_that_would_move_points_is_refused() {
    let mut world = Setup::new().start();
    assert_eq!(world.circlet.terminate().code(), Some(0));
    let text = fs::read_to_string(&world.circlet.config).unwrap();
    fs::write(&world.circlet.config, format!("{text}[placement]\nalgorithm = \"even\"\n")).unwrap();
    world.circlet.start_only();
    assert_eq!(world.circlet.wait_end().code(), Some(3), "{}", world.circlet.log_end());
    assert!(world.circlet.log_end().contains('%'), "it says how many keys would move");
    fs::write(&world.circlet.config, text).unwrap();
    world.circlet.restart();
    world.write("d", "still v=1 1").expect(204);
}

/// A stopped gateway that owes a backend two lines; the backend runs again.
fn owing() -> (World, String) {
    let mut world = Setup::new().write("ack_wait = \"300ms\"").start();
    let owner = world.owners(&["--db", "d"], "owed")[0].clone();
    world.server_mut(&owner).kill();
    world.wait_up(&owner, false);
    world.write("d", "owed v=1 1\nowed v=2 2\n").expect(204);
    assert_eq!(world.circlet.terminate().code(), Some(0));
    world.server_mut(&owner).restart();
    (world, owner)
}

fn backlog(world: &World, verb: &str, owner: &str, rest: &[&str]) -> Output {
    let config = world.circlet.config.to_str().unwrap();
    let mut arguments = vec!["backlog", verb, owner, "-c", config];
    arguments.extend_from_slice(rest);
    world.circlet.command(&arguments)
}

/// The lines are gone, the other circle has them, and the backend is known to lack something.
fn expect_taken_out(world: &mut World, owner: &str) {
    world.circlet.restart();
    world.wait_drained(seconds(20));
    assert_eq!(world.server(owner).count("d", "SELECT count(v) FROM owed"), 0);
    let other = world.owners(&["--db", "d"], "owed")[1].clone();
    assert_eq!(world.server(&other).count("d", "SELECT count(v) FROM owed"), 2);
    let answer = world.ask(&Request::get("/health"));
    assert!(answer.text().contains("incomplete"), "{}", answer.text());
    assert_eq!(world.metrics().must("circlet_backend_incomplete", &[("backend", owner)]), 1.0);
}

#[test]
fn an_exported_backlog_is_line_protocol_and_leaves_the_queue() {
    let (mut world, owner) = owing();
    let exported = backlog(&world, "export", &owner, &["--yes"]);
    assert_eq!(exported.status.code(), Some(0), "{}", all(&exported));
    let text = out(&exported);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["owed v=1 1", "owed v=2 2"]);
    expect_taken_out(&mut world, &owner);
}

#[test]
fn a_backlog_is_dropped_only_with_a_yes_and_is_counted() {
    let (mut world, owner) = owing();
    assert_eq!(backlog(&world, "drop", &owner, &[]).status.code(), Some(2), "it wants --yes");
    assert_eq!(backlog(&world, "drop", "nosuch", &["--yes"]).status.code(), Some(2));
    let elsewhere = backlog(&world, "drop", &owner, &["--yes", "--db", "other"]);
    assert_eq!(elsewhere.status.code(), Some(0), "{}", all(&elsewhere));
    let dropped = backlog(&world, "drop", &owner, &["--yes", "--db", "d"]);
    assert_eq!(dropped.status.code(), Some(0), "{}", all(&dropped));
    assert!(all(&dropped).contains('2'), "counted: {}", all(&dropped));
    expect_taken_out(&mut world, &owner);
}

#[test]
fn top_prints_one_frame_and_wants_a_terminal_for_more() {
    let mut world = Setup::new().circles(2, 1).start();
    world.write("d", "m v=1 1").expect(204);
    world.circles[1][0].kill();
    world.wait_up("influxdb-2-1", false);
    let config = world.circlet.config.to_str().unwrap().to_owned();
    let once = world.circlet.command(&["top", "--once", "-c", &config]);
    assert_eq!(once.status.code(), Some(0), "{}", all(&once));
    let text = out(&once);
    assert!(text.contains("1 of 2 backends are down"), "{text}");
    let row = |name: &str| {
        let row = text.lines().find(|line| line.starts_with("circle") && line.contains(name));
        row.unwrap_or_else(|| panic!("no {name}: {text}")).split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(row("influxdb-1-1")[2], "up");
    assert_eq!(row("influxdb-2-1")[2], "DOWN");
    assert!(text.contains("circle-2/influxdb-2-1: cannot connect"), "the last error: {text}");
    // Between the two looks nothing was written.
    assert!(text.contains("lines/s 0 "), "{text}");
    let watched = world.circlet.command(&["top", "-c", &config]);
    assert_eq!(watched.status.code(), Some(2));
    assert!(all(&watched).contains("--once"), "{}", all(&watched));
    assert_eq!(world.circlet.terminate().code(), Some(0));
    let nobody = world.circlet.command(&["top", "--once", "-c", &config]);
    assert_eq!(nobody.status.code(), Some(1), "{}", all(&nobody));
}
