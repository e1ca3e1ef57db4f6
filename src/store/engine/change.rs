//! What statements do.

use super::catalogue::database_in;
use super::delete::EVER;
use super::policies;
use super::shared::Shared;
use super::start::new_database;
use crate::store::meta::Meta;
use crate::store::view::{Change, ChangeError, SeriesId};
use std::fs;
use std::io;
use std::sync::Arc;

use super::database::Database;

fn named(shared: &Shared, name: &str) -> Result<Arc<Database>, ChangeError> {
    let found = shared.databases.read().get(name).cloned();
    found.ok_or_else(|| ChangeError(format!("database not found: {name}")))
}

/// Does it. Durable when it returns.
///
/// # Panics
/// On a write, which goes another way.
pub fn change(shared: &Arc<Shared>, change: Change) -> Result<(), ChangeError> {
    match change {
        Change::CreateDatabase { database, policy } => {
            create_database(shared, &database, policy.as_ref())
        }
        Change::DropDatabase { database } => drop_database(shared, &database),
        Change::CreatePolicy { database, policy } => change_policies(shared, &database, |meta| {
            policies::create_policy(meta, &database, &policy)
        }),
        Change::AlterPolicy { database, name, policy } => {
            change_policies(shared, &database, |meta| {
                policies::alter_policy(meta, &database, &name, &policy)
            })
        }
        Change::DropPolicy { database, name } => drop_policy(shared, &database, &name),
        Change::DropWindow { id } => drop_window(shared, id),
        Change::DropMeasurement { database, measurement } => {
            let database = named(shared, &database)?;
            let series: Vec<SeriesId> = {
                let index = database.index.read();
                index.series_of(&measurement).iter().copied().map(SeriesId).collect()
            };
            database.delete(shared, &series, EVER)
        }
        Change::Delete { database, series, range } => {
            named(shared, &database)?.delete(shared, &series, range)
        }
        Change::DropSeries { database, series } => {
            named(shared, &database)?.delete(shared, &series, EVER)
        }
        Change::Write { .. } => unreachable!("the store writes"),
    }
}

fn create_database(
    shared: &Arc<Shared>,
    name: &str,
    policy: Option<&crate::store::view::PolicyChange>,
) -> Result<(), ChangeError> {
    let _one = shared.statements.lock();
    let mut catalogue = shared.catalogue.lock();
    catalogue.change(|meta| policies::create_database(meta, name, policy))?;
    let policies = catalogue.policies(name);
    let mut databases = shared.databases.write();
    if !databases.contains_key(name) {
        let made = new_database(&shared.options, name, Arc::downgrade(shared), policies);
        databases.insert(name.to_owned(), Arc::new(made));
    }
    Ok(())
}

fn change_policies(
    shared: &Shared,
    name: &str,
    change: impl FnOnce(&mut Meta) -> Result<(), ChangeError>,
) -> Result<(), ChangeError> {
    let _one = shared.statements.lock();
    let database = named(shared, name)?;
    let _writer = database.writer.lock();
    let mut catalogue = shared.catalogue.lock();
    catalogue.change(change)?;
    *database.policies.write() = catalogue.policies(name);
    Ok(())
}

fn drop_policy(shared: &Shared, database: &str, name: &str) -> Result<(), ChangeError> {
    let _one = shared.statements.lock();
    let database = named(shared, database)?;
    database.drop_windows(
        shared,
        |window| window.info.policy == name,
        |meta| {
            if let Some(known) = database_in(meta, &database.name) {
                known.policies.retain(|policy| policy.name != name);
            }
            Ok(())
        },
    )?;
    remove(&shared.data().join(&database.name).join(name));
    Ok(())
}

fn drop_window(shared: &Shared, id: u64) -> Result<(), ChangeError> {
    let _one = shared.statements.lock();
    let databases: Vec<Arc<Database>> = shared.databases.read().values().cloned().collect();
    let has = |database: &&Arc<Database>| {
        database.all_windows().iter().any(|window| window.info.id == id)
    };
    let Some(database) = databases.iter().find(has) else { return Ok(()) };
    database.drop_windows(shared, |window| window.info.id == id, |_| Ok(())).map(drop)
}

fn drop_database(shared: &Shared, name: &str) -> Result<(), ChangeError> {
    let _one = shared.statements.lock();
    let Ok(database) = named(shared, name) else { return Ok(()) };
    let forget = |meta: &mut Meta| {
        meta.databases.retain(|known| known.name != name);
        Ok(())
    };
    database.drop_windows(shared, |_| true, forget)?;
    shared.databases.write().remove(name);
    remove(&shared.data().join(name));
    Ok(())
}

fn remove(directory: &std::path::Path) {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %directory.display(), %error, "a directory that is dropped stays");
        }
        _ => {}
    }
}
