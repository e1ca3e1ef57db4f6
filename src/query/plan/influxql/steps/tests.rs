//! Each statement goes to those who know, with the names that they know.

use super::{Who, steps};
use crate::proto::influxql::Params;
use crate::query::plan::Refusal;
use crate::ring::{Mapping, Naming};

fn naming() -> Naming {
    let renamed = |database: &str, policy: &str, bucket: &str| Mapping {
        database: database.into(),
        retention_policy: policy.into(),
        bucket: bucket.into(),
        org: None,
    };
    Naming::new(
        "default",
        &[
            renamed("old", "", "new"),
            renamed("old", "week", "new/weekly"),
            renamed("cut", "", "d/short"),
        ],
    )
}

/// Each step: who is asked, and what.
fn shown(text: &str) -> Vec<String> {
    let steps = steps(text, Some("db"), None, &naming(), &Params::default()).unwrap();
    let step = |step: super::Step| {
        let who = match step.who {
            Who::Any => "any".to_owned(),
            Who::Owners(owned) => {
                let name = |(target, name): (crate::ring::Target, Vec<u8>)| {
                    format!("{} {}", target.bucket(), String::from_utf8(name).unwrap())
                };
                owned.into_iter().map(name).collect::<Vec<_>>().join(", ")
            }
            Who::Everything(targets) => {
                let buckets: Vec<_> =
                    targets.iter().map(|target| target.bucket().into_owned()).collect();
                format!("all of {}", buckets.join(", "))
            }
        };
        format!("{who}: {}", step.statement)
    };
    steps.into_iter().map(step).collect()
}

#[test]
fn each_statement_is_asked_of_those_who_know() {
    let cases: [(&str, &[&str]); 8] = [
        ("SELECT v FROM a, b, a", &["db a, db b: SELECT v FROM a, b, a"]),
        ("SELECT v FROM /a/, b", &["all of db: SELECT v FROM /a/, b"]),
        ("SELECT v FROM a; SHOW DATABASES", &["db a: SELECT v FROM a", "any: SHOW DATABASES"]),
        (
            "SELECT v FROM (SELECT v FROM w..a), b",
            &["w a, db b: SELECT v FROM (SELECT v FROM w..a), b"],
        ),
        ("SHOW TAG KEYS", &["all of db: SHOW TAG KEYS"]),
        ("SHOW SERIES ON w FROM a", &["w a: SHOW SERIES ON w FROM a"]),
        ("SHOW USERS", &["all of : SHOW USERS"]),
        ("SELECT v FROM a, x../b/", &["all of x, db: SELECT v FROM a, x../b/"]),
    ];
    for (text, expected) in cases {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn names_that_are_spelled_become_those_of_the_backends() {
    let cases = [
        ("SELECT v FROM old..a", "new a: SELECT v FROM new..a"),
        ("SELECT v FROM old.autogen.a", "new a: SELECT v FROM new..a"),
        ("SELECT v FROM old.week.a, b", "new/weekly a, db b: SELECT v FROM new.weekly.a, b"),
        ("SELECT v FROM db.autogen.a", "db a: SELECT v FROM db.autogen.a"),
        ("SHOW TAG KEYS ON old FROM a", "new a: SHOW TAG KEYS ON new FROM a"),
        ("SHOW RETENTION POLICIES ON old", "any: SHOW RETENTION POLICIES ON new"),
    ];
    for (text, expected) in cases {
        assert_eq!(shown(text), [expected], "{text}");
    }
    let cut = steps("SHOW TAG KEYS ON cut", None, None, &naming(), &Params::default());
    assert!(matches!(cut, Err(Refusal::NotYet { .. })));
}
