//! A query is spelled out as a server with all measurements would.

use super::{Known, explicit, probes};
use crate::proto::influxql::{Params, Select, Statement, parse};

fn select(text: &str) -> Select {
    match parse(text, &Params::default()).unwrap().remove(0) {
        Statement::Select(select) => *select,
        other => panic!("{other:?}"),
    }
}

fn explained(columns: &str) -> Vec<String> {
    vec!["EXPRESSION: <nil>".to_owned(), format!("AUXILIARY FIELDS: {columns}")]
}

/// What two backends know: one has a and b, the other b as a float and the tag host.
fn known_to(select: &Select) -> Result<Vec<Known>, String> {
    let known = |probe: &super::Probe| {
        let answers = |columns: &str, matched: &str, tags: &[&str]| {
            let mut answers = vec![explained(columns)];
            let explains = probe.statements.iter().filter(|text| text.starts_with("EXPLAIN"));
            for _ in 1..explains.count() {
                answers.push(if matched.is_empty() {
                    vec![String::new()]
                } else {
                    explained(matched)
                });
            }
            if probe.statements.len() > answers.len() {
                answers.push(tags.iter().map(ToString::to_string).collect());
            }
            answers
        };
        let one = answers("a::string, b::integer, \"x y\"::tag", "a::string", &["x y"]);
        let other = answers("b::float, host::tag", "host::tag", &["host"]);
        probe.known(&[&one, &other])
    };
    probes(select).iter().map(known).collect()
}

fn spelled(text: &str) -> Result<String, String> {
    let mut select = select(text);
    let known = known_to(&select)?;
    explicit(&mut select, &mut known.into_iter())?;
    Ok(select.to_string())
}

#[test]
fn columns_types_and_tag_keys_are_those_of_all_backends() {
    let cases = [
        ("SELECT * FROM m, n", "SELECT a::string, b::float, host::tag, \"x y\"::tag FROM m, n"),
        (
            "SELECT * FROM m, n GROUP BY host",
            "SELECT a::string, b::float, \"x y\"::tag FROM m, n GROUP BY host",
        ),
        ("SELECT * FROM m GROUP BY *", "SELECT a::string, b::float FROM m GROUP BY host, \"x y\""),
        ("SELECT *::tag, b FROM m", "SELECT host::tag, \"x y\"::tag, b::float FROM m"),
        ("SELECT *::field AS z FROM m", "SELECT a::string, b::float FROM m"),
        ("SELECT /a/ FROM m", "SELECT a::string, host::tag FROM m"),
        ("SELECT b FROM m GROUP BY /a/", "SELECT b::float FROM m GROUP BY host"),
        ("SELECT mean(*) FROM m", "SELECT mean(b::float) AS mean_b FROM m"),
        (
            "SELECT count(*) AS c FROM m",
            "SELECT count(a::string) AS c_a, count(b::float) AS c_b FROM m",
        ),
        (
            "SELECT difference(max(*)) FROM m GROUP BY time(1m)",
            "SELECT difference(max(b::float)) AS difference_b FROM m GROUP BY time(1m)",
        ),
        (
            "SELECT b::integer, b::field, host::field, q FROM m",
            "SELECT b::integer, b::float, host::field, q FROM m",
        ),
        ("SELECT DISTINCT b FROM m", "SELECT distinct(b::float) FROM m"),
        (
            "SELECT b + 1 FROM m WHERE (a = 'x' OR host = 'y') AND time > 0 AND q = 1",
            "SELECT b::float + 1 FROM m WHERE (a::string = 'x' OR host::tag = 'y') AND time > 0 AND q = 1",
        ),
        (
            "SELECT * FROM (SELECT * FROM m), (SELECT max(b) FROM n)",
            "SELECT * FROM (SELECT a::string, b::float, host::tag, \"x y\"::tag FROM m), (SELECT max(b::float) FROM n)",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(spelled(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_every_server_refuses_stays_as_it_is() {
    for text in ["SELECT mean(*::tag) FROM m", "SELECT * + 1 FROM m", "SELECT mean(*) + 1 FROM m"] {
        assert_eq!(spelled(text).as_deref(), Ok(text));
    }
}

#[test]
fn a_measurement_beside_a_subquery_is_spelled_out_only_if_nothing_depends_on_it() {
    assert!(spelled("SELECT b FROM (SELECT b FROM m), n").is_ok());
    assert!(spelled("SELECT a FROM (SELECT a FROM m), n").is_err());
    assert!(spelled("SELECT * FROM (SELECT a FROM m), n").is_err());
}

#[test]
fn nothing_is_spelled_out_where_nothing_is_in_the_time_range() {
    let text = "SELECT * FROM m, n WHERE time < 0";
    let mut select = select(text);
    let nothing = [vec![vec![String::new()], vec!["host".to_owned()]]];
    let known = probes(&select)[0].known(&[&nothing[0]]).unwrap();
    explicit(&mut select, &mut [known].into_iter()).unwrap();
    assert_eq!(select.to_string(), text);
}

#[test]
fn tags_of_a_backend_without_points_in_the_range_are_columns_too() {
    let text = "SELECT * FROM m, n";
    let mut select = select(text);
    let one = [explained("b::float"), vec![]];
    let other = [vec![String::new()], vec!["host".to_owned()]];
    let known = probes(&select)[0].known(&[&one, &other]).unwrap();
    explicit(&mut select, &mut [known].into_iter()).unwrap();
    assert_eq!(select.to_string(), "SELECT b::float, host::tag FROM m, n");
}

#[test]
fn an_answer_that_is_not_understood_is_never_taken_for_none() {
    let probe = &probes(&select("SELECT b FROM m, n"))[0];
    for strange in [
        vec!["logical_plan".to_owned()],
        vec!["EXPRESSION: <nil>".to_owned()],
        explained("b::float, mean(x)"),
        explained("b"),
    ] {
        assert!(probe.known(&[std::slice::from_ref(&strange)]).is_err(), "{strange:?}");
    }
}

#[test]
fn the_probe_looks_at_what_the_query_reads() {
    let texts = |text: &str| -> Vec<String> {
        probes(&select(text)).into_iter().flat_map(|probe| probe.statements).collect()
    };
    let nothing = "\"circlet reads nothing\" = 'x'";
    assert_eq!(
        texts("SELECT v FROM a, d..b WHERE x = 1 AND (time > 5 OR 9 > time)"),
        [format!("EXPLAIN SELECT * FROM a, d..b WHERE {nothing} AND (time > 5) AND (9 > time)")]
    );
    let probed =
        texts("SELECT difference(mean(*)) FROM a WHERE time >= 5 - 1h GROUP BY time(1m), /x/");
    assert_eq!(
        probed,
        [
            format!("EXPLAIN SELECT * FROM a WHERE {nothing} AND (time >= 5 - 1h - 1m)"),
            format!("EXPLAIN SELECT /x/ FROM a WHERE {nothing} AND (time >= 5 - 1h - 1m)"),
            "SHOW TAG KEYS FROM a".to_owned(),
        ]
    );
    let nested = texts(
        "SELECT max(v) FROM (SELECT v FROM a WHERE time > 1), (SELECT v FROM b) WHERE time < 3",
    );
    assert_eq!(nested.len(), 2);
    assert!(nested.iter().all(|text| text.contains("(time < 3)") && !text.contains("time > 1")));
}
