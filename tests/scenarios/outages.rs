//! Rows 21 and 22, and the flapping backend: servers that are down, slow, deaf or gone.

use crate::setting::{Random, number, seed};
use crate::support::ledger::expect_whole;
use crate::support::prelude::*;
use crate::support::proxy::Trouble;
use crate::support::wait::let_pass;
use std::fs;
use std::time::Instant;

/// Under load one server of the second circle gets into this trouble for 3 s: every write is acknowledged,
/// the other servers get their lines meanwhile, and it has everything after it is healed.
fn through(trouble: Trouble) {
    let setup = Setup::new().proxied().write("ack_wait = \"500ms\"\nretry_max = \"2s\"");
    let world = setup.start();
    let name = world.owners(&["--db", "d"], "load_0")[1].clone();
    let running = Load::default().start(world.circlet.address);
    running.wait_for_more(500);
    world.proxy(&name).make(trouble.clone());
    let began = Instant::now();
    running.wait_for_more(1_000);
    let acknowledged = running.acknowledged();
    let others: Vec<_> = world.servers().filter(|server| server.name != name).collect();
    until("the other servers get their lines", seconds(30), || {
        let owed =
            |server: &&Influxd| world.backlog_bytes(&[("backend", &server.name)]) < 100_000.0;
        (running.acknowledged() > acknowledged + 1_000 && others.iter().all(owed)).then_some(())
    });
    let_pass(seconds(3).saturating_sub(began.elapsed()));
    assert!(world.backlog_bytes(&[("backend", &name)]) > 0.0, "{trouble:?} changed nothing");
    let tries = world.proxy(&name).answered();
    // Exponential back-off from 500 ms for each of two shards, started anew by each 204 to a ping.
    assert!(tries < 100, "{trouble:?}: {tries} tries in {:?} are a hot loop", began.elapsed());
    world.proxy(&name).make(Trouble::None);
    running.wait_for_more(500);
    let (load, tally) = running.stop();
    world.wait_drained(seconds(90));
    assert_eq!(tally.answers.keys().collect::<Vec<_>>(), [&204], "{trouble:?}: {tally:?}");
    assert_eq!(tally.broken, 0, "{trouble:?}: {tally:?}");
    expect_whole(&world, &load, &tally);
    assert!(world.rejects().is_empty(), "{trouble:?} made rejects");
    world.expect_nothing_lost();
}

pub fn through_500() {
    through(Trouble::Answer(500, "{\"error\":\"engine: something broke\"}\n"));
}

pub fn through_503() {
    through(Trouble::Answer(503, "{\"error\":\"timeout\"}\n"));
}

pub fn through_resets() {
    through(Trouble::Reset);
}

pub fn through_silence() {
    through(Trouble::Silence);
}

pub fn through_one_byte_a_second() {
    through(Trouble::Drip);
}

pub fn a_name_that_nobody_knows_holds_up_nobody() {
    let mut world = Setup::new().circles(2, 1).write("ack_wait = \"300ms\"").start();
    assert_eq!(world.circlet.terminate().code(), Some(0));
    let config = fs::read_to_string(&world.circlet.config).unwrap();
    let lost = config.replace(&world.circles[1][0].url(), "http://nobody.invalid:8086");
    assert_ne!(lost, config);
    fs::write(&world.circlet.config, lost).unwrap();
    world.circlet.restart();
    for number in 0..20 {
        world.write("d", format!("named v={number} {number}")).expect(204);
    }
    let count = |world: &World, circle: usize| {
        world.circles[circle][0].count("d", "SELECT count(v) FROM named")
    };
    until("the other circle gets its lines", seconds(20), || {
        (count(&world, 0) == 20).then_some(())
    });
    assert!(world.backlog_bytes(&[("backend", "influxdb-2-1")]) > 0.0);
    assert_eq!(world.circlet.terminate().code(), Some(0));
    fs::write(&world.circlet.config, config).unwrap();
    world.circlet.restart();
    world.wait_drained(seconds(30));
    assert_eq!(count(&world, 1), 20);
    world.expect_nothing_lost();
}

pub fn nothing_is_lost_while_every_backend_is_dead() {
    let mut world = Setup::new().write("ack_wait = \"300ms\"").start();
    world.circles.iter_mut().flatten().for_each(Influxd::kill);
    let running = Load { bodies: 200, ..Load::default() }.start(world.circlet.address);
    let (load, tally) = running.join();
    assert_eq!(tally.answers.keys().collect::<Vec<_>>(), [&204], "{tally:?}");
    assert_eq!(tally.count(), 4 * 200 * 50);
    assert!(tally.pending > 0, "answers say who has not confirmed: {tally:?}");
    until("the age of the oldest unsent line is told", seconds(10), || {
        let metrics = world.metrics();
        let age = |server: &Influxd| {
            metrics.must("circlet_backend_backlog_age_seconds", &[("backend", &server.name)])
        };
        world.servers().all(|server| age(server) > 1.0).then_some(())
    });
    world.ask(&Request::get("/ready")).expect(200);
    world.expect_nothing_lost();
    world.circles.iter_mut().flatten().for_each(Influxd::restart);
    world.wait_drained(seconds(60));
    expect_whole(&world, &load, &tally);
    assert!(world.rejects().is_empty());
    world.expect_nothing_lost();
}

/// With a limit to each backlog.
pub fn beyond_the_quota_writes_are_503() {
    let limits = "[log]\nmax_backlog_bytes = \"1MiB\"\n";
    let mut world = Setup::new().write("ack_wait = \"100ms\"").tables(limits).start();
    world.circles.iter_mut().flatten().for_each(Influxd::kill);
    let names: Vec<String> = world.servers().map(|server| server.name.clone()).collect();
    names.iter().for_each(|name| world.wait_up(name, false));
    let text = "x".repeat(4000);
    let mut connection = world.connect();
    let mut body = |number: u64| {
        let line = |part: u64| format!("load_{part},w=0 n={number}i,text=\"{text}\" {number}\n");
        let lines: String = (0..20).map(line).collect();
        connection.request(&Request::post("/write?db=d", lines)).expect("an answer")
    };
    let mut acknowledged = 0;
    let refusal = loop {
        let answer = body(acknowledged);
        if answer.status != 204 {
            break answer;
        }
        acknowledged += 1;
        // What is owed is looked at once a second.
        let_pass(Duration::from_millis(25));
        assert!(acknowledged < 200, "16 MB were taken, and each backlog may have 1 MiB");
    };
    assert!(acknowledged > 5, "refused after {acknowledged} bodies");
    assert_eq!(refusal.status, 503, "{}", refusal.text());
    let again: u64 = refusal.header("Retry-After").expect("when to come again").parse().unwrap();
    assert!(again >= 1);
    world.expect_nothing_lost();
    world.circles.iter_mut().flatten().for_each(Influxd::restart);
    world.wait_drained(seconds(60));
    until("writes are taken again", seconds(30), || {
        (body(acknowledged).status == 204).then_some(())
    });
    world.wait_drained(seconds(30));
    for circle in 0..2 {
        let count = world.points(circle, "d").len() as u64;
        assert_eq!(count, 20 * (acknowledged + 1), "circle {}", circle + 1);
    }
    assert!(world.rejects().is_empty());
    world.expect_nothing_lost();
}

/// One server at a time is down for 1 to 5 s.
pub fn a_flapping_backend_costs_no_client_anything() {
    let lasts = number("CIRCLET_FLAP_SECONDS", 60);
    let mut random = Random::new(seed("flapping"));
    let mut world = Setup::new().start();
    let names: Vec<String> = world.servers().map(|server| server.name.clone()).collect();
    let running = Load::default().start(world.circlet.address);
    running.wait_for_more(500);
    let began = Instant::now();
    let mut flaps = 0;
    while began.elapsed() < seconds(lasts) {
        let name = random.pick(&names).clone();
        world.server_mut(&name).kill();
        let_pass(Duration::from_millis(1_000 + random.next() % 4_000));
        world.server_mut(&name).restart();
        let_pass(Duration::from_millis(random.next() % 1_000));
        flaps += 1;
    }
    running.wait_for_more(500);
    let (load, tally) = running.stop();
    world.wait_drained(seconds(60));
    assert_eq!(tally.answers.keys().collect::<Vec<_>>(), [&204], "{tally:?}");
    assert_eq!(tally.broken, 0, "{tally:?}");
    assert!(tally.longest < seconds(5), "Telegraf gives up after 5 s: {:?}", tally.longest);
    assert!(flaps > 2, "only {flaps} flaps");
    expect_whole(&world, &load, &tally);
    world.expect_nothing_lost();
    println!(
        "{flaps} flaps, {} points acknowledged, longest wait {:?}",
        tally.count(),
        tally.longest
    );
}
