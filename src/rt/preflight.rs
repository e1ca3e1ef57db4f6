//! What the machine must allow before an executor starts, and what to do when it does not.

use crate::base::limits::PAGE;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The runtime refuses to start below this many bytes of lockable memory.
const MEMLOCK_BYTES_MIN: u64 = 512 * 1024;

/// Rings, segments, backends and a few clients need so many files at least.
const FILES_MIN: u64 = 128;

/// Enough for the most connections that the configuration lets in when told nothing.
const FILES_ADVISED: u64 = 65_536;

/// Takes away files that were given to a ring: an error of its own on a ring that has none.
const IORING_UNREGISTER_FILES: u32 = 3;

/// Why this machine cannot run shards, with the mend in its text.
#[derive(Debug)]
pub enum Obstacle {
    Forbidden,
    NoKernelSupport,
    Memlock(u64),
    Files(u64),
    Executor(String),
    Other(io::Error),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Forbidden => write!(
                f,
                "io_uring is forbidden here (EPERM): `sysctl kernel.io_uring_disabled` must be 0, and a \
                 container needs a seccomp profile that allows io_uring_setup, io_uring_enter and \
                 io_uring_register"
            ),
            Obstacle::NoKernelSupport => {
                write!(f, "this kernel has no io_uring (ENOSYS): Circlet needs Linux 5.8 or later")
            }
            Obstacle::Memlock(bytes) => write!(
                f,
                "only {bytes} bytes of memory may be locked and {MEMLOCK_BYTES_MIN} are needed: set \
                 LimitMEMLOCK=infinity in the unit, `ulimit -l unlimited` in the shell, or \
                 `--ulimit memlock=-1:-1` for a container"
            ),
            Obstacle::Files(files) => write!(
                f,
                "only {files} files may be open and {FILES_MIN} are needed at least, {FILES_ADVISED} for many \
                 clients: set LimitNOFILE={FILES_ADVISED} in the unit, `ulimit -n {FILES_ADVISED}` in the \
                 shell, or `--ulimit nofile={FILES_ADVISED}` for a container"
            ),
            Obstacle::Executor(text) => write!(f, "a shard's executor did not start: {text}"),
            Obstacle::Other(error) => write!(f, "io_uring does not start: {error}"),
        }
    }
}

impl std::error::Error for Obstacle {}

/// Raises the soft limits and tries io_uring once. Call it before any executor starts.
pub fn check() -> Result<(), Obstacle> {
    give_back_large_memory();
    raise_limit(rustix::process::Resource::Nofile);
    raise_limit(rustix::process::Resource::Memlock);
    let memlock = rustix::process::getrlimit(rustix::process::Resource::Memlock);
    if let Some(bytes) = memlock.current.filter(|bytes| *bytes < MEMLOCK_BYTES_MIN) {
        return Err(Obstacle::Memlock(bytes));
    }
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if let Some(files) = files.current.filter(|files| *files < FILES_MIN) {
        return Err(Obstacle::Files(files));
    }
    ignore_signals();
    try_ring()
}

fn raise_limit(resource: rustix::process::Resource) {
    let limit = rustix::process::getrlimit(resource);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    // A sandbox may forbid it; what is left is checked afterwards.
    rustix::process::setrlimit(resource, raised).unwrap_or(());
}

/// A full file-size limit or a closed pipe must be an error of one operation, not the end of the process.
fn ignore_signals() {
    #[expect(unsafe_code, reason = "signal dispositions have no safe interface for ignoring")]
    // SAFETY: SIG_IGN runs no code of ours, and no other thread exists yet that could depend on it.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

/// A sandbox may forbid any of the three calls.
fn try_ring() -> Result<(), Obstacle> {
    let ring = set_up_ring()?;
    // Nothing to submit and nothing to wait for.
    let nothing = std::ptr::null::<libc::c_void>();
    #[expect(unsafe_code, reason = "there is no safe interface, and the runtime panics without it")]
    // SAFETY: no memory is handed over, and the ring is open.
    let entered = unsafe {
        let fd = ring.as_raw_fd();
        libc::syscall(libc::SYS_io_uring_enter, fd, 0u32, 0u32, 0u32, nothing, 0usize)
    };
    if entered < 0 {
        return Err(obstacle(io::Error::last_os_error()));
    }
    #[expect(unsafe_code, reason = "there is no safe interface, and the runtime panics without it")]
    // SAFETY: no memory is handed over, and the ring is open.
    let registered = unsafe {
        let (fd, what) = (ring.as_raw_fd(), IORING_UNREGISTER_FILES);
        libc::syscall(libc::SYS_io_uring_register, fd, what, nothing, 0u32)
    };
    let error = io::Error::last_os_error();
    if registered < 0 && error.raw_os_error() != Some(libc::ENXIO) {
        return Err(obstacle(error));
    }
    Ok(())
}

fn set_up_ring() -> Result<OwnedFd, Obstacle> {
    // The kernel's io_uring_params: 120 bytes, all zero asks for defaults.
    let mut parameters = [0u64; 15];
    #[expect(unsafe_code, reason = "the runtime panics where io_uring is missing, so ask first")]
    // SAFETY: the pointer leads to 120 writable bytes, the size that the call fills.
    let answer = unsafe { libc::syscall(libc::SYS_io_uring_setup, 8, parameters.as_mut_ptr()) };
    if answer < 0 {
        return Err(obstacle(io::Error::last_os_error()));
    }
    let fd = i32::try_from(answer).expect("a file number fits an int");
    #[expect(unsafe_code, reason = "the ring of the trial is closed by its owner")]
    // SAFETY: the kernel just gave us this file; nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Pieces of memory from this size on go back to the system as soon as they are free, in bytes.
#[cfg(target_env = "gnu")]
const LARGE_BYTES: libc::c_int = 4 * 1024 * 1024;

/// What the heap of a thread may keep of smaller ones, in bytes.
#[cfg(target_env = "gnu")]
const KEPT_BYTES: libc::c_int = 16 * 1024 * 1024;

/// Left alone, the allocator learns from the first large body to keep such pieces in the heap of each thread:
/// a few bodies of 32 MiB then leave some 60 MiB a shard behind that nobody uses.
fn give_back_large_memory() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the allocator's settings have no safe interface")]
    // SAFETY: both are documented settings, made before there is another thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
    }
}

/// Bytes of memory that are in use, of what the process holds of the system's; `None` where that is not known. Walks over
/// the holes of all heaps: some 100 us, for whoever looks once a second.
pub fn memory_used() -> Option<u64> {
    #[cfg(target_env = "gnu")]
    {
        #[expect(unsafe_code, reason = "the allocator's own figures have no safe interface")]
        // SAFETY: it takes nothing, and locks what it looks at.
        let figures = unsafe { libc::mallinfo2() };
        u64::try_from(figures.uordblks.saturating_add(figures.hblkhd)).ok()
    }
    #[cfg(not(target_env = "gnu"))]
    None
}

/// The memory of the process: the system's heap, but for what has to begin at a page, which is cut out of a
/// larger ordinary piece.
///
/// Asked for such a piece directly, the heap of glibc before 2.38 cuts it out of a larger one, too, and gives the
/// ends to others; once it is free, it is never large enough for the next piece of its own size. Under load
/// with backends that come and go, two thirds of the heap became such holes, and it grew by 9 MiB a minute while
/// what was in use stayed the same. Cut out here, a piece and its ends stay together, and are used again as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory;

#[expect(unsafe_code, reason = "an allocator has no safe interface")]
// SAFETY: small alignments are the system's affair. Else a piece lies inside a larger one of the system's, at
// the first page boundary above its beginning, and its distance from there stands in the eight bytes before it.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() < PAGE {
            // SAFETY: the caller's layout is handed on.
            return unsafe { System.alloc(layout) };
        }
        let Some(around) = around(layout) else { return std::ptr::null_mut() };
        // SAFETY: the layout is not empty: it has a page more than was asked for.
        let base = unsafe { System.alloc(around) };
        if base.is_null() {
            return base;
        }
        // At least as much as a number takes, since the system aligns to that.
        let distance = layout.align() - base.addr() % layout.align();
        // SAFETY: the piece around has room for this distance, at most the alignment, and for the size behind it;
        // the number before it is inside as well, and aligned, because the piece is.
        unsafe {
            let piece = base.add(distance);
            piece.cast::<usize>().sub(1).write(distance);
            piece
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() < PAGE {
            // SAFETY: the caller's layout is handed on.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's layout is handed on, and what comes back is of its size.
        unsafe {
            let piece = self.alloc(layout);
            if !piece.is_null() {
                piece.write_bytes(0, layout.size());
            }
            piece
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if layout.align() < PAGE {
            // SAFETY: it came from the system with this layout.
            return unsafe { System.dealloc(piece, layout) };
        }
        let around = around(layout).expect("what was given out had a layout around it");
        // SAFETY: `alloc` wrote the distance there, and got the piece around from the system.
        unsafe {
            let distance = piece.cast::<usize>().sub(1).read();
            System.dealloc(piece.sub(distance), around);
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() < PAGE {
            // SAFETY: it came from the system with this layout; the new size is the caller's promise.
            return unsafe { System.realloc(piece, layout, size) };
        }
        // SAFETY: the caller promises that the size fits the alignment, and both pieces are as large as the copy.
        unsafe {
            let grown = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !grown.is_null() {
                grown.copy_from_nonoverlapping(piece, layout.size().min(size));
                self.dealloc(piece, layout);
            }
            grown
        }
    }
}

/// With room for the way to the next boundary; `None` if there is no such amount of memory.
fn around(layout: Layout) -> Option<Layout> {
    let size = layout.size().checked_add(layout.align())?;
    Layout::from_size_align(size, align_of::<usize>()).ok()
}

fn obstacle(error: io::Error) -> Obstacle {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Obstacle::Forbidden,
        Some(libc::ENOSYS) => Obstacle::NoKernelSupport,
        _ => Obstacle::Other(error),
    }
}
