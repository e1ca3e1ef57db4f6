//! What becomes of a statement that changes something: a pure function.
//!
//! A statement names databases and policies as clients call them; every backend gets it with the names that it
//! has there. For backends of 2.x, which do not know most of these texts, it becomes an [`Act`]; where that
//! cannot say the same, nobody is asked, so that all copies stay alike. `now()` is the moment of arrival.

pub mod bucket;
mod condition;

use crate::backend::statement::{Act, Deletion, Lengths};
use crate::base::time::UnixNanos;
use crate::proto::influxql::{
    Measurement, MeasurementName, PolicyOptions, Removal, Source, Statement,
};
use crate::proto::predicate::Comparison;
use crate::ring::{Naming, Target};
use condition::Condition;
pub use condition::{TIME_MAX, TIME_MIN};

/// InfluxDB has no limit; a file system has, and so has the log.
const NAME_BYTES_MAX: usize = 255;

/// What a request says beside the text, and who is there to be asked.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub database: Option<&'a str>,
    pub policy: Option<&'a str>,
    pub naming: &'a Naming,
    pub now: UnixNanos,
    /// Some backend takes the text, as 1.x does.
    pub has_v1: bool,
    /// Some backend is of 2.x.
    pub has_v2: bool,
}

/// A statement ready for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub text: String,
    pub target: Target,
    pub act: Act,
    /// It concerns the owners of these measurements only; nothing: everybody.
    pub measurements: Option<Vec<Vec<u8>>>,
    /// The database as the client calls it, where it has to exist.
    pub needs: Option<String>,
}

/// A delete by the API of 2.x.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete<'a> {
    pub target: &'a Target,
    /// The first and the last moment.
    pub start_ns: i64,
    pub stop_ns: i64,
    pub predicate: &'a [Comparison],
    /// As it came.
    pub predicate_text: &'a str,
}

/// Plans one statement; the error is for the client, as its result.
pub fn plan(statement: &Statement, context: &Context<'_>) -> Result<Planned, String> {
    match statement {
        Statement::CreateDatabase { name, policy } => context.create(name, policy.as_ref()),
        Statement::DropDatabase(name) => context.drop_database(name),
        Statement::CreateRetentionPolicy { name, database, options, default } => {
            let lengths = context.lengths(options, *default)?;
            context.policy(name, database, Act::Make(lengths), |name, database| {
                let (options, default) = (options.clone(), *default);
                Statement::CreateRetentionPolicy { name, database, options, default }
            })
        }
        Statement::AlterRetentionPolicy { name, database, options, default } => {
            let lengths = context.lengths(options, *default)?;
            context.policy(name, database, Act::Alter(lengths), |name, database| {
                let (options, default) = (options.clone(), *default);
                Statement::AlterRetentionPolicy { name, database, options, default }
            })
        }
        Statement::DropRetentionPolicy { name, database } => {
            let act = Act::Drop { with_policies: false };
            let planned = context.policy(name, database, act, |name, database| {
                Statement::DropRetentionPolicy { name, database }
            })?;
            // InfluxDB drops what is not there without a word.
            Ok(Planned { needs: None, ..planned })
        }
        Statement::Delete(removal) => context.remove(removal, "DELETE", Statement::Delete),
        Statement::DropSeries(removal) => {
            if removal.condition.as_ref().is_some_and(condition::names_time) {
                return Err("DROP SERIES doesn't support time in WHERE clause".to_owned());
            }
            context.remove(removal, "DROP SERIES", Statement::DropSeries)
        }
        Statement::DropMeasurement(name) => {
            let source = Source::Measurement(named(name));
            let removal = Removal { sources: vec![source], condition: None };
            let planned = context.remove(&removal, "DROP MEASUREMENT", Statement::Delete)?;
            Ok(Planned { text: statement.to_string(), ..planned })
        }
        // The plan for the whole text has refused it.
        _ => Err("it is not run by a gateway".to_owned()),
    }
}

/// What a statement is called that a gateway never runs, and why; nothing if it does.
pub fn never(statement: &Statement) -> Option<(&'static str, &'static str)> {
    let of_users = "users belong to each backend: make them there; a gateway has tokens of its own";
    let of_queries = "it would run inside each backend, over a part of the data and past the gateway: let a \
                      client ask and write";
    let of_copies = "it would copy what each backend gets, once for every circle: make it on the backends \
                     of one circle";
    let of_one = "the number is one of a single backend: ask that backend";
    Some(match statement {
        Statement::CreateUser { .. } => ("CREATE USER", of_users),
        Statement::DropUser(_) => ("DROP USER", of_users),
        Statement::SetPassword { .. } => ("SET PASSWORD", of_users),
        Statement::Grant { .. } => ("GRANT", of_users),
        Statement::Revoke { .. } => ("REVOKE", of_users),
        Statement::CreateContinuousQuery(_) => ("CREATE CONTINUOUS QUERY", of_queries),
        Statement::DropContinuousQuery { .. } => ("DROP CONTINUOUS QUERY", of_queries),
        Statement::CreateSubscription(_) => ("CREATE SUBSCRIPTION", of_copies),
        Statement::DropSubscription { .. } => ("DROP SUBSCRIPTION", of_copies),
        Statement::KillQuery { .. } => ("KILL QUERY", of_one),
        Statement::DropShard(_) => ("DROP SHARD", of_one),
        _ => return None,
    })
}

/// Plans a delete by the API of 2.x; the error is for the client.
pub fn plan_delete(delete: &Delete<'_>, context: &Context<'_>) -> Result<Planned, String> {
    let target = delete.target;
    if context.has_v1 && !target.retention_policy.is_empty() {
        let database = &target.database;
        return Err(format!(
            "a backend of InfluxDB 1.x deletes from all retention policies of a database together: delete \
             from bucket {database:?}"
        ));
    }
    let mut measurements = delete.predicate.iter().filter(|one| one.key == "_measurement");
    let measurement = measurements.next();
    if context.has_v1 && measurement.is_some_and(|one| !one.is_equal)
        || measurements.next().is_some()
    {
        return Err("a predicate compares _measurement at most once, with =".to_owned());
    }
    let measurement = measurement.filter(|one| one.is_equal).map(|one| one.value.as_str());
    let condition = condition::of_predicate(delete);
    let sources = measurement.map(|name| Source::Measurement(named(name))).into_iter().collect();
    let is_empty = delete.start_ns > delete.stop_ns;
    let predicates = if is_empty { Vec::new() } else { vec![delete.predicate_text.to_owned()] };
    let deletion = Deletion {
        start_ns: delete.start_ns,
        stop_ns: delete.stop_ns,
        predicates,
        with_policies: context.has_v1,
    };
    Ok(Planned {
        text: condition::delete_text(sources, condition),
        target: target.clone(),
        act: Act::Delete(deletion),
        measurements: measurement.map(|name| vec![name.as_bytes().to_vec()]),
        needs: Some(target.bucket().into_owned()),
    })
}

impl Context<'_> {
    fn create(&self, name: &str, policy: Option<&PolicyOptions>) -> Result<Planned, String> {
        let is_bad = name.is_empty() || matches!(name, "." | "..") || name.len() > NAME_BYTES_MAX;
        if is_bad || name.contains(['/', '\\']) || name.contains(char::is_control) {
            return Err("invalid name".to_owned());
        }
        let options = policy.cloned().unwrap_or_default();
        let other_default = options.name.as_deref().is_some_and(|name| name != "autogen");
        let lengths = self.lengths(&options, other_default)?;
        let target = self.naming.v1(name, None);
        let renamed = Statement::CreateDatabase {
            name: target.database.to_string(),
            policy: policy.cloned(),
        };
        let (text, act) = (renamed.to_string(), Act::Make(lengths));
        Ok(Planned { text, target, act, measurements: None, needs: None })
    }

    fn drop_database(&self, name: &str) -> Result<Planned, String> {
        let target = self.whole(name, "DROP DATABASE")?;
        let text = Statement::DropDatabase(target.database.to_string()).to_string();
        let act = Act::Drop { with_policies: true };
        // One that is not there is dropped without a word.
        Ok(Planned { text, target, act, measurements: None, needs: None })
    }

    /// A statement about one policy, with the names that the backends have for it.
    fn policy(
        &self,
        name: &str,
        database: &str,
        act: Act,
        with: impl FnOnce(String, String) -> Statement,
    ) -> Result<Planned, String> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('/') {
            return Err("invalid name".to_owned());
        }
        let target = self.naming.v1(database, Some(name));
        let policy = match &*target.retention_policy {
            "" => "autogen".to_owned(),
            policy => policy.to_owned(),
        };
        let text = with(policy, target.database.to_string()).to_string();
        Ok(Planned { text, target, act, measurements: None, needs: Some(database.to_owned()) })
    }

    /// How long points are kept; a default policy of another name is more than 2.x can be told.
    fn lengths(&self, options: &PolicyOptions, other_default: bool) -> Result<Lengths, String> {
        if self.has_v2 && other_default {
            return Err(
                "a backend of InfluxDB 2.x has no default retention policy of another name: \
                        it has one bucket for each policy"
                    .to_owned(),
            );
        }
        let seconds = |ns: i64| u64::try_from(ns / 1_000_000_000).unwrap_or(0);
        let slice_s = options.shard_duration_ns.map(seconds);
        let kept_s = options.duration_ns.map(seconds).or(slice_s.map(|_| 0));
        Ok(Lengths { kept_s, slice_s })
    }

    /// DELETE and its kin. On 1.x they reach all policies of a database.
    fn remove(
        &self,
        removal: &Removal,
        verb: &str,
        with: impl FnOnce(Removal) -> Statement,
    ) -> Result<Planned, String> {
        let Some(database) = self.database else {
            return Err("database not found: ".to_owned());
        };
        let target = match self.has_v1 {
            true => self.whole(database, verb)?,
            false => self.naming.v1(database, self.policy),
        };
        let pinned = removal.condition.clone().map(|one| condition::pin(one, self.now));
        let condition = Condition::of(pinned.as_ref())?;
        let names = names(&removal.sources);
        let predicates = match (&condition, &names) {
            _ if !self.has_v2 => Vec::new(),
            (Condition::Plain(plain), _) if plain.is_empty() => Vec::new(),
            (Condition::Plain(plain), Some(names)) => {
                names.iter().map(|name| plain.predicate(Some(name))).collect()
            }
            (Condition::Plain(plain), None) if removal.sources.is_empty() => {
                vec![plain.predicate(None)]
            }
            _ => {
                return Err(format!(
                    "a backend of InfluxDB 2.x cannot run this {verb}: it takes names of measurements, and \
                     times and tags that are compared with = or != and joined by AND"
                ));
            }
        };
        let (start_ns, stop_ns) = condition.span();
        let deletion = Deletion { start_ns, stop_ns, predicates, with_policies: self.has_v1 };
        let removal = Removal { sources: removal.sources.clone(), condition: pinned };
        Ok(Planned {
            text: with(removal).to_string(),
            target,
            act: Act::Delete(deletion),
            measurements: names
                .map(|names| names.iter().map(|name| name.as_bytes().to_vec()).collect()),
            needs: Some(database.to_owned()),
        })
    }

    /// The one database that a name means, with all its policies.
    fn whole(&self, database: &str, verb: &str) -> Result<Target, String> {
        self.naming.whole(database).ok_or_else(|| {
            format!(
                "{verb} reaches all retention policies of a database, and by [[dbrp]] those of {database:?} \
                 are not one database of the backends"
            )
        })
    }
}

/// The measurements that are named, if nothing else is and there are any.
fn names(sources: &[Source]) -> Option<Vec<&str>> {
    let name = |source: &'_ Source| match source {
        Source::Measurement(Measurement { name: MeasurementName::Name(_), .. }) => true,
        Source::Measurement(_) | Source::Subquery(_) => false,
    };
    if sources.is_empty() || !sources.iter().all(name) {
        return None;
    }
    let names = sources.iter().filter_map(|source| match source {
        Source::Measurement(Measurement { name: MeasurementName::Name(name), .. }) => Some(&**name),
        Source::Measurement(_) | Source::Subquery(_) => None,
    });
    Some(names.collect())
}

fn named(name: &str) -> Measurement {
    Measurement { database: None, policy: None, name: MeasurementName::Name(name.to_owned()) }
}

#[cfg(test)]
mod tests;
