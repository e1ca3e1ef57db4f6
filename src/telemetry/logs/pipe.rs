//! The way out. Whoever should read the log may have stopped to. A core never waits for that: what does not fit
//! into the pipe at once is dropped and counted, and the count is told before the next line that fits.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A pipe that says it takes something takes at least so many bytes without a wait. Longer events are cut.
pub(super) const LINE_BYTES_MAX: usize = 4096;

/// How often a line looks whether another one is done, before it gives up. One takes some microseconds.
const TURN_LOOKS_MAX: u32 = 100_000;

/// Whose turn it is, and how many had none. Shared: by all threads, which log seldom.
pub(super) struct Pipe {
    is_taken: AtomicBool,
    dropped: AtomicU64,
}

impl Pipe {
    pub(super) const fn new() -> Pipe {
        Pipe { is_taken: AtomicBool::new(false), dropped: AtomicU64::new(0) }
    }

    /// Writes an event if that needs no wait, and before it the `note` of how many were dropped. Two writers at
    /// a time could both see the last free page of a pipe, so it is one at a time. True if it was dropped.
    pub(super) fn put(
        &self,
        to: BorrowedFd<'_>,
        event: &[u8],
        note: impl FnOnce(u64) -> String,
    ) -> bool {
        let had_a_turn = (0..TURN_LOOKS_MAX).any(|_| {
            std::hint::spin_loop();
            !self.is_taken.swap(true, Ordering::Acquire)
        });
        if !had_a_turn {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        let before = self.dropped.swap(0, Ordering::Relaxed);
        let told = before == 0 || write_now(to, note(before).as_bytes());
        let is_dropped = !write_now(to, event);
        let dropped = u64::from(is_dropped) + if told { 0 } else { before };
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.is_taken.store(false, Ordering::Release);
        is_dropped
    }
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
    use std::io::{self, Read, Write};
    use std::os::fd::AsFd;

    fn note(dropped: u64) -> String {
        format!("{dropped} are gone\n")
    }

    #[test]
    fn a_line_that_nobody_reads_is_dropped_counted_and_told() {
        let lines = Pipe::new();
        let (mut reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&[b'x'; 65_536]).unwrap();
        assert!(lines.put(writer.as_fd(), b"one\n", note));
        assert!(lines.put(writer.as_fd(), b"two\n", note));
        assert_eq!(lines.dropped.load(Ordering::Relaxed), 2);
        reader.read_exact(&mut [0; 65_536]).unwrap();
        assert!(!lines.put(writer.as_fd(), b"three\n", note));
        lines.put(writer.as_fd(), b"four\n", note);
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "2 are gone\nthree\nfour\n");
    }

    #[test]
    fn a_long_line_is_cut_to_what_a_pipe_takes() {
        let lines = Pipe::new();
        let (mut reader, writer) = io::pipe().unwrap();
        lines.put(writer.as_fd(), &[b'x'; 10_000], note);
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text.len(), LINE_BYTES_MAX);
        assert!(text.ends_with("x...\n"));
    }

    #[test]
    fn a_reader_that_is_gone_changes_nothing() {
        let lines = Pipe::new();
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        lines.put(writer.as_fd(), b"one\n", note);
        assert_eq!(lines.dropped.load(Ordering::Relaxed), 0);
    }
}
