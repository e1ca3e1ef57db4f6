//! TLS on both sides: who is trusted, what is refused, and certificates that change.

use crate::support::prelude::*;
use crate::support::tls::{Authority, Pair, Secure};
use crate::support::{python, world};
use rustls::{ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tempfile::TempDir;

const LINE: &str = "cpu,host=a v=1i 1700000000000000000";

/// Circlet before one server, over TLS.
struct Secured {
    world: World,
    authority: Authority,
    own: Pair,
    directory: TempDir,
}

fn tls_table(own: &Pair, more: &str) -> String {
    let (certificate, key) = (own.certificate.display(), own.key.display());
    format!("[tls]\ncert_file = \"{certificate}\"\nkey_file = \"{key}\"\n{more}\n")
}

impl Secured {
    fn start(demands_certificates: bool) -> Secured {
        let directory = world::directory();
        let authority = Authority::new(directory.path(), "authority");
        let own = authority.issue("gateway");
        let more = match demands_certificates {
            true => format!("client_ca_file = \"{}\"", authority.file.display()),
            false => String::new(),
        };
        let table = tls_table(&own, &more);
        let world = Setup::new().circles(1, 1).tables(&table);
        let mut world = world.tables("[server]\nheader_timeout = \"1s\"").stopped();
        world.circlet.start_only();
        let secured = Secured { world, authority, own, directory };
        until("it is ready", seconds(30), || {
            let answer = secured.ask(Request::get("/ready")).ok()?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        });
        secured
    }

    fn ask(&self, request: Request) -> std::io::Result<String> {
        let config = self.authority.client(Some(&self.own));
        Secure::open(self.world.circlet.address, config)?.last(request)
    }

    fn curl(&self, more: &[&str], path: &str) -> (i32, String) {
        let url = format!("https://{}{path}", self.world.circlet.address);
        let mut command = Command::new("curl");
        let output =
            python::output(command.args(["-sS", "-w", " %{http_code}"]).args(more).arg(url));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code().unwrap_or(-1), text)
    }

    fn metric(&self, name: &str) -> String {
        let text = self.ask(Request::get("/metrics")).expect("it answers");
        text.lines().filter(|line| line.starts_with(name)).collect()
    }
}

#[test]
fn clients_write_and_ask_over_tls() {
    let secured = Secured::start(false);
    let ca = secured.authority.file.to_str().unwrap();
    let written = secured.curl(&["--cacert", ca, "--data-binary", LINE], "/write?db=d");
    assert_eq!(written, (0, " 204".to_owned()));
    let asked = secured.curl(&["--cacert", ca], "/query?db=d&q=SELECT%20v%20FROM%20cpu");
    assert!(asked.1.contains("[\"2023-11-14T22:13:20Z\",1]"), "{asked:?}");
    // A body of many records.
    let body: String = (0..40_000).map(|at| format!("many v={at}i {at}\n")).collect();
    let sent = secured.ask(Request::post("/write?db=d", body)).unwrap();
    assert!(sent.starts_with("HTTP/1.1 204"), "{sent}");
    let asked = secured.curl(&["--cacert", ca], "/query?db=d&q=SELECT%20*%20FROM%20many");
    assert_eq!(asked.1.matches("],[").count(), 39_999, "a long answer is whole");
    let address = secured.world.circlet.address;
    python::run("v1_tls.py", &[&address.ip().to_string(), &address.port().to_string(), ca]);
    // Whoever trusts somebody else goes away.
    let other = Authority::new(secured.directory.path(), "other");
    let refused = secured.curl(&["--cacert", other.file.to_str().unwrap()], "/ping");
    assert_eq!(refused.0, 60, "curl does not trust it: {refused:?}");
    assert!(secured.metric("circlet_certificate_expiry_timestamp_seconds").contains("listener"));
    let config = secured.world.circlet.config.to_str().unwrap();
    let status = secured.world.circlet.command(&["status", "-c", config]);
    assert!(status.status.success(), "{status:?}");
}

#[test]
fn whoever_speaks_no_tls_or_says_nothing_hinders_nobody() {
    let secured = Secured::start(false);
    let address = secured.world.circlet.address;
    let told = secured.world.ask(&Request::post("/write?db=d", LINE)).expect(400);
    assert!(told.text().contains("this port speaks TLS"), "{}", told.text());
    let silent: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(address).unwrap()).collect();
    for mut stream in &silent[..20] {
        // The beginning of a record that never ends.
        stream.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    }
    let sent = secured.ask(Request::post("/write?db=d", LINE)).unwrap();
    assert!(sent.starts_with("HTTP/1.1 204"), "{sent}");
    for mut stream in silent {
        stream.set_read_timeout(Some(seconds(10))).unwrap();
        let ended = stream.read(&mut [0; 100]);
        assert!(matches!(ended, Ok(0) | Err(_)), "ended within the time for a head: {ended:?}");
        let kind = ended.err().map(|error| error.kind());
        assert_ne!(kind, Some(std::io::ErrorKind::WouldBlock), "it is still open");
    }
    let metrics = secured.metric("circlet_http_rejected_total");
    assert!(metrics.contains("plain_http") && metrics.contains("bad_handshake"), "{metrics}");
}

#[test]
fn a_gateway_that_wants_certificates_takes_those_of_its_authority() {
    let secured = Secured::start(true);
    let ca = secured.authority.file.to_str().unwrap();
    let with = |pair: &Pair| {
        let (certificate, key) = (pair.certificate.to_str().unwrap(), pair.key.to_str().unwrap());
        let arguments =
            ["--cacert", ca, "--cert", certificate, "--key", key, "--data-binary", LINE];
        secured.curl(&arguments, "/write?db=d")
    };
    assert_eq!(with(&secured.authority.issue("client")), (0, " 204".to_owned()));
    let other = Authority::new(secured.directory.path(), "other");
    assert_ne!(with(&other.issue("stranger")).0, 0, "of an authority that is not known");
    assert_ne!(secured.curl(&["--cacert", ca, "--data-binary", LINE], "/write?db=d").0, 0);
    let config = secured.world.circlet.config.to_str().unwrap();
    let status = secured.world.circlet.command(&["status", "-c", config]);
    assert!(status.status.success(), "a command shows the gateway's own: {status:?}");
}

#[test]
fn certificates_change_while_clients_write_and_no_request_fails() {
    let secured = Secured::start(false);
    let (address, client) = (secured.world.circlet.address, secured.authority.client(None));
    let before = Secure::open(address, client.clone()).unwrap().shown();
    let (ends, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let after = std::thread::scope(|scope| {
        for number in 0..20 {
            let (client, ends, written) = (client.clone(), &ends, &written);
            scope.spawn(move || {
                let mut connection = Secure::open(address, client).unwrap();
                for turn in 0.. {
                    if ends.load(Ordering::Relaxed) {
                        return;
                    }
                    let line = format!("cpu,n={number} v={turn}i {}", turn + 1);
                    let head = connection.head(&Request::post("/write?db=d", line)).unwrap();
                    assert!(head.starts_with("HTTP/1.1 204"), "{head}");
                    written.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        // What is no certificate changes nothing, and is told once.
        std::fs::write(&secured.own.certificate, "nonsense").unwrap();
        let log = || std::fs::read_to_string(secured.world.circlet.log()).unwrap();
        until("it is told", seconds(10), || {
            log().contains("certificates stay as they were").then_some(())
        });
        assert_eq!(Secure::open(address, secured.authority.client(None)).unwrap().shown(), before);
        secured.authority.issue("gateway");
        let after = until("new connections see the new one", seconds(10), || {
            let shown = Secure::open(address, client.clone()).unwrap().shown();
            (shown != before).then_some(shown)
        });
        assert_eq!(log().matches("certificates stay as they were").count(), 1);
        ends.store(true, Ordering::Relaxed);
        after
    });
    assert_eq!(after, secured.own.chain()[0].to_vec());
    assert!(written.into_inner() > 40, "there was writing meanwhile");
}

/// A gateway whose only backend is met over TLS with these keys.
fn before(port: u16, keys: &str) -> World {
    let world = Setup::new().circles(1, 1).stopped();
    let text = std::fs::read_to_string(&world.circlet.config).unwrap();
    let plain = world.circles[0][0].url();
    let text = text.replace(&plain, &format!("https://127.0.0.1:{port}"));
    std::fs::write(&world.circlet.config, format!("{text}{keys}\n")).unwrap();
    world
}

#[test]
fn a_backend_is_met_over_tls_and_verified() {
    let behind = Secured::start(true);
    let ca = format!("tls_ca_file = \"{}\"", behind.authority.file.display());
    let own = behind.authority.issue("front");
    let shown = format!(
        "tls_cert_file = \"{}\"\ntls_key_file = \"{}\"",
        own.certificate.display(),
        own.key.display()
    );
    let port = behind.world.circlet.address.port();
    let mut front = before(port, &format!("{ca}\n{shown}"));
    front.circlet.restart();
    front.write("d", LINE).expect(204);
    front.wait_drained(seconds(10));
    assert_eq!(behind.world.circles[0][0].count("d", "SELECT count(v) FROM cpu"), 1);
    let answer = front.query("d", "SELECT v FROM cpu").expect(200);
    assert!(answer.text().contains("[1700000000000000000,1]"), "{}", answer.text());
    let config = front.circlet.config.to_str().unwrap().to_owned();
    let online = |front: &World| front.circlet.command(&["check-config", &config, "--online"]);
    assert!(online(&front).status.success(), "{:?}", online(&front));
    front.circlet.terminate();
    // Without a certificate of its own, and with another authority, the backend is down.
    let other = Authority::new(behind.directory.path(), "other");
    let text = std::fs::read_to_string(&config).unwrap();
    let without = text.replace(&shown, "");
    let wrong = text.replace(&ca, &format!("tls_ca_file = \"{}\"", other.file.display()));
    for text in [without, wrong] {
        std::fs::write(&config, text).unwrap();
        assert!(!online(&front).status.success());
    }
    front.circlet.start_only();
    until("it says that it trusts nobody there", seconds(20), || {
        let log = std::fs::read_to_string(front.circlet.log()).ok()?;
        (log.contains("backend is down") && log.contains("invalid peer certificate")).then_some(())
    });
}

/// Answers every request as a server whose answers end with the connection; `cuts` ends it without a farewell.
fn serve(listener: TcpListener, own: Pair, cuts: Arc<AtomicBool>) {
    const BODY: &str = r#"{"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["time","v"],"values":[[1,1]]}]}]}"#;
    let config = own.server();
    for socket in listener.incoming() {
        let (Ok(socket), config, cuts) = (socket, config.clone(), cuts.clone()) else { return };
        std::thread::spawn(move || {
            let session = ServerConnection::new(config).unwrap();
            let mut stream = StreamOwned::new(session, socket);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read_exact(&mut byte).is_err() {
                    return;
                }
                head.push(byte[0]);
            }
            let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{BODY}\n");
            drop(stream.write_all(answer.as_bytes()));
            if !cuts.load(Ordering::Relaxed) || head.starts_with(b"GET /ping") {
                stream.conn.send_close_notify();
            }
            drop(stream.flush());
        });
    }
}

#[test]
fn an_answer_that_ends_without_a_farewell_is_no_whole_answer() {
    let directory = world::directory();
    let authority = Authority::new(directory.path(), "authority");
    let own = authority.issue("server");
    let listener = TcpListener::bind(("127.0.0.1", crate::support::ports::free())).unwrap();
    let (port, cuts) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
    let cut = cuts.clone();
    std::thread::spawn(move || serve(listener, own, cut));
    let ca = format!("tls_ca_file = \"{}\"", authority.file.display());
    let mut front = before(port, &ca);
    front.circlet.restart();
    let whole = front.query("d", "SELECT v FROM cpu").expect(200);
    assert!(whole.text().contains("[1,1]"), "{}", whole.text());
    cuts.store(true, Ordering::Relaxed);
    let cut =
        front.circlet.connect().request(&Request::get("/query?db=d&q=SELECT%20v%20FROM%20cpu"));
    let is_whole = cut.is_ok_and(|answer| answer.status == 200 && !answer.text().contains("error"));
    assert!(!is_whole, "somebody on the way can end a connection, but no answer");
}
