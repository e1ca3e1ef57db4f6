//! A query that names one measurement goes to its owner.

use crate::support::asked::{answered_by, filled};
use crate::support::prelude::*;

#[test]
fn the_owners_answer_comes_back_byte_for_byte() {
    let world = filled(Setup::new());
    let owners = world.owners(&["--db", "d"], "three");
    for query in [
        "db=d&q=SELECT+*+FROM+three",
        "db=d&q=SELECT+mean(v)+FROM+three+WHERE+time+<+400+GROUP+BY+time(100ns),host&epoch=ns",
        "db=d&q=SELECT+*+FROM+three&chunked=true&chunk_size=100",
        "db=d&q=SELECT+v+FROM+three+LIMIT+2&pretty=true",
        "db=d&q=SELECT+nosuch+FROM+three",
        "db=d&q=SELECT+v,mean(v)+FROM+three",
    ] {
        let request = Request::get(&format!("/query?{query}"));
        let answer = world.ask(&request);
        let owner = answered_by(&answer);
        assert!(owners.contains(&owner), "{query}");
        let mut direct = Connection::open(world.server(&owner).address());
        let expected = direct.request(&request).unwrap();
        assert_eq!((answer.status, answer.text()), (expected.status, expected.text()), "{query}");
        assert_eq!(answer.header("Content-Type"), expected.header("Content-Type"), "{query}");
    }
}

/// The backends that a plan names, part by part, in each circle.
fn planned(plan: &Value) -> Vec<Vec<Vec<String>>> {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let name = |backend: &Value| {
        assert_eq!(backend["complete"], true, "{backend}");
        backend["name"].as_str().expect("a name").to_owned()
    };
    let circle = |circle: &Value| list(circle, "backends").iter().map(name).collect();
    let part = |part: &Value| list(part, "circles").iter().map(circle).collect();
    list(plan, "parts").iter().map(part).collect()
}

#[test]
fn a_plan_names_those_who_then_answer() {
    let world = filled(Setup::new());
    for (query, answer) in [
        ("SELECT v FROM three", "forwarded"),
        ("SELECT v FROM one, two, three, four", "merged"),
        ("SHOW MEASUREMENTS", "merged"),
        ("SHOW DATABASES", "forwarded"),
    ] {
        let path = format!("/query?db=d&q={}", encode(query));
        let plan = world.ask(&Request::get(&format!("{path}&circlet_explain=true"))).expect(200);
        let plan = plan.json();
        assert_eq!(plan["parts"][0]["answer"], answer, "{plan}");
        let asked = world.ask(&Request::get(&path)).expect(200);
        let who = asked.header("X-Circlet-Backend").expect("who answered");
        let circle = asked.header("X-Circlet-Circle").expect("of which circle");
        let who: Vec<&str> = who
            .split(", ")
            .map(|who| who.strip_prefix(circle).expect("of that circle").trim_start_matches('/'))
            .collect();
        let circles = planned(&plan).remove(0);
        let is_planned = |circle: &Vec<String>| match query {
            // Any one of them.
            "SHOW DATABASES" => circle.iter().any(|name| who == [name]),
            _ => *circle == who,
        };
        assert!(circles.iter().any(is_planned), "{query}: {who:?} answered, of {circles:?}");
        let config = world.directory.path().join("circlet.toml");
        let config = config.to_str().expect("a path of ours");
        let said = world.circlet.command(&["explain", "-c", config, "--db", "d", query]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.starts_with(&format!("{query}\n  {answer}: ")), "{said}");
        assert!(said.contains(&circles[0].join(", ")), "{said}");
    }
}

#[test]
fn csv_comes_back_as_csv() {
    let world = filled(Setup::new());
    let request = Request::get("/query?db=d&q=SELECT+v+FROM+two+LIMIT+2&epoch=ns")
        .header("Accept", "application/csv");
    let answer = world.ask(&request).expect(200);
    assert_eq!(answer.text(), "name,tags,time,v\ntwo,,0,0.5\ntwo,,1,1.5\n");
    assert_eq!(answer.header("Content-Type"), Some("text/csv"));
}

#[test]
fn a_backend_that_is_still_owed_lines_does_not_answer_for_them() {
    let mut world = Setup::new().write("ack_wait = \"300ms\"").start();
    let owners = world.owners(&["--db", "d"], "late");
    world.server_mut(&owners[0]).kill();
    world.wait_up(&owners[0], false);
    world.write("d", "late v=1 1").expect(204);
    world.server_mut(&owners[0]).restart();
    for _ in 0..20 {
        let answer = world.query("d", "SELECT count(v) FROM late").expect(200);
        let count = answer.json().pointer("/results/0/series/0/values/0/1").cloned();
        assert_eq!(count, Some(Value::from(1)), "{:?}", answer.headers);
        // Nor does its circle for what all of it knows together.
        let answer = world.query("d", "SHOW MEASUREMENTS").expect(200);
        assert!(answer.text().contains("[\"late\"]"), "{:?} {}", answer.headers, answer.text());
    }
    world.wait_drained(seconds(30));
}

#[test]
fn create_database_reaches_every_backend() {
    let world = Setup::new().start();
    world.query("", "CREATE DATABASE \"made here\"").expect(200);
    world.wait_drained(seconds(10));
    for server in world.servers() {
        assert_eq!(server.series("made here", "SHOW MEASUREMENTS").len(), 0, "{}", server.name);
    }
}

#[test]
fn create_database_reaches_a_backend_that_was_down() {
    let mut world = Setup::new().write("ack_wait = \"300ms\"").start();
    world.circles[1][1].kill();
    let down = world.circles[1][1].name.clone();
    world.wait_up(&down, false);
    world.query("", "CREATE DATABASE later").expect(200);
    for name in ["a", "b", "c", "d", "e", "f"] {
        world.write("later", format!("{name} v=1 1")).expect(204);
    }
    world.circles[1][1].restart();
    world.wait_drained(seconds(60));
    assert_eq!(world.points(0, "later").len(), 6);
    assert_eq!(world.points(1, "later"), world.points(0, "later"));
}

#[test]
fn health_and_readiness_tell_the_truth() {
    let mut world = Setup::new().start();
    world.ask(&Request::get("/health")).expect(200);
    world.ask(&Request::get("/ready")).expect(200);
    let names: Vec<String> = world.servers().map(|server| server.name.clone()).collect();
    world.circles[0].iter_mut().for_each(Influxd::kill);
    names[..2].iter().for_each(|name| world.wait_up(name, false));
    let answer = world.ask(&Request::get("/health")).expect(200);
    assert!(answer.text().contains("circle-1"), "{}", answer.text());
    world.circles[1].iter_mut().for_each(Influxd::kill);
    names[2..].iter().for_each(|name| world.wait_up(name, false));
    world.ask(&Request::get("/health")).expect(503);
    world.ask(&Request::get("/ready")).expect(200);
}
