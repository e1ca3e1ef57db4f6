//! Scripts run by a small model of Flux, once over all rows and once over each measurement's rows alone: where
//! the planner says that tables may be put side by side, both come to the same tables.

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

use super::super::{Shape, parse, reads};

type Row = BTreeMap<&'static str, String>;

/// Tables by their group keys, in the order of the keys.
type Stream = BTreeMap<Row, Vec<Row>>;

#[derive(Clone, Debug)]
enum Stage {
    Filter(&'static str, String),
    Group(Vec<&'static str>),
    Except(Vec<&'static str>),
    Keep(Vec<&'static str>),
    Drop(Vec<&'static str>),
    Rename(&'static str, &'static str),
    Set(&'static str, String),
    Duplicate(&'static str, &'static str),
    MapWith(&'static str, String),
    MapOnly(Vec<&'static str>),
    Sort(&'static str),
    Limit(usize),
    Count,
    Distinct(&'static str),
}

impl Stage {
    fn text(&self) -> String {
        match self {
            Stage::Filter(column, value) => format!("filter(fn: (r) => r.{column} == {value:?})"),
            Stage::Group(columns) => format!("group(columns: {columns:?})"),
            Stage::Except(columns) => format!("group(columns: {columns:?}, mode: \"except\")"),
            Stage::Keep(columns) => format!("keep(columns: {columns:?})"),
            Stage::Drop(columns) => format!("drop(columns: {columns:?})"),
            Stage::Rename(from, to) => format!("rename(columns: {{{from}: {to:?}}})"),
            Stage::Set(column, value) => format!("set(key: {column:?}, value: {value:?})"),
            Stage::Duplicate(from, to) => format!("duplicate(column: {from:?}, as: {to:?})"),
            Stage::MapWith(column, value) => {
                format!("map(fn: (r) => ({{r with {column}: {value:?}}}))")
            }
            Stage::MapOnly(columns) => {
                let fields: Vec<_> =
                    columns.iter().map(|name| format!("{name}: r.{name}")).collect();
                format!("map(fn: (r) => ({{{}}}))", fields.join(", "))
            }
            Stage::Sort(column) => format!("sort(columns: [{column:?}])"),
            Stage::Limit(count) => format!("limit(n: {count})"),
            Stage::Count => "count()".to_owned(),
            Stage::Distinct(column) => format!("distinct(column: {column:?})"),
        }
    }

    fn run(&self, before: &Stream) -> Stream {
        let mut after = Stream::new();
        for (key, rows) in before {
            let keyed = |name: &str| key.contains_key(name);
            match self {
                Stage::Filter(column, value) => {
                    let rows = rows.iter().filter(|row| row.get(column) == Some(value));
                    put(&mut after, rows.map(|row| (key.clone(), row.clone())));
                }
                Stage::Group(columns) => regroup(&mut after, rows, |name| columns.contains(&name)),
                Stage::Except(columns) => {
                    regroup(&mut after, rows, |name| !columns.contains(&name))
                }
                Stage::Keep(columns) => {
                    let rows = only(rows, |name| columns.contains(&name));
                    regroup(&mut after, &rows, keyed);
                }
                Stage::Drop(columns) => {
                    let rows = only(rows, |name| !columns.contains(&name));
                    regroup(&mut after, &rows, keyed);
                }
                Stage::Rename(from, to) => {
                    let rows = changed(rows, |row| {
                        if let Some(value) = row.remove(from) {
                            row.insert(to, value);
                        }
                    });
                    regroup(&mut after, &rows, |name| keyed(if name == *to { from } else { name }));
                }
                Stage::Set(column, value) | Stage::MapWith(column, value) => {
                    let rows = changed(rows, |row| drop(row.insert(column, value.clone())));
                    regroup(&mut after, &rows, keyed);
                }
                Stage::Duplicate(from, to) => {
                    let rows = changed(rows, |row| {
                        if let Some(value) = row.get(from).cloned() {
                            row.insert(to, value);
                        }
                    });
                    regroup(&mut after, &rows, |name| name != *to && keyed(name));
                }
                Stage::MapOnly(columns) => {
                    let rows = only(rows, |name| columns.contains(&name));
                    regroup(&mut after, &rows, keyed);
                }
                Stage::Sort(column) => {
                    let mut rows = rows.clone();
                    rows.sort_by(|a, b| a.get(column).cmp(&b.get(column)));
                    after.insert(key.clone(), rows);
                }
                Stage::Limit(count) => {
                    after.insert(key.clone(), rows.iter().take(*count).cloned().collect());
                }
                Stage::Count => {
                    let row = with(key, "_value", rows.len().to_string());
                    after.insert(key.clone(), vec![row]);
                }
                Stage::Distinct(column) => {
                    let values: BTreeSet<_> =
                        rows.iter().filter_map(|row| row.get(column)).collect();
                    let rows = values.into_iter().map(|value| with(key, "_value", value.clone()));
                    after.insert(key.clone(), rows.collect());
                }
            }
        }
        after
    }
}

fn with(key: &Row, column: &'static str, value: String) -> Row {
    let mut row = key.clone();
    row.insert(column, value);
    row
}

fn put(stream: &mut Stream, rows: impl Iterator<Item = (Row, Row)>) {
    rows.for_each(|(key, row)| stream.entry(key).or_default().push(row));
}

fn regroup(stream: &mut Stream, rows: &[Row], is_key: impl Fn(&'static str) -> bool) {
    let key = |row: &Row| {
        row.iter().filter(|(name, _)| is_key(name)).map(|(n, v)| (*n, v.clone())).collect()
    };
    put(stream, rows.iter().map(|row| (key(row), row.clone())));
}

fn only(rows: &[Row], is_kept: impl Fn(&'static str) -> bool) -> Vec<Row> {
    changed(rows, |row| row.retain(|name, _| is_kept(name)))
}

fn changed(rows: &[Row], change: impl Fn(&mut Row)) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.iter_mut().for_each(change);
    rows
}

/// The tables of several places, side by side.
fn tables(streams: &[Stream]) -> Vec<(Row, Vec<Row>)> {
    let mut all: Vec<_> = streams.iter().flatten().map(|(k, r)| (k.clone(), r.clone())).collect();
    all.sort();
    all
}

const COLUMNS: [&str; 5] = ["_measurement", "_field", "host", "_value", "new"];

fn column() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(COLUMNS.to_vec())
}

fn columns() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(COLUMNS.to_vec(), 0..4)
}

/// With `_measurement` more often than by chance.
fn columns_with() -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![
        columns(),
        columns().prop_map(|mut columns| {
            columns.insert(0, "_measurement");
            columns.dedup();
            columns
        }),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("m0"), Just("m1")].prop_map(str::to_owned)
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        (column(), value()).prop_map(|(column, value)| Stage::Filter(column, value)),
        columns_with().prop_map(Stage::Group),
        columns().prop_map(Stage::Except),
        columns_with().prop_map(Stage::Keep),
        columns().prop_map(Stage::Drop),
        (column(), column()).prop_map(|(from, to)| Stage::Rename(from, to)),
        (column(), value()).prop_map(|(column, value)| Stage::Set(column, value)),
        (column(), column()).prop_map(|(from, to)| Stage::Duplicate(from, to)),
        (column(), value()).prop_map(|(column, value)| Stage::MapWith(column, value)),
        columns_with().prop_map(Stage::MapOnly),
        column().prop_map(Stage::Sort),
        (1..3_usize).prop_map(Stage::Limit),
        Just(Stage::Count),
        column().prop_map(Stage::Distinct),
    ]
}

/// What is stored: a table for each series and field.
fn stored() -> impl Strategy<Value = Vec<Row>> {
    let row = (0..3_u8, 0..2_u8, 0..3_u8, value()).prop_map(|(measurement, field, host, value)| {
        let mut row = Row::new();
        row.insert("_measurement", format!("m{measurement}"));
        row.insert("_field", format!("f{field}"));
        row.insert("_value", value);
        if host > 0 {
            row.insert("host", format!("h{host}"));
        }
        row
    });
    proptest::collection::vec(row, 0..12)
}

fn read(rows: &[Row]) -> Stream {
    let mut stream = Stream::new();
    regroup(&mut stream, rows, |name| name != "_value");
    stream
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    #[test]
    fn tables_that_may_be_put_side_by_side_are_those_of_one_place(
        rows in stored(),
        stages in proptest::collection::vec(stage(), 0..5),
    ) {
        let mut script = "from(bucket: \"b\") |> range(start: 0)".to_owned();
        stages.iter().for_each(|stage| script += &format!(" |> {}", stage.text()));
        let found = reads(&parse(&script).unwrap(), &[]);
        prop_assert_eq!(&found.doubt, &None);
        let run = |rows: &[Row]| stages.iter().fold(read(rows), |stream, stage| stage.run(&stream));
        let whole = run(&rows);
        let parts: Vec<Stream> = (0..3)
            .map(|measurement| {
                let own = |row: &&Row| row["_measurement"] == format!("m{measurement}");
                run(&rows.iter().filter(own).cloned().collect::<Vec<_>>())
            })
            .collect();
        match &found.results[0].shape {
            Shape::Tables => prop_assert_eq!(tables(&parts), tables(&[whole]), "{}", script),
            Shape::Names(_) => {
                let names = |streams: &[Stream]| -> BTreeSet<String> {
                    streams.iter().flat_map(|s| s.values().flatten()).map(|row| row["_value"].clone()).collect()
                };
                prop_assert_eq!(names(&parts), names(&[whole]), "{}", script);
            }
            shape => prop_assert!(matches!(shape, Shape::Whole { .. }), "{:?}", shape),
        }
    }
}
