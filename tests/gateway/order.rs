//! Who wins when one point is written twice.

use crate::support::metrics::Metrics;
use crate::support::prelude::*;
use crate::support::wait::let_pass;

const OUTAGES: usize = 20;
const PAIRS_AN_OUTAGE: usize = 5;
const TIME_NS: u64 = 1_700_000_000_000_000_000;

/// A connection on each of the two shards, in the order of the shards. All that were tried stay open
/// and busy until both are found, because new connections go to the shard with less to do.
fn a_connection_on_each_shard(world: &World) -> [Connection; 2] {
    let mut found: [Option<Connection>; 2] = [None, None];
    let mut others = Vec::new();
    for _ in 0..200 {
        let mut connection = world.connect();
        let mut shard = 0;
        for _ in 0..5 {
            let answer = connection.request(&Request::get("/ping")).unwrap();
            let header = answer.header("X-Circlet-Shard").expect("[debug] headers = true");
            shard = header.parse().expect("a shard's number");
        }
        others.extend(found[shard].replace(connection));
        if let [Some(_), Some(_)] = found {
            return found.map(|connection| connection.expect("both are there"));
        }
    }
    panic!("200 connections sat on one shard");
}

fn order_window(metrics: &Metrics, backend: &str) -> Duration {
    let window = metrics.greatest("circlet_order_window_seconds", &[("backend", backend)]);
    assert!(window >= 0.1, "order_window is at least 100 ms, not {window}");
    Duration::from_secs_f64(window)
}

fn write(connection: &mut Connection, lines: &str) {
    connection.request(&Request::post("/write?db=d", lines)).unwrap().expect(204);
}

/// A backlog in front of the first value, so that a gateway without an order rule sends it last.
fn filler(measurement: &str, pair: &str) -> String {
    let line = |index: u64| {
        format!("{measurement},filler={pair} text=\"{:060}\" {}\n", index, TIME_NS + index)
    };
    (0..1000).map(line).collect()
}

/// One outage of one backend with five pairs; Circlet is killed in every second one.
fn outage(world: &mut World, number: usize) {
    let measurement = format!("order_{}", number % 4);
    let owner = world.owners(&["--db", "d"], &measurement)[number % 2].clone();
    world.server_mut(&owner).kill();
    world.wait_up(&owner, false);
    let mut shards = a_connection_on_each_shard(world);
    for pair in 0..PAIRS_AN_OUTAGE {
        let name = format!("{number}-{pair}");
        let first = (number * PAIRS_AN_OUTAGE + pair) % 2;
        write(&mut shards[first], &filler(&measurement, &name));
        write(&mut shards[first], &format!("{measurement},pair={name} v=1i {TIME_NS}"));
        if number % 4 == 3 && pair == 2 {
            world.circlet.kill();
            world.circlet.restart();
            world.wait_up(&owner, false);
            shards = a_connection_on_each_shard(world);
        }
        let_pass(order_window(&world.metrics(), &owner));
        write(&mut shards[1 - first], &format!("{measurement},pair={name} v=2i {TIME_NS}"));
    }
    if number % 4 == 1 {
        world.circlet.kill();
        world.circlet.restart();
    }
    world.server_mut(&owner).restart();
    world.wait_drained(seconds(60));
    check(world, number, &measurement);
}

fn check(world: &World, number: usize, measurement: &str) {
    for owner in world.owners(&["--db", "d"], measurement) {
        for pair in 0..PAIRS_AN_OUTAGE {
            let statement = format!("SELECT v FROM {measurement} WHERE pair = '{number}-{pair}'");
            let value = world.server(&owner).count("d", &statement);
            assert_eq!(value, 2, "pair {pair} of outage {number} on {owner}");
        }
        let statement =
            format!("SELECT count(text) FROM {measurement} WHERE filler =~ /^{number}-/");
        let count = world.server(&owner).count("d", &statement);
        assert_eq!(count, 1000 * PAIRS_AN_OUTAGE as u64, "{owner}");
    }
}

#[test]
fn over_two_shards_the_later_write_wins_through_outages_and_crashes() {
    let mut world = Setup::new().write("ack_wait = \"500ms\"").start();
    for number in 0..OUTAGES {
        outage(&mut world, number);
    }
    world.expect_nothing_lost();
}

#[test]
fn on_one_connection_the_last_write_wins() {
    let mut world = Setup::new().start();
    let owner = world.owners(&["--db", "d"], "one")[0].clone();
    world.server_mut(&owner).kill();
    let mut connection = world.connect();
    let request =
        |value| Request::post("/write?db=d", format!("one v={value}i {TIME_NS}\n")).bytes();
    let pipeline: Vec<u8> = (1..=200).flat_map(request).collect();
    connection.send(&pipeline).unwrap();
    for _ in 0..200 {
        connection.answer(false).unwrap().expect(204);
    }
    world.server_mut(&owner).restart();
    world.wait_drained(seconds(30));
    for owner in world.owners(&["--db", "d"], "one") {
        assert_eq!(world.server(&owner).count("d", "SELECT v FROM one"), 200, "{owner}");
    }
}
