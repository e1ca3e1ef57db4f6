//! No script makes the evaluation panic, run for ever, or use up the stack.

use proptest::prelude::*;

use super::super::{Question, answer};
use super::{asked, full_dialect, store};
use crate::store::guard::{Guard, Stopped};

const LINES: &str = "\
m,a=x f=1,i=1i,s=\"t\",b=true,u=1u 1767225600000000000
m,a=y f=2,i=2i,s=\"t\" 1767225660000000000
m f=3 1767225720000000000
";

/// Stages that fit behind each other, most of them.
const STAGES: [&str; 60] = [
    "filter(fn: (r) => r._field == \"f\")",
    "filter(fn: (r) => r.a != \"x\", onEmpty: \"keep\")",
    "filter(fn: (r) => exists r.a and not r._value == 1.0)",
    "group()",
    "group(columns: [\"a\"])",
    "group(columns: [\"_value\", \"_time\"], mode: \"except\")",
    "limit(n: 1, offset: 1)",
    "tail(n: 1)",
    "sample(n: 2)",
    "sort(columns: [\"a\", \"_value\"], desc: true)",
    "top(n: 2)",
    "distinct(column: \"a\")",
    "unique(column: \"_time\")",
    "count()",
    "sum()",
    "mean()",
    "min()",
    "max()",
    "first()",
    "last()",
    "median()",
    "quantile(q: 0.9, method: \"exact_selector\")",
    "quantile(q: 0.1, method: \"exact_mean\")",
    "spread()",
    "stddev()",
    "skew()",
    "mode()",
    "integral(unit: 1m, interpolate: \"linear\")",
    "histogram(bins: [1.0, 9.0])",
    "window(every: 1m)",
    "window(every: 1mo, period: 3mo, createEmpty: true)",
    "window(every: inf)",
    "aggregateWindow(every: 1m, fn: mean)",
    "aggregateWindow(every: 30s, period: 2m, fn: last, createEmpty: false)",
    "aggregateWindow(every: 1h, fn: (column, tables=<-) => tables |> median())",
    "timedMovingAverage(every: 1m, period: 2m)",
    "map(fn: (r) => ({r with _value: r._value * 2.0}))",
    "map(fn: (r) => ({v: string(v: r._value), a: r.a}))",
    "reduce(identity: {n: 0}, fn: (r, accumulator) => ({n: accumulator.n + 1}))",
    "toFloat()",
    "toString()",
    "truncateTimeColumn(unit: 1mo)",
    "keep(columns: [\"_value\", \"_time\"])",
    "drop(fn: (column) => column =~ /^_/)",
    "rename(columns: {a: \"_value2\"})",
    "duplicate(column: \"_value\", as: \"a\")",
    "set(key: \"a\", value: \"z\")",
    "columns()",
    "keys()",
    "timeShift(duration: -1y)",
    "elapsed()",
    "derivative(nonNegative: true)",
    "difference(keepFirst: true)",
    "increase()",
    "cumulativeSum()",
    "movingAverage(n: 2)",
    "exponentialMovingAverage(n: 2)",
    "stateDuration(fn: (r) => r._value > 1.0)",
    "pivot(rowKey: [\"_time\"], columnKey: [\"_field\"], valueColumn: \"_value\")",
    "range(start: 2026-01-01T00:00:30Z)",
];

fn word() -> impl Strategy<Value = String> {
    let words = [
        "from(bucket: \"b\")",
        "|>",
        "range(start: -1h)",
        "filter(fn:",
        "(r) =>",
        "r._value",
        "r.a",
        "==",
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "1",
        "2.5",
        "\"x\"",
        "\"${1}\"",
        "/a/",
        "=~",
        "1h",
        "inf",
        "now()",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ",",
        ":",
        "a:",
        "x =",
        "x",
        "if",
        "then",
        "else",
        "true",
        "exists",
        "not",
        "and",
        "or",
        "map(fn:",
        "yield()",
        "option now =",
        "{r with",
        "import \"math\"",
        "math.pi",
        "2026-01-01T00:00:00Z",
        "mean()",
        "string(v:",
    ];
    proptest::sample::select(words.to_vec()).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_pipe_panics(stages in proptest::collection::vec(proptest::sample::select(STAGES.to_vec()), 0..5)) {
        let pipe: String = stages.iter().map(|stage| format!(" |> {stage}")).collect();
        let twin = store("b", LINES);
        let text = format!("from(bucket: \"b\") |> range(start: 2025-12-31T23:59:00Z){pipe}");
        let first = asked(&twin, &text);
        prop_assert_eq!(first, asked(&twin, &text));
    }

    #[test]
    fn no_words_panic(words in proptest::collection::vec(word(), 0..20)) {
        asked(&store("b", LINES), &words.join(" ")).ok();
    }
}

#[test]
fn deep_scripts_are_refused_and_dropped() {
    let twin = store("b", "");
    let mut records = String::from("x0 = {a: 1}\n");
    let mut closures = String::from("w = (f) => () => f()\ng0 = () => 1\n");
    let mut calls = String::from("f0 = (x) => x\n");
    for at in 0..2000 {
        records.push_str(&format!("x{} = {{a: x{at}}}\n", at + 1));
        closures.push_str(&format!("g{} = w(f: g{at})\n", at + 1));
        calls.push_str(&format!("f{} = (x) => f{at}(x: x)\n", at + 1));
    }
    let stages =
        format!("from(bucket: \"b\") |> range(start: -1h){}", " |> limit(n: 1)".repeat(5000));
    let deep = [
        (records, "values are nested too deep"),
        (closures, "values are nested too deep"),
        (format!("{calls}y = f2000(x: 1)"), "too deep"),
        (stages, "more than 120 stages"),
    ];
    for (text, why) in deep {
        let refused = asked(&twin, &text).unwrap_err();
        assert!(refused.message.contains(why), "{refused}");
    }
    let doubled: String =
        (0..60).map(|at| format!("t{} = union(tables: [t{at}, t{at}])\n", at + 1)).collect();
    let text = format!("t0 = from(bucket: \"b\") |> range(start: -1h)\n{doubled}t60");
    assert!(asked(&twin, &text).unwrap_err().message.contains("more than 10000 stages"));
}

#[test]
fn memory_and_the_client_end_a_question() {
    let twin = store("b", LINES);
    let question = |text: &str| Question {
        text: text.to_owned(),
        dialect: full_dialect(),
        now_ns: super::NOW_NS,
        organization: String::new(),
    };
    let read = "from(bucket: \"b\") |> range(start: -1h)";
    let small = Guard::new(None, 1000);
    let refused = answer(&twin, &question(read), &small, &mut |_| Ok(())).unwrap_err();
    assert!(refused.message.contains("needs more than 1000 bytes"), "{refused}");
    let cancelled = Guard::new(None, 1 << 20);
    cancelled.cancel();
    let refused = answer(&twin, &question(read), &cancelled, &mut |_| Ok(())).unwrap_err();
    assert_eq!(refused.message, "query interrupted");
    // Whoever takes no more ends it without a word.
    let guard = Guard::new(None, 1 << 20);
    let mut pieces = 0;
    let ended = answer(&twin, &question(read), &guard, &mut |_| {
        pieces += 1;
        Err(Stopped::Cancelled)
    });
    assert!(ended.is_ok() && pieces <= 2, "{ended:?} {pieces}");
    // Many windows are refused before they are made.
    let windows = format!("{read} |> window(every: 1ns, createEmpty: true)");
    let refused = answer(&twin, &question(&windows), &Guard::new(None, 1 << 20), &mut |_| Ok(()))
        .unwrap_err();
    assert!(refused.message.contains("more than"), "{refused}");
}
