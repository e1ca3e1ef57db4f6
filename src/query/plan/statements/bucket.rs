//! Buckets made, changed and removed by the API of 2.x: on 1.x a bucket is a database, or one of its policies.

use super::Planned;
use crate::backend::statement::{Act, Lengths};
use crate::proto::influxql::{PolicyOptions, Statement};
use crate::ring::Target;

/// A bucket that is not there yet.
pub fn make(target: Target, lengths: Lengths) -> Planned {
    let options = options(lengths);
    let database = target.database.to_string();
    let statement = if target.retention_policy.is_empty() {
        let policy = (options != PolicyOptions::default()).then_some(options);
        Statement::CreateDatabase { name: database, policy }
    } else {
        let name = target.retention_policy.to_string();
        let duration_ns = Some(options.duration_ns.unwrap_or(0));
        let options = PolicyOptions { duration_ns, replication: Some(1), ..options };
        Statement::CreateRetentionPolicy { name, database, options, default: false }
    };
    planned(&statement, target, Act::Make(lengths))
}

/// How long a bucket keeps its points is changed.
pub fn alter(target: Target, lengths: Lengths) -> Planned {
    let name = match &*target.retention_policy {
        "" => "autogen".to_owned(),
        policy => policy.to_owned(),
    };
    let (database, options) = (target.database.to_string(), options(lengths));
    let statement = Statement::AlterRetentionPolicy { name, database, options, default: false };
    planned(&statement, target, Act::Alter(lengths))
}

/// A bucket goes with all that is in it; on 1.x a database goes with its policies, and so it does elsewhere.
pub fn remove(target: Target, has_v1: bool) -> Planned {
    let database = target.database.to_string();
    let is_database = target.retention_policy.is_empty();
    let statement = if is_database {
        Statement::DropDatabase(database)
    } else {
        Statement::DropRetentionPolicy { name: target.retention_policy.to_string(), database }
    };
    planned(&statement, target, Act::Drop { with_policies: has_v1 && is_database })
}

fn planned(statement: &Statement, target: Target, act: Act) -> Planned {
    Planned { text: statement.to_string(), target, act, measurements: None, needs: None }
}

fn options(lengths: Lengths) -> PolicyOptions {
    let ns = |seconds: u64| {
        let ns = seconds.saturating_mul(1_000_000_000);
        i64::try_from(ns).unwrap_or(i64::MAX / 1_000_000_000 * 1_000_000_000)
    };
    PolicyOptions {
        duration_ns: lengths.kept_s.map(ns),
        replication: None,
        shard_duration_ns: lengths.slice_s.filter(|slice_s| *slice_s > 0).map(ns),
        name: None,
    }
}
