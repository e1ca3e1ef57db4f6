//! Names of files: create, open, rename, remove, list, and bringing a directory to stable storage.

use super::file::{File, into_io};
use super::tasks::blocking;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The node's file system. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Disk {
    Real,
    #[cfg(any(test, feature = "sim"))]
    Sim(super::sim::SimDisk),
}

/// A file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Free for us; what is reserved for root is not.
    pub free: u64,
    pub whole: u64,
}

impl Disk {
    /// Creates a file that must not exist, for reading and writing.
    pub async fn create(&self, path: &Path) -> io::Result<File> {
        match self {
            Disk::Real => {
                let mut options = glommio::io::OpenOptions::new();
                options.read(true).write(true).create_new(true);
                open_direct(&options, path).await
            }
            #[cfg(any(test, feature = "sim"))]
            Disk::Sim(disk) => {
                disk.pass().await;
                disk.create(path).map(File::Sim)
            }
        }
    }

    /// Opens an existing file for reading and writing.
    pub async fn open(&self, path: &Path) -> io::Result<File> {
        match self {
            Disk::Real => {
                let mut options = glommio::io::OpenOptions::new();
                options.read(true).write(true);
                open_direct(&options, path).await
            }
            #[cfg(any(test, feature = "sim"))]
            Disk::Sim(disk) => {
                disk.pass().await;
                disk.open(path).map(File::Sim)
            }
        }
    }

    /// An existing file, opened so that each write is durable (O_DSYNC).
    pub(super) async fn open_durable(path: &Path) -> io::Result<File> {
        let mut options = glommio::io::OpenOptions::new();
        options.write(true).custom_flags(libc::O_DSYNC);
        open_direct(&options, path).await
    }

    /// The names in a directory, sorted.
    pub async fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        match self {
            Disk::Real => {
                let directory = directory.to_owned();
                blocking(move || list_now(&directory)).await?
            }
            #[cfg(any(test, feature = "sim"))]
            Disk::Sim(disk) => disk.list(directory),
        }
    }

    pub async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self {
            Disk::Real => {
                let (from, to) = (from.to_owned(), to.to_owned());
                blocking(move || std::fs::rename(from, to)).await?
            }
            #[cfg(any(test, feature = "sim"))]
            Disk::Sim(disk) => {
                disk.pass().await;
                disk.rename(from, to)
            }
        }
    }

    pub async fn remove(&self, path: &Path) -> io::Result<()> {
        match self {
            Disk::Real => {
                let path = path.to_owned();
                blocking(move || std::fs::remove_file(path)).await?
            }
            #[cfg(any(test, feature = "sim"))]
            Disk::Sim(disk) => {
                disk.pass().await;
                disk.remove(path)
            }
        }
    }

    /// Creates a directory and its parents; an existing one is fine.
    pub async fn create_directory(&self, path: &Path) -> io::Result<()> {
        match self {
            Disk::Real => {
                let path = path.to_owned();
                blocking(move || std::fs::create_dir_all(path)).await?
            }
            #[cfg(any(test, feature = "sim"))]
            Disk::Sim(_) => Ok(()),
        }
    }

    /// Brings the names in a directory to stable storage.
    pub async fn sync_directory(&self, path: &Path) -> io::Result<()> {
        match self {
            Disk::Real => {
                let path = path.to_owned();
                blocking(move || std::fs::File::open(path)?.sync_all()).await?
            }
            #[cfg(any(test, feature = "sim"))]
            Disk::Sim(disk) => {
                disk.pass().await;
                disk.sync_directory(path)
            }
        }
    }

    /// How large the file system that holds `path` is, and what of it is free.
    pub async fn space(&self, path: &Path) -> io::Result<Space> {
        match self {
            Disk::Real => {
                let path: PathBuf = path.to_owned();
                blocking(move || {
                    let facts = rustix::fs::statvfs(&path)?;
                    Ok(Space {
                        free: facts.f_bavail.saturating_mul(facts.f_frsize),
                        whole: facts.f_blocks.saturating_mul(facts.f_frsize),
                    })
                })
                .await?
            }
            #[cfg(any(test, feature = "sim"))]
            Disk::Sim(disk) => Ok(disk.space()),
        }
    }

    /// Appends bytes to a small text file and brings them to stable storage.
    pub async fn append_text(&self, path: &Path, text: Vec<u8>) -> io::Result<()> {
        match self {
            Disk::Real => {
                let path = path.to_owned();
                blocking(move || append_now(&path, &text)).await?
            }
            #[cfg(any(test, feature = "sim"))]
            Disk::Sim(disk) => {
                disk.pass().await;
                disk.append_text(path, &text)
            }
        }
    }

    /// Replaces a small text file whole: the old text or the new one, never a mixture.
    pub async fn replace_text(&self, path: &Path, text: Vec<u8>) -> io::Result<()> {
        match self {
            Disk::Real => {
                let path = path.to_owned();
                blocking(move || replace_now(&path, &text)).await?
            }
            #[cfg(any(test, feature = "sim"))]
            Disk::Sim(disk) => {
                disk.pass().await;
                disk.replace_text(path, &text)
            }
        }
    }

    /// The bytes of a small file; `None` if there is none.
    pub async fn read_text(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match self {
            Disk::Real => {
                let path = path.to_owned();
                blocking(move || match std::fs::read(path) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                })
                .await?
            }
            #[cfg(any(test, feature = "sim"))]
            Disk::Sim(disk) => {
                disk.pass().await;
                disk.read_text(path)
            }
        }
    }
}

async fn open_direct(options: &glommio::io::OpenOptions, path: &Path) -> io::Result<File> {
    // The runtime stats the path before it opens it and would panic if it had vanished in between;
    // nobody else removes files of ours, so that the check here is enough.
    options.dma_open(path).await.map(|file| File::Real(Rc::new(file))).map_err(into_io)
}

fn list_now(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn append_now(path: &Path, text: &[u8]) -> io::Result<()> {
    use std::io::Write;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    let before = file.metadata()?.len();
    if let Err(error) = file.write_all(text) {
        // A full disk takes a part: the next text must not stand behind half a line.
        file.set_len(before)?;
        return Err(error);
    }
    file.sync_all()?;
    sync_parent(path)
}

/// Replaces a small file whole and brings it to stable storage, on the calling thread: before shards run,
/// or on a plain thread. Only one thread at a time may do so to one file.
pub fn replace_now(path: &Path, text: &[u8]) -> io::Result<()> {
    use std::io::Write;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let written = std::fs::File::create(&fresh).and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| std::fs::rename(&fresh, path)) {
        // It takes room where there is none.
        std::fs::remove_file(&fresh).unwrap_or(());
        return Err(error);
    }
    sync_parent(path)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => std::fs::File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
