//! New files in the place of old ones, step by step.
//!
//! A new file sorts behind the old ones that it is made of and holds their merge, so that both together answer as
//! either alone: as long as every delete that the old ones know is known of the new one, too. Hence the order: deletes
//! that came meanwhile, then the names, then the old files, and their deletes last.

use crate::store::tsm::{FileName, OpenError, Outputs, Reader, Tombstones};
use crate::store::view::{ReadError, TimeRange};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// New files, whole and durable under makeshift names. Dropped before they are published, they are unlinked.
#[derive(Debug)]
pub struct Made {
    directory: PathBuf,
    files: Vec<FileName>,
    sources: Vec<Arc<Reader>>,
    /// The deletes of the sources that the new files take into account.
    tombstones: Vec<Arc<Tombstones>>,
    /// Blocks of the sources that could not be read, and are missing.
    pub damages: Vec<ReadError>,
    is_published: bool,
}

/// One change of the directory. Nothing happens between two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Rename(PathBuf, PathBuf),
    /// Also if it is not there.
    Unlink(PathBuf),
    /// Under another name, for people. Also if it is not there.
    SetAside(PathBuf),
    /// Makes the operations before it durable.
    Sync(PathBuf),
}

impl Operation {
    pub(super) fn perform(&self) -> io::Result<()> {
        match self {
            Operation::Rename(from, to) => fs::rename(from, to),
            Operation::Unlink(path) => unlink(path),
            Operation::SetAside(path) => {
                unless_gone(fs::rename(path, path.with_added_extension("bad")))
            }
            Operation::Sync(directory) => File::open(directory)?.sync_all(),
        }
    }
}

fn unlink(path: &Path) -> io::Result<()> {
    unless_gone(fs::remove_file(path))
}

fn unless_gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

impl Made {
    pub(super) fn new(
        directory: &Path,
        files: Vec<FileName>,
        sources: &[Arc<Reader>],
        tombstones: Vec<Arc<Tombstones>>,
        damages: Vec<ReadError>,
    ) -> Made {
        let (directory, sources) = (directory.to_owned(), sources.to_vec());
        Made { directory, files, sources, tombstones, damages, is_published: false }
    }

    /// Gives the files their names, durably, with the deletes that came meanwhile, and opens them. No delete may begin
    /// before [`Made::retire`] has ended. After an error nothing has changed for whoever goes on with the sources.
    pub fn publish(&mut self) -> Result<Vec<Arc<Reader>>, OpenError> {
        let failed = |error| OpenError::Io { path: self.directory.clone(), error };
        let mut readers = Vec::new();
        for name in &self.files {
            let makeshift = Outputs::makeshift(&self.directory, *name);
            let reader =
                Reader::open_makeshift(&makeshift, &self.directory.join(name.to_string()))?;
            self.carry_over(&reader).map_err(failed)?;
            readers.push(Arc::new(reader));
        }
        for operation in self.publishing() {
            operation.perform().map_err(failed)?;
        }
        self.is_published = true;
        Ok(readers)
    }

    /// The deletes that the sources have learned since they were read.
    fn carry_over(&self, new: &Reader) -> io::Result<()> {
        unlink(&new.tombstone_path())?;
        for (source, known) in self.sources.iter().zip(&self.tombstones) {
            let now = source.tombstones();
            if Arc::ptr_eq(&now, known) {
                continue;
            }
            let fresh = now.iter().filter(|(number, range)| !known.holds(*number, *range));
            let mut fresh: Vec<(TimeRange, u32)> = fresh.map(|(key, range)| (range, key)).collect();
            fresh.sort_by_key(|(range, number)| (range.min_ns, range.max_ns, *number));
            for same in fresh.chunk_by(|(a, _), (b, _)| a == b) {
                let keys = same.iter().filter_map(|(_, number)| source.key_of(*number));
                new.delete(keys, same[0].0)?;
            }
        }
        Ok(())
    }

    pub(super) fn publishing(&self) -> Vec<Operation> {
        let rename = |name: &FileName| {
            let makeshift = Outputs::makeshift(&self.directory, *name);
            Operation::Rename(makeshift, self.directory.join(name.to_string()))
        };
        // The last one first: the name that questions know a generation by is then never there without the others.
        let mut operations: Vec<Operation> = self.files.iter().rev().map(rename).collect();
        operations.push(Operation::Sync(self.directory.clone()));
        operations
    }

    /// Unlinks the sources, which may still be read by whoever has them open. A source with a damaged block is set
    /// aside instead, as `NAME.tsm.bad`. After an error it is to be called again before the next delete: that would not
    /// reach a source that is left.
    ///
    /// # Panics
    /// If the new files have no names yet.
    pub fn retire(&mut self) -> io::Result<()> {
        assert!(self.is_published, "the sources are needed until the new files have names");
        self.retiring().iter().try_for_each(Operation::perform)
    }

    pub(super) fn retiring(&self) -> Vec<Operation> {
        let away = |path: PathBuf, source: &Reader| {
            let place = format!("{} ", source.path().display());
            if self.damages.iter().any(|damage| damage.place.starts_with(&place)) {
                Operation::SetAside(path)
            } else {
                Operation::Unlink(path)
            }
        };
        let sources = self.sources.iter();
        let mut operations: Vec<Operation> =
            sources.map(|source| away(source.path().to_owned(), source)).collect();
        // Without its deletes a source would show again what is deleted.
        operations.push(Operation::Sync(self.directory.clone()));
        let sources = self.sources.iter();
        operations.extend(sources.map(|source| away(source.tombstone_path(), source)));
        operations
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.is_published {
            for name in &self.files {
                drop(unlink(&Outputs::makeshift(&self.directory, *name)));
                // If it got its name before an error.
                drop(unlink(&self.directory.join(name.to_string())));
                drop(unlink(&self.directory.join(name.tombstone())));
            }
        }
    }
}

/// Unlinks what a process that died has left in a directory: files under makeshift names, and deletes of files that
/// are not there. To be called before anything in it is opened.
pub fn tidy(directory: &Path) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.extend(entry?.file_name().into_string());
    }
    for name in &names {
        let is_makeshift = [".tmp", ".tmp.index"].iter().any(|ending| name.ends_with(ending));
        let is_orphan = name
            .strip_suffix(".tombstone")
            .is_some_and(|stem| !names.contains(&format!("{stem}.tsm")));
        let path = directory.join(name);
        if (is_makeshift || is_orphan) && path.is_file() {
            unlink(&path)?;
        }
    }
    Ok(())
}
