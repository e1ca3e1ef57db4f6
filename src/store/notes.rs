//! Users, continuous queries and subscriptions as `meta.db` has them.

use super::meta::{ContinuousQuery, Meta, UserMeta};
use super::view::{Continuous, Granted, Notes, Subscription, User};

pub fn of(meta: &Meta) -> Notes {
    let mut notes = Notes { users: meta.users.iter().map(user).collect(), ..Notes::default() };
    for database in &meta.databases {
        let owner = &database.name;
        notes.continuous_queries.extend(database.continuous_queries.iter().map(|one| Continuous {
            name: one.name.clone(),
            database: owner.clone(),
            text: one.query.clone(),
        }));
        for policy in &database.policies {
            notes.subscriptions.extend(policy.subscriptions.iter().map(|one| Subscription {
                name: one.name.clone(),
                database: owner.clone(),
                policy: policy.name.clone(),
                any: one.mode == "ANY",
                destinations: one.destinations.clone(),
            }));
        }
    }
    notes
}

fn user(user: &UserMeta) -> User {
    let grant = |(database, privilege): &(String, i32)| {
        let granted = match privilege {
            1 => Granted::Read,
            2 => Granted::Write,
            3 => Granted::All,
            _ => Granted::Nothing,
        };
        (database.clone(), granted)
    };
    User {
        name: user.name.clone(),
        password_hash: user.hash.clone(),
        is_admin: user.is_admin,
        grants: user.privileges.iter().map(grant).collect(),
    }
}

/// Replaces all notes. What belongs to a database or a policy that is not there is left out.
pub fn put(meta: &mut Meta, notes: &Notes) {
    let privilege = |(database, granted): &(String, Granted)| {
        let number = match granted {
            Granted::Nothing => 0,
            Granted::Read => 1,
            Granted::Write => 2,
            Granted::All => 3,
        };
        (database.clone(), number)
    };
    let user = |user: &User| UserMeta {
        name: user.name.clone(),
        hash: user.password_hash.clone(),
        is_admin: user.is_admin,
        privileges: user.grants.iter().map(privilege).collect(),
    };
    meta.users = notes.users.iter().map(user).collect();
    for database in &mut meta.databases {
        let mine = notes.continuous_queries.iter().filter(|one| one.database == database.name);
        let query =
            |one: &Continuous| ContinuousQuery { name: one.name.clone(), query: one.text.clone() };
        database.continuous_queries = mine.map(query).collect();
        for policy in &mut database.policies {
            let mine = notes
                .subscriptions
                .iter()
                .filter(|one| one.database == database.name && one.policy == policy.name);
            let subscription = |one: &Subscription| super::meta::Subscription {
                name: one.name.clone(),
                mode: if one.any { "ANY" } else { "ALL" }.to_owned(),
                destinations: one.destinations.clone(),
            };
            policy.subscriptions = mine.map(subscription).collect();
        }
    }
}
