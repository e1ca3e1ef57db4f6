//! Processes for the tests: the binary under test, its sinks, and real InfluxDB servers. Each ends with its owner.
#![allow(clippy::unwrap_used, dead_code, reason = "helpers of tests, and not every test uses all")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub const BINARY: &str = env!("CARGO_BIN_EXE_circlet-load");
const INFLUXD: &str = "/usr/bin/influxd";

/// Runs the binary to its end.
pub fn load(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

/// Runs the binary with --json; gives its exit code and what it said.
pub fn json(arguments: &[&str]) -> (i32, serde_json::Value) {
    let output = load(&[arguments, &["--json"]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{errors}"));
    (output.status.code().unwrap(), value)
}

/// A directory that is removed with its owner.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("circlet-load-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One request on a connection of its own; gives the status and the whole answer as text.
pub fn ask(address: &str, method: &str, target: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    (text[9..12].parse().unwrap(), text)
}

/// One request as a small server of a test sees it.
pub struct Seen {
    /// From 0, over all connections.
    pub number: u64,
    pub target: String,
    pub body: Vec<u8>,
}

/// A server inside the test: each request is answered with the status and body that `answer` gives.
/// It serves until the test process ends.
pub fn serve(answer: impl Fn(&Seen) -> (u16, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let shared = Arc::new((AtomicU64::new(0), answer));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = Arc::clone(&shared);
            thread::spawn(move || connection(stream, &shared.0, &shared.1).unwrap_or_default());
        }
    });
    address
}

fn connection(
    stream: TcpStream,
    numbers: &AtomicU64,
    answer: &impl Fn(&Seen) -> (u16, String),
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let (mut first, mut length) = (String::new(), 0);
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let target = first.split(' ').nth(1).unwrap().to_owned();
        let (status, text) = answer(&Seen { number, target, body });
        let length = text.len();
        write!(writer, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{text}")?;
    }
}

pub struct Sink {
    child: Child,
    pub addresses: Vec<String>,
    output: BufReader<std::process::ChildStdout>,
}

impl Sink {
    /// Starts `count` null backends in one process.
    pub fn start(count: usize, options: &[&str]) -> Self {
        let mut child = Command::new(BINARY)
            .arg("sink")
            .args(vec!["127.0.0.1:0"; count])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut address = || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            line.trim().strip_prefix("listening ").unwrap().to_owned()
        };
        let addresses = (0..count).map(|_| address()).collect();
        Sink { child, addresses, output }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addresses[0])
    }

    pub fn stats(&self) -> serde_json::Value {
        let (status, text) = ask(&self.addresses[0], "GET", "/stats", "");
        assert_eq!(status, 200);
        serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap()
    }

    /// SIGTERM; gives the summary.
    pub fn end(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// A real InfluxDB 1.x with directories of its own.
pub struct Influxd {
    child: Child,
    pub address: String,
    directory: Directory,
}

impl Influxd {
    /// Starts one, or gives None on a machine that has none.
    pub fn start() -> Option<Self> {
        if !Path::new(INFLUXD).exists() {
            eprintln!("skipped: no {INFLUXD}");
            return None;
        }
        Some(Self::start_at(free_port(), Directory::new()))
    }

    fn start_at(port: u16, directory: Directory) -> Self {
        let address = format!("127.0.0.1:{port}");
        let (root, rpc) = (directory.0.display(), free_port());
        let text = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:{rpc}\"\n\
             [meta]\ndir = \"{root}/meta\"\n[data]\ndir = \"{root}/data\"\nwal-dir = \"{root}/wal\"\n\
             [monitor]\nstore-enabled = false\n\
             [http]\nbind-address = \"{address}\"\nlog-enabled = false\n"
        );
        let file = directory.file("influxdb.conf");
        std::fs::write(&file, text).unwrap();
        let child = Command::new(INFLUXD)
            .args(["run", "-config", &file])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let influxd = Influxd { child, address, directory };
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(&influxd.address).is_err() {
            assert!(Instant::now() < until, "influxd does not start");
            thread::sleep(Duration::from_millis(50));
        }
        influxd
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn query(&self, text: &str) {
        let text = text.replace(' ', "%20").replace('"', "%22");
        let (status, answer) =
            ask(&self.address, "POST", &format!("/query?db=d&epoch=ns&q={text}"), "");
        assert!(status == 200 && !answer.contains("error"), "{answer}");
    }

    pub fn write(&self, lines: &str) {
        assert_eq!(ask(&self.address, "POST", "/write?db=d", lines).0, 204);
    }

    /// The number that a query gives, of all measurements together.
    pub fn number(&self, db: &str, text: &str) -> i64 {
        let text = text.replace(' ', "%20").replace('"', "%22");
        let (_, answer) = ask(&self.address, "GET", &format!("/query?db={db}&q={text}"), "");
        let document = &answer[answer.find('{').unwrap()..=answer.rfind('}').unwrap()];
        let value: serde_json::Value = serde_json::from_str(document).unwrap();
        let series = value["results"][0]["series"].as_array();
        let series = series.unwrap_or_else(|| panic!("{text}: {answer}"));
        let last = |one: &serde_json::Value| one["values"][0].as_array()?.last()?.as_i64();
        series.iter().map(|one| last(one).unwrap()).sum()
    }

    /// Every point of a measurement as (time, conn, seq, check).
    pub fn points(&self, measurement: &str) -> Vec<(i64, String, i64, i64)> {
        let target =
            format!("/query?db=d&epoch=ns&q=SELECT%20seq,%22check%22,conn%20FROM%20{measurement}");
        let (_, text) = ask(&self.address, "GET", &target, "");
        // The answer may be chunked: the document is what lies between the outermost braces.
        let document = &text[text.find('{').unwrap()..=text.rfind('}').unwrap()];
        let value: serde_json::Value = serde_json::from_str(document).unwrap();
        let rows = value["results"][0]["series"][0]["values"].as_array().unwrap();
        let number = |row: &serde_json::Value, at: usize| row[at].as_i64().unwrap();
        let conn = |row: &serde_json::Value| row[3].as_str().unwrap().to_owned();
        rows.iter().map(|row| (number(row, 0), conn(row), number(row, 1), number(row, 2))).collect()
    }

    /// kill -9; `restart` brings it back with its data.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn restart(mut self) -> Self {
        let port = self.address.rsplit_once(':').unwrap().1.parse().unwrap();
        let directory = std::mem::replace(&mut self.directory, Directory::new());
        drop(self);
        Self::start_at(port, directory)
    }
}

impl Drop for Influxd {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}
