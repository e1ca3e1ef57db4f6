//! The status page, in a real browser.

use crate::support::prelude::*;
use crate::support::world::directory;
use std::process::Command;

/// What Chromium shows of a page, as text, after its script has run for some seconds of its own time.
fn seen(url: &str) -> String {
    let profile = directory();
    let mut command = Command::new("chromium");
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--virtual-time-budget=5000",
        "--dump-dom",
    ]);
    let profile = format!("--user-data-dir={}", profile.path().display());
    let output = command.args(["--timeout=20000", &profile, url]).output();
    let output = output.unwrap_or_else(|error| panic!("chromium: {error}: run scripts/setup"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_page_shows_every_backend_and_what_is_wrong() {
    let mut world = Setup::new().start();
    world.write("d", "cpu v=1 1700000000000000000").expect(204);
    let url = format!("http://{}/", world.circlet.address);
    let page = seen(&url);
    assert!(page.contains("All is well: writes are taken, every backend is up"), "{page}");
    let names: Vec<String> = world.servers().map(|server| server.name.clone()).collect();
    for name in &names {
        assert!(page.contains(name.as_str()), "{name} is missing: {page}");
    }
    assert_eq!(page.matches("<svg").count(), world.circles.len(), "a ring for each circle");
    assert!(page.contains(">2/2</text>") && page.contains("% of the keys"), "{page}");
    let dead = names.last().unwrap();
    world.server_mut(dead).kill();
    world.wait_up(dead, false);
    let page = seen(&url);
    assert!(page.contains("1 of 4 backends are down, their lines wait in the log"), "{page}");
    assert!(page.contains("cannot connect"), "the last error: {page}");
}

#[test]
fn without_a_token_the_page_knows_nothing_and_asks_for_one() {
    let world = Setup::new().tokens(&["secret-of-the-test"]).start();
    let page = seen(&format!("http://{}/", world.circlet.address));
    assert!(page.contains("No answer: a token is wanted"), "{page}");
    assert!(!page.contains("influxdb-1-1"), "{page}");
    assert!(!page.contains("<form id=\"login\" hidden"), "{page}");
}

#[test]
fn the_page_loads_and_runs_nothing_from_elsewhere() {
    let world = Setup::new().start();
    // A client of InfluxDB finds nothing there, as in InfluxDB.
    world.ask(&Request::get("/")).expect(404);
    for path in ["/-/", "/-/page.css", "/-/page.js"] {
        let answer = world.ask(&Request::get(path)).expect(200);
        let policy = answer.header("Content-Security-Policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!answer.text().contains("//cdn"), "{path}");
    }
}

#[test]
fn a_route_is_told_as_the_command_tells_it() {
    let world = Setup::new().start();
    let target = "/-/route?db=d&measurement=cpu";
    let answer = world.ask(&Request::get(target)).expect(200).json();
    let told: Vec<&str> = answer["owners"]
        .as_array()
        .unwrap()
        .iter()
        .map(|owner| owner["backend"].as_str().unwrap())
        .collect();
    assert_eq!(told, world.owners(&["--db", "d"], "cpu"));
    for target in ["/-/route?db=d", "/-/route?measurement=cpu", "/-/route?db=&measurement=cpu"] {
        world.ask(&Request::get(target)).expect(400);
    }
}
