//! What the gateway says of itself: each line is one object, a flood is summed up, no payload is in it.

use crate::support::prelude::*;
use crate::support::tls::Authority;
use crate::support::world::directory;
use std::io::{Read, Write};
use std::net::TcpStream;

const FLOOD: usize = 40;

/// So many lines of one place are told within a window; the rest is counted.
const TOLD: usize = 20;

fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Object(items) => items.values().for_each(|item| texts(item, found)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        _ => {}
    }
}

fn objects(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn with_message<'a>(lines: &'a [Value], message: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["message"] == message).collect()
}

/// The gateway with its log as JSON.
fn started(setup: Setup, variables: &[(&str, &str)]) -> World {
    let mut world = setup.stopped();
    let format = [("CIRCLET_LOG_FORMAT", "json")];
    world.circlet.start_with(&[&format, variables].concat());
    let log = world.circlet.log();
    until("it serves", seconds(30), || {
        let text = std::fs::read_to_string(&log).unwrap();
        text.contains("Circlet serves").then_some(())
    });
    world
}

fn log_at_the_end(world: &mut World) -> String {
    assert_eq!(world.circlet.terminate().code(), Some(0));
    std::fs::read_to_string(world.circlet.log()).unwrap()
}

#[test]
fn each_line_is_an_object_and_a_payload_stays_out() {
    let mut world = started(Setup::new().circles(1, 1), &[]);
    // The server's verdict repeats the name of the measurement.
    let name = "q".repeat(10_000);
    world.write("d", format!("{name} v=1 1")).expect(204);
    let answer = world.write("d", format!("{name} v=\"text\" 2")).expect(400);
    assert!(answer.text().contains("field type conflict"), "{}", answer.text());
    let recent = world.ask(&Request::get("/-/log")).expect(200).text();
    // From here on only errors are told.
    let config = std::fs::read_to_string(&world.circlet.config).unwrap();
    std::fs::write(&world.circlet.config, format!("log_level = \"error\"\n{config}")).unwrap();
    world.ask(&Request::post("/-/reload", "")).expect(200);
    world.write("d", format!("{name} v=\"text\" 3")).expect(400);
    let log = log_at_the_end(&mut world);
    assert!(log.starts_with(&recent), "what it remembers is what it wrote: {recent}");
    let lines = objects(&log);
    let refused = with_message(&lines, "lines are refused");
    assert_eq!(refused.len(), 1, "{log}");
    assert_eq!(refused[0]["level"], "warn");
    assert_eq!(refused[0]["fields"]["lines"], 1);
    assert!(refused[0]["fields"]["answer"].as_str().unwrap().contains("qqqq"));
    assert_eq!(with_message(&lines, "Circlet serves").len(), 1);
    for line in &lines {
        let mut found = Vec::new();
        texts(line, &mut found);
        assert!(found.iter().all(|text| text.len() <= 256), "{line}");
    }
}

#[test]
fn a_flood_from_one_place_is_summed_up() {
    let keys = directory();
    let own = Authority::new(keys.path(), "authority").issue("gateway");
    let tls = format!("[tls]\ncert_file = {:?}\nkey_file = {:?}\n", own.certificate, own.key);
    let mut world = started(Setup::new().circles(1, 1).tables(&tls), &[("RUST_LOG", "debug")]);
    for _ in 0..FLOOD {
        let mut stream = TcpStream::connect(world.circlet.address).unwrap();
        // A record of the right length, and nothing that TLS knows in it.
        stream.write_all(&[22, 3, 1, 0, 5, 99, 0, 0, 1, 0]).unwrap();
        stream.set_read_timeout(Some(seconds(10))).unwrap();
        // It is told so, or is cut off; either way it is over.
        drop(stream.read_to_end(&mut Vec::new()));
    }
    let log = log_at_the_end(&mut world);
    let lines = objects(&log);
    assert_eq!(with_message(&lines, "no handshake").len(), TOLD, "{log}");
    let summary = format!("{} more of these within 10 s: no handshake", FLOOD - TOLD);
    assert_eq!(with_message(&lines, &summary).len(), 1, "{log}");
}
