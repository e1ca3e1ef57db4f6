//! InfluxQL over several backends: the data is split over two real servers by the ring, a third one has all of it.
//! What Circlet answers is what the third server answers, byte for byte, as JSON and as CSV, or it is refused.

use crate::support::prelude::*;
use crate::support::vectors::{rows, text};
use std::collections::BTreeMap;

/// Statements over the data of this file; what their letters mean stands at its head.
pub const STATEMENTS: &str = include_str!("merged/statements.txt");

const MEASUREMENTS: [&str; 8] = ["cpu", "mem", "disk", "net", "swap", "load", "temp", "io"];

const EXPRESSIONS: [&str; 4] = ["/./", "/^[cdn]/", "/^(cpu|mem|swap)$/", "/e/"];

/// The minute of the first point, and the first moment of the week before it, in seconds.
const BEGIN_S: i64 = 1_700_000_000;
const WEEK_S: i64 = 604_800;
const FIRST_WEEK_S: i64 = 1_699_833_600;

/// Whether a recorded row only reads, or asks for SELECT INTO, which is refused before anything is done.
fn is_for_reading(row: &Value) -> bool {
    let (name, statement) = (text(row, "name"), text(row, "q"));
    !name.starts_with("ddl_") && (!name.starts_with("into_") || statement.contains(" INTO "))
}

/// A small generator of numbers: the same run again has the same data and statements.
pub struct Dice(pub u64);

impl Dice {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let at = self.below(i64::try_from(choices.len()).expect("a short list"));
        choices[usize::try_from(at).expect("not negative")]
    }
}

/// An hour of points: types that differ between measurements, tags that only some have.
pub fn dense_lines(dice: &mut Dice) -> String {
    let mut lines = String::new();
    for name in MEASUREMENTS {
        for (host, minute) in (0..4).flat_map(|host| (0..40).map(move |minute| (host, minute))) {
            if dice.below(5) == 0 {
                continue;
            }
            let mut fields = format!("value={}", dice.below(1000) as f64 / 8.0);
            match name {
                "cpu" | "mem" | "disk" => fields += &format!(",used={}i", dice.below(500)),
                "temp" => fields += &format!(",used={}", dice.below(997) as f64 / 7.0),
                "io" => fields += &format!(",ok={}", dice.below(2) == 0),
                _ => {}
            }
            if matches!(name, "cpu" | "net") {
                fields += &format!(",state=\"{}\"", dice.pick(&["up", "down", "a, b", "<x>&"]));
            }
            let mut tags = format!("host=h{host}");
            if matches!(name, "net" | "disk") && dice.below(3) > 0 {
                tags += &format!(",dc=d{}", host % 2);
            }
            if name == "disk" {
                tags += &format!(",dev=s\\ d{}", minute % 2);
            }
            let time_s =
                BEGIN_S + minute * 60 + [0, 0, 7, host][usize::try_from(minute % 4).unwrap()];
            lines += &format!("{name},{tags} {fields} {time_s}000000000\n");
        }
    }
    lines
}

/// A few points in the weeks around: some measurements are missing in some weeks, and types change.
pub fn sparse_lines(dice: &mut Dice) -> String {
    let mut lines = String::new();
    for (name, week) in MEASUREMENTS.iter().flat_map(|name| (-2..6).map(move |week| (name, week))) {
        if week == 0 || dice.below(2) == 0 {
            continue;
        }
        let kind = dice.pick(&["i", "", "", "text", "truth"]);
        for index in 0..1 + dice.below(4) {
            let (time_s, number) =
                (FIRST_WEEK_S + week * WEEK_S + dice.below(600_000), dice.below(100));
            let mut fields = match kind {
                "text" => format!("used=\"s{number}\""),
                "truth" => format!("used={}", number % 2 == 0),
                suffix => format!("used={number}{suffix}"),
            };
            match week {
                2.. => fields += &format!(",late={number}{}", if week % 2 == 0 { "i" } else { "" }),
                ..0 => fields += &format!(",early={number}i"),
                _ => {}
            }
            if dice.below(2) == 0 {
                fields += &format!(",value={}", number as f64 / 2.0);
            }
            let week = if week > 3 { format!(",wk=w{week}") } else { String::new() };
            lines += &format!("{name},host=h{}{week} {fields} {time_s}000000000\n", index % 3);
        }
    }
    lines
}

/// Circlet before two servers, and one server with everything.
struct Both {
    world: World,
    whole: Influxd,
    split: Connection,
    single: Connection,
    refused: BTreeMap<String, u32>,
    same: u32,
}

impl Both {
    fn start() -> Both {
        let databases = ["v", "w", "r"];
        let setup =
            databases.iter().fold(Setup::new().circles(1, 2), |setup, name| setup.database(name));
        let world = setup.start();
        let whole = Influxd::start(world.directory.path(), "whole");
        for name in world.servers().next().expect("there are two").databases() {
            whole.create_database(&name);
        }
        let (split, single) = (world.connect(), Connection::open(whole.address()));
        Both { world, whole, split, single, refused: BTreeMap::new(), same: 0 }
    }

    fn on_all(&self, statement: &str) {
        for server in self.world.servers().chain([&self.whole]) {
            server.query("", statement);
        }
    }

    fn write(&mut self, target: &str, lines: &str) {
        let request = Request::post(target, lines);
        self.split.request(&request).unwrap().expect(204);
        self.single.request(&request).unwrap().expect(204);
    }

    fn write_recorded(&mut self, data: &Value) {
        for statement in data["setup"].as_array().unwrap() {
            self.on_all(statement.as_str().unwrap());
        }
        self.write("/write?db=v", text(data, "lines"));
        for extra in data["extra"].as_array().unwrap() {
            let target = format!("/write?db={}&rp={}", text(extra, "db"), text(extra, "rp"));
            self.write(&target, text(extra, "lines"));
        }
    }

    /// Asks both; panics unless they say the same or Circlet refuses. Whether it refused.
    fn compare(&mut self, request: &Request, what: &str) -> bool {
        let ours = self.split.request(request).unwrap();
        if matches!(ours.status, 422 | 501) {
            let error = ours.header("X-Influxdb-Error").unwrap_or_default().to_owned();
            assert!(!error.is_empty(), "{what}: a refusal says why");
            *self.refused.entry(error).or_default() += 1;
            return true;
        }
        let theirs = self.single.request(request).unwrap();
        let panicked = |answer: &Answer| answer.text().contains("[panic:");
        if panicked(&theirs) || panicked(&ours) {
            // InfluxDB 1.6.7 trips over some type errors, on one server as on several; which ones goes by chance.
            let is_csv = ours.header("Content-Type") == Some("text/csv");
            assert!(is_csv || ours.text().contains("\"error\""), "{what}: {}", ours.text());
            return false;
        }
        let parts = |answer: &Answer| {
            (answer.status, answer.header("Content-Type").map(str::to_owned), answer.text())
        };
        assert_eq!(parts(&ours), parts(&theirs), "{what}");
        self.same += 1;
        false
    }

    /// As JSON and as CSV.
    fn compare_forms(&mut self, request: &Request, what: &str) -> bool {
        let json = self.compare(request, what);
        let csv = self.compare(&request.clone().header("Accept", "text/csv"), what);
        assert_eq!(json, csv, "{what}: refused in one form only");
        json
    }
}

pub fn target(db: &str, params: &[(String, String)], statement: &str) -> String {
    let mut target = format!("/query?q={}", encode(statement));
    if !db.is_empty() {
        target += &format!("&db={}", encode(db));
    }
    for (name, value) in params {
        target += &format!("&{name}={}", encode(value));
    }
    target
}

/// The statement with its letters filled in.
pub fn filled(template: &str, dice: &mut Dice) -> String {
    let mut names = MEASUREMENTS.to_vec();
    let count = dice.pick(&["2", "2", "3", "4"]).parse().unwrap();
    let mut list = Vec::new();
    for _ in 0..count {
        let at = dice.below(i64::try_from(names.len()).unwrap());
        list.push(names.swap_remove(usize::try_from(at).unwrap()));
    }
    let range = |from_s: i64, until_s: i64| format!("time >= {from_s}s AND time < {until_s}s");
    let from_s = BEGIN_S + dice.below(30) * 60;
    let (short_s, long_s) = (60 * (2 + dice.below(4)), 60 * (15 + dice.below(30)));
    let week_s = BEGIN_S + (dice.below(9) - 3) * WEEK_S;
    let weeks_s = WEEK_S * (1 + dice.below(3));
    template
        .replace("%m", &list.join(", "))
        .replace("%r", dice.pick(&EXPRESSIONS))
        .replace("%t", &range(from_s, from_s + long_s))
        .replace("%h", &range(from_s, from_s + short_s))
        .replace("%w", &range(week_s, week_s + weeks_s))
}

/// The URL parameters before a statement.
pub fn split_params(line: &str) -> (Vec<(String, String)>, &str) {
    let Some(rest) = line.strip_prefix('{') else { return (Vec::new(), line) };
    let end = if rest.starts_with("params=") {
        rest.find("}}").unwrap() + 1
    } else {
        rest.find('}').unwrap()
    };
    let pairs = rest[..end].split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    (pairs.collect(), &rest[end + 1..])
}

#[test]
fn two_servers_behind_circlet_answer_as_one_with_everything() {
    let mut both = Both::start();
    let mut dice = Dice(7);
    let recorded = rows("influxql_1_6.jsonl");
    both.write_recorded(&recorded[0]);
    let (dense, sparse) = (dense_lines(&mut dice), sparse_lines(&mut dice));
    both.write("/write?db=r", &dense);
    both.write("/write?db=r", &sparse);
    both.world.wait_drained(seconds(30));
    let held = both.world.servers().map(|server| server.measurements("r").len());
    assert!(held.into_iter().all(|count| (1..8).contains(&count)), "the ring splits them");
    for row in recorded[1..].iter().filter(|row| is_for_reading(row)) {
        let (request, has_form) = recorded_request(row);
        let compare = if has_form { Both::compare } else { Both::compare_forms };
        compare(&mut both, &request, text(row, "name"));
    }
    let lines = STATEMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let (must_refuse, line) = match line.strip_prefix('!') {
            Some(line) => (true, line),
            None => (false, line),
        };
        let (params, template) = split_params(line);
        for _ in 0..if template.contains('%') { 2 } else { 1 } {
            let statement = filled(template, &mut dice);
            let request = Request::get(&target("r", &params, &statement));
            let is_refused = both.compare_forms(&request, &statement);
            assert!(is_refused || !must_refuse, "{statement}");
        }
    }
    println!("{} the same, refused: {:#?}", both.same, both.refused);
    assert!(both.same > 2_000, "{}", both.same);
    let refused: u32 = both.refused.values().sum();
    assert!(refused <= 92, "{refused} refused");
}

/// The request of a recorded row, and whether it says in which form it wants its answer.
fn recorded_request(row: &Value) -> (Request, bool) {
    let params = row["params"].as_object().cloned().unwrap_or_default();
    let value = |name: &str| params.get(name).and_then(Value::as_str).map(str::to_owned);
    let urls = params.keys().filter(|name| !matches!(name.as_str(), "method" | "accept"));
    let urls: Vec<(String, String)> =
        urls.map(|name| (name.clone(), value(name).unwrap())).collect();
    let target = target(text(row, "db"), &urls, text(row, "q"));
    let method = value("method").unwrap_or_else(|| "GET".to_owned());
    let request = Request::new(&method, &target);
    match value("accept") {
        Some(accept) => (request.header("Accept", &accept), true),
        None => (request, false),
    }
}

/// What a proxy that looks for words in a query misses.
#[test]
fn what_a_search_for_words_gets_wrong_is_right_or_refused() {
    const QUERIES: [&str; 22] = [
        "SELECT value FROM cpu,mem LIMIT 2",
        "SELECT value FROM cpu, mem LIMIT 2",
        "SELECT value FROM cpu; SELECT value FROM mem LIMIT 2",
        "SELECT value\nFROM\ncpu LIMIT 2",
        "SELECT value\tFROM\tmem LIMIT 2",
        "SELECT mean(value)FROM cpu",
        "SELECT mean(value)FROM cpu,mem",
        "-- from mem\nSELECT value FROM cpu LIMIT 1",
        "/* from mem */ SELECT value FROM cpu, net LIMIT 1",
        "SELECT value FROM /cpu/ LIMIT 1",
        "SELECT value FROM /cpu|mem/ LIMIT 1",
        "SELECT value FROM \"cpu,mem\"",
        "SELECT max(m) FROM (SELECT mean(value) AS m FROM cpu), (SELECT mean(value) AS m FROM mem)",
        "SELECT value FROM cpu WHERE state = 'from mem' OR value > 100",
        "SHOW MEASUREMENTS WITH MEASUREMENT = cpu",
        "SHOW TAG VALUES WITH KEY = host",
        "SHOW TAG KEYS FROM cpu, mem",
        "SHOW SERIES",
        "SHOW FIELD KEYS FROM /e/",
        "SHOW SERIES EXACT CARDINALITY",
        "EXPLAIN SELECT value FROM cpu, mem, net, disk, io",
        "SELECT value INTO copy FROM cpu, mem",
    ];
    let mut both = Both::start();
    let lines = dense_lines(&mut Dice(3));
    both.write("/write?db=r", &lines);
    both.world.wait_drained(seconds(30));
    for query in QUERIES {
        both.compare_forms(&Request::get(&target("r", &[], query)), query);
    }
    let refused: u32 = both.refused.values().sum();
    assert_eq!((both.same, refused), (40, 4), "{:?}", both.refused);
}
