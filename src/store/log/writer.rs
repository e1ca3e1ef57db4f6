//! Appending: many threads, one of which writes and syncs for all that wait.

use super::format::{self, Kind};
use super::reader::Found;
use crate::store::lock::Mutex;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar};

/// A segment is closed at this size.
const SEGMENT_BYTES: u64 = if cfg!(test) { 16 << 10 } else { 32 << 20 };

/// Why an entry is not durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogError {
    NoRoom,
    Disk(String),
}

impl fmt::Display for LogError {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogError::NoRoom => text.write_str("no space left on device"),
            LogError::Disk(problem) => text.write_str(problem),
        }
    }
}

impl From<io::Error> for LogError {
    fn from(error: io::Error) -> LogError {
        match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => LogError::NoRoom,
            _ => LogError::Disk(error.to_string()),
        }
    }
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    /// Number of its last entry.
    last: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Current {
    file: Arc<File>,
    path: PathBuf,
    bytes: u64,
    last: u64,
}

#[derive(Debug)]
struct State {
    /// Entries that are not written, and the number of the first of them.
    pending: Vec<u8>,
    pending_first: u64,
    spare: Vec<u8>,
    next: u64,
    /// All below have been written, or refused.
    settled: u64,
    /// Refused ones, newest last.
    refused: VecDeque<(u64, u64, LogError)>,
    is_writing: bool,
    closed: VecDeque<Segment>,
    current: Option<Current>,
    next_segment: u64,
    /// Appended, and not yet where a snapshot would find it.
    in_flight: BTreeSet<u64>,
}

/// Refused groups that are remembered: their waiters ask at once.
const REFUSED_MAX: usize = 1000;

#[derive(Debug)]
pub struct Log {
    directory: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
    /// The last group was refused.
    is_failing: AtomicBool,
    bytes: AtomicU64,
    syncs: AtomicU64,
}

impl Log {
    pub fn new(directory: &Path, found: Found) -> Log {
        let segment = |(path, last, bytes)| Segment { path, last, bytes };
        let bytes = found.segments.iter().map(|(_, _, bytes)| bytes).sum();
        let state = State {
            pending: Vec::new(),
            pending_first: found.next_sequence,
            spare: Vec::new(),
            next: found.next_sequence,
            settled: found.next_sequence,
            refused: VecDeque::new(),
            is_writing: false,
            closed: found.segments.into_iter().map(segment).collect(),
            current: None,
            next_segment: found.next_segment,
            in_flight: BTreeSet::new(),
        };
        Log {
            directory: directory.to_owned(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            is_failing: AtomicBool::new(false),
            bytes: AtomicU64::new(bytes),
            syncs: AtomicU64::new(0),
        }
    }

    /// Adds an entry and gives its number. Not durable before [`Log::wait`]; kept until [`Log::applied`] at least.
    pub fn append(&self, kind: Kind, contents: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let mut state = self.state.lock();
        let State { pending, pending_first, next, in_flight, .. } = &mut *state;
        let sequence = *next;
        *next += 1;
        if pending.is_empty() {
            *pending_first = sequence;
        }
        in_flight.insert(sequence);
        let at = format::begin(pending);
        contents(pending);
        format::finish(pending, at, kind, sequence, *pending_first);
        sequence
    }

    /// What the entry says is in memory now.
    pub fn applied(&self, sequence: u64) {
        self.state.lock().in_flight.remove(&sequence);
    }

    /// Waits until an entry is durable.
    pub fn wait(&self, sequence: u64) -> Result<(), LogError> {
        let mut state = self.state.lock();
        loop {
            if sequence < state.settled {
                let mut refused = state.refused.iter();
                let mine = refused.find(|(first, last, _)| (*first..=*last).contains(&sequence));
                return mine.map_or(Ok(()), |(_, _, error)| Err(error.clone()));
            }
            if state.is_writing {
                let waited = self.changed.wait(state);
                state = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
                continue;
            }
            state.is_writing = true;
            let spare = std::mem::take(&mut state.spare);
            let group = std::mem::replace(&mut state.pending, spare);
            let (first, last) = (state.pending_first, state.next - 1);
            drop(state);
            let outcome = self.write(&group, last);
            state = self.state.lock();
            self.settle(&mut state, group, (first, last), outcome);
            self.changed.notify_all();
        }
    }

    fn settle(
        &self,
        state: &mut State,
        mut group: Vec<u8>,
        (first, last): (u64, u64),
        outcome: Result<(), LogError>,
    ) {
        group.clear();
        if group.capacity() <= 4 << 20 {
            state.spare = group;
        }
        state.is_writing = false;
        state.settled = last + 1;
        self.is_failing.store(outcome.is_err(), Ordering::Relaxed);
        if let Err(error) = outcome {
            if state.refused.len() >= REFUSED_MAX {
                state.refused.pop_front();
            }
            state.refused.push_back((first, last, error));
        }
    }

    /// Writes and syncs one group. Only one thread at a time is here.
    fn write(&self, group: &[u8], last: u64) -> Result<(), LogError> {
        let (file, at) = self.segment()?;
        let written = file.write_all_at(group, at).and_then(|()| file.sync_data());
        self.syncs.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        let Some(error) = written.err() else {
            let current = state.current.as_mut().expect("nobody else closes it");
            current.bytes += group.len() as u64;
            current.last = last;
            self.bytes.fetch_add(group.len() as u64, Ordering::Relaxed);
            return Ok(());
        };
        // What is written of it must not be found later. If even that fails, the segment is not written to any more:
        // its torn end is found by the next start.
        if file.set_len(at).and_then(|()| file.sync_all()).is_err() {
            Self::close(&mut state);
        }
        tracing::warn!(%error, "the log of the store refuses writes");
        Err(error.into())
    }

    fn close(state: &mut State) {
        if let Some(Current { path, bytes, last, .. }) = state.current.take() {
            state.closed.push_back(Segment { path, last, bytes });
        }
    }

    /// The segment to write to, a new one where there is none or it is full, and where in it.
    fn segment(&self) -> Result<(Arc<File>, u64), LogError> {
        let number = {
            let mut state = self.state.lock();
            if state.current.as_ref().is_some_and(|current| current.bytes >= SEGMENT_BYTES) {
                Self::close(&mut state);
            }
            if let Some(current) = &state.current {
                return Ok((current.file.clone(), current.bytes));
            }
            state.next_segment
        };
        let path = format::segment_path(&self.directory, number);
        let made = self.make(&path, number);
        if made.is_err() {
            // An empty one would only confuse who looks at it.
            drop(fs::remove_file(&path));
        }
        let file = Arc::new(made?);
        let bytes = format::SEGMENT_HEAD_BYTES as u64;
        let mut state = self.state.lock();
        state.next_segment = number + 1;
        let last = state.settled.saturating_sub(1);
        state.current = Some(Current { file: file.clone(), path, bytes, last });
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok((file, bytes))
    }

    fn make(&self, path: &Path, number: u64) -> io::Result<File> {
        let file = File::options().create(true).truncate(true).write(true).open(path)?;
        file.write_all_at(&format::segment_head(number), 0)?;
        file.sync_all()?;
        File::open(&self.directory)?.sync_all()?;
        Ok(file)
    }

    /// Whether the last group was refused: then whoever wants to write tries [`Log::probe`] first.
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Tries whether so many bytes could be written now.
    pub fn probe(&self, bytes: usize) -> Result<(), LogError> {
        let sequence = self.append(Kind::Nothing, |out| out.resize(out.len() + bytes, 0));
        self.applied(sequence);
        self.wait(sequence)
    }

    /// The number below which all entries are where a snapshot finds them. To be asked before the caches are.
    pub fn all_applied_below(&self) -> u64 {
        let state = self.state.lock();
        state.in_flight.first().copied().unwrap_or(state.next)
    }

    /// Gives back the segments that hold nothing at or above `sequence`; the one that is written to only if it is worth
    /// it, or all must go.
    pub fn free_below(&self, sequence: u64, all: bool) {
        let mut state = self.state.lock();
        let is_worth_it = |current: &Current| all || current.bytes >= SEGMENT_BYTES / 4;
        let current_is_free = !state.is_writing
            && state.pending.is_empty()
            && state
                .current
                .as_ref()
                .is_some_and(|current| current.last < sequence && is_worth_it(current));
        if current_is_free {
            Self::close(&mut state);
        }
        while state.closed.front().is_some_and(|segment| segment.last < sequence) {
            let segment = state.closed.pop_front().expect("there is one");
            if let Err(error) = fs::remove_file(&segment.path) {
                tracing::warn!(path = %segment.path.display(), %error, "a segment of the log stays");
            }
            self.bytes.fetch_sub(segment.bytes, Ordering::Relaxed);
        }
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}
