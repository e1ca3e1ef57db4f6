//! The answers of a real InfluxDB 2.7 over one set of data.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{asked_in, store};
use crate::proto::annotated::{Annotation, Cells, Decoder, Dialect, Event, unquoted};
use crate::proto::line::Precision;
use crate::store::store::{Options, Store, WriteRequest};
use crate::store::view::{Catalog, Change};

const DATA: &str = include_str!("../../../../tests/vectors/flux_2_7_data.lp");
const ROWS: &str = include_str!("../../../../tests/vectors/flux_2_7.jsonl");

/// What cannot be equal, and why. A row that is equal after all must not stand here.
const DIFFERENT: [(&str, &str); 0] = [];

/// A table by its result and its place or key; columns by name, with type, key mark and cells.
#[derive(Debug, PartialEq)]
struct Shown {
    columns: Vec<(String, String, String)>,
    rows: Vec<BTreeMap<String, String>>,
}

/// A table that is being read: its result, header, marks of groups, defaults, and what it shows.
type Open = (String, Vec<String>, Vec<String>, Vec<String>, Shown);

fn cells(row: &[u8], delimiter: u8) -> Vec<String> {
    let text = |cell| String::from_utf8(unquoted(cell).into_owned()).unwrap();
    Cells::new(row, delimiter).map(text).collect()
}

fn annotation(row: &Option<Vec<u8>>, delimiter: u8, width: usize) -> Vec<String> {
    match row {
        Some(row) => cells(row, delimiter),
        None => vec![String::new(); width],
    }
}

/// The tables of each result, by their group key.
fn tables(body: &str, delimiter: u8) -> BTreeMap<String, BTreeMap<String, Shown>> {
    let mut decoder = Decoder::new(delimiter);
    decoder.push(body.as_bytes());
    decoder.end();
    let mut results: BTreeMap<String, BTreeMap<String, Shown>> = BTreeMap::new();
    let mut open: Option<Open> = None;
    let mut close = |open: &mut Option<Open>| {
        if let Some((result, header, groups, defaults, shown)) = open.take() {
            let value = |at: usize| match shown.rows.first() {
                Some(row) => row[&header[at]].clone(),
                None => defaults[at].clone(),
            };
            let key: Vec<String> = (3..header.len())
                .filter(|at| groups[*at] == "true")
                .map(|at| format!("{}={}", header[at], value(at)))
                .collect();
            let tables = results.entry(result).or_default();
            let again = tables.insert(key.join(","), shown);
            assert!(again.is_none() || groups.iter().all(String::is_empty), "{key:?} twice");
        }
    };
    let mut count = 0;
    loop {
        match decoder.event().unwrap() {
            Event::Table { result, block, .. } => {
                close(&mut open);
                let header = cells(&block.header, delimiter);
                let width = header.len();
                let types = annotation(&block.datatype, delimiter, width);
                let groups = annotation(&block.group, delimiter, width);
                let defaults = annotation(&block.default, delimiter, width);
                let columns = (3..width)
                    .map(|at| (header[at].clone(), types[at].clone(), groups[at].clone()))
                    .collect();
                // Without marks of groups a table is known by its place.
                let mut result = String::from_utf8(result).unwrap();
                if block.group.is_none() {
                    result.push_str(&format!("/{count}"));
                    count += 1;
                }
                open = Some((result, header, groups, defaults, Shown { columns, rows: vec![] }));
            }
            Event::Row(row) => {
                let (_, header, .., shown) = open.as_mut().unwrap();
                // The delimiter stands before the first cell.
                let row = cells(&row[1..], delimiter);
                shown.rows.push(header[3..].iter().cloned().zip(row).collect());
            }
            Event::Error { message, .. } => panic!("{}", String::from_utf8_lossy(&message)),
            Event::More => unreachable!("all is there"),
            Event::End => break,
        }
    }
    close(&mut open);
    results
}

fn dialect(row: &Value) -> Dialect {
    let said = &row["dialect"];
    if row["raw"].as_bool() == Some(true) {
        return Dialect::default();
    }
    let names = said["annotations"].as_array().unwrap();
    Dialect {
        has_header: said["header"].as_bool().unwrap_or(true),
        delimiter: said["delimiter"].as_str().unwrap_or(",").as_bytes()[0],
        annotations: names
            .iter()
            .map(|name| Annotation::named(name.as_str().unwrap()).unwrap())
            .collect(),
    }
}

/// Nothing if ours is the same; else what is not.
fn difference(row: &Value, ours: Result<String, super::Refused>, delimiter: u8) -> Option<String> {
    let (status, body) = (row["status"].as_u64().unwrap(), row["csv"].as_str().unwrap());
    let ours = match (ours, status) {
        (Ok(ours), 200) => ours,
        (Ok(_), _) => return Some("ours answers".to_owned()),
        (Err(refused), 200) => return Some(format!("refused: {refused}")),
        (Err(refused), _) => {
            let said: Value = serde_json::from_str(body).unwrap();
            let same = said["message"] == *refused.message;
            return (!same).then(|| format!("{} instead of {}", refused.message, said["message"]));
        }
    };
    if ours == body {
        return None;
    }
    let is_raw = row["raw"].as_bool() == Some(true);
    // A vectorised map gives its new columns in any order, and several results come in any order.
    let is_random = row["name"] == "map_rename"
        || body.matches("#default,").count() > 1 && tables(body, delimiter).len() > 1;
    let (theirs, mine) = (tables(body, delimiter), tables(&ours, delimiter));
    if theirs.keys().ne(mine.keys()) {
        return Some(format!("results {:?} instead of {:?}", mine.keys(), theirs.keys()));
    }
    for (result, tables) in &theirs {
        let own = &mine[result];
        if tables.keys().ne(own.keys()) {
            return Some(format!(
                "{result}: tables {:#?}\ninstead of {:#?}",
                own.keys(),
                tables.keys()
            ));
        }
        for (key, table) in tables {
            let own = &own[key];
            let sorted = |columns: &[(String, String, String)]| {
                let mut columns = columns.to_vec();
                columns.sort();
                columns
            };
            if sorted(&own.columns) != sorted(&table.columns) {
                return Some(format!(
                    "{result} {key}: columns {:?}\ninstead of {:?}",
                    own.columns, table.columns
                ));
            }
            if let Some((mine, theirs)) = own.rows.iter().zip(&table.rows).find(|(a, b)| a != b) {
                return Some(format!("{result} {key}: row {mine:?}\ninstead of {theirs:?}"));
            }
            if own.rows.len() != table.rows.len() {
                return Some(format!(
                    "{result} {key}: {} rows instead of {}",
                    own.rows.len(),
                    table.rows.len()
                ));
            }
        }
    }
    (is_raw || !is_random)
        .then(|| format!("the same tables, but other bytes:\n{ours}\n--- instead of\n{body}"))
}

/// Asks every row, and says how many answers are the same; one that is wrong is an error.
fn ask_all(catalog: &dyn Catalog) {
    let (mut same, mut all) = (0, 0);
    let mut wrong = Vec::new();
    for line in ROWS.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let name = row["name"].as_str().unwrap();
        let dialect = dialect(&row);
        let delimiter = dialect.delimiter;
        let ours = asked_in(catalog, row["query"].as_str().unwrap(), dialect);
        let difference = difference(&row, ours, delimiter);
        all += 1;
        same += usize::from(difference.is_none());
        let listed = DIFFERENT.iter().any(|(known, _)| *known == name);
        match difference {
            Some(why) if !listed => wrong.push(format!("{name} ({}): {why}", row["store"])),
            None if listed => wrong.push(format!("{name} is listed as different and is the same")),
            _ => {}
        }
    }
    println!("{same} of {all} answers are the same");
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n\n"));
    assert_eq!(all, 135);
}

#[test]
fn answers_are_those_of_a_real_server() {
    ask_all(&store("flux", DATA));
}

/// The same out of the engine itself: from memory, and from files.
#[test]
fn the_engine_answers_as_its_twin() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path().to_owned());
    options.background = false;
    let engine = Store::open(options).unwrap();
    let change = Change::CreateDatabase { database: "flux".to_owned(), policy: None };
    engine.change(change).unwrap();
    let request = WriteRequest {
        database: "flux",
        policy: None,
        precision: Precision::Nanoseconds,
        unsigned: true,
        all_or_nothing: false,
        body: DATA.as_bytes(),
        now_ns: super::NOW_NS,
    };
    engine.write(request).unwrap();
    ask_all(&*engine);
    engine.flush().unwrap();
    ask_all(&*engine);
    engine.stop().unwrap();
}
