//! How long the points of databases and buckets are kept: one healthy backend is asked, in InfluxQL, which both
//! 1.x and 2.x answer. Where nobody can say it, nothing is told.

use super::super::gateway::Gateway;
use super::super::statement::between::whole;
use crate::backend::Cancel;
use crate::proto::influxql::quoted;
use crate::query::InfluxQl;
use serde_json::{Value, json};

/// The rules of each of these buckets, in the form of 2.x.
pub(super) async fn rules(gateway: &Gateway, names: &[&str]) -> Vec<Value> {
    let unknown = || vec![json!([]); names.len()];
    if names.is_empty() {
        return unknown();
    }
    let show = |name: &&str| {
        let database = name.split('/').next().unwrap_or_default();
        format!("SHOW RETENTION POLICIES ON {}", quoted(database, '"'))
    };
    let texts: Vec<String> = names.iter().map(show).collect();
    let question = InfluxQl {
        text: texts.join("; "),
        target_db: None,
        rp: None,
        params: Vec::new(),
        accept: Some("application/json".to_owned()),
        accept_encoding: None,
        read_only: false,
        asker: Cancel::default(),
    };
    let Ok(body) = whole(gateway, question).await else { return unknown() };
    let Ok(answer) = serde_json::from_slice::<Value>(&body) else { return unknown() };
    let rules = |(number, name): (usize, &&str)| {
        let rows = answer.pointer(&format!("/results/{number}/series/0/values"));
        let policy = name.split_once('/').map(|(_, policy)| policy);
        rows.and_then(Value::as_array).and_then(|rows| rule(rows, policy)).unwrap_or(json!([]))
    };
    names.iter().enumerate().map(rules).collect()
}

/// Of the policy, or of the default one. Rows are `name, duration, shardGroupDuration, replicaN, default`.
fn rule(rows: &[Value], policy: Option<&str>) -> Option<Value> {
    let is_it = |row: &&Value| match policy {
        Some(policy) => row[0] == policy,
        None => row[4] == true,
    };
    let row = rows.iter().find(is_it)?;
    let (kept_s, slice_s) = (seconds(row[1].as_str()?)?, seconds(row[2].as_str()?)?);
    Some(json!([{
        "type": "expire", "everySeconds": kept_s, "shardGroupDurationSeconds": slice_s,
    }]))
}

/// Whole seconds of a length of time as Go writes it: `72h0m0s`.
fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let at = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: u64 = rest[..at].parse().ok()?;
        let unit = match rest.as_bytes()[at] {
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        sum = sum.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[at + 1..];
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_speaks_for_the_database() {
        let rows = json!([
            ["autogen", "0s", "168h0m0s", 1, false],
            ["week", "168h0m0s", "24h0m0s", 1, true],
        ]);
        let rows = rows.as_array().unwrap();
        let kept = |policy| rule(rows, policy).map(|rules| rules[0]["everySeconds"].clone());
        assert_eq!(kept(None), Some(json!(604_800)));
        assert_eq!(kept(Some("autogen")), Some(json!(0)));
        assert_eq!(kept(Some("nosuch")), None);
    }

    #[test]
    fn lengths_of_time_are_read_as_go_writes_them() {
        assert_eq!(seconds("72h0m0s"), Some(259_200));
        assert_eq!(seconds("1h30m0s"), Some(5400));
        assert_eq!(seconds("0s"), Some(0));
        for text in ["1.5s", "10ms", "h", "99999999999999999999s", "5"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
