//! A disk with a volatile cache, whose power can be cut, as a file that a loop device can stand on.
//!
//! What a file system writes to it is readable at once, and durable when the next flush has been answered,
//! as on a real disk with a write cache. A power cut keeps everything that was flushed, and of what was
//! written after that any choice of sectors: a disk may write its cache back in any order, and stop in
//! the middle of a request. From the cut on nothing is taken any more, so that nothing can be
//! acknowledged after it.
//!
//! This is fairer than a copy of the image: a copy also holds what was never flushed, so that a
//! missing flush would never show. What it does not show: a disk that lies about a flush, or that tears
//! a sector.
//!
//! The file is served by a thread of this process over FUSE (protocol: `linux/fuse.h`, version 7.31). The
//! mount's root is the file itself, so that very few requests need an answer.

use rustix::mount::{MountFlags, UnmountFlags};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

pub const SECTOR: usize = 512;

/// The sectors of most disks of today. A file system's own blocks are torn between these only: neither ext4 nor
/// XFS has a mend for a torn superblock or a block that was torn while the journal was replayed.
const PHYSICAL: usize = 4096;

/// Our own pages begin with one of these, and may be torn at any sector of 512 bytes.
const OURS: [&[u8]; 4] = [b"CFRM", b"CIRCSEG", b"CIRCFTR", b"CIRCCUR"];

/// Most bytes in one write request.
const WRITE_BYTES_MAX: u32 = 1 << 20;

/// How a power cut chooses among the sectors that were not flushed.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Nothing,
    Everything,
    /// The first writes, and a part of the one after them.
    Prefix,
    Writes,
    Sectors,
}

pub const CUTS: [Cut; 5] = [Cut::Sectors, Cut::Nothing, Cut::Prefix, Cut::Writes, Cut::Everything];

/// What was at stake in a cut.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtStake {
    pub writes: usize,
    pub sectors: usize,
    pub kept_sectors: usize,
}

struct State {
    /// What a reader sees.
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// Written since the last flush, in order.
    cache: Vec<(usize, Vec<u8>)>,
    has_power: bool,
    /// The power goes after so many more writes.
    writes_left: Option<u64>,
    /// Writes of this beginning fail, so many times.
    bad: Option<(Vec<u8>, u64)>,
    failed: u64,
}

/// The disk. Unmount what stands on it before it is dropped.
pub struct Device {
    state: Arc<Mutex<State>>,
    /// The file to mount or to format.
    pub path: PathBuf,
    server: Option<JoinHandle<()>>,
}

impl Device {
    /// An empty disk of this size, as the file `path`.
    pub fn new(path: &Path, bytes: usize) -> Device {
        let state = State {
            bytes: vec![0; bytes],
            durable: vec![0; bytes],
            cache: Vec::new(),
            has_power: true,
            writes_left: None,
            bad: None,
            failed: 0,
        };
        let state = Arc::new(Mutex::new(state));
        File::create_new(path).expect("a place for the disk");
        let channel = File::options().read(true).write(true).open("/dev/fuse");
        let channel = channel.expect("FUSE is there: the test needs root");
        let options = format!("fd={},rootmode=100600,user_id=0,group_id=0", channel.as_raw_fd());
        let options = std::ffi::CString::new(options).expect("no NUL");
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        let mounted = rustix::mount::mount("disk", path, "fuse", flags, options.as_c_str());
        mounted.unwrap_or_else(|error| panic!("cannot mount FUSE on {}: {error}", path.display()));
        let serving = state.clone();
        let server = std::thread::spawn(move || serve(channel, &serving));
        Device { state, path: path.to_owned(), server: Some(server) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the server never panics")
    }

    /// From now on nothing is written or flushed.
    pub fn cut_power(&self) {
        self.state().has_power = false;
    }

    /// The same after so many more writes, of which the last has not been flushed.
    pub fn cut_power_after(&self, writes: u64) {
        self.state().writes_left = Some(writes);
    }

    pub fn has_power(&self) -> bool {
        self.state().has_power
    }

    /// Power comes back. Nothing may be mounted on it.
    pub fn restore_power(&self, cut: Cut, seed: u64) -> AtStake {
        self.state().restore(cut, seed)
    }

    /// The next `count` writes that begin with these bytes fail.
    pub fn fail_writes(&self, beginning: &[u8], count: u64) {
        self.state().bad = Some((beginning.to_vec(), count));
    }

    /// How many writes failed so.
    pub fn failed(&self) -> u64 {
        self.state().failed
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Also when something still stands on it after a panic: the server then ends with the last user.
        let gone = rustix::mount::unmount(&self.path, UnmountFlags::DETACH);
        if let (Ok(()), false, Some(server)) = (gone, std::thread::panicking(), self.server.take())
        {
            server.join().expect("the server never panics");
        }
    }
}

impl State {
    fn write(&mut self, at: usize, data: &[u8]) -> Result<(), i32> {
        if !self.has_power {
            return Err(EIO);
        }
        if let Some((beginning, count)) = &mut self.bad
            && *count > 0
            && data.starts_with(beginning)
        {
            *count -= 1;
            self.failed += 1;
            return Err(EIO);
        }
        let Some(place) = self.bytes.get_mut(at..at + data.len()) else { return Err(EIO) };
        place.copy_from_slice(data);
        self.cache.push((at, data.to_vec()));
        if let Some(left) = &mut self.writes_left {
            *left = left.saturating_sub(1);
            self.has_power = *left > 0;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), i32> {
        if !self.has_power {
            return Err(EIO);
        }
        for (at, data) in self.cache.drain(..) {
            self.durable[at..at + data.len()].copy_from_slice(&data);
        }
        Ok(())
    }

    fn restore(&mut self, cut: Cut, seed: u64) -> AtStake {
        let mut random = Random(seed);
        let cache = std::mem::take(&mut self.cache);
        let mut stake = AtStake { writes: cache.len(), ..AtStake::default() };
        let prefix = random.below(cache.len() as u64 + 1);
        for (turn, (at, data)) in cache.iter().enumerate() {
            let whole_write = random.below(2) == 0;
            let is_ours = OURS.iter().any(|beginning| data.starts_with(beginning));
            let unit = if is_ours { SECTOR } else { PHYSICAL };
            let (mut keep, mut decided) = (false, None);
            for (sector, piece) in data.chunks(SECTOR).enumerate() {
                let at = at + sector * SECTOR;
                let is_same = decided.replace(at / unit) == Some(at / unit);
                keep = match cut {
                    _ if is_same => keep,
                    Cut::Nothing => false,
                    Cut::Everything => true,
                    Cut::Prefix if turn as u64 == prefix => random.below(2) == 0,
                    Cut::Prefix => (turn as u64) < prefix,
                    Cut::Writes => whole_write,
                    Cut::Sectors => random.below(2) == 0,
                };
                stake.sectors += 1;
                if keep {
                    stake.kept_sectors += 1;
                    self.durable[at..at + piece.len()].copy_from_slice(piece);
                }
            }
        }
        for (at, data) in &cache {
            let place = *at..at + data.len();
            self.bytes[place.clone()].copy_from_slice(&self.durable[place]);
        }
        self.has_power = true;
        self.writes_left = None;
        stake
    }
}

/// Numbers that follow from a seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

const EIO: i32 = 5;
const ENOSYS: i32 = 38;

const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const FSYNC: u32 = 20;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
/// These have no answer.
const FORGETS: [u32; 3] = [2, 36, 42];

/// Bytes before the data of a request: the head, and of a write its own part.
const HEAD: usize = 40;
const WRITE_HEAD: usize = HEAD + 40;

/// Answers until the file is unmounted.
fn serve(mut channel: File, state: &Mutex<State>) {
    let mut request = vec![0; WRITE_BYTES_MAX as usize + 8192];
    loop {
        let read = match channel.read(&mut request) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return, // Unmounted.
        };
        let request = &request[..read];
        let opcode = u32_at(request, 4);
        if FORGETS.contains(&opcode) {
            continue;
        }
        let mut state = state.lock().expect("a test does not panic inside");
        let (error, body) = match answer(&mut state, opcode, request) {
            Ok(body) => (0, body),
            Err(error) => (-error, Vec::new()),
        };
        drop(state);
        let len = u32::try_from(16 + body.len()).expect("at most some MiB");
        let mut reply = len.to_le_bytes().to_vec();
        reply.extend_from_slice(&error.to_le_bytes());
        reply.extend_from_slice(&request[8..16]);
        reply.extend_from_slice(&body);
        // A request that was interrupted meanwhile wants no answer.
        channel.write(&reply).map(drop).unwrap_or(());
    }
}

fn answer(state: &mut State, opcode: u32, request: &[u8]) -> Result<Vec<u8>, i32> {
    match opcode {
        INIT => Ok(init()),
        GETATTR | SETATTR => Ok(attributes(state.bytes.len() as u64)),
        OPEN => Ok(vec![0; 16]),
        READ => {
            let at = place(request);
            let end = (at + u32_at(request, HEAD + 16) as usize).min(state.bytes.len());
            Ok(state.bytes[at.min(end)..end].to_vec())
        }
        WRITE => {
            let data = &request[WRITE_HEAD..];
            state.write(place(request), data)?;
            let len = u32::try_from(data.len()).expect("at most a MiB");
            Ok([len.to_le_bytes(), [0; 4]].concat())
        }
        FSYNC => state.flush().map(|()| Vec::new()),
        FLUSH | RELEASE => Ok(Vec::new()),
        _ => Err(ENOSYS),
    }
}

/// Version, no read-ahead, large writes, up to 256 pages in a request.
fn init() -> Vec<u8> {
    const BIG_WRITES: u32 = 1 << 5;
    const MAX_PAGES: u32 = 1 << 22;
    let mut out = Vec::with_capacity(64);
    for word in [7, 31, 0, BIG_WRITES | MAX_PAGES] {
        out.extend_from_slice(&u32::to_le_bytes(word));
    }
    for half in [16u16, 12] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    out.extend_from_slice(&WRITE_BYTES_MAX.to_le_bytes());
    out.extend_from_slice(&1u32.to_le_bytes());
    out.extend_from_slice(&256u16.to_le_bytes());
    out.resize(64, 0);
    out
}

/// Of a regular file, to be kept for a second.
fn attributes(bytes: u64) -> Vec<u8> {
    let mut out = 1u64.to_le_bytes().to_vec();
    out.extend_from_slice(&[0; 8]);
    for word in [1, bytes, bytes / 512, 0, 0, 0] {
        out.extend_from_slice(&u64::to_le_bytes(word));
    }
    for word in [0, 0, 0, 0o100_600, 1, 0, 0, 0, 4096, 0] {
        out.extend_from_slice(&u32::to_le_bytes(word));
    }
    out
}

fn place(request: &[u8]) -> usize {
    let at = request[HEAD + 8..HEAD + 16].try_into().expect("eight bytes");
    usize::try_from(u64::from_le_bytes(at)).expect("64 bits")
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
