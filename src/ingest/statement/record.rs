//! What the log keeps of a statement.
//!
//! ```text
//! {"kind":"create_database","text":"CREATE DATABASE d","org":"o","bucket":"d","kept_s":3600}
//! ```
//! JSON in UTF-8; `docs/wal-format.md` tells of the kinds and their members. The target stands in the run's tag,
//! `org` and `bucket` are there for people. Errors: what cannot be read is refused by nobody's fault but the
//! disk's or a newer release's, and goes to the rejects.

use crate::backend::statement::{Act, Deletion, Lengths};
use crate::ring::Target;
use serde_json::{Value, json};

/// A statement on its way: what 1.x is asked, where, and what 2.x does instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub text: String,
    /// It is ordered with the lines of this database.
    pub target: Target,
    pub act: Act,
}

impl Statement {
    pub fn encode(&self) -> Vec<u8> {
        let (text, target) = (&self.text, &self.target);
        let mut value = json!({ "text": text, "org": target.org, "bucket": target.bucket() });
        let kind = match &self.act {
            Act::Text => "influxql",
            Act::Make(lengths) => {
                put_lengths(&mut value, *lengths);
                "create_database"
            }
            Act::Alter(lengths) => {
                put_lengths(&mut value, *lengths);
                "alter"
            }
            Act::Drop { with_policies } => {
                value["with_policies"] = json!(with_policies);
                "drop"
            }
            Act::Delete(deletion) => {
                value["start_ns"] = json!(deletion.start_ns);
                value["stop_ns"] = json!(deletion.stop_ns);
                value["predicates"] = json!(deletion.predicates);
                value["with_policies"] = json!(deletion.with_policies);
                "delete"
            }
        };
        value["kind"] = json!(kind);
        value.to_string().into_bytes()
    }

    pub(super) fn decode(bytes: &[u8], target: Target) -> Option<Statement> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let text = value.get("text")?.as_str()?.to_owned();
        let act = match value.get("kind")?.as_str()? {
            "influxql" => Act::Text,
            "create_database" => Act::Make(lengths(&value)),
            "alter" => Act::Alter(lengths(&value)),
            "drop" => Act::Drop { with_policies: value.get("with_policies")?.as_bool()? },
            "delete" => Act::Delete(deletion(&value)?),
            _ => return None,
        };
        Some(Statement { text, target, act })
    }

    /// It makes what lines may wait for, and therefore never waits behind them.
    pub(super) fn makes(&self) -> bool {
        matches!(self.act, Act::Make(_) | Act::Alter(_))
    }

    /// It takes everything away that waits for its database or policy.
    pub(super) fn drops(&self) -> bool {
        matches!(self.act, Act::Drop { .. })
    }
}

fn put_lengths(value: &mut Value, lengths: Lengths) {
    for (name, length) in [("kept_s", lengths.kept_s), ("slice_s", lengths.slice_s)] {
        if let Some(length) = length {
            value[name] = json!(length);
        }
    }
}

fn lengths(value: &Value) -> Lengths {
    let length = |name: &str| value.get(name).and_then(Value::as_u64);
    Lengths { kept_s: length("kept_s"), slice_s: length("slice_s") }
}

fn deletion(value: &Value) -> Option<Deletion> {
    let predicates = value.get("predicates")?.as_array()?.iter();
    let predicates: Option<Vec<String>> =
        predicates.map(|predicate| predicate.as_str().map(str::to_owned)).collect();
    Some(Deletion {
        start_ns: value.get("start_ns")?.as_i64()?,
        stop_ns: value.get("stop_ns")?.as_i64()?,
        predicates: predicates?,
        with_policies: value.get("with_policies")?.as_bool()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target { org: "o".into(), database: "d".into(), retention_policy: "weekly".into() }
    }

    #[test]
    fn a_record_is_its_statement_again() {
        let deletion = Deletion {
            start_ns: i64::MIN + 2,
            stop_ns: 7,
            predicates: vec!["_measurement=\"a\\\"\"".to_owned(), String::new()],
            with_policies: true,
        };
        let lengths = Lengths { kept_s: Some(0), slice_s: Some(3600) };
        for act in [
            Act::Text,
            Act::Make(Lengths::default()),
            Act::Make(lengths),
            Act::Alter(lengths),
            Act::Drop { with_policies: true },
            Act::Drop { with_policies: false },
            Act::Delete(deletion),
        ] {
            let statement = Statement { text: "x 'ü\n'".to_owned(), target: target(), act };
            let bytes = statement.encode();
            assert_eq!(Statement::decode(&bytes, target()), Some(statement));
        }
    }

    #[test]
    fn records_of_earlier_releases_are_read() {
        let read = |text: &str| Statement::decode(text.as_bytes(), target());
        let made = read(r#"{"kind":"create_database","text":"CREATE DATABASE d","org":"o"}"#);
        assert_eq!(made.map(|made| made.act), Some(Act::Make(Lengths::default())));
        let other = read(r#"{"kind":"influxql","text":"DELETE FROM m"}"#);
        assert_eq!(
            other.map(|other| (other.act, other.text)),
            Some((Act::Text, "DELETE FROM m".to_owned()))
        );
        assert_eq!(read(r#"{"kind":"of a later release","text":""}"#), None);
        assert_eq!(read("{"), None);
    }
}
