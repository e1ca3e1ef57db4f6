//! The topology of `docker-compose.yml` as plain processes: its configuration, its token, its seccomp profile, with
//! stores of our own in the place of its InfluxDB servers.

use crate::support::circlet::Circlet;
use crate::support::metrics::Metrics;
use crate::support::ports;
use crate::support::prelude::*;
use crate::support::python::{finish, interpreter};
use crate::support::store::StoreServer;
use crate::support::vectors::root;
use crate::support::world::directory;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use tempfile::TempDir;

const TOKEN: &str = "123456";

/// What users type, as `docs/install.md` has it.
const WRITE: &str = r#"curl --request POST "http://localhost:8080/api/v2/write?org=klec-org&bucket=klec-bucket&precision=s" --header "Authorization: Token 123456" --header "Content-Type: text/plain; charset=utf-8" --header "Accept: application/json" --data-binary "home,room=Living temp=21.1,hum=35.9,co=0i 1729128244""#;
const QUERY: &str = r#"curl --request POST "http://localhost:8080/api/v2/query?org=klec-org&bucket=klec-bucket" --header "Authorization: Token 123456" --header "Content-Type: application/vnd.flux" --header "Accept: application/csv" --data 'from(bucket: "klec-bucket") |> range(start: 0) |> filter(fn: (r) => r._measurement == "home")'"#;

/// Circlet stops first, then the stores; the directory goes last.
struct Topology {
    circlet: Circlet,
    stores: BTreeMap<String, StoreServer>,
    _directory: TempDir,
}

/// A store that is what the image of InfluxDB makes of its `DOCKER_INFLUXDB_INIT_` variables.
fn store() -> StoreServer {
    let directory = directory();
    fs::write(directory.path().join("tokens"), TOKEN).unwrap();
    let arguments = ["--tokens-file", "tokens", "--org", "klec-org"];
    let store = StoreServer::start_in(directory, &arguments);
    let bucket = r#"{"name": "klec-bucket", "retentionRules": []}"#;
    store.ask(&with_token(Request::post("/api/v2/buckets", bucket))).expect(201);
    store.ask(&Request::post("/api/v2/write?bucket=klec-bucket", "m v=1")).expect(401);
    store
}

fn with_token(request: Request) -> Request {
    request.header("Authorization", &format!("Token {TOKEN}"))
}

impl Topology {
    fn start() -> Topology {
        let text = fs::read_to_string(root().join("packaging/container/circlet.toml")).unwrap();
        let places = [("1", 2), ("2", 2), ("3", 4)];
        let names = places.iter().flat_map(|(circle, size)| {
            (1..=*size).map(move |index| format!("influxdb-{circle}-{index}"))
        });
        let stores: BTreeMap<String, StoreServer> = names.map(|name| (name, store())).collect();
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let text = replace(&text, "0.0.0.0:8080", &address.to_string());
        let mut text = replace(&text, "/var/lib/circlet", "circlet-data");
        for (name, store) in &stores {
            text = replace(&text, &format!("{name}:8086"), &store.address.to_string());
        }
        let directory = directory();
        let config = directory.path().join("circlet.toml");
        fs::write(&config, text).unwrap();
        let mut circlet = Circlet::stopped(&config, address);
        let wrapper = [
            interpreter(),
            root().join("tests/gateway/confine.py"),
            root().join("packaging/container/seccomp.json"),
        ];
        circlet.wrapper = wrapper.map(|path| path.display().to_string()).to_vec();
        circlet.start_with(&[("CIRCLET_TOKEN", TOKEN)]);
        let mut topology = Topology { circlet, stores, _directory: directory };
        topology.wait_ready();
        topology
    }

    /// As the probes of `packaging/kubernetes` look: without a token.
    fn wait_ready(&mut self) {
        until("Circlet is ready", seconds(30), || {
            assert!(self.circlet.is_alive(), "it ended:\n{}", self.circlet.log_end());
            let mut connection = Connection::try_open(self.circlet.address).ok()?;
            let answer = connection.request(&Request::get("/ready")).ok()?;
            (answer.status == 200).then_some(())
        });
        self.circlet.ask(&Request::get("/ping")).expect(204);
    }

    /// Runs a command as a shell does; only the address is not the one that it names.
    fn type_in(&self, command: &str) -> String {
        let command = replace(command, "localhost:8080", &self.circlet.address.to_string());
        finish(Command::new("sh").args(["-c", &command]))
    }

    /// What the second command prints: the fields of `home` with their values, by time.
    fn home(&self) -> Vec<String> {
        fields(&self.type_in(QUERY))
    }

    /// The owner of `home` in each circle.
    fn owners(&self) -> Vec<String> {
        let target = "/-/route?org=klec-org&bucket=klec-bucket&measurement=home";
        let answer = self.circlet.ask(&with_token(Request::get(target))).expect(200);
        let text = answer.text();
        let is_owner = |name: &&String| text.contains(&format!("\"{name}\""));
        self.stores.keys().filter(is_owner).cloned().collect()
    }

    fn change(&mut self, names: &[String], what: fn(&mut StoreServer), up: f64) {
        for name in names {
            what(self.stores.get_mut(name).expect(name));
        }
        until("the gateway has seen it", seconds(30), || {
            let metrics = self.metrics();
            let seen = |name: &String| metrics.must("circlet_backend_up", &[("backend", name)]);
            names.iter().all(|name| seen(name) == up).then_some(())
        });
    }

    fn metrics(&self) -> Metrics {
        Metrics::parse(&self.circlet.ask(&Request::get("/metrics")).expect(200).text())
    }

    /// Asked directly: in every circle its owner has all of `home`, and nobody else has any.
    fn expect_whole(&self, owners: &[String], expected: &[String]) {
        let script = r#"from(bucket: "klec-bucket") |> range(start: 0)"#;
        let request = Request::post("/api/v2/query?org=klec-org", script);
        let request = with_token(request.header("Content-Type", "application/vnd.flux"));
        for (name, store) in &self.stores {
            let found = fields(&store.ask(&request).expect(200).text());
            let expected = if owners.contains(name) { expected } else { &[] };
            assert_eq!(found, expected, "{name}");
        }
    }
}

#[track_caller]
fn replace(text: &str, what: &str, by: &str) -> String {
    assert!(text.contains(what), "nothing to replace: {what}");
    text.replace(what, by)
}

/// `time field value` of each row of annotated CSV, whose columns stand in its header.
fn fields(csv: &str) -> Vec<String> {
    let mut header: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for line in csv.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let cells: Vec<&str> = line.split(',').collect();
        if cells.contains(&"_field") {
            header = cells;
            continue;
        }
        let cell = |name: &str| {
            let at = header.iter().position(|column| *column == name);
            at.and_then(|at| cells.get(at)).unwrap_or_else(|| panic!("no {name}: {csv}"))
        };
        assert_eq!((*cell("_measurement"), *cell("room")), ("home", "Living"), "{csv}");
        rows.push(format!("{} {} {}", cell("_time"), cell("_field"), cell("_value")));
    }
    rows.sort_unstable();
    rows
}

fn first_point() -> Vec<String> {
    let row = |rest: &str| format!("2024-10-17T01:24:04Z {rest}");
    ["co 0", "hum 35.9", "temp 21.1"].map(row).to_vec()
}

#[test]
fn the_two_commands_of_the_compose_topology_work() {
    let page = fs::read_to_string(root().join("docs/install.md")).unwrap();
    for command in [WRITE, QUERY] {
        assert!(page.lines().any(|line| line == command), "docs/install.md lacks {command}");
    }
    let mut topology = Topology::start();
    assert_eq!(topology.type_in(WRITE), "", "204 has no body");
    let mut expected = first_point();
    assert_eq!(topology.home(), expected);
    let owners = topology.owners();
    assert_eq!(owners.len(), 3, "one in each circle: {owners:?}");
    topology.expect_whole(&owners, &expected);

    // One circle without the owner, one without anybody, and of the third one all but the owner.
    let gone = topology.stores.keys().filter(|name| **name != owners[2]).cloned();
    let gone: Vec<String> = gone.filter(|name| *name != other_of(&owners[0])).collect();
    topology.change(&gone, StoreServer::kill, 0.0);
    assert_eq!(topology.home(), expected);
    let later = WRITE.replace("temp=21.1", "temp=22.5").replace("1729128244", "1729128304");
    assert_eq!(topology.type_in(&later), "", "an outage fails no write");
    expected.extend(first_point().iter().map(|row| row.replace("24:04", "25:04")));
    *expected.last_mut().expect("three more") = "2024-10-17T01:25:04Z temp 22.5".to_owned();
    assert_eq!(topology.home(), expected);

    topology.change(&gone, StoreServer::restart, 1.0);
    until("every server has everything", seconds(30), || {
        let owed = topology.metrics().must("circlet_backend_backlog_bytes", &[]);
        (owed == 0.0).then_some(())
    });
    topology.expect_whole(&owners, &expected);
    assert_eq!(topology.home(), expected);
    assert_eq!(topology.metrics().must("circlet_lost_points_total", &[]), 0.0);
    assert!(topology.circlet.terminate().success());
}

/// The other server of a circle of two.
fn other_of(name: &str) -> String {
    let (circle, index) = name.rsplit_once('-').expect("a name of the topology");
    format!("{circle}-{}", if index == "1" { "2" } else { "1" })
}
