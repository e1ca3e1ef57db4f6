//! Unmodified clients: the Python libraries, the `influx` command, curl.

use crate::support::circlet::Circlet;
use crate::support::prelude::*;
use crate::support::python::{finish, flux_server, run};
use crate::support::vectors::{path, rows, text};
use crate::support::world::{backend, directory};
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

/// Every circle holds so many values of this field, on the owners of the measurement.
fn expect_count(world: &World, db: &str, measurement: &str, field: &str, count: u64) {
    world.wait_drained(seconds(30));
    let statement = format!("SELECT count(\"{field}\") FROM \"{measurement}\"");
    for owner in world.owners(&["--db", db], measurement) {
        assert_eq!(world.server(&owner).count(db, &statement), count, "{measurement} on {owner}");
    }
}

#[test]
fn the_python_client_of_v1_writes_and_asks() {
    let world = Setup::new().start();
    let port = world.circlet.address.port().to_string();
    run("v1.py", &["127.0.0.1", &port, "py"]);
    expect_count(&world, "py", "python", "value", 102);
    expect_count(&world, "py", "python_gzip", "value", 102);
    world.expect_nothing_lost();
}

#[test]
fn the_python_client_of_v2_writes_and_deletes() {
    let world = Setup::new().tokens(&["123456"]).start();
    let url = format!("http://{}", world.circlet.address);
    run("v2_write.py", &[&url, "123456", "default", "d"]);
    world.wait_drained(seconds(30));
    for circle in 0..2 {
        let points = world.points(circle, "d");
        let count = |name: &str| {
            points.keys().filter(|(series, _)| series.split(',').next() == Some(name)).count()
        };
        let counts = (count("python2"), count("python2_gzip"), count("python2_gone"));
        assert_eq!(counts, (300, 100, 0), "circle {}", circle + 1);
    }
}

/// Circlet before one backend that plays InfluxDB 2 and answers only what was recorded.
struct FluxWorld {
    circlet: Circlet,
    server: SocketAddr,
    _process: crate::support::process::Process,
    _directory: tempfile::TempDir,
}

fn flux_world() -> FluxWorld {
    let directory = directory();
    let (process, port) = flux_server(directory.path());
    let address = SocketAddr::from(([127, 0, 0, 1], crate::support::ports::free()));
    let config = directory.path().join("circlet.toml");
    let mut text = format!("listen = \"{address}\"\ndata_dir = \"circlet-data\"\nshards = 2\n");
    text.push_str("[defaults]\norg = \"klec-org\"\n[auth]\ntokens = [\"123456\"]\n");
    text.push_str("[[circle]]\nname = \"circle-1\"\n");
    text.push_str(&backend("flux", &format!("http://127.0.0.1:{port}"), "influxdb2"));
    text.push_str("token = \"any\"\n");
    fs::write(&config, text).unwrap();
    let circlet = Circlet::start(&config, address);
    let server = SocketAddr::from(([127, 0, 0, 1], port));
    FluxWorld { circlet, server, _process: process, _directory: directory }
}

#[test]
fn the_python_client_of_v2_asks_in_flux() {
    let world = flux_world();
    let url = format!("http://{}", world.circlet.address);
    let vectors = path("flux_2_7.jsonl");
    let asked = run("v2_query.py", &[&url, "123456", "klec-org", vectors.to_str().unwrap()]);
    assert_eq!(asked.trim(), "97");
}

#[test]
fn a_flux_answer_comes_back_byte_for_byte() {
    let world = flux_world();
    let wanted = |row: &Value| text(row, "class") == "owner" && row["raw"] == false;
    let mut asked = 0;
    for row in rows("flux_2_7.jsonl").into_iter().filter(wanted) {
        let question = serde_json::json!({"query": row["query"], "dialect": row["dialect"]});
        let request = Request::post("/api/v2/query?org=klec-org", question.to_string())
            .header("Authorization", "Token 123456")
            .header("Content-Type", "application/json");
        let answer = world.circlet.ask(&request);
        assert_eq!(u64::from(answer.status), row["status"], "{}", text(&row, "name"));
        assert_eq!(answer.text(), text(&row, "csv"), "{}", text(&row, "name"));
        let backend = answer.header("X-Circlet-Backend").expect("who answered");
        assert!(backend.ends_with("flux"), "{backend}");
        asked += 1;
    }
    assert_eq!(asked, 98);
}

#[test]
fn a_backend_of_v2_gets_the_lines_in_its_own_dialect() {
    let world = flux_world();
    let request =
        Request::post("/api/v2/write?bucket=flux&precision=s", "up,host=a v=1 1700000000\n")
            .header("Authorization", "Token 123456")
            .gzip()
            .chunked(7);
    world.circlet.ask(&request).expect(204);
    let written = until("the line is there", seconds(20), || {
        let mut connection = Connection::open(world.server);
        let answer = connection.request(&Request::get("/written")).unwrap().expect(200);
        (!answer.body.is_empty()).then(|| answer.text())
    });
    assert_eq!(written, "up,host=a v=1 1700000000000000000\n");
}

#[test]
fn the_influx_command_imports_writes_and_asks() {
    let world = Setup::new().start();
    let port = world.circlet.address.port().to_string();
    let influx = |arguments: &[&str]| {
        let mut command = Command::new("influx");
        command.args(["-host", "127.0.0.1", "-port", &port]).args(arguments);
        finish(command.env("HOME", world.directory.path()))
    };
    let file = world.directory.path().join("import.txt");
    let text = "# DDL\nCREATE DATABASE imported\n# DML\n# CONTEXT-DATABASE: imported\n\
                # CONTEXT-RETENTION-POLICY: autogen\n\n\
                treasures,captain=flint value=29 1439856000000000001\n\n\
                treasures,captain=jack\\ sparrow value=38 1439856000000000002\n";
    fs::write(&file, text).unwrap();
    influx(&["-import", "-path", file.to_str().unwrap(), "-precision", "ns"]);
    expect_count(&world, "imported", "treasures", "value", 2);
    influx(&["-database", "imported", "-execute", "insert treasures,captain=teach value=7 3"]);
    let asked = influx(&[
        "-database",
        "imported",
        "-precision",
        "ns",
        "-format",
        "csv",
        "-execute",
        "select * from treasures",
    ]);
    let expected = "name,time,captain,value\ntreasures,3,teach,7\n\
                    treasures,1439856000000000001,flint,29\n\
                    treasures,1439856000000000002,jack sparrow,38\n";
    assert_eq!(asked, expected);
}

#[test]
fn curl_writes_and_asks() {
    let world = Setup::new().tokens(&["123456"]).start();
    let root = format!("http://{}", world.circlet.address);
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        finish(command.args(["-sS", "--fail-with-body", "-m", "30"]).args(arguments))
    };
    let token = "Authorization: Token 123456";
    curl(&["-XPOST", &format!("{root}/write?db=d&u=any&p=123456"), "--data-binary", "curl v=1 1"]);
    curl(&["-u", "any:123456", &format!("{root}/write?db=d"), "--data-binary", "curl v=2 2"]);
    curl(&[
        "-H",
        token,
        &format!("{root}/api/v2/write?bucket=d&org=default&precision=ms"),
        "--data-binary",
        "curl v=3 3",
    ]);
    let big: String = (0..60_000).map(|index| format!("curl_big v={index}i {index}\n")).collect();
    assert!(big.len() > 1 << 20, "curl waits for 100 Continue above 1 MiB");
    let file = world.directory.path().join("big.lp");
    fs::write(&file, big).unwrap();
    let data = format!("@{}", file.display());
    curl(&["-H", token, &format!("{root}/write?db=d"), "--data-binary", &data]);
    let gzip = world.directory.path().join("gzip.lp.gz");
    fs::write(&gzip, crate::support::http::gzip(b"curl v=4 4000000000\n")).unwrap();
    let data = format!("@{}", gzip.display());
    curl(&[
        "-H",
        token,
        "-H",
        "Content-Encoding: gzip",
        "-H",
        "Transfer-Encoding: chunked",
        &format!("{root}/write?db=d"),
        "--data-binary",
        &data,
    ]);
    expect_count(&world, "d", "curl_big", "v", 60_000);
    expect_count(&world, "d", "curl", "v", 4);
    let answer = curl(&[
        "-H",
        token,
        "-G",
        &format!("{root}/query"),
        "--data-urlencode",
        "db=d",
        "--data-urlencode",
        "epoch=ns",
        "--data-urlencode",
        "q=SELECT v FROM curl",
    ]);
    let expected = "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"curl\",\
                    \"columns\":[\"time\",\"v\"],\"values\":[[1,1],[2,2],[3000000,3],[4000000000,4]]}]}]}\n";
    assert_eq!(answer, expected);
}
