//! Two circles of two real InfluxDB servers each, and Circlet before them, in a directory of its own.

use super::circlet::Circlet;
use super::http::{Answer, Connection, Request, encode};
use super::influxd::{Influxd, Points};
use super::metrics::Metrics;
use super::proxy::Proxy;
use super::wait::{seconds, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// What a world is made of; the defaults are the ones of the README's picture.
pub struct Setup {
    circles: usize,
    backends: usize,
    databases: Vec<String>,
    top: String,
    write: String,
    tables: String,
    data: Option<PathBuf>,
    /// Options of the `[http]` table of every server.
    server_http: String,
    has_proxies: bool,
}

impl Setup {
    /// 2 circles x 2 backends, 2 shards, database `d`, open on loopback.
    pub fn new() -> Setup {
        Setup {
            circles: 2,
            backends: 2,
            databases: vec!["d".to_owned()],
            top: "shards = 2\n".to_owned(),
            write: String::new(),
            tables: "[debug]\nheaders = true\n".to_owned(),
            data: None,
            server_http: String::new(),
            has_proxies: false,
        }
    }

    /// So many circles of so many backends.
    pub fn circles(mut self, circles: usize, backends: usize) -> Setup {
        (self.circles, self.backends) = (circles, backends);
        self
    }

    /// So many shards instead of 2.
    pub fn shards(mut self, count: usize) -> Setup {
        self.top = format!("shards = {count}\n");
        self
    }

    /// Lines of the `[http]` table of every server's own configuration.
    pub fn server_http(mut self, lines: &str) -> Setup {
        self.server_http.push_str(lines);
        self.server_http.push('\n');
        self
    }

    /// A proxy before each server, which can make trouble on the way.
    pub fn proxied(mut self) -> Setup {
        self.has_proxies = true;
        self
    }

    /// Another database that every backend has before Circlet starts.
    pub fn database(mut self, name: &str) -> Setup {
        self.databases.push(name.to_owned());
        self
    }

    /// Lines of the `[write]` table.
    pub fn write(mut self, lines: &str) -> Setup {
        self.write.push_str(lines);
        self.write.push('\n');
        self
    }

    /// Whole tables of the configuration.
    pub fn tables(mut self, text: &str) -> Setup {
        self.tables.push_str(text);
        self.tables.push('\n');
        self
    }

    pub fn tokens(self, tokens: &[&str]) -> Setup {
        self.tables(&format!("[auth]\ntokens = {tokens:?}"))
    }

    /// The data directory lies here: on another file system.
    pub fn data(mut self, path: &Path) -> Setup {
        self.data = Some(path.to_owned());
        self
    }

    /// Starts the servers and Circlet.
    pub fn start(self) -> World {
        let mut world = self.stopped();
        world.circlet.restart();
        world
    }

    /// Starts the servers; Circlet not yet.
    pub fn stopped(self) -> World {
        let directory = directory();
        if let Some(data) = &self.data {
            let name = directory.path().join("circlet-data");
            std::os::unix::fs::symlink(data, name).expect("a new directory takes a name");
        }
        let circles = self.servers(directory.path());
        let proxy = |server: &Influxd| (server.name.clone(), Proxy::start(server.address()));
        let proxied = circles.iter().flatten().filter(|_| self.has_proxies);
        let proxies = proxied.map(proxy).collect();
        let address = SocketAddr::from(([127, 0, 0, 1], super::ports::free()));
        let config = directory.path().join("circlet.toml");
        fs::write(&config, self.config(address, &circles, &proxies)).expect("config is written");
        let circlet = Circlet::stopped(&config, address);
        World { circlet, proxies, circles, directory }
    }

    fn servers(&self, directory: &Path) -> Vec<Vec<Influxd>> {
        let server = |circle: usize, index: usize| {
            let name = format!("influxdb-{circle}-{index}");
            let server = Influxd::start_with(directory, &name, &self.server_http);
            for database in &self.databases {
                server.create_database(database);
            }
            server
        };
        let circle = |circle| (1..=self.backends).map(|index| server(circle, index)).collect();
        (1..=self.circles).map(circle).collect()
    }

    fn config(
        &self,
        address: SocketAddr,
        circles: &[Vec<Influxd>],
        proxies: &BTreeMap<String, Proxy>,
    ) -> String {
        let mut text = format!("listen = \"{address}\"\ndata_dir = \"circlet-data\"\n{}", self.top);
        if !self.write.is_empty() {
            text.push_str(&format!("[write]\n{}", self.write));
        }
        text.push_str(&self.tables);
        for (index, servers) in circles.iter().enumerate() {
            text.push_str(&format!("[[circle]]\nname = \"circle-{}\"\n", index + 1));
            for server in servers {
                let url = proxies.get(&server.name).map_or_else(|| server.url(), Proxy::url);
                text.push_str(&backend(&server.name, &url, "influxdb1"));
            }
        }
        text
    }
}

/// One `[[circle.backend]]` table.
pub fn backend(name: &str, url: &str, kind: &str) -> String {
    format!("[[circle.backend]]\nname = \"{name}\"\nurl = \"{url}\"\nkind = \"{kind}\"\n")
}

/// A new directory on the disk that holds the build, so that direct I/O works as in production.
pub fn directory() -> TempDir {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(parent).expect("the build directory takes files");
    tempfile::tempdir_in(parent).expect("a new directory")
}

/// Circlet stops first, then the servers; the directory goes last.
pub struct World {
    pub circlet: Circlet,
    /// By the name of the server behind; empty unless the set-up has them.
    pub proxies: BTreeMap<String, Proxy>,
    pub circles: Vec<Vec<Influxd>>,
    pub directory: TempDir,
}

impl World {
    /// Leaves the directory where it is when everything has ended, for whoever wants to know why.
    pub fn keep_directory(&mut self) -> &Path {
        self.directory.disable_cleanup(true);
        self.directory.path()
    }

    pub fn servers(&self) -> impl Iterator<Item = &Influxd> {
        self.circles.iter().flatten()
    }

    pub fn server(&self, name: &str) -> &Influxd {
        self.servers().find(|server| server.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    pub fn server_mut(&mut self, name: &str) -> &mut Influxd {
        let mut servers = self.circles.iter_mut().flatten();
        servers.find(|server| server.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// The proxy before a server.
    pub fn proxy(&self, name: &str) -> &Proxy {
        self.proxies.get(name).unwrap_or_else(|| panic!("no proxy before {name}"))
    }

    pub fn connect(&self) -> Connection {
        self.circlet.connect()
    }

    #[track_caller]
    pub fn ask(&self, request: &Request) -> Answer {
        self.circlet.ask(request)
    }

    /// `POST /write` over a new connection.
    #[track_caller]
    pub fn write(&self, db: &str, lines: impl AsRef<[u8]>) -> Answer {
        self.ask(&Request::post(&format!("/write?db={}", encode(db)), lines))
    }

    /// `POST /query` over a new connection.
    #[track_caller]
    pub fn query(&self, db: &str, statement: &str) -> Answer {
        let target = format!("/query?db={}&epoch=ns&q={}", encode(db), encode(statement));
        self.ask(&Request::post(&target, ""))
    }

    pub fn metrics(&self) -> Metrics {
        Metrics::parse(&self.ask(&Request::get("/metrics")).expect(200).text())
    }

    /// Bytes that all backends, or one, are still owed.
    pub fn backlog_bytes(&self, labels: &[(&str, &str)]) -> f64 {
        self.metrics().must("circlet_backend_backlog_bytes", labels)
    }

    /// Waits until every backend has confirmed everything.
    pub fn wait_drained(&self, limit: Duration) {
        until("no backend is owed anything", limit, || {
            (self.backlog_bytes(&[]) == 0.0).then_some(())
        });
    }

    /// Waits until Circlet sees this backend up, or down.
    pub fn wait_up(&self, name: &str, up: bool) {
        let wanted = if up { 1.0 } else { 0.0 };
        until(&format!("{name} counts as up = {up}"), seconds(30), || {
            let seen = self.metrics().must("circlet_backend_up", &[("backend", name)]);
            (seen == wanted).then_some(())
        });
    }

    /// The owner in each circle, in the order of the circles, as `circlet route` prints it.
    pub fn owners(&self, target: &[&str], measurement: &str) -> Vec<String> {
        self.routes(target, &[measurement]).remove(0)
    }

    /// The same for several measurements.
    pub fn routes(&self, target: &[&str], measurements: &[&str]) -> Vec<Vec<String>> {
        let config = self.circlet.config.to_str().expect("a path of ours is text");
        let mut arguments = vec!["route", "-c", config, "--json"];
        arguments.extend_from_slice(target);
        arguments.extend_from_slice(measurements);
        let output = self.circlet.command(&arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "circlet {arguments:?}: {} {errors}", output.status);
        let text = String::from_utf8(output.stdout).expect("JSON is text");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("one object a line"))
            .collect();
        assert_eq!(lines.len(), measurements.len(), "{text}");
        lines.iter().map(|line| self.named_owners(line)).collect()
    }

    /// The backend of each circle that this JSON names somewhere.
    fn named_owners(&self, line: &Value) -> Vec<String> {
        let mut names = Vec::new();
        collect_text(line, &mut names);
        let owner = |servers: &Vec<Influxd>| {
            let found = servers.iter().find(|server| names.contains(&server.name));
            found.unwrap_or_else(|| panic!("no owner for a circle in {line}")).name.clone()
        };
        self.circles.iter().map(owner).collect()
    }

    /// All points of a circle; panics when two backends of it hold the same point.
    pub fn points(&self, circle: usize, db: &str) -> Points {
        let mut all = Points::new();
        for server in &self.circles[circle] {
            for (key, fields) in server.points(db) {
                let old = all.insert(key.clone(), fields);
                assert!(old.is_none(), "{key:?} is on two backends of one circle");
            }
        }
        all
    }

    /// Panics unless every circle holds exactly these points.
    #[track_caller]
    pub fn expect_points(&self, db: &str, expected: &Points) {
        for circle in 0..self.circles.len() {
            let found = self.points(circle, db);
            let missing: Vec<_> =
                expected.iter().filter(|(key, _)| !found.contains_key(*key)).collect();
            assert!(missing.is_empty(), "circle {} of {db} lacks {missing:?}", circle + 1);
            assert_eq!(&found, expected, "circle {} of {db}", circle + 1);
        }
    }

    /// Non-comment lines of all rejects files under the data directory, each with its file's text.
    pub fn rejects(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        collect_rejects(&self.circlet.data(), false, &mut found);
        found
    }

    /// Panics when any way to lose a point has counted one.
    #[track_caller]
    pub fn expect_nothing_lost(&self) {
        let metrics = self.metrics();
        let lost = metrics.must("circlet_lost_points_total", &[]);
        assert_eq!(lost, 0.0, "{:?}", metrics.with("circlet_lost_points_total", &[]));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- end of Circlet's log ---\n{}", self.circlet.log_end());
        }
    }
}

fn collect_text(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_text(item, found)),
        Value::Object(items) => items.values().for_each(|item| collect_text(item, found)),
        _ => {}
    }
}

/// Every line that is not a comment in files below a directory named `rejects`.
fn collect_rejects(directory: &Path, inside: bool, found: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.expect("a readable directory").path();
        let inside = inside || path.file_name().is_some_and(|name| name == "rejects");
        if path.is_dir() {
            collect_rejects(&path, inside, found);
        } else if inside {
            let text = fs::read_to_string(&path).expect("rejects are text");
            let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
            found.extend(lines.map(|line| (line.to_owned(), text.clone())));
        }
    }
}
