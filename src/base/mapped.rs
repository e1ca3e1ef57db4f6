//! A file seen through memory: `Mapped` for whoever looks into files that somebody else is writing, `Settled` for files
//! that nobody writes any more.

use memmap2::{Advice, Mmap, MmapOptions, MmapRaw, UncheckedAdvice};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

/// A mapped file, as long as it was when it was opened.
#[derive(Debug)]
pub struct Mapped {
    /// `None` for an empty file, which cannot be mapped.
    map: Option<MmapRaw>,
}

impl Mapped {
    pub fn open(path: &Path) -> io::Result<Mapped> {
        let file = fs::File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Mapped { map: None });
        }
        Ok(Mapped { map: Some(MmapOptions::new().map_raw_read_only(&file)?) })
    }

    /// The file's length in bytes.
    pub fn size(&self) -> u64 {
        self.map.as_ref().map_or(0, |map| map.len() as u64)
    }

    /// A copy of `len` bytes from `at`; fewer at the end of the file.
    ///
    /// A page that the disk cannot give, or that was cut off, is an error; on a kernel before 5.14 it ends
    /// the process with SIGBUS.
    pub fn read(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let Some(map) = &self.map else { return Ok(Vec::new()) };
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(map.len());
        let len = len.min(map.len() - at);
        if len == 0 {
            return Ok(Vec::new());
        }
        match map.advise_range(Advice::PopulateRead, at, len) {
            // An older kernel does not know this advice.
            Err(error) if error.raw_os_error() != Some(libc::EINVAL) => return Err(error),
            _ => {}
        }
        let mut copy = vec![0; len];
        #[expect(
            unsafe_code,
            reason = "others write this file, so that no slice of it may be lent"
        )]
        // SAFETY: `at + len` is at most the length of the map, which lives as long as `self`; the copy is
        // memory of our own. Bytes that change meanwhile are copied as they come, and judged by the
        // checksum of the copy.
        unsafe {
            std::ptr::copy_nonoverlapping(map.as_ptr().add(at), copy.as_mut_ptr(), len);
        }
        Ok(copy)
    }
}

/// A file that got its name when it was whole, and that is only ever unlinked after that: its bytes can be lent.
#[derive(Debug)]
pub struct Settled {
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
}

impl Settled {
    /// Not for files that are still written, or that may be cut: their bytes would change under whoever has borrowed
    /// them.
    pub fn open(path: &Path) -> io::Result<Settled> {
        let file = fs::File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Settled { map: None });
        }
        #[expect(
            unsafe_code,
            reason = "blocks and their index are searched and decoded in place; a copy of each would cost as much again"
        )]
        // SAFETY: the map is only read. The callers open files that are written under another name, made durable and
        // renamed, and never opened for writing again.
        let map = unsafe { MmapOptions::new().map(&file)? };
        Ok(Settled { map: Some(map) })
    }

    /// The whole file. Bytes that are not in memory yet are fetched as they are touched; if the disk cannot give them,
    /// the process ends with SIGBUS: ask with [`Settled::load`] first.
    pub fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    /// Fetches a part, so that a page that the disk cannot give is an error. On a kernel before 5.14 it does nothing.
    ///
    /// # Panics
    /// If the part is not within the file.
    pub fn load(&self, range: Range<usize>) -> io::Result<()> {
        assert!(range.start <= range.end && range.end <= self.bytes().len());
        let Some(map) = self.map.as_ref().filter(|_| !range.is_empty()) else { return Ok(()) };
        match map.advise_range(Advice::PopulateRead, range.start, range.len()) {
            Err(error) if error.raw_os_error() != Some(libc::EINVAL) => Err(error),
            _ => Ok(()),
        }
    }

    /// Gives the memory of the whole map back; what is touched again comes from the cache of the system, or the disk.
    pub fn rest(&self) {
        let Some(map) = &self.map else { return };
        #[expect(
            unsafe_code,
            reason = "an index that was walked through once would count as memory of this process for ever"
        )]
        // SAFETY: the map is of a file and read only: the same bytes come back when they are touched.
        let rested = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
        // Who does not take advice goes on as before.
        drop(rested);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn a_read_is_cut_at_the_end_and_sees_what_others_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs::write(&path, vec![b'a'; 10_000]).unwrap();
        let mapped = Mapped::open(&path).unwrap();
        assert_eq!(mapped.size(), 10_000);
        assert_eq!(mapped.read(9_990, 100).unwrap(), [b'a'; 10]);
        assert_eq!(mapped.read(4_000, 200).unwrap(), [b'a'; 200]);
        assert!(mapped.read(10_000, 1).unwrap().is_empty());
        assert!(mapped.read(u64::MAX, 1).unwrap().is_empty());
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(b"new", 5_000).unwrap();
        assert_eq!(mapped.read(4_999, 5).unwrap(), b"anewa");
    }

    #[test]
    fn an_empty_file_is_empty_and_a_missing_one_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        assert_eq!(Mapped::open(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&path, b"").unwrap();
        assert!(Mapped::open(&path).unwrap().read(0, 10).unwrap().is_empty());
    }

    #[test]
    fn pages_that_are_gone_are_an_error_and_no_signal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs::write(&path, vec![b'a'; 10 * 4096]).unwrap();
        let mapped = Mapped::open(&path).unwrap();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4096).unwrap();
        assert!(mapped.read(8 * 4096, 4096).is_err());
        assert_eq!(mapped.read(0, 4096).unwrap(), [b'a'; 4096]);
    }

    #[test]
    fn a_settled_file_lends_its_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs::write(&path, b"").unwrap();
        assert!(Settled::open(&path).unwrap().bytes().is_empty());
        fs::write(&path, vec![b'a'; 10_000]).unwrap();
        let settled = Settled::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        settled.load(0..10_000).unwrap();
        settled.load(5_000..5_000).unwrap();
        assert_eq!(settled.bytes(), vec![b'a'; 10_000]);
        settled.rest();
        assert_eq!(settled.bytes(), vec![b'a'; 10_000]);
        assert_eq!(Settled::open(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
