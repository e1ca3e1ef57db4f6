//! One real InfluxDB 1.6.7, with its own directories and port.

use super::http::{Answer, Connection, Request, encode};
use super::process::Process;
use super::wait::{seconds, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

const BINARY: &str = "/usr/bin/influxd";

/// Field values by name, of every point by (measurement with tags, time in ns).
pub type Points = BTreeMap<(String, i64), BTreeMap<String, String>>;

pub struct Influxd {
    pub name: String,
    directory: PathBuf,
    port: u16,
    http: String,
    /// More lines of the `[data]` table.
    data: String,
    process: Option<Process>,
}

impl Influxd {
    /// Starts a server that keeps everything under `directory`, and waits until it answers.
    pub fn start(directory: &Path, name: &str) -> Influxd {
        Influxd::start_with(directory, name, "")
    }

    /// The same with more lines in the `[http]` table of its configuration.
    pub fn start_with(directory: &Path, name: &str, http: &str) -> Influxd {
        Influxd::start_configured(directory, name, http, "")
    }

    /// One that takes what is written to files after a second.
    pub fn start_eager(directory: &Path, name: &str) -> Influxd {
        let data = "cache-snapshot-write-cold-duration = \"1s\"\n";
        Influxd::start_configured(directory, name, "", data)
    }

    fn start_configured(directory: &Path, name: &str, http: &str, data: &str) -> Influxd {
        assert!(Path::new(BINARY).exists(), "no {BINARY}: run scripts/setup");
        let directory = directory.join(name);
        fs::create_dir_all(&directory).expect("a new directory");
        let (name, http, data) = (name.to_owned(), http.to_owned(), data.to_owned());
        let port = super::ports::free();
        let mut server = Influxd { name, directory, port, http, data, process: None };
        server.restart();
        server
    }

    /// Where its `meta`, `data` and `wal` are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// kill -9: what was confirmed is on its disk.
    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Stops answering without closing anything, as a machine does that hangs.
    pub fn freeze(&mut self) {
        self.process.as_mut().expect("it runs").freeze();
    }

    pub fn thaw(&mut self) {
        self.process.as_mut().expect("it runs").thaw();
    }

    /// Starts it again on the same port and data.
    pub fn restart(&mut self) {
        let config = self.directory.join("influxdb.conf");
        fs::write(&config, self.config()).expect("config is written");
        let mut command = Command::new(BINARY);
        command.arg("run").arg("-config").arg(&config).env("HOME", &self.directory);
        let mut process = Process::start(&mut command, &self.directory.join("log"));
        let address = self.address();
        until(&format!("{} answers", self.name), seconds(30), || {
            if let Some(status) = process.ended() {
                panic!("influxd ended with {status}:\n{}", process.log_end());
            }
            let mut connection = Connection::try_open(address).ok()?;
            let answer = connection.request(&Request::get("/ping")).ok()?;
            (answer.status == 204).then_some(())
        });
        self.process = Some(process);
    }

    /// Asks one InfluxQL statement; `db` may be empty. The whole JSON comes back.
    pub fn query(&self, db: &str, statement: &str) -> Value {
        self.query_answer(db, statement).expect(200).json()
    }

    /// The same with the raw answer.
    pub fn query_answer(&self, db: &str, statement: &str) -> Answer {
        let target = format!("/query?db={}&epoch=ns&q={}", encode(db), encode(statement));
        let mut connection = Connection::open(self.address());
        connection.request(&Request::post(&target, "")).expect("influxd answers")
    }

    /// Writes past the gateway.
    pub fn write(&self, db: &str, lines: &str) -> Answer {
        let target = format!("/write?db={}", encode(db));
        let mut connection = Connection::open(self.address());
        connection.request(&Request::post(&target, lines)).expect("influxd answers")
    }

    /// Also makes the week of the tests' lines (from 2023-11-14) ready to take writes from several connections:
    /// InfluxDB 1.6.7 was seen to hide lines that it has confirmed, until its next start, when two
    /// connections bring the first lines of such a week at the same moment (docs/SAFETY.md, its end).
    pub fn create_database(&self, name: &str) {
        let answer = self.query("", &format!("CREATE DATABASE \"{name}\""));
        assert!(answer.pointer("/results/0/error").is_none(), "{answer}");
        assert_eq!(self.write(name, "first v=1 1700000000000000000").status, 204);
        self.series(name, "DROP MEASUREMENT first");
    }

    /// The series of the first result; empty when there are none.
    pub fn series(&self, db: &str, statement: &str) -> Vec<Value> {
        let answer = self.query(db, statement);
        assert!(answer.pointer("/results/0/error").is_none(), "{statement}: {answer}");
        let series = answer.pointer("/results/0/series").and_then(Value::as_array);
        series.cloned().unwrap_or_default()
    }

    /// One number: the first value of the first row after the time; 0 when there is none.
    pub fn count(&self, db: &str, statement: &str) -> u64 {
        let series = self.series(db, statement);
        let value = series.first().and_then(|series| series.pointer("/values/0/1"));
        value.and_then(Value::as_u64).unwrap_or(0)
    }

    /// Names of all databases, in the order in which they were made.
    pub fn databases(&self) -> Vec<String> {
        let series = self.series("", "SHOW DATABASES");
        let rows = series.first().and_then(|series| series["values"].as_array()).cloned();
        let names = rows.unwrap_or_default();
        names.iter().map(|row| row[0].as_str().expect("a name").to_owned()).collect()
    }

    /// Names of all measurements of a database.
    pub fn measurements(&self, db: &str) -> Vec<String> {
        let series = self.series(db, "SHOW MEASUREMENTS");
        let rows = series.first().and_then(|series| series["values"].as_array()).cloned();
        let names = rows.unwrap_or_default();
        names.iter().map(|row| row[0].as_str().expect("a name").to_owned()).collect()
    }

    /// All points of a database (default retention policy).
    pub fn points(&self, db: &str) -> Points {
        let mut points = Points::new();
        for series in self.series(db, "SELECT * FROM /.*/ GROUP BY *") {
            add_series(&mut points, &series);
        }
        points
    }

    fn config(&self) -> String {
        let directory = self.directory.display();
        format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:0\"\n\
             [meta]\ndir = \"{directory}/meta\"\n\
             [data]\ndir = \"{directory}/data\"\nwal-dir = \"{directory}/wal\"\n\
             query-log-enabled = false\n{}\
             [monitor]\nstore-enabled = false\n\
             [http]\nbind-address = \"{}\"\nlog-enabled = false\n{}\
             [logging]\nlevel = \"warn\"\nsuppress-logo = true\n",
            self.data,
            self.address(),
            self.http
        )
    }
}

/// Adds the rows of one JSON series. A server names every tag key of every measurement asked for,
/// so empty tags and null fields are left out: then answers of different servers compare.
fn add_series(points: &mut Points, series: &Value) {
    let mut name = series["name"].as_str().expect("a name").to_owned();
    for (key, value) in series["tags"].as_object().into_iter().flatten() {
        let value = value.as_str().expect("tags are text");
        if !value.is_empty() {
            name.push_str(&format!(",{key}={value}"));
        }
    }
    let columns = series["columns"].as_array().expect("columns");
    for row in series["values"].as_array().expect("rows") {
        let time = row[0].as_i64().expect("time in ns");
        let fields = columns.iter().zip(row.as_array().expect("a row")).skip(1);
        let fields = fields.filter(|(_, value)| !value.is_null());
        let fields = fields.map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let old = points.insert((name.clone(), time), fields);
        assert!(old.is_none(), "{name} at {time} twice in one answer");
    }
}
