//! A bad line, or one that a backend refuses for good, harms nobody else.

use crate::support::ledger::expect_whole;
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

#[test]
fn one_bad_line_in_ten_thousand_costs_itself_on_v1() {
    one_bad_line("/write?db=d", 9_999, |answer| {
        let error = answer.json()["error"].as_str().expect("v1 dialect").to_owned();
        let expected = "partial write: unable to parse 'ten_1,host=a v=oops 1700000000000004711': ";
        assert!(error.starts_with(expected) && error.ends_with(" dropped=0"), "{error}");
        assert_eq!(answer.header("X-Influxdb-Error"), Some(error.as_str()));
        assert!(answer.body.ends_with(b"}\n"));
    });
}

#[test]
fn one_bad_line_in_ten_thousand_refuses_the_body_on_v2() {
    one_bad_line("/api/v2/write?bucket=d&org=default", 0, |answer| {
        let body = answer.json();
        assert_eq!(body["code"], "invalid");
        let message = body["message"].as_str().expect("v2 dialect");
        let expected = "unable to parse 'ten_1,host=a v=oops 1700000000000004711': ";
        assert!(message.starts_with(expected), "{message}");
        assert_eq!(answer.header("X-Platform-Error-Code"), Some("invalid"));
    });
}

/// Ten clients that write 100 lines each, of the same measurement as the bad line.
fn good_clients(world: &World) -> Vec<std::thread::JoinHandle<Vec<Answer>>> {
    let client = |number: u64| {
        let mut connection = world.connect();
        std::thread::spawn(move || {
            let line = |index| {
                let time = FIRST_NS + number * 100 + index;
                format!("typed,client=c{number} v={index}.5 {time}\n")
            };
            let bodies = (0..10).map(|body| (body * 10..body * 10 + 10).map(line).collect());
            let send = |body: String| {
                connection.request(&Request::post("/write?db=d", body)).expect("an answer")
            };
            bodies.map(send).collect()
        })
    };
    (0..10).map(client).collect()
}

fn expect_good_clients(world: &World, clients: Vec<std::thread::JoinHandle<Vec<Answer>>>) {
    for client in clients {
        for answer in client.join().unwrap() {
            answer.expect(204);
        }
    }
    world.wait_drained(seconds(60));
    for owner in world.owners(&["--db", "d"], "typed") {
        let statement = "SELECT count(v) FROM typed WHERE client =~ /^c/";
        assert_eq!(world.server(&owner).count("d", statement), 1_000, "{owner}");
    }
}

#[test]
fn a_line_refused_for_good_ends_alone_in_the_rejects() {
    let world = Setup::new().start();
    world.write("d", format!("typed,client=first v=0.5 {FIRST_NS}")).expect(204);
    world.wait_drained(seconds(10));
    let clients = good_clients(&world);
    let bad = format!("typed,client=bad v=\"text\" {}", FIRST_NS + 5);
    let answer = world.write("d", &bad).expect(400);
    let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.starts_with("partial write: field type conflict"), "{error}");
    expect_good_clients(&world, clients);
    let rejects = world.rejects();
    assert_eq!(rejects.len(), 2, "one for the owner in each circle: {rejects:?}");
    for (line, file) in &rejects {
        assert_eq!(line, &bad);
        assert!(
            file.lines().any(|line| line.starts_with('#') && line.contains("field type conflict"))
        );
    }
    let metrics = world.metrics();
    for owner in world.owners(&["--db", "d"], "typed") {
        let labels = [("backend", owner.as_str())];
        assert_eq!(metrics.must("circlet_rejects_total", &labels), 1.0, "{owner}");
    }
    world.expect_nothing_lost();
}

/// A batch that gives one new field two types gets a bare refusal from 1.6.7, and nothing of it is
/// stored: the gateway must find the culprits itself.
#[test]
fn two_types_for_a_new_field_in_one_batch_cost_one_line() {
    let mut world = Setup::new().write("ack_wait = \"300ms\"").start();
    let owners = world.owners(&["--db", "d"], "typed");
    for owner in &owners {
        world.server_mut(owner).kill();
        world.wait_up(owner, false);
    }
    let clients = good_clients(&world);
    world.write("d", format!("typed,client=new n=1i {FIRST_NS}")).expect(204);
    world.write("d", format!("typed,client=new n=\"one\" {}", FIRST_NS + 1)).expect(204);
    for client in clients {
        client.join().unwrap().into_iter().for_each(|answer| drop(answer.expect(204)));
    }
    for owner in &owners {
        world.server_mut(owner).restart();
    }
    expect_good_clients(&world, Vec::new());
    let rejects = world.rejects();
    assert_eq!(rejects.len(), 2, "{rejects:?}");
    assert!(rejects.iter().all(|(line, _)| line.starts_with("typed,client=new n=")), "{rejects:?}");
    for owner in &owners {
        assert_eq!(world.server(owner).count("d", "SELECT count(n) FROM typed"), 1, "{owner}");
    }
}

#[test]
fn the_gateways_clock_stamps_a_line_once_for_all_circles() {
    let world = Setup::new().start();
    world.write("d", "unstamped v=1").expect(204);
    world.ask(&Request::post("/write?db=d&precision=s", "scaled v=1 1700000000")).expect(204);
    world.wait_drained(seconds(10));
    assert_eq!(world.points(0, "d"), world.points(1, "d"));
    let key = ("scaled".to_owned(), 1_700_000_000_000_000_000);
    assert!(world.points(0, "d").contains_key(&key));
}
