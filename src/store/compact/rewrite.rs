//! The points of some files, each once and none that is deleted, into new files of one generation.

use super::plan::{Job, Thoroughness};
use super::swap::Made;
use crate::store::tsm::Tombstones;
use crate::store::tsm::{self, BLOCK_POINTS, FileName, Key, Merge, Outputs, Reader, Source, Step};
use crate::store::value::Column;
use crate::store::view::{Direction, ReadError, TimeRange};
use std::io;
use std::iter::Peekable;
use std::path::Path;
use std::sync::Arc;

/// Why nothing has come of it. Nothing is left on disk.
#[derive(Debug)]
pub enum Failed {
    /// The disk, mostly: it is full.
    Io(io::Error),
    /// It was asked to.
    Stopped,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        Failed::Io(error)
    }
}

/// Times of any block, also such that no legal point has.
const EVERYTHING: TimeRange = TimeRange { min_ns: i64::MIN, max_ns: i64::MAX };

/// Writes what a job asks for into makeshift files in `directory`. `readers` are its files, from the oldest to the
/// newest; `is_stopped` is asked for every key.
///
/// # Panics
/// If there are no readers, or one has a name that is none.
pub fn rewrite(
    directory: &Path,
    readers: &[Arc<Reader>],
    thoroughness: Thoroughness,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Made, Failed> {
    let outputs = Outputs::new(directory, result_name(&names(readers)));
    rewrite_into(outputs, directory, readers, thoroughness, is_stopped)
}

pub(super) fn rewrite_into(
    outputs: Outputs,
    directory: &Path,
    readers: &[Arc<Reader>],
    thoroughness: Thoroughness,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Made, Failed> {
    let tombstones: Vec<Arc<Tombstones>> = readers.iter().map(|one| one.tombstones()).collect();
    let mut pass = Pass { outputs, thoroughness, gathered: None, damages: Vec::new() };
    let mut heads: Vec<_> = readers.iter().map(|reader| reader.keys().peekable()).collect();
    while let Some(key) = lowest(&mut heads) {
        if is_stopped() {
            return Err(Failed::Stopped);
        }
        let mut sources = Vec::new();
        for ((head, reader), tombstones) in heads.iter_mut().zip(readers).zip(&tombstones) {
            if let Some(found) = head.next_if(|head| head.key == key) {
                let (reader, tombstones) = (reader.clone(), tombstones.clone());
                sources.push(Source { reader, tombstones, number: found.number });
            }
        }
        if let Some(merge) = Merge::over(sources, None, EVERYTHING, Direction::Ascending) {
            pass.key(key, merge)?;
        }
    }
    let files = pass.outputs.finish()?.into_iter().map(|(name, _)| name).collect();
    Ok(Made::new(directory, files, readers, tombstones, pass.damages))
}

fn names(readers: &[Arc<Reader>]) -> Vec<FileName> {
    let name = |reader: &Arc<Reader>| reader.name().expect("only files with names are compacted");
    readers.iter().map(name).collect()
}

/// Sorts behind all that it is made of, and before everything newer.
fn result_name(names: &[FileName]) -> FileName {
    let newest = names.iter().max().expect("a job without files");
    FileName { generation: newest.generation, sequence: newest.sequence + 1 }
}

fn lowest<'a>(heads: &mut [Peekable<impl Iterator<Item = Key<'a>>>]) -> Option<&'a [u8]> {
    heads.iter_mut().filter_map(|head| head.peek().map(|head| head.key)).min()
}

struct Pass {
    outputs: Outputs,
    thoroughness: Thoroughness,
    /// Points of the current key that are not yet written, fewer than a block.
    gathered: Option<Column>,
    damages: Vec<ReadError>,
}

impl Pass {
    fn key(&mut self, key: &[u8], mut merge: Merge) -> io::Result<()> {
        loop {
            match merge.step() {
                Ok(None) => break,
                Ok(Some(Step::Points(column))) => self.gather(key, column)?,
                Ok(Some(Step::Straight(reader, entry))) => self.straight(key, &reader, entry)?,
                Err(error) => self.damages.push(error),
            }
        }
        self.flush(key)
    }

    fn straight(&mut self, key: &[u8], reader: &Reader, entry: tsm::Entry) -> io::Result<()> {
        let block = match reader.block(entry) {
            Ok(block) => block,
            Err(error) => {
                self.damages.push(error);
                return Ok(());
            }
        };
        let is_full = tsm::count(block).is_ok_and(|count| count >= BLOCK_POINTS);
        let is_apart = self.gathered.is_none() || self.thoroughness == Thoroughness::Fast;
        if is_full && is_apart {
            self.flush(key)?;
            let range = TimeRange { min_ns: entry.min_ns, max_ns: entry.max_ns };
            let kind = reader.find(key).map(|key| key.entries.kind);
            if let Some(kind) = kind {
                return self.outputs.block(key, kind, range, block);
            }
        }
        match reader.read(entry) {
            Ok(column) => self.gather(key, column)?,
            Err(error) => self.damages.push(error),
        }
        Ok(())
    }

    /// Writes as many full blocks as there are points for.
    fn gather(&mut self, key: &[u8], column: Column) -> io::Result<()> {
        let mut all = match self.gathered.take() {
            None => column,
            Some(mut all) => {
                all.extend(&column, 0..column.len());
                all
            }
        };
        let full = all.len() / BLOCK_POINTS * BLOCK_POINTS;
        if full > 0 {
            let mut rest = Column::new(all.kind());
            rest.extend(&all, full..all.len());
            all.keep(0..full);
            self.outputs.points(key, &all)?;
            all = rest;
        }
        self.gathered = Some(all).filter(|all| !all.is_empty());
        Ok(())
    }

    fn flush(&mut self, key: &[u8]) -> io::Result<()> {
        match self.gathered.take() {
            Some(rest) => self.outputs.points(key, &rest),
            None => Ok(()),
        }
    }
}

impl Job {
    /// What its files become is called this, and so are all further ones but for their sequence.
    pub fn result_name(&self) -> FileName {
        result_name(&self.files)
    }
}
