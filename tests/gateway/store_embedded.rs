//! A gateway whose backends are stores of its own process.

use crate::support::circlet::{BINARY, Circlet};
use crate::support::metrics::Metrics;
use crate::support::ports;
use crate::support::prelude::*;
use crate::support::process::Process;
use crate::support::python::finish;
use crate::support::vectors::root;
use crate::support::world::directory;
use rustix::process::Signal;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Two circles of two stores, and more lines of the configuration.
fn embedded(more: &str) -> (Circlet, TempDir) {
    let directory = directory();
    let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
    let mut text =
        format!("listen = \"{address}\"\ndata_dir = \"circlet-data\"\nshards = 2\n{more}\n");
    for circle in 1..=2 {
        text.push_str(&format!("[[circle]]\nname = \"circle-{circle}\"\n"));
        for store in 1..=2 {
            let name = format!("store-{circle}-{store}");
            text.push_str(&format!("[[circle.backend]]\nname = \"{name}\"\nurl = \"embedded\"\n"));
        }
    }
    let config = directory.path().join("circlet.toml");
    fs::write(&config, text).unwrap();
    (Circlet::stopped(&config, address), directory)
}

fn query(circlet: &Circlet, statement: &str) -> Value {
    let target = format!("/query?db=d&epoch=ns&q={}", encode(statement));
    circlet.ask(&Request::post(&target, "")).expect(200).json()
}

fn metrics(circlet: &Circlet) -> Metrics {
    Metrics::parse(&circlet.ask(&Request::get("/metrics")).expect(200).text())
}

/// Points of `m` that all stores of a circle hold: each store was asked by nobody but its gateway, so this looks
/// at what they say of themselves.
fn points(circlet: &Circlet, circle: &str) -> f64 {
    let metrics = metrics(circlet);
    let of = |store: &str| {
        let store = format!("store-{circle}-{store}");
        metrics.must("circlet_store_points_written_total", &[("store", &store)])
    };
    of("1") + of("2")
}

/// The commands that the README shows for another terminal.
fn shown() -> Vec<String> {
    let text = fs::read_to_string(root().join("README.md")).expect("a README");
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    blocks.map(str::to_owned).collect()
}

fn typed(command: &str, address: &str) -> String {
    let command = command.replace("127.0.0.1:8080", address);
    finish(Command::new("sh").args(["-c", &format!("{command} -sS -m 30")]))
}

#[test]
fn the_first_commands_of_the_readme_work_as_printed() {
    let shown = shown();
    assert_eq!(shown[0], "cargo run --release -- run");
    let (write, ask) = (&shown[1], &shown[2]);
    assert!(write.starts_with("curl") && ask.starts_with("curl"));
    let directory = directory();
    let address = format!("127.0.0.1:{}", ports::free());
    let log = directory.path().join("circlet.log");
    let mut command = Command::new(BINARY);
    // The address only: other tests run beside this one.
    command.args(["run", "--listen", &address]).current_dir(directory.path());
    let mut process = Process::start(&mut command, &log);
    let said = until("it says what to type", seconds(30), || {
        assert!(process.ended().is_none(), "{}", process.log_end());
        let said = fs::read_to_string(&log).ok()?;
        said.contains("Ask:").then_some(said)
    });
    for command in [write, ask] {
        assert!(said.contains(&command.replace("127.0.0.1:8080", &address)), "{command}\n{said}");
    }
    let written = typed(write, &address);
    assert!(
        written.contains("204 No Content") && !written.contains("X-Circlet-Pending"),
        "{written}"
    );
    let asked = typed(ask, &address);
    assert!(asked.contains("\"cpu_usage\"") && asked.contains("0.64"), "{asked}");
    assert!(directory.path().join("circlet-data/embedded/circle-2/store-2-1").is_dir());
    process.signal(Signal::TERM);
    assert!(process.wait(seconds(35)).success(), "{}", process.log_end());
}

#[test]
fn kill_minus_nine_of_gateway_and_stores_loses_no_acknowledged_line() {
    let (mut circlet, _directory) = embedded("");
    circlet.restart();
    query(&circlet, "CREATE DATABASE d");
    let mut sent = 0;
    for round in 0..3 {
        let stop = std::sync::atomic::AtomicBool::new(false);
        let address = circlet.address;
        let acknowledged: Vec<u64> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4_u64)
                .map(|client| {
                    let stop = &stop;
                    scope.spawn(move || {
                        let mut connection = Connection::open(address);
                        let mut count = 0;
                        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                            let time = round * 1_000_000 + client * 100_000 + count;
                            let lines = format!("m{client},r={round} v={count}i {time}");
                            let request = Request::post("/write?db=d", lines);
                            match connection.request(&request) {
                                Ok(answer) if answer.status == 204 => count += 1,
                                _ => break,
                            }
                        }
                        count
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(400));
            circlet.kill();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        assert!(acknowledged.iter().all(|count| *count > 0), "{acknowledged:?}");
        sent += acknowledged.iter().sum::<u64>();
        circlet.restart();
        for (client, count) in acknowledged.iter().enumerate() {
            let question = format!("SELECT count(v) FROM m{client} WHERE r = '{round}'");
            // One more may have been stored and not acknowledged.
            until(&format!("{count} of {question} are there"), seconds(20), || {
                let answer = query(&circlet, &question);
                let found = answer.pointer("/results/0/series/0/values/0/1")?.as_u64()?;
                assert!(found <= count + 1, "{found} of {count}");
                (found >= *count).then_some(())
            });
        }
    }
    assert!(sent > 0);
    assert!(circlet.terminate().success());
}

#[test]
fn a_store_that_cannot_be_opened_hinders_no_acknowledgement_and_gets_its_lines_later() {
    let (mut circlet, directory) = embedded("[write]\nack_wait = \"300ms\"");
    let place = directory.path().join("circlet-data/embedded/circle-1/store-1-1");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, "in the way").unwrap();
    circlet.restart();
    query(&circlet, "CREATE DATABASE d");
    let mut pending = 0;
    for number in 0..20 {
        let begun = std::time::Instant::now();
        let line = format!("m{number} v={number}i {number}");
        let answer = circlet.ask(&Request::post("/write?db=d", line)).expect(204);
        pending += usize::from(answer.header("X-Circlet-Pending") == Some("circle-1/store-1-1"));
        assert!(begun.elapsed() < seconds(3));
    }
    assert!(pending > 0, "the closed store owns some of 20 measurements");
    assert_eq!(points(&circlet, "2"), 20.0);
    assert_eq!(metrics(&circlet).must("circlet_store_open", &[("store", "store-1-1")]), 0.0);
    fs::remove_file(&place).unwrap();
    until("the other circle has everything, too", seconds(40), || {
        (points(&circlet, "1") == 20.0).then_some(())
    });
    assert!(circlet.terminate().success());
}

#[test]
fn with_tokens_nobody_gets_past_the_gateway_to_a_store() {
    let (mut circlet, _directory) = embedded("[auth]\ntokens = [\"123456\"]");
    circlet.restart();
    let ask = |request: Request| circlet.ask(&request.header("Authorization", "Token 123456"));
    ask(Request::post("/query?q=CREATE+DATABASE+d", "")).expect(200);
    ask(Request::post("/write?db=d", "m v=1 1")).expect(204);
    let found = ask(Request::get("/query?db=d&q=SELECT+v+FROM+m")).expect(200).text();
    assert!(found.contains("\"name\":\"m\""), "{found}");
    let ports = listening(circlet.id());
    assert_eq!(ports.len(), 5, "{ports:?}");
    for port in ports {
        let mut connection = Connection::open(SocketAddr::from(([127, 0, 0, 1], port)));
        for token in ["", "123456", "guess"] {
            let request = Request::get("/query?db=d&q=SHOW+MEASUREMENTS");
            let request = request.header("Authorization", &format!("Token {token}"));
            let is_gateway = port == circlet.address.port() && token == "123456";
            let status = connection.request(&request).unwrap().status;
            assert_eq!(status, if is_gateway { 200 } else { 401 }, "{port} {token}");
        }
    }
}

#[test]
fn questions_in_both_languages_go_to_embedded_stores() {
    let (mut circlet, _directory) = embedded("");
    circlet.restart();
    query(&circlet, "CREATE DATABASE d");
    let lines: String = (0..20).map(|number| format!("m{number},t=x v={number} 1\n")).collect();
    circlet.ask(&Request::post("/write?db=d", &lines)).expect(204);
    let names = query(&circlet, "SHOW MEASUREMENTS");
    assert_eq!(names["results"][0]["series"][0]["values"].as_array().map(Vec::len), Some(20));
    let script =
        "from(bucket: \"d\") |> range(start: 0) |> filter(fn: (r) => r._measurement == \"m7\")";
    let request = Request::post("/api/v2/query?org=default", script)
        .header("Content-Type", "application/vnd.flux");
    let answer = circlet.ask(&request).expect(200);
    assert!(answer.text().contains(",1970-01-01T00:00:00.000000001Z,7,"), "{}", answer.text());
    circlet
        .ask(&Request::post("/api/v2/write?bucket=d&org=o", "u v=18446744073709551615u 1"))
        .expect(204);
    let unsigned = query(&circlet, "SELECT v FROM u");
    assert_eq!(unsigned["results"][0]["series"][0]["values"][0][1], 18_446_744_073_709_551_615_u64);
}

/// Ports on which a process listens.
fn listening(process: u32) -> Vec<u16> {
    let inode = |link: &Path| {
        let text = link.to_string_lossy().into_owned();
        text.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok()
    };
    let files = fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
    let own: Vec<u64> = files.filter_map(|file| inode(&fs::read_link(file.path()).ok()?)).collect();
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let mut ports: Vec<u16> = table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            let is_own = cells[3] == "0A" && own.contains(&cells[9].parse().ok()?);
            let port = cells[1].split_once(':')?.1;
            is_own.then(|| u16::from_str_radix(port, 16).ok()).flatten()
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}
