//! Refusals in the words of InfluxDB 2.7.

use super::super::Problem;
use super::{asked, store};

const LINES: &str = "\
m,a=x f=1,i=10i,s=\"one\" 1767225600000000000
m,a=x f=3,i=20i,s=\"two\" 1767225610000000000
";

/// Before the pipe of a case: 45 bytes and one blank.
const READ: &str = r#"from(bucket: "flux") |> range(start: -1h) |> "#;

fn refusal(text: &str) -> (Problem, String) {
    let refused = asked(&store("flux", LINES), text).expect_err(text);
    (refused.kind, refused.message)
}

fn refuses(cases: &[(&str, &str)], before: &str) {
    for (text, expected) in cases {
        let (_, message) = refusal(&format!("{before}{text}"));
        assert_eq!(message, *expected, "{text}");
    }
}

#[test]
fn arguments_are_checked_before_anything_is_read() {
    let cases = [
        (r#"range(start: -1h)"#, "error @1:1-1:18: missing required argument tables"),
        (r#"from(bucket: 5)"#, "error @1:14-1:15: expected string but found int (argument bucket)"),
        (
            r#"from(buket: "flux")"#,
            "error @1:1-1:20: found unexpected argument buket (Expected one of `bucket`, `bucketID`, `host`, `org`, `orgID` or `token`)",
        ),
        (
            r#"from(bucket: "flux") |> range(strt: -1h)"#,
            "error @1:25-1:41: found unexpected argument strt (Expected one of `start` or `stop`)\n\nerror @1:25-1:41: missing required argument start",
        ),
        ("foo()", "error @1:1-1:4: undefined identifier foo"),
        (r#"x = 1 + "a""#, "error @1:9-1:12: expected int but found string"),
        ("x = 1 + 1.0", "error @1:9-1:12: expected int but found float"),
        (r#"x = [1, "a"]"#, "error @1:9-1:12: expected int but found string"),
        ("x = if 1 then 2 else 3", "error @1:8-1:9: expected bool but found int"),
        ("x = {a: 1}.b", "error @1:5-1:13: record is missing label b"),
        ("x = 1\nx = 2", "error @2:1-2:6: variable \"x\" reassigned"),
        (r#"import "schema""#, "error @1:8-1:16: invalid import path schema"),
        ("f = (r) => { r.a == 1 }", "error @1:5-1:24: missing return statement in block"),
        ("return 5", "error @1:1-1:9: return not valid in file block"),
        (
            "f = (a=<-, b=<-) => a",
            "error @1:5-1:22: function types can have at most one pipe parameter",
        ),
    ];
    refuses(&cases, "");
    let piped = [
        ("limit(n: 3.0)", "error @1:55-1:58: expected int but found float (argument n)"),
        ("aggregateWindow(every: 1m)", "error @1:46-1:72: missing required argument fn"),
        (
            r#"aggregateWindow(every: 1m, fn: "mean")"#,
            "error @1:77-1:83: expected (<-: stream[B], column: A) => stream[C] (function) but found string (argument fn)",
        ),
        (
            r#"group(columns: "host")"#,
            "error @1:61-1:67: expected [string] (array) but found string (argument columns)",
        ),
        (
            "filter(fn: (r) => r._measurement)",
            "error @1:1-1:42: expected bool but found string (argument tables)",
        ),
        (
            r#"filter(fn: (r) => r._field =~ "x")"#,
            "error @1:76-1:79: expected regexp but found string",
        ),
        (
            r#"pivot(rowKey: ["_time"], columnKey: ["_field"])"#,
            "error @1:46-1:93: missing required argument valueColumn",
        ),
    ];
    refuses(&piped, READ);
}

#[test]
fn a_plan_is_checked_before_it_runs() {
    const NOTHING: &str = "error in query specification while starting program: this Flux script returns no streaming data. Consider adding a \"yield\" or invoking streaming functions directly, without performing an assignment";
    let cases = [
        ("", NOTHING),
        ("// nothing", NOTHING),
        ("import \"strings\" x = strings.toUpper(v: \"a\")", NOTHING),
        (
            r#"from(bucket: "flux") |> range(start: "-1h")"#,
            "error calling function \"range\" @1:25-1:44: value is not a time, got string",
        ),
        ("from()", "error calling function \"from\" @1:1-1:7: must specify bucket or bucketID"),
        (
            r#"from(bucket: "flux")"#,
            "error in building plan while starting program: cannot submit unbounded read to \"flux\"; try bounding 'from' with a call to 'range'",
        ),
        (
            r#"from(bucket: "flux") |> filter(fn: (r) => true) |> range(start: -1h)"#,
            "error in building plan while starting program: cannot submit unbounded read to \"flux\"; try bounding 'from' with a call to 'range'",
        ),
        (
            r#"from(bucket: "flux") |> range(start: 1h)"#,
            "error in building plan while starting program: cannot query an empty range",
        ),
        (
            "import \"array\" array.from(rows: [])",
            "error calling function \"from\" @1:16-1:36: rows must be non-empty",
        ),
        (
            "import \"array\" array.from(rows: [{a: 1}]) |> window(every: 1m)",
            "failed to initialize execute state: nil bounds passed to window; use range to set the window range",
        ),
    ];
    refuses(&cases, "");
    let named = format!("a = {READ}limit(n: 1)\na |> yield(name: \"a\")\na |> yield(name: \"a\")");
    let expected = "error in building plan while starting program: found more than one call to yield() with the name \"a\"";
    assert_eq!(refusal(&named).1, expected);
    let unnamed = format!("a = {READ}limit(n: 1)\na |> limit(n: 1)\na |> limit(n: 2)");
    let expected = "failed to initialize execute state: tried to produce more than one result with the name \"_result\"";
    assert_eq!(refusal(&unnamed).1, expected);
    let piped = [
        (
            r#"group(mode: "x")"#,
            "error calling function \"group\" @1:46-1:62: invalid group mode: must be \"by\" or \"except\"",
        ),
        (
            "quantile(q: 2.0)",
            "error calling function \"quantile\" @1:46-1:62: quantile must be between 0 and 1",
        ),
        (
            r#"quantile(q: 0.5, method: "x")"#,
            "error calling function \"quantile\" @1:46-1:75: unknown method x",
        ),
        (
            r#"keep(columns: ["a"], fn: (column) => true)"#,
            "error calling function \"keep\" @1:46-1:88: keep error: both column list and predicate provided",
        ),
        (
            "drop()",
            "error calling function \"drop\" @1:46-1:52: drop error: neither column list nor predicate function provided",
        ),
        (
            "fill()",
            "error calling function \"fill\" @1:46-1:52: fill requires exactly one of value or usePrevious",
        ),
    ];
    refuses(&piped, READ);
}

#[test]
fn a_stage_says_what_it_cannot_do() {
    let cases = [
        (r#"sum(column: "x")"#, "runtime error @1:46-1:62: sum: column \"x\" does not exist"),
        (
            r#"limit(n: 1) |> max(column: "x")"#,
            "runtime error @1:61-1:77: max: no column \"x\" exists",
        ),
        (
            r#"mean(column: "_field")"#,
            "runtime error @1:46-1:68: mean: cannot aggregate columns that are part of the group key",
        ),
        (
            r#"filter(fn: (r) => r._field == "s") |> mean()"#,
            "unsupported input type for mean aggregate: string",
        ),
        (
            r#"filter(fn: (r) => r._field == "s") |> limit(n: 1) |> mean()"#,
            "runtime error @1:99-1:105: mean: unsupported aggregate column type string",
        ),
        (
            r#"filter(fn: (r) => r._field == "s") |> limit(n: 1) |> max()"#,
            "runtime error @1:99-1:104: max: invalid use of function: *universe.MaxSelector has no implementation for type string",
        ),
        (
            "group() |> limit(n: 1)",
            "runtime error @1:57-1:68: limit: schema collision: cannot group float and integer types together",
        ),
        ("group() |> first()", "schema collision: cannot group float and integer types together"),
        (
            r#"keep(columns: ["_value"])"#,
            "runtime error @1:46-1:71: keep: schema collision detected: column \"_value\" is both of type float and int",
        ),
    ];
    refuses(&cases, READ);
}

#[test]
fn a_function_of_rows_says_what_it_cannot_do() {
    let cases = [
        (
            r#"filter(fn: (r) => r._field == "f") |> map(fn: (r) => ({r with _value: r._value * 2}))"#,
            "runtime error: type conflict: int != float",
        ),
        (
            r#"filter(fn: (r) => r._field == "i") |> map(fn: (r) => ({r with _value: r._value / 0}))"#,
            "runtime error: cannot divide by zero",
        ),
        (
            r#"filter(fn: (r) => r._field == "i") |> map(fn: (r) => ({r with _value: int(v: r._value) / 0}))"#,
            "runtime error @1:84-1:139: map: failed to evaluate map function: cannot divide by zero",
        ),
        (
            "map(fn: (r) => ({d: 1h}))",
            "runtime error @1:46-1:71: map: map object property \"d\" is duration type which is not supported in a flux table",
        ),
        (
            "map(fn: (r) => 1.0)",
            "runtime error @1:46-1:65: map: map function must return an object, got float",
        ),
        (
            "filter(fn: (r) => r.a)",
            "runtime error @1:46-1:68: filter: type conflict: bool != string",
        ),
        (
            r#"filter(fn: (r) => r._field == "f") |> fill(value: 1)"#,
            "runtime error @1:84-1:98: fill: fill column type mismatch: float/int",
        ),
        (
            r#"filter(fn: (r) => r._field == "f") |> toTime()"#,
            "runtime error @1:84-1:92: toTime: failed to evaluate map function: cannot convert float to time",
        ),
        (
            r#"filter(fn: (r) => r._field == "f" and r._value > 2.0) |> map(fn: (r) => ({x: bool(v: r._value)}))"#,
            "runtime error @1:103-1:143: map: failed to evaluate map function: cannot convert float 3.000000 to bool, must be 0 or 1",
        ),
        (
            r#"reduce(identity: {s: 0.0}, fn: (r, accumulator) => ({s: 1.0, t: 1.0}))"#,
            "error @1:46-1:116: record is missing label t (argument identity)",
        ),
        (
            r#"duplicate(column: "x", as: "y")"#,
            "runtime error @1:46-1:77: duplicate: duplicate error: column \"x\" doesn't exist",
        ),
    ];
    refuses(&cases, READ);
}

#[test]
fn what_is_not_here_is_named_with_its_place() {
    let cases = [
        (
            r#"holtWinters(n: 5, interval: 1m)"#,
            "error @1:46-1:57: the function holtWinters is not supported by this store",
        ),
        (
            "to(bucket: \"flux\", host: \"x\")",
            "error calling function \"to\" @1:46-1:75: the argument host of to() is not supported",
        ),
    ];
    refuses(&cases, READ);
    let (_, message) = refusal("import \"strings\"\nx = strings.nosuch(v: 1)");
    assert!(message.starts_with("error @2:5-2:19: record is missing label nosuch"), "{message}");
}

#[test]
fn kinds_tell_http_what_to_say() {
    let unknown = refusal(r#"from(bucket: "nosuch") |> range(start: -1h)"#);
    let message = "failed to initialize execute state: could not find bucket \"nosuch\"";
    assert_eq!(unknown, (Problem::NotFound, message.to_owned()));
    let syntax = refusal(r#"from(bucket: "flux" |> range(start: -1h)"#);
    let message = "compilation failed: error @1:1-1:41: expected RPAREN, got EOF";
    assert_eq!(syntax, (Problem::Invalid, message.to_owned()));
    let panic = refusal(&format!("{READ}set(key: \"_value\", value: \"x\")"));
    assert_eq!(panic.0, Problem::Internal);
}

#[test]
fn an_error_after_the_first_result_is_a_table() {
    let text = format!(
        "{READ}last() |> yield(name: \"a\")\n{READ}sum(column: \"x\") |> yield(name: \"b\")"
    );
    let body = asked(&store("flux", LINES), &text).unwrap();
    let (result, error) = body.split_once("\r\n\r\n\r\n").unwrap();
    assert!(result.starts_with("#datatype") && result.contains("#default,a,"), "{body}");
    let expected = "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,\"runtime error @2:46-2:62: sum: column \"\"x\"\" does not exist\",\r\n";
    assert_eq!(error, expected);
}
