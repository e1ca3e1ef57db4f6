//! What becomes of points on each of their ways.

use crate::proto::line::Precision;
use crate::store::store::{Options, Store, WriteError, WriteRequest};
use crate::store::value::Value;
use crate::store::view::{Catalog, Change, Direction, PolicyChange, SeriesId, TimeRange};
use std::path::Path;
use std::sync::Arc;

pub const NOW_NS: i64 = 1_700_000_000_000_000_000;
const S: i64 = 1_000_000_000;

pub fn open(directory: &Path) -> Arc<Store> {
    let mut options = Options::new(directory.to_owned());
    options.background = false;
    Store::open(options).unwrap()
}

pub fn open_with(directory: &Path, change: impl FnOnce(&mut Options)) -> Arc<Store> {
    let mut options = Options::new(directory.to_owned());
    options.background = false;
    change(&mut options);
    Store::open(options).unwrap()
}

pub fn create(store: &Store, database: &str) {
    let change = Change::CreateDatabase { database: database.to_owned(), policy: None };
    store.change(change).unwrap();
}

pub fn request<'a>(database: &'a str, body: &'a str) -> WriteRequest<'a> {
    WriteRequest {
        database,
        policy: None,
        precision: Precision::Nanoseconds,
        unsigned: true,
        all_or_nothing: false,
        body: body.as_bytes(),
        now_ns: NOW_NS,
    }
}

pub fn write(store: &Store, body: &str) {
    store.write(request("d", body)).unwrap();
}

fn said(store: &Store, body: &str) -> String {
    store.write(request("d", body)).map_or_else(|error| error.to_string(), |()| "stored".to_owned())
}

/// All points of a database as `key field=value time`, sorted.
pub fn all(store: &Store, database: &str) -> Vec<String> {
    read(store, database, Direction::Ascending)
}

pub fn read(store: &Store, database: &str, direction: Direction) -> Vec<String> {
    let database = store.database(database).unwrap();
    let mut rows = Vec::new();
    for policy in database.policies() {
        for window in database.windows(&policy.name, TimeRange::ALL) {
            for measurement in database.measurements() {
                let fields = window.fields(&measurement);
                for id in database.series_ids(&measurement) {
                    let series = database.series(id);
                    let key = String::from_utf8_lossy(&series.key).into_owned();
                    for (field, kind) in &fields {
                        let cursor = window.read(&series, field, TimeRange::ALL, direction);
                        let Some(mut cursor) = cursor else { continue };
                        while let Some(column) = cursor.next().unwrap() {
                            assert_eq!(column.values.kind(), *kind);
                            for at in 0..column.times.len() {
                                let value = text(&column.values.get(at));
                                rows.push(format!("{key} {field}={value} {}", column.times[at]));
                            }
                        }
                    }
                }
            }
        }
    }
    rows.sort();
    rows
}

fn text(value: &Value) -> String {
    match value {
        Value::Float(value) => value.to_string(),
        Value::Integer(value) => format!("{value}i"),
        Value::Unsigned(value) => format!("{value}u"),
        Value::Boolean(value) => value.to_string(),
        Value::String(value) => format!("{:?}", String::from_utf8_lossy(value)),
    }
}

fn series(store: &Store, measurement: &str) -> Vec<SeriesId> {
    store.database("d").unwrap().series_ids(measurement)
}

#[test]
fn a_point_is_the_same_from_cache_from_a_file_and_after_a_start() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    let body = "cpu,host=a,region=eu usage=1.5,n=3i,ok=t,name=\"x\\\"y\" 1700000000000000000\n\
                cpu,region=eu,host=a usage=2,n=4i,ok=f,name=\"\" 1700000000000000001\n\
                # a comment\n\
                mem free=7u 1700000000000000000\n\
                cpu,host=a,region=eu usage=9 1500000000000000000\n";
    write(&store, body);
    let rows = all(&store, "d");
    assert_eq!(rows.len(), 10);
    assert!(rows.contains(&"cpu,host=a,region=eu name=\"x\\\"y\" 1700000000000000000".to_owned()));
    store.flush().unwrap();
    assert_eq!(store.stats().files, 2);
    assert_eq!(store.stats().cache_bytes, 0);
    assert_eq!(all(&store, "d"), rows);
    write(&store, "cpu,host=a,region=eu usage=3 1700000000000000001");
    let mut newer = rows;
    newer.retain(|row| row != "cpu,host=a,region=eu usage=2 1700000000000000001");
    newer.push("cpu,host=a,region=eu usage=3 1700000000000000001".to_owned());
    newer.sort();
    assert_eq!(all(&store, "d"), newer);
    drop(store);
    let store = open(directory.path());
    assert_eq!(all(&store, "d"), newer);
    assert_eq!(read(&store, "d", Direction::Descending), newer);
    store.stop().unwrap();
    drop(store);
    assert_eq!(std::fs::read_dir(directory.path().join("log")).unwrap().count(), 0);
    let store = open(directory.path());
    assert_eq!(all(&store, "d"), newer);
    let later = store.write(request("d", "cpu,host=a usage=1i 1700000000000000001"));
    let wanted = "partial write: field type conflict: input field \"usage\" on measurement \"cpu\" is type integer, already exists as type float dropped=1";
    assert_eq!(later.unwrap_err().to_string(), wanted);
}

#[test]
fn what_is_not_stored_is_told_as_influxd_tells_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let unknown = store.write(request("nope", "m v=1")).unwrap_err();
    assert_eq!(unknown.to_string(), "database not found: \"nope\"");
    create(&store, "d");
    let mut elsewhere = request("d", "m v=1");
    elsewhere.policy = Some("nope");
    let unknown = store.write(elsewhere).unwrap_err();
    assert_eq!(unknown, WriteError::PolicyNotFound("nope".to_owned()));
    assert_eq!(said(&store, "a v"), "unable to parse 'a v': invalid field format");
    assert_eq!(
        said(&store, "a v\nm v=1 1\n"),
        "partial write: unable to parse 'a v': invalid field format dropped=0"
    );
    assert_eq!(
        said(&store, "m v=2i 2\nm v=2 3\na v"),
        "partial write: field type conflict: input field \"v\" on measurement \"m\" is type integer, already exists as type float dropped=1"
    );
    assert_eq!(said(&store, "new v=2i 2\nnew v=2 3\nm v=7 9"), "field type conflict");
    assert_eq!(said(&store, "new v=2i,v=2 2"), "field type conflict");
    assert_eq!(
        said(&store, "a,time=1 v=1 1\nm v=4 4"),
        "partial write: invalid tag key: input tag \"time\" on measurement \"a\" is invalid dropped=1"
    );
    assert_eq!(said(&store, "m time=1,v=5 5\n"), "stored");
    assert_eq!(said(&store, ""), "stored");
    assert_eq!(
        all(&store, "d"),
        ["m v=1 1", "m v=3 3", "m v=4 4", "m v=5 5"]
            .map(|row| { if row == "m v=3 3" { "m v=2 3" } else { row } })
    );
    // A series of which nothing was stored is none.
    assert_eq!(store.database("d").unwrap().measurements().len(), 1);
    let mut both = request("d", "m v=8 8\na v");
    both.all_or_nothing = true;
    assert_eq!(
        store.write(both).unwrap_err(),
        WriteError::Unparsable("unable to parse 'a v': invalid field format".to_owned())
    );
    assert_eq!(all(&store, "d").len(), 4);
}

#[test]
fn limits_drop_points_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_with(directory.path(), |options| {
        options.limits.series_max = 2;
        options.limits.values_per_tag_max = 1;
    });
    create(&store, "d");
    assert_eq!(
        said(&store, "m,t=a v=1 1\nm,t=b v=1 1\nm,t=a v=2 2"),
        "partial write: max-values-per-tag limit exceeded (1/1): measurement=\"m\" tag=\"t\" value=\"b\" dropped=1"
    );
    assert_eq!(
        said(&store, "n v=1 1\no v=1 1\np v=1 1"),
        "partial write: max-series-per-database limit exceeded: (2) dropped=2"
    );
    assert_eq!(all(&store, "d"), ["m,t=a v=1 1", "m,t=a v=2 2", "n v=1 1"]);
}

#[test]
fn times_come_from_the_clock_and_the_precision() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    let mut seconds = request("d", "m v=1 5\nm v=2");
    seconds.precision = Precision::Seconds;
    seconds.now_ns = NOW_NS + 7;
    store.write(seconds).unwrap();
    drop(store);
    let store = open(directory.path());
    assert_eq!(all(&store, "d"), [format!("m v=1 {}", 5 * S), format!("m v=2 {NOW_NS}")]);
}

#[test]
fn points_beyond_retention_are_dropped_and_old_windows_go() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    let hour = 3_600 * S;
    let policy = PolicyChange {
        name: Some("short".to_owned()),
        duration_ns: Some(hour),
        make_default: true,
        ..PolicyChange::default()
    };
    store.change(Change::CreatePolicy { database: "d".to_owned(), policy }).unwrap();
    let body = format!("m v=1 {}\nm v=2 {}\n", NOW_NS - 3 * hour, NOW_NS);
    assert_eq!(said(&store, &body), "partial write: points beyond retention policy dropped=1");
    assert_eq!(all(&store, "d"), [format!("m v=2 {NOW_NS}")]);
    store.flush().unwrap();
    write(&store, &format!("m,t=new v=3 {NOW_NS}"));
    store.enforce_retention(NOW_NS + hour);
    assert_eq!(all(&store, "d").len(), 2);
    store.enforce_retention(NOW_NS + 3 * hour);
    assert!(all(&store, "d").is_empty());
    assert!(store.database("d").unwrap().measurements().is_empty());
    assert_eq!(store.stats().cache_bytes, 0);
    drop(store);
    let store = open(directory.path());
    assert!(all(&store, "d").is_empty());
    assert!(series(&store, "m").is_empty());
}

#[test]
fn what_is_deleted_stays_deleted_and_a_later_write_revives_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    create(&store, "d");
    write(&store, "m,t=a v=1,w=1 1\nm,t=a v=2 2\nm,t=b v=1 1\nn v=1 1");
    store.flush().unwrap();
    write(&store, "m,t=a v=3 3\nm,t=b v=2 2");
    let range = TimeRange { min_ns: 2, max_ns: 3 };
    let change = Change::Delete { database: "d".to_owned(), series: series(&store, "m"), range };
    store.change(change).unwrap();
    let left = ["m,t=a v=1 1", "m,t=a w=1 1", "m,t=b v=1 1", "n v=1 1"];
    for _ in 0..2 {
        assert_eq!(all(&store, "d"), left);
        drop(store);
        store = open(directory.path());
    }
    let database = store.database("d").unwrap();
    let b = database.series_with("m", "t", "b");
    let range = TimeRange { min_ns: 0, max_ns: 1 };
    store.change(Change::Delete { database: "d".to_owned(), series: b, range }).unwrap();
    assert_eq!(database.tag_values("m", "t").len(), 1);
    let gone = Change::DropMeasurement { database: "d".to_owned(), measurement: "m".to_owned() };
    store.change(gone).unwrap();
    assert_eq!(all(&store, "d"), ["n v=1 1"]);
    // Another type than before.
    write(&store, "m,t=b v=\"new\" 1");
    for round in 0..3 {
        assert_eq!(all(&store, "d"), ["m,t=b v=\"new\" 1", "n v=1 1"], "{round}");
        drop(store);
        store = open(directory.path());
        store.flush().unwrap();
        store.tend();
    }
}

#[test]
fn a_dropped_database_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    write(&store, "m v=1 1");
    store.flush().unwrap();
    write(&store, "m v=2 2");
    store.change(Change::DropDatabase { database: "d".to_owned() }).unwrap();
    assert!(store.database("d").is_none());
    create(&store, "d");
    write(&store, "m v=3i 3");
    assert_eq!(all(&store, "d"), ["m v=3i 3"]);
    drop(store);
    let store = open(directory.path());
    assert_eq!(all(&store, "d"), ["m v=3i 3"]);
    store
        .change(Change::DropPolicy { database: "d".to_owned(), name: "autogen".to_owned() })
        .unwrap();
    let gone = store.write(request("d", "m v=1 1")).unwrap_err();
    assert_eq!(gone, WriteError::PolicyNotFound(String::new()));
}

#[test]
fn a_dropped_window_takes_its_points_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    create(&store, "d");
    write(&store, "m,t=a v=1 1");
    store.flush().unwrap();
    write(&store, "m,t=b v=2 2\nm,t=c v=3 1000000000000000000");
    let first = store.database("d").unwrap().windows("autogen", TimeRange::ALL)[0].info().id;
    store.change(Change::DropWindow { id: 999 }).unwrap();
    assert_eq!(all(&store, "d").len(), 3);
    store.change(Change::DropWindow { id: first }).unwrap();
    for _ in 0..2 {
        assert_eq!(all(&store, "d"), ["m,t=c v=3 1000000000000000000"]);
        assert_eq!(store.database("d").unwrap().tag_values("m", "t").len(), 1);
        drop(store);
        store = open(directory.path());
    }
    write(&store, "m,t=a v=4 1");
    assert_eq!(all(&store, "d").len(), 2);
}

#[test]
fn a_directory_has_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let _store = open(directory.path());
    assert!(Store::open(Options::new(directory.path().to_owned())).is_err());
}

#[test]
fn a_full_cache_refuses_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_with(directory.path(), |options| options.limits.cache_bytes_max = 100);
    create(&store, "d");
    write(&store, "m v=1 1");
    let full = store.write(request("d", "m v=2 2")).unwrap_err();
    assert!(matches!(full, WriteError::CacheFull { bytes_max: 100, .. }), "{full}");
    store.tend();
    write(&store, "m v=2 2");
    assert_eq!(all(&store, "d").len(), 2);
}

#[test]
fn more_shapes_than_are_kept_are_stored_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    create(&store, "d");
    let mut body = String::new();
    for shape in 1..200_u32 {
        let fields: Vec<String> = (0..8)
            .filter(|bit| shape >> bit & 1 == 1)
            .map(|bit| format!("f{bit}={shape}"))
            .collect();
        body.push_str(&format!("m {} {shape}\n", fields.join(",")));
    }
    write(&store, &body);
    let rows = all(&store, "d");
    let wanted: u32 = (1..200_u32).map(u32::count_ones).sum();
    assert_eq!(rows.len(), wanted as usize);
    for _ in 0..2 {
        drop(store);
        store = open(directory.path());
        assert_eq!(all(&store, "d"), rows);
        store.flush().unwrap();
        assert_eq!(all(&store, "d"), rows);
    }
}
