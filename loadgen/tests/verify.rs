//! `verify` against real InfluxDB servers: what is right passes, each kind of damage is found.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Directory, Influxd, Sink, free_port, json, load};
use std::thread;
use std::time::{Duration, Instant};

const SMALL: [&str; 8] =
    ["--connections", "3", "--lines", "50", "--measurements", "4", "--requests", "12"];

fn verify(server: &Influxd, more: &[&str]) -> (i32, serde_json::Value) {
    let url = server.url();
    let fixed = ["verify", &url, "--backends", &url, "--db", "d", "--create-database"];
    json(&[&fixed, &SMALL[..], more].concat())
}

fn check(server: &Influxd, file: &str) -> (i32, serde_json::Value) {
    let url = server.url();
    let (code, report) = json(&["verify", "--check-only", file, "--backends", &url, "--db", "d"]);
    (code, report["circles"][0].clone())
}

#[test]
fn what_was_written_is_found_in_every_coding() {
    let Some(server) = Influxd::start() else { return };
    for coding in [&[][..], &["--gzip"], &["--chunked"], &["--gzip", "--chunked"], &["--overwrite"]]
    {
        let (code, report) = verify(&server, coding);
        assert_eq!(code, 0, "{report}");
        assert_eq!(report["circles"][0]["right"], 600);
    }
}

#[test]
fn damage_behind_its_back_is_found() {
    let Some(server) = Influxd::start() else { return };
    let directory = Directory::new();
    let file = directory.file("acked");
    let (code, report) = verify(&server, &["--acked", &file, "--no-check"]);
    assert_eq!((code, &report["points_acknowledged"]), (0, &600.into()));
    let points = server.points("m1");
    assert_eq!(points.len(), 150);
    let repair = |at: usize| {
        let (time, conn, seq, check) = &points[at];
        server.write(&format!("m1,conn={conn} seq={seq}i,check={check}i {time}"));
    };
    let expect = |kind: &str, what: &str| {
        let (code, circle) = check(&server, &file);
        assert_eq!((code, &circle[kind]), (1, &1.into()), "{what}: {circle}");
    };
    assert_eq!(check(&server, &file).0, 0);

    server.query(&format!("DELETE FROM m1 WHERE time = {}", points[7].0));
    expect("missing", "a deleted point");
    repair(7);
    assert_eq!(check(&server, &file).0, 0);

    let (time, conn, seq, sum) = &points[9];
    server.write(&format!("m1,conn={conn} seq={seq}i,check={}i {time}", sum ^ 1));
    expect("wrong", "an altered checksum");
    server.write(&format!("m1,conn={conn} seq={}i,check={sum}i {time}", seq + 1));
    expect("wrong", "an altered value");
    repair(9);
    assert_eq!(check(&server, &file).0, 0);

    let (code, report) = verify(&server, &["--acked", &file]);
    assert_eq!((code, &report["circles"][0]["right"]), (0, &1200.into()), "two runs in one file");

    server.write(&format!("m1,conn=0 seq=1i,check=1i {}", points[0].0 + 1_000_000_000));
    expect("never_sent", "a point from nowhere");
}

#[test]
fn an_old_version_is_old_and_a_second_copy_is_twice() {
    let (Some(one), Some(two)) = (Influxd::start(), Influxd::start()) else { return };
    let directory = Directory::new();
    let file = directory.file("acked");
    let (code, _) = verify(&one, &["--acked", &file, "--overwrite", "--gzip"]);
    assert_eq!(code, 0);
    let before = check(&one, &file).1;
    assert_eq!(before["right"], 600);
    two.query("CREATE DATABASE d");
    let both = format!("{},{}", one.url(), two.url());
    let circle = || {
        json(&["verify", "--check-only", &file, "--backends", &both, "--db", "d"]).1["circles"][0]
            .clone()
    };
    assert_eq!(circle()["ok"], true, "a second, empty backend changes nothing");
    let split = both.replace(',', ";");
    let (code, report) =
        json(&["verify", "--check-only", &file, "--backends", &split, "--db", "d"]);
    let circles = &report["circles"];
    assert_eq!((code, &circles[0]["ok"], &circles[0]["right"]), (1, &true.into(), &600.into()));
    assert_eq!(circles[1]["missing"], 600, "as a circle of its own it lacks everything");
    let (time, conn, seq, sum) = &one.points("m2")[3];
    two.write(&format!("m2,conn={conn} seq={seq}i,check={sum}i {time}"));
    assert_eq!(circle()["twice"], 1, "{}", circle());

    // Version 0 of the first point, with its right checksum, as a late delivery would bring it.
    let first = directory.file("first");
    let (code, _) = verify(&two, &["--acked", &first, "--overwrite", "--prefix", "p"]);
    assert_eq!(code, 0);
    let text = std::fs::read_to_string(&first).unwrap();
    let base: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    two.write(&format!("p0,conn=0 seq=0i,check={}i {base}", sum_of(base, 0)));
    let url = two.url();
    let fixed =
        ["verify", "--check-only", &first, "--backends", &url, "--db", "d", "--prefix", "p"];
    let (code, report) = json(&fixed);
    assert_eq!((code, &report["circles"][0]["old"]), (1, &1.into()), "{report}");
}

/// The checksum, written a second time from its description.
fn sum_of(base: u64, sequence: u64) -> i64 {
    let mix = |value: u64| {
        let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    };
    mix(base ^ mix(sequence)).cast_signed()
}

#[test]
fn a_server_that_dies_and_returns_costs_nothing_acknowledged() {
    let Some(mut server) = Influxd::start() else { return };
    server.query("CREATE DATABASE d");
    let url = server.url();
    let run = thread::spawn(move || {
        json(&[
            "verify",
            &url,
            "--backends",
            &url,
            "--db",
            "d",
            "--connections",
            "2",
            "--lines",
            "100",
            "--measurements",
            "5",
            "--seconds",
            "4",
            "--retry-until",
            "30",
            "--wait",
            "5",
        ])
    });
    thread::sleep(Duration::from_millis(1200));
    server.kill();
    thread::sleep(Duration::from_millis(300));
    let _server = server.restart();
    let (code, report) = run.join().unwrap();
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["requests_unacknowledged"], 0, "{report}");
    let failures = report["write"]["failures"].as_object().unwrap();
    assert!(failures.keys().any(|kind| kind == "refused" || kind == "reset"), "{report}");
    assert!(report["circles"][0]["right"].as_u64().unwrap() > 1000);
}

#[test]
fn two_hundred_thousand_points_are_checked_in_seconds() {
    let Some(server) = Influxd::start() else { return };
    let url = server.url();
    let directory = Directory::new();
    let file = directory.file("acked");
    let (code, report) = json(&[
        "verify",
        &url,
        "--backends",
        &url,
        "--db",
        "d",
        "--create-database",
        "--connections",
        "8",
        "--lines",
        "500",
        "--measurements",
        "50",
        "--requests",
        "400",
        "--gzip",
        "--chunked",
        "--acked",
        &file,
        "--no-check",
    ]);
    assert_eq!((code, &report["points_acknowledged"]), (0, &200_000.into()), "{report}");
    let started = Instant::now();
    let (code, circle) = check(&server, &file);
    eprintln!("200,000 points checked in {:?}", started.elapsed());
    assert_eq!((code, &circle["right"]), (0, &200_000.into()));
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_store_that_keeps_nothing_or_cannot_be_asked_never_passes() {
    let sink = Sink::start(1, &[]);
    let url = sink.url();
    let (code, report) =
        json(&[&["verify", &url, "--backends", &url, "--db", "d"], &SMALL[..]].concat());
    assert_eq!((code, &report["circles"][0]["missing"]), (1, &600.into()), "{report}");
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let (code, report) =
        json(&[&["verify", &url, "--backends", &nobody, "--db", "d"], &SMALL[..]].concat());
    assert_eq!(code, 1, "{report}");
    assert_eq!(report["circles"][0]["errors"].as_array().unwrap().len(), 1);
    let (code, report) =
        json(&["verify", &nobody, "--backends", &url, "--db", "d", "--seconds", "0.2"]);
    assert_eq!((code, &report["points_acknowledged"]), (1, &0.into()), "{report}");
    assert_eq!(load(&["verify", &url, "--db", "d"]).status.code(), Some(2));
}
