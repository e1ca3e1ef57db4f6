//! kill -9 under load.

use crate::support::deaths;
use crate::support::ledger::expect_whole;
use crate::support::prelude::*;

/// Of one test; the long run repeats it.
const DEATHS: u64 = 25;

#[test]
fn kill_minus_nine_loses_no_acknowledged_line() {
    let end = deaths::at_random_moments("delivered", DEATHS, 1);
    assert!(end.tally.broken > 0, "no writer noticed a death: {:?}", end.tally);
    assert!(end.findings.is_empty(), "{:#?}", end.findings);
}

#[test]
fn a_death_while_every_backend_is_down_loses_nothing() {
    let mut world = Setup::new().write("ack_wait = \"300ms\"").start();
    let load = Load { bodies: 20, ..Load::default() };
    world.circles.iter_mut().flatten().for_each(Influxd::kill);
    let (load, tally) = load.start(world.circlet.address).join();
    assert_eq!(tally.count(), 4 * 20 * 50, "{tally:?}");
    world.circlet.kill();
    world.circlet.restart();
    assert!(world.backlog_bytes(&[]) > 0.0);
    world.circles.iter_mut().flatten().for_each(Influxd::restart);
    world.wait_drained(seconds(60));
    expect_whole(&world, &load, &tally);
}

#[test]
fn a_refusal_is_remembered_through_a_restart_until_the_other_circle_has_spoken() {
    let mut world = Setup::new().write("ack_wait = \"300ms\"").start();
    let owners = world.owners(&["--db", "d"], "typed");
    world.server(&owners[0]).write("d", "typed v=0.5 1").expect(204);
    world.server_mut(&owners[1]).kill();
    world.wait_up(&owners[1], false);
    world.write("d", "typed v=\"text\" 2").expect(400);
    until("the refused line is kept", seconds(10), || (world.rejects().len() == 1).then_some(()));
    // The end makes durable that the first circle is done with the line.
    world.circlet.terminate();
    world.server_mut(&owners[1]).restart();
    world.circlet.restart();
    world.wait_drained(seconds(30));
    let flag =
        |name: &str| world.metrics().must("circlet_backend_incomplete", &[("backend", name)]);
    until("the first circle's owner is incomplete", seconds(10), || {
        (flag(&owners[0]) == 1.0).then_some(())
    });
    assert_eq!(flag(&owners[1]), 0.0, "it took the line");
}
