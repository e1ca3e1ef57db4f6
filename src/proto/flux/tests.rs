//! The syntax against what a real server read, and against what no server should meet.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::{
    Expression, ExpressionKind, Measurements, Operator, Statement, StringPart, parse, reads,
};

fn expression(text: &str) -> Expression {
    match parse(text).unwrap().statements.pop().unwrap() {
        Statement::Expression(expression) => expression,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_recorded_script_is_read() {
    let recorded = include_str!("../../../tests/vectors/flux_2_7.jsonl");
    for line in recorded.lines() {
        let row: Json = serde_json::from_str(line).unwrap();
        let script = row["query"].as_str().unwrap();
        assert!(parse(script).is_ok(), "{}: {:?}", row["name"], parse(script));
    }
}

#[test]
fn the_pipe_binds_tighter_than_arithmetic() {
    let ExpressionKind::Chain { rest, .. } = expression("a + b |> f()").kind else { panic!() };
    assert!(matches!(rest[0].1.kind, ExpressionKind::Pipe { .. }));
    let ExpressionKind::Unary { operand, .. } = expression("not a == b").kind else { panic!() };
    assert!(matches!(operand.kind, ExpressionKind::Chain { .. }));
    let ExpressionKind::Chain { first, rest } = expression("not a == b and c").kind else {
        panic!()
    };
    assert!(matches!(first.kind, ExpressionKind::Unary { .. }));
    assert_eq!(rest[0].0, Operator::And);
    let ExpressionKind::Chain { rest, .. } = expression("2 ^ 3 ^ 2").kind else { panic!() };
    assert_eq!(rest.len(), 2);
}

#[test]
fn new_lines_mean_nothing() {
    let count = |text: &str| parse(text).unwrap().statements.len();
    assert_eq!(count("x = 1 y = 2"), 2);
    assert_eq!(count("x = a\n-1"), 1);
    assert_eq!(count("f\n(a: 1)"), 1);
    assert_eq!(count("1h30"), 2);
    assert_eq!(count("1..2"), 2);
    assert_eq!(count("a // |> f()\nb"), 2);
}

#[test]
fn literals_are_read_as_written() {
    let kinds = [
        (r#""a\"b\\\n\x41\${x}""#, ExpressionKind::String("a\"b\\\nA${x}".into())),
        ("2026-01-01T00:00:00.5+01:00", ExpressionKind::Time("2026-01-01T00:00:00.5+01:00".into())),
        ("2026-01-01", ExpressionKind::Time("2026-01-01".into())),
        (r"/a\/b\d/", ExpressionKind::Regex(r"a/b\d".into())),
        ("1.", ExpressionKind::Float(1.0)),
        (".5", ExpressionKind::Float(0.5)),
        ("[:]", ExpressionKind::Dictionary(vec![])),
        ("true", ExpressionKind::Boolean(true)),
    ];
    for (text, kind) in kinds {
        assert_eq!(expression(text).kind, kind, "{text}");
    }
    let ExpressionKind::Interpolated(parts) = expression(r#""a ${f(x: "b")} c""#).kind else {
        panic!()
    };
    assert_eq!(parts.len(), 3);
    assert!(
        matches!(&parts[1], StringPart::Value(value) if matches!(value.kind, ExpressionKind::Call { .. }))
    );
    let ExpressionKind::Member { name, .. } = expression(r#"r["a b"]"#).kind else { panic!() };
    assert_eq!(name, "a b");
}

#[test]
fn functions_are_told_from_parentheses() {
    for text in
        ["() => 1", "(a) => a", "(a, b) => a", "(a=1) => a", "(t=<-) => t", "(a) => {return a}"]
    {
        assert!(matches!(expression(text).kind, ExpressionKind::Function(_)), "{text}");
    }
    for text in ["(a)", "(a + b)", "({a with b: 1})"] {
        assert!(!matches!(expression(text).kind, ExpressionKind::Function(_)), "{text}");
    }
}

/// The words of a real server; where it names several faults, the first of them.
#[test]
fn faults_name_their_place() {
    let cases = [
        (
            r#"from(bucket: "flux" |> range(start: -1h)"#,
            "error @1:1-1:41: expected RPAREN, got EOF",
        ),
        (r#"from(bucket: "flux")) |> range(start: -1h)"#, "error @1:21-1:22: invalid statement: )"),
        (
            r#"from("flux") |> range(start: -1h)"#,
            "error @1:6-1:12: string literal key flux must have a value",
        ),
        (r#"from(bucket: "flux") | range(start: -1h)"#, "error @1:22-1:23: invalid statement: |"),
        (
            r#"from(bucket: "flux") |> range"#,
            "error @1:25-1:30: pipe destination must be a function call",
        ),
        ("x = ", "error @1:5-1:5: invalid expression: invalid token for primary expression: EOF"),
        ("x = [1, 2", "error @1:5-1:10: expected RBRACK, got EOF"),
        ("x = a ; y = 2", "error @1:7-1:8: invalid statement: ;"),
        ("x = 1 && 2", "error @1:7-1:8: invalid statement: &"),
        ("# comment", "error @1:1-1:2: invalid statement: #"),
        ("x = r.", "error @1:7-1:7: expected IDENT, got EOF"),
        ("x = a[]", "error @1:5-1:8: no expression included in brackets"),
        ("x = if true then 1", "error @1:5-1:19: expected ELSE, got EOF"),
        (
            "x = 012",
            "error @1:5-1:8: invalid integer literal \"012\": nonzero value cannot start with 0",
        ),
        (
            "x = 99999999999999999999",
            "error @1:5-1:25: invalid integer literal \"99999999999999999999\": \
             value out of range",
        ),
        (
            "x = 2026-01-01T00:00:00",
            "error @1:5-1:24: invalid expression: invalid date time literal, missing time offset",
        ),
        ("x = 1\nimport \"x\"", "error @2:1-2:7: invalid statement: import"),
    ];
    for (text, message) in cases {
        assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
    }
    for text in
        ["'a'", "x = 1 && 2", "f(a: 1,, b: 2)", "import \"x\" y = 1 import \"z\"", "\"${a\"", "/a"]
    {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn deep_nesting_is_refused_and_long_pipes_are_not() {
    let many = 20_000;
    for (open, close) in
        [("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("f(a: ", ")"), ("() => ", "")]
    {
        let text = format!("x = {}1{}", open.repeat(many), close.repeat(many));
        assert!(parse(&text).is_err(), "{open}");
    }
    assert!(parse(&format!("x = a{}", ".b".repeat(many))).is_err());
    assert!(parse(&format!("x = {}", "\"${".repeat(many))).is_err());
    assert!(parse(&format!("a{}", " |> f()".repeat(many))).is_ok());
    assert!(parse(&format!("x = 1{}", " or 1".repeat(many))).is_ok());
}

#[test]
fn a_script_that_multiplies_its_work_is_given_up() {
    let mut script = "f0 = () => from(bucket: \"b\")\n".to_owned();
    for level in 1..60 {
        let below = level - 1;
        script += &format!("f{level} = () => union(tables: [f{below}(), f{below}()])\n");
    }
    script += "f59()";
    assert!(reads(&parse(&script).unwrap(), &[]).doubt.is_some());
    let itself = "f = (g) => g(g: g)\nf(g: f)";
    assert!(reads(&parse(itself).unwrap(), &[]).doubt.is_some());
    let many = "a, ".repeat(50_000);
    let given = "b: 1, ".repeat(5_000);
    let wide = format!("f = ({many}x) => 1\n{}", format!("f({given}x: 1)\n").repeat(4));
    assert!(reads(&parse(&wide).unwrap(), &[]).doubt.is_some());
    let mut long = "s = \"x\"\n".to_owned();
    for _ in 0..100 {
        long += "s = s + s\n";
    }
    assert!(reads(&parse(&long).unwrap(), &[]).reads.is_empty());
}

/// Pieces that a hostile or a broken client may join in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("from(bucket: \"b\")".to_owned()),
        Just(" |> filter(fn: (r) => r._measurement == \"m\")".to_owned()),
        Just(" |> f(a: ".to_owned()),
        Just("(a, t=<-) => ".to_owned()),
        Just("{ return ".to_owned()),
        Just("\"${".to_owned()),
        Just("}".to_owned()),
        Just(")".to_owned()),
        Just("[".to_owned()),
        Just("\\x".to_owned()),
        Just("/".to_owned()),
        Just("2026-01-01T".to_owned()),
        Just("99999999999999999999h".to_owned()),
        Just("\nx = ".to_owned()),
        "[a-z.:=~,;() +-]{0,6}",
        "\\PC{0,4}",
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_script_panics(text in pieces()) {
        if let Ok(file) = parse(&text) {
            let again = reads(&file, &[]);
            prop_assert_eq!(reads(&file, &[]), again);
        }
    }
}

/// A predicate on a row as text, and whether it holds for a measurement when `r.x == "y"` is `x`.
#[derive(Clone, Debug)]
enum Predicate {
    Is(&'static str),
    IsReversed(&'static str),
    IsNot(&'static str),
    OneOf(Vec<&'static str>),
    OtherColumn,
    Not(Box<Predicate>),
    And(Box<Predicate>, Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
}

impl Predicate {
    fn text(&self) -> String {
        match self {
            Predicate::Is(name) => format!("r._measurement == \"{name}\""),
            Predicate::IsReversed(name) => format!("\"{name}\" == r[\"_measurement\"]"),
            Predicate::IsNot(name) => format!("r._measurement != \"{name}\""),
            Predicate::OneOf(names) => {
                format!("contains(value: r._measurement, set: {names:?})")
            }
            Predicate::OtherColumn => "r.x == \"y\"".to_owned(),
            Predicate::Not(inner) => format!("not ({})", inner.text()),
            Predicate::And(a, b) => format!("({}) and ({})", a.text(), b.text()),
            Predicate::Or(a, b) => format!("({}) or {}", a.text(), b.text()),
        }
    }

    fn holds(&self, measurement: &str, x: bool) -> bool {
        match self {
            Predicate::Is(name) | Predicate::IsReversed(name) => *name == measurement,
            Predicate::IsNot(name) => *name != measurement,
            Predicate::OneOf(names) => names.contains(&measurement),
            Predicate::OtherColumn => x,
            Predicate::Not(inner) => !inner.holds(measurement, x),
            Predicate::And(a, b) => a.holds(measurement, x) && b.holds(measurement, x),
            Predicate::Or(a, b) => a.holds(measurement, x) || b.holds(measurement, x),
        }
    }
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn predicates() -> impl Strategy<Value = Predicate> {
    let name = || proptest::sample::select(NAMES.to_vec());
    let leaf = prop_oneof![
        name().prop_map(Predicate::Is),
        name().prop_map(Predicate::IsReversed),
        name().prop_map(Predicate::IsNot),
        proptest::collection::vec(name(), 0..3).prop_map(Predicate::OneOf),
        Just(Predicate::OtherColumn),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        let pair = || (inner.clone(), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|a| Predicate::Not(Box::new(a))),
            pair().prop_map(|(a, b)| Predicate::And(Box::new(a), Box::new(b))),
            pair().prop_map(|(a, b)| Predicate::Or(Box::new(a), Box::new(b))),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_never_hides_a_measurement_that_it_admits(
        filters in proptest::collection::vec(predicates(), 0..4)
    ) {
        let mut script = "from(bucket: \"b\") |> range(start: 0)".to_owned();
        for filter in &filters {
            script += &format!(" |> filter(fn: (r) => {})", filter.text());
        }
        let found = reads(&parse(&script).unwrap(), &[]);
        prop_assert_eq!(&found.doubt, &None);
        prop_assert_eq!(found.reads.len(), 1);
        for name in NAMES {
            let admitted = [true, false]
                .iter()
                .any(|x| filters.iter().all(|filter| filter.holds(name, *x)));
            let reported = match &found.reads[0].measurements {
                Measurements::All => true,
                Measurements::Only(names) => names.contains(name),
            };
            prop_assert!(!admitted || reported, "{} {}", name, script);
        }
    }
}
