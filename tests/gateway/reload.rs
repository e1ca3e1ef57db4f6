//! The configuration is read again while clients write: what is taken over, what is refused, what is only named.

use crate::support::metrics::Metrics;
use crate::support::prelude::*;
use crate::support::tls::{Authority, Pair, Secure};
use crate::support::world::directory;
use rustix::process::Signal;

/// Changes the file of a running gateway.
fn edit(world: &World, from: &str, to: &str) {
    let text = std::fs::read_to_string(&world.circlet.config).unwrap();
    assert!(text.contains(from), "{from} is not in\n{text}");
    std::fs::write(&world.circlet.config, text.replacen(from, to, 1)).unwrap();
}

fn log(world: &World) -> String {
    std::fs::read_to_string(world.circlet.log()).unwrap()
}

fn as_token(request: Request, token: &str) -> Request {
    request.header("Authorization", &format!("Token {token}"))
}

fn reload(world: &World) -> Answer {
    world.ask(&Request::post("/-/reload", ""))
}

/// What a reload that was taken over says.
#[track_caller]
fn reported(answer: Answer) -> (Value, Value) {
    let report = answer.expect(200).json();
    (report["changed"].clone(), report["needs_restart"].clone())
}

#[track_caller]
fn expect_gauge(world: &World, wanted: f64) {
    let metrics = Metrics::parse(&world.ask(&Request::get("/metrics")).expect(200).text());
    assert_eq!(metrics.must("circlet_config_last_reload_successful", &[]), wanted);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let last = metrics.must("circlet_config_last_reload_success_timestamp_seconds", &[]);
    assert!((now - 120.0..=now + 1.0).contains(&last), "{last} is not of now");
}

#[test]
fn a_token_changes_without_a_restart_and_without_a_new_connection() {
    let mut world = Setup::new().circles(1, 1).tokens(&["old"]).start();
    let mut connection = world.circlet.connect();
    let mut write = |token: &str| {
        let line = Request::post("/write?db=d", "m v=1 1");
        connection.request(&as_token(line, token)).expect("it is open as before").status
    };
    assert_eq!((write("old"), write("new")), (204, 401));
    edit(&world, "\"old\"", "\"new\"");
    assert_eq!((write("old"), write("new")), (204, 401), "nobody has asked yet");
    assert_eq!(reload(&world).status, 401);
    let answer = world.ask(&as_token(Request::post("/-/reload", ""), "old"));
    assert_eq!(reported(answer), (serde_json::json!(["auth.tokens"]), serde_json::json!([])));
    // The other shard, too: these connections lie on both.
    for _ in 0..8 {
        let ask = |token| world.ask(&as_token(Request::post("/write?db=d", "m v=1 1"), token));
        ask("old").expect(401);
        ask("new").expect(204);
    }
    assert_eq!((write("old"), write("new")), (401, 204));
    // The same by the signal.
    edit(&world, "\"new\"", "\"newer\"");
    world.circlet.signal(Signal::HUP);
    until("the signal is heard", seconds(10), || (write("newer") == 204).then_some(()));
    assert_eq!(write("new"), 401);
    let log = log(&world);
    assert_eq!(log.matches("the configuration was read again").count(), 2, "{log}");
    assert!(log.contains("changed=\"auth.tokens\"") && !log.contains("newer"), "{log}");
    // Nobody without the right to it.
    let scoped = world.ask(&as_token(Request::new("GET", "/-/reload"), "newer"));
    assert_eq!(scoped.status, 405);
}

#[test]
fn a_look_at_passing_lines_ends_with_the_right_to_it() {
    let world = Setup::new().circles(1, 1).tokens(&["old", "other"]).start();
    let tap = |token: &str| {
        let mut connection = world.circlet.connect();
        let request = as_token(Request::get("/-/tap?db=d"), token);
        connection.send(&request.bytes()).unwrap();
        assert!(!connection.closes_within(Duration::from_millis(300)), "it has begun");
        connection
    };
    let (mut gone, mut stays) = (tap("old"), tap("other"));
    edit(&world, "\"old\"", "\"new\"");
    world.ask(&as_token(Request::post("/-/reload", ""), "old")).expect(200);
    gone.answer(false).unwrap().expect(200);
    let (tell, told) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || tell.send(stays.answer(false).is_ok()).unwrap());
    let ended = told.recv_timeout(Duration::from_millis(500));
    assert!(ended.is_err(), "its token is still there");
    drop(world);
    reader.join().unwrap();
}

#[test]
fn a_broken_file_changes_nothing_and_is_told_with_its_places() {
    let mut world = Setup::new().circles(1, 1).write("ack_wait = \"2s\"").start();
    expect_gauge(&world, 1.0);
    edit(&world, "ack_wait = \"2s\"", "ack_wait = \"2 parsecs\"\nno_such = 1");
    let config = world.circlet.config.to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(&config).unwrap();
    let line = 1 + text.lines().position(|line| line.starts_with("ack_wait")).unwrap();
    let answer = reload(&world).expect(400);
    let told = answer.json()["error"].as_str().unwrap().to_owned();
    for place in [
        format!("{config}:{line}:12: write.ack_wait"),
        format!("{config}:{}:1: write.no_such", line + 1),
    ] {
        assert!(told.contains(&place), "{place} is not in {told}");
    }
    assert!(answer.header("X-Influxdb-Error").is_none_or(|error| !error.contains('\n')));
    expect_gauge(&world, 0.0);
    world.write("d", "m v=1 1").expect(204);
    // By the signal only the log can tell.
    let before = log(&world).matches("the file is refused").count();
    world.circlet.signal(Signal::HUP);
    until("the log tells", seconds(10), || {
        (log(&world).matches("the file is refused").count() > before).then_some(())
    });
    assert!(log(&world).contains(&format!("{config}:{line}:12")), "{}", log(&world));
    edit(&world, "ack_wait = \"2 parsecs\"\nno_such = 1", "ack_wait = \"1s\"");
    assert_eq!(reported(reload(&world)).0, serde_json::json!(["write.ack_wait"]));
    expect_gauge(&world, 1.0);
    // A file that is not there is no configuration either.
    std::fs::rename(&config, format!("{config}.away")).unwrap();
    let told = reload(&world).expect(400).text();
    assert!(told.contains("cannot read the file"), "{told}");
    expect_gauge(&world, 0.0);
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_holds() {
    let world = Setup::new().circles(1, 2).tables("[server]\nmax_body = \"1MB\"").start();
    let owners = world.owners(&["--db", "d"], "m");
    let listen = format!("listen = \"{}\"", world.circlet.address);
    edit(&world, &listen, "listen = \"127.0.0.1:9\"");
    edit(&world, "max_body = \"1MB\"", "max_body = \"1KiB\"");
    edit(&world, "shards = 2", "shards = 1\nlog_level = \"error\"");
    // Another name would be another owner.
    edit(&world, "name = \"influxdb-1-2\"", "name = \"somebody-else\"");
    let answer = reload(&world).expect(200).json();
    assert_eq!(answer["changed"], serde_json::json!(["log_level", "server.max_body"]));
    assert_eq!(answer["needs_restart"], serde_json::json!(["listen", "shards", "circle"]));
    let moved = answer["moved_share"].as_f64().unwrap();
    assert!((0.4..0.6).contains(&moved), "{answer}");
    let large = format!("m s=\"{}\" 1", "x".repeat(2000));
    for _ in 0..8 {
        world.write("d", &large).expect(413);
    }
    world.write("d", "m v=1 2").expect(204);
    world.wait_drained(seconds(10));
    assert_eq!(world.server(&owners[0]).count("d", "SELECT count(v) FROM m"), 1);
    assert!(!log(&world).contains("was read again"), "that is no error");
    edit(&world, "log_level = \"error\"", "log_level = \"info\"");
    reload(&world).expect(200);
    let log = log(&world);
    assert!(log.contains("these keys are as before until a restart"), "{log}");
    assert!(log.contains("needs_restart=\"listen, shards, circle\""), "{log}");
}

#[test]
fn certificates_and_their_names_change_and_open_connections_stay() {
    let directory = directory();
    let authority = Authority::new(directory.path(), "authority");
    let (first, second) = (authority.issue("first"), authority.issue("second"));
    let table = |pair: &Pair| {
        let (certificate, key) = (pair.certificate.display(), pair.key.display());
        format!("cert_file = \"{certificate}\"\nkey_file = \"{key}\"")
    };
    let setup = Setup::new().circles(1, 1).tables(&format!("[tls]\n{}", table(&first)));
    let mut world = setup.stopped();
    world.circlet.start_only();
    let (address, client) = (world.circlet.address, authority.client(None));
    let open = || Secure::open(address, client.clone());
    let mut old = until("it is ready", seconds(30), || {
        let ready = open().ok()?.last(Request::get("/ready")).ok()?;
        ready.starts_with("HTTP/1.1 200").then(|| open().ok()).flatten()
    });
    assert_eq!(old.shown(), first.chain()[0].to_vec());
    edit(&world, &table(&first), &table(&second));
    let text = open().unwrap().last(Request::post("/-/reload", "")).unwrap();
    assert!(text.contains("\"tls.cert_file\",\"tls.key_file\""), "{text}");
    assert!(text.contains("\"certificates\":\"renewed\""), "{text}");
    assert_eq!(open().unwrap().shown(), second.chain()[0].to_vec());
    let head = old.head(&Request::post("/write?db=d", "m v=1 1")).unwrap();
    assert!(head.starts_with("HTTP/1.1 204"), "{head}");
    // Half a pair is no certificate.
    std::fs::write(&second.key, "nonsense").unwrap();
    let text = open().unwrap().last(Request::post("/-/reload", "")).unwrap();
    assert!(text.starts_with("HTTP/1.1 400") && text.contains("tls.key_file"), "{text}");
    assert_eq!(open().unwrap().shown(), second.chain()[0].to_vec());
}

#[test]
fn credentials_of_a_backend_change_and_what_waited_for_them_comes() {
    // A gateway, because it wants tokens.
    let behind = Setup::new().circles(1, 1).tokens(&["right"]).start();
    let front = Setup::new().circles(1, 1).stopped();
    let mut front = front;
    let url = format!("http://{}", behind.circlet.address);
    edit(&front, &front.circles[0][0].url(), &url);
    let text = std::fs::read_to_string(&front.circlet.config).unwrap();
    std::fs::write(&front.circlet.config, format!("{text}token = \"wrong\"\n")).unwrap();
    front.circlet.restart();
    front.write("d", "m v=1 1").expect(204);
    let waiting = || front.metrics().must("circlet_backend_parked_databases", &[]);
    until("the lines wait", seconds(20), || (waiting() == 1.0).then_some(()));
    edit(&front, "token = \"wrong\"", "token = \"right\"");
    let key = "circle.backend[influxdb-1-1].token";
    assert_eq!(reported(reload(&front)).0, serde_json::json!([key]));
    // Far sooner than the usual try.
    until("they come", seconds(15), || (waiting() == 0.0).then_some(()));
    front.wait_drained(seconds(10));
    assert_eq!(behind.circles[0][0].count("d", "SELECT count(v) FROM m"), 1);
    front.expect_nothing_lost();
}

#[test]
fn a_budget_comes_and_goes_while_lines_wait_for_a_backend() {
    let mut world = Setup::new().circles(1, 1).write("ack = \"durable\"").start();
    world.circles[0][0].kill();
    let large = format!("m s=\"{}\" 1", "x".repeat(200_000));
    let write = |world: &World| world.write("d", &large).status;
    for _ in 0..12 {
        assert_eq!(write(&world), 204);
    }
    let limit = "kind = \"influxdb1\"\nmax_backlog_bytes = \"1MiB\"";
    edit(&world, "kind = \"influxdb1\"", limit);
    let key = "circle.backend[influxdb-1-1].max_backlog_bytes";
    assert_eq!(reported(reload(&world)).0, serde_json::json!([key]));
    // It is looked at once a second.
    until("the budget holds", seconds(10), || (write(&world) == 503).then_some(()));
    edit(&world, limit, "kind = \"influxdb1\"");
    reload(&world).expect(200);
    until("it holds no more", seconds(10), || (write(&world) == 204).then_some(()));
    world.circles[0][0].restart();
    world.wait_drained(seconds(30));
    world.expect_nothing_lost();
}

#[test]
fn a_gateway_without_a_file_says_so() {
    let directory = directory();
    let port = crate::support::ports::free();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let mut command = std::process::Command::new(crate::support::circlet::BINARY);
    command.args(["run", "--listen", &address.to_string()]).current_dir(directory.path());
    let log = directory.path().join("circlet.log");
    let _process = crate::support::process::Process::start(&mut command, &log);
    let answer = until("it serves", seconds(30), || {
        Connection::try_open(address).ok()?.request(&Request::post("/-/reload", "")).ok()
    });
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("without a configuration file"), "{}", answer.text());
}
