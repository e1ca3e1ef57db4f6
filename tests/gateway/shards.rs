//! New connections go to the shard that has the most time for them. How that is judged under load is shown without
//! a clock in src/shard/usher.rs.

use crate::support::metrics::Metrics;
use crate::support::prelude::*;
use crate::support::wait::let_pass;

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

/// By chance alone the kernel would deal them like this in one try of 40.
#[test]
fn connections_are_dealt_evenly_over_shards_at_rest() {
    let world = Setup::new().circles(1, 1).start();
    for count in [4, 3, 6, 8] {
        // Work counts for a second: the start, and the answer with all metrics.
        let_pass(Duration::from_millis(1500));
        let (mut connections, served) = open(&world, count);
        assert!(served[0].abs_diff(served[1]) <= count % 2, "{count}: {served:?}");
        let seen = each(&metrics(&mut connections[0]), CONNECTIONS);
        assert_eq!(seen.map(|open| open as usize), served);
    }
    let handed_over = world.metrics().must(HANDED_OVER, &[]);
    assert!(handed_over >= 1.0, "the kernel lets about half of them in at the wrong door");
}
