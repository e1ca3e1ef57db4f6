//! What is acknowledged reaches every circle, through the death of backends and of Circlet.

use crate::support::ledger::{expect_whole, findings};
use crate::support::load_tool;
use crate::support::prelude::*;
use crate::support::wait::let_pass;

#[test]
fn a_point_that_vanishes_behind_our_back_is_found() {
    let world = Setup::new().start();
    let load = Load { bodies: 4, ..Load::default() };
    let (load, tally) = load.start(world.circlet.address).join();
    world.wait_drained(seconds(30));
    expect_whole(&world, &load, &tally);
    let owner = &world.owners(&["--db", "d"], "load_7")[1];
    world
        .server(owner)
        .query("d", "DELETE FROM load_7 WHERE w = '2' AND time = 1700000000000000007");
    let found = findings(&world, &load, &tally);
    assert_eq!(found, ["circle 2 lacks 1 of writer 2, first 7"]);
    world.server(owner).write("d", "load_7,w=2 n=8i 1700000000000000007").expect(204);
    let found = findings(&world, &load, &tally);
    assert!(found.len() == 1 && found[0].contains("a wrong value"), "{found:?}");
}

#[test]
fn every_acknowledged_line_is_on_its_owner_in_every_circle() {
    let world = Setup::new().start();
    let notes = load_tool::write_two_hundred_thousand(&world);
    world.wait_drained(seconds(120));
    load_tool::verify(&world, &notes).expect("nothing is missing, old or wrong");
    load_tool::expect_owners(&world);
    assert_eq!(world.points(0, "d"), world.points(1, "d"));
    let accepted = world.metrics().must("circlet_lines_accepted_total", &[]);
    assert!(accepted >= 200_000.0, "{accepted}");
    world.expect_nothing_lost();
}

#[test]
fn the_load_tool_finds_a_point_that_vanished() {
    let world = Setup::new().start();
    let notes = load_tool::write_some(&world, 2_000);
    world.wait_drained(seconds(30));
    load_tool::verify(&world, &notes).expect("nothing is missing yet");
    let server = &world.circles[1][0];
    let measurement = server.measurements("d").remove(0);
    let series = server.series("d", &format!("SELECT * FROM \"{measurement}\" LIMIT 1"));
    let time = series[0]["values"][0][0].as_i64().unwrap();
    server.query("d", &format!("DELETE FROM \"{measurement}\" WHERE time = {time}"));
    let complaint = load_tool::verify(&world, &notes).expect_err("a point was deleted");
    assert!(complaint.contains("circle 2: WRONG: 1999 right, 1 missing"), "{complaint}");
    assert!(complaint.contains("circle 1: right: 2000 right, 0 missing"), "{complaint}");
}

#[test]
fn a_dead_backend_costs_no_client_an_error_and_misses_nothing() {
    let mut world = Setup::new().start();
    let name = world.owners(&["--db", "d"], "load_0")[1].clone();
    let running = Load::default().start(world.circlet.address);
    let more = |lines: u64| {
        let before = running.acknowledged();
        until("writes go on", seconds(60), || {
            (running.acknowledged() >= before + lines).then_some(())
        });
    };
    more(1_000);
    world.server_mut(&name).kill();
    world.wait_up(&name, false);
    more(5_000);
    let_pass(seconds(2));
    let metrics = world.metrics();
    assert!(metrics.must("circlet_backend_backlog_bytes", &[("backend", &name)]) > 0.0);
    let age = metrics.must("circlet_backend_backlog_age_seconds", &[("backend", &name)]);
    assert!((1.0..60.0).contains(&age), "{age}");
    world.server_mut(&name).restart();
    more(2_000);
    let (load, tally) = running.stop();
    world.wait_drained(seconds(60));
    assert_eq!(tally.answers.keys().collect::<Vec<_>>(), [&204], "{tally:?}");
    assert_eq!(tally.broken, 0, "{tally:?}");
    assert!(tally.pending > 0, "no answer said X-Circlet-Pending: {tally:?}");
    assert!(tally.longest < seconds(5), "Telegraf gives up after 5 s: {tally:?}");
    expect_whole(&world, &load, &tally);
    world.expect_nothing_lost();
}

#[test]
fn an_answer_names_the_backends_that_have_not_confirmed() {
    let mut world = Setup::new().start();
    let owner = world.owners(&["--db", "d"], "owed")[1].clone();
    let answer = world.write("d", "owed v=1 1").expect(204);
    assert_eq!(answer.header("X-Circlet-Pending"), None);
    world.server_mut(&owner).kill();
    world.wait_up(&owner, false);
    let answer = world.write("d", "owed v=2 2").expect(204);
    assert_eq!(answer.header("X-Circlet-Pending"), Some(format!("circle-2/{owner}").as_str()));
    let labels = [("backend", owner.as_str())];
    assert!(world.backlog_bytes(&labels) > 0.0);
    world.ask(&Request::get("/ready")).expect(200);
    world.server_mut(&owner).restart();
    world.wait_drained(seconds(30));
    assert_eq!(world.server(&owner).count("d", "SELECT count(v) FROM owed"), 2);
}

#[test]
fn a_hanging_backend_delays_a_write_by_ack_wait_at_most() {
    let mut world = Setup::new().write("ack_wait = \"1s\"").start();
    let owner = world.owners(&["--db", "d"], "hung")[0].clone();
    world.write("d", "hung v=1 1").expect(204);
    world.server_mut(&owner).freeze();
    let started = std::time::Instant::now();
    let answer = world.write("d", "hung v=2 2").expect(204);
    let took = started.elapsed();
    assert_eq!(answer.header("X-Circlet-Pending"), Some(format!("circle-1/{owner}").as_str()));
    assert!(took < Duration::from_millis(2500), "{took:?}");
    let started = std::time::Instant::now();
    world.write("d", "hung v=3 3").expect(204);
    assert!(started.elapsed() < Duration::from_millis(500), "it still counts as current");
    world.server_mut(&owner).thaw();
    world.wait_drained(seconds(60));
    for owner in world.owners(&["--db", "d"], "hung") {
        assert_eq!(world.server(&owner).count("d", "SELECT count(v) FROM hung"), 3, "{owner}");
    }
}

#[test]
fn durable_and_interval_answer_while_every_backend_is_down() {
    for ack in ["durable", "interval"] {
        let mut world = Setup::new().write(&format!("ack = \"{ack}\"")).start();
        world.circles.iter_mut().flatten().for_each(Influxd::kill);
        let started = std::time::Instant::now();
        world.write("d", "alone v=1 1").expect(204);
        assert!(started.elapsed() < seconds(1), "{ack} waits for nobody");
        world.circles.iter_mut().flatten().for_each(Influxd::restart);
        world.wait_drained(seconds(30));
        assert_eq!(world.points(0, "d").len(), 1, "{ack}");
        assert_eq!(world.points(1, "d").len(), 1, "{ack}");
    }
}
