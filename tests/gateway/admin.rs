//! The listener of operators: what is answered where.

use crate::support::metrics::Metrics;
use crate::support::ports;
use crate::support::prelude::*;
use std::net::SocketAddr;

const FOR_OPERATORS: [(&str, &str); 9] = [
    ("GET", "/-/log"),
    ("GET", "/metrics"),
    ("GET", "/-/status"),
    ("GET", "/-/route?db=d&measurement=m"),
    ("GET", "/-/"),
    ("GET", "/-/page.js"),
    ("GET", "/-/page.css"),
    ("POST", "/-/backend/influxdb-1-1/complete"),
    ("POST", "/-/reload"),
];

const FOR_CLIENTS: [(&str, &str); 5] = [
    ("POST", "/write?db=d"),
    ("POST", "/api/v2/write?bucket=d"),
    ("GET", "/query?q=SHOW+DATABASES"),
    ("GET", "/api/v2/buckets"),
    ("POST", "/api/v2/delete?bucket=d"),
];

fn ask(address: SocketAddr, request: &Request) -> Answer {
    Connection::open(address).request(request).expect("it answers")
}

/// A gateway, and where it answers operators.
fn start(tables: &str) -> (World, SocketAddr) {
    let admin = SocketAddr::from(([127, 0, 0, 1], ports::free()));
    let table = format!("[admin]\nlisten = \"{admin}\"\n{tables}");
    (Setup::new().circles(1, 1).tables(&table).start(), admin)
}

#[test]
fn operators_and_clients_are_answered_each_at_their_own_door() {
    let (world, admin) = start("");
    let data = world.circlet.address;
    for (method, path) in FOR_OPERATORS {
        let request = Request::new(method, path);
        assert_eq!(ask(data, &request).status, 404, "{path} at the other door");
        assert_eq!(ask(admin, &request).status, 200, "{path}");
    }
    let browser = Request::get("/").header("Accept", "text/html");
    assert_eq!((ask(data, &browser).status, ask(admin, &browser).status), (404, 200));
    // A page of somebody else in the browser of an operator: only his machine is asked nothing else.
    for path in ["/-/reload", "/-/backend/influxdb-1-1/complete"] {
        let request = Request::post(path, "").header("Origin", "http://elsewhere.test");
        assert_eq!(ask(admin, &request).status, 403, "{path}");
    }
    for (method, path) in FOR_CLIENTS {
        let request = Request::new(method, path).body("");
        assert_eq!(ask(admin, &request).status, 404, "{path} at the other door");
        assert_ne!(ask(data, &request).status, 404, "{path}");
    }
    for path in ["/health", "/ready", "/ping"] {
        let request = Request::get(path);
        let both = (ask(data, &request).status, ask(admin, &request).status);
        assert!(matches!(both, (200, 200) | (204, 204)), "{path}: {both:?}");
    }
    // Commands find it by the configuration.
    let config = world.circlet.config.to_str().unwrap();
    for arguments in [vec!["status"], vec!["backend", "mark-complete", "influxdb-1-1"]] {
        let output = world.circlet.command(&[&arguments[..], &["-c", config]].concat());
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    // What is open there is counted apart, and nobody is sent there.
    let _open = Connection::open(admin);
    let text = ask(admin, &Request::get("/metrics")).text();
    let metrics = Metrics::parse(&text);
    assert!(metrics.must("circlet_http_connections", &[("shard", "admin")]) >= 1.0);
    assert_eq!(
        metrics.sum("circlet_http_requests_total", &[("shard", "0"), ("endpoint", "/metrics")]),
        0.0
    );
}

#[test]
fn the_door_of_operators_wants_their_tokens() {
    let output = std::process::Command::new(crate::support::circlet::BINARY)
        .args(["token", "create", "--name", "writer", "--scope", "write"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (writer, table) = text.split_once('\n').unwrap();
    let (_world, admin) = start(&format!("[auth]\ntokens = [\"operator\"]\n{table}"));
    let with = |path: &str, token: &str| {
        let method = if path == "/-/reload" { "POST" } else { "GET" };
        let request = Request::new(method, path);
        ask(admin, &request.header("Authorization", &format!("Token {token}"))).status
    };
    for path in ["/-/reload", "/-/status"] {
        assert_eq!((with(path, "nobody"), with(path, writer)), (401, 403), "{path}");
        assert_eq!(with(path, "operator"), 200, "{path}");
    }
}

#[test]
fn an_open_gateway_takes_operators_from_loopback_only() {
    let world = Setup::new().circles(1, 1).tables("[admin]\nlisten = \"0.0.0.0:1\"").stopped();
    let config = world.circlet.config.to_str().unwrap();
    let output = world.circlet.command(&["run", "-c", config]);
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("admin.listen: 0.0.0.0 is open to others, and there is no [auth]"),
        "{told}"
    );
    let same = world.circlet.address.to_string();
    let text = std::fs::read_to_string(config).unwrap().replace("0.0.0.0:1", &same);
    std::fs::write(config, text).unwrap();
    let told = world.circlet.command(&["check-config", config]);
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("admin.listen: the address of listen"), "{told}");
}
