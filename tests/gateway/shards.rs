//! New connections go to the shard that has the most time for them.

use crate::support::ledger::expect_whole;
use crate::support::metrics::Metrics;
use crate::support::prelude::*;
use crate::support::wait::{let_pass, until};

const CONNECTIONS: &str = "circlet_http_connections";
const HANDED_OVER: &str = "circlet_http_connections_handed_over_total";

/// The shard that serves a connection.
fn shard_of(connection: &mut Connection) -> usize {
    let answer = connection.request(&Request::get("/ping")).unwrap().expect(204);
    let header = answer.header("X-Circlet-Shard").expect("[debug] headers = true");
    header.parse().unwrap()
}

/// Asked over a connection that is open anyway.
fn metrics(connection: &mut Connection) -> Metrics {
    Metrics::parse(&connection.request(&Request::get("/metrics")).unwrap().expect(200).text())
}

/// Of both shards.
fn each(metrics: &Metrics, name: &str) -> [f64; 2] {
    ["0", "1"].map(|shard| metrics.must(name, &[("shard", shard)]))
}

/// Connections that are opened at once, and how many of them each shard serves.
fn open(world: &World, count: usize) -> (Vec<Connection>, [usize; 2]) {
    let mut connections: Vec<Connection> = (0..count).map(|_| world.circlet.connect()).collect();
    let mut served = [0; 2];
    for connection in &mut connections {
        served[shard_of(connection)] += 1;
    }
    (connections, served)
}

/// By chance alone the kernel would deal them like this in one try of 3,000.
#[test]
fn connections_are_dealt_evenly_over_shards_at_rest() {
    let world = Setup::new().circles(1, 1).start();
    for count in [4, 3, 4, 2, 4, 5, 4, 8] {
        let (mut connections, served) = open(&world, count);
        assert!(served[0].abs_diff(served[1]) <= count % 2, "{count}: {served:?}");
        let seen = each(&metrics(&mut connections[0]), CONNECTIONS);
        assert_eq!(seen.iter().sum::<f64>() as usize, count);
        assert_eq!(seen.map(|open| open as usize), served);
        let mut last = connections.swap_remove(0);
        drop(connections);
        until("the connections have ended", seconds(10), || {
            let open: f64 = each(&metrics(&mut last), CONNECTIONS).iter().sum();
            (open == 1.0).then_some(())
        });
        drop(last);
        until("the last one has ended", seconds(10), || {
            let open: f64 = each(&world.metrics(), CONNECTIONS).iter().sum();
            (open == 1.0).then_some(())
        });
        // The one that asked has to end, too.
        let_pass(Duration::from_millis(50));
    }
}

#[test]
fn thin_connections_do_not_sit_on_the_shard_of_a_fat_one() {
    let world = Setup::new().circles(1, 1).start();
    let mut watcher = world.circlet.connect();
    // At rest the number of connections decides, so that the fat one goes to the other shard.
    let fat_at = 1 - shard_of(&mut watcher);
    let fat = Load { writers: 1, lines_per_body: 2000, pause: Duration::ZERO, ..Load::default() };
    let running = fat.start(world.circlet.address);
    running.wait_for_more(20_000);
    assert_eq!(each(&metrics(&mut watcher), CONNECTIONS), [1.0, 1.0]);
    let mut thin = Vec::new();
    let mut served = [0; 2];
    for _ in 0..50 {
        let mut connection = world.circlet.connect();
        served[shard_of(&mut connection)] += 1;
        thin.push(connection);
        let_pass(Duration::from_millis(20));
    }
    println!("shard {fat_at} was busy; thin ones: {served:?}");
    assert_eq!(served[fat_at], 0, "shard {fat_at} was busy: {served:?}");
    let handed_over = each(&metrics(&mut watcher), HANDED_OVER)[fat_at];
    assert!(handed_over >= 1.0, "the kernel lets about half of them in at the wrong door");
    let (load, tally) = running.stop();
    drop(thin);
    world.wait_drained(seconds(60));
    expect_whole(&world, &load, &tally);
    world.expect_nothing_lost();
}
