//! Tokens with scopes: what each may do, in both dialects, and that none of them is told to anybody.

use crate::support::circlet::BINARY;
use crate::support::metrics::Metrics;
use crate::support::neighbour::{expect_v1, expect_v2};
use crate::support::prelude::*;
use std::process::Command;

/// A token of `circlet token create`, and its table.
fn create(arguments: &[&str]) -> (String, String) {
    let output = Command::new(BINARY).args(["token", "create"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (token, table) = text.split_once('\n').unwrap();
    assert_eq!(token.len(), 64);
    assert!(!table.contains(token), "the table holds the token itself");
    (token.to_owned(), table.to_owned())
}

fn as_token(request: Request, token: &str) -> Request {
    request.header("Authorization", &format!("Token {token}"))
}

fn ask(world: &World, token: &str, db: &str, statement: &str) -> Answer {
    let target = format!("/query?db={db}&q={}", encode(statement));
    world.ask(&as_token(Request::post(&target, ""), token))
}

fn rejected(world: &World, reason: &str) -> f64 {
    let text = world.ask(&Request::get("/metrics")).expect(200).text();
    Metrics::parse(&text).sum("circlet_http_rejected_total", &[("reason", reason)])
}

/// Buckets and deletes of 2.x.
fn buckets_and_deletes(world: &World, reader: &str, writer: &str) {
    let buckets = world.ask(&as_token(Request::get("/api/v2/buckets"), reader)).expect(200);
    let names: Vec<String> = buckets.json()["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bucket| bucket["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["d"]);
    let body = "{\"start\":\"2023-01-01T00:00:00Z\",\"stop\":\"2023-01-02T00:00:00Z\"}";
    let delete = |token: &str, bucket: &str| {
        let target = format!("/api/v2/delete?org=default&bucket={bucket}");
        world.ask(&as_token(Request::post(&target, body), token))
    };
    let words = "insufficient permissions to delete";
    expect_v2(&delete(reader, "d"), 403, "forbidden", words);
    expect_v2(&delete(writer, "e"), 403, "forbidden", words);
    delete(writer, "d").expect(204);
}

#[test]
fn each_token_does_what_its_scopes_say_and_nothing_else() {
    let (writer, first) = create(&["--name", "telegraf", "--scope", "write", "--database", "d"]);
    let (reader, second) =
        create(&["--name", "grafana", "--scope", "read", "--database", "d", "--database", "x/p"]);
    let (admin, third) = create(&["--name", "operator", "--scope", "admin"]);
    let world = Setup::new()
        .circles(1, 1)
        .database("e")
        .tables(&format!("[auth]\ntokens = [\"all-rights\"]\n{first}{second}{third}"))
        .start();
    let before = rejected(&world, "forbidden");

    // Lines: on its database only, whichever way it is shown.
    let line = "m v=1 1";
    let write =
        |target: &str, token: &str| world.ask(&as_token(Request::post(target, line), token));
    write("/write?db=d", &writer).expect(204);
    write("/api/v2/write?org=default&bucket=d", &writer).expect(204);
    let shown = format!("/write?db=d&u=telegraf&p={writer}");
    world.ask(&Request::post(&shown, line)).expect(204);
    let bearer = format!("Bearer {writer}");
    world.ask(&Request::post("/write?db=d", line).header("Authorization", &bearer)).expect(204);
    let text = "\"telegraf\" user is not authorized to write to database \"e\"";
    let answer = write("/write?db=e", &writer).expect(403);
    assert_eq!(answer.json()["error"], text);
    for token in [&writer, &reader, &admin] {
        let answer = write("/api/v2/write?org=default&bucket=e", token);
        expect_v2(&answer, 403, "forbidden", "insufficient permissions for write");
    }
    expect_v1(&write("/write?db=d", &reader), 403, "grafana");
    expect_v1(&write("/write?db=d", "unknown"), 401, "authorization failed");
    world.wait_drained(seconds(20));

    // Questions: every database that is read.
    let select = "SELECT v FROM m";
    assert!(ask(&world, &reader, "d", select).expect(200).text().contains("\"m\""));
    let required = "not authorized to execute statement 'SELECT v FROM";
    expect_v1(&ask(&world, &writer, "d", select), 403, required);
    expect_v1(&ask(&world, &admin, "d", select), 403, required);
    for text in [
        "SELECT v FROM e..m",
        "SELECT v FROM (SELECT v FROM e..m)",
        "SELECT v FROM m; SELECT v FROM e..m",
        "SHOW MEASUREMENTS ON e",
        "SHOW TAG KEYS ON d FROM e..m",
        "SHOW RETENTION POLICIES ON e",
    ] {
        expect_v1(&ask(&world, &reader, "d", text), 403, "requires READ on e");
    }
    expect_v1(&ask(&world, &reader, "d", "SHOW USERS"), 403, "requires admin privilege");
    expect_v1(&ask(&world, &reader, "d", "SELECT v INTO d..n FROM m"), 403, "requires WRITE on d");
    let answer = ask(&world, &reader, "d", "SHOW DATABASES").expect(200);
    let values = answer.json().pointer("/results/0/series/0/values").cloned();
    assert_eq!(values, Some(serde_json::json!([["d"]])));

    // Statements: the database's writer, or an admin.
    expect_v1(&ask(&world, &reader, "d", "DROP MEASUREMENT m"), 403, "requires WRITE on d");
    expect_v1(&ask(&world, &writer, "d", "DROP DATABASE e"), 403, "requires WRITE on e");
    ask(&world, &writer, "d", "CREATE DATABASE d").expect(200);
    ask(&world, &admin, "d", "CREATE DATABASE f").expect(200);

    buckets_and_deletes(&world, &reader, &writer);

    // What tells of the gateway.
    for token in [&writer, &reader] {
        world.ask(&as_token(Request::get("/-/status"), token)).expect(403);
    }
    world.ask(&as_token(Request::get("/-/status"), &admin)).expect(200);
    world.ask(&Request::get("/metrics")).expect(200);
    assert!(rejected(&world, "forbidden") - before >= 20.0);

    nothing_tells(&world, &[&writer, &reader, &admin, "all-rights"]);
}

/// No log and no answer of the gateway holds one of these.
fn nothing_tells(world: &World, secrets: &[&str]) {
    let mut texts = vec![("the log", log_of(world))];
    for path in ["/metrics", "/-/status", "/-/", "/health", "/ready"] {
        let answer = world.ask(&as_token(Request::get(path), "all-rights"));
        texts.push((path, answer.text()));
    }
    for (place, text) in texts {
        for secret in secrets {
            assert!(!text.contains(secret), "{place} tells a token");
        }
    }
}

#[test]
fn a_token_has_an_end_and_a_share() {
    let (late, first) = create(&["--name", "late", "--scope", "write"]);
    let (slow, second) = create(&["--name", "slow", "--scope", "write"]);
    let world = Setup::new()
        .circles(1, 1)
        .tables(&format!(
            "[auth]\nmetrics = \"token\"\n{first}expires = \"2020-01-01T00:00:00Z\"\n{second}write_rate = \"1KB\"\n"
        ))
        .start();
    let write = |target: &str, token: &str, body: &str| {
        world.ask(&as_token(Request::post(target, body), token))
    };
    expect_v1(&write("/write?db=d", &late, "m v=1"), 401, "authorization failed");
    let large = format!("m s=\"{}\" 1", "x".repeat(60_000));
    write("/write?db=d", &slow, &large).expect(204);
    let answer = write("/write?db=d", &slow, "m v=1");
    expect_v1(&answer, 503, "write_rate");
    let wait: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert!((30..=61).contains(&wait), "{wait}");
    let answer = write("/api/v2/write?org=default&bucket=d", &slow, "m v=1");
    expect_v2(&answer, 429, "too many requests", "write_rate");
    world.ask(&Request::get("/metrics")).expect(401);
    world.ask(&as_token(Request::get("/metrics"), &slow)).expect(200);
}

fn log_of(world: &World) -> String {
    std::fs::read_to_string(world.circlet.log()).expect("Circlet has a log")
}
