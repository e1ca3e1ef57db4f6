//! What may become of databases and policies: InfluxDB's rules, and its words where it refuses.

use super::catalogue::{database_in, policy_in, policy_of};
use super::windows::{HOUR_NS, default_window_ns};
use crate::store::meta::{DatabaseMeta, Meta, PolicyMeta};
use crate::store::view::{ChangeError, PolicyChange};

fn refused<T>(text: impl Into<String>) -> Result<T, ChangeError> {
    Err(ChangeError(text.into()))
}

fn database_not_found<T>(name: &str) -> Result<T, ChangeError> {
    refused(format!("database not found: {name}"))
}

/// As InfluxDB wants names: they become directories.
fn check_name(name: &str) -> Result<(), ChangeError> {
    let is_bad = name.is_empty()
        || name == "."
        || name == ".."
        || name.contains(['/', '\\'])
        || name.chars().any(|letter| letter.is_control())
        || name == "_series";
    if is_bad { refused("invalid name") } else { Ok(()) }
}

fn made(name: &str, change: &PolicyChange) -> Result<PolicyMeta, ChangeError> {
    let duration_ns = change.duration_ns.unwrap_or(0);
    if duration_ns != 0 && duration_ns < HOUR_NS {
        return refused("retention policy duration must be at least 1h0m0s");
    }
    let wanted = change.window_ns.filter(|window| *window != 0);
    let window_ns = wanted.map_or(default_window_ns(duration_ns), |window| window.max(HOUR_NS));
    check_window(duration_ns, window_ns)?;
    let replication = change.replication.unwrap_or(1);
    let name = name.to_owned();
    Ok(PolicyMeta { name, duration_ns, window_ns, replication, ..PolicyMeta::default() })
}

fn check_window(duration_ns: i64, window_ns: i64) -> Result<(), ChangeError> {
    if duration_ns > 0 && duration_ns < window_ns {
        return refused("retention policy duration must be greater than the shard duration");
    }
    Ok(())
}

pub fn create_database(
    meta: &mut Meta,
    name: &str,
    policy: Option<&PolicyChange>,
) -> Result<(), ChangeError> {
    check_name(name)?;
    let wanted = policy.cloned().unwrap_or_default();
    let policy_name = wanted.name.clone().unwrap_or_else(|| "autogen".to_owned());
    check_name(&policy_name)?;
    let made = made(&policy_name, &wanted)?;
    if let Some(known) = database_in(meta, name) {
        if policy.is_none() {
            return Ok(());
        }
        let is_same = known.default_policy == policy_name
            && policy_in(known, &policy_name)
                .is_some_and(|policy| policy_of(policy) == policy_of(&made));
        if is_same {
            return Ok(());
        }
        return refused("retention policy conflicts with an existing policy");
    }
    meta.databases.push(DatabaseMeta {
        name: name.to_owned(),
        default_policy: policy_name,
        policies: vec![made],
        ..DatabaseMeta::default()
    });
    Ok(())
}

pub fn create_policy(
    meta: &mut Meta,
    database: &str,
    change: &PolicyChange,
) -> Result<(), ChangeError> {
    let name = change.name.as_deref().unwrap_or_default();
    check_name(name)?;
    let Some(known) = database_in(meta, database) else { return database_not_found(database) };
    let made = made(name, change)?;
    if let Some(policy) = policy_in(known, name) {
        if policy_of(policy) != policy_of(&made)
            || (change.make_default && known.default_policy != name)
        {
            return refused("retention policy already exists");
        }
        return Ok(());
    }
    known.policies.push(made);
    if change.make_default {
        known.default_policy = name.to_owned();
    }
    Ok(())
}

pub fn alter_policy(
    meta: &mut Meta,
    database: &str,
    name: &str,
    change: &PolicyChange,
) -> Result<(), ChangeError> {
    let Some(known) = database_in(meta, database) else { return database_not_found(database) };
    let Some(policy) = policy_in(known, name) else {
        return refused(format!("retention policy not found: {name}"));
    };
    if let Some(duration_ns) = change.duration_ns {
        if duration_ns != 0 && duration_ns < HOUR_NS {
            return refused("retention policy duration must be at least 1h0m0s");
        }
        policy.duration_ns = duration_ns;
    }
    if let Some(window_ns) = change.window_ns {
        policy.window_ns = match window_ns {
            0 => default_window_ns(policy.duration_ns),
            window => window.max(HOUR_NS),
        };
    }
    check_window(policy.duration_ns, policy.window_ns)?;
    policy.replication = change.replication.unwrap_or(policy.replication);
    if change.make_default {
        known.default_policy = name.to_owned();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(duration_hours: i64, window_hours: Option<i64>) -> PolicyChange {
        PolicyChange {
            name: Some("p".to_owned()),
            duration_ns: Some(duration_hours * HOUR_NS),
            window_ns: window_hours.map(|hours| hours * HOUR_NS),
            ..PolicyChange::default()
        }
    }

    fn text(outcome: Result<(), ChangeError>) -> String {
        outcome.err().map(|error| error.0).unwrap_or_default()
    }

    #[test]
    fn policies_are_made_and_changed_as_influxd_does() {
        let mut meta = Meta::default();
        assert_eq!(text(create_policy(&mut meta, "d", &change(1, None))), "database not found: d");
        create_database(&mut meta, "d", None).unwrap();
        create_database(&mut meta, "d", None).unwrap();
        let conflict = create_database(&mut meta, "d", Some(&change(1, None)));
        assert_eq!(text(conflict), "retention policy conflicts with an existing policy");
        for name in ["", ".", "..", "a/b", "a\\b", "a\nb"] {
            assert_eq!(text(create_database(&mut meta, name, None)), "invalid name");
        }
        let short = PolicyChange { duration_ns: Some(HOUR_NS / 2), ..change(1, None) };
        let too_short = "retention policy duration must be at least 1h0m0s";
        assert_eq!(text(create_policy(&mut meta, "d", &short)), too_short);
        let wide = "retention policy duration must be greater than the shard duration";
        assert_eq!(text(create_policy(&mut meta, "d", &change(2, Some(3)))), wide);
        create_policy(&mut meta, "d", &change(72, None)).unwrap();
        create_policy(&mut meta, "d", &change(72, None)).unwrap();
        let other = create_policy(&mut meta, "d", &change(96, None));
        assert_eq!(text(other), "retention policy already exists");
        assert_eq!(text(alter_policy(&mut meta, "d", "p", &change(5, None))), wide);
        let unknown = alter_policy(&mut meta, "d", "nope", &change(5, None));
        assert_eq!(text(unknown), "retention policy not found: nope");
        alter_policy(&mut meta, "d", "p", &change(5, Some(1))).unwrap();
        let policy = meta.database("d").unwrap().policies[1].clone();
        assert_eq!((policy.duration_ns, policy.window_ns), (5 * HOUR_NS, HOUR_NS));
    }
}
