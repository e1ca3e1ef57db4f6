//! Rows 10, 12 and 13: lines that are too long, one bad line among many, lines without a time.

use crate::support::ledger::expect_whole;
use crate::support::neighbour::{V1, V2, expect_v1, expect_v2};
use crate::support::prelude::*;

const FIRST_NS: u64 = 1_700_000_000_000_000_000;

/// 10,000 lines of ten measurements; number 4,711 is bad.
fn ten_thousand_with_one_bad() -> String {
    let line = |index: u64| match index {
        4711 => "ten_1,host=a v=oops 1700000000000004711\n".to_owned(),
        _ => format!("ten_{},host=a v={index}i {}\n", index % 10, FIRST_NS + index),
    };
    (0..10_000).map(line).collect()
}

/// Points of the ten measurements in a circle.
fn count_ten(world: &World, circle: usize) -> u64 {
    let sum = |server: &Influxd| {
        let series = server.series("d", "SELECT count(v) FROM /^ten_/");
        series.iter().map(|series| series["values"][0][1].as_u64().unwrap()).sum::<u64>()
    };
    world.circles[circle].iter().map(sum).sum()
}

fn one_bad_line(target: &str, kept: u64, check: impl Fn(&Answer)) {
    let world = Setup::new().start();
    let load = Load { bodies: 40, ..Load::default() };
    let before = world.metrics().sum("circlet_lines_rejected_total", &[]);
    let neighbours = load.start(world.circlet.address);
    let answer = world.ask(&Request::post(target, ten_thousand_with_one_bad()));
    let (load, tally) = neighbours.join();
    assert_eq!(answer.status, 400, "{}", answer.text());
    check(&answer);
    assert_eq!(tally.answers.len(), 1, "neighbours saw more than 204: {tally:?}");
    world.wait_drained(seconds(60));
    for circle in 0..2 {
        assert_eq!(count_ten(&world, circle), kept, "circle {}", circle + 1);
    }
    expect_whole(&world, &load, &tally);
    assert!(world.metrics().sum("circlet_lines_rejected_total", &[]) > before);
    world.expect_nothing_lost();
}

pub fn one_bad_line_in_ten_thousand_costs_itself_on_v1() {
    one_bad_line("/write?db=d", 9_999, |answer| {
        let error = answer.json()["error"].as_str().expect("v1 dialect").to_owned();
        let expected = "partial write: unable to parse 'ten_1,host=a v=oops 1700000000000004711': ";
        assert!(error.starts_with(expected) && error.ends_with(" dropped=0"), "{error}");
        assert_eq!(answer.header("X-Influxdb-Error"), Some(error.as_str()));
        assert!(answer.body.ends_with(b"}\n"));
    });
}

pub fn one_bad_line_in_ten_thousand_refuses_the_body_on_v2() {
    one_bad_line("/api/v2/write?bucket=d&org=default", 0, |answer| {
        let body = answer.json();
        assert_eq!(body["code"], "invalid");
        let message = body["message"].as_str().expect("v2 dialect");
        let expected = "unable to parse 'ten_1,host=a v=oops 1700000000000004711': ";
        assert!(message.starts_with(expected), "{message}");
        assert_eq!(answer.header("X-Platform-Error-Code"), Some("invalid"));
    });
}

pub fn a_line_that_is_too_long_costs_itself() {
    let world = Setup::new().start();
    let good = |number: u32| format!("neighbour v={number}i {number}\n");
    let tags: String = (0..300).map(|tag| format!(",t{tag:03}=x")).collect();
    let long_name = "n".repeat(66_000);
    let bad = [
        format!("long,t={} v=1 1\n", "x".repeat(300 << 10)),
        format!("long v=\"{}\" 1\n", "x".repeat(1_000_000)),
        format!("{long_name} v=1 1\n"),
        format!("long,t={long_name} v=1 1\n"),
    ];
    let body: String = bad.iter().zip(1..).map(|(bad, number)| good(number) + bad).collect();
    let body = format!("{body}neighbour{tags} v=5i 5\n{}", good(6));
    let answer = world.ask(&Request::post(V1, &body));
    expect_v1(&answer, 400, "partial write: unable to parse 'long,t=xxx");
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("max line length exceeded"), "{error}");
    assert!(error.contains("max key length exceeded"), "{error}");
    assert!(error.ends_with(" dropped=0"), "lines that cannot be parsed do not count: {error}");
    assert!(error.len() < 4 * 600, "each line is quoted with at most 256 bytes: {error}");
    for body in &bad {
        expect_v2(&world.ask(&Request::post(V2, body)), 400, "invalid", "length exceeded");
    }
    assert_eq!(world.metrics().sum("circlet_lines_rejected_total", &[]), 8.0);
    world.wait_drained(seconds(20));
    for circle in 0..2 {
        let points = world.points(circle, "d");
        assert_eq!(points.len(), 6, "{:?}", points.keys());
        assert!(points.contains_key(&(format!("neighbour{tags}"), 5)), "300 tags are fine");
    }
    world.expect_nothing_lost();
}

pub fn a_line_without_a_time_is_one_point_however_often_it_is_sent() {
    let mut world = Setup::new().write("ack_wait = \"300ms\"").start();
    let owners = world.owners(&["--db", "d"], "unstamped");
    for owner in &owners {
        world.server_mut(owner).kill();
        world.wait_up(owner, false);
    }
    world.write("d", "unstamped v=1").expect(204);
    world.ask(&Request::post("/write?db=d&precision=s", "scaled v=1 1700000000")).expect(204);
    world.circlet.kill();
    world.circlet.restart();
    for owner in &owners {
        world.server_mut(owner).restart();
    }
    for _ in 0..2 {
        world.wait_drained(seconds(30));
        let before = world.metrics().sum("circlet_backend_lines_total", &[]);
        assert!(before > 0.0, "this life has sent them again");
        // Before the cursors are written: they are at most a second old.
        world.circlet.kill();
        world.circlet.restart();
    }
    world.wait_drained(seconds(30));
    assert_eq!(world.points(0, "d"), world.points(1, "d"));
    let points = world.points(0, "d");
    assert_eq!(points.len(), 2, "{points:?}");
    assert!(points.contains_key(&("scaled".to_owned(), FIRST_NS as i64)), "{points:?}");
    world.expect_nothing_lost();
}

pub fn a_time_that_servers_cannot_hold_costs_its_line() {
    let world = Setup::new().start();
    // The last and the first nanosecond that InfluxDB can hold: in 2262 and in 1677.
    let ends = "far v=1 9223372036854775806\nfar v=2 -9223372036854775806\n";
    world.write("d", ends).expect(204);
    for (precision, time) in [
        ("ns", "9223372036854775807"),
        ("ns", "-9223372036854775807"),
        ("ms", "9223372036855"),
        ("s", "9223372037"),
        ("h", "2562048"),
    ] {
        let body = format!("neighbour v=1i 0\nfar v=1 {time}\n");
        let target = format!("{V1}&precision={precision}");
        expect_v1(&world.ask(&Request::post(&target, body)), 400, "time outside range");
    }
    world.wait_drained(seconds(20));
    for owner in world.owners(&["--db", "d"], "far") {
        assert_eq!(world.server(&owner).count("d", "SELECT count(v) FROM far"), 2, "{owner}");
    }
    world.expect_nothing_lost();
}
