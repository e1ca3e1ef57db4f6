//! What clients send: Grafana, the interface of InfluxDB, the libraries.

use super::{asked, store};

const LINES: &str = "\
cpu,cpu=cpu-total,host=a usage_user=1,usage_system=10 1767225600000000000
cpu,cpu=cpu-total,host=b usage_user=2,usage_system=20 1767225600000000000
cpu,cpu=cpu-total,host=a usage_user=3,usage_system=30 1767225660000000000
mem,host=a used=5i 1767225660000000000
";

/// The rows without annotations and headers.
fn rows(text: &str) -> Vec<String> {
    let body = asked(&store("b", LINES), text).unwrap();
    let is_row = |line: &&str| line.starts_with(",,");
    body.lines().filter(is_row).map(|line| line.trim_start_matches(",,").to_owned()).collect()
}

/// The last cells of all rows.
fn last_cells(text: &str) -> Vec<String> {
    let cell = |row: &String| row.rsplit(',').next().unwrap().to_owned();
    rows(text).iter().map(cell).collect()
}

#[test]
fn a_panel_of_grafana() {
    let text = r#"from(bucket: "b")
  |> range(start: 2026-01-01T00:00:00.000Z, stop: 2026-01-01T00:10:00Z)
  |> filter(fn: (r) => r["_measurement"] == "cpu")
  |> filter(fn: (r) => r["_field"] == "usage_system" or r["_field"] == "usage_user")
  |> filter(fn: (r) => r["host"] == "a")
  |> aggregateWindow(every: 2m, fn: mean, createEmpty: false)
  |> yield(name: "mean")"#;
    let bounds = "2026-01-01T00:00:00Z,2026-01-01T00:10:00Z,2026-01-01T00:02:00Z";
    let expected = [
        format!("0,{bounds},20,usage_system,cpu,cpu-total,a"),
        format!("1,{bounds},2,usage_user,cpu,cpu-total,a"),
    ];
    assert_eq!(rows(text), expected);
}

#[test]
fn variables_of_grafana() {
    let v1 = r#"import "influxdata/influxdb/v1"
v1.tagValues(bucket: "b", tag: "host", predicate: (r) => r._measurement == "cpu", start: -1d)"#;
    assert_eq!(last_cells(v1), ["a", "b"]);
    let measurements = r#"import "influxdata/influxdb/schema"
schema.measurements(bucket: "b")"#;
    assert_eq!(last_cells(measurements), ["cpu", "mem"]);
    let fields = r#"import "influxdata/influxdb/schema"
schema.measurementFieldKeys(bucket: "b", measurement: "cpu")"#;
    assert_eq!(last_cells(fields), ["usage_system", "usage_user"]);
    let keys = r#"import "influxdata/influxdb/v1"
v1.measurementTagKeys(bucket: "b", measurement: "mem")"#;
    assert_eq!(last_cells(keys), ["_start", "_stop", "_field", "_measurement", "host"]);
    let buckets = r#"buckets() |> rename(columns: {name: "_value"}) |> keep(columns: ["_value"])"#;
    assert_eq!(last_cells(buckets), ["b"]);
}

#[test]
fn the_explorer_of_the_interface() {
    let tags = r#"from(bucket: "b")
  |> range(start: -1h, stop: now())
  |> filter(fn: (r) => (r["_measurement"] == "cpu"))
  |> keep(columns: ["host"])
  |> group()
  |> distinct(column: "host")
  |> limit(n: 200)
  |> sort()"#;
    assert_eq!(last_cells(tags), ["a", "b"]);
    let keys = r#"import "influxdata/influxdb/schema"
schema.tagKeys(bucket: "b", predicate: (r) => r._measurement == "mem", start: -1h)
  |> filter(fn: (r) => r._value != "_time" and r._value != "_start")
  |> limit(n: 200) |> sort()"#;
    assert_eq!(last_cells(keys), ["_field", "_measurement", "_stop", "host"]);
    let none = r#"import "influxdata/influxdb/schema"
schema.tagValues(bucket: "b", tag: "nosuch")"#;
    let body = asked(&store("b", LINES), none).unwrap();
    assert!(body.contains("#default,_result,0,\r\n,result,table,_value\r\n"), "{body}");
}

#[test]
fn fields_as_columns() {
    let text = r#"from(bucket: "b") |> range(start: 0)
  |> filter(fn: (r) => r._measurement == "cpu" and r.host == "a")
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> map(fn: (r) => ({r with sum: r.usage_user + r.usage_system}))
  |> keep(columns: ["_time", "sum"])"#;
    assert_eq!(rows(text), ["0,2026-01-01T00:00:00Z,11", "0,2026-01-01T00:01:00Z,33"]);
    let schema = r#"import "influxdata/influxdb/schema"
from(bucket: "b") |> range(start: 0) |> schema.fieldsAsCols() |> keep(columns: ["used"])"#;
    assert_eq!(last_cells(schema).into_iter().filter(|cell| !cell.is_empty()).count(), 1);
}

#[test]
fn options_and_tasks() {
    let text = r#"option task = {name: "downsample", every: 1h, offset: 0m}
option now = () => 2026-01-01T00:02:00Z
option v = {bucket: "b", timeRangeStart: -90s, windowPeriod: 1m}
from(bucket: v.bucket)
  |> range(start: v.timeRangeStart)
  |> filter(fn: (r) => r._measurement == "mem")
  |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false)"#;
    let expected = "0,2026-01-01T00:00:30Z,2026-01-01T00:02:00Z,2026-01-01T00:02:00Z,5,used,mem,a";
    assert_eq!(rows(text), [expected]);
}

#[test]
fn what_is_written_can_be_read() {
    let twin = store("b", LINES);
    let text = r#"from(bucket: "b") |> range(start: 0) |> filter(fn: (r) => r._field == "usage_user")
  |> map(fn: (r) => ({r with _measurement: "copy of, cpu", _value: r._value * 2.0}))
  |> to(bucket: "b", org: "o")"#;
    asked(&twin, text).unwrap();
    let again = r#"from(bucket: "b") |> range(start: 0)
  |> filter(fn: (r) => r._measurement == "copy of, cpu") |> group() |> sum()"#;
    let body = asked(&twin, again).unwrap();
    assert!(body.contains(",12\r\n"), "{body}");
}
