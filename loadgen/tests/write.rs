//! `write` against the null backends: what is sent arrives, what fails is told.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Directory, Influxd, Sink, ask, free_port, json, load, serve};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

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
    for (data, coding) in [("tsbs", "--gzip"), ("telegraf", "--chunked"), ("small", "--gzip")] {
        // Two mixes have a measurement cpu, with fields of different types.
        server.query(&format!("CREATE DATABASE {data}"));
        let fixed = ["write", &url, "--db", data, "--data", data, coding, "--precision", "us"];
        let series = ["--lines", "500", "--requests", "8", "--cardinality", "1000"];
        let (code, report) = json(&[&fixed[..], &series].concat());
        assert_eq!((code, &report["lines_acknowledged"]), (0, &4000.into()), "{report}");
        assert_eq!(server.number(data, "SHOW SERIES EXACT CARDINALITY"), 1000);
    }
    // Each series has four points at their own times, although the bodies were compressed beforehand.
    let points = server.number("small", "SELECT count(value) FROM /.*/");
    assert_eq!(points, 4000);
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
fn many_connections_may_share_few_threads() {
    for coding in [&[][..], &["--gzip", "--chunked"]] {
        let sink = Sink::start(1, &[]);
        let url = sink.url();
        let fixed = ["write", &url, "--db", "d", "--connections", "60", "--threads", "3"];
        let bounds = ["--lines", "50", "--requests", "300"];
        let (code, report) = json(&[&fixed[..], &bounds, coding].concat());
        assert_eq!((code, &report["lines_acknowledged"]), (0, &15_000.into()), "{report}");
        assert_eq!(report["options"]["threads"], 3);
        let stats = sink.stats();
        assert_eq!((&stats["lines"], &stats["malformed"]), (&15_000.into(), &0.into()));
    }
}

#[test]
fn a_header_a_unit_and_a_file_reach_the_server() {
    let directory = Directory::new();
    let file = directory.file("lines");
    std::fs::write(&file, "# mine\nm,t=a f=1 1\nm,t=b f=\"x 5\"\n\nn f=2i\n").unwrap();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    let address = serve(move |request| {
        let text = String::from_utf8(request.body.clone()).unwrap();
        seen.lock().unwrap().push((request.target.clone(), text));
        (204, String::new())
    });
    let start = "1790000000123456789";
    let fixed = ["write", &address, "--db", "a b", "--precision", "ms", "--data", &file];
    let bounds = ["--requests", "3", "--lines", "2", "--connections", "1", "--start-ns", start];
    let (code, report) = json(&[&fixed[..], &bounds].concat());
    assert_eq!((code, &report["lines_acknowledged"]), (0, &6.into()), "{report}");
    let bodies = bodies.lock().unwrap();
    let texts: Vec<&str> = bodies.iter().map(|(_, text)| &**text).collect();
    assert_eq!(
        texts,
        [
            "m,t=a f=1 1790000000123\nm,t=b f=\"x 5\" 1790000000123\n",
            "n f=2i 1790000000124\nm,t=a f=1 1790000000124\n",
            "m,t=b f=\"x 5\" 1790000000125\nn f=2i 1790000000125\n",
        ]
    );
    assert_eq!(bodies[0].0, "/write?db=a%20b&precision=ms");
}

#[test]
fn no_body_is_ever_sent_twice() {
    for coding in [&[][..], &["--threads", "1"]] {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&bodies);
        let address = serve(move |request| {
            seen.lock().unwrap().push(request.body.clone());
            (204, String::new())
        });
        let fixed = ["write", &address, "--db", "d", "--data", "small", "--lines", "5"];
        let (code, report) = json(&[&fixed[..], &["--requests", "200"], coding].concat());
        assert_eq!((code, &report["requests_acknowledged"]), (0, &200.into()), "{report}");
        let bodies = bodies.lock().unwrap();
        let times = |body: &Vec<u8>| -> Vec<String> {
            let text = String::from_utf8(body.clone()).unwrap();
            text.lines().map(|line| line.rsplit_once(' ').unwrap().1.to_owned()).collect()
        };
        let different: BTreeSet<String> = bodies.iter().flat_map(times).collect();
        assert_eq!(different.len(), 1000);
    }
}

#[test]
fn usage_errors_are_told_apart() {
    let write = ["write", "http://127.0.0.1:1", "--db", "d"];
    for (arguments, told) in [
        (&["write", "https://h", "--db", "d"][..], "only http"),
        (&["write", "http://h:1"], "--db"),
        (&["sink"], "ADDRESS"),
        (&["sink", "127.0.0.1:9-8"], "FIRST-LAST"),
        (&["sink", "127.0.0.1:0", "--limit", "0"], "--limit"),
        (&[&write[..], &["--rate", "0"]].concat(), "--rate"),
        (&[&write[..], &["--duration", "soon"]].concat(), "--duration"),
        (&[&write[..], &["--data", "/nowhere"]].concat(), "neither tsbs, telegraf or small"),
        (&[&write[..], &["--data", "/dev/null"]].concat(), "no lines"),
        (&[&write[..], &["--data", "/etc/hostname", "--cardinality", "5"]].concat(), "generated"),
        (&[&write[..], &["--header", "no colon"]].concat(), "NAME: VALUE"),
        (&[&write[..], &["--pid", "4294967295"]].concat(), "--pid"),
        (&[&write[..], &["--html", "/nowhere/x.html"]].concat(), "--html"),
        (&[&write[..], &["--connections", "5000", "--lines", "100000"]].concat(), "memory"),
        (&[&write[..], &["--find-max", "--requests", "5"]].concat(), "cannot be used"),
    ] {
        let output = load(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(told), "{arguments:?}: {errors}");
    }
}
