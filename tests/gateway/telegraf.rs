//! Everything that Telegraf was recorded to send, byte for byte.

use crate::support::http::Answer;
use crate::support::influxd::Points;
use crate::support::prelude::*;
use crate::support::vectors::{bytes, rows, text};
use std::collections::BTreeSet;

/// Databases and buckets that the recorded requests name.
const DATABASES: [&str; 3] = ["telegraf", "klec-bucket", "San Francisco, CA"];

/// What the target of a request says its lines go to.
fn database(head: &str) -> &'static str {
    let target = head.split(' ').nth(1).expect("a target");
    let named = |name: &&str| {
        let spellings = [encode(name), encode(name).replace("%20", "+").replace("%2D", "-")];
        spellings.iter().any(|name| {
            target.split(['?', '&']).any(|pair| {
                pair.split_once('=')
                    .is_some_and(|(key, value)| (key == "db" || key == "bucket") && value == name)
            })
        })
    };
    DATABASES.into_iter().find(named).unwrap_or_else(|| panic!("no database in {target}"))
}

/// True for a line with an unsigned integer, which influxd 1.6.7 refuses.
fn is_unsigned(line: &str) -> bool {
    line.contains("u=7u")
}

/// Lines of a body: one of the recorded strings holds a line feed.
fn split(lines: &str) -> Vec<String> {
    let joined = lines.replace("line1\nline2", "line1\u{1}line2");
    let lines = joined.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.replace('\u{1}', "\n")).collect()
}

fn replay(world: &World, request: &Value) -> Answer {
    let mut sent = text(request, "head").as_bytes().to_vec();
    sent.extend_from_slice(b"\r\n\r\n");
    sent.extend_from_slice(&bytes(request, "body_as_sent"));
    let mut connection = world.connect();
    connection.send(&sent).unwrap();
    connection.answer(false).unwrap()
}

/// The lines of a request that must arrive, after its answer was checked.
fn expected_lines(name: &str, request: &Value, answer: &Answer) -> Vec<String> {
    let head = text(request, "head");
    if head.starts_with("POST /query") {
        assert_eq!((answer.status, answer.text().as_str()), (200, CREATED), "{name}");
        return Vec::new();
    }
    let lines = split(text(request, "lines"));
    let total = lines.len();
    assert!(total > 0, "{name} has no lines");
    let good: Vec<String> = lines.into_iter().filter(|line| !is_unsigned(line)).collect();
    if good.len() == total {
        assert_eq!(answer.status, 204, "{name}: {}", answer.text());
        return good;
    }
    assert_eq!(answer.status, 400, "{name}: {}", answer.text());
    if head.starts_with("POST /write") {
        let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.starts_with("partial write: unable to parse 'cpu,"), "{name}: {error}");
        return good;
    }
    let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.starts_with("unable to parse 'cpu,"), "{name}: {message}");
    Vec::new()
}

const CREATED: &str = "{\"results\":[{\"statement_id\":0}]}\n";

/// What one server of the same version holds when it is given these lines.
fn reference(server: &Influxd, expected: &[(&str, Vec<String>)]) -> Vec<Points> {
    for (database, lines) in expected {
        if !lines.is_empty() {
            server.write(&format!("reference {database}"), &lines.join("\n")).expect(204);
        }
    }
    DATABASES.iter().map(|name| server.points(&format!("reference {name}"))).collect()
}

#[test]
fn every_line_that_telegraf_sends_arrives() {
    let names: BTreeSet<&str> = DATABASES.into_iter().collect();
    let setup = names.iter().fold(Setup::new(), |setup, name| setup.database(name));
    let world = setup.start();
    let reference_server = &world.circles[0][0];
    for name in DATABASES {
        reference_server.create_database(&format!("reference {name}"));
    }
    for row in rows("telegraf.jsonl").iter().filter(|row| text(row, "what") == "requests") {
        let name = text(row, "name");
        let mut expected = Vec::new();
        for request in row["requests"].as_array().expect("requests") {
            let answer = replay(&world, request);
            let lines = expected_lines(name, request, &answer);
            let head = text(request, "head");
            let database = if lines.is_empty() { DATABASES[0] } else { database(head) };
            expected.push((database, lines));
        }
        world.wait_drained(seconds(30));
        let reference = reference(reference_server, &expected);
        for (database, points) in DATABASES.iter().zip(&reference) {
            world.expect_points(database, points);
        }
        clear(&world);
    }
    world.expect_nothing_lost();
}

/// Empties all databases behind Circlet's back, so that each recording is proved by itself.
fn clear(world: &World) {
    for server in world.servers() {
        for name in DATABASES {
            server.query(name, "DELETE FROM /.*/");
        }
    }
    for name in DATABASES {
        world.circles[0][0].query(&format!("reference {name}"), "DELETE FROM /.*/");
    }
}

/// Telegraf creates a database when it starts, and again when a write finds none.
#[test]
fn telegraf_finds_a_new_database_after_it_made_it() {
    let world = Setup::new().start();
    let answer = world.write("fresh", "cpu v=1 1").expect(404);
    assert_eq!(answer.text(), "{\"error\":\"database not found: \\\"fresh\\\"\"}\n");
    let create = Request::post("/query", "q=CREATE+DATABASE+%22fresh%22")
        .header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(world.ask(&create).expect(200).text(), CREATED);
    world.write("fresh", "cpu v=1 1").expect(204);
    world.wait_drained(seconds(10));
    for owner in world.owners(&["--db", "fresh"], "cpu") {
        assert_eq!(world.server(&owner).count("fresh", "SELECT count(v) FROM cpu"), 1, "{owner}");
    }
}
