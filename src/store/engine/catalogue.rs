//! What there should be: databases, policies, windows, in `meta/meta.db`. Every change is durable or has not happened.

use super::database::Policies;
use crate::store::meta::{self, DatabaseMeta, Group, Meta, MetaError, PolicyMeta};
use crate::store::store::OpenError;
use crate::store::view::{Policy, WindowInfo};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Catalogue {
    path: PathBuf,
    meta: Meta,
}

pub fn policy_of(meta: &PolicyMeta) -> Policy {
    Policy {
        name: meta.name.clone(),
        duration_ns: meta.duration_ns,
        window_ns: meta.window_ns,
        replication: meta.replication,
    }
}

/// A group of InfluxDB is a window of ours if it has a folder. One server has one folder for each.
fn window_of(policy: &str, group: &Group) -> Option<WindowInfo> {
    let id = *group.shards.first().filter(|_| group.deleted_ns == 0)?;
    let (start_ns, end_ns) = (group.begin_ns(), group.end_ns);
    Some(WindowInfo { id, policy: policy.to_owned(), start_ns, end_ns })
}

pub fn database_in<'a>(meta: &'a mut Meta, name: &str) -> Option<&'a mut DatabaseMeta> {
    meta.databases.iter_mut().find(|database| database.name == name)
}

pub fn policy_in<'a>(database: &'a mut DatabaseMeta, name: &str) -> Option<&'a mut PolicyMeta> {
    database.policies.iter_mut().find(|policy| policy.name == name)
}

/// Forgets windows: their points are gone when that is durable.
pub fn remove_windows(meta: &mut Meta, database: &str, gone: &[u64]) {
    let Some(database) = database_in(meta, database) else { return };
    let is_gone = |group: &Group| group.shards.first().is_some_and(|id| gone.contains(id));
    for policy in &mut database.policies {
        policy.groups.retain(|group| !is_gone(group));
    }
}

impl Catalogue {
    /// Reads what is in the directory, which is made where it is absent.
    pub fn open(directory: &Path) -> Result<Catalogue, OpenError> {
        let path = directory.join("meta.db");
        let failed = |path: &Path, error: &io::Error| OpenError::Disk {
            path: path.to_owned(),
            problem: error.to_string(),
        };
        fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
        let known = meta::read(&path).map_err(|error| match error {
            MetaError::Io { path, error } => failed(&path, &error),
            MetaError::Malformed { problem, .. } => OpenError::Meta(problem.to_string()),
        })?;
        if let Some(meta) = known {
            return Ok(Catalogue { path, meta });
        }
        let meta = Meta { term: 1, index: 1, cluster: 1, ..Meta::default() };
        meta::write(&path, &meta).map_err(|error| failed(&path, &error))?;
        Ok(Catalogue { path, meta })
    }

    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Changes the catalogue on disk, then in memory.
    pub fn change<R, E: From<io::Error>>(
        &mut self,
        change: impl FnOnce(&mut Meta) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut meta = self.meta.clone();
        let outcome = change(&mut meta)?;
        if meta != self.meta {
            meta.index += 1;
            meta::write(&self.path, &meta)?;
            self.meta = meta;
        }
        Ok(outcome)
    }

    /// A new window of a policy that is there. `bounds` as [`Group`] has them.
    pub fn add_window(
        &mut self,
        database: &str,
        policy: &str,
        (start_ns, end_ns): (i64, i64),
    ) -> io::Result<WindowInfo> {
        self.change(|meta| {
            meta.max_group_id += 1;
            meta.max_shard_id += 1;
            let group = Group {
                id: meta.max_group_id,
                start_ns,
                end_ns,
                shards: vec![meta.max_shard_id],
                ..Group::default()
            };
            let known = database_in(meta, database).and_then(|known| policy_in(known, policy));
            let known = known.ok_or_else(|| io::Error::other("the policy has just gone"))?;
            let info = window_of(policy, &group);
            known.groups.push(group);
            known.groups.sort_by_key(Group::begin_ns);
            Ok(info.expect("it has a folder"))
        })
    }

    fn database(&self, name: &str) -> Option<&DatabaseMeta> {
        self.meta.database(name)
    }

    /// All windows of a database.
    pub fn windows(&self, database: &str) -> Vec<WindowInfo> {
        let policies = self.database(database).map_or(&[][..], |known| &known.policies);
        let windows = |policy: &PolicyMeta| -> Vec<WindowInfo> {
            policy.groups.iter().filter_map(|group| window_of(&policy.name, group)).collect()
        };
        policies.iter().flat_map(windows).collect()
    }

    pub fn policies(&self, database: &str) -> Policies {
        let Some(known) = self.database(database) else { return Policies::default() };
        Policies {
            list: known.policies.iter().map(policy_of).collect(),
            default: known.default_policy.clone(),
        }
    }
}
