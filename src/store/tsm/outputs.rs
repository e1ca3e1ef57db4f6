//! The files of one generation that are written one after the other, where one alone would pass a limit.

use super::name::FileName;
use super::writer::{Finished, Writer};
use super::{BLOCK_POINTS, FILE_BYTES_MAX};
use crate::store::value::{Column, FieldType};
use crate::store::view::TimeRange;
use std::io;
use std::path::{Path, PathBuf};

/// Files under makeshift names, and the one that is being written. Dropped before its end, all are unlinked.
#[derive(Debug)]
pub struct Outputs {
    directory: PathBuf,
    next: FileName,
    bytes_max: u64,
    current: Option<(FileName, Writer)>,
    done: Vec<(FileName, Finished)>,
}

impl Outputs {
    /// The first file will be `first`, the others count up its sequence.
    pub fn new(directory: &Path, first: FileName) -> Outputs {
        let directory = directory.to_owned();
        let bytes_max = FILE_BYTES_MAX;
        Outputs { directory, next: first, bytes_max, current: None, done: Vec::new() }
    }

    #[cfg(test)]
    pub(crate) fn with_limit(mut self, bytes_max: u64) -> Outputs {
        self.bytes_max = bytes_max;
        self
    }

    /// Where a file lies until it is renamed.
    pub fn makeshift(directory: &Path, name: FileName) -> PathBuf {
        directory.join(format!("{name}.tmp"))
    }

    /// As [`Writer::points`].
    pub fn points(&mut self, key: &[u8], column: &Column) -> io::Result<()> {
        if column.len() <= BLOCK_POINTS {
            return self.room(key)?.points(key, column);
        }
        let mut part = Column::new(column.kind());
        for begin in (0..column.len()).step_by(BLOCK_POINTS) {
            part.keep(0..0);
            part.extend(column, begin..column.len().min(begin + BLOCK_POINTS));
            self.room(key)?.points(key, &part)?;
        }
        Ok(())
    }

    /// As [`Writer::block`].
    pub fn block(
        &mut self,
        key: &[u8],
        kind: FieldType,
        range: TimeRange,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.room(key)?.block(key, kind, range, bytes)
    }

    /// A writer that can take one more block of the key.
    fn room(&mut self, key: &[u8]) -> io::Result<&mut Writer> {
        let is_full = |writer: &Writer| !writer.has_room(key) || writer.bytes() >= self.bytes_max;
        if self.current.as_ref().is_some_and(|(_, writer)| is_full(writer)) {
            self.end()?;
        }
        if self.current.is_none() {
            let name = self.next;
            self.next.sequence += 1;
            let path = Outputs::makeshift(&self.directory, name);
            // What a process left behind that died here.
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            self.current = Some((name, Writer::create(&path)?));
        }
        Ok(&mut self.current.as_mut().expect("just made").1)
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some((name, writer)) = self.current.take() {
            let path = Outputs::makeshift(&self.directory, name);
            let finished = writer.finish().inspect_err(|_| drop(std::fs::remove_file(&path)))?;
            self.done.push((name, finished));
        }
        Ok(())
    }

    /// All files, whole and durable under their makeshift names; none if there was no point.
    pub fn finish(mut self) -> io::Result<Vec<(FileName, Finished)>> {
        self.end()?;
        Ok(std::mem::take(&mut self.done))
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        for (name, _) in &self.done {
            drop(std::fs::remove_file(Outputs::makeshift(&self.directory, *name)));
        }
    }
}
