//! A store alone, as a server like InfluxDB: unmodified clients, its limits, its ends.

use crate::support::circlet::run as circlet;
use crate::support::metrics::Metrics;
use crate::support::prelude::*;
use crate::support::python::{finish, run};
use crate::support::store::StoreServer;
use crate::support::wait::{let_pass, until};
use crate::support::world::directory;
use std::fs;
use std::process::Command;

fn with_database(name: &str) -> StoreServer {
    let store = StoreServer::start();
    store.query("", &format!("CREATE DATABASE {name}")).expect(200);
    store
}

#[track_caller]
fn rows(store: &StoreServer, db: &str, question: &str) -> Value {
    let answer = store.query(db, question).expect(200).json();
    answer.pointer("/results/0/series/0/values").cloned().unwrap_or_else(|| panic!("{answer}"))
}

fn metrics(store: &StoreServer) -> Metrics {
    Metrics::parse(&store.ask(&Request::get("/metrics")).expect(200).text())
}

#[test]
fn what_a_store_acknowledged_survives_kill_minus_nine_and_sigterm() {
    let mut store = with_database("d");
    for number in 0..50 {
        store.write("d", format!("m,n={number} v={number}i {number}\n")).expect(204);
    }
    store.kill();
    store.restart();
    assert_eq!(rows(&store, "d", "SELECT count(v) FROM m")[0][1], 50);
    store.write("d", "m,n=last v=51i 51").expect(204);
    assert!(store.terminate().success());
    store.restart();
    assert_eq!(rows(&store, "d", "SELECT count(v) FROM m")[0][1], 51);
    // Its end took everything to files.
    assert!(metrics(&store).must("circlet_store_files", &[]) >= 1.0);
}

#[test]
fn the_two_queries_of_a_tsm_engine_are_answered() {
    let store = with_database("d");
    let lines = "cpu_usage,host=server01,dc=a value=0.5\ncpu_usage,host=server02 value=0.7\n\
                 cpu_usage,host=server01,dc=a value=0.1 1\nmem,host=server03 value=1\n";
    store.write("d", lines).expect(204);
    let hosts = rows(&store, "d", "show tag values from \"cpu_usage\" with key=\"host\"");
    assert_eq!(hosts.to_string(), r#"[["host","server01"],["host","server02"]]"#);
    let question = "select value from cpu_usage where host='server01' and time > now() - 1h";
    let found = rows(&store, "d", question);
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found[0][1], 0.5);
}

#[test]
fn the_python_client_of_v1_works_with_a_store() {
    let store = StoreServer::start();
    run("v1.py", &["127.0.0.1", &store.address.port().to_string(), "py"]);
    let counts = "SELECT count(value) FROM python, python_gzip";
    let answer = store.query("py", counts).expect(200).json();
    for at in 0..2 {
        assert_eq!(answer["results"][0]["series"][at]["values"][0][1], 102, "{answer}");
    }
}

#[test]
fn the_python_client_of_v2_works_with_a_store() {
    let directory = directory();
    fs::write(directory.path().join("tokens"), "123456\n").unwrap();
    let store = StoreServer::start_in(directory, &["--tokens-file", "tokens"]);
    let token = |request: Request| request.header("Authorization", "Token 123456");
    store.ask(&token(Request::post("/query?q=CREATE+DATABASE+d", ""))).expect(200);
    let url = format!("http://{}", store.address);
    run("v2_write.py", &[&url, "123456", "default", "d"]);
    assert_eq!(run("v2_store.py", &[&url, "123456", "default", "d"]).trim(), "300");
    store.ask(&Request::post("/write?db=d", "m v=1")).expect(401);
}

#[test]
fn the_influx_command_works_with_a_store() {
    let store = StoreServer::start();
    let port = store.address.port().to_string();
    let influx = |arguments: &[&str]| {
        let mut command = Command::new("influx");
        command.args(["-host", "127.0.0.1", "-port", &port]).args(arguments);
        finish(command.env("HOME", store.data()))
    };
    let file = store.data().join("../import.txt");
    let text = "# DDL\nCREATE DATABASE imported\n# DML\n# CONTEXT-DATABASE: imported\n\
                # CONTEXT-RETENTION-POLICY: autogen\n\n\
                treasures,captain=flint value=29 1439856000000000001\n\
                treasures,captain=jack\\ sparrow value=38 1439856000000000002\n";
    fs::write(&file, text).unwrap();
    influx(&["-import", "-path", file.to_str().unwrap(), "-precision", "ns"]);
    influx(&["-database", "imported", "-execute", "insert treasures,captain=teach value=7 3"]);
    let select = ["-database", "imported", "-precision", "ns", "-format", "csv", "-execute"];
    let asked = influx(&[&select[..], &["select * from treasures"]].concat());
    let expected = "name,time,captain,value\ntreasures,3,teach,7\n\
                    treasures,1439856000000000001,flint,29\n\
                    treasures,1439856000000000002,jack sparrow,38\n";
    assert_eq!(asked, expected);
}

#[test]
fn curl_asks_a_store_in_both_languages() {
    let store = with_database("d");
    let root = format!("http://{}", store.address);
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        finish(command.args(["-sS", "--fail-with-body", "-m", "30"]).args(arguments))
    };
    curl(&[&format!("{root}/write?db=d"), "--data-binary", "curl v=1 1"]);
    let v2 = format!("{root}/api/v2/write?bucket=d&org=any&precision=ms");
    curl(&[&v2, "--data-binary", "curl v=2 2"]);
    let asked = curl(&[
        "-G",
        &format!("{root}/query?db=d&epoch=ns"),
        "--data-urlencode",
        "q=SELECT v FROM curl",
    ]);
    let expected = "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"curl\",\
                    \"columns\":[\"time\",\"v\"],\"values\":[[1,1],[2000000,2]]}]}]}\n";
    assert_eq!(asked, expected);
    let script = "from(bucket:\"d\") |> range(start: 0) |> keep(columns: [\"_time\", \"_value\"])";
    let flux = format!("{root}/api/v2/query?org=any");
    let asked = curl(&[&flux, "-H", "Content-Type: application/vnd.flux", "--data-binary", script]);
    let expected = ",result,table,_time,_value\r\n\
                    ,_result,0,1970-01-01T00:00:00.000000001Z,1\r\n\
                    ,_result,0,1970-01-01T00:00:00.002Z,2\r\n\r\n";
    assert_eq!(asked, expected);
}

#[test]
fn a_question_whose_client_has_left_ends_and_one_beyond_a_limit_says_so() {
    let store = StoreServer::start_with(&["--max-queries", "1", "--query-memory", "1MiB"]);
    store.query("", "CREATE DATABASE d").expect(200);
    for hundred in 0..100 {
        let line = |number: u64| format!("m,n={number} v={number} {}\n", hundred * 100 + number);
        store.write("d", (0..1000).map(line).collect::<String>()).expect(204);
    }
    // It would take long, and it has the only place.
    let long = "SELECT v*v*v*v FROM m, m, m, m, m, m, m, m WHERE v > 0 ORDER BY time DESC";
    let target = format!("/query?db=d&chunked=true&q={}", encode(long));
    for _ in 0..5 {
        let mut connection = store.connect();
        connection.send(&Request::get(&target).bytes()).unwrap();
        let_pass(Duration::from_millis(20));
    }
    until("the place is free again", seconds(20), || {
        let answer = store.query("d", "SELECT count(v) FROM m WHERE n = '1'").expect(200).json();
        (answer.pointer("/results/0/series/0/values/0/1")? == 100).then_some(())
    });
    let script = "from(bucket: \"d\") |> range(start: 0) |> group() |> sort(columns: [\"n\"])";
    let request = Request::post("/api/v2/query?org=o", script);
    let much = store.ask(&request.header("Content-Type", "application/vnd.flux")).text();
    assert!(much.contains("the query needs more than 1048576 bytes of memory"), "{much}");
}

#[test]
fn a_slow_client_holds_neither_memory_nor_writers() {
    let mut store = with_database("d");
    for chunk in 0..40 {
        let line = |number: u64| format!("m text=\"{:0>200}\" {}\n", number, chunk * 5000 + number);
        store.write("d", (0..5000).map(line).collect::<String>()).expect(204);
    }
    // From files, whose blocks are read one after the other.
    assert!(store.terminate().success());
    store.restart();
    let before = metrics(&store).must("circlet_memory_used_bytes", &[]);
    // 40 MB of answer each that nobody reads.
    let clients: Vec<Connection> = (0..4)
        .map(|_| {
            let mut connection = store.connect();
            let target = "/query?db=d&chunked=true&q=SELECT+text+FROM+m";
            connection.send(&Request::get(target).bytes()).unwrap();
            connection
        })
        .collect();
    let_pass(Duration::from_millis(500));
    store.write("d", "m v=1").expect(204);
    // While a chunk is made its rows and its text are both held, which a slow machine may still be at; then it waits.
    until("four answers that nobody reads take less than 30 MB", seconds(10), || {
        let used = metrics(&store).must("circlet_memory_used_bytes", &[]) - before;
        (used < 30e6).then_some(())
    });
    drop(clients);
}

#[test]
fn two_stores_do_not_share_a_directory_or_an_address() {
    let store = StoreServer::start();
    let said = |listen: &str, data: &str| {
        let output = circlet(&["store", "--listen", listen, "--data-dir", data], &store.data());
        assert_eq!(output.status.code(), Some(4));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let free = format!("127.0.0.1:{}", crate::support::ports::free());
    let data = store.data();
    assert!(said(&free, data.to_str().unwrap()).contains("another process has this store open"));
    assert!(said(&store.address.to_string(), "elsewhere").contains("cannot listen on"));
    let output = circlet(&["store", "--listen", "0.0.0.0:18086"], &store.data());
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--tokens-file"));
}

#[test]
fn a_bucket_is_a_database_and_its_rules_are_a_policy() {
    let store = StoreServer::start();
    let rules = |seconds: u64| serde_json::json!([{ "type": "expire", "everySeconds": seconds }]);
    let make = serde_json::json!({ "name": "b", "retentionRules": rules(7200) }).to_string();
    let made = store.ask(&Request::post("/api/v2/buckets", &make)).expect(201).json();
    assert_eq!(made["retentionRules"][0]["everySeconds"], 7200);
    store.ask(&Request::post("/api/v2/buckets", &make)).expect(422);
    let policies = rows(&store, "b", "SHOW RETENTION POLICIES");
    assert_eq!(policies[0][1], "2h0m0s");
    let path = format!("/api/v2/buckets/{}", made["id"].as_str().unwrap());
    let change = serde_json::json!({ "retentionRules": rules(10_800) }).to_string();
    let changed = store.ask(&Request::new("PATCH", &path).body(change)).expect(200).json();
    assert_eq!(changed["retentionRules"][0]["everySeconds"], 10_800);
    let policy = serde_json::json!({ "name": "b/long", "retentionRules": [] }).to_string();
    store.ask(&Request::post("/api/v2/buckets", policy)).expect(201);
    store.ask(&Request::post("/api/v2/write?bucket=b/long&org=o", "m v=1 1")).expect(204);
    assert_eq!(rows(&store, "b", "SELECT v FROM long.m")[0][1], 1);
    store.ask(&Request::new("DELETE", &path)).expect(204);
    let listed = store.ask(&Request::get("/api/v2/buckets")).expect(200).json();
    assert_eq!(listed["buckets"], serde_json::json!([]));
}
