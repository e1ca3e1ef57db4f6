//! Deletes, drops, retention policies and databases: on every backend that they concern, in order with the
//! lines, through outages.

use crate::support::metrics::Metrics;
use crate::support::prelude::*;
use crate::support::vectors::{rows, text};
use std::collections::BTreeSet;

const T: i64 = 1_700_000_000_000_000_000;

fn ok(answer: Answer) -> Answer {
    let answer = answer.expect(200);
    assert!(!answer.text().contains("error"), "{}", answer.text());
    answer
}

/// `POST /api/v2/delete` of everything, or of what a predicate says.
fn delete(world: &World, bucket: &str, predicate: &str) -> Answer {
    let body = serde_json::json!({
        "start": "2023-11-14T22:13:20Z", "stop": "2023-11-14T22:13:20.000000009Z", "predicate": predicate,
    });
    let target = format!("/api/v2/delete?org=default&bucket={}", encode(bucket));
    world.ask(&Request::post(&target, body.to_string()))
}

/// The values of the field `v` of a measurement, with their times after [`T`].
fn values(server: &Influxd, db: &str, measurement: &str) -> BTreeSet<(i64, String)> {
    let statement = format!("SELECT v FROM \"{measurement}\"");
    let mut found = BTreeSet::new();
    for series in server.series(db, &statement) {
        for row in series["values"].as_array().expect("rows") {
            found.insert((row[0].as_i64().expect("a time") - T, row[1].to_string()));
        }
    }
    found
}

/// What every owner of a measurement has to hold; the others hold nothing.
#[track_caller]
fn expect_values(world: &World, db: &str, measurement: &str, expected: &[(i64, &str)]) {
    let expected: BTreeSet<(i64, String)> =
        expected.iter().map(|(at, value)| (*at, (*value).to_owned())).collect();
    let owners = world.owners(&["--db", db], measurement);
    for server in world.servers() {
        let here = if owners.contains(&server.name) { &expected } else { &BTreeSet::new() };
        assert_eq!(&values(server, db, measurement), here, "{measurement} on {}", server.name);
    }
}

fn databases(server: &Influxd) -> Vec<String> {
    let rows = server.series("", "SHOW DATABASES")[0]["values"].as_array().cloned();
    let names = rows.unwrap_or_default();
    names.iter().map(|row| row[0].as_str().expect("a name").to_owned()).collect()
}

fn policies(server: &Influxd, db: &str) -> Vec<String> {
    let answer = server.query("", &format!("SHOW RETENTION POLICIES ON \"{db}\""));
    let rows = answer.pointer("/results/0/series/0/values").and_then(Value::as_array).cloned();
    let row = |row: &Value| format!("{} {}", row[0].as_str().unwrap(), row[1].as_str().unwrap());
    rows.unwrap_or_default().iter().map(row).collect()
}

#[test]
fn what_is_deleted_while_a_replica_is_down_is_gone_everywhere_when_it_is_back() {
    let mut world = Setup::new().database("going").start();
    let lines: String = ["api", "asked", "dropped", "some"]
        .iter()
        .map(|name| {
            format!("{name},h=a v=1 {T}\n{name},h=a v=2 {}\n{name},h=b v=3 {}\n", T + 5, T + 9)
        })
        .collect();
    world.write("d", &lines).expect(204);
    world.wait_drained(seconds(30));
    let down: Vec<String> = world.circles[1].iter().map(|server| server.name.clone()).collect();
    for name in &down {
        world.server_mut(name).kill();
        world.wait_up(name, false);
    }
    // These wait for the replicas, and the deletes behind them.
    world.write("d", format!("api,h=a v=4 {}\nasked,h=a v=4 {}\n", T + 1, T + 1)).expect(204);
    let answer = delete(&world, "d", "_measurement=\"api\" AND h=\"a\"").expect(204);
    let pending = answer.header("X-Circlet-Pending").expect("a replica is down").to_owned();
    assert!(pending.starts_with("circle-2/") && !pending.contains(','), "{pending}");
    let answer = ok(world.query("d", &format!("DELETE FROM asked WHERE time < {}", T + 9)));
    assert!(answer.header("X-Circlet-Pending").is_some());
    ok(world.query("d", "DROP MEASUREMENT dropped; DROP SERIES FROM some WHERE h = 'a'"));
    ok(world.query("", "CREATE RETENTION POLICY short ON d DURATION 2h REPLICATION 1"));
    ok(world.query("", "CREATE RETENTION POLICY gone ON d DURATION 2h REPLICATION 1"));
    ok(world.query(
        "",
        "ALTER RETENTION POLICY short ON d DURATION 3h; DROP RETENTION POLICY gone ON d",
    ));
    ok(world.query("", "DROP DATABASE going; CREATE DATABASE fresh WITH DURATION 7d NAME week"));
    // Written after the delete, for one of the deleted moments: it stays.
    world.write("d", format!("asked,h=a v=7 {}\ndropped,h=a v=7 {T}\n", T + 1)).expect(204);
    for name in &down {
        world.server_mut(name).restart();
    }
    world.wait_drained(seconds(30));
    expect_values(&world, "d", "api", &[(9, "3")]);
    expect_values(&world, "d", "asked", &[(1, "7"), (9, "3")]);
    expect_values(&world, "d", "dropped", &[(0, "7")]);
    expect_values(&world, "d", "some", &[(9, "3")]);
    for server in world.servers() {
        assert_eq!(policies(server, "d"), ["autogen 0s", "short 3h0m0s"], "{}", server.name);
        assert_eq!(policies(server, "fresh"), ["week 168h0m0s"], "{}", server.name);
        assert!(!databases(server).contains(&"going".to_owned()), "{}", server.name);
    }
    world.expect_nothing_lost();
    expect_complete(&world);
}

#[track_caller]
fn expect_complete(world: &World) {
    let metrics: Metrics = world.metrics();
    for server in world.servers() {
        let incomplete = metrics.must("circlet_backend_incomplete", &[("backend", &server.name)]);
        assert_eq!(incomplete, 0.0, "{}", server.name);
    }
}

#[test]
fn a_delete_concerns_the_owners_of_what_it_names() {
    let world = Setup::new().start();
    // Past the gateway, so that the others hold something of that name, too.
    for server in world.servers() {
        server.write("d", &format!("cpu v=1 {T}\ncpu v=2 {}\nmem v=1 {T}\n", T + 20)).expect(204);
    }
    let owners = world.owners(&["--db", "d"], "cpu");
    let holds = |server: &Influxd, name: &str| server.measurements("d").contains(&name.to_owned());
    delete(&world, "d", "_measurement=cpu").expect(204);
    for server in world.servers() {
        let expected = if owners.contains(&server.name) { 1 } else { 2 };
        assert_eq!(values(server, "d", "cpu").len(), expected, "{}", server.name);
    }
    ok(world.query("d", "DROP MEASUREMENT cpu"));
    for server in world.servers() {
        assert_eq!(holds(server, "cpu"), !owners.contains(&server.name), "{}", server.name);
    }
    ok(world.query("d", "DELETE FROM /^cp/"));
    assert!(!world.servers().any(|server| holds(server, "cpu")));
    delete(&world, "d", "").expect(204);
    assert!(!world.servers().any(|server| holds(server, "mem")));
    // Buckets are known by name; the id that is told leads back to it.
    let made = world.ask(&Request::post(
        "/api/v2/buckets",
        "{\"name\":\"b\",\"orgID\":\"x\",\"retentionRules\":[{\"type\":\"expire\",\"everySeconds\":7200}]}",
    ));
    let id = made.expect(201).json()["id"].as_str().expect("an id").to_owned();
    let list = world.ask(&Request::get("/api/v2/buckets?name=b")).expect(200).json();
    assert_eq!(list["buckets"][0]["id"], id);
    assert_eq!(list["buckets"][0]["retentionRules"][0]["everySeconds"], 7200);
    assert!(world.servers().all(|server| policies(server, "b") == ["autogen 2h0m0s"]));
    let path = format!("/api/v2/buckets/{id}");
    let rules = "{\"retentionRules\":[{\"type\":\"expire\",\"everySeconds\":10800}]}";
    world.ask(&Request::new("PATCH", &path).body(rules)).expect(200);
    assert!(world.servers().all(|server| policies(server, "b") == ["autogen 3h0m0s"]));
    world.write("b", "m v=1\n").expect(204);
    world.ask(&Request::new("DELETE", &path)).expect(204);
    assert!(!world.servers().any(|server| databases(server).contains(&"b".to_owned())));
    assert_eq!(world.write("b", "m v=1\n").status, 404, "the catalogue knows at once");
    assert_eq!(world.ask(&Request::new("DELETE", &path)).status, 404);
    ok(world.query("", "CREATE DATABASE b"));
    world.write("b", "m v=1\n").expect(204);
    world.expect_nothing_lost();
}

#[test]
fn a_dropped_database_takes_the_lines_that_wait_for_it() {
    let mut world = Setup::new().start();
    let missing = world.owners(&["--db", "d"], "m")[1].clone();
    world.server(&missing).query("", "DROP DATABASE d");
    let answer = world.write("d", format!("m v=1 {T}\n")).expect(204);
    assert_eq!(answer.header("X-Circlet-Pending"), Some(&*format!("circle-2/{missing}")));
    // From several connections, so that both cores have lines that wait.
    for value in 2..10 {
        world.write("d", format!("m v={value} {}\n", T + value)).expect(204);
    }
    ok(world.query("", "DROP DATABASE d"));
    world.wait_drained(seconds(30));
    // No start brings them back either.
    world.circlet.kill();
    world.circlet.restart();
    ok(world.query("", "CREATE DATABASE d"));
    world.write("d", format!("m v=11 {}\n", T + 11)).expect(204);
    world.wait_drained(seconds(30));
    expect_values(&world, "d", "m", &[(11, "11")]);
    // The same of a policy: what waits for it goes with it, and the rest of the database is not held up.
    world.ask(&Request::post("/write?db=d&rp=week", format!("m v=1 {T}\n"))).expect(204);
    ok(world.query("", "DROP RETENTION POLICY week ON d"));
    ok(world.query("", "CREATE RETENTION POLICY week ON d DURATION INF REPLICATION 1"));
    world.ask(&Request::post("/write?db=d&rp=week", format!("m v=2 {}\n", T + 2))).expect(204);
    world.write("d", format!("m v=12 {}\n", T + 12)).expect(204);
    world.wait_drained(seconds(30));
    expect_values(&world, "d", "m", &[(11, "11"), (12, "12")]);
    for owner in world.owners(&["--db", "d"], "m") {
        assert_eq!(world.server(&owner).count("d", "SELECT count(v) FROM week.m"), 1, "{owner}");
    }
    world.expect_nothing_lost();
}

/// What one backend refuses and others run is lacking there. What all refused before is nowhere, so that nobody
/// lacks it.
fn one_backend_refuses(world: &World) {
    let refuses = world.circles[1][0].name.clone();
    let policy =
        |hours: u32| format!("CREATE RETENTION POLICY own ON d DURATION {hours}h REPLICATION 1");
    world.server(&refuses).query("", &policy(5));
    let answer = world.query("", &policy(2)).expect(200).json();
    assert_eq!(answer["results"][0]["error"], "retention policy already exists");
    let is_incomplete = |name: &str| {
        world.metrics().must("circlet_backend_incomplete", &[("backend", name)]) == 1.0
    };
    until("the refusal is judged", seconds(30), || is_incomplete(&refuses).then_some(()));
    for server in world.servers().filter(|server| server.name != refuses) {
        assert!(!is_incomplete(&server.name), "{}", server.name);
    }
    let kept = world.rejects();
    assert!(kept.iter().any(|(text, _)| text.contains("own ON d DURATION 2h")), "{kept:?}");
    assert!(kept.iter().any(|(text, _)| text.contains("nope ON v")), "{kept:?}");
}

/// Rows with statements that change something.
const OF_STATEMENTS: [&str; 36] = [
    "create_db",
    "create_db_again",
    "create_db_get",
    "create_db_rp",
    "delete_from",
    "delete_get",
    "drop_measurement",
    "drop_measurement_missing",
    "drop_db",
    "drop_db_missing",
    "ddl_002",
    "ddl_004",
    "ddl_005",
    "ddl_006",
    "ddl_007",
    "ddl_011",
    "ddl_012",
    "ddl_013",
    "ddl_014",
    "ddl_022",
    "ddl_024",
    "ddl_025",
    "ddl_026",
    "ddl_027",
    "ddl_033",
    "ddl_034",
    "ddl_035",
    "ddl_037",
    "ddl_038",
    "ddl_039",
    "ddl_043",
    "ddl_049",
    "ddl_052",
    "ddl_073",
    "into_030",
    "into_033",
];

#[test]
fn statements_are_answered_as_1_6_was_recorded() {
    let world = Setup::new()
        .database("p1")
        .database("v")
        .write("retry_min = \"10ms\"\nretry_max = \"20ms\"")
        .start();
    for server in world.servers() {
        server.query("", "CREATE RETENTION POLICY rp2 ON v DURATION INF REPLICATION 1");
    }
    let mut seen = 0;
    for row in rows("influxdb_1_6_http.jsonl") {
        if !OF_STATEMENTS.contains(&text(&row, "name")) {
            continue;
        }
        let (request, response) = (&row["request"], &row["response"]);
        let form = "application/x-www-form-urlencoded";
        let asked = Request::new(text(request, "method"), text(request, "path"))
            .header("Content-Type", form)
            .body(text(request, "body"));
        let answer = world.ask(&asked).expect(200);
        assert_eq!(answer.text(), text(response, "body"), "{}", text(&row, "name"));
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
        seen += 1;
    }
    for row in rows("influxql_1_6.jsonl") {
        if !OF_STATEMENTS.contains(&text(&row, "name")) {
            continue;
        }
        let target =
            format!("/query?db={}&q={}", encode(text(&row, "db")), encode(text(&row, "q")));
        let method = row["params"]["method"].as_str().unwrap_or("GET");
        let answer = world.ask(&Request::new(method, &target)).expect(200);
        assert_eq!(answer.text(), text(&row, "body"), "{}", text(&row, "name"));
        seen += 1;
    }
    assert_eq!(seen, OF_STATEMENTS.len());
    one_backend_refuses(&world);
    let pretty = world.ask(&Request::post("/query?pretty=true&q=DROP%20DATABASE%20x", ""));
    let expected =
        "{\n    \"results\": [\n        {\n            \"statement_id\": 0\n        }\n    ]\n}\n";
    assert_eq!(pretty.expect(200).text(), expected);
    let refused = world.query("d", "CREATE USER u WITH PASSWORD 'p'");
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(!refused.text().contains("'p'"));
}
