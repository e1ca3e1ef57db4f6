//! Every window of a directory with its files, and what is wrong with them.

use super::layout::{Folder, Layout, LayoutError};
use super::segment::read_segment;
use crate::store::point::SEPARATOR;
use crate::store::tsm::{OpenError, Reader};
use crate::store::view::{ReadError, TimeRange};
use std::fs;
use std::path::{Path, PathBuf};

/// A window.
#[derive(Clone, Debug)]
pub struct WindowView {
    pub folder: Folder,
    /// Different series in its files, deleted ones too.
    pub series: u64,
    pub files: Vec<FileView>,
    /// Of InfluxDB's log.
    pub segments: Vec<SegmentView>,
    /// Bytes that lie beside the files and count for none of them, such as what was set aside.
    pub other_bytes: u64,
}

impl WindowView {
    /// Whether anything in it is damaged.
    pub fn is_damaged(&self) -> bool {
        let file = |file: &FileView| match &file.state {
            FileState::Unreadable(_) => true,
            FileState::Read { damages, .. } => !damages.is_empty(),
        };
        self.files.iter().any(file) || self.segments.iter().any(|one| one.torn.is_some())
    }
}

/// A file of points.
#[derive(Clone, Debug)]
pub struct FileView {
    pub path: PathBuf,
    pub bytes: u64,
    pub state: FileState,
}

#[derive(Clone, Debug)]
pub enum FileState {
    Read {
        keys: u64,
        blocks: u64,
        range: TimeRange,
        /// Keys with deletes.
        tombstones: u64,
        /// Counted only where every block was read.
        points: Option<u64>,
        damages: Vec<ReadError>,
    },
    /// Why it cannot be opened: the file itself, or its deletes.
    Unreadable(String),
}

/// A segment of InfluxDB's log.
#[derive(Clone, Debug)]
pub struct SegmentView {
    pub path: PathBuf,
    pub bytes: u64,
    pub entries: u64,
    /// Where it ends too early, and why.
    pub torn: Option<(usize, String)>,
}

/// Looks at every window and hands each to `take`. With `verify` every block is read: its checksum, its points.
pub fn inspect(
    directory: &Path,
    verify: bool,
    mut take: impl FnMut(WindowView),
) -> Result<(), LayoutError> {
    for folder in Layout::read(directory)?.folders {
        take(window(folder, verify)?);
    }
    Ok(())
}

fn window(folder: Folder, verify: bool) -> Result<WindowView, LayoutError> {
    let paths = folder.files()?;
    let mut files = Vec::new();
    let mut readers = Vec::new();
    for path in &paths {
        let bytes = fs::metadata(path).map_or(0, |data| data.len());
        let state = match Reader::open(path) {
            Ok(reader) => {
                let state = file(&reader, verify);
                readers.push(reader);
                state
            }
            Err(OpenError::Io { error, .. }) => FileState::Unreadable(error.to_string()),
            Err(error @ OpenError::Malformed { .. }) => FileState::Unreadable(error.to_string()),
        };
        files.push(FileView { path: path.clone(), bytes, state });
    }
    let mut segments = Vec::new();
    for path in folder.segments()? {
        segments.push(segment(path)?);
    }
    let other_bytes = other_bytes(&folder.path, &paths);
    Ok(WindowView { series: series(&readers), folder, files, segments, other_bytes })
}

fn file(reader: &Reader, verify: bool) -> FileState {
    let mut blocks = 0;
    let mut points = verify.then_some(0);
    let mut damages = Vec::new();
    for key in reader.keys() {
        blocks += key.entries.len() as u64;
        let Some(points) = &mut points else { continue };
        for entry in key.entries.iter() {
            match reader.read(entry) {
                Ok(column) => *points += column.len() as u64,
                Err(error) => damages.push(error),
            }
        }
    }
    FileState::Read {
        keys: reader.key_count() as u64,
        blocks,
        range: reader.range(),
        tombstones: reader.tombstones().key_count() as u64,
        points,
        damages,
    }
}

fn segment(path: PathBuf) -> Result<SegmentView, LayoutError> {
    let bytes = fs::read(&path).map_err(|error| LayoutError::Io { path: path.clone(), error })?;
    let mut entries = 0;
    let end = read_segment(&bytes, |_| entries += 1);
    let torn = end.err().map(|(at, problem)| (at, problem.0.to_owned()));
    Ok(SegmentView { path, bytes: bytes.len() as u64, entries, torn })
}

/// Counted by walking through the sorted keys of all files at once.
fn series(readers: &[Reader]) -> u64 {
    let mut heads: Vec<_> = readers.iter().map(|reader| reader.keys().peekable()).collect();
    let mut count = 0;
    let mut last: Option<&[u8]> = None;
    loop {
        let keys = heads.iter_mut().filter_map(|head| head.peek().map(|key| key.key));
        let Some(key) = keys.min() else { return count };
        let (series, _) = split(key);
        if last != Some(series) {
            count += 1;
            last = Some(series);
        }
        for head in &mut heads {
            head.next_if(|head| head.key == key);
        }
    }
}

/// Series and field of a key.
pub(super) fn split(key: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memmem::find(key, SEPARATOR) {
        Some(at) => (&key[..at], &key[at + SEPARATOR.len()..]),
        None => (key, &[]),
    }
}

fn other_bytes(folder: &Path, files: &[PathBuf]) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let others = entries.flatten().filter(|entry| !files.contains(&entry.path()));
    others.filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
}
