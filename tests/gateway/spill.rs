//! A backend that is dead for long, or a database that a backend lacks, takes its own share of the disk only.

use crate::support::prelude::*;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// Smallest segments: a log of some tens of MB has many.
const TABLES: &str = "[log]\nsegment_bytes = \"1MiB\"\nspill_after = \"0s\"\n";

/// The open segment, those that are left alone behind it, and a free one; the other log has one of each.
const SLACK_BYTES: f64 = 8.0 * MEBIBYTE;

/// About a megabyte of lines of one measurement, with times from `from` on.
fn body(measurement: &str, from: u64) -> String {
    let text = "x".repeat(200);
    let line = |at: u64| format!("{measurement},host=a text=\"{text}\",v={at}i {at}\n");
    (from..from + 4_000).map(line).collect()
}

/// Writes bodies over one connection, so that one log takes all. Returns their bytes.
fn fill(world: &World, bodies: u64, target: impl Fn(u64) -> (&'static str, String)) -> u64 {
    let mut connection = world.connect();
    let mut bytes = 0;
    for at in 0..bodies {
        let (db, measurement) = target(at);
        let body = body(&measurement, 1 + at * 4_000);
        bytes += body.len() as u64;
        let request = Request::post(&format!("/write?db={db}"), body);
        connection.request(&request).expect("an answer").expect(204);
    }
    bytes
}

/// Waits until the segments take no more than the share of `owner` and the slack.
fn wait_for_share(world: &World, owner: &str) -> (f64, f64) {
    until("old segments are packed", seconds(60), || {
        let metrics = world.metrics();
        let share = metrics.must("circlet_backend_backlog_bytes", &[("backend", owner)]);
        let disk = metrics.sum("circlet_wal_disk_bytes", &[]);
        (disk <= share * 1.1 + SLACK_BYTES && metrics.sum("circlet_wal_packed_bytes", &[]) > 0.0)
            .then_some((share, disk))
    })
}

#[test]
fn a_dead_backend_takes_its_own_share_of_the_disk() {
    let mut world = Setup::new().write("ack = \"durable\"").tables(TABLES).start();
    let measurements: Vec<String> = (0..8).map(|at| format!("spilled_{at}")).collect();
    let owner = world.owners(&["--db", "d"], &measurements[0])[0].clone();
    world.server_mut(&owner).kill();
    world.wait_up(&owner, false);
    let name = |at: u64| measurements[usize::try_from(at).unwrap() % 8].clone();
    let written = fill(&world, 48, |at| ("d", name(at)));
    let (share, disk) = wait_for_share(&world, &owner);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let written = written as f64;
    println!("{written} bytes written, {share} owed, {disk} on disk");
    assert!(share > 0.0 && share * 1.1 + SLACK_BYTES < written, "the others' share has to go");
    assert!(world.metrics().sum("circlet_wal_packed_bytes", &[]) > 0.0);
    let listed = world.circlet.command(&["wal", "ls", "-c", "circlet.toml"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("packed"), "{listed:?}");
    let verified = world.circlet.command(&["wal", "verify", "-c", "circlet.toml"]);
    assert!(verified.status.success(), "{verified:?}");
    world.circlet.kill();
    world.circlet.restart();
    assert!(world.backlog_bytes(&[("backend", &owner)]) >= share);
    world.server_mut(&owner).restart();
    world.wait_drained(seconds(120));
    assert_eq!(world.points(0, "d"), world.points(1, "d"));
    let count = world.server(&owner).count("d", "SELECT count(v) FROM spilled_0");
    assert_eq!(count, 6 * 4_000);
    world.expect_nothing_lost();
}

#[test]
fn a_database_that_a_backend_lacks_takes_its_own_share_of_the_disk() {
    let mut world =
        Setup::new().database("lacked").write("ack = \"durable\"").tables(TABLES).start();
    let owner = world.owners(&["--db", "lacked"], "waits")[1].clone();
    world.server(&owner).query("", "DROP DATABASE lacked");
    let target = |at: u64| match at % 8 {
        0 => ("lacked", "waits".to_owned()),
        other => ("d", format!("flows_{other}")),
    };
    let written = fill(&world, 40, target);
    let (share, disk) = wait_for_share(&world, &owner);
    println!("{written} bytes written, {share} owed, {disk} on disk");
    assert!(share >= 4.0 * MEBIBYTE, "five bodies wait: {share}");
    assert!(share * 1.1 + SLACK_BYTES < 20.0 * MEBIBYTE, "most of the 38 MB has to go");
    // What waits comes through a death as well.
    world.circlet.kill();
    world.circlet.restart();
    let waits = world.backlog_bytes(&[("backend", &owner)]);
    assert!(waits >= share, "{waits} of {share} bytes are known to wait");
    world.server(&owner).create_database("lacked");
    world.wait_drained(seconds(120));
    assert_eq!(world.server(&owner).count("lacked", "SELECT count(v) FROM waits"), 5 * 4_000);
    assert_eq!(world.points(0, "d"), world.points(1, "d"));
    world.expect_nothing_lost();
}
