//! Recorded answers, cut into the parts that the owners of their measurements would have sent.

use super::model::{Table, read, sorted, write};
use super::{dialect, merge};
use crate::proto::flux::Names;
use crate::proto::flux::{Measurements, Shape, parse, reads};
use crate::query::flux_body::{Dialect, decode};
use crate::query::merge::flux::Merger;
use serde_json::{Value as Json, json};

fn rows(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'j>(row: &'j Json, name: &str) -> &'j str {
    row[name].as_str().unwrap()
}

/// The dialect as Circlet reads it out of the request.
fn dialect_of(row: &Json) -> Dialect {
    let body = json!({"query": row["query"], "dialect": row["dialect"]}).to_string();
    match row["raw"].as_bool().unwrap() {
        true => Dialect::default(),
        false => decode(None, body.as_bytes()).unwrap().dialect,
    }
}

/// Which of `count` backends owns a measurement, in one of several worlds.
fn owner(measurement: &str, world: usize, count: usize) -> usize {
    let sum: usize = measurement.bytes().map(usize::from).sum();
    (sum / (world + 1) + world) % count
}

fn names_of(row: &Json) -> Option<Names> {
    let file = parse(text(row, "query")).unwrap();
    let found = reads(&file, &[]);
    match found.results.as_slice() {
        [result] if result.parts.iter().all(|(_, of)| *of == Measurements::All) => {
            match result.shape {
                Shape::Names(names) => Some(names),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The parts of a list of names: each name lies on one backend at least, some on more.
fn cut_names(whole: &[Table], world: usize, count: usize) -> Vec<Vec<Table>> {
    let part = |at: usize| {
        let has = move |name: &str| {
            name.starts_with('_') || owner(name, world, count) == at || name.len() % count == at
        };
        whole.iter().map(move |table| {
            let mut table = table.clone();
            table.rows.retain(|row| has(&row[0]));
            table
        })
    };
    (0..count).map(|at| part(at).collect()).collect()
}

fn cut(whole: &[Table], world: usize, count: usize) -> Vec<Vec<Table>> {
    let of = |at: usize| {
        let own = move |table: &&Table| owner(table.measurement(), world, count) == at;
        whole.iter().filter(own).cloned().collect()
    };
    (0..count).map(of).collect()
}

#[test]
fn answers_cut_by_owners_become_the_recorded_answer_again() {
    let mut merged_rows = 0;
    for row in rows(include_str!("../../../../../tests/vectors/flux_2_7.jsonl")) {
        let (name, class) = (text(&row, "name"), text(&row, "class"));
        if class == "refuse" || row["status"] != 200 {
            continue;
        }
        let dialect = dialect_of(&row);
        let delimiter = u8::try_from(dialect.delimiter).unwrap();
        let recorded = text(&row, "csv").to_owned();
        let whole = read(&recorded, dialect.delimiter);
        for world in 0..3 {
            let count = if matches!(class, "owner" | "any") { 1 } else { 2 + world % 3 };
            let names = names_of(&row).filter(|_| class == "schema");
            let parts = match names {
                Some(_) => cut_names(&whole, world, count),
                None => cut(&whole, world, count),
            };
            let parts: Vec<String> =
                parts.iter().map(|part| write(part, dialect.delimiter)).collect();
            let bytes: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
            let merger = match names {
                Some(names) => Merger::names(&dialect, delimiter, count, names),
                None => Merger::tables(&dialect, delimiter, count),
            };
            let (merged, end) = merge(merger, &bytes, &[1 + 7 * world, 3, 64 * world + 1]);
            assert_eq!(end, Ok(()), "{name}");
            let found = read(&merged, dialect.delimiter);
            match class {
                "schema" => assert_eq!(found, whole, "{name} {world}"),
                _ => assert_eq!(sorted(found), sorted(whole.clone()), "{name} {world}"),
            }
        }
        merged_rows += 1;
    }
    assert_eq!(merged_rows, 125);
}

#[test]
fn one_answer_alone_comes_out_as_it_was() {
    for row in rows(include_str!("../../../../../tests/vectors/flux_2_7.jsonl")) {
        let recorded = text(&row, "csv");
        if row["status"] != 200 || dialect_of(&row) != dialect() {
            continue;
        }
        let merger = Merger::tables(&dialect(), b',', 1);
        let (merged, end) = merge(merger, &[recorded.as_bytes()], &[1000]);
        assert_eq!((merged.as_str(), end), (recorded, Ok(())), "{}", text(&row, "name"));
    }
}

fn body<'j>(rows: &'j [Json], name: &str) -> &'j str {
    let found = rows.iter().find(|row| row["name"] == name);
    text(found.unwrap_or_else(|| panic!("no row {name}")), "body")
}

/// The bodies that real clients were given, made by merging the bodies of two backends.
#[test]
fn what_clients_were_seen_to_read_right_is_what_comes_out() {
    let rows = rows(include_str!("../../../../../tests/vectors/flux_csv_merge.jsonl"));
    let body = |name: &str| body(&rows, name);
    let of_two = |name: &str| {
        let whole = body(name);
        let second = whole.rfind("#datatype").unwrap();
        (whole[..second].to_owned(), whole[second..].to_owned())
    };
    let merged = |first: &str, second: &str| {
        let merger = Merger::tables(&dialect(), b',', 2);
        let (merged, end) = merge(merger, &[first.as_bytes(), second.as_bytes()], &[5, 1, 100]);
        assert_eq!(end, Ok(()));
        merged
    };
    let (first, second) = of_two("concat_raw");
    assert_eq!(first, body("A_alone"));
    assert_eq!(merged(&first, &second), body("concat_renumbered_blank"));
    assert_eq!(merged(&second, &first), body("concat_renumbered_blank"));
    assert_eq!(merged(&first, body("empty_result")), body("A_alone"));
    assert_eq!(merged(body("empty_body"), &first), body("A_alone"));
    assert_eq!(merged(body("empty_result"), body("empty_result")), body("empty_result"));
    assert_eq!(merged(body("lf_only"), body("empty_body")), body("A_alone"));
    assert_eq!(merged(body("three_blank"), body("empty_body")), body("concat_renumbered_blank"));
}

#[test]
fn a_type_of_its_own_gets_a_block_of_its_own() {
    let rows = rows(include_str!("../../../../../tests/vectors/flux_csv_merge.jsonl"));
    let whole = body(&rows, "type_change_blank");
    let (first, second) = whole.split_at(whole.rfind("#datatype").unwrap());
    let merger = Merger::tables(&dialect(), b',', 2);
    let (merged, _) = merge(merger, &[first.as_bytes(), second.as_bytes()], &[9]);
    assert_eq!(merged, body(&rows, "type_change_renumbered"));
}
