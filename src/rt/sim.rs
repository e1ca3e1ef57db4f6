//! A disk in memory that can lie the way disks do: it loses unsynced sectors and names at a power cut,
//! and fails, fills up or stops at a chosen operation.
//!
//! Every operation counts. A test runs once to learn how many there are, then again for each of them
//! with a fault planted there. After a power cut, [`SimDisk::power_cut`] gives the disk that the next
//! start finds: of each sector that was written and not synced, the caller decides whether it survived.

use crate::base::limits::PAGE;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// What a disk writes whole or not at all, in bytes.
pub const SECTOR: usize = 512;

/// An operation of a slow disk takes less than this.
const OPERATION_MAX: Duration = Duration::from_micros(800);

/// What happens at the chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The machine stops: this operation and all later ones have no effect and fail.
    PowerCut,
    /// A write or sync fails; of a write an unknown part may have happened.
    InputOutput,
    /// A write fails because the disk is full.
    Full,
    /// A write happens in part and says so.
    ShortWrite,
    /// A write says that all is well.
    Lie(Lie),
}

/// What a disk does with a write or a read while it says that all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// The whole write is lost.
    Lost,
    /// One of its sectors is lost: the first, or the last.
    LostFirst,
    LostLast,
    /// So many pages away in the same file, if there is such a place.
    Pages(i64),
    /// At the same position of the file that was made before, or of the newest.
    OtherFile,
}

/// What happens at the chosen read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFault {
    InputOutput,
    /// One page of it, counted from its start, comes from elsewhere.
    Misdirected {
        page: usize,
        from: Lie,
    },
}

#[derive(Clone, Debug, Default)]
pub struct SimDisk(Rc<RefCell<State>>);

#[derive(Clone, Debug)]
pub struct SimFile {
    disk: SimDisk,
    inode: u64,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    operations: u64,
    faults: Vec<(Range<u64>, Fault)>,
    /// Reads are counted alone: they change nothing, and a power cut between two of them is none.
    reads: u64,
    read_fault: Option<(Range<u64>, ReadFault)>,
    slow: bool,
    stopped: bool,
    free: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since the last sync, oldest first: number and the bytes written.
    unsynced: Vec<(usize, Vec<u8>)>,
    /// Sectors whose sync failed, oldest first. No later sync brings them to stable storage: a kernel
    /// may forget them and report success the next time.
    doubtful: Vec<(usize, Vec<u8>)>,
    /// Sectors that were allocated and never written.
    hollow: BTreeSet<usize>,
}

impl SimDisk {
    /// Plants `fault` at operation number `at`, counted from 1.
    pub fn plant(&self, at: u64, fault: Fault) {
        self.plant_many(at..at + 1, fault);
    }

    /// Plants `fault` at each of these operations.
    pub fn plant_many(&self, at: Range<u64>, fault: Fault) {
        self.0.borrow_mut().faults = vec![(at, fault)];
    }

    /// Plants two faults, each at its operation.
    pub fn plant_two(&self, faults: [(u64, Fault); 2]) {
        self.0.borrow_mut().faults = faults.map(|(at, fault)| (at..at + 1, fault)).to_vec();
    }

    /// Plants `fault` at each of these reads, counted from 1.
    pub fn plant_reads(&self, at: Range<u64>, fault: ReadFault) {
        self.0.borrow_mut().read_fault = Some((at, fault));
    }

    /// From now on every operation lets other tasks go on before it happens.
    pub fn be_slow(&self) {
        self.0.borrow_mut().slow = true;
    }

    pub(super) async fn pass(&self) {
        let slow = self.0.borrow().slow;
        match super::sim_tasks::current() {
            Some(tasks) if slow => tasks.dawdle(OPERATION_MAX).await,
            None if slow => futures_lite::future::yield_now().await,
            _ => {}
        }
    }

    /// From now on so much is free, whatever is written.
    pub fn set_free(&self, bytes: u64) {
        self.0.borrow_mut().free = Some(bytes);
    }

    pub(super) fn space(&self) -> super::disk::Space {
        const WHOLE: u64 = 1 << 40;
        super::disk::Space { free: self.0.borrow().free.unwrap_or(WHOLE), whole: WHOLE }
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.0.borrow().operations
    }

    /// Reads so far.
    pub fn reads(&self) -> u64 {
        self.0.borrow().reads
    }

    /// Whether the planted power cut has happened.
    pub fn stopped(&self) -> bool {
        self.0.borrow().stopped
    }

    /// Sectors that were written and not synced, over all files.
    pub fn unsynced_sectors(&self) -> usize {
        let count = |inode: &Inode| inode.doubtful.len() + inode.unsynced.len();
        self.0.borrow().inodes.values().map(count).sum()
    }

    /// The disk that a start after a power cut finds. `survives` is asked for each unsynced sector, in
    /// the order of writing; `names_survive` says whether unsynced names did.
    pub fn power_cut(
        &self,
        names_survive: bool,
        mut survives: impl FnMut(usize) -> bool,
    ) -> SimDisk {
        let old = self.0.borrow();
        let mut inodes = BTreeMap::new();
        let mut turn = 0;
        for (number, inode) in &old.inodes {
            let mut bytes = inode.durable.clone();
            for (sector, written) in inode.doubtful.iter().chain(&inode.unsynced) {
                if survives(turn) {
                    place(&mut bytes, sector * SECTOR, written);
                }
                turn += 1;
            }
            let kept = Inode { seen: bytes.clone(), durable: bytes, ..Inode::default() };
            inodes.insert(*number, kept);
        }
        let names = if names_survive { old.names.clone() } else { old.durable_names.clone() };
        SimDisk(Rc::new(RefCell::new(State {
            durable_names: names.clone(),
            names,
            inodes,
            next_inode: old.next_inode,
            free: old.free,
            ..State::default()
        })))
    }

    /// Changes bytes at rest, as rot does. Returns whether the file is that long.
    pub fn damage(&self, path: &Path, position: usize, change: impl FnOnce(&mut u8)) -> bool {
        let mut state = self.0.borrow_mut();
        let Some(inode) = state.names.get(path).copied() else { return false };
        let file = state.inodes.get_mut(&inode).expect("a name has an inode");
        let Some(byte) = file.seen.get_mut(position) else { return false };
        change(byte);
        file.durable = file.seen.clone();
        true
    }

    /// Cuts a file short at rest.
    pub fn truncate(&self, path: &Path, bytes: usize) {
        let mut state = self.0.borrow_mut();
        let inode = state.names.get(path).copied().expect("the file is there");
        let file = state.inodes.get_mut(&inode).expect("a name has an inode");
        file.seen.truncate(bytes);
        file.durable.truncate(bytes);
    }

    /// Puts a file on the disk, as it would be found at a start.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.0.borrow_mut();
        let inode = state.next_inode;
        state.next_inode += 1;
        let file = Inode { seen: bytes.clone(), durable: bytes, ..Inode::default() };
        state.inodes.insert(inode, file);
        state.names.insert(path.to_owned(), inode);
        state.durable_names.insert(path.to_owned(), inode);
    }

    /// The bytes of a file.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.0.borrow();
        state.names.get(path).map(|inode| state.inodes[inode].seen.clone())
    }

    /// Sectors of a file that were allocated and never written: a write to them needs the file system's journal.
    pub fn hollow_sectors(&self, path: &Path) -> usize {
        let state = self.0.borrow();
        state.names.get(path).map_or(0, |inode| state.inodes[inode].hollow.len())
    }

    /// The paths of all files.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.borrow().names.keys().cloned().collect()
    }

    pub(super) fn create(&self, path: &Path) -> io::Result<SimFile> {
        self.step()?;
        let mut state = self.0.borrow_mut();
        if state.names.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let inode = state.next_inode;
        state.next_inode += 1;
        state.inodes.insert(inode, Inode::default());
        state.names.insert(path.to_owned(), inode);
        Ok(SimFile { disk: self.clone(), inode })
    }

    pub(super) fn open(&self, path: &Path) -> io::Result<SimFile> {
        self.step()?;
        let state = self.0.borrow();
        let inode = state.names.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(SimFile { disk: self.clone(), inode })
    }

    pub(super) fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let state = self.0.borrow();
        let names = state.names.keys().filter(|path| path.parent() == Some(directory));
        Ok(names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let mut state = self.0.borrow_mut();
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), inode);
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        let mut state = self.0.borrow_mut();
        state.names.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.step()?;
        let mut state = self.0.borrow_mut();
        let inside = |path: &Path| path.parent() == Some(directory);
        let fresh: Vec<_> = state
            .names
            .iter()
            .filter(|(path, _)| inside(path))
            .map(|(path, inode)| (path.clone(), *inode))
            .collect();
        state.durable_names.retain(|path, _| !inside(path));
        state.durable_names.extend(fresh);
        Ok(())
    }

    pub(super) fn append_text(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        let mut whole = self.read_text(path)?.unwrap_or_default();
        whole.extend_from_slice(text);
        self.replace_text(path, &whole)
    }

    pub(super) fn replace_text(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        self.step()?;
        let mut state = self.0.borrow_mut();
        let inode = state.next_inode;
        state.next_inode += 1;
        let file = Inode { seen: text.to_vec(), durable: text.to_vec(), ..Inode::default() };
        state.inodes.insert(inode, file);
        state.names.insert(path.to_owned(), inode);
        state.durable_names.insert(path.to_owned(), inode);
        Ok(())
    }

    pub(super) fn read_text(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let state = self.0.borrow();
        Ok(state.names.get(path).map(|inode| state.inodes[inode].seen.clone()))
    }

    /// Counts an operation and says whether it happens.
    fn step(&self) -> io::Result<()> {
        match self.count()? {
            Some(Fault::PowerCut) => Err(self.stop()),
            Some(Fault::Full) => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            Some(Fault::InputOutput | Fault::ShortWrite) => {
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
            Some(Fault::Lie(_)) | None => Ok(()),
        }
    }

    fn count(&self) -> io::Result<Option<Fault>> {
        let mut state = self.0.borrow_mut();
        if state.stopped {
            return Err(io::Error::other("the machine has stopped"));
        }
        state.operations += 1;
        let now = state.operations;
        Ok(state.faults.iter().find(|(at, _)| at.contains(&now)).map(|(_, fault)| *fault))
    }

    fn stop(&self) -> io::Error {
        self.0.borrow_mut().stopped = true;
        io::Error::other("the machine stops here")
    }
}

impl State {
    /// Which bytes of a write or read of `len` bytes take place, and where.
    fn lie(&self, lie: Lie, inode: u64, position: usize, len: usize) -> (Range<usize>, u64, usize) {
        match lie {
            Lie::Lost => (0..0, inode, position),
            Lie::LostFirst => (SECTOR..len, inode, position),
            Lie::LostLast => (0..len - SECTOR, inode, position),
            Lie::Pages(pages) => {
                let away = isize::try_from(pages).unwrap_or(0) * PAGE as isize;
                let there = position.saturating_add_signed(away);
                let size = self.inodes[&inode].seen.len();
                (0..len, inode, if there + len <= size { there } else { position })
            }
            Lie::OtherFile => {
                let before = self.inodes.range(..inode).next_back();
                let other = before.or(self.inodes.last_key_value()).map(|(other, _)| *other);
                (0..len, other.unwrap_or(inode), position)
            }
        }
    }
}

impl SimFile {
    pub(super) async fn pass(&self) {
        self.disk.pass().await;
    }

    pub(super) fn write(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        let fault = self.disk.count()?;
        let reached = match fault {
            None | Some(Fault::PowerCut | Fault::Lie(_)) => bytes.len(),
            Some(Fault::Full) => return Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            Some(Fault::InputOutput | Fault::ShortWrite) => bytes.len() / 2 / SECTOR * SECTOR,
        };
        let position = usize::try_from(position).map_err(io::Error::other)?;
        let mut state = self.disk.0.borrow_mut();
        let (kept, inode, position) = match fault {
            Some(Fault::Lie(lie)) => state.lie(lie, self.inode, position, reached),
            _ => (0..reached, self.inode, position),
        };
        let inode = state.inodes.get_mut(&inode).expect("an open file has an inode");
        for (turn, sector) in bytes[..reached].chunks(SECTOR).enumerate() {
            if kept.contains(&(turn * SECTOR)) {
                place(&mut inode.seen, position + turn * SECTOR, sector);
                inode.unsynced.push((position / SECTOR + turn, sector.to_vec()));
                inode.hollow.remove(&(position / SECTOR + turn));
            }
        }
        drop(state);
        match fault {
            // The write was under way when the power went: any part of it may be on the disk.
            Some(Fault::PowerCut) => Err(self.disk.stop()),
            Some(Fault::InputOutput) => Err(io::Error::from_raw_os_error(libc::EIO)),
            _ => Ok(reached),
        }
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.sync_those(|_| true)
    }

    /// Brings only what was written at these places to stable storage: how a disk with FUA ends a durable write.
    pub(super) fn sync_part(&self, position: u64, bytes: usize) -> io::Result<()> {
        let from = usize::try_from(position).map_err(io::Error::other)? / SECTOR;
        let part = from..from + bytes.div_ceil(SECTOR);
        self.sync_those(|sector| part.contains(&sector))
    }

    fn sync_those(&self, is_meant: impl Fn(usize) -> bool) -> io::Result<()> {
        let done = self.disk.step();
        let mut state = self.disk.0.borrow_mut();
        let stopped = state.stopped;
        let inode = state.inodes.get_mut(&self.inode).expect("an open file has an inode");
        let is_meant = |(sector, _): &mut (usize, Vec<u8>)| !stopped && is_meant(*sector);
        let written: Vec<_> = inode.unsynced.extract_if(.., is_meant).collect();
        match &done {
            Ok(()) => {
                for (sector, bytes) in &written {
                    place(&mut inode.durable, sector * SECTOR, bytes);
                }
                inode.doubtful.retain(|(old, _)| written.iter().all(|(new, _)| new != old));
            }
            Err(_) => inode.doubtful.extend(written),
        }
        done
    }

    pub(super) fn read(&self, position: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut state = self.disk.0.borrow_mut();
        if state.stopped {
            return Err(io::Error::other("the machine has stopped"));
        }
        state.reads += 1;
        let now = state.reads;
        let fault = state.read_fault.as_ref().filter(|(at, _)| at.contains(&now));
        let fault = fault.map(|(_, fault)| *fault);
        if fault == Some(ReadFault::InputOutput) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let seen = &state.inodes[&self.inode].seen;
        let from = usize::try_from(position).map_err(io::Error::other)?.min(seen.len());
        let mut bytes = seen[from..seen.len().min(from + len)].to_vec();
        if let Some(ReadFault::Misdirected { page, from: lie }) = fault {
            let at = page * PAGE;
            let (_, inode, elsewhere) = state.lie(lie, self.inode, from + at, PAGE);
            let wrong = state.inodes[&inode].seen.get(elsewhere..elsewhere + PAGE);
            if let (Some(place), Some(wrong)) = (bytes.get_mut(at..at + PAGE), wrong) {
                place.copy_from_slice(wrong);
            }
        }
        Ok(bytes)
    }

    pub(super) fn size(&self) -> u64 {
        self.disk.0.borrow().inodes[&self.inode].seen.len() as u64
    }

    pub(super) fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.disk.step()?;
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        let mut state = self.disk.0.borrow_mut();
        let inode = state.inodes.get_mut(&self.inode).expect("an open file has an inode");
        if inode.seen.len() < bytes {
            inode.hollow.extend(inode.seen.len() / SECTOR..bytes / SECTOR);
            inode.seen.resize(bytes, 0);
            inode.durable.resize(bytes, 0);
        }
        Ok(())
    }
}

fn place(bytes: &mut Vec<u8>, position: usize, piece: &[u8]) {
    if bytes.len() < position + piece.len() {
        bytes.resize(position + piece.len(), 0);
    }
    bytes[position..position + piece.len()].copy_from_slice(piece);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(disk: &SimDisk) -> SimFile {
        disk.create(Path::new("/d/f")).unwrap()
    }

    fn bytes(disk: &SimDisk) -> Vec<u8> {
        disk.bytes(Path::new("/d/f")).unwrap()
    }

    #[test]
    fn a_power_cut_takes_what_was_not_synced_sector_by_sector() {
        let disk = SimDisk::default();
        let file = file(&disk);
        disk.sync_directory(Path::new("/d")).unwrap();
        file.write(&[1; 2 * SECTOR], 0).unwrap();
        file.sync().unwrap();
        file.write(&[2; 2 * SECTOR], 0).unwrap();
        assert_eq!(disk.unsynced_sectors(), 2);
        for (outcome, expect) in [([true, true], [2, 2]), ([false, true], [1, 2])] {
            let after = disk.power_cut(false, |sector| outcome[sector]);
            assert_eq!([bytes(&after)[0], bytes(&after)[SECTOR]], expect);
        }
        assert_eq!(bytes(&disk.power_cut(false, |_| false)), [1; 2 * SECTOR]);
    }

    #[test]
    fn a_part_that_is_synced_leaves_the_rest_in_the_cache() {
        let disk = SimDisk::default();
        let file = file(&disk);
        file.write(&[1; 3 * SECTOR], 0).unwrap();
        file.sync_part(SECTOR as u64, SECTOR).unwrap();
        assert_eq!(disk.unsynced_sectors(), 2);
        let after = bytes(&disk.power_cut(true, |_| false));
        assert_eq!([after[0], after[SECTOR]], [0, 1]);
        file.sync().unwrap();
        assert_eq!(disk.unsynced_sectors(), 0);
    }

    #[test]
    fn a_sync_that_failed_is_not_made_good_by_the_next() {
        let disk = SimDisk::default();
        let file = file(&disk);
        file.write(&[1; SECTOR], 0).unwrap();
        disk.plant(disk.operations() + 1, Fault::InputOutput);
        file.sync().unwrap_err();
        file.sync().unwrap();
        assert_eq!(disk.unsynced_sectors(), 1);
        assert_eq!(bytes(&disk.power_cut(true, |_| false)), [0u8; 0]);
        // Only writing it again does.
        file.write(&[1; SECTOR], 0).unwrap();
        file.sync().unwrap();
        assert_eq!(bytes(&disk.power_cut(true, |_| false)), [1; SECTOR]);
    }

    #[test]
    fn names_are_durable_after_the_directory_is_synced() {
        let disk = SimDisk::default();
        file(&disk);
        assert!(disk.power_cut(false, |_| true).paths().is_empty());
        disk.sync_directory(Path::new("/d")).unwrap();
        disk.rename(Path::new("/d/f"), Path::new("/d/g")).unwrap();
        assert_eq!(disk.power_cut(false, |_| true).paths(), [Path::new("/d/f")]);
        assert_eq!(disk.power_cut(true, |_| true).paths(), [Path::new("/d/g")]);
    }

    #[test]
    fn after_a_power_cut_nothing_works_and_the_write_that_met_it_may_have_happened() {
        let disk = SimDisk::default();
        let file = file(&disk);
        disk.plant(2, Fault::PowerCut);
        file.write(&[1; SECTOR], 0).unwrap_err();
        assert!(disk.stopped());
        assert!(file.sync().is_err() && file.read(0, SECTOR).is_err());
        assert_eq!(bytes(&disk.power_cut(true, |_| true)), [1; SECTOR]);
    }

    #[test]
    fn a_lie_is_a_success_whose_bytes_are_missing_or_elsewhere() {
        let page = |disk: &SimDisk, at: usize| bytes(disk)[at * PAGE];
        for (lie, expect) in [
            (Lie::Lost, [0, 0, 0]),
            (Lie::LostFirst, [0, 1, 0]),
            (Lie::LostLast, [1, 1, 0]),
            (Lie::Pages(1), [0, 1, 1]),
            (Lie::Pages(2), [1, 1, 0]),
        ] {
            let disk = SimDisk::default();
            let file = file(&disk);
            file.allocate(3 * PAGE as u64).unwrap();
            disk.plant(disk.operations() + 1, Fault::Lie(lie));
            assert_eq!(file.write(&[1; 2 * PAGE], 0).unwrap(), 2 * PAGE);
            file.sync().unwrap();
            assert_eq!([0, 1, 2].map(|at| page(&disk, at)), expect, "{lie:?}");
            assert_eq!(page(&disk, 1), bytes(&disk.power_cut(true, |_| false))[PAGE]);
        }
        let disk = SimDisk::default();
        let (first, second) = (file(&disk), disk.create(Path::new("/d/g")).unwrap());
        disk.plant(disk.operations() + 1, Fault::Lie(Lie::OtherFile));
        second.write(&[2; PAGE], 0).unwrap();
        assert_eq!((first.size(), second.size()), (PAGE as u64, 0));
    }

    #[test]
    fn a_read_fails_or_has_a_page_from_elsewhere_when_it_is_told_to() {
        let disk = SimDisk::default();
        let file = file(&disk);
        for at in 0..3 {
            file.write(&[at as u8; PAGE], at * PAGE as u64).unwrap();
        }
        let pages = |read: Vec<u8>| read.chunks(PAGE).map(|page| page[0]).collect::<Vec<_>>();
        let misdirected = ReadFault::Misdirected { page: 1, from: Lie::Pages(-1) };
        disk.plant_reads(2..3, misdirected);
        assert_eq!(pages(file.read(0, 3 * PAGE).unwrap()), [0, 1, 2]);
        assert_eq!(pages(file.read(0, 3 * PAGE).unwrap()), [0, 0, 2]);
        assert_eq!(pages(file.read(0, 3 * PAGE).unwrap()), [0, 1, 2]);
        disk.plant_reads(4..5, ReadFault::InputOutput);
        file.read(0, PAGE).unwrap_err();
        assert_eq!((file.read(0, PAGE).unwrap().len(), disk.reads()), (PAGE, 5));
    }

    #[test]
    fn a_full_disk_takes_nothing_and_a_short_write_says_how_much() {
        let disk = SimDisk::default();
        let file = file(&disk);
        disk.plant(2, Fault::Full);
        let error = file.write(&[1; 4 * SECTOR], 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        disk.plant(3, Fault::ShortWrite);
        assert_eq!(file.write(&[1; 4 * SECTOR], 0).unwrap(), 2 * SECTOR);
        assert_eq!(bytes(&disk).len(), 2 * SECTOR);
    }
}
