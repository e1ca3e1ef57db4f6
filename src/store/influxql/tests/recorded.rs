//! Every row of `influxql_1_6.jsonl`, answered from the twin.

use crate::proto::results::Form;
use crate::store::guard::Guard;
use crate::store::influxql::{Question, answer};
use crate::store::store::{Options, Store};
use crate::store::twin::Twin;
use crate::store::view::{Catalog, Change};
use serde_json::Value as Json;

fn rows() -> Vec<Json> {
    let recorded = include_str!("../../../../tests/vectors/influxql_1_6.jsonl");
    recorded.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn question(row: &Json) -> Question {
    let param = |name: &str| row["params"][name].as_str();
    let chunked = param("chunked") == Some("true");
    let form = match param("accept") {
        Some("text/csv" | "application/csv") => Form::Csv,
        _ => Form::Json { pretty: param("pretty") == Some("true"), chunked },
    };
    Question {
        text: row["q"].as_str().unwrap().to_owned(),
        database: row["db"].as_str().unwrap().to_owned(),
        policy: param("rp").unwrap_or_default().to_owned(),
        params: param("params").map(str::to_owned),
        form,
        epoch: param("epoch").map(str::to_owned),
        chunk_size: chunked
            .then(|| param("chunk_size").and_then(|size| size.parse().ok()).unwrap_or(0)),
        now_ns: 1_790_000_000_000_000_000,
        writes_allowed: param("method") == Some("POST"),
    }
}

fn ask(catalog: &dyn Catalog, question: &Question) -> Result<String, String> {
    let mut text = String::new();
    let guard = Guard::new(None, 1 << 30);
    let asked = answer(catalog, question, &guard, &mut |piece| {
        text.push_str(piece);
        Ok(())
    });
    asked.map(|()| text).map_err(|refused| refused.0)
}

fn load(catalog: &dyn Catalog, data: &Json) {
    for statement in data["setup"].as_array().unwrap() {
        let row = serde_json::json!({"q": statement, "db": "", "params": {"method": "POST"}});
        ask(catalog, &question(&row)).unwrap();
    }
    let write = |database: &str, policy: Option<&str>, lines: &str| {
        let lines = lines.as_bytes().to_vec();
        let policy = policy.map(str::to_owned);
        catalog.change(Change::Write { database: database.to_owned(), policy, lines }).unwrap();
    };
    write("v", None, data["lines"].as_str().unwrap());
    for extra in data["extra"].as_array().unwrap() {
        write(
            extra["db"].as_str().unwrap(),
            extra["rp"].as_str(),
            extra["lines"].as_str().unwrap(),
        );
    }
}

fn expected(row: &Json) -> Result<String, String> {
    let body = row["body"].as_str().unwrap().to_owned();
    match row["status"].as_u64() {
        Some(200) => Ok(body),
        _ => Err(match serde_json::from_str::<Json>(&body) {
            Ok(json) => json["error"].as_str().unwrap().to_owned(),
            Err(_) => body.lines().nth(1).unwrap().trim_matches('"').to_owned(),
        }),
    }
}

/// Rows whose answers differ, with the reason. A row that is equal must not stand here.
const DIFFERENT: &[(&str, &str)] = &[];

fn compare(catalog: &dyn Catalog, known: &[(&str, &str)]) {
    let rows = rows();
    let mut wrong = Vec::new();
    for row in &rows[1..] {
        let name = row["name"].as_str().unwrap();
        let (found, expected) = (ask(catalog, &question(row)), expected(row));
        if found != expected {
            let text = |of: &Result<String, String>| match of {
                Ok(text) => text.clone(),
                Err(text) => format!("400 {text}"),
            };
            wrong.push((
                name.to_owned(),
                format!("{}\n  is {}\n  be {}", row["q"], text(&found), text(&expected)),
            ));
        }
    }
    let names: Vec<&str> = wrong.iter().map(|(name, _)| &**name).collect();
    let listed: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let all: String = wrong.iter().map(|(name, text)| format!("{name} {text}\n")).collect();
    assert_eq!(names, listed, "{} of {} differ:\n{all}", wrong.len(), rows.len() - 1);
}

#[test]
fn the_twin_answers_as_recorded() {
    let twin = Twin::default();
    load(&twin, &rows()[0]);
    compare(&twin, DIFFERENT);
}

/// The same out of the engine itself: from memory, and from files.
#[test]
fn the_engine_answers_as_its_twin() {
    for is_flushed in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let mut options = Options::new(directory.path().to_owned());
        options.background = false;
        let engine = Store::open(options).unwrap();
        load(&*engine, &rows()[0]);
        if is_flushed {
            engine.flush().unwrap();
        }
        compare(&*engine, DIFFERENT);
        engine.stop().unwrap();
    }
}

/// Users, continuous queries and subscriptions outlive the process, and their passwords are nowhere.
#[test]
fn what_is_noted_is_there_when_the_store_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Store::open(Options::new(directory.path().to_owned())).unwrap();
    let said = |engine: &Store, text: &str| {
        let row = serde_json::json!({"q": text, "db": "d", "params": {"method": "POST"}});
        ask(engine, &question(&row)).unwrap()
    };
    let engine = open();
    for statement in [
        "CREATE DATABASE d",
        "CREATE USER u WITH PASSWORD 'a secret' WITH ALL PRIVILEGES",
        "CREATE USER w WITH PASSWORD 'another'",
        "GRANT WRITE ON d TO w",
        "CREATE CONTINUOUS QUERY c ON d BEGIN SELECT mean(v) INTO x FROM m GROUP BY time(1m) END",
        "CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ANY 'udp://h:9'",
    ] {
        assert_eq!(said(&engine, statement), "{\"results\":[{\"statement_id\":0}]}\n");
    }
    let shows =
        ["SHOW USERS", "SHOW GRANTS FOR w", "SHOW CONTINUOUS QUERIES", "SHOW SUBSCRIPTIONS"];
    let before = shows.map(|text| said(&engine, text));
    assert!(before[0].contains("[[\"u\",true],[\"w\",false]]"), "{}", before[0]);
    assert!(before[1].contains("[[\"d\",\"WRITE\"]]"), "{}", before[1]);
    assert!(before[2].contains("CREATE CONTINUOUS QUERY c ON d"), "{}", before[2]);
    assert!(before[3].contains("[\"udp://h:9\"]"), "{}", before[3]);
    engine.stop().unwrap();
    drop(engine);
    let catalogue = std::fs::read(directory.path().join("meta/meta.db")).unwrap();
    assert!(!catalogue.windows(8).any(|bytes| bytes == b"a secret"));
    let engine = open();
    assert_eq!(shows.map(|text| said(&engine, text)), before);
    // The same again is no error, another password is.
    let again = said(&engine, "CREATE USER w WITH PASSWORD 'another'");
    assert!(!again.contains("error"), "{again}");
    let other = said(&engine, "CREATE USER w WITH PASSWORD 'wrong'");
    assert!(other.contains("user already exists"), "{other}");
    said(&engine, "DROP DATABASE d");
    assert!(!said(&engine, "SHOW GRANTS FOR w").contains("WRITE"));
    engine.stop().unwrap();
}
