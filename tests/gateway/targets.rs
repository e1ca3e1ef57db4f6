//! Every spelling of one target finds one owner.

use crate::support::asked::answered_by;
use crate::support::prelude::*;

/// Some measurements with names that need care.
const MEASUREMENTS: [&str; 8] =
    ["cpu", "mem", "disk", "net", "weather\\ station", "a\\,b", "größe", "swap"];

const WRITES: [&str; 9] = [
    "/write?db=d",
    "/write?db=d&rp=autogen",
    "/write?db=d&rp=",
    "/api/v2/write?bucket=d",
    "/api/v2/write?bucket=d&org=default",
    "/api/v2/write?bucket=d/autogen&org=default",
    "/api/v2/write?bucket=d%2Fautogen",
    "/api/v2/write?bucket=d&org=0123456789abcdef",
    "/api/v2/write?bucket=d&orgID=0123456789abcdef",
];

/// Targets as `circlet route` takes them.
const ROUTES: [&[&str]; 4] = [
    &["--db", "d"],
    &["--db", "d", "--rp", "autogen"],
    &["--org", "default", "--bucket", "d"],
    &["--org", "default", "--bucket", "d/autogen"],
];

/// The name as the servers know it, without the escapes of line protocol.
fn plain(measurement: &str) -> String {
    measurement.replace('\\', "")
}

fn write_every_spelling(world: &World) {
    for (index, target) in WRITES.iter().enumerate() {
        let line =
            |name: &&str| format!("{name},spelling=s{index} v={index}i 1700000000000000000\n");
        let lines: String = MEASUREMENTS.iter().map(line).collect();
        world.ask(&Request::post(target, lines)).expect(204);
    }
    world.wait_drained(seconds(30));
}

fn check_owners(world: &World) {
    for measurement in MEASUREMENTS.map(plain) {
        let owners = world.owners(ROUTES[0], &measurement);
        for route in &ROUTES[1..] {
            assert_eq!(world.owners(route, &measurement), owners, "{route:?} {measurement}");
        }
        for server in world.servers() {
            let count = server.count("d", &format!("SELECT count(v) FROM \"{measurement}\""));
            let expected = if owners.contains(&server.name) { WRITES.len() as u64 } else { 0 };
            assert_eq!(count, expected, "{measurement} on {}", server.name);
        }
    }
}

fn ask_every_spelling(world: &World) {
    for measurement in MEASUREMENTS.map(plain) {
        let owners = world.owners(ROUTES[0], &measurement);
        let from = |source: &str| format!("SELECT count(v) FROM {source}\"{measurement}\"");
        let targets = [
            format!("/query?db=d&q={}", encode(&from(""))),
            format!("/query?db=d&rp=autogen&q={}", encode(&from(""))),
            format!("/query?db=d&rp=&q={}", encode(&from(""))),
            format!("/query?q={}", encode(&from("\"d\".\"autogen\"."))),
            format!("/query?db=other&q={}", encode(&from("d.."))),
        ];
        for target in targets {
            let answer = world.ask(&Request::get(&target)).expect(200);
            assert!(owners.contains(&answered_by(&answer)), "{target}: {answer:?}");
            let count = answer.json().pointer("/results/0/series/0/values/0/1").cloned();
            assert_eq!(count, Some(Value::from(WRITES.len())), "{target}: {}", answer.text());
        }
    }
}

#[test]
fn every_spelling_of_one_target_has_one_owner() {
    let world = Setup::new().start();
    write_every_spelling(&world);
    check_owners(&world);
    ask_every_spelling(&world);
    world.expect_nothing_lost();
}

#[test]
fn every_spelling_has_one_owner_when_the_key_names_org_and_bucket() {
    let world = Setup::new().tables("[placement]\nshard_key = \"%org,%bk,%mm\"").start();
    write_every_spelling(&world);
    check_owners(&world);
    ask_every_spelling(&world);
}

#[test]
fn another_retention_policy_is_another_place_with_one_owner() {
    let world = Setup::new().start();
    for server in world.servers() {
        let statement = "CREATE RETENTION POLICY weekly ON d DURATION 520w REPLICATION 1";
        assert!(server.query("d", statement).pointer("/results/0/error").is_none());
    }
    for (index, target) in
        ["/write?db=d&rp=weekly", "/api/v2/write?bucket=d/weekly"].iter().enumerate()
    {
        let line = format!("rain,s={index} v=1i 1700000000000000000");
        world.ask(&Request::post(target, line)).expect(204);
    }
    world.wait_drained(seconds(30));
    let owners = world.owners(&["--db", "d", "--rp", "weekly"], "rain");
    for server in world.servers() {
        let expected = if owners.contains(&server.name) { 2 } else { 0 };
        let count = server.count("d", "SELECT count(v) FROM d.weekly.rain");
        assert_eq!(count, expected, "{}", server.name);
        assert_eq!(server.count("d", "SELECT count(v) FROM d.autogen.rain"), 0, "{}", server.name);
    }
}
