//! A store alone answers as real servers were recorded to answer, row after row. Every difference that we keep
//! stands in `docs/store.md` with its reason, but for those of the checks that gateways have, too
//! (`docs/http-api.md`); a line there that does not describe a real difference fails, too.

use crate::support::prelude::*;
use crate::support::recorded::{Difference, listed, names, replay};
use crate::support::store::StoreServer;
use crate::support::vectors::{root, rows, text};
use crate::support::world::directory;
use std::collections::{BTreeMap, BTreeSet};

const V1: &str = "influxdb_1_6_http.jsonl";
const V2: &str = "influxdb_2_7_http.jsonl";

/// A row, the recorded status and ours, and the fields that differ.
type Row = (String, String, String, String);

/// The differences that the gateway's page does not list, a row each.
fn kept(file: &str, rows: &[Value], found: &BTreeSet<Difference>) -> BTreeSet<Row> {
    let shared = listed("docs/http-api.md", file, &names(rows));
    let mut kept: BTreeMap<&str, Row> = BTreeMap::new();
    for difference in found.difference(&shared) {
        let (_, name, field, recorded, ours) = difference;
        let row = kept.entry(name).or_insert_with(|| {
            let of_row = |row: &&Value| text(row, "name") == name;
            let row = rows.iter().find(of_row).expect("it was asked");
            let status = text(&row["response"], "status_line").split(' ').nth(1);
            let status = status.expect("a status").to_owned();
            (name.clone(), status.clone(), status, String::new())
        });
        if field == "status" {
            (row.1, row.2) = (recorded.clone(), ours.clone());
        }
        if !row.3.is_empty() {
            row.3.push_str(", ");
        }
        row.3.push_str(field);
    }
    kept.into_values().collect()
}

/// `| file | row | recorded | ours | differs | why |`.
fn told(file: &str) -> BTreeSet<Row> {
    let path = root().join("docs/store.md");
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut told = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with(&format!("| {file} |"))) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, name, recorded, ours, fields, why] = cells[..] else {
            panic!("not six cells: {line}")
        };
        assert!(why.len() > 10, "a difference without a reason: {line}");
        told.insert((name.into(), recorded.into(), ours.into(), fields.into()));
    }
    told
}

fn check(store: &StoreServer, file: &str, left_out: &[&str], count: usize) {
    let is_asked = |row: &Value| !left_out.iter().any(|start| text(row, "name").starts_with(start));
    let rows: Vec<Value> = rows(file).into_iter().filter(is_asked).collect();
    assert_eq!(rows.len(), count);
    let found = replay(|| store.connect(), file, &rows);
    if std::env::var_os("SHOW_DIFFERENCES").is_some() {
        for difference in &found {
            eprintln!("{difference:?}");
        }
    }
    let (kept, told) = (kept(file, &rows, &found), told(file));
    let show = |(name, recorded, ours, fields): &Row| {
        format!("| {file} | {name} | {recorded} | {ours} | {fields} | ? |\n")
    };
    let new: String = kept.difference(&told).map(show).collect();
    let gone: String = told.difference(&kept).map(show).collect();
    assert!(new.is_empty() && gone.is_empty(), "not listed:\n{new}\nlisted, but no more:\n{gone}");
}

#[test]
fn a_store_alone_answers_as_1_6_was_recorded() {
    // Rows of a server with users, and one whose limit was reached on purpose.
    let store = StoreServer::start();
    // What the recorded server held before its first row, as later rows tell.
    store.query("", "CREATE DATABASE p1").expect(200);
    store.write("p1", "cpu usage=\"s\" 1\na v=2 2\nok v=1 1\nps v=1 1\nfine v=1 3").expect(204);
    check(&store, V1, &["auth_", "throttle_"], 154);
}

#[test]
fn a_store_alone_answers_as_2_7_was_recorded() {
    const TOKEN: &str = "123456-circlet-test-token";
    let directory = directory();
    std::fs::write(directory.path().join("tokens"), format!("# whose\n{TOKEN}\n")).unwrap();
    let store = StoreServer::start_in(directory, &["--tokens-file", "tokens", "--org", "klec-org"]);
    // What the set-up of 2.7 makes.
    let bucket = serde_json::json!({ "name": "klec-bucket", "orgID": "" }).to_string();
    let request = Request::post("/api/v2/buckets", bucket);
    store.ask(&request.header("Authorization", &format!("Token {TOKEN}"))).expect(201);
    check(&store, V2, &[], 185);
}
