//! What `circlet generate` writes is taken by the programs it is for.

use crate::support::circlet::run;
use crate::support::ports;
use crate::support::prelude::*;
use crate::support::process::Process;
use crate::support::tls::Authority;
use crate::support::world::{backend, directory};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

fn generated(what: &[&str]) -> String {
    let arguments: Vec<&str> = ["generate"].iter().chain(what).copied().collect();
    let output = run(&arguments, Path::new("."));
    assert_eq!(output.status.code(), Some(0), "{what:?}");
    assert!(!output.stdout.is_empty(), "{what:?} is empty");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program that `scripts/setup` installs.
fn tool(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: run scripts/setup"))
}

fn expect_done(output: &Output) -> String {
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn the_generated_configuration_is_sound() {
    let directory = directory();
    fs::write(directory.path().join("circlet.toml"), generated(&["config"])).unwrap();
    expect_done(&run(&["check-config", "circlet.toml"], directory.path()));
}

#[test]
fn the_generated_unit_is_hardened() {
    let directory = directory();
    let unit = directory.path().join("circlet.service");
    fs::write(&unit, generated(&["systemd-unit"])).unwrap();
    let said = expect_done(&tool(
        Command::new("systemd-analyze").args(["security", "--offline=yes"]).arg(&unit),
    ));
    let level = said.split("Overall exposure level for circlet.service: ").nth(1).expect(&said);
    let level: f64 = level.split(' ').next().unwrap().parse().unwrap();
    assert!(level <= 1.5, "{level}: {said}");
}

/// The completion and the page name every command.
#[test]
fn the_generated_texts_name_every_command() {
    let help = run(&["--help"], Path::new("."));
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let commands = help.split("Commands:\n").nth(1).unwrap().lines();
    let names: Vec<&str> = commands
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.contains(&"generate"), "{names:?}");
    let man = generated(&["man"]).replace("\\-", "-");
    for shell in ["bash", "zsh", "fish"] {
        let completion = generated(&["completion", shell]);
        for name in &names {
            assert!(completion.contains(name), "{shell}: {name}");
            assert!(man.contains(&format!("circlet-{name}")), "man: {name}");
        }
    }
}

#[test]
fn the_generated_seccomp_profile_names_the_calls_of_io_uring() {
    let profile: Value = serde_json::from_str(&generated(&["seccomp"])).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    let groups = profile["syscalls"].as_array().unwrap();
    let names: Vec<&str> = groups
        .iter()
        .flat_map(|group| group["names"].as_array().unwrap())
        .map(|name| name.as_str().unwrap())
        .collect();
    for call in ["io_uring_setup", "io_uring_enter", "io_uring_register"] {
        assert!(names.contains(&call));
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), names.len(), "a call stands twice");
}

struct Prometheus {
    _process: Process,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    /// Looks at a gateway each second, and evaluates the generated rules.
    fn start(world: &World) -> Prometheus {
        let directory = directory();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("alerts.yml"), generated(&["alerts"])).unwrap();
        let target = world.circlet.address.to_string();
        let scrape = generated(&["prometheus-scrape", "--target", &target])
            .replace("scrape_interval: 15s", "scrape_interval: 1s");
        assert!(scrape.contains("scrape_interval: 1s"), "{scrape}");
        let global = "global: {evaluation_interval: 1s}\nrule_files: [alerts.yml]\n";
        fs::write(path("prometheus.yml"), format!("{global}{scrape}")).unwrap();
        expect_done(&tool(
            Command::new("promtool").args(["check", "config"]).arg(path("prometheus.yml")),
        ));
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let process = Process::start(&mut command, &path("prometheus.log"));
        until("Prometheus is ready", seconds(30), || {
            let mut connection = Connection::try_open(address).ok()?;
            let answer = connection.request(&Request::get("/-/ready")).ok()?;
            (answer.status == 200).then_some(())
        });
        Prometheus { _process: process, address, _directory: directory }
    }

    fn get(&self, target: &str) -> Value {
        Connection::open(self.address).request(&Request::get(target)).unwrap().json()
    }

    /// How many series an expression gives.
    fn series(&self, expression: &str) -> usize {
        let answer = self.get(&format!("/api/v1/query?query={}", encode(expression)));
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().len()
    }
}

/// Everything that the panels show has happened once.
fn happen(world: &World) {
    world.write("d", "cpu v=1 1700000000000000000").expect(204);
    world.write("d", "cpu v=\"text\" 1700000000000000001");
    world.write("d", "cpu v=").expect(400);
    world.query("d", "SELECT v FROM cpu").expect(200);
    world.ask(&Request::get("/nowhere"));
    world.ask(&Request::post("/api/v2/query/ast", "{}")).expect(501);
}

fn expressions_of_panels() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&generated(&["grafana-dashboard"])).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets
        .map(|target| {
            let text = target["expr"].as_str().unwrap();
            text.replace("$__rate_interval", "10s").replace("$job", ".*")
        })
        .collect()
}

/// Its backend is not there; nothing else is needed to know when the certificate ends.
fn a_circle_that_is_shown_a_certificate(directory: &Path) -> String {
    let authority = Authority::new(directory, "authority");
    let own = authority.issue("gateway");
    let url = format!("https://127.0.0.1:{}", ports::free());
    format!(
        "[[circle]]\nname = \"far\"\n{}tls_ca_file = {:?}\ntls_cert_file = {:?}\ntls_key_file = {:?}\n",
        backend("far", &url, "influxdb1"),
        authority.file,
        own.certificate,
        own.key
    )
}

#[test]
fn every_panel_and_every_alert_finds_its_series() {
    let keys = directory();
    let world = Setup::new().tables(&a_circle_that_is_shown_a_certificate(keys.path())).start();
    let prometheus = Prometheus::start(&world);
    let mut asked = expressions_of_panels();
    let rules = prometheus.get("/api/v1/rules");
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap().clone();
    assert!(rules.len() > 10, "{rules:?}");
    // A comparison that does not hold is no series: asked for 0 or 1 instead.
    let of_rules = rules.iter().map(|rule| {
        let text = rule["query"].as_str().unwrap();
        [" > ", " < ", " == "]
            .iter()
            .fold(text.to_owned(), |text, sign| text.replace(sign, &format!("{sign}bool ")))
            .replace("[1h]", "[10s]")
    });
    asked.extend(of_rules);
    let mut missing = asked;
    let deadline = std::time::Instant::now() + seconds(40);
    while !missing.is_empty() && std::time::Instant::now() < deadline {
        happen(&world);
        std::thread::sleep(seconds(1));
        missing.retain(|expression| prometheus.series(expression) == 0);
    }
    assert!(missing.is_empty(), "these find nothing: {missing:#?}");
}

/// Every alert has a row in which it fires and one in which it does not, and Prometheus agrees with both.
#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    const ROWS: &str = include_str!("alerts_test.yml");
    let rules = generated(&["alerts"]);
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        for row in [format!("- name: {alert} fires\n"), format!("- name: {alert} does not fire\n")]
        {
            assert_eq!(ROWS.matches(&row).count(), 1, "tests/gateway/alerts_test.yml: {row}");
        }
    }
    let directory = directory();
    let test = |rules: &str| {
        fs::write(directory.path().join("alerts.yml"), rules).unwrap();
        fs::write(directory.path().join("rows.yml"), ROWS).unwrap();
        let mut command = Command::new("promtool");
        tool(command.args(["test", "rules", "rows.yml"]).current_dir(directory.path()))
    };
    expect_done(&test(&rules));
    // The rows can tell.
    let changed = rules.replace("backlog_age_seconds > 600", "backlog_age_seconds > 700");
    assert_ne!(changed, rules);
    assert!(!test(&changed).status.success());
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics() {
    let world = Setup::new().start();
    happen(&world);
    let directory = directory();
    let file = directory.path().join("metrics");
    fs::write(&file, world.ask(&Request::get("/metrics")).expect(200).text()).unwrap();
    let input = fs::File::open(&file).unwrap();
    let output = tool(Command::new("promtool").args(["check", "metrics"]).stdin(input));
    let said = expect_done(&output);
    assert!(said.is_empty(), "{said}");
}
