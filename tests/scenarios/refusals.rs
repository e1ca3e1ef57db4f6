//! Row 20: a backend refuses, for good or for a while, and nobody else's lines wait for it.

use crate::support::prelude::*;
use crate::support::proxy::Trouble;

const FIRST_NS: u64 = 1_700_000_000_000_000_000;

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

pub fn a_line_refused_for_good_ends_alone_in_the_rejects() {
    // The refusal is to come back to its client, however busy the machine is with the others.
    let world = Setup::new().write("ack_wait = \"20s\"").start();
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

/// An old and a new release of one program write at once: hundreds of refused lines, each beside a good one.
pub fn many_lines_refused_for_good_hide_no_good_one() {
    let mut world = Setup::new().write("ack_wait = \"300ms\"").start();
    world.write("d", format!("typed,client=first v=0.5 {FIRST_NS}")).expect(204);
    world.wait_drained(seconds(10));
    let owners = world.owners(&["--db", "d"], "typed");
    for owner in &owners {
        world.server_mut(owner).kill();
        world.wait_up(owner, false);
    }
    let pair = |index: u64| {
        let (good, bad) = (FIRST_NS + 2 * index, FIRST_NS + 2 * index + 1);
        format!("typed,client=c0 v={index}.5 {good}\ntyped,client=bad v=\"text\" {bad}\n")
    };
    for request in 0..5 {
        let body: String = (request * 100..request * 100 + 100).map(pair).collect();
        world.write("d", body).expect(204);
    }
    for owner in &owners {
        world.server_mut(owner).restart();
    }
    world.wait_drained(seconds(60));
    let rejects = world.rejects();
    assert_eq!(rejects.len(), 1_000, "500 for the owner in each circle");
    assert!(rejects.iter().all(|(line, _)| line.starts_with("typed,client=bad ")));
    let metrics = world.metrics();
    for owner in &owners {
        let statement = "SELECT count(v) FROM typed WHERE client = 'c0'";
        assert_eq!(world.server(owner).count("d", statement), 500, "{owner}");
        let labels = [("backend", owner.as_str())];
        assert_eq!(metrics.sum("circlet_backend_incomplete", &labels), 0.0, "{owner}");
    }
}

/// A batch that gives one new field two types gets a bare refusal from 1.6.7, and nothing of it is
/// stored: the gateway must find the culprits itself.
pub fn two_types_for_a_new_field_in_one_batch_cost_one_line() {
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

pub fn a_server_that_takes_little_at_a_time_gets_everything() {
    let mut world = Setup::new().server_http("max-body-size = 2000").start();
    world.circles.iter_mut().flatten().for_each(Influxd::kill);
    let line = |index| format!("small,host=a text=\"{index:040}\" {}\n", FIRST_NS + index);
    let bodies = (0..20).map(|body| (body * 100..body * 100 + 100).map(line).collect::<String>());
    let mut connection = world.connect();
    for body in bodies {
        connection.request(&Request::post("/write?db=d", body)).unwrap().expect(204);
    }
    world.circles.iter_mut().flatten().for_each(Influxd::restart);
    world.wait_drained(seconds(60));
    for owner in world.owners(&["--db", "d"], "small") {
        let count = world.server(&owner).count("d", "SELECT count(text) FROM small");
        assert_eq!(count, 2_000, "{owner}");
    }
    assert!(world.rejects().is_empty(), "a good line is in the rejects");
    world.expect_nothing_lost();
}

/// 422 refuses lines for good; what comes afterwards flows.
pub fn a_422_ends_in_the_rejects_and_holds_up_nobody() {
    let world = Setup::new().proxied().start();
    let owners = world.owners(&["--db", "d"], "typed");
    let body = "{\"error\":\"unprocessable: field type conflict\"}\n";
    world.proxy(&owners[0]).make(Trouble::Answer(422, body));
    let lines = format!("typed v=1 {FIRST_NS}\ntyped v=2 {}\n", FIRST_NS + 1);
    let status = world.write("d", &lines).status;
    assert!([204, 400].contains(&status), "{status}");
    until("both lines are in the rejects", seconds(60), || {
        (world.rejects().len() == 2).then_some(())
    });
    world.proxy(&owners[0]).make(Trouble::None);
    world.write("d", format!("typed v=3 {}", FIRST_NS + 2)).expect(204);
    world.wait_drained(seconds(30));
    let count = |owner: &str| world.server(owner).count("d", "SELECT count(v) FROM typed");
    assert_eq!((count(&owners[0]), count(&owners[1])), (1, 3));
    let labels = [("backend", owners[0].as_str())];
    until("the backend is incomplete, as the other circle took them", seconds(20), || {
        let marked = world.metrics().must("circlet_backend_incomplete", &labels);
        (marked == 1.0).then_some(())
    });
    assert_eq!(world.metrics().must("circlet_rejects_total", &labels), 2.0);
    world.expect_nothing_lost();
}

/// 401 for everything on one backend, 404 for one database on another: those lines wait, all others flow,
/// nothing is refused, and what waited comes when the cause is mended.
pub fn lines_that_may_not_be_written_yet_wait_and_hold_up_nobody() {
    let setup = Setup::new().database("e").proxied().write("ack_wait = \"300ms\"");
    let world = setup.circles(2, 1).start();
    let [unauthorized, lacking] = ["influxdb-1-1", "influxdb-2-1"];
    world.server(lacking).query("", "DROP DATABASE d");
    let body = "{\"error\":\"authorization failed\"}\n";
    world.proxy(unauthorized).make(Trouble::Answer(401, body));
    for number in 0..20 {
        world.write("d", format!("waits v={number} {}", FIRST_NS + number)).expect(204);
        world.write("e", format!("flows v={number} {}", FIRST_NS + number)).expect(204);
    }
    let count = |server: &str, db: &str| {
        let name = if db == "e" { "flows" } else { "waits" };
        world.server(server).count(db, &format!("SELECT count(v) FROM {name}"))
    };
    until("the database that is there gets its lines", seconds(20), || {
        (count(lacking, "e") == 20).then_some(())
    });
    until("both databases wait at one backend, and one at the other", seconds(20), || {
        let parked =
            |name| world.metrics().must("circlet_backend_parked_databases", &[("backend", name)]);
        (parked(unauthorized) == 2.0 && parked(lacking) == 1.0).then_some(())
    });
    assert!(world.proxy(unauthorized).answered() < 20, "it is not asked again and again");
    world.proxy(unauthorized).make(Trouble::None);
    world.server(lacking).create_database("d");
    world.wait_drained(seconds(90));
    for server in [unauthorized, lacking] {
        assert_eq!((count(server, "d"), count(server, "e")), (20, 20), "{server}");
    }
    assert!(world.rejects().is_empty(), "{:?}", world.rejects());
    world.expect_nothing_lost();
}
