//! What lies where: `meta/meta.db`, `data/DATABASE/POLICY/ID/*.tsm`, and of InfluxDB `wal/DATABASE/POLICY/ID/_*.wal`.

use crate::store::meta::{self, Group, Meta, MetaError};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A directory, from above.
#[derive(Clone, Debug)]
pub struct Layout {
    /// `None` if there is no catalogue; then everything that lies there counts.
    pub meta: Option<Meta>,
    /// By database, policy and start.
    pub folders: Vec<Folder>,
}

/// The folder of one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    pub database: String,
    pub policy: String,
    /// What the folder is called.
    pub id: u64,
    pub path: PathBuf,
    /// Of InfluxDB's log; there or not.
    pub wal: PathBuf,
    /// What the catalogue says of it; `None` if it knows of no such window, or has deleted it.
    pub group: Option<Group>,
}

/// Why a directory cannot be read.
#[derive(Debug)]
pub enum LayoutError {
    Io {
        path: PathBuf,
        error: io::Error,
    },
    Meta(MetaError),
    /// There is no `data` in it.
    NoData(PathBuf),
}

impl fmt::Display for LayoutError {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutError::Io { path, error } => write!(text, "{}: {error}", path.display()),
            LayoutError::Meta(error) => error.fmt(text),
            LayoutError::NoData(path) => {
                write!(text, "{}: no data directory: it has no folder `data`", path.display())
            }
        }
    }
}

impl Layout {
    /// Looks at the directory that holds `meta` and `data`.
    pub fn read(directory: &Path) -> Result<Layout, LayoutError> {
        let meta = meta::read(&directory.join("meta/meta.db")).map_err(LayoutError::Meta)?;
        let data = directory.join("data");
        if !data.is_dir() {
            return Err(LayoutError::NoData(directory.to_owned()));
        }
        let mut folders = Vec::new();
        for database in folders_in(&data)? {
            // The series file of InfluxDB lies beside the policies.
            for policy in
                folders_in(&data.join(&database))?.iter().filter(|name| *name != "_series")
            {
                let path = data.join(&database).join(policy);
                for id in folders_in(&path)?.iter().filter_map(|name| name.parse::<u64>().ok()) {
                    let name = id.to_string();
                    folders.push(Folder {
                        database: database.clone(),
                        policy: policy.clone(),
                        id,
                        path: path.join(&name),
                        wal: directory.join("wal").join(&database).join(policy).join(&name),
                        group: group(meta.as_ref(), &database, policy, id),
                    });
                }
            }
        }
        folders.extend(unborn(directory, meta.as_ref(), &folders));
        folders.sort_by_cached_key(|folder| {
            let begin = folder.group.as_ref().map(Group::begin_ns);
            (folder.database.clone(), folder.policy.clone(), begin, folder.id)
        });
        Ok(Layout { meta, folders })
    }
}

/// Windows that have no folder yet: all their points are in our log.
fn unborn(directory: &Path, meta: Option<&Meta>, known: &[Folder]) -> Vec<Folder> {
    let mut folders = Vec::new();
    for database in meta.iter().flat_map(|meta| &meta.databases) {
        for policy in &database.policies {
            let there = policy.groups.iter().filter(|group| group.deleted_ns == 0);
            for (group, id) in
                there.flat_map(|group| group.shards.iter().map(move |id| (group, *id)))
            {
                let place = Path::new(&database.name).join(&policy.name).join(id.to_string());
                let path = directory.join("data").join(&place);
                if known.iter().all(|folder| folder.path != path) {
                    folders.push(Folder {
                        database: database.name.clone(),
                        policy: policy.name.clone(),
                        id,
                        path,
                        wal: directory.join("wal").join(place),
                        group: Some(group.clone()),
                    });
                }
            }
        }
    }
    folders
}

fn group(meta: Option<&Meta>, database: &str, policy: &str, id: u64) -> Option<Group> {
    let policies = &meta?.database(database)?.policies;
    let policy = policies.iter().find(|one| one.name == policy)?;
    let mut there = policy.groups.iter().filter(|group| group.deleted_ns == 0);
    there.find(|group| group.shards.contains(&id)).cloned()
}

fn folders_in(path: &Path) -> Result<Vec<String>, LayoutError> {
    let names = entries(path)?.into_iter();
    Ok(names.filter(|name| path.join(name).is_dir()).collect())
}

/// Names in a folder, sorted; such that are not UTF-8 are none of InfluxDB's.
fn entries(path: &Path) -> Result<Vec<String>, LayoutError> {
    let failed = |error| LayoutError::Io { path: path.to_owned(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

impl Folder {
    /// Files of points, the oldest first: InfluxDB orders them by name.
    pub fn files(&self) -> Result<Vec<PathBuf>, LayoutError> {
        if !self.path.is_dir() {
            return Ok(Vec::new());
        }
        let names = entries(&self.path)?.into_iter().filter(|name| name.ends_with(".tsm"));
        Ok(names.map(|name| self.path.join(name)).collect())
    }

    /// Segments of InfluxDB's log, the oldest first. It reads none of a window without a folder.
    pub fn segments(&self) -> Result<Vec<PathBuf>, LayoutError> {
        if !self.wal.is_dir() || !self.path.is_dir() {
            return Ok(Vec::new());
        }
        let is_segment = |name: &String| name.starts_with('_') && name.ends_with(".wal");
        let names = entries(&self.wal)?.into_iter().filter(is_segment);
        Ok(names.map(|name| self.wal.join(name)).collect())
    }
}
