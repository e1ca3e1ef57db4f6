//! Secrets that a configuration, a URL or a header brought in are told to nobody. (Only who sent a URL with a
//! slash too much gets it back, in `Location`.)

use crate::support::circlet::{BINARY, run};
use crate::support::prelude::*;
use crate::support::world::directory;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Every secret here has this in it, and nothing else has.
const PLANTED: &str = "planted";

const TOKEN: &str = "planted-token-of-a-client";

/// What was said, and by whom.
struct Said(Vec<(String, Vec<u8>)>);

impl Said {
    fn add(&mut self, who: impl Into<String>, what: impl AsRef<[u8]>) {
        self.0.push((who.into(), what.as_ref().to_vec()));
    }

    fn answer(&mut self, who: &str, answer: &Answer) {
        self.add(who, format!("{:?}\n{}", answer.headers, answer.text()));
    }

    fn command(&mut self, arguments: &[&str], directory: &Path) {
        let mut command = Command::new(BINARY);
        command.args(arguments).current_dir(directory);
        let output = command.env("CIRCLET_TOKEN", TOKEN).output().unwrap();
        self.add(arguments.join(" "), [output.stdout, output.stderr].concat());
    }

    #[track_caller]
    fn expect_no_secret(&self) {
        for (who, what) in &self.0 {
            let text = String::from_utf8_lossy(what);
            let found = text.lines().find(|line| line.contains(PLANTED));
            assert!(found.is_none(), "{who} tells a secret: {found:?}");
        }
    }
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |bytes: &[u8]| {
        let number = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let letter = |at: usize| char::from(LETTERS[number >> (6 * (3 - at)) & 63]);
        (0..4).map(letter).collect::<String>()
    };
    assert_eq!(text.len() % 3, 0, "no padding here");
    text.as_bytes().chunks(3).map(group).collect()
}

/// Two circles of one server; the gateway shows a password to one of them and a token to the other.
fn world() -> World {
    let mut world = Setup::new().circles(2, 1).tokens(&[TOKEN]).stopped();
    let text = fs::read_to_string(&world.circlet.config).unwrap();
    let kind = "kind = \"influxdb1\"\n";
    let first = "username = \"operator\"\npassword = \"planted-password-of-a-backend\"\n";
    let second = "token = \"planted-token-of-a-backend\" # once planted-in-a-comment\n";
    let text = text.replacen(kind, &format!("kind = 'influxdb1'\n{first}"), 1);
    let text = text.replacen(kind, &format!("{kind}{second}"), 1);
    assert_eq!(text.matches(PLANTED).count(), 4, "{text}");
    fs::write(&world.circlet.config, text).unwrap();
    world.circlet.start_with(&[("RUST_LOG", "trace")]);
    until("it takes writes", seconds(30), || {
        let mut connection = Connection::try_open(world.circlet.address).ok()?;
        connection.request(&Request::get("/ready")).ok().filter(|answer| answer.status == 200)
    });
    world
}

fn with_token(request: Request) -> Request {
    request.header("Authorization", &format!("Token {TOKEN}"))
}

/// Every endpoint, with wrong secrets in every place where one can be shown.
fn wrong_secrets(world: &World, said: &mut Said) {
    let pair = base64("operator:planted-wrongly");
    let shown =
        ["Token planted-wrong", "Bearer planted-wrong", &format!("Basic {pair}"), "planted"];
    let paths = [
        ("POST", "/write?db=d"),
        ("POST", "/write?"),
        ("GET", "/query?db=d&q=SHOW+DATABASES"),
        ("POST", "/api/v2/write?bucket=d&precision=eons"),
        ("POST", "/api/v2/query?org=o"),
        ("POST", "/api/v2/query/analyze?org=o"),
        ("GET", "/api/v2/buckets?org=o"),
        ("DELETE", "/metrics?x=y"),
        ("GET", "/-/status?x=y"),
        ("GET", "/-/log?x=y"),
        ("GET", "/-/route?x=y"),
        ("POST", "/-/backend/nobody/complete?x=y"),
        ("GET", "/nowhere?x=y"),
    ];
    for (method, path) in paths {
        for header in shown {
            let request = Request::new(method, path).body("cpu v=").header("Authorization", header);
            said.answer(path, &world.ask(&request));
        }
        let target = format!("{path}&u=operator&p=planted-wrong&token=planted-wrong");
        said.answer(&target, &world.ask(&Request::new(method, &target).body("cpu v=")));
        // The right one in the header does not make the URL public.
        said.answer(&target, &world.ask(&with_token(Request::new(method, &target).body("cpu v="))));
    }
}

/// Heads that cannot be understood, and bodies.
fn broken_requests(world: &World, said: &mut Said) {
    let broken = [
        "GET /query?p=planted-p HTTP/9.9\r\n\r\n".to_owned(),
        "GET /query?p=planted-p\r\n\r\n".to_owned(),
        "GET /ping HTTP/1.1\r\nAuthorization Token planted-h\r\n\r\n".to_owned(),
        "GET /ping HTTP/1.1\r\nAuthorization: Token\u{1} planted-h\r\n\r\n".to_owned(),
        format!("GET /ping?token=planted-p{} HTTP/1.1\r\n\r\n", "x".repeat(200_000)),
        "POST /write?db=d&p=planted-p HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned(),
    ];
    for bytes in broken {
        let mut connection = world.connect();
        connection.send(bytes.as_bytes()).unwrap();
        let who = bytes.get(..40).unwrap_or_default().to_owned();
        said.answer(&who, &connection.answer(false).unwrap());
    }
    let target = "/write?db=d&u=operator&p=planted-p";
    let request = Request::post(target, "no gzip").header("Content-Encoding", "gzip");
    said.answer("a broken body", &world.ask(&request));
}

/// Right secrets, in each of their places; and a statement that has one in its text.
fn right_secrets(world: &World, said: &mut Said) {
    let basic = base64(&format!("o:{TOKEN}"));
    let headers = [format!("Token {TOKEN}"), format!("Bearer {TOKEN}"), format!("Basic {basic}")];
    for header in headers {
        let request = Request::post("/write?db=d", "cpu v=1 1").header("Authorization", &header);
        world.ask(&request).expect(204);
    }
    world.ask(&Request::post(&format!("/write?db=d&u=o&p={TOKEN}"), "cpu v=2 2")).expect(204);
    // A type that one measurement cannot have: the servers' own words come back.
    let request = with_token(Request::post("/write?db=d&p=planted-p", "cpu v=\"text\" 3"));
    said.answer("refused lines", &world.ask(&request).expect(400));
    for statement in [
        "CREATE USER a WITH PASSWORD 'planted-in-a-statement'",
        "SET PASSWORD FOR a = 'planted-in-a-statement'",
    ] {
        let target = format!("/query?db=d&q={}", encode(statement));
        said.answer(statement, &world.ask(&with_token(Request::post(&target, ""))));
    }
}

/// What operators see, of a gateway that runs.
fn looks(world: &World, said: &mut Said) {
    for path in ["/metrics", "/health", "/ready", "/-/", "/-/page.js", "/-/status", "/-/log"] {
        said.answer(path, &world.ask(&with_token(Request::get(path))).expect(200));
    }
    let directory = world.directory.path();
    let config = world.circlet.config.to_str().unwrap();
    let commands: [&[&str]; 12] = [
        &["status", "-c", config],
        &["status", "--json", "-c", config],
        &["top", "--once", "-c", config],
        &["check-config", config],
        &["check-config", config, "--online"],
        &["doctor", "-c", config],
        &["route", "-c", config, "--db", "d", "cpu"],
        &["explain", "-c", config, "--db", "d", "SELECT v FROM cpu"],
        &["wal", "stat", "-c", config],
        &["wal", "ls", "-c", config],
        &["rejects", "ls", "-c", config],
        &["rejects", "replay", "-c", config],
    ];
    for arguments in commands {
        said.command(arguments, directory);
    }
}

/// The archive, unpacked by the machine's own tar.
fn bundle(world: &World, said: &mut Said) {
    let directory = world.directory.path();
    let config = world.circlet.config.to_str().unwrap();
    said.command(&["bundle", "-c", config, "-o", "b.tar.gz"], directory);
    let status = Command::new("tar").args(["-xzf", "b.tar.gz"]).current_dir(directory).status();
    assert!(status.unwrap().success());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory.join("circlet-bundle")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("not to be had"), "{name}: {text}");
        said.add(format!("the bundle's {name}"), &text);
        match name.as_str() {
            "config.toml" => assert_eq!(text.matches("<redacted>").count(), 4, "{text}"),
            "status.json" => assert!(text.contains("influxdb-2-1"), "{text}"),
            "metrics.txt" => assert!(text.contains("circlet_build_info"), "{text}"),
            "log.txt" => assert!(text.contains("backend is down"), "{text}"),
            "wal-stat.jsonl" => assert!(text.contains("influxdb-2-1"), "{text}"),
            "doctor.json" => assert!(text.contains("findings"), "{text}"),
            "machine.txt" => assert!(text.contains("Max locked memory"), "{text}"),
            _ => {}
        }
        names.push(name);
    }
    assert_eq!(names.len(), 10, "{names:?}");
}

/// Without a running gateway the archive has the rest, and says what is missing. It replaces no file, and nobody
/// else may read it.
fn bundle_of_a_stopped_gateway(world: &World, said: &mut Said) {
    let directory = world.directory.path();
    let config = world.circlet.config.to_str().unwrap();
    let arguments = ["bundle", "-c", config, "-o", "stopped.tar.gz"];
    assert_eq!(run(&arguments, directory).status.code(), Some(0));
    assert_eq!(run(&arguments, directory).status.code(), Some(1), "it is there already");
    let mode = fs::metadata(directory.join("stopped.tar.gz")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut unpack = Command::new("tar");
    let output = unpack.args(["-xzOf", "stopped.tar.gz"]).current_dir(directory).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.matches("not to be had").count(), 4, "{text}");
    assert!(text.contains("influxdb-2-1") && text.contains("findings"), "{text}");
    said.add("the bundle of a stopped gateway", &output.stdout);
}

/// Everything that it wrote below its data directory.
fn files(directory: &Path, said: &mut Said) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, said);
            continue;
        }
        let mut bytes = Vec::new();
        fs::File::open(&path).unwrap().take(1 << 20).read_to_end(&mut bytes).unwrap();
        said.add(path.display().to_string(), bytes);
    }
}

#[test]
fn a_secret_that_came_in_never_gets_out() {
    let mut world = world();
    let mut said = Said(Vec::new());
    right_secrets(&world, &mut said);
    wrong_secrets(&world, &mut said);
    broken_requests(&world, &mut said);
    world.circles[1][0].kill();
    let down = || {
        let answer = world.ask(&with_token(Request::get("/-/status"))).expect(200).json();
        (answer["backends"][1]["state"] == "down").then_some(())
    };
    until("the backend is down", seconds(30), down);
    let request = with_token(Request::post("/write?db=d", "cpu v=4 4"));
    said.answer("pending", &world.ask(&request).expect(204));
    looks(&world, &mut said);
    bundle(&world, &mut said);
    assert_eq!(world.circlet.terminate().code(), Some(0));
    bundle_of_a_stopped_gateway(&world, &mut said);
    let log = fs::read(world.circlet.log()).unwrap();
    assert!(log.len() > 500, "it was told to trace");
    said.add("the log", log);
    files(&world.circlet.data(), &mut said);
    said.expect_no_secret();
}

#[test]
fn a_mistake_in_a_configuration_is_told_without_its_secrets() {
    let directory = directory();
    let top = "listen = \"127.0.0.1:8080\"\ndata_dir = \"d\"\n[auth]\ntokens = [\"planted-1\"]\n";
    let backend = "[[circle]]\nname = \"c\"\n[[circle.backend]]\nname = \"b\"\n";
    let sound = "url = \"http://127.0.0.1:1\"\nkind = \"influxdb1\"\n";
    let with = |lines: &str| format!("{top}{backend}{sound}{lines}\n");
    let mistakes = [
        format!("{top}{backend}kind = \"influxdb1\"\nurl = \"http://u:planted-2@127.0.0.1:1\"\n"),
        format!("{top}{backend}kind = \"influxdb1\"\nurl = \"htp://u:planted-2@127.0.0.1:1\"\n"),
        format!("{top}{backend}kind = \"influxdb1\"\nurl = \"http://127.0.0.1:1?p=planted-2\"\n"),
        with("tokken = \"planted-2\""),
        with("token = [\"planted-2\"]"),
        with("token = \"planted-2"),
        with("token = planted-2"),
        with("token = \"\"\"planted-2\n\"\""),
        with("token = \"planted-2\"\npassword = \"planted-3\""),
        with("password = \"planted-3\""),
        with("token = \"planted-2${\""),
        with("token = \"planted-2${NOT_THERE}\""),
        with("token = \"planted-2\\nplanted\""),
        with("token = \"planted-2\"\ntoken = \"planted-3\""),
        top.replace("tokens = [\"planted-1\"]", "tokens = \"planted-1\""),
        top.replace("tokens = [\"planted-1\"]", "tokens = [\"planted-1\", \"planted-1\"]"),
        top.replace("tokens = [\"planted-1\"]", "token = [{name = \"n\", hash = \"planted-1\"}]"),
    ];
    let mut said = Said(Vec::new());
    for (number, text) in mistakes.iter().enumerate() {
        fs::write(directory.path().join("circlet.toml"), text).unwrap();
        let output = run(&["check-config", "circlet.toml"], directory.path());
        assert_eq!(output.status.code(), Some(3), "mistake {number} is none: {text}");
        said.add(format!("check-config of {text}"), [output.stdout, output.stderr].concat());
        let output = format!("b{number}.tar.gz");
        said.command(&["bundle", "-c", "circlet.toml", "-o", &output], directory.path());
        let mut unpack = Command::new("tar");
        unpack.args(["-xzOf", &output]).current_dir(directory.path());
        let text = unpack.output().unwrap().stdout;
        assert!(!text.is_empty());
        said.add(format!("the bundle of mistake {number}"), text);
    }
    said.expect_no_secret();
}

#[test]
#[should_panic(expected = "somebody tells a secret")]
fn a_secret_that_is_told_is_found() {
    let mut said = Said(Vec::new());
    said.add("somebody", "one line\nand planted-in another");
    said.expect_no_secret();
}
