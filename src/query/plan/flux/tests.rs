//! Whatever is not for certain one owner's never plans to an owner.

use serde_json::Value as Json;

use super::{Merging, Plan, Refusal, plan};
use crate::query::flux_body::FluxRequest;
use crate::ring::{Mapping, Naming};

fn naming() -> Naming {
    let renamed = Mapping {
        database: "old".into(),
        retention_policy: "".into(),
        bucket: "new".into(),
        org: None,
    };
    Naming::new("default", &[renamed])
}

fn shown(script: &str) -> String {
    shown_with(script, &[])
}

/// "org bucket measurement" of an owner, else what kind of plan it is.
fn shown_with(script: &str, variables: &[(&str, &str)]) -> String {
    let variables = variables.iter().map(|(name, text)| (name.to_string(), text.to_string()));
    let request = FluxRequest {
        query: script.to_owned(),
        variables: variables.collect(),
        ..FluxRequest::default()
    };
    match plan(&request, Some("o"), &naming()) {
        Ok(Plan::Owner { target, measurement }) => {
            let name = String::from_utf8(measurement).unwrap();
            format!("{} {} {name}", target.org, target.bucket())
        }
        Ok(Plan::AnyBackend) => "any".to_owned(),
        Ok(Plan::Spread { merging: Merging::Tables, .. }) => "tables".to_owned(),
        Ok(Plan::Spread { merging: Merging::Names(_), .. }) => "names".to_owned(),
        Ok(Plan::Spread { merging: Merging::Never { stage }, .. }) => stage,
        Err(Refusal::Parse { .. }) => "parse".to_owned(),
        Err(Refusal::NotYet { .. }) => "not yet".to_owned(),
        Err(Refusal::CannotMerge { .. }) => "never".to_owned(),
    }
}

#[test]
fn a_script_of_one_measurement_goes_to_its_owner() {
    let tail = r#"|> range(start: -1h) |> filter(fn: (r) => r._measurement == "cpu")"#;
    let cases = [
        format!(r#"from(bucket: "b") {tail}"#),
        r#"from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => r["_measurement"] == "cpu")"#
            .to_owned(),
        format!("// data from telegraf (old)\nfrom(bucket: \"b\") {tail}"),
        format!("bkt = \"b\"  from(bucket: bkt) {tail}"),
        format!("v = {{bucket: \"b\"}}\nfrom(bucket: v.bucket) {tail}"),
        format!("option v = {{bucket: \"b\", x: 1m}}\nfrom(bucket: v.bucket) {tail}"),
        format!("s = \"from(bucket: \\\"other\\\")\"\nfrom(bucket: \"b\") {tail}"),
        r#"from(bucket: "b") |> range(start: -1h) |> filter(fn: (row) => "cpu" == row._measurement)"#
            .to_owned(),
        r#"m = "cpu" from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => r._measurement == m)"#
            .to_owned(),
        r#"from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "c\x70u")"#
            .to_owned(),
        r#"from(bucket: "b") |> range(start: -1h)
            |> filter(fn: (r) => (r._measurement == "cpu" or r._measurement == "mem") and r.h =~ /a/)
            |> filter(fn: (r) => { return r._measurement == "cpu" })"#
            .to_owned(),
        r#"from(bucket: "b") |> range(start: -1h)
            |> filter(fn: (r) => contains(value: r._measurement, set: ["cpu"]))"#
            .to_owned(),
        format!(r#"from(bucket: "b") {tail} |> group(columns: ["_measurement"]) |> sum()"#),
        format!(r#"from(bucket: "b") {tail} |> map(fn: (r) => ({{r with _measurement: "x"}}))"#),
        format!(r#"from(bucket: "b/autogen") {tail}"#),
        r#"from(bucket: "b") |> range(start: -1h) |> limit(n: 1)
            |> filter(fn: (r) => r._measurement == "cpu")"#
            .to_owned(),
        r#"import "influxdata/influxdb/schema"
            schema.tagValues(bucket: "b", tag: "h", predicate: (r) => r._measurement == "cpu")"#
            .to_owned(),
        format!("import \"influxdata/influxdb\"\ninfluxdb.from(bucket: \"b\") {tail}"),
        format!(
            "import \"join\"\nd = () => from(bucket: \"b\") {tail}\n\
             join.inner(left: d(), right: d(), on: (l, r) => l._time == r._time, as: (l, r) => l)"
        ),
        format!("x = if true then 1 else 2\nfrom(bucket: \"${{\"b\"}}\") {tail}"),
    ];
    for script in cases {
        assert_eq!(shown(&script), "o b cpu", "{script}");
    }
    let named = format!(r#"from(bucket: "a,b)c:d", org: "p") {tail}"#);
    assert_eq!(shown(&named), "p a,b)c:d cpu");
    assert_eq!(shown(&format!(r#"from(bucket: "b/weekly") {tail}"#)), "o b/weekly cpu");
    let of_client = [("bucket", "b")];
    assert_eq!(shown_with(&format!("from(bucket: v.bucket) {tail}"), &of_client), "o b cpu");
}

#[test]
fn what_is_not_certain_is_nobodys() {
    let cases = [
        r#"from(bucket: "b") |> range(start: -1h)"#,
        r#"from(bucket: "b") |> range(start: -1h)
            |> filter(fn: (r) => r._measurement == "cpu" or r._measurement == "mem")"#,
        r#"from(bucket: "b") |> range(start: -1h)
            |> filter(fn: (r) => r._measurement == "cpu" or r.host == "a")"#,
        r#"from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => not (r._measurement == "cpu"))"#,
        r#"from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => r._measurement != "cpu")"#,
        r#"from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => r._measurement =~ /cpu/)"#,
        r#"from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => r._measurement == m)"#,
        r#"from(bucket: "b") |> range(start: -1h) // |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"from(bucket: b) |> range(start: -1h) |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"from(bucketID: "0102030405060708") |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"from(bucket: "b", host: "h") |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"from(bucket: "b") |> filter(fn: (r) => r._measurement == "cpu")
            from(bucket: "b") |> filter(fn: (r) => r._measurement == "mem")"#,
        r#"a = from(bucket: "b") |> filter(fn: (r) => r._measurement == "cpu")
            join(tables: {a: a, b: from(bucket: "b")}, on: ["_time"])"#,
        r#"from(bucket: "b") |> map(fn: (r) => ({r with _measurement: "cpu"}))
            |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"from(bucket: "b") |> group() |> limit(n: 1) |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"from(bucket: "b") |> set(key: "_measurement", value: "cpu")
            |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"from(bucket: "b") |> range(start: -1h, startColumn: "_measurement")
            |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"from(bucket: "b") |> yield(name: "all") |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"filter = (tables=<-, fn) => tables
            from(bucket: "b") |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"d = from(bucket: "b") |> filter(fn: (r) => r._measurement == "cpu")
            from(bucket: "b") |> filter(fn: (r) => r._measurement == "cpu" and r.x == "y")
            |> map(fn: (r) => ({r with y: (from(bucket: "b") |> findColumn(fn: (key) => true, column: "z"))}))"#,
        r#"f = (t) => t(bucket: "b")
            f(t: from) |> range(start: 0)"#,
        r#"unknown(fn: () => from(bucket: "b")) |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"r = {_measurement: "cpu"}
            from(bucket: "b") |> filter(fn: (x) => r._measurement == "cpu")"#,
        r#"import "influxdata/influxdb/schema"
            schema.tagValues(bucket: "b", tag: "h", predicate: (r) => r.x == "cpu")"#,
        r#"import "influxdata/influxdb/schema"
            schema.measurements(bucket: "b")"#,
        r#"(if 1 == 1 then from(bucket: "b") else from(bucket: "c"))
            |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"[from(bucket: "b")][0] |> filter(fn: (r) => r._measurement == "cpu")"#,
        r#"option v1._from = 1
            from(bucket: "b") |> filter(fn: (r) => r._measurement == "cpu")"#,
    ];
    for script in cases {
        let planned = shown(script);
        assert!(!planned.starts_with("o b") && planned != "any", "{script}: {planned}");
    }
}

#[test]
fn what_reads_nothing_is_anybodys() {
    let cases = [
        "buckets()",
        "1 + 1",
        "import \"array\"\narray.from(rows: [{a: 1}])",
        "import \"csv\"\ncsv.from(csv: \"a,b\")",
        r#"from(bucket: "b") |> filter(fn: (r) => r._measurement == "a" and r._measurement == "b")"#,
    ];
    for script in cases {
        assert_eq!(shown(script), "any", "{script}");
    }
}

#[test]
fn what_writes_or_reaches_out_is_refused() {
    let tail = r#"|> filter(fn: (r) => r._measurement == "cpu")"#;
    let cases = [
        format!(r#"from(bucket: "b") {tail} |> to(bucket: "c")"#),
        format!("import \"http\"\nhttp.post(url: \"x\")\nfrom(bucket: \"b\") {tail}"),
        "import \"sql\"\nsql.from(query: \"x\")".to_owned(),
        "import \"csv\"\ncsv.from(url: \"x\")".to_owned(),
        format!(r#"from(bucket: "b") {tail} |> map(fn: (r) => to(bucket: "c"))"#),
    ];
    for script in cases {
        assert_eq!(shown(&script), "never", "{script}");
    }
    assert_eq!(shown(&format!(r#"from(bucket: "old") {tail}"#)), "not yet");
    assert_eq!(shown("from(bucket:"), "parse");
}

/// The measurement that a recorded script of class `owner` reads, by its text alone.
fn written_measurement(script: &str) -> Option<&str> {
    let names = ["cpu", "mem", "disk", "net", "single", "nosuch", "weather station"];
    names.into_iter().find(|name| script.contains(&format!("\"{name}\"")))
}

/// Rows of class `refuse` and the stage that is named. Both sides of the join read `cpu` alone, so that its
/// owner has all data.
const REFUSED: [(&str, &str); 9] = [
    ("refuse_group_all", "group() without _measurement"),
    ("refuse_group_host", "group() without _measurement"),
    ("refuse_drop_measurement", "drop() of _measurement"),
    ("refuse_join", "o flux cpu"),
    ("refuse_union_fn", "group() without _measurement"),
    ("refuse_highestMax", "highestMax()"),
    ("refuse_count_after_group", "group() without _measurement"),
    ("refuse_measurement_overwritten", "map() that changes _measurement"),
    ("refuse_rate_sum", "group() without _measurement"),
];

#[test]
fn recorded_scripts_get_the_plan_of_their_class() {
    let recorded = include_str!("../../../../tests/vectors/flux_2_7.jsonl");
    let mut counts = [0; 5];
    for line in recorded.lines() {
        let row: Json = serde_json::from_str(line).unwrap();
        let (name, script) = (row["name"].as_str().unwrap(), row["query"].as_str().unwrap());
        let (class, expected) = match row["class"].as_str().unwrap() {
            "owner" => (0, format!("o flux {}", written_measurement(script).unwrap())),
            "any" => (1, "any".to_owned()),
            "union" => (2, "tables".to_owned()),
            "schema" => (3, "names".to_owned()),
            _ => (4, REFUSED.iter().find(|(of, _)| *of == name).unwrap().1.to_owned()),
        };
        assert_eq!(shown(script), expected, "{name}");
        counts[class] += 1;
    }
    assert_eq!(counts, [98, 2, 21, 5, 9]);
}

/// The rows of a table of `docs/flux.md`: what follows the read, and the outcome.
fn documented() -> Vec<(String, String)> {
    let page = include_str!("../../../../docs/flux.md");
    let rows = page.lines().filter_map(|line| {
        let (code, outcome) = line.strip_prefix("| `")?.rsplit_once("` | ")?;
        Some((code.replace("\\|", "|"), outcome.trim_end_matches(" |").to_owned()))
    });
    rows.collect()
}

#[test]
fn the_documented_outcomes_are_those_of_the_planner() {
    let rows = documented();
    assert!(rows.len() > 30, "{}", rows.len());
    for (code, outcome) in rows {
        let script = format!("from(bucket: \"b\") |> range(start: -1h) |> {code}");
        assert_eq!(shown(&script), outcome, "{script}");
        // The owner of the one measurement takes all of it.
        let filter = "filter(fn: (r) => r._measurement == \"cpu\")";
        let one = format!("from(bucket: \"b\") |> range(start: -1h) |> {filter} |> {code}");
        assert_eq!(shown(&one), "o b cpu", "{one}");
    }
}

/// Scripts with several results, or one that takes from another, and their outcome.
fn several() -> Vec<(String, &'static str)> {
    let cpu = "from(bucket: \"b\") |> filter(fn: (r) => r._measurement == \"cpu\")";
    let mem = "from(bucket: \"b\") |> filter(fn: (r) => r._measurement == \"mem\")";
    let all = "from(bucket: \"b\")";
    let other = "from(bucket: \"c\")";
    let schema = "import \"influxdata/influxdb/schema\"\nimport \"array\"\n";
    vec![
        (format!("{cpu} |> group() |> yield(name: \"x\")\n{mem} |> group() |> sum()"), "tables"),
        (
            format!("{cpu} |> yield(name: \"x\")\n{all} |> group() |> sum()"),
            "group() without _measurement",
        ),
        (
            format!("{all} |> yield(name: \"x\") |> group() |> yield(name: \"y\")"),
            "group() without _measurement",
        ),
        (format!("union(tables: [{cpu}, {mem}])"), "tables"),
        (format!("union(tables: [{cpu}, {mem} |> group()])"), "group() without _measurement"),
        (format!("union(tables: [{all}, {other}])"), "union() of several buckets"),
        (format!("{all} |> yield(name: \"x\")\n{other} |> yield(name: \"y\")"), "tables"),
        (
            format!("{schema}union(tables: [{all}, array.from(rows: [{{_value: 1}}])])"),
            "union() with rows that no bucket holds",
        ),
        (
            format!(
                "{schema}{all} |> yield(name: \"x\")\narray.from(rows: [{{_value: 1}}]) |> yield(name: \"y\")"
            ),
            "a result that reads no bucket, beside others",
        ),
        (
            format!("{schema}{all} |> yield(name: \"x\")\nschema.tagKeys(bucket: \"b\")"),
            "a list of names, beside other results",
        ),
        (
            format!(
                "x = {mem} |> findRecord(fn: (key) => true, idx: 0)\n{cpu} |> map(fn: (r) => ({{r with y: x._value}}))"
            ),
            "findRecord()",
        ),
        (
            format!(
                "x = ({mem} |> findColumn(fn: (key) => true, column: \"_value\"))[0]\n{all} |> filter(fn: (r) => r._value > x)"
            ),
            "findColumn()",
        ),
        (
            format!(
                "f = (tables=<-) => tables |> group()\n{all} |> f() |> group(columns: [\"_measurement\"])"
            ),
            "group() without _measurement",
        ),
        (format!("c = [\"_measurement\"]\n{all} |> group(columns: c)"), "tables"),
        (format!("{all} |> elapsed(columnName: \"_measurement\")"), "elapsed() with columnName"),
        (
            format!("{all} |> map(fn: (r) => if r.x == \"a\" then r else r)"),
            "map() that changes _measurement",
        ),
        (
            format!("{schema}schema.tagValues(bucket: \"b\", tag: \"h\") |> sort(desc: true)"),
            "sort() of a list of names",
        ),
        (
            format!(
                "{schema}schema.tagValues(bucket: \"b\", tag: \"h\") |> limit(n: 5, offset: 2)"
            ),
            "limit() of a list of names",
        ),
    ]
}

#[test]
fn several_results_are_judged_each_by_itself() {
    for (script, outcome) in several() {
        assert_eq!(shown(&script), outcome, "{script}");
    }
}
