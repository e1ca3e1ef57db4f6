//! Bytes that are needed later, once, in the order in which they came: in memory while they are few, else in a file
//! without a name.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::PathBuf;

const MEMORY_BYTES_MAX: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Spool {
    /// The name that its file has for a moment.
    path: PathBuf,
    file: Option<File>,
    file_bytes: u64,
    memory: Vec<u8>,
}

impl Spool {
    pub(super) fn new(path: PathBuf) -> Spool {
        Spool { path, file: None, file_bytes: 0, memory: Vec::new() }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.file_bytes + self.memory.len() as u64
    }

    /// `add` appends.
    pub(super) fn write(&mut self, add: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        add(&mut self.memory);
        if self.memory.len() < MEMORY_BYTES_MAX {
            return Ok(());
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut options = File::options();
                let file = options.read(true).write(true).create(true).truncate(true);
                let file = file.open(&self.path)?;
                fs::remove_file(&self.path)?;
                file
            }
        };
        file.write_all(&self.memory)?;
        self.file_bytes += self.memory.len() as u64;
        self.memory.clear();
        self.file = Some(file);
        Ok(())
    }

    /// Everything, in order.
    pub(super) fn copy_to(&mut self, out: &mut impl Write) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.rewind()?;
            io::copy(file, out)?;
        }
        out.write_all(&self.memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_in_order_also_when_they_are_many() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spool");
        for count in [3, 400_000_u32] {
            let mut spool = Spool::new(path.clone());
            let mut want = Vec::new();
            for number in 0..count {
                want.extend([number.to_be_bytes(); 8].concat());
                spool.write(|out| out.extend([number.to_be_bytes(); 8].concat())).unwrap();
            }
            assert_eq!(spool.bytes(), want.len() as u64);
            let mut have = Vec::new();
            spool.copy_to(&mut have).unwrap();
            assert!(have == want);
            assert!(!path.exists());
        }
    }
}
