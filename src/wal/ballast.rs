//! Space held in reserve: a file without meaning that is given up when the disk is so full that not even
//! progress could be recorded, and made again when there is room.
//!
//! What it is for: rejects, marks of incomplete backends, and copies of what a backend is owed, which free
//! the segments they come from. The largest of these is a segment's worth, and so is the ballast.

use crate::rt::Disk;
use std::io;
use std::path::{Path, PathBuf};

/// Its part of a small file system.
const SHARE: u64 = 32;

/// Lives on: shard 0.
#[derive(Debug)]
pub struct Ballast {
    disk: Disk,
    path: PathBuf,
    bytes: u64,
    is_held: bool,
}

/// What a look at the disk came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    Not,
    GivenUp,
    Made,
}

impl Ballast {
    /// Of a segment's size, less on a small file system. Takes over what an earlier start left.
    pub async fn open(disk: &Disk, wal: &Path, segment_bytes: u64, whole_bytes: u64) -> Ballast {
        let path = wal.join("ballast");
        let page = crate::base::limits::PAGE as u64;
        let bytes = segment_bytes.min(whole_bytes / SHARE).next_multiple_of(page);
        let mut ballast = Ballast { disk: disk.clone(), path, bytes, is_held: false };
        if let Ok(file) = disk.open(&ballast.path).await {
            ballast.is_held = file.size().await.is_ok_and(|size| size == bytes);
            drop(file);
            if !ballast.is_held {
                // Half made, or of another size: it is made again when there is room.
                disk.remove(&ballast.path).await.unwrap_or(());
            }
        }
        ballast
    }

    /// Bytes that it holds now.
    pub fn held(&self) -> u64 {
        if self.is_held { self.bytes } else { 0 }
    }

    /// Gives it up when less than half of it is free beside it; makes it when twice of it is free beyond
    /// `min_free`.
    pub async fn look(&mut self, free: u64, min_free: u64) -> io::Result<Moved> {
        if self.is_held && free < self.bytes / 2 {
            self.disk.remove(&self.path).await?;
            self.is_held = false;
            return Ok(Moved::GivenUp);
        }
        let has_room = free >= min_free.saturating_add(2 * self.bytes);
        if self.is_held || !has_room || self.bytes == 0 {
            return Ok(Moved::Not);
        }
        if let Err(error) = self.make().await {
            self.disk.remove(&self.path).await.unwrap_or(());
            return Err(error);
        }
        self.is_held = true;
        Ok(Moved::Made)
    }

    async fn make(&self) -> io::Result<()> {
        let file = self.disk.create(&self.path).await?;
        file.allocate(self.bytes).await?;
        file.sync().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::sim::SimDisk;
    use futures_lite::future::block_on;

    const MIB: u64 = 1 << 20;

    #[test]
    fn ballast_is_given_up_on_a_full_disk_and_made_again() {
        let sim = SimDisk::default();
        let (disk, wal) = (Disk::Sim(sim.clone()), Path::new("/d/wal"));
        let on_disk = || sim.bytes(&wal.join("ballast")).map(|bytes| bytes.len() as u64);
        let open = || block_on(Ballast::open(&disk, wal, 4 * MIB, 1 << 40));
        let mut ballast = open();
        let mut look = |free| block_on(ballast.look(free, 10 * MIB)).unwrap();
        assert_eq!((look(17 * MIB), on_disk()), (Moved::Not, None), "too little room to take it");
        assert_eq!((look(18 * MIB), on_disk()), (Moved::Made, Some(4 * MIB)));
        assert_eq!((look(2 * MIB), on_disk()), (Moved::Not, Some(4 * MIB)));
        assert_eq!(open().held(), 4 * MIB, "the next start finds it");
        assert_eq!((look(2 * MIB - 1), on_disk()), (Moved::GivenUp, None));
        assert_eq!((look(6 * MIB), on_disk()), (Moved::Not, None));
        assert_eq!((look(18 * MIB), on_disk()), (Moved::Made, Some(4 * MIB)));
    }

    #[test]
    fn ballast_is_small_on_a_small_disk_and_never_half_made() {
        let disk = Disk::Sim(SimDisk::default());
        let open = |whole| block_on(Ballast::open(&disk, Path::new("/d/wal"), 8 * MIB, whole));
        let mut small = open(64 * MIB);
        assert_eq!(block_on(small.look(MIB * 60, 0)).unwrap(), Moved::Made);
        assert_eq!(small.held(), 2 * MIB);
        assert_eq!(open(1 << 40).held(), 0, "one of another size is given up");
    }
}
