//! Whatever is not for certain one owner's never plans to an owner.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::{Plan, Refusal, plan};
use crate::proto::influxql::{Params, identifier};
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

fn planned(text: &str) -> Result<Plan, Refusal> {
    plan(text, Some("db"), None, &naming(), &Params::default())
}

/// "database/policy measurement" of an owner, else what kind of plan it is.
fn shown(plan: Result<Plan, Refusal>) -> String {
    match plan {
        Ok(Plan::Owner { target, measurement }) => {
            format!("{} {}", target.bucket(), String::from_utf8(measurement).unwrap())
        }
        Ok(Plan::AnyBackend) => "any".to_owned(),
        Ok(Plan::WholeCircle { .. }) => "circle".to_owned(),
        Ok(Plan::Everywhere { statements }) => {
            let texts: Vec<String> = statements.iter().map(ToString::to_string).collect();
            format!("everywhere: {}", texts.join("; "))
        }
        Err(Refusal::Parse { .. }) => "parse".to_owned(),
        Err(Refusal::NotYet { .. }) => "not yet".to_owned(),
        Err(Refusal::CannotMerge { .. }) => "never".to_owned(),
    }
}

/// A text, and its plan in short.
const PLANS: &[(&str, &str)] = &[
    ("select v from cpu", "db cpu"),
    ("select v from \"cpu\"", "db cpu"),
    ("select mean(v)FROM cpu", "db cpu"),
    ("select v\nFROM\tcpu\nwhere x = 1", "db cpu"),
    ("-- from mem\nselect v from cpu", "db cpu"),
    ("select v from cpu; select w from cpu", "db cpu"),
    ("select v from cpu;", "db cpu"),
    ("select v from (select w from cpu where x = 'from mem')", "db cpu"),
    ("select v from cpu, cpu", "db cpu"),
    ("select v from other..cpu", "other cpu"),
    ("select v from other.weekly.cpu", "other/weekly cpu"),
    ("select v from weekly.cpu", "db/weekly cpu"),
    ("select v from db.autogen.cpu", "db cpu"),
    ("select v from \"cpu,mem\"", "db cpu,mem"),
    ("explain select v from cpu", "db cpu"),
    ("explain analyze select v from cpu", "db cpu"),
    ("show tag keys from cpu", "db cpu"),
    ("show tag values from cpu with key = host", "db cpu"),
    ("show field keys from cpu", "db cpu"),
    ("show series on other from cpu", "other cpu"),
    ("show series exact cardinality from cpu", "db cpu"),
    ("show measurements with measurement = cpu", "db cpu"),
    ("select v from cpu; show databases", "db cpu"),
    ("show databases", "any"),
    ("show retention policies on \"db\"", "any"),
    ("-- nothing", "any"),
    ("select v from cpu,mem", "circle"),
    ("select v from cpu, mem", "circle"),
    ("select v from cpu; select v from mem", "circle"),
    ("select v from /cpu/", "circle"),
    ("select v from (select v from cpu), (select v from mem)", "circle"),
    ("select v from cpu, other..cpu", "circle"),
    ("show measurements", "circle"),
    ("show measurements with measurement =~ /cpu/", "circle"),
    ("show tag keys", "circle"),
    ("show series from cpu, mem", "circle"),
    ("show series cardinality", "circle"),
    ("show users", "circle"),
    ("show tag keys on db from other..cpu", "not yet"),
    ("show diagnostics", "never"),
    ("show shards", "never"),
    ("selec", "parse"),
    ("select v from cpu mem", "parse"),
];

#[test]
fn each_statement_goes_to_who_can_answer_it() {
    for (text, expected) in PLANS {
        assert_eq!(shown(planned(text)), *expected, "{text}");
    }
}

#[test]
fn what_changes_something_takes_the_whole_text_with_it() {
    let cases = [
        ("create database d", "everywhere: CREATE DATABASE d"),
        ("create database d with name n", "everywhere: CREATE DATABASE d WITH NAME n"),
        (
            "create database a; create database b",
            "everywhere: CREATE DATABASE a; CREATE DATABASE b",
        ),
        (
            "create database a; select v from cpu",
            "everywhere: CREATE DATABASE a; SELECT v FROM cpu",
        ),
        ("select v into w from cpu", "not yet"),
        ("select v from (select v into w from cpu)", "not yet"),
        ("explain select v into w from cpu", "not yet"),
        ("delete from cpu", "everywhere: DELETE FROM cpu"),
        ("delete where time < 0", "everywhere: DELETE WHERE time < 0"),
        (
            "drop series from cpu; drop measurement m",
            "everywhere: DROP SERIES FROM cpu; DROP MEASUREMENT m",
        ),
        ("drop database d", "everywhere: DROP DATABASE d"),
        (
            "alter retention policy r on d default",
            "everywhere: ALTER RETENTION POLICY r ON d DEFAULT",
        ),
        ("create user u with password 'p'", "never"),
        ("revoke read on d from u", "never"),
        ("kill query 7", "never"),
        ("drop shard 7", "never"),
        ("select v from cpu; delete from cpu", "everywhere: SELECT v FROM cpu; DELETE FROM cpu"),
        ("drop database d; select v into w from cpu", "not yet"),
        ("drop database d; show shards", "never"),
    ];
    for (text, expected) in cases {
        assert_eq!(shown(planned(text)), expected, "{text}");
    }
}

#[test]
fn without_a_database_every_backend_gives_the_same_error() {
    for text in
        ["select v from cpu", "select v from /c/", "show measurements", "show series from a"]
    {
        let planned = plan(text, None, None, &naming(), &Params::default());
        assert_eq!(planned, Ok(Plan::AnyBackend), "{text}");
        let planned = plan(text, Some(""), None, &naming(), &Params::default());
        assert_eq!(planned, Ok(Plan::AnyBackend), "{text}");
    }
    let planned = plan("select v from d..cpu", None, None, &naming(), &Params::default());
    assert_eq!(shown(planned), "d cpu");
}

#[test]
fn the_policy_of_the_request_counts_where_the_text_has_none() {
    let with = |text: &str| plan(text, Some("db"), Some("weekly"), &naming(), &Params::default());
    assert_eq!(shown(with("select v from cpu")), "db/weekly cpu");
    assert_eq!(shown(with("select v from daily.cpu")), "db/daily cpu");
    assert_eq!(shown(with("select v from autogen.cpu")), "db cpu");
}

#[test]
fn a_renamed_database_may_stand_beside_the_text_but_not_in_it() {
    let with = |text: &str| plan(text, Some("old"), None, &naming(), &Params::default());
    assert_eq!(shown(with("select v from cpu")), "new cpu");
    assert_eq!(shown(with("select v from old..cpu")), "not yet");
    assert_eq!(shown(with("select v from autogen.cpu")), "not yet");
    assert_eq!(shown(with("show tag keys on old from cpu")), "not yet");
    assert_eq!(shown(with("show retention policies on old")), "not yet");
}

#[test]
fn a_bound_parameter_may_name_the_measurement() {
    let params = Params::from_json(r#"{"m": {"ident": "a b"}, "r": {"regex": "c"}}"#).unwrap();
    let with = |text: &str| plan(text, Some("db"), None, &naming(), &params);
    assert_eq!(shown(with("select v from $m")), "db a b");
    assert_eq!(shown(with("select v from $r")), "circle");
    assert_eq!(shown(with("select v from $x")), "parse");
}

#[test]
fn what_a_server_ran_is_never_called_unparsable() {
    let recorded = include_str!("../../../../tests/vectors/influxql_1_6.jsonl");
    let (mut owners, mut refused) = (0, 0);
    for line in recorded.lines() {
        let row: Json = serde_json::from_str(line).unwrap();
        // An empty `q` never comes this far.
        let Some(text) = row["q"].as_str().filter(|text| !text.is_empty()) else { continue };
        let params = row["params"]["params"].as_str();
        let params = params.map_or_else(Params::default, |json| Params::from_json(json).unwrap());
        let planned = plan(text, row["db"].as_str(), None, &naming(), &params);
        let parse_failed = matches!(planned, Err(Refusal::Parse { .. }));
        let left_to_the_backend = row["name"] == "perr_076";
        assert_eq!(parse_failed, row["status"] == 400 && !left_to_the_backend, "{text}");
        owners += u32::from(matches!(planned, Ok(Plan::Owner { .. })));
        refused += u32::from(planned.is_err());
    }
    assert_eq!((owners, refused), (583, 121));
}

proptest! {
    #[test]
    fn the_measurement_is_the_name_byte_for_byte(name in "\\PC{1,12}") {
        let text = format!("select v from db..{} where x = 'from y'", identifier(&name));
        match planned(&text) {
            Ok(Plan::Owner { measurement, .. }) => prop_assert_eq!(measurement, name.into_bytes()),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
