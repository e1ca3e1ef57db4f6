//! The catalogue's file.

use super::{Malformed, Meta};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a catalogue cannot be read.
#[derive(Debug)]
pub enum MetaError {
    Io { path: PathBuf, error: io::Error },
    Malformed { path: PathBuf, problem: Malformed },
}

impl fmt::Display for MetaError {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetaError::Io { path, error } => write!(text, "{}: {error}", path.display()),
            MetaError::Malformed { path, problem } => write!(text, "{}: {problem}", path.display()),
        }
    }
}

/// `None` if there is no file.
pub fn read(path: &Path) -> Result<Option<Meta>, MetaError> {
    match fs::read(path) {
        Ok(bytes) => Meta::decode(&bytes)
            .map(Some)
            .map_err(|problem| MetaError::Malformed { path: path.to_owned(), problem }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(MetaError::Io { path: path.to_owned(), error }),
    }
}

/// Replaces the file durably. Its folder is there.
pub fn write(path: &Path, meta: &Meta) -> io::Result<()> {
    let makeshift = path.with_added_extension("tmp");
    let mut file = File::create(&makeshift)?;
    file.write_all(&meta.encode())?;
    file.sync_all()?;
    fs::rename(&makeshift, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
