//! What a backend that left the configuration is still owed goes to those who own it now.

use crate::support::ledger::expect_whole;
use crate::support::prelude::*;
use std::fs;
use std::process::Output;

/// The last one of the first circle: without it the keys of the others stay where they are.
const GONE: &str = "influxdb-1-3";

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// The open segments of two logs, those that are left alone behind them, and free ones.
const SLACK_BYTES: f64 = 8.0 * MEBIBYTE;

fn all(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn reroute(world: &World, name: &str, rest: &[&str]) -> Output {
    let arguments = [&["backlog", "reroute", name, "-c", "circlet.toml"], rest].concat();
    world.circlet.command(&arguments)
}

/// The backend leaves the configuration, and its server is no more.
fn remove(world: &mut World) {
    let text = fs::read_to_string(&world.circlet.config).unwrap();
    let table = crate::support::world::backend(GONE, &world.server(GONE).url(), "influxdb1");
    assert!(text.contains(&table));
    fs::write(&world.circlet.config, text.replace(&table, "")).unwrap();
    world.circles[0].retain(|server| server.name != GONE);
}

/// Lines that the logs owe the backend, by the cursors on disk.
fn owed(world: &World) -> u64 {
    let output = world.circlet.command(&["wal", "stat", "-c", "circlet.toml", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let queues = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ours = queues.filter(|queue| queue["backend"] == GONE);
    ours.map(|queue| queue["points"].as_u64().unwrap()).sum()
}

#[test]
fn what_a_removed_backend_is_owed_goes_to_its_new_owners_also_what_waits() {
    let setup = Setup::new().circles(2, 3).database("lacked").write("ack = \"durable\"");
    let mut world = setup.start();
    world.server(GONE).query("", "DROP DATABASE lacked");
    let load = |db: &str| Load { db: db.to_owned(), bodies: 10, ..Load::default() };
    let waiting = load("lacked").start(world.circlet.address).join();
    until("lines wait for their database", seconds(20), || {
        let metrics = world.metrics();
        (metrics.must("circlet_backend_parked_databases", &[("backend", GONE)]) == 1.0)
            .then_some(())
    });
    world.server_mut(GONE).kill();
    world.wait_up(GONE, false);
    let flowing = load("d").start(world.circlet.address).join();
    assert_eq!(world.circlet.terminate().code(), Some(0));

    let refused = reroute(&world, GONE, &["--yes"]);
    assert_eq!(refused.status.code(), Some(2), "{}", all(&refused));
    assert!(all(&refused).contains("take it out of the configuration first"), "{}", all(&refused));
    remove(&mut world);
    let unknown = reroute(&world, "nosuch", &["--yes"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", all(&unknown));
    assert!(all(&unknown).contains(GONE), "it says who is known: {}", all(&unknown));
    // Where the last start does not know it any more, its lines tell of which circle it was.
    world.circlet.restart_with(&["--accept-ring-change"]);
    let running = reroute(&world, GONE, &["--yes"]);
    assert_eq!(running.status.code(), Some(4), "{}", all(&running));
    assert!(all(&running).contains("stop the gateway first"), "{}", all(&running));
    assert_eq!(world.circlet.terminate().code(), Some(0));

    let before = owed(&world);
    assert!(before > 500, "{before}");
    let said = reroute(&world, GONE, &["--json"]);
    let said: Value = serde_json::from_slice(&said.stdout).expect("one object");
    assert_eq!((&said["lines"], &said["moved"]), (&before.into(), &false.into()), "{said}");
    assert_eq!(owed(&world), before, "nothing moves without a yes");
    let done = reroute(&world, GONE, &["--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", all(&done));
    for part in ["re-routed", "circle-1/influxdb-1-1: ", "circle-1/influxdb-1-2: "] {
        assert!(all(&done).contains(part), "{}", all(&done));
    }
    assert_eq!(owed(&world), 0);

    world.circlet.restart();
    world.wait_drained(seconds(120));
    expect_whole(&world, &flowing.0, &flowing.1);
    expect_whole(&world, &waiting.0, &waiting.1);
    world.expect_nothing_lost();
}

/// Enough for several steps of the command.
const BODIES: u64 = 12;

/// About a megabyte of lines of one measurement.
fn body(measurement: &str, from: u64) -> String {
    let text = "x".repeat(200);
    let line = |at: u64| format!("{measurement},host=a text=\"{text}\",v={at}i {at}\n");
    (from..from + 4_000).map(line).collect()
}

#[test]
fn a_kill_in_the_midst_of_it_loses_nothing_and_the_disk_is_given_back() {
    let lines = BODIES * 4_000;
    let small = "[log]\nsegment_bytes = \"1MiB\"\n";
    let setup = Setup::new().circles(1, 3).write("ack = \"durable\"").tables(small);
    let mut world = setup.start();
    let names: Vec<String> = (0..40).map(|at| format!("m{at}")).collect();
    let names_now: Vec<&str> = names.iter().map(String::as_str).collect();
    let owners = world.routes(&["--db", "d"], &names_now);
    let ours: Vec<&String> =
        names.iter().zip(&owners).filter(|(_, owners)| owners[0] == GONE).map(|it| it.0).collect();
    world.server_mut(GONE).kill();
    world.wait_up(GONE, false);
    for at in 0..BODIES {
        let measurement = ours[usize::try_from(at).unwrap() % ours.len()];
        world.write("d", body(measurement, 1 + at * 4_000)).expect(204);
    }
    world.circlet.kill();
    remove(&mut world);
    assert_eq!(owed(&world), lines);

    let arguments = ["backlog", "reroute", GONE, "--yes", "-c", "circlet.toml"];
    let mut first = world.circlet.start_command(&arguments, "reroute.log");
    let log = world.circlet.log().with_file_name("reroute.log");
    until("some lines are re-routed", seconds(60), || {
        let said = fs::read_to_string(&log).unwrap();
        assert!(first.ended().is_none(), "it ended before it was killed: {said}");
        said.contains("re-routed so far").then_some(())
    });
    first.kill();
    let left = owed(&world);
    assert!(0 < left && left < lines, "it was killed in the midst of it: {left}");
    let second = reroute(&world, GONE, &["--yes"]);
    assert_eq!(second.status.code(), Some(0), "{}", all(&second));
    assert_eq!(owed(&world), 0);

    world.circlet.restart_with(&["--accept-ring-change"]);
    world.wait_drained(seconds(120));
    assert_eq!(world.points(0, "d").len() as u64, lines);
    let after = world.routes(&["--db", "d"], &names_now);
    for server in world.servers() {
        for measurement in server.measurements("d") {
            let at = names.iter().position(|name| *name == measurement).unwrap();
            assert_eq!(after[at][0], server.name, "{measurement}");
        }
    }
    until("the disk is given back", seconds(30), || {
        (world.metrics().sum("circlet_wal_disk_bytes", &[]) <= SLACK_BYTES).then_some(())
    });
    world.expect_nothing_lost();
}
