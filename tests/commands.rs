//! The commands that need no gateway, as a shell sees them.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

const EXAMPLE: &str = "circlet.example.toml";

fn circlet(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_circlet"));
    let output = command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.expect("the binary under test starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the commands print text")
}

#[test]
fn a_sound_configuration_is_one_line_and_exit_0() {
    let output = circlet(&["check-config", EXAMPLE]);
    assert_eq!(output.status.code(), Some(0));
    let line = text(&output.stdout);
    assert!(line.starts_with("circlet.example.toml: sound; listens on 127.0.0.1:8080 (open), "));
    assert!(line.ends_with("2 circles with 4 backends, placement influx-proxy, ack delivered\n"));
    assert_eq!(line.lines().count(), 1);
}

#[test]
fn problems_are_exit_3_for_every_command_that_reads_the_file() {
    let file = "tests/vectors/config_ten_mistakes.toml";
    for arguments in [
        &["check-config", file][..],
        &["route", "-c", file, "--db", "d", "cpu"],
        &["run", "-c", file],
        &["status", "-c", file],
        &["backlog", "drop", "b", "--yes", "-c", file],
        &["backlog", "reroute", "b", "-c", file],
    ] {
        let output = circlet(arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(text(&output.stderr).ends_with("mistakes.toml: 10 problems\n"), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_wrong_command_line_is_exit_2() {
    for arguments in [
        &[][..],
        &["rout"],
        &["route", "-c", EXAMPLE, "cpu"],
        &["route", "-c", EXAMPLE, "--db", "d"],
        &["route", "-c", EXAMPLE, "--db", "d", "--bucket", "b", "cpu"],
        &["route", "-c", EXAMPLE, "--db", "d", "--org", "o", "cpu"],
        &["route", "-c", EXAMPLE, "--bucket", "b", "--rp", "r", "cpu"],
        &["backlog", "drop", "b", "-c", EXAMPLE],
        &["backlog", "reroute", "-c", EXAMPLE],
        &["check-config"],
    ] {
        assert_eq!(circlet(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let version = circlet(&["--version"]);
    assert_eq!(text(&version.stdout), concat!("circlet ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn route_names_the_key_and_the_owner_in_every_circle() {
    let of = |arguments: &[&str]| {
        let output = circlet(&[&["route", "-c", EXAMPLE], arguments].concat());
        assert_eq!(output.status.code(), Some(0));
        text(&output.stdout).to_owned()
    };
    let json = of(&["--json", "--db", "d", "--rp", "weekly", "cpu", "a b"]);
    let expected = "{\"measurement\":\"cpu\",\"key\":\"d,cpu\",\"owners\":\
        {\"circle-1\":\"influxdb-1-2\",\"circle-2\":\"influxdb-2-2\"}}\n\
        {\"measurement\":\"a b\",\"key\":\"d,a b\",\"owners\":\
        {\"circle-1\":\"influxdb-1-2\",\"circle-2\":\"influxdb-2-2\"}}\n";
    assert_eq!(json, expected);
    assert_eq!(of(&["--json", "--org", "o", "--bucket", "d/autogen", "cpu", "a b"]), expected);
    let plain = of(&["--db", "d", "cpu"]);
    assert_eq!(plain, "cpu (key d,cpu)\n  circle-1: influxdb-1-2\n  circle-2: influxdb-2-2\n");
}

#[test]
fn check_config_online_says_who_answers_and_who_does_not() {
    let answering = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap();
    let urls = [&answering, &refusing].map(|it| format!("http://{}", it.local_addr().unwrap()));
    drop(refusing);
    let backend = |name: &str, url: &str| {
        format!("[[circle.backend]]\nname = \"{name}\"\nurl = \"{url}\"\nkind = \"influxdb1\"\n")
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("circlet.toml");
    let config = format!(
        "listen = \"127.0.0.1:1\"\ndata_dir = \"d\"\n[[circle]]\nname = \"c\"\n{}{}",
        backend("alive", &urls[0]),
        backend("dead", &urls[1])
    );
    std::fs::write(&file, config).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = answering.accept().unwrap();
        let mut head = [0; 1024];
        let length = stream.read(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 9.9\r\n\r\n").unwrap();
        text(&head[..length]).starts_with("GET /ping HTTP/1.1\r\n")
    });
    let output = circlet(&["check-config", file.to_str().unwrap(), "--online"]);
    assert_eq!(output.status.code(), Some(3));
    let lines: Vec<&str> = text(&output.stdout).lines().skip(1).collect();
    assert_eq!(lines[0], format!("alive at {}: answers, version 9.9", urls[0]));
    assert!(lines[1].starts_with(&format!("dead at {}: Connection refused", urls[1])));
    assert!(server.join().unwrap());
}

#[cfg(not(feature = "failpoints"))]
#[test]
fn a_normal_build_holds_no_failpoint() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_circlet")).expect("the binary under test");
    for (name, _) in circlet::base::failpoint::ALL {
        let found = memchr::memmem::find(&binary, name.as_bytes());
        assert_eq!(found, None, "{name} is in the binary");
    }
}
