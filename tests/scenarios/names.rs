//! Rows 14 to 16: names of databases, very many names, and who may come in.

use crate::support::neighbour::{Neighbour, V1, V2, answered, expect_v1, expect_v2};
use crate::support::prelude::*;

pub fn an_unknown_database_is_404_in_both_dialects() {
    let world = Setup::new().start();
    let mut neighbour = Neighbour::new(&world);
    let before = answered(&world, "404");
    for name in ["nosuch", "../x", "a/b/c", &"long".repeat(2500)[..7000]] {
        neighbour.write();
        let answer = world.ask(&Request::post(&format!("/write?db={}", encode(name)), "a v=1"));
        expect_v1(&answer, 404, "database not found: \"");
        let target = format!("/api/v2/write?org=default&bucket={}", encode(name));
        expect_v2(&world.ask(&Request::post(&target, "a v=1")), 404, "not found", "not found");
    }
    expect_v1(&world.ask(&Request::post("/write", "a v=1")), 400, "database is required");
    expect_v1(&world.ask(&Request::post("/write?db=", "a v=1")), 400, "database is required");
    let answer = world.ask(&Request::post("/api/v2/write?org=default", "a v=1"));
    expect_v2(&answer, 404, "not found", "bucket not found");
    assert_eq!(answered(&world, "404") - before, 9.0);
    let target = format!("/write?db={}", "n".repeat(10_000));
    assert_eq!(world.ask(&Request::post(&target, "a v=1")).status, 414);
    for name in ["../x", "x", "a"] {
        assert!(!world.circlet.data().join(name).exists(), "{name} became a path");
    }
    neighbour.check(&world);
}

pub fn a_wrong_token_is_401_in_both_dialects() {
    let world = Setup::new().tokens(&["right"]).start();
    let line = "a v=1 1";
    let before = answered(&world, "401");
    for value in
        ["Token wrong", "Token ", "Bearer wrong", "Basic cmlnaHQ6d3Jvbmc=", "right", "Token righ"]
    {
        let answer = world.ask(&Request::post(V1, line).header("Authorization", value));
        expect_v1(&answer, 401, "auth");
        assert!(answer.header("WWW-Authenticate").is_some());
        let answer = world.ask(&Request::post(V2, line).header("Authorization", value));
        expect_v2(&answer, 401, "unauthorized", "unauthorized access");
    }
    let answer = world.ask(&Request::post(V1, line));
    expect_v1(&answer, 401, "unable to parse authentication credentials");
    expect_v2(&world.ask(&Request::post(V2, line)), 401, "unauthorized", "unauthorized access");
    expect_v1(&world.ask(&Request::get("/query?db=d&q=SELECT+v+FROM+a")), 401, "credentials");
    let answer = world.ask(&Request::post("/write?db=d&u=any&p=wrong", line));
    expect_v1(&answer, 401, "authorization failed");
    assert_eq!(answered(&world, "401") - before, 16.0);
    world.ask(&Request::get("/ping")).expect(204);
    world.ask(&Request::get("/ready")).expect(200);
    for value in ["Token right", "token any:right", "Bearer right", "Basic YW55OnJpZ2h0"] {
        world.ask(&Request::post(V1, line).header("Authorization", value)).expect(204);
    }
    world.ask(&Request::post("/write?db=d&u=any&p=right", line)).expect(204);
}

pub fn wrong_tokens_by_the_thousand_are_counted_and_hinder_nobody() {
    const GUESSES: usize = 1_000;
    let world = Setup::new().circles(1, 1).tokens(&["a-right-one"]).start();
    let before = answered(&world, "401");
    let good = Request::post(V1, "a v=1 1").header("Authorization", "Token a-right-one");
    std::thread::scope(|scope| {
        for guesser in 0..4 {
            let mut connection = world.connect();
            scope.spawn(move || {
                for number in 0..GUESSES {
                    let token = format!("Token a-right-{guesser}-{number}");
                    let request = Request::post(V1, "b v=1 1").header("Authorization", &token);
                    let answer = connection.request(&request).unwrap();
                    assert_eq!(answer.status, 401);
                    assert!(answer.header("WWW-Authenticate").is_some());
                }
            });
        }
        for _ in 0..50 {
            world.ask(&good).expect(204);
        }
    });
    assert_eq!(answered(&world, "401") - before, 4.0 * GUESSES as f64);
    world.wait_drained(seconds(20));
    assert_eq!(world.points(0, "d").len(), 1);
}

pub fn very_many_names_cost_little_memory_and_no_metrics() {
    const NAMES: usize = 20_000;
    let world = Setup::new().circles(2, 1).start();
    let write = |names: std::ops::Range<usize>| {
        let line = |name| format!("a_measurement_of_its_own_{name} v=1i 1700000000000000000\n");
        let lines: String = names.map(line).collect();
        world.ask(&Request::post(V1, lines)).expect(204);
    };
    let ask_for_unknown = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            let target = format!("/write?db=nobody_{number}");
            assert_eq!(world.ask(&Request::post(&target, "a v=1")).status, 404);
        }
    };
    // Both shards have done everything once.
    (0..10).for_each(|part| write(part * 500..part * 500 + 500));
    ask_for_unknown(0..200);
    world.wait_drained(seconds(60));
    let before = (world.metrics().0.len(), world.circlet.resident_bytes());
    (10..NAMES / 500).for_each(|part| write(part * 500..part * 500 + 500));
    ask_for_unknown(200..2_000);
    world.wait_drained(seconds(120));
    let metrics = world.metrics();
    let more = world.circlet.resident_bytes().saturating_sub(before.1);
    // The hot window, which fills up whatever the names are, and a bounded memory of routes.
    assert!(more < (48 + 32) << 20, "memory grew by {} MiB", more >> 20);
    let names_us = |text: &String| text.contains("of_its_own") || text.contains("nobody");
    let named = metrics.0.iter().find(|sample| sample.labels.values().any(names_us));
    assert!(named.is_none(), "a metric of a name that somebody made up: {named:?}");
    // A metric for each name would be thousands; outcomes that were not seen before are a few.
    assert!(metrics.0.len() < before.0 + 200, "{} metrics, then {}", before.0, metrics.0.len());
    for server in world.servers() {
        assert_eq!(server.measurements("d").len(), NAMES, "{}", server.name);
    }
    world.expect_nothing_lost();
}
