//! InfluxQL of the embedded store beside a real influxd 1.6.7 with the same random points: the same bytes, as JSON and
//! as CSV.

use crate::merged::{Dice, STATEMENTS, dense_lines, filled, sparse_lines, split_params, target};
use crate::support::prelude::*;
use crate::support::store::StoreServer;
use std::collections::BTreeMap;

/// Statements whose answers differ, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("EXPLAIN ANALYZE SELECT value FROM /./", "it tells how long each part of that server took"),
    ("EXPLAIN SELECT value FROM /./", "what is in memory and what in files is not told"),
    ("SHOW DIAGNOSTICS", "it describes the process and its configuration"),
    (
        "SHOW FIELD KEYS ORDER BY time DESC",
        "InfluxDB walks its windows backwards without merging their lists",
    ),
    ("SHOW QUERIES", "numbers of queries, and how long they have been running"),
    ("SHOW STATS", "it counts what the parts of that server have done"),
];

struct Beside {
    _directory: tempfile::TempDir,
    _store: StoreServer,
    _server: Influxd,
    ours: Connection,
    theirs: Connection,
    same: u32,
    differ: BTreeMap<String, String>,
}

impl Beside {
    fn start() -> Beside {
        let directory = crate::support::world::directory();
        let (store, server) = (StoreServer::start(), Influxd::start(directory.path(), "real"));
        let (ours, theirs) = (Connection::open(store.address), Connection::open(server.address()));
        let mut both = Beside {
            _directory: directory,
            _store: store,
            _server: server,
            ours,
            theirs,
            same: 0,
            differ: BTreeMap::new(),
        };
        both.send(&Request::post("/query?q=CREATE+DATABASE+r", ""), 200);
        both
    }

    fn send(&mut self, request: &Request, status: u16) {
        for connection in [&mut self.ours, &mut self.theirs] {
            connection.request(request).unwrap().expect(status);
        }
    }

    fn compare(&mut self, request: &Request, what: &str) {
        let [ours, theirs] = [&mut self.ours, &mut self.theirs]
            .map(|connection| connection.request(request).unwrap());
        if theirs.text().contains("[panic:") {
            // InfluxDB 1.6.7 trips over some type errors; which ones goes by chance.
            return;
        }
        let parts = |answer: &Answer| {
            (answer.status, answer.header("Content-Type").map(str::to_owned), answer.text())
        };
        if parts(&ours) == parts(&theirs) {
            self.same += 1;
            return;
        }
        let short = |answer: &Answer| answer.text().chars().take(600).collect::<String>();
        let text = format!(
            "  ours:   {} {}\n  theirs: {} {}",
            ours.status,
            short(&ours),
            theirs.status,
            short(&theirs)
        );
        self.differ.entry(what.to_owned()).or_insert(text);
    }
}

#[test]
fn a_store_answers_random_questions_as_a_real_server_beside_it() {
    let mut both = Beside::start();
    let mut dice = Dice(11);
    for lines in [dense_lines(&mut dice), sparse_lines(&mut dice)] {
        // What a field of another type refuses is refused by both.
        let request = Request::post("/write?db=r", lines);
        let [ours, theirs] = [&mut both.ours, &mut both.theirs]
            .map(|connection| connection.request(&request).unwrap());
        assert_eq!((ours.status, ours.text()), (theirs.status, theirs.text()));
    }
    let lines = STATEMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let (params, template) = split_params(line.strip_prefix('!').unwrap_or(line));
        for _ in 0..if template.contains('%') { 2 } else { 1 } {
            let statement = filled(template, &mut dice);
            let request = Request::get(&target("r", &params, &statement));
            both.compare(&request, &statement);
            both.compare(&request.clone().header("Accept", "text/csv"), &statement);
        }
    }
    let known = |statement: &String| DIFFERENT.iter().any(|(name, _)| name == statement);
    let new: Vec<_> = both.differ.iter().filter(|(statement, _)| !known(statement)).collect();
    let report: String =
        new.iter().map(|(statement, text)| format!("{statement}\n{text}\n")).collect();
    assert!(new.is_empty(), "{} the same, {} differ:\n{report}", both.same, new.len());
    let gone = DIFFERENT.iter().filter(|(name, _)| !both.differ.contains_key(*name));
    assert_eq!(gone.count(), 0, "listed, but no longer different");
    assert!(both.same > 800, "{}", both.same);
}
