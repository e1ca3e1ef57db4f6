//! The statements other than SELECT as text.

use std::fmt::{self, Formatter, Write as _};

use super::ast::{
    ContinuousQuery, Keys, PolicyOptions, Privilege, Removal, Show, ShowSchema, Statement, Subject,
    Subscription,
};
use super::render::{clause, duration, identifier, join, optional, quoted, regex};

pub(super) fn statement(statement: &Statement, out: &mut Formatter<'_>) -> fmt::Result {
    match statement {
        Statement::Select(select) => write!(out, "{select}"),
        Statement::Explain { analyze, select } => {
            write!(out, "EXPLAIN {}{select}", if *analyze { "ANALYZE " } else { "" })
        }
        Statement::Show(shown) => show(shown, out),
        Statement::Delete(removal) => remove(out, "DELETE", removal),
        Statement::DropSeries(removal) => remove(out, "DROP SERIES", removal),
        Statement::DropDatabase(name) => write!(out, "DROP DATABASE {}", identifier(name)),
        Statement::DropMeasurement(name) => write!(out, "DROP MEASUREMENT {}", identifier(name)),
        Statement::DropShard(id) => write!(out, "DROP SHARD {id}"),
        Statement::DropUser(name) => write!(out, "DROP USER {}", identifier(name)),
        Statement::DropRetentionPolicy { name, database } => {
            let (name, database) = (identifier(name), identifier(database));
            write!(out, "DROP RETENTION POLICY {name} ON {database}")
        }
        Statement::DropContinuousQuery { name, database } => {
            let (name, database) = (identifier(name), identifier(database));
            write!(out, "DROP CONTINUOUS QUERY {name} ON {database}")
        }
        Statement::DropSubscription { name, database, policy } => {
            let on = format!("{}.{}", identifier(database), identifier(policy));
            write!(out, "DROP SUBSCRIPTION {} ON {on}", identifier(name))
        }
        Statement::KillQuery { id, host } => {
            write!(out, "KILL QUERY {id}")?;
            on(out, host)
        }
        Statement::Grant { privilege, database, user } => {
            privileges(out, "GRANT", "TO", (*privilege, database, user))
        }
        Statement::Revoke { privilege, database, user } => {
            privileges(out, "REVOKE", "FROM", (*privilege, database, user))
        }
        Statement::SetPassword { user, password } => {
            let (user, password) = (identifier(user), quoted(password, '\''));
            write!(out, "SET PASSWORD FOR {user} = {password}")
        }
        other => create(other, out),
    }
}

fn create(statement: &Statement, out: &mut Formatter<'_>) -> fmt::Result {
    match statement {
        Statement::CreateDatabase { name, policy } => {
            write!(out, "CREATE DATABASE {}", identifier(name))?;
            let Some(policy) = policy else { return Ok(()) };
            out.write_str(" WITH")?;
            options(out, policy)
        }
        Statement::CreateRetentionPolicy { name, database, options: policy, default } => {
            let (name, database) = (identifier(name), identifier(database));
            write!(out, "CREATE RETENTION POLICY {name} ON {database}")?;
            options(out, policy)?;
            out.write_str(if *default { " DEFAULT" } else { "" })
        }
        Statement::AlterRetentionPolicy { name, database, options: policy, default } => {
            let (name, database) = (identifier(name), identifier(database));
            write!(out, "ALTER RETENTION POLICY {name} ON {database}")?;
            options(out, policy)?;
            out.write_str(if *default { " DEFAULT" } else { "" })
        }
        Statement::CreateUser { name, password, admin } => {
            let (name, password) = (identifier(name), quoted(password, '\''));
            write!(out, "CREATE USER {name} WITH PASSWORD {password}")?;
            out.write_str(if *admin { " WITH ALL PRIVILEGES" } else { "" })
        }
        Statement::CreateContinuousQuery(query) => continuous_query(query, out),
        Statement::CreateSubscription(subscription) => {
            let Subscription { name, database, policy, any, destinations } = &**subscription;
            let on = format!("{}.{}", identifier(database), identifier(policy));
            write!(out, "CREATE SUBSCRIPTION {} ON {on}", identifier(name))?;
            out.write_str(if *any { " DESTINATIONS ANY " } else { " DESTINATIONS ALL " })?;
            let urls: Vec<String> = destinations.iter().map(|url| quoted(url, '\'')).collect();
            join(out, &urls, ", ")
        }
        // Every other statement is written by `statement`.
        _ => Ok(()),
    }
}

fn continuous_query(query: &ContinuousQuery, out: &mut Formatter<'_>) -> fmt::Result {
    let (name, database) = (identifier(&query.name), identifier(&query.database));
    write!(out, "CREATE CONTINUOUS QUERY {name} ON {database}")?;
    if query.every_ns.is_some() || query.for_ns.is_some() {
        out.write_str(" RESAMPLE")?;
        optional(out, " EVERY ", &query.every_ns.map(duration))?;
        optional(out, " FOR ", &query.for_ns.map(duration))?;
    }
    write!(out, " BEGIN {} END", query.select)
}

/// A retention policy's length: for ever is INF.
fn length(ns: i64) -> String {
    if ns == 0 { "INF".to_owned() } else { duration(ns) }
}

fn options(out: &mut Formatter<'_>, policy: &PolicyOptions) -> fmt::Result {
    optional(out, " DURATION ", &policy.duration_ns.map(length))?;
    optional(out, " REPLICATION ", &policy.replication)?;
    optional(out, " SHARD DURATION ", &policy.shard_duration_ns.map(duration))?;
    optional(out, " NAME ", &policy.name.as_deref().map(identifier))
}

fn remove(out: &mut Formatter<'_>, verb: &str, removal: &Removal) -> fmt::Result {
    out.write_str(verb)?;
    clause(out, "FROM", &removal.sources)?;
    optional(out, " WHERE ", &removal.condition)
}

fn privileges(
    out: &mut Formatter<'_>,
    verb: &str,
    direction: &str,
    (privilege, database, user): (Privilege, &Option<String>, &str),
) -> fmt::Result {
    let privilege = match privilege {
        Privilege::Read => "READ",
        Privilege::Write => "WRITE",
        Privilege::All => "ALL PRIVILEGES",
    };
    write!(out, "{verb} {privilege}")?;
    on(out, database)?;
    write!(out, " {direction} {}", identifier(user))
}

fn on(out: &mut Formatter<'_>, database: &Option<String>) -> fmt::Result {
    optional(out, " ON ", &database.as_deref().map(identifier))
}

fn show(show: &Show, out: &mut Formatter<'_>) -> fmt::Result {
    let simple = match show {
        Show::Databases => "SHOW DATABASES",
        Show::Queries => "SHOW QUERIES",
        Show::Users => "SHOW USERS",
        Show::Shards => "SHOW SHARDS",
        Show::ShardGroups => "SHOW SHARD GROUPS",
        Show::Subscriptions => "SHOW SUBSCRIPTIONS",
        Show::ContinuousQueries => "SHOW CONTINUOUS QUERIES",
        Show::Grants { user } => return write!(out, "SHOW GRANTS FOR {}", identifier(user)),
        Show::Stats { module } => {
            out.write_str("SHOW STATS")?;
            return optional(out, " FOR ", &module.as_deref().map(|text| quoted(text, '\'')));
        }
        Show::Diagnostics { module } => {
            out.write_str("SHOW DIAGNOSTICS")?;
            return optional(out, " FOR ", &module.as_deref().map(|text| quoted(text, '\'')));
        }
        Show::RetentionPolicies { database } => {
            out.write_str("SHOW RETENTION POLICIES")?;
            return on(out, database);
        }
        Show::Schema(schema) => return show_schema(schema, out),
    };
    out.write_str(simple)
}

fn show_schema(schema: &ShowSchema, out: &mut Formatter<'_>) -> fmt::Result {
    let counted = schema.cardinality.is_some();
    out.write_str(match (schema.subject, counted) {
        (Subject::Measurements, false) => "SHOW MEASUREMENTS",
        (Subject::Measurements, true) => "SHOW MEASUREMENT",
        (Subject::Series, _) => "SHOW SERIES",
        (Subject::TagKeys, false) => "SHOW TAG KEYS",
        (Subject::TagKeys, true) => "SHOW TAG KEY",
        (Subject::TagValues, _) => "SHOW TAG VALUES",
        (Subject::FieldKeys, false) => "SHOW FIELD KEYS",
        (Subject::FieldKeys, true) => "SHOW FIELD KEY",
    })?;
    out.write_str(match schema.cardinality {
        None => "",
        Some(false) => " CARDINALITY",
        Some(true) => " EXACT CARDINALITY",
    })?;
    on(out, &schema.database)?;
    match schema.sources.as_slice() {
        [only] if schema.subject == Subject::Measurements && !counted => {
            write!(out, " WITH MEASUREMENT = {only}")?;
        }
        sources => clause(out, "FROM", sources)?,
    }
    if let Some(keys) = &schema.keys {
        with_key(out, keys)?;
    }
    optional(out, " WHERE ", &schema.condition)?;
    clause(out, "GROUP BY", &schema.dimensions)?;
    optional(out, "", &schema.order)?;
    write!(out, "{}", schema.limits)
}

fn with_key(out: &mut Formatter<'_>, keys: &Keys) -> fmt::Result {
    out.write_str(" WITH KEY ")?;
    match keys {
        Keys::Equal(name) => write!(out, "= {}", identifier(name)),
        Keys::NotEqual(name) => write!(out, "!= {}", identifier(name)),
        Keys::Matches(text) => write!(out, "=~ {}", regex(text)),
        Keys::MatchesNot(text) => write!(out, "!~ {}", regex(text)),
        Keys::In(names) => {
            let names: Vec<String> = names.iter().map(|name| identifier(name)).collect();
            out.write_str("IN (")?;
            join(out, &names, ", ")?;
            out.write_char(')')
        }
    }
}
