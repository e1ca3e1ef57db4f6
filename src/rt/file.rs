//! One open file, written and read in whole pages, past the page cache.

use super::buffer::{Bytes, SharedBuffer};
use super::disk::Disk;
use crate::base::limits::PAGE;
use glommio::io::DmaFile;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// An open file. Clones share it; the last one closes it.
#[derive(Clone, Debug)]
pub enum File {
    Real(Rc<DmaFile>),
    #[cfg(any(test, feature = "sim"))]
    Sim(super::sim::SimFile),
}

impl File {
    /// Writes the whole buffer at `position`. A short write is an error: its effect is unknown.
    pub async fn write(&self, buffer: SharedBuffer, position: u64) -> io::Result<()> {
        assert!(position.is_multiple_of(PAGE as u64), "written at {position}");
        let len = buffer.len();
        let written = match self {
            File::Real(file) => file.write_rc_at(buffer.memory, position).await.map_err(into_io)?,
            #[cfg(any(test, feature = "sim"))]
            File::Sim(file) => {
                file.pass().await;
                file.write(&buffer, position)?
            }
        };
        if written == len {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::WriteZero, format!("{written} of {len} bytes written")))
    }

    /// Brings everything that was written to stable storage.
    pub async fn sync(&self) -> io::Result<()> {
        match self {
            File::Real(file) => file.fdatasync().await.map_err(into_io),
            #[cfg(any(test, feature = "sim"))]
            File::Sim(file) => {
                file.pass().await;
                file.sync()
            }
        }
    }

    /// The same file, for [`DurableFile::write`].
    pub async fn durable(&self, path: &Path) -> io::Result<DurableFile> {
        match self {
            File::Real(_) => Disk::open_durable(path).await.map(DurableFile),
            #[cfg(any(test, feature = "sim"))]
            File::Sim(_) => Ok(DurableFile(self.clone())),
        }
    }

    /// Reads `len` bytes at `position`, both multiples of a page; fewer at the end of the file.
    pub async fn read(&self, position: u64, len: usize) -> io::Result<Bytes> {
        assert!(position.is_multiple_of(PAGE as u64) && len.is_multiple_of(PAGE));
        match self {
            File::Real(file) => {
                file.read_at_aligned(position, len).await.map(Bytes::Direct).map_err(into_io)
            }
            #[cfg(any(test, feature = "sim"))]
            File::Sim(file) => {
                file.pass().await;
                file.read(position, len).map(Bytes::Heap)
            }
        }
    }

    /// The file's length in bytes.
    pub async fn size(&self) -> io::Result<u64> {
        match self {
            File::Real(file) => file.file_size().await.map_err(into_io),
            #[cfg(any(test, feature = "sim"))]
            File::Sim(file) => Ok(file.size()),
        }
    }

    /// Takes the space for `bytes` from the file system, so that later writes cannot run out of it.
    pub async fn allocate(&self, bytes: u64) -> io::Result<()> {
        match self {
            File::Real(file) => file.pre_allocate(bytes, false).await.map_err(into_io),
            #[cfg(any(test, feature = "sim"))]
            File::Sim(file) => file.allocate(bytes),
        }
    }
}

/// An open file each of whose writes is on stable storage when it is done, with
/// one trip through the ring and no worker of the kernel that waits for the flush.
#[derive(Clone, Debug)]
pub struct DurableFile(File);

impl DurableFile {
    /// Writes the whole buffer at `position` and brings it to stable storage. What was written before through a
    /// [`File`] may still be in the disk's cache: with FUA only this write passes it.
    pub async fn write(&self, buffer: SharedBuffer, position: u64) -> io::Result<()> {
        #[cfg(any(test, feature = "sim"))]
        let bytes = buffer.len();
        self.0.write(buffer, position).await?;
        match &self.0 {
            File::Real(_) => Ok(()),
            #[cfg(any(test, feature = "sim"))]
            File::Sim(file) => {
                file.pass().await;
                file.sync_part(position, bytes)
            }
        }
    }
}

/// The runtime's error as the standard one, its number kept.
pub(super) fn into_io(error: glommio::GlommioError<()>) -> io::Error {
    use glommio::GlommioError as E;
    match error {
        E::IoError(inner) | E::EnhancedIoError { source: inner, .. } => inner,
        other => io::Error::other(other.to_string()),
    }
}
