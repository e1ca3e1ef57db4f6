//! Statements that change something.

use super::expr::text::go_duration;
use super::expr::{Expr, Kind};
use super::fault::Fault;
use super::read::filter;
use super::read::mapping::Context;
use super::select::{Defaults, resolve};
use super::show::scope::{self, Where};
use crate::proto::influxql::{
    self as ast, ContinuousQuery, PolicyOptions, Privilege, Removal, Source, Statement,
    Subscription, identifier,
};
use crate::store::view::{self, Catalog, Change, Granted, Notes, PolicyChange};
use std::sync::Arc;

pub fn run(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    statement: &Statement,
) -> Result<(), Fault> {
    let catalog = context.catalog;
    let change = match statement {
        Statement::CreateDatabase { name, policy } => Change::CreateDatabase {
            database: name.clone(),
            policy: policy.as_ref().map(|options| wanted(options, options.name.clone(), true)),
        },
        Statement::DropDatabase(name) => {
            catalog.change(Change::DropDatabase { database: name.clone() })?;
            return forget(catalog, name);
        }
        Statement::CreateRetentionPolicy { name, database, options, default } => {
            Change::CreatePolicy {
                database: database.clone(),
                policy: wanted(options, Some(name.clone()), *default),
            }
        }
        Statement::AlterRetentionPolicy { name, database, options, default } => {
            Change::AlterPolicy {
                database: database.clone(),
                name: name.clone(),
                policy: wanted(options, None, *default),
            }
        }
        Statement::DropRetentionPolicy { name, database } => {
            if catalog.database(database).is_none() {
                return Ok(());
            }
            Change::DropPolicy { database: database.clone(), name: name.clone() }
        }
        Statement::DropMeasurement(name) => {
            context.database(defaults.database)?;
            Change::DropMeasurement {
                database: defaults.database.to_owned(),
                measurement: name.clone(),
            }
        }
        Statement::Delete(removal) => return delete(context, defaults, removal, false),
        Statement::DropSeries(removal) => return delete(context, defaults, removal, true),
        Statement::DropShard(id) => Change::DropWindow { id: *id },
        Statement::KillQuery { id, .. } => {
            return Err(Fault::Text(format!("no such query id: {id}")));
        }
        other => return note(context, defaults, other),
    };
    catalog.change(change)?;
    Ok(())
}

fn wanted(options: &PolicyOptions, name: Option<String>, make_default: bool) -> PolicyChange {
    PolicyChange {
        name,
        duration_ns: options.duration_ns,
        window_ns: options.shard_duration_ns,
        replication: options.replication.and_then(|number| u32::try_from(number).ok()),
        make_default,
    }
}

/// What was noted of a database goes with it.
fn forget(catalog: &dyn Catalog, name: &str) -> Result<(), Fault> {
    noted(catalog, |notes| {
        notes.continuous_queries.retain(|one| one.database != name);
        notes.subscriptions.retain(|one| one.database != name);
        for user in &mut notes.users {
            user.grants.retain(|(database, _)| database != name);
        }
        Ok(())
    })
}

/// Changes the notes, again and again where somebody else does, too.
fn noted(
    catalog: &dyn Catalog,
    mut change: impl FnMut(&mut Notes) -> Result<(), Fault>,
) -> Result<(), Fault> {
    loop {
        let before = catalog.notes();
        let mut notes = before.clone();
        change(&mut notes)?;
        if notes == before || catalog.note(&before, notes)? {
            return Ok(());
        }
    }
}

/// DELETE and DROP SERIES, in all policies.
fn delete(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    removal: &Removal,
    whole: bool,
) -> Result<(), Fault> {
    let database = context.database(defaults.database)?;
    let asked = removal_condition(context, removal)?;
    if whole && asked.has_time() {
        return Err(Fault::text("DROP SERIES doesn't support time in WHERE clause"));
    }
    let range = asked.range();
    for target in scope::targets(context, defaults.database, &removal.sources)? {
        let mut condition = asked.condition.clone();
        if let Some(expr) = &mut condition {
            typed(expr, &target);
        }
        let admitted = filter::series(condition.as_ref(), &target.name, &*database);
        if admitted.iter().any(|(_, rest)| rest.is_some()) {
            let id = target.windows(range).first().map_or(1, |window| window.info().id);
            return Err(Fault::Text(if whole {
                "fields not supported in WHERE clause during deletion".to_owned()
            } else {
                format!("shard {id}: fields not supported in WHERE clause during deletion")
            }));
        }
        let series: Vec<view::SeriesId> = admitted.iter().map(|(series, _)| series.id).collect();
        if series.is_empty() {
            continue;
        }
        let database = defaults.database.to_owned();
        context.catalog.change(if whole {
            Change::DropSeries { database, series }
        } else {
            Change::Delete { database, series, range }
        })?;
    }
    Ok(())
}

fn removal_condition(context: &Context<'_>, removal: &Removal) -> Result<Where, Fault> {
    let Some(condition) = &removal.condition else { return scope::condition(context, None) };
    let expr = super::answer::condition(condition)?;
    let clock = super::expr::fold::Clock { now_ns: Some(context.now_ns), zone: None };
    let (condition, bounds) = super::expr::condition::split(&expr, clock)?;
    Ok(Where { condition, bounds })
}

/// A name that is a field of the measurement is none of its tags.
fn typed(expr: &mut Expr, target: &scope::Target) {
    let mut fields: Vec<Arc<str>> = Vec::new();
    for window in target.all_windows(view::TimeRange::ALL) {
        fields.extend(window.fields(&target.name).into_iter().map(|(name, _)| name));
    }
    expr.walk_mut(&mut |one| {
        if let Expr::Ref { name, kind } = one
            && *kind == Kind::Unknown
        {
            *kind = if fields.contains(name) { Kind::AnyField } else { Kind::Tag };
        }
    });
}

fn note(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    statement: &Statement,
) -> Result<(), Fault> {
    noted(context.catalog, |notes| note_one(context, defaults, statement, notes))
}

fn note_one(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    statement: &Statement,
    notes: &mut Notes,
) -> Result<(), Fault> {
    match statement {
        Statement::CreateUser { name, password, admin } => {
            create_user(notes, name, password, *admin)?;
        }
        Statement::DropUser(name) => {
            user(notes, name)?;
            notes.users.retain(|user| user.name != *name);
        }
        Statement::SetPassword { user: name, password } => {
            user(notes, name)?.password_hash = hashed(password)?;
        }
        Statement::Grant { privilege, database, user: name } => {
            let user = user(notes, name)?;
            match database {
                None => user.is_admin = true,
                Some(database) => {
                    context.database(database)?;
                    user.grant(database, granted(*privilege));
                }
            }
        }
        Statement::Revoke { privilege, database, user: name } => {
            let user = user(notes, name)?;
            match database {
                None => user.is_admin = false,
                Some(database) => {
                    context.database(database)?;
                    user.revoke(database, granted(*privilege));
                }
            }
        }
        Statement::CreateContinuousQuery(query) => {
            continuous_query(context, defaults, notes, query)?;
        }
        Statement::DropContinuousQuery { name, database } => {
            notes.continuous_queries.retain(|one| one.name != *name || one.database != *database);
        }
        Statement::CreateSubscription(one) => subscription(context, notes, one)?,
        Statement::DropSubscription { name, database, policy } => {
            context.database(database)?;
            let count = notes.subscriptions.len();
            notes.subscriptions.retain(|one| {
                one.name != *name || one.database != *database || one.policy != *policy
            });
            if notes.subscriptions.len() == count {
                return Err(Fault::text("subscription not found"));
            }
        }
        _ => return Err(Fault::text("unsupported statement")),
    }
    Ok(())
}

fn user<'n>(notes: &'n mut Notes, name: &str) -> Result<&'n mut view::User, Fault> {
    let found = notes.users.iter_mut().find(|user| user.name == name);
    found.ok_or_else(|| Fault::text("user not found"))
}

fn granted(privilege: Privilege) -> Granted {
    match privilege {
        Privilege::Read => Granted::Read,
        Privilege::Write => Granted::Write,
        Privilege::All => Granted::All,
    }
}

/// As InfluxDB has it in its catalogue.
fn hashed(password: &str) -> Result<String, Fault> {
    const COST: u32 = 10;
    let parts = bcrypt::hash_with_result(password, COST);
    let parts = parts.map_err(|error| Fault::Text(error.to_string()))?;
    Ok(parts.format_for_version(bcrypt::Version::TwoA))
}

fn create_user(notes: &mut Notes, name: &str, password: &str, admin: bool) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(Fault::text("username required"));
    }
    if let Some(known) = notes.users.iter().find(|user| user.name == name) {
        let is_same = bcrypt::verify(password, &known.password_hash).unwrap_or(false);
        if is_same && known.is_admin == admin {
            return Ok(());
        }
        return Err(Fault::text("user already exists"));
    }
    notes.users.push(view::User {
        name: name.to_owned(),
        password_hash: hashed(password)?,
        is_admin: admin,
        grants: Vec::new(),
    });
    Ok(())
}

fn continuous_query(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    notes: &mut Notes,
    query: &ContinuousQuery,
) -> Result<(), Fault> {
    let database = context.database(&query.database)?;
    let mut query = query.clone();
    let mine = Defaults { database: &query.database, policy: defaults.policy };
    let mut select = query.select.clone();
    for measurement in measurements(&mut select) {
        let policy = measurement.policy.clone();
        if let (Some(policy), None) = (&policy, &measurement.database)
            && !database.policies().iter().any(|known| known.name == *policy)
        {
            let name = &query.database;
            return Err(Fault::Text(format!("retention policy not found: {name}.{policy}")));
        }
        qualify(context, &mine, measurement);
    }
    query.select = select;
    let text = Statement::CreateContinuousQuery(Box::new(query.clone())).to_string();
    let known = notes
        .continuous_queries
        .iter()
        .find(|one| one.name == query.name && one.database == query.database);
    match known {
        Some(known) if known.text == text => Ok(()),
        Some(_) => Err(Fault::text("continuous query already exists")),
        None => {
            let (name, database) = (query.name, query.database);
            notes.continuous_queries.push(view::Continuous { name, database, text });
            Ok(())
        }
    }
}

fn subscription(
    context: &Context<'_>,
    notes: &mut Notes,
    wanted: &Subscription,
) -> Result<(), Fault> {
    for url in &wanted.destinations {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        if !matches!(scheme, Some("udp" | "http" | "https")) {
            return Err(Fault::Text(format!("invalid subscription URL: {url}")));
        }
    }
    let database = context.database(&wanted.database)?;
    if !database.policies().iter().any(|policy| policy.name == wanted.policy) {
        return Err(Fault::Text(format!("retention policy not found: {}", wanted.policy)));
    }
    let is_same = |one: &view::Subscription| {
        one.name == wanted.name && one.database == wanted.database && one.policy == wanted.policy
    };
    if notes.subscriptions.iter().any(is_same) {
        return Err(Fault::text("subscription already exists"));
    }
    notes.subscriptions.push(view::Subscription {
        name: wanted.name.clone(),
        database: wanted.database.clone(),
        policy: wanted.policy.clone(),
        any: wanted.any,
        destinations: wanted.destinations.clone(),
    });
    Ok(())
}

fn measurements(select: &mut ast::Select) -> Vec<&mut ast::Measurement> {
    let mut all: Vec<&mut ast::Measurement> = select.into.iter_mut().collect();
    for source in &mut select.sources {
        match source {
            Source::Measurement(measurement) => all.push(measurement),
            Source::Subquery(inner) => all.extend(measurements(inner)),
        }
    }
    all
}

/// Writes out database and policy, as far as they are known.
fn qualify(context: &Context<'_>, defaults: &Defaults<'_>, measurement: &mut ast::Measurement) {
    if let Ok(found) = resolve(context, defaults, measurement) {
        measurement.database = Some(found.database);
        measurement.policy = Some(found.policy);
    }
}

/// InfluxDB's warning for a statement that changes something though the request only reads.
pub fn deprecated(
    statement: &Statement,
    catalog: &dyn Catalog,
    defaults: &Defaults<'_>,
) -> Option<String> {
    let text = match statement {
        Statement::Show(_) | Statement::Explain { .. } | Statement::Delete(_) => return None,
        Statement::Select(select) if select.into.is_none() => return None,
        Statement::Select(select) => {
            let guard = crate::store::guard::Guard::new(None, u64::MAX);
            let context = Context::new(catalog, &guard, 0);
            let mut select = select.clone();
            for measurement in measurements(&mut select) {
                let mut plain = measurement.clone();
                if plain.name == ast::MeasurementName::OfSource {
                    plain.name = ast::MeasurementName::Name(String::new());
                }
                let found = resolve(&context, defaults, &plain).ok()?;
                measurement.database = Some(found.database);
                measurement.policy = Some(found.policy);
            }
            Statement::Select(select).to_string()
        }
        Statement::CreateDatabase { name, policy: Some(policy) } => {
            let mut text = format!("CREATE DATABASE {} WITH", identifier(name));
            if let Some(ns) = policy.duration_ns {
                text.push_str(&format!(" DURATION {}", go_duration(ns)));
            }
            if let Some(number) = policy.replication {
                text.push_str(&format!(" REPLICATION {number}"));
            }
            if let Some(ns) = policy.shard_duration_ns {
                text.push_str(&format!(" SHARD DURATION {}", go_duration(ns)));
            }
            if let Some(name) = &policy.name {
                text.push_str(&format!(" NAME {}", identifier(name)));
            }
            text
        }
        Statement::CreateUser { name, admin, .. } => {
            let admin = if *admin { " WITH ALL PRIVILEGES" } else { "" };
            format!("CREATE USER {} WITH PASSWORD [REDACTED]{admin}", identifier(name))
        }
        Statement::SetPassword { user, .. } => {
            format!("SET PASSWORD FOR {} = [REDACTED]", identifier(user))
        }
        other => other.to_string(),
    };
    Some(format!(
        "deprecated use of '{text}' in a read only context, please use a POST request instead"
    ))
}
