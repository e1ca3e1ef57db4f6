//! What each statement becomes, for whom, and what is refused rather than half done.

use super::*;
use crate::proto::influxql::{Params, parse};
use crate::proto::predicate;
use crate::ring::Mapping;

const NOW: UnixNanos = UnixNanos(1_700_000_000_123_456_789);

fn row(database: &str, policy: &str, bucket: &str) -> Mapping {
    Mapping {
        database: database.into(),
        retention_policy: policy.into(),
        bucket: bucket.into(),
        org: None,
    }
}

fn naming() -> Naming {
    Naming::new(
        "default",
        &[
            row("old", "", "new"),
            row("part", "", "whole/part"),
            row("torn", "weekly", "elsewhere"),
            row("same", "weekly", "same/short"),
        ],
    )
}

fn planned_for(text: &str, has_v1: bool, has_v2: bool) -> Result<Planned, String> {
    let naming = naming();
    let context =
        Context { database: Some("d"), policy: None, naming: &naming, now: NOW, has_v1, has_v2 };
    let statements = parse(text, &Params::default()).expect(text);
    plan(&statements[0], &context)
}

/// The text for 1.x, and whom it concerns.
fn shown(text: &str) -> String {
    match planned_for(text, true, false) {
        Ok(Planned { text, measurements: None, .. }) => format!("all: {text}"),
        Ok(Planned { text, measurements: Some(names), .. }) => {
            let names: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name)).collect();
            format!("{}: {text}", names.join(" "))
        }
        Err(why) => format!("error: {why}"),
    }
}

#[test]
fn a_statement_reaches_whom_it_concerns_with_the_backends_names() {
    let cases = [
        ("delete from cpu", "cpu: DELETE FROM cpu"),
        (
            "delete from \"a b\", cpu where h = 'x'",
            "a b cpu: DELETE FROM \"a b\", cpu WHERE h = 'x'",
        ),
        ("delete from /c/", "all: DELETE FROM /c/"),
        ("delete from cpu, /c/", "all: DELETE FROM cpu, /c/"),
        ("delete where time < 7", "all: DELETE WHERE time < 7"),
        (
            "delete from cpu where time < now() - 1h",
            "cpu: DELETE FROM cpu WHERE time < '2023-11-14T22:13:20.123456789Z' - 1h",
        ),
        ("drop series from cpu where h = 'x'", "cpu: DROP SERIES FROM cpu WHERE h = 'x'"),
        ("drop measurement cpu", "cpu: DROP MEASUREMENT cpu"),
        ("drop database d", "all: DROP DATABASE d"),
        ("drop database old", "all: DROP DATABASE new"),
        ("create database old with duration 1d", "all: CREATE DATABASE new WITH DURATION 1d"),
        (
            "create retention policy w on d duration 7d replication 1 shard duration 1d default",
            "all: CREATE RETENTION POLICY w ON d DURATION 1w REPLICATION 1 SHARD DURATION 1d DEFAULT",
        ),
        (
            "create retention policy weekly on same duration inf replication 1",
            "all: CREATE RETENTION POLICY short ON same DURATION INF REPLICATION 1",
        ),
        (
            "alter retention policy autogen on old duration 1d",
            "all: ALTER RETENTION POLICY autogen ON new DURATION 1d",
        ),
        ("drop retention policy weekly on torn", "all: DROP RETENTION POLICY autogen ON elsewhere"),
        (
            "drop series from cpu where time > 0",
            "error: DROP SERIES doesn't support time in WHERE clause",
        ),
        (
            "delete from cpu where time > 'x'",
            "error: invalid operation: time and *influxql.StringLiteral are not compatible",
        ),
        ("delete from cpu where time != 7", "error: invalid time comparison operator: !="),
        ("create database \"\"", "error: invalid name"),
        ("create database \"..\"", "error: invalid name"),
        ("create database \"a/b\"", "error: invalid name"),
    ];
    for (text, expected) in cases {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn what_reaches_all_policies_needs_one_database_behind_the_name() {
    for text in ["drop database part", "drop database torn"] {
        assert!(
            shown(text).starts_with("error: DROP DATABASE reaches all retention policies"),
            "{text}"
        );
    }
    assert_eq!(shown("drop database same"), "all: DROP DATABASE same");
}

#[test]
fn without_a_database_nothing_is_removed() {
    let naming = naming();
    let context = Context {
        database: None,
        policy: None,
        naming: &naming,
        now: NOW,
        has_v1: true,
        has_v2: true,
    };
    for text in ["delete from cpu", "drop series from cpu", "drop measurement cpu"] {
        let statements = parse(text, &Params::default()).unwrap();
        assert_eq!(
            plan(&statements[0], &context),
            Err("database not found: ".to_owned()),
            "{text}"
        );
    }
}

fn deletion(text: &str) -> Deletion {
    match planned_for(text, false, true).expect(text).act {
        Act::Delete(deletion) => deletion,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_delete_is_the_same_on_2_x() {
    let all = (TIME_MIN, TIME_MAX);
    let cases = [
        ("delete from cpu", all, vec!["_measurement=\"cpu\""]),
        ("drop measurement \"a\\\"b\"", all, vec!["_measurement=\"a\\\"b\""]),
        ("delete from cpu, mem", all, vec!["_measurement=\"cpu\"", "_measurement=\"mem\""]),
        ("delete where h = 'x'", all, vec!["h=\"x\""]),
        ("delete where time < 7", (TIME_MIN, 6), vec![""]),
        (
            "delete from cpu where (h = 'x' and \"time of\" != 'y') and time >= 5 and time <= 7",
            (5, 7),
            vec!["_measurement=\"cpu\" AND h=\"x\" AND \"time of\"!=\"y\""],
        ),
        ("delete where time > 5s and 7s > time", (5_000_000_001, 6_999_999_999), vec![""]),
        ("delete where time = '1970-01-01T00:00:01Z'", (1_000_000_000, 1_000_000_000), vec![""]),
        ("delete where time >= now() - 1ns", (NOW.0 - 1, TIME_MAX), vec![""]),
        ("delete where time > 7 and time < 7", (8, 6), vec![]),
    ];
    for (text, span, predicates) in cases {
        let found = deletion(text);
        assert_eq!((found.start_ns, found.stop_ns), span, "{text}");
        assert_eq!(found.predicates, predicates, "{text}");
    }
}

#[test]
fn what_2_x_cannot_say_is_refused_before_anybody_is_asked() {
    for text in [
        "delete from /c/",
        "delete from cpu where h =~ /x/",
        "delete from cpu where h = 'x' or h = 'y'",
        "delete from cpu where v > 1",
        "delete from cpu where time > 1 + 2 * 3",
        "create database d with name weekly",
        "create retention policy w on d duration 1d replication 1 default",
        "alter retention policy w on d default",
    ] {
        assert!(planned_for(text, true, true).is_err(), "{text}");
        assert!(planned_for(text, true, false).is_ok(), "{text}");
    }
}

#[test]
fn policies_are_buckets_of_2_x() {
    let act =
        |text: &str| planned_for(text, false, true).map(|planned| (planned.target, planned.act));
    let target = |database: &str, policy: &str| Target {
        org: "default".into(),
        database: database.into(),
        retention_policy: policy.into(),
    };
    let lengths = |kept_s, slice_s| Lengths { kept_s, slice_s };
    let cases = [
        ("create database d", target("d", ""), Act::Make(Lengths::default())),
        (
            "create database d with duration 1d",
            target("d", ""),
            Act::Make(lengths(Some(86_400), None)),
        ),
        (
            "create retention policy w on d duration inf replication 1 shard duration 1h",
            target("d", "w"),
            Act::Make(lengths(Some(0), Some(3600))),
        ),
        (
            "alter retention policy autogen on d duration 2h",
            target("d", ""),
            Act::Alter(lengths(Some(7200), None)),
        ),
        ("drop retention policy w on d", target("d", "w"), Act::Drop { with_policies: false }),
        ("drop database d", target("d", ""), Act::Drop { with_policies: true }),
    ];
    for (text, target, expected) in cases {
        assert_eq!(act(text), Ok((target, expected)), "{text}");
    }
}

/// Text for 1.x and measurements of a delete by the API of 2.x over 1 to 9 ns.
fn deleted(bucket: &str, predicate_text: &str, has_v1: bool) -> Result<(String, usize), String> {
    let naming = naming();
    let context = Context {
        database: None,
        policy: None,
        naming: &naming,
        now: NOW,
        has_v1,
        has_v2: !has_v1,
    };
    let predicate = predicate::parse(predicate_text).unwrap();
    let target = naming.v2(None, bucket);
    let (start_ns, stop_ns) = (1, 9);
    let delete =
        Delete { target: &target, start_ns, stop_ns, predicate: &predicate, predicate_text };
    let planned = plan_delete(&delete, &context)?;
    Ok((planned.text, planned.measurements.map_or(0, |names| names.len())))
}

#[test]
fn a_delete_of_2_x_is_a_delete_on_1_x() {
    let (span, all) = ("time >= 1 AND time <= 9", 0);
    let cases = [
        ("", format!("DELETE WHERE {span}"), all),
        ("_measurement=\"a b\"", format!("DELETE FROM \"a b\" WHERE {span}"), 1),
        (
            "_measurement=cpu AND host=\"it's\" AND dc != \"x\"",
            format!("DELETE FROM cpu WHERE host = 'it\\'s' AND dc != 'x' AND {span}"),
            1,
        ),
        ("host=\"x\"", format!("DELETE WHERE host = 'x' AND {span}"), all),
    ];
    for (predicate, text, concerned) in cases {
        assert_eq!(deleted("d", predicate, true), Ok((text, concerned)), "{predicate}");
    }
    assert!(deleted("d", "_measurement != \"x\"", true).is_err());
    assert!(deleted("d", "_measurement != \"x\"", false).is_ok());
}

#[test]
fn a_delete_in_one_policy_never_reaches_the_others() {
    assert!(deleted("d/weekly", "_measurement=cpu", true).is_err());
    assert!(deleted("d/weekly", "_measurement=cpu", false).is_ok());
    assert!(deleted("d/autogen", "_measurement=cpu", true).is_ok());
}
