//! The log of the process: one line an event, on standard error.
//!
//! Whoever should read it may have stopped to. A core never waits for that: what does not fit into the pipe
//! at once is dropped and counted, and the count is told before the next line that fits.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing_subscriber::EnvFilter;

/// A pipe that says it takes something takes at least so many bytes without a wait. Longer events are cut.
const LINE_BYTES_MAX: usize = 4096;

/// How often a line looks whether another one is done, before it gives up. One takes some microseconds.
const TURN_LOOKS_MAX: u32 = 100_000;

/// Puts another level into the filter that runs.
static SET_LEVEL: OnceLock<Box<dyn Fn(EnvFilter) + Send + Sync>> = OnceLock::new();

/// From here on this level holds, unless the environment had said what is logged.
pub fn set_level(level: &str) {
    if let Some(set) = SET_LEVEL.get() {
        set(EnvFilter::new(level));
    }
}

/// Starts logging. `filter` is in the words of `RUST_LOG`; without it, or with bad ones, `level` holds.
pub fn start(filter: Option<&str>, level: &str) {
    let given = filter.and_then(|text| EnvFilter::try_new(text).ok());
    let is_given = given.is_some();
    let filter = given.unwrap_or_else(|| EnvFilter::new(level));
    // A second start, in tests, changes nothing.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| StandardError)
        .with_ansi(false)
        .with_target(false)
        .with_filter_reloading();
    let handle = builder.reload_handle();
    if builder.try_init().is_ok() && !is_given {
        // Only a subscriber that is gone takes none, and this one stays.
        let set = move |filter: EnvFilter| handle.reload(filter).unwrap_or(());
        SET_LEVEL.set(Box::new(set)).unwrap_or(());
    }
}

/// Takes whole events. Never waits, never fails.
struct StandardError;

impl io::Write for StandardError {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        static LINES: Lines = Lines::new();
        LINES.put(io::stderr().as_fd(), event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whose turn it is, and how many had none. Shared: by all threads, which log seldom.
struct Lines {
    is_taken: AtomicBool,
    dropped: AtomicU64,
}

impl Lines {
    const fn new() -> Lines {
        Lines { is_taken: AtomicBool::new(false), dropped: AtomicU64::new(0) }
    }

    /// Writes an event if that needs no wait. Two writers at a time could both see the last free page of a
    /// pipe, so it is one at a time.
    fn put(&self, to: BorrowedFd<'_>, event: &[u8]) {
        let had_a_turn = (0..TURN_LOOKS_MAX).any(|_| {
            std::hint::spin_loop();
            !self.is_taken.swap(true, Ordering::Acquire)
        });
        if !had_a_turn {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let before = self.dropped.swap(0, Ordering::Relaxed);
        let told = before == 0 || write_now(to, note(before).as_bytes());
        let dropped = u64::from(!write_now(to, event)) + if told { 0 } else { before };
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.is_taken.store(false, Ordering::Release);
    }
}

fn note(dropped: u64) -> String {
    format!("{dropped} lines of this log were dropped, because nobody read it\n")
}

/// False if that would have to wait.
fn write_now(to: BorrowedFd<'_>, event: &[u8]) -> bool {
    let mut asked = [PollFd::new(&to, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if !poll(&mut asked, Some(&now)).is_ok_and(|ready| ready > 0) {
        return false;
    }
    let cut = event.len().min(LINE_BYTES_MAX);
    let is_whole = cut == event.len();
    let line = if is_whole { event } else { &[&event[..cut - 4], b"...\n"].concat() };
    // A reader that is gone needs no count.
    rustix::io::write(to, line).unwrap_or(0);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_line_that_nobody_reads_is_dropped_counted_and_told() {
        let lines = Lines::new();
        let (mut reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&[b'x'; 65_536]).unwrap();
        lines.put(writer.as_fd(), b"one\n");
        lines.put(writer.as_fd(), b"two\n");
        assert_eq!(lines.dropped.load(Ordering::Relaxed), 2);
        reader.read_exact(&mut [0; 65_536]).unwrap();
        lines.put(writer.as_fd(), b"three\n");
        lines.put(writer.as_fd(), b"four\n");
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "2 lines of this log were dropped, because nobody read it\nthree\nfour\n");
    }

    #[test]
    fn a_long_line_is_cut_to_what_a_pipe_takes() {
        let lines = Lines::new();
        let (mut reader, writer) = io::pipe().unwrap();
        lines.put(writer.as_fd(), &[b'x'; 10_000]);
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text.len(), LINE_BYTES_MAX);
        assert!(text.ends_with("x...\n"));
    }

    #[test]
    fn a_reader_that_is_gone_changes_nothing() {
        let lines = Lines::new();
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        lines.put(writer.as_fd(), b"one\n");
        assert_eq!(lines.dropped.load(Ordering::Relaxed), 0);
    }
}
