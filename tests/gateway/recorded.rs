//! Ping, write and framing answer as real servers were recorded to answer, row after row on one
//! gateway before real servers. Every difference that we keep stands in `docs/http-api.md` with its
//! reason; a line there that does not describe a real difference fails, too.

use crate::support::prelude::*;
use crate::support::recorded::{Difference, listed, names, replay, target};
use crate::support::vectors::{rows, text};
use std::collections::BTreeSet;

const V1: &str = "influxdb_1_6_http.jsonl";
const V2: &str = "influxdb_2_7_http.jsonl";

/// Paths of the rows.
const PATHS: [&str; 9] = [
    "/write",
    "/api/v2/write",
    "/api/v2/write/",
    "/api/v2/delete",
    "/ping",
    "/status",
    "/",
    "/nosuch",
    "/api/v2/nosuch",
];

/// Rows of those paths that are left out, each with its reason.
const LEFT_OUT: [(&str, &str); 1] =
    [("throttle_queue_full", "a limit of influxd's own configuration, reached on purpose")];

fn belongs(row: &Value) -> bool {
    let name = text(row, "name");
    let served = PATHS.contains(&target(row).as_str()) || name == "bad_request_line";
    served && !LEFT_OUT.iter().any(|(left_out, _)| *left_out == name)
}

/// The rows of a file that are asked here, and the differences that were found.
fn differences(world: &World, file: &str) -> (Vec<Value>, BTreeSet<Difference>) {
    let rows: Vec<Value> = rows(file).into_iter().filter(belongs).collect();
    let found = replay(|| world.connect(), file, &rows);
    (rows, found)
}

fn check(file: &str, rows: &[Value], found: &BTreeSet<Difference>) {
    let listed = listed("docs/http-api.md", file, &names(rows));
    let show = |(file, name, field, recorded, ours): &Difference| {
        format!("| {file} | {name} | {field} | `{recorded}` | `{ours}` | ? |\n")
    };
    let new: String = found.difference(&listed).map(show).collect();
    let gone: String = listed.difference(found).map(show).collect();
    assert!(new.is_empty() && gone.is_empty(), "not listed:\n{new}\nlisted, but no more:\n{gone}");
}

#[test]
fn a_gateway_before_1_6_answers_as_1_6_was_recorded() {
    let world = Setup::new().database("p1").database("p2").start();
    for server in world.servers() {
        server.query("", "CREATE DATABASE p3 WITH DURATION 1d NAME one_day");
    }
    until("the catalogue knows p3", seconds(30), || {
        (world.write("p3", "").status == 204).then_some(())
    });
    let (rows, found) = differences(&world, V1);
    assert_eq!(rows.len(), 44);
    check(V1, &rows, &found);
}

#[test]
fn a_gateway_before_1_6_answers_as_2_7_was_recorded() {
    let world = Setup::new()
        .database("klec-bucket")
        .database("short")
        .tokens(&["123456-circlet-test-token"])
        .tables("[defaults]\norg = \"klec-org\"")
        .start();
    for server in world.servers() {
        let statement = "ALTER RETENTION POLICY autogen ON short DURATION 1h SHARD DURATION 1h";
        server.query("", statement);
    }
    let (rows, found) = differences(&world, V2);
    assert_eq!(rows.len(), 112);
    check(V2, &rows, &found);
}

#[test]
fn every_row_left_out_exists() {
    for (name, why) in LEFT_OUT {
        assert!(rows(V1).iter().any(|row| text(row, "name") == name), "{name}: {why}");
    }
}
