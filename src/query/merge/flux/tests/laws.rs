//! Any split of any tables gives back the same tables; whatever goes wrong is said.

use super::model::{Column, Table, read, sorted, write};
use super::{dialect, merge};
use crate::proto::flux::Names;
use crate::query::flux_body::Dialect;
use crate::query::merge::flux::{Merger, Step};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{1,2}",
        "[a-c#\", ;_-]{1,4}",
        Just("\r\n#group,\r\n".to_owned()),
        Just("ä".to_owned()),
    ]
}

/// The tables of one measurement in each result: their schemas differ, their keys do, too.
fn tables(measurement: String) -> impl Strategy<Value = Vec<Table>> {
    let value = prop_oneof![Just(String::new()), names()];
    let rows = proptest::collection::vec(value, 0..4);
    let table = (prop_oneof![Just("x"), Just("y y")], any::<bool>(), rows);
    proptest::collection::vec(table, 0..5).prop_map(move |drawn| {
        let made = drawn.into_iter().enumerate().map(|(at, (result, is_float, values))| {
            let column = |label: &str, datatype: &str, is_key| Column {
                label: label.to_owned(),
                datatype: datatype.to_owned(),
                is_key,
            };
            let datatype = if is_float { "double" } else { "string" };
            let columns = vec![
                column("_measurement", "string", true),
                column("n", "long", true),
                column("_value", datatype, false),
            ];
            let key = vec![measurement.clone(), at.to_string(), String::new()];
            let row = |value: &String| vec![key[0].clone(), key[1].clone(), value.clone()];
            let rows: Vec<_> = values.iter().map(row).collect();
            let key = rows.first().cloned().unwrap_or(key);
            Table { result: result.to_owned(), columns, rows, key }
        });
        let mut made: Vec<Table> = made.collect();
        made.sort_by(|a, b| a.result.cmp(&b.result));
        made
    })
}

/// What each backend holds, and in which order it sends its results.
fn backends() -> impl Strategy<Value = Vec<Vec<Table>>> {
    let measurements = proptest::collection::btree_set(names(), 0..6);
    let measurements = measurements
        .prop_flat_map(|names: BTreeSet<String>| names.into_iter().map(tables).collect::<Vec<_>>());
    (measurements, 1..4_usize, any::<[bool; 4]>()).prop_map(|(measurements, count, turned)| {
        let mut backends = vec![vec![]; count];
        for (at, tables) in measurements.into_iter().enumerate() {
            backends[at % count].extend(tables);
        }
        for (backend, turned) in backends.iter_mut().zip(turned) {
            backend.sort_by(|a: &Table, b: &Table| match turned {
                false => a.result.cmp(&b.result),
                true => b.result.cmp(&a.result),
            });
        }
        backends
    })
}

proptest! {
    #[test]
    fn any_split_of_any_tables_gives_back_the_same_tables(
        backends in backends(),
        delimiter in prop_oneof![Just(','), Just(';'), Just('\t')],
        with_default in any::<bool>(),
        sizes in proptest::collection::vec(1..40_usize, 1..4),
    ) {
        let mut client = Dialect { delimiter, ..dialect() };
        if !with_default {
            client.annotations = vec!["group".to_owned(), "datatype".to_owned()];
        }
        let whole: Vec<Table> = backends.iter().flatten().cloned().collect();
        let answers: Vec<String> = backends.iter().map(|part| write(part, delimiter)).collect();
        let answers: Vec<&[u8]> = answers.iter().map(String::as_bytes).collect();
        let byte = u8::try_from(delimiter).unwrap();
        let merger = Merger::tables(&client, byte, answers.len());
        let (merged, end) = merge(merger, &answers, &sizes);
        prop_assert_eq!(end, Ok(()));
        let found = read(&merged, delimiter);
        // Without `#default` an empty table says neither its key nor its result.
        let whole: Vec<Table> = whole
            .into_iter()
            .filter(|table| with_default || !table.rows.is_empty())
            .collect();
        let found: Vec<Table> = found
            .into_iter()
            .filter(|table| with_default || !table.rows.is_empty())
            .collect();
        let results: Vec<&str> = found.iter().map(|table| table.result.as_str()).collect();
        let changes = results.windows(2).filter(|pair| pair[0] != pair[1]).count();
        prop_assert!(changes < 2, "{results:?}");
        prop_assert_eq!(sorted(found), sorted(whole));
    }

    #[test]
    fn no_bytes_panic(
        answers in proptest::collection::vec("[a,\"\r\n#_]{0,40}|#default,_result,\r\n,result,table,a\r\n,,0,1\r\n", 1..4),
        sizes in proptest::collection::vec(1..9_usize, 1..3),
    ) {
        let answers: Vec<&[u8]> = answers.iter().map(String::as_bytes).collect();
        for names in [None, Some(Names::default())] {
            let merger = match names {
                Some(names) => Merger::names(&dialect(), b',', answers.len(), names),
                None => Merger::tables(&dialect(), b',', answers.len()),
            };
            drop(merge(merger, &answers, &sizes));
        }
    }
}

const A: &str = "#datatype,string,long,string,long\r\n#group,false,false,true,false\r\n\
    #default,_result,,,\r\n,result,table,_measurement,_value\r\n,,0,a,1\r\n,,0,a,2\r\n\r\n";

const ERROR: &str = "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,\"b, \"\"oom\"\"\",897\r\n";

fn of_b() -> String {
    A.replace(",a,", ",b,")
}

#[test]
fn a_failure_in_an_answer_is_the_end_of_the_whole_one() {
    let merger = Merger::tables(&dialect(), b',', 2);
    let answers = [A.as_bytes(), &[of_b().as_bytes(), b"\r\n", ERROR.as_bytes()].concat()];
    let (merged, end) = merge(merger, &answers, &[11]);
    assert_eq!(end, Ok(()));
    assert!(merged.starts_with(A.trim_end()), "{merged}");
    assert!(merged.ends_with(&format!("2\r\n\r\n{ERROR}")), "{merged}");
    let merger = Merger::tables(&dialect(), b',', 2);
    let (merged, end) = merge(merger, &[A.as_bytes(), ERROR.as_bytes()], &[11]);
    assert_eq!((merged.as_str(), end), (ERROR, Ok(())));
    let bare = Dialect { header: false, ..Dialect::default() };
    let (merged, end) = merge(Merger::tables(&bare, b',', 1), &[ERROR.as_bytes()], &[11]);
    assert_eq!(merged, ",\"b, \"\"oom\"\"\",897\r\n");
    assert_eq!(end, Err("b, \"oom\"".to_owned()));
}

#[test]
fn an_answer_that_breaks_off_never_looks_whole() {
    let mut merger = Merger::tables(&dialect(), b',', 2);
    merger.push(0, &A.as_bytes()[..A.len() - 4]);
    assert_eq!(merger.step(), Step::Want(1));
    merger.end(1);
    assert!(matches!(merger.step(), Step::Out(_)));
    assert_eq!(merger.step(), Step::Want(0));
    merger.fail("gone");
    let Step::Out(bytes) = merger.step() else { panic!() };
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.ends_with(",error,reference\r\n,gone,\r\n"), "{text}");
    assert_eq!(merger.step(), Step::Broken("gone".to_owned()));
}

#[test]
fn what_fails_before_the_first_byte_writes_nothing() {
    let mut merger = Merger::tables(&dialect(), b',', 2);
    merger.push(0, A.as_bytes());
    assert_eq!(merger.step(), Step::Want(1));
    merger.fail("gone");
    assert_eq!(merger.step(), Step::Broken("gone".to_owned()));
}

#[test]
fn a_client_without_annotations_reads_names_and_numbers_in_its_rows() {
    let plain = Dialect::default();
    let b = of_b();
    let (merged, _) = merge(Merger::tables(&plain, b',', 2), &[A.as_bytes(), b.as_bytes()], &[7]);
    let head = ",result,table,_measurement,_value\r\n";
    let rows =
        |name: &str, at: u8| format!(",_result,{at},{name},1\r\n,_result,{at},{name},2\r\n\r\n");
    assert_eq!(merged, format!("{head}{}{head}{}", rows("a", 0), rows("b", 1)));
    let bare = Dialect { header: false, ..Dialect::default() };
    let (merged, _) = merge(Merger::tables(&bare, b',', 2), &[A.as_bytes(), b.as_bytes()], &[7]);
    assert_eq!(merged, format!("{}{}", rows("a", 0), rows("b", 1)));
}

/// A list of names as a backend sends it.
fn list(names: &[&str]) -> String {
    let rows: String = names.iter().map(|name| format!(",,0,{name}\r\n")).collect();
    format!(
        "#datatype,string,long,string\r\n#group,false,false,false\r\n#default,_result,,\r\n\
         ,result,table,_value\r\n{rows}\r\n"
    )
}

fn union(names: Names, answers: &[&str]) -> String {
    let answers: Vec<&[u8]> = answers.iter().map(|answer| answer.as_bytes()).collect();
    let (merged, end) =
        merge(Merger::names(&dialect(), b',', answers.len(), names), &answers, &[9]);
    assert_eq!(end, Ok(()));
    merged
}

#[test]
fn names_are_a_set_in_the_order_of_one_server() {
    let (a, b) = (list(&["a", "\"b,c\"", "z"]), list(&["B", "\"b,c\"", "ä"]));
    let whole = list(&["B", "a", "\"b,c\"", "z", "ä"]);
    assert_eq!(union(Names::default(), &[&a, &b]), whole);
    assert_eq!(union(Names::default(), &[&b, "\r\n", &a]), whole);
    let cut = Names { limit: Some(2), ..Names::default() };
    assert_eq!(union(cut, &[&a, &b]), list(&["B", "a"]));
    let keys = Names { keys: true, ..Names::default() };
    let first = list(&["_start", "_stop", "_field", "_measurement", "host"]);
    let second = list(&["_start", "_stop", "_field", "_measurement", "A"]);
    let whole = list(&["_start", "_stop", "_field", "_measurement", "A", "host"]);
    assert_eq!(union(keys, &[&first, &second]), whole);
    let sorted = Names { limit: Some(5), sorted: true, ..keys };
    let whole = list(&["A", "_field", "_measurement", "_start", "_stop"]);
    assert_eq!(union(sorted, &[&first, &second]), whole);
}

#[test]
fn names_that_nobody_has_are_an_empty_table_or_none() {
    let empty = list(&[]).replace("#default,_result,,", "#default,_result,0,");
    assert_eq!(union(Names::default(), &[&empty, "\r\n", &empty]), empty);
    assert_eq!(union(Names::default(), &["\r\n", "\r\n"]), "\r\n");
    assert_eq!(union(Names::default(), &[&empty, &list(&["a"])]), list(&["a"]));
}

#[test]
fn a_failure_among_names_is_passed_on() {
    let merger = Merger::names(&dialect(), b',', 2, Names::default());
    let (merged, end) = merge(merger, &[list(&["a"]).as_bytes(), ERROR.as_bytes()], &[30]);
    assert_eq!((merged.as_str(), end), (ERROR, Ok(())));
    let merger = Merger::names(&dialect(), b',', 1, Names::default());
    let (merged, end) = merge(merger, &[A.as_bytes()], &[30]);
    assert_eq!(merged, "");
    assert!(end.unwrap_err().contains("_value"));
}

#[test]
fn results_that_wait_for_each_other_are_bounded() {
    let wide = "w".repeat(1 << 20);
    let row = format!(",,0,a,{wide}\r\n");
    let x = A.replace("_result", "x");
    let y = A.replace("_result", "y").replace(",,0,a,1\r\n", &row.repeat(17));
    // The first answer has only `x`; the second could have more of it behind all of `y`.
    let merger = Merger::tables(&dialect(), b',', 2);
    let (merged, end) = merge(merger, &[x.as_bytes(), y.as_bytes()], &[1 << 16]);
    assert!(end.unwrap_err().contains("one result at a time"));
    assert!(merged.contains(",error,reference\r\n"), "it says so");
}
