//! `write` against the null backends: what is sent arrives, what fails is told.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Influxd, Sink, ask, free_port, json, load};
use std::time::Instant;

#[test]
fn every_coding_delivers_every_line() {
    for coding in [vec![], vec!["--gzip"], vec!["--chunked"], vec!["--gzip", "--chunked"]] {
        for data in ["tsbs", "telegraf", "small"] {
            let sink = Sink::start(1, &[]);
            let url = sink.url();
            let fixed = ["write", &url, "--db", "d", "--connections", "3", "--lines", "700"];
            let (code, report) =
                json(&[&fixed[..], &["--total-lines", "10001", "--data", data], &coding].concat());
            assert_eq!((code, &report["lines_acknowledged"]), (0, &10001.into()), "{report}");
            let stats = sink.stats();
            assert_eq!(
                (&stats["lines"], &stats["bytes"]),
                (&10001.into(), &report["bytes_acknowledged"])
            );
            assert_eq!((&stats["databases"][0], &stats["requests"]), (&"d".into(), &15.into()));
        }
    }
}

#[test]
fn prepared_bodies_are_whole_and_the_last_request_may_be_shorter() {
    let sink = Sink::start(1, &[]);
    let url = sink.url();
    let (code, report) = json(&[
        "write",
        &url,
        "--db",
        "d",
        "--connections",
        "2",
        "--lines",
        "100",
        "--total-lines",
        "1950",
        "--gzip",
    ]);
    assert_eq!((code, &report["lines_acknowledged"]), (0, &1950.into()), "{report}");
    let stats = sink.stats();
    assert_eq!((&stats["lines"], &stats["bytes"]), (&1950.into(), &report["bytes_acknowledged"]));
    assert_eq!(stats["malformed"], 0);
}

#[test]
fn a_real_server_takes_every_generated_line() {
    let Some(server) = Influxd::start() else { return };
    let url = server.url();
    for data in ["tsbs", "telegraf", "small"] {
        // Two mixes have a measurement cpu, with fields of different types.
        server.query(&format!("CREATE DATABASE {data}"));
        let fixed =
            ["write", &url, "--db", data, "--lines", "500", "--requests", "8", "--data", data];
        let (code, report) = json(&[&fixed[..], &["--gzip", "--chunked"]].concat());
        assert_eq!((code, &report["lines_acknowledged"]), (0, &4000.into()), "{report}");
    }
}

#[test]
fn the_bucket_goes_into_the_dialect_of_two() {
    let sink = Sink::start(2, &["--databases", "x,y"]);
    let url = format!("http://{}", sink.addresses[1]);
    let output = load(&[
        "write",
        &url,
        "--org",
        "o",
        "--bucket",
        "b c",
        "--token",
        "t",
        "--requests",
        "3",
        "--lines",
        "10",
    ]);
    assert!(output.status.success());
    let (_, answer) = ask(&sink.addresses[1], "GET", "/query?q=SHOW+DATABASES", "");
    assert!(answer.contains(r#""values":[["b c"],["x"],["y"]]"#), "{answer}");
    let (_, answer) = ask(&sink.addresses[0], "GET", "/query?q=SHOW%20DATABASES", "");
    assert!(answer.contains(r#""values":[["x"],["y"]]"#), "{answer}");
    let (status, ping) = ask(&sink.addresses[0], "GET", "/ping", "");
    assert!(status == 204 && ping.contains("X-Influxdb-Version"));
    ask(&sink.addresses[0], "POST", "/query", "q=CREATE+DATABASE+%22new+one%22");
    assert!(sink.stats()["databases"].as_array().unwrap().contains(&"new one".into()));
    let summary = sink.end();
    assert!(summary.contains("\"lines\":30"), "{summary}");
}

#[test]
fn failures_are_counted_by_status_and_spoil_the_exit_code() {
    let sink = Sink::start(1, &["--fail", "503:{\"error\":\"busy\"}", "--fail-every", "5"]);
    let url = sink.url();
    let (code, report) = json(&["write", &url, "--db", "d", "--requests", "20", "--lines", "10"]);
    assert_eq!((code, &report["errors"]["503"]["requests"]), (1, &4.into()), "{report}");
    assert_eq!((&report["lines"], &report["lines_acknowledged"]), (&200.into(), &160.into()));
    assert!(report["errors"]["503"]["first"].as_str().unwrap().contains("busy"));
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let (code, report) = json(&["write", &nobody, "--db", "d", "--requests", "4"]);
    assert_eq!((code, &report["errors"]["refused"]["requests"]), (1, &4.into()), "{report}");
}

#[test]
fn a_rate_is_kept_and_a_stall_shows_in_the_latency() {
    let sink = Sink::start(1, &["--hang-for", "0.8"]);
    let url = sink.url();
    let started = Instant::now();
    let (code, report) = json(&[
        "write",
        &url,
        "--db",
        "d",
        "--connections",
        "1",
        "--lines",
        "10",
        "--rate",
        "1000",
        "--requests",
        "150",
    ]);
    // The last request is due after 1.49 s; those due during the stall waited for its end.
    assert_eq!(code, 0, "{report}");
    assert!(started.elapsed().as_secs_f64() >= 1.49);
    let latency = |name: &str| report["latency_us"][name].as_f64().unwrap();
    assert!(latency("max") > 500_000.0 && latency("p90") > 300_000.0, "{report}");
}

#[test]
fn usage_errors_are_told_apart() {
    for arguments in [&["write", "https://h", "--db", "d"][..], &["write", "http://h:1"], &["sink"]]
    {
        assert_eq!(load(arguments).status.code(), Some(2), "{arguments:?}");
    }
}
