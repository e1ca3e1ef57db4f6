//! The fields of the catalogue, by their numbers. A field that is not known is skipped: the nodes of clusters are, and
//! whatever later versions have added.

use super::wire::{Fields, Message, Wire};
use super::{
    ContinuousQuery, DatabaseMeta, Group, Malformed, Meta, PolicyMeta, Subscription, UserMeta,
};

pub(super) fn decode(bytes: &[u8]) -> Result<Meta, Malformed> {
    let mut meta = Meta::default();
    for field in Fields(bytes) {
        let (number, wire) = field?;
        match number {
            1 => meta.term = wire.number()?,
            2 => meta.index = wire.number()?,
            3 => meta.cluster = wire.number()?,
            5 => meta.databases.push(database(wire)?),
            6 => meta.users.push(user(wire)?),
            7 => meta.max_node_id = wire.number()?,
            8 => meta.max_group_id = wire.number()?,
            9 => meta.max_shard_id = wire.number()?,
            _ => {}
        }
    }
    Ok(meta)
}

fn database(wire: Wire<'_>) -> Result<DatabaseMeta, Malformed> {
    let mut database = DatabaseMeta::default();
    for field in Fields(wire.bytes()?) {
        let (number, wire) = field?;
        match number {
            1 => database.name = wire.text()?,
            2 => database.default_policy = wire.text()?,
            3 => database.policies.push(policy(wire)?),
            4 => database.continuous_queries.push(continuous_query(wire)?),
            _ => {}
        }
    }
    Ok(database)
}

fn continuous_query(wire: Wire<'_>) -> Result<ContinuousQuery, Malformed> {
    let mut continuous = ContinuousQuery::default();
    for field in Fields(wire.bytes()?) {
        match field? {
            (1, wire) => continuous.name = wire.text()?,
            (2, wire) => continuous.query = wire.text()?,
            _ => {}
        }
    }
    Ok(continuous)
}

fn policy(wire: Wire<'_>) -> Result<PolicyMeta, Malformed> {
    let mut policy = PolicyMeta::default();
    for field in Fields(wire.bytes()?) {
        let (number, wire) = field?;
        match number {
            1 => policy.name = wire.text()?,
            2 => policy.duration_ns = wire.signed()?,
            3 => policy.window_ns = wire.signed()?,
            4 => policy.replication = u32::try_from(wire.number()?).unwrap_or(u32::MAX),
            5 => policy.groups.push(group(wire)?),
            6 => policy.subscriptions.push(subscription(wire)?),
            _ => {}
        }
    }
    Ok(policy)
}

fn group(wire: Wire<'_>) -> Result<Group, Malformed> {
    let mut group = Group::default();
    for field in Fields(wire.bytes()?) {
        let (number, wire) = field?;
        match number {
            1 => group.id = wire.number()?,
            2 => group.start_ns = wire.signed()?,
            3 => group.end_ns = wire.signed()?,
            4 => group.deleted_ns = wire.signed()?,
            5 => group.shards.push(shard(wire)?),
            6 => group.truncated_ns = Some(wire.signed()?),
            _ => {}
        }
    }
    Ok(group)
}

/// Its owners are nodes of a cluster.
fn shard(wire: Wire<'_>) -> Result<u64, Malformed> {
    let mut id = 0;
    for field in Fields(wire.bytes()?) {
        if let (1, wire) = field? {
            id = wire.number()?;
        }
    }
    Ok(id)
}

fn subscription(wire: Wire<'_>) -> Result<Subscription, Malformed> {
    let mut subscription = Subscription::default();
    for field in Fields(wire.bytes()?) {
        match field? {
            (1, wire) => subscription.name = wire.text()?,
            (2, wire) => subscription.mode = wire.text()?,
            (3, wire) => subscription.destinations.push(wire.text()?),
            _ => {}
        }
    }
    Ok(subscription)
}

fn user(wire: Wire<'_>) -> Result<UserMeta, Malformed> {
    let mut user = UserMeta::default();
    for field in Fields(wire.bytes()?) {
        match field? {
            (1, wire) => user.name = wire.text()?,
            (2, wire) => user.hash = wire.text()?,
            (3, wire) => user.is_admin = wire.number()? != 0,
            (4, wire) => user.privileges.push(privilege(wire)?),
            _ => {}
        }
    }
    Ok(user)
}

fn privilege(wire: Wire<'_>) -> Result<(String, i32), Malformed> {
    let mut privilege = (String::new(), 0);
    for field in Fields(wire.bytes()?) {
        match field? {
            (1, wire) => privilege.0 = wire.text()?,
            (2, wire) => privilege.1 = i32::try_from(wire.signed()?).unwrap_or(0),
            _ => {}
        }
    }
    Ok(privilege)
}

/// InfluxDB misses a required number also where it is 0.
pub(super) fn encode(meta: &Meta) -> Vec<u8> {
    let mut message = Message::default();
    message.number(1, meta.term);
    message.number(2, meta.index);
    message.number(3, meta.cluster);
    for database in &meta.databases {
        message.message(5, |inner| write_database(inner, database));
    }
    for user in &meta.users {
        message.message(6, |inner| write_user(inner, user));
    }
    message.number(7, meta.max_node_id);
    message.number(8, meta.max_group_id);
    message.number(9, meta.max_shard_id);
    message.0
}

fn write_database(message: &mut Message, database: &DatabaseMeta) {
    message.text(1, &database.name);
    message.text(2, &database.default_policy);
    for policy in &database.policies {
        message.message(3, |inner| write_policy(inner, policy));
    }
    for continuous in &database.continuous_queries {
        message.message(4, |inner| {
            inner.text(1, &continuous.name);
            inner.text(2, &continuous.query);
        });
    }
}

fn write_policy(message: &mut Message, policy: &PolicyMeta) {
    message.text(1, &policy.name);
    message.signed(2, policy.duration_ns);
    message.signed(3, policy.window_ns);
    message.number(4, u64::from(policy.replication));
    for group in &policy.groups {
        message.message(5, |inner| write_group(inner, group));
    }
    for subscription in &policy.subscriptions {
        message.message(6, |inner| {
            inner.text(1, &subscription.name);
            inner.text(2, &subscription.mode);
            subscription.destinations.iter().for_each(|to| inner.text(3, to));
        });
    }
}

fn write_group(message: &mut Message, group: &Group) {
    message.number(1, group.id);
    message.signed(2, group.start_ns);
    message.signed(3, group.end_ns);
    message.signed(4, group.deleted_ns);
    for shard in &group.shards {
        message.message(5, |inner| inner.number(1, *shard));
    }
    if let Some(truncated) = group.truncated_ns {
        message.signed(6, truncated);
    }
}

fn write_user(message: &mut Message, user: &UserMeta) {
    message.text(1, &user.name);
    message.text(2, &user.hash);
    message.number(3, u64::from(user.is_admin));
    for (database, privilege) in &user.privileges {
        message.message(4, |inner| {
            inner.text(1, database);
            inner.signed(2, i64::from(*privilege));
        });
    }
}
