//! Coming from influx-proxy: its configuration, and what its cache files still hold.

use crate::support::circlet::run;
use crate::support::http::gzip;
use crate::support::prelude::*;
use crate::support::world::directory;
use std::fs;

const TWO: &str = r#"{
    "circles": [
        {"name": "circle-1", "backends": [
            {"name": "influxdb-1-1", "url": "http://127.0.0.1:8086", "username": "me", "password": "p\"w"},
            {"name": "influxdb-1-2", "url": "http://127.0.0.1:8087", "write_only": true}
        ]},
        {"name": "circle-2", "backends": [{"name": "influxdb-2-1", "url": "http://127.0.0.1:8088"}]}
    ],
    "listen_addr": ":7076", "hash_key": "exi", "shard_key": "%mm", "flush_size": 10000,
    "username": "admin", "password": "secret", "https_enabled": false, "tlog_dir": "log"
}"#;

const THREE: &str = r#"{
    "circles": [{"name": "one", "backends": [
        {"name": "b1", "url": "http://127.0.0.1:8086", "token": "t1"},
        {"name": "b2", "url": "http://127.0.0.1:8087", "token": "t2"}
    ]}],
    "dbrp": {"separator": "/", "mapping": {"mydb/weekly": "myorg/mybucket", "other": "myorg/second"}},
    "token": "klec"
}"#;

/// Translates, and has the outcome checked.
fn import(proxy: &str) -> String {
    let directory = directory();
    fs::write(directory.path().join("proxy.json"), proxy).unwrap();
    let output = run(&["config", "import", "proxy.json"], directory.path());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    fs::write(directory.path().join("circlet.toml"), &text).unwrap();
    let checked = run(&["check-config", "circlet.toml"], directory.path());
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert_eq!(checked.status.code(), Some(0), "{said}\n{text}");
    text
}

#[test]
fn a_configuration_of_influx_proxy_2_becomes_one_of_ours() {
    let text = import(TWO);
    for line in [
        "hash_key = \"exi\"",
        "shard_key = \"%mm\"",
        "listen = \"0.0.0.0:7076\"",
        "tokens = [\"admin:secret\"]",
        "write_only = true",
        "kind = \"influxdb1\"",
        "# flush_size: lines are delivered as soon as they are safe.",
    ] {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
    assert!(!text.contains("https_enabled"), "{text}");
}

#[test]
fn a_configuration_of_influx_proxy_3_becomes_one_of_ours() {
    let text = import(THREE);
    for line in [
        "hash_key = \"%idx\"",
        "shard_key = \"%org,%bk,%mm\"",
        "kind = \"influxdb2\"",
        "token = \"t2\"",
        "retention_policy = \"weekly\"",
        "bucket = \"mybucket\"",
        "org = \"myorg\"",
    ] {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
}

#[test]
fn what_is_no_proxy_json_is_refused_with_a_reason() {
    let directory = directory();
    for (text, reason) in
        [("{", "no JSON"), ("{}", "no `circles`"), (r#"{"circles":[{"name":"c"}]}"#, "no backends")]
    {
        fs::write(directory.path().join("proxy.json"), text).unwrap();
        let output = run(&["config", "import", "proxy.json"], directory.path());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{errors}");
        assert!(errors.contains(reason) && errors.contains("proxy.json"), "{errors}");
    }
}

fn record(database: &str, lines: &str) -> Vec<u8> {
    let body = [database.as_bytes(), b"  ", &gzip(lines.as_bytes())].concat();
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

#[test]
fn what_a_cache_of_influx_proxy_holds_is_written_to_every_circle() {
    let world = Setup::new().start();
    let directory = directory();
    let done = record("d", "old v=1 1700000000000000000\n");
    let open =
        record("d", "cpu,host=a v=1 1700000000000000000\ncpu,host=a v=2 1700000001000000000\n");
    let last = record("d", "mem v=3i 1700000002000000000\n");
    let at = i64::try_from(done.len()).unwrap();
    let file = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).unwrap();
    file("influxdb-1-1.dat", &[done, open].concat());
    file("influxdb-1-1.rec", &at.to_be_bytes());
    file("influxdb-2-1.dat", &last);
    file("influxdb-2-1.rec", b"");
    let cache = directory.path().to_str().unwrap();
    let config = world.circlet.config.to_str().unwrap().to_owned();
    let import = |options: &[&str]| {
        let arguments: Vec<&str> =
            ["import-cache", cache, "-c", &config].iter().chain(options).copied().collect();
        world.circlet.command(&arguments)
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let tried = import(&["--dry-run"]);
    assert!(text(&tried.stdout).contains("1 batches"), "{}", text(&tried.stdout));
    let output = import(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    world.wait_drained(seconds(30));
    for circle in 0..world.circles.len() {
        let names: Vec<String> =
            world.points(circle, "d").keys().map(|key| format!("{key:?}")).collect();
        assert_eq!(names.len(), 3, "what was done is not written again: {names:?}");
    }
    file("influxdb-2-1.dat", &last[..last.len() - 1]);
    let cut = import(&[]);
    assert_eq!(cut.status.code(), Some(1));
    assert!(
        text(&cut.stderr).contains("at byte 0: the last record is cut off"),
        "{}",
        text(&cut.stderr)
    );
}
