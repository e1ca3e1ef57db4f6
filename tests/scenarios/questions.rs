//! Rows 17 to 19: questions that hide something, and backends that die over an answer.

use crate::support::asked::{answered_by, filled};
use crate::support::prelude::*;
use crate::support::proxy::Trouble;

/// What a refusal says, in either dialect.
fn refused(answer: &Answer, what: &str) {
    assert!((400..502).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
    let body = answer.json();
    let message = body["error"].as_str().or(body["message"].as_str()).unwrap_or_default();
    assert!(message.len() > 10, "{what}: {}", answer.text());
}

pub fn what_is_not_understood_is_refused_never_guessed() {
    let world = filled(Setup::new());
    for statement in ["SELEC v FROM one", "SELECT v FROM", "SELECT * INTO other FROM one"] {
        refused(&world.query("d", statement), statement);
    }
    let flux =
        "from(bucket: \"d\") |> range(start: 0) |> filter(fn: (r) => r._measurement == \"one\")";
    let request = Request::post("/api/v2/query?org=default", flux)
        .header("Content-Type", "application/vnd.flux");
    let answer = world.ask(&request).expect(422);
    assert!(answer.json()["message"].as_str().unwrap_or_default().contains("Flux"));
    refused(&answer, flux);
}

/// What is refused changes nothing on any server; what deletes is found wherever it hides, and every circle
/// runs it, never the one alone that would have answered the question.
pub fn nothing_that_writes_hides_in_a_question() {
    let world = filled(Setup::new());
    let before: Vec<_> = world.servers().map(|server| server.points("d")).collect();
    for statement in [
        "SELECT v INTO other FROM one",
        "SELECT v INTO \"d\".\"autogen\".\"other\" FROM one",
        "SELECT v FROM one;;SELECT v INTO other FROM one",
        "DROP MEASUREMENT one; SELECT v INTO other FROM one",
        "-- SELECT v FROM one\nDROP USER u",
        "DELETE FROM one; GRANT ALL TO u",
    ] {
        refused(&world.query("d", statement), statement);
        let target = format!("/query?db=d&q={}", encode(statement));
        refused(&world.ask(&Request::get(&target)), statement);
    }
    let after: Vec<_> = world.servers().map(|server| server.points("d")).collect();
    assert!(before == after, "something was written or dropped");
    for (statement, gone) in [
        ("SELECT v /* ; */ FROM one; DELETE FROM one", "one"),
        ("SELECT v FROM one;;dRoP sErIeS FROM two", "two"),
        ("-- SELECT v FROM one\ndrop/* SELECT v FROM one */measurement\tthree", "three"),
    ] {
        world.query("d", statement).expect(200);
        world.wait_drained(seconds(20));
        for server in world.servers() {
            let left = server.measurements("d").contains(&gone.to_owned());
            assert!(!left, "{gone} is still on {} after {statement}", server.name);
        }
    }
    assert_eq!(world.points(0, "d"), world.points(1, "d"));
}

/// The owner of what is asked for answers, whatever words stand in quotes and comments.
pub fn names_are_found_behind_quotes_and_comments() {
    let world = filled(Setup::new());
    let strange = ["x from two", "drop database d", "a\"b", "it's -- one"];
    for name in strange {
        let written = name.replace(' ', "\\ ");
        world.write("d", format!("{written} v=7 1")).expect(204);
    }
    world.wait_drained(seconds(20));
    let asked = |statement: &str, measurement: &str, count: u64| {
        let answer = world.query("d", statement).expect(200);
        let found = answer.json().pointer("/results/0/series/0/values/0/1").cloned();
        assert_eq!(found, Some(Value::from(count)), "{statement}: {}", answer.text());
        let owners = world.owners(&["--db", "d"], measurement);
        assert!(owners.contains(&answered_by(&answer)), "{statement}: not an owner of it");
    };
    for name in strange {
        let quoted = name.replace('"', "\\\"");
        asked(&format!("SELECT count(v) FROM \"{quoted}\""), name, 1);
    }
    asked("SELECT count(v) /* FROM two */ FROM one", "one", 500);
    asked("SELECT count(v) FROM three -- FROM two", "three", 500);
    asked("SELECT count(v) FROM two WHERE s != 'x from one; drop database d'", "two", 500);
    // Of two measurements: right, or refused.
    let answer = world.query("d", "SELECT count(v) FROM one; SELECT count(v) FROM two");
    if answer.status == 200 {
        let body = answer.json();
        for result in 0..2 {
            let place = format!("/results/{result}/series/0/values/0/1");
            assert_eq!(body.pointer(&place), Some(&Value::from(500)), "{body}");
        }
    } else {
        refused(&answer, "two statements");
    }
}

pub fn both_circles_answer_and_a_dead_one_never() {
    let mut world = filled(Setup::new().proxied());
    let owners = world.owners(&["--db", "d"], "one");
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..60 {
        seen.insert(answered_by(&world.query("d", "SELECT count(v) FROM one").expect(200)));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), owners, "both circles share the questions");
    let whole = world.query("d", "SELECT * FROM one").expect(200);
    // It answers pings, and dies over every question: nobody knows beforehand.
    world.proxy(&owners[0]).make(Trouble::CutQuestions(0));
    for _ in 0..60 {
        assert!(world.query("d", "SELECT * FROM one").expect(200).body == whole.body);
    }
    assert!(world.metrics().must("circlet_query_failovers_total", &[]) >= 10.0);
    world.server_mut(&owners[0]).kill();
    for _ in 0..60 {
        let answer = world.query("d", "SELECT * FROM one").expect(200);
        assert_eq!(answered_by(&answer), owners[1]);
        assert!(answer.body == whole.body, "the other circle answers the same");
    }
}

/// Before the first byte another circle takes over; behind it the client sees a broken connection.
pub fn half_an_answer_never_looks_like_a_whole_one() {
    let world = filled(Setup::new().proxied());
    let question = "SELECT * FROM one";
    let length = world.query("d", question).expect(200).body.len();
    let owners = world.owners(&["--db", "d"], "one");
    expect_no_half(&world, question, &[&owners[..1], &owners[1..]], &[1, 600, 12_000, length - 10]);
}

/// The same where two backends of a circle make up the answer, and each of them is cut.
pub fn half_an_answer_of_several_owners() {
    let world = filled(Setup::new().proxied());
    let names = |circle: &Vec<Influxd>| circle.iter().map(|server| server.name.clone()).collect();
    let circles: Vec<Vec<String>> = world.circles.iter().map(names).collect();
    let question = "SELECT * FROM one, two, three, four";
    let answer = world.query("d", question).expect(200);
    let who = answer.header("X-Circlet-Backend").expect("who answered");
    assert_eq!(who.split(", ").count(), 2, "{who} alone has all of it");
    let circles: Vec<&[String]> = circles.iter().map(Vec::as_slice).collect();
    // The first bytes of each backend tell what it has: a cut among them can be mended.
    expect_no_half(&world, question, &circles, &[1, 12_000, 30_000]);
}

/// Asks while the answers of both circles' backends are cut behind so many bytes.
fn expect_no_half(world: &World, question: &str, circles: &[&[String]], cuts: &[usize]) {
    let question = Request::get(&format!("/query?db=d&q={}", encode(question)));
    let whole = world.ask(&question).expect(200);
    assert!(whole.body.len() > 20_000, "{} bytes are too few to cut", whole.body.len());
    let make = |names: &[String], trouble: Trouble| {
        names.iter().for_each(|name| world.proxy(name).make(trouble.clone()));
    };
    let expect_whole = || assert!(world.ask(&question).expect(200).body == whole.body);
    for cut in cuts {
        circles.iter().for_each(|names| make(names, Trouble::CutQuestions(*cut)));
        for _ in 0..4 {
            match world.connect().request(&question) {
                Ok(answer) => assert_ne!(answer.status, 200, "cut at {cut}: {}", answer.text()),
                Err(error) => assert!(*cut > 1, "nothing had come, and then {error}"),
            }
        }
        make(circles[1], Trouble::None);
        if *cut == 1 {
            circles[1].iter().for_each(|name| world.wait_up(name, true));
            // The other circle has it.
            (0..10).for_each(|_| expect_whole());
        }
        circles.iter().for_each(|names| make(names, Trouble::None));
        circles.iter().copied().flatten().for_each(|name| world.wait_up(name, true));
    }
    expect_whole();
}
