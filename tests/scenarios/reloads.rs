//! The configuration is read again under load.

use crate::support::ledger::expect_whole;
use crate::support::prelude::*;
use crate::support::reloads::{Reloads, replace};
use rustix::process::Signal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Connections that are never opened anew.
const KEPT: u64 = 12;

const RELOADS: usize = 500;

pub fn five_hundred_reloads_under_load_drop_no_connection() {
    let mut world = Setup::new().circles(1, 2).start();
    let load = Load { db: "d".to_owned(), ..Load::default() };
    let running = load.start(world.circlet.address);
    let (ends, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut reloads = Reloads::of(&world);
    std::thread::scope(|scope| {
        for number in 0..KEPT {
            let mut connection = world.circlet.connect();
            let (ends, answered) = (&ends, &answered);
            scope.spawn(move || {
                for turn in 1.. {
                    if ends.load(Ordering::Relaxed) {
                        return;
                    }
                    let line = format!("kept,n={number} v={turn}i {turn}");
                    let answer = connection.request(&Request::post("/write?db=d", line));
                    answer.expect("this connection is never dropped").expect(204);
                    answered.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while reloads.done() < RELOADS {
                if reloads.done() % 50 == 49 {
                    let before = last(&world);
                    reloads.change();
                    world.circlet.signal(Signal::HUP);
                    until("the signal is heard", seconds(10), || {
                        (last(&world) > before).then_some(())
                    });
                } else {
                    reloads.once();
                }
            }
        }));
        ends.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let (load, tally) = running.stop();
    assert_eq!(tally.answers.keys().collect::<Vec<_>>(), [&204], "{tally:?}");
    assert_eq!(tally.broken, 0, "{tally:?}");
    assert!(tally.count() > 1000 && answered.into_inner() > KEPT, "there was load: {tally:?}");
    world.wait_drained(seconds(60));
    expect_whole(&world, &load, &tally);
    world.expect_nothing_lost();
}

/// When a reload was last taken over.
fn last(world: &World) -> f64 {
    world.metrics().must("circlet_config_last_reload_success_timestamp_seconds", &[])
}

pub fn a_broken_configuration_is_not_taken_over() {
    let mut world = Setup::new().circles(1, 1).tokens(&["token"]).start();
    let config = world.circlet.config.clone();
    let sound = std::fs::read_to_string(&config).unwrap();
    let ask = |world: &World, request: Request| {
        world.ask(&request.header("Authorization", "Token token"))
    };
    let gauge = |world: &World| world.metrics().must("circlet_config_last_reload_successful", &[]);
    let broken = [
        String::new(),
        "=".to_owned(),
        sound.replace("tokens = [\"token\"]", "tokens = []"),
        sound.replace("shards = 2", "shards = -2"),
        format!("{sound}\n[[circle]]\nname = \"empty\"\n"),
        format!("{sound}\u{0}"),
    ];
    for (number, text) in broken.iter().enumerate() {
        assert_ne!(*text, sound);
        replace(&config, text);
        if number % 2 == 0 {
            let told = ask(&world, Request::post("/-/reload", "")).expect(400).text();
            assert!(told.contains("circlet.toml:"), "{told}");
        } else {
            world.circlet.signal(Signal::HUP);
            until("it is refused", seconds(10), || (gauge(&world) == 0.0).then_some(()));
        }
        ask(&world, Request::post("/write?db=d", "m v=1 1")).expect(204);
        world.ask(&Request::post("/write?db=d", "m v=1 1")).expect(401);
        replace(&config, &sound);
        ask(&world, Request::post("/-/reload", "")).expect(200);
        assert_eq!(gauge(&world), 1.0);
    }
}
