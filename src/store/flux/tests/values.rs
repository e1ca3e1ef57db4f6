//! Values, nulls, functions: what the recorded answers do not reach.

use super::{asked, store};

/// What `x` is, as `string()` says it.
fn value(script: &str) -> String {
    let text = format!(
        "import \"array\"\nimport \"date\"\nimport \"dict\"\nimport \"math\"\nimport \"regexp\"\nimport \"strings\"\nimport \"timezone\"\n{script}\narray.from(rows: [{{x: string(v: x)}}])"
    );
    let body =
        asked(&store("b", ""), &text).unwrap_or_else(|refused| panic!("{script}: {refused}"));
    let row = body.lines().find(|line| line.starts_with(",,0,")).unwrap();
    row[4..].to_owned()
}

fn are(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        assert_eq!(value(&format!("x = {expression}")), *expected, "{expression}");
    }
}

#[test]
fn operators_bind_and_count_as_in_flux() {
    are(&[
        ("2.0^3.0^2.0", "64"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("2 ^ 3", "8"),
        ("1.0 / 0.0", "+Inf"),
        ("10000000000000000000000.0", "10000000000000000000000"),
        ("0.000000001", "0.000000001"),
        ("1 + 2 * 3 - 4", "3"),
        ("\"a\" + \"b\"", "ab"),
        ("not 1 == 2", "true"),
        ("1 == 1.0", "true"),
        ("\"cpu\" =~ /^c/ and \"cpu\" !~ /x/", "true"),
        ("if 1 > 2 then \"a\" else \"b\"", "b"),
        ("[1, 2, 3][1]", "2"),
        ("{a: 1, b: {c: 5}}.b.c", "5"),
        ("\"a ${1 + 1} ${\"b\"} \\${c}\"", "a 2 b ${c}"),
    ]);
    assert_eq!(value("r = {a: 1}\nx = {r with a: 2}.a"), "2");
}

#[test]
fn conversions_are_those_of_flux() {
    are(&[
        ("int(v: 3.9)", "3"),
        ("int(v: -3.9)", "-3"),
        ("int(v: 1970-01-01T00:00:01Z)", "1000000000"),
        ("float(v: \"3\")", "3"),
        ("uint(v: \"7\")", "7"),
        ("bool(v: 1)", "true"),
        ("time(v: \"2026-01-01\")", "2026-01-01T00:00:00.000000000Z"),
        ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00.000000000Z"),
        ("duration(v: 90)", "90ns"),
        ("1h90m", "2h30m"),
        ("-1mo2d", "-1mo2d"),
    ]);
}

#[test]
fn functions_close_over_what_they_saw() {
    let script = "a = 1\nf = (n, m=2) => n + m + a\ng = (f) => f(n: 10)\nx = g(f: f)";
    assert_eq!(value(script), "13");
    let shadowed = "a = 1\nf = () => { a = 5\n return a }\nx = f() + a";
    assert_eq!(value(shadowed), "6");
    let piped = "add = (n, to=<-) => to + n\nx = 1 |> add(n: 2) |> add(n: 3)";
    assert_eq!(value(piped), "6");
}

#[test]
fn packages_have_their_functions() {
    are(&[
        ("strings.toUpper(v: \"ab\") + strings.title(v: \"a b\")", "ABA B"),
        ("strings.joinStr(arr: strings.split(v: \"a,b,c\", t: \",\"), v: \"-\")", "a-b-c"),
        ("strings.substring(v: \"hällo\", start: 1, end: 3)", "äl"),
        ("strings.replace(v: \"aaa\", t: \"a\", u: \"b\", i: 2)", "bba"),
        ("regexp.replaceAllString(r: /a+/, v: \"baab\", t: \"x\")", "bxb"),
        ("math.round(x: 2.5) + math.floor(x: -0.5)", "2"),
        ("math.mMax(x: 1.0, y: math.pi) > 3.0", "true"),
        ("date.month(t: 2026-02-03T04:05:06Z)", "2"),
        ("date.weekDay(t: 2026-01-01T00:00:00Z)", "4"),
        ("date.week(t: 2026-12-31T00:00:00Z)", "53"),
        ("date.yearDay(t: 2024-12-31T00:00:00Z)", "366"),
        ("date.add(d: 1mo, to: 2026-01-31T00:00:00Z)", "2026-02-28T00:00:00.000000000Z"),
        ("date.truncate(t: 2026-02-03T04:05:06Z, unit: 1mo)", "2026-02-01T00:00:00.000000000Z"),
        (
            "date.truncate(t: 2026-07-03T03:05:06Z, unit: 1d, location: timezone.location(name: \"America/New_York\"))",
            "2026-07-02T04:00:00.000000000Z",
        ),
        ("date.hour(t: 2026-01-01T23:00:00Z, location: timezone.fixed(offset: 2h))", "1"),
        ("dict.get(dict: [\"a\": 1, \"b\": 2], key: \"b\", default: 0)", "2"),
        ("dict.get(dict: dict.remove(dict: [\"a\": 1], key: \"a\"), key: \"a\", default: 9)", "9"),
        (
            "length(arr: array.map(arr: [1, 2], fn: (x) => x * 2)) + array.concat(arr: [1], v: [7])[1]",
            "9",
        ),
        ("contains(value: 2, set: [1, 2])", "true"),
    ]);
}

const LINES: &str = "\
m,a=x,z=1 f=9 1767225690000000000
m,a=x f=5 1767225630000000000
m f=1 1767225630000000000
m,z=2 f=3 1767225690000000000
m,z=2 f=2 1767225730000000000
n v=1 1767225600000000000
n v=3 1767225610000000000
n v=2 1767225620000000000
";

/// The rows of an answer as the values of some columns.
fn rows(pipe: &str, columns: &[&str]) -> Vec<String> {
    let text = format!(
        "from(bucket: \"b\") |> range(start: 2026-01-01T00:00:00Z, stop: 2026-01-01T00:10:00Z){pipe}"
    );
    let body =
        asked(&store("b", LINES), &text).unwrap_or_else(|refused| panic!("{pipe}: {refused}"));
    let mut header: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for line in body.lines() {
        if line.starts_with(",result") {
            header = line.split(',').collect();
        } else if line.starts_with(",,") {
            let cells: Vec<&str> = line.split(',').collect();
            let cell = |name: &&str| {
                header.iter().position(|known| known == name).map_or("-", |at| cells[at])
            };
            rows.push(columns.iter().map(cell).collect::<Vec<_>>().join(" "));
        }
    }
    rows
}

const M: &str = " |> filter(fn: (r) => r._measurement == \"m\")";
const N: &str = " |> filter(fn: (r) => r._measurement == \"n\")";

fn m(pipe: &str, columns: &[&str]) -> Vec<String> {
    rows(&format!("{M}{pipe}"), columns)
}

fn n(pipe: &str, columns: &[&str]) -> Vec<String> {
    rows(&format!("{N}{pipe}"), columns)
}

#[test]
fn a_missing_tag_is_the_empty_text_in_storage_and_null_in_the_engine() {
    assert_eq!(m(" |> filter(fn: (r) => r.a != \"x\") |> count()", &["_value"]), ["1", "2"]);
    assert_eq!(m(" |> filter(fn: (r) => not (r.a == \"x\"))", &["_value"]), [""; 0]);
    assert_eq!(m(" |> limit(n: 9) |> filter(fn: (r) => r.a != \"x\")", &["_value"]), [""; 0]);
    assert_eq!(m(" |> filter(fn: (r) => r._value == \"text\")", &["_value"]), [""; 0]);
    assert_eq!(m(" |> filter(fn: (r) => exists r.a and r._value > 5)", &["_value"]), ["9"]);
}

#[test]
fn groups_in_storage_and_in_the_engine_differ_as_they_do_there() {
    // Storage: a missing tag comes last, and the bounds stay in the key. Engine: it comes first.
    let stored = m(" |> group(columns: [\"a\"])", &["_value", "a", "z"]);
    assert_eq!(stored, ["5 x ", "9 x 1", "1 - ", "3 - 2", "2 - 2"]);
    let engine = m(" |> limit(n: 9) |> group(columns: [\"a\"])", &["_value", "a"]);
    assert_eq!(engine, ["1 -", "3 -", "2 -", "5 x", "9 x"]);
    // By time in storage, by row in the engine.
    assert_eq!(m(" |> group() |> first()", &["_value"]), ["1"]);
    assert_eq!(m(" |> group() |> last()", &["_value"]), ["2"]);
    assert_eq!(m(" |> limit(n: 1) |> group() |> last()", &["_value"]), ["3"]);
    // As they come, or sorted by key.
    assert_eq!(
        m(" |> map(fn: (r) => ({r with q: 1})) |> group()", &["_value"]),
        ["1", "5", "9", "3", "2"]
    );
    assert_eq!(
        m(" |> set(key: \"q\", value: \"1\") |> group()", &["_value"]),
        ["1", "3", "2", "5", "9"]
    );
}

#[test]
fn rows_against_the_rows_before() {
    assert_eq!(n(" |> derivative(unit: 10s, nonNegative: true)", &["_value"]), ["2", ""]);
    assert_eq!(n(" |> difference()", &["_value"]), ["2", "-1"]);
    assert_eq!(n(" |> difference(keepFirst: true)", &["_value"]), ["", "2", "-1"]);
    assert_eq!(n(" |> increase()", &["_value"]), ["0", "2", "4"]);
    assert_eq!(n(" |> cumulativeSum()", &["_value"]), ["1", "4", "6"]);
    assert_eq!(n(" |> movingAverage(n: 2)", &["_value"]), ["2", "2.5"]);
    assert_eq!(n(" |> movingAverage(n: 5)", &["_value", "_time"]), ["2 2026-01-01T00:00:20Z"]);
    assert_eq!(n(" |> exponentialMovingAverage(n: 2)", &["_value"]), ["2", "2"]);
    assert_eq!(n(" |> elapsed(unit: 5s)", &["elapsed"]), ["2", "2"]);
    let state = " |> stateDuration(fn: (r) => r._value > 1, unit: 1s)";
    assert_eq!(n(state, &["stateDuration"]), ["-1", "0", "10"]);
    assert_eq!(n(" |> fill(column: \"new\", value: 7)", &["new"]), ["7"; 3]);
}

#[test]
fn one_row_of_many() {
    assert_eq!(n(" |> quantile(q: 0.9)", &["_value"]), ["3"]);
    assert_eq!(n(" |> median()", &["_value"]), ["2"]);
    assert_eq!(n(" |> stddev()", &["_value"]), ["1"]);
    assert_eq!(n(" |> limit(n: 1) |> stddev()", &["_value"]), ["NaN"]);
    assert_eq!(n(" |> spread()", &["_value"]), ["2"]);
    assert_eq!(n(" |> mode()", &["_value"]), [""]);
    assert_eq!(n(" |> integral(unit: 10s)", &["_value"]), ["4.5"]);
    assert_eq!(n(" |> top(n: 2)", &["_value"]), ["3", "2"]);
    assert_eq!(n(" |> highestMax(n: 1)", &["_value"]), ["3"]);
    assert_eq!(n(" |> lowestAverage(n: 1)", &["_value"]), ["2"]);
    assert_eq!(
        n(
            " |> reduce(identity: {s: 0.0, _field: \"\"}, fn: (r, accumulator) => ({s: accumulator.s + r._value, _field: \"all\"}))",
            &["_field", "s"]
        ),
        ["all 6"]
    );
    assert_eq!(n(" |> count() |> limit(n: 0) |> sum()", &["_value"]), [""]);
}

#[test]
fn windows_are_cut_to_the_range() {
    let late = " |> range(start: 2026-01-01T00:00:10Z, stop: 2026-01-01T00:01:40Z)";
    let counted =
        n(&format!("{late} |> aggregateWindow(every: 40s, fn: count)"), &["_time", "_value"]);
    let expected = ["2026-01-01T00:00:40Z 2", "2026-01-01T00:01:20Z 0", "2026-01-01T00:01:40Z 0"];
    assert_eq!(counted, expected);
    let empty = n(" |> aggregateWindow(every: 5m, fn: max)", &["_time", "_value"]);
    assert_eq!(empty, ["2026-01-01T00:05:00Z 3", "2026-01-01T00:10:00Z "]);
    let months = n(" |> window(every: 1mo)", &["_start", "_stop"]);
    assert_eq!(months[0], "2026-01-01T00:00:00Z 2026-01-01T00:10:00Z");
    let overlapping = n(" |> window(every: 10s, period: 20s) |> sum()", &["_stop", "_value"]);
    let expected = ["00:00:10Z 1", "00:00:20Z 4", "00:00:30Z 5", "00:00:40Z 2"];
    assert_eq!(overlapping, expected.map(|row| format!("2026-01-01T{row}")));
}

#[test]
fn joins_and_unions() {
    let side = |name: &str| {
        format!(
            "from(bucket: \"b\") |> range(start: 0){N} |> map(fn: (r) => ({{_time: r._time, {name}: r._value}}))"
        )
    };
    let of = |script: String| asked(&store("b", LINES), &script).unwrap();
    let inner =
        of(format!("join(tables: {{l: {}, r: {}}}, on: [\"_time\"])", side("p"), side("q")));
    assert_eq!(inner.matches("\r\n,,0,").count(), 3, "{inner}");
    assert!(inner.contains(",result,table,_time,p,q\r\n"), "{inner}");
    let full = of(format!(
        "import \"join\"\njoin.full(left: {} |> limit(n: 1), right: {}, on: (l, r) => l._time == r._time, as: (l, r) => ({{p: l.p, q: r.q}}))",
        side("p"),
        side("q")
    ));
    assert!(full.contains(",,0,1,1\r\n,,0,,3\r\n,,0,,2\r\n"), "{full}");
    let union = of(format!("union(tables: [{}, {}])", side("p"), side("q")));
    assert_eq!(union.matches("\r\n,,0,").count(), 6, "{union}");
}

#[test]
fn what_was_found_early_is_a_value() {
    let find = format!(
        "from(bucket: \"b\") |> range(start: 0){N} |> findRecord(fn: (key) => key._field == \"v\", idx: 1)"
    );
    let text =
        format!("import \"array\"\nrow = {find}\narray.from(rows: [{{x: row._value + 1.0}}])");
    let body = asked(&store("b", LINES), &text).unwrap();
    assert!(body.contains(",,0,4\r\n"), "{body}");
}

#[test]
fn cells_are_quoted_as_go_quotes_them() {
    let text = "import \"array\"\narray.from(rows: [{a: \"x,\\\"y\\\"\", b: \" z\", c: \"l\\nm\", d: \"#\\\\ \"}])";
    let body = asked(&store("b", ""), text).unwrap();
    assert!(body.contains("\r\n,,0,\"x,\"\"y\"\"\",\" z\",\"l\r\nm\",#\\ \r\n"), "{body}");
}
