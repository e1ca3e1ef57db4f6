//! What was seen: by one thread while it runs, and of all threads together.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const LONGEST_NS: u64 = 3_600_000_000_000;

/// An empty histogram of nanoseconds with this many digits; it grows as far as its values.
pub fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new(digits).expect("the digits are constant and valid")
}

/// Notes a time; what is longer than an hour counts as an hour.
pub fn note(histogram: &mut Histogram<u64>, time: Duration) {
    note_many(histogram, time, 1);
}

/// Notes a time that several requests took.
pub fn note_many(histogram: &mut Histogram<u64>, time: Duration, count: u64) {
    let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).clamp(1, LONGEST_NS);
    histogram.record_n(ns, count).expect("the histogram grows as far as an hour");
}

/// Requests of one kind that were not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    pub requests: u64,
    /// What the first of them was told.
    pub first: String,
}

/// Totals of a run.
#[derive(Clone, Debug)]
pub struct Tally {
    pub requests: u64,
    /// Requests that were due in an open loop and not sent when it ended.
    pub requests_missed: u64,
    /// One more than the highest number of a request.
    pub number_end: u64,
    pub requests_acknowledged: u64,
    pub lines: u64,
    pub lines_acknowledged: u64,
    /// Bytes of lines acknowledged, before compression.
    pub bytes_acknowledged: u64,
    /// Bytes of bodies acknowledged as they travelled.
    pub body_bytes_acknowledged: u64,
    /// Status or kind of failure -> requests.
    pub errors: BTreeMap<String, Failure>,
    /// From the intended start in an open loop, else from the first byte sent.
    pub latency_ns: Histogram<u64>,
    /// From the first byte sent, in an open loop.
    pub service_ns: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally {
            requests: 0,
            requests_missed: 0,
            number_end: 0,
            requests_acknowledged: 0,
            lines: 0,
            lines_acknowledged: 0,
            bytes_acknowledged: 0,
            body_bytes_acknowledged: 0,
            errors: BTreeMap::new(),
            latency_ns: histogram(3),
            service_ns: histogram(3),
        }
    }
}

impl Tally {
    pub fn failed(&mut self, kind: String, text: String) {
        let failure = self.errors.entry(kind).or_default();
        failure.requests += 1;
        if failure.first.is_empty() {
            failure.first = text;
        }
    }

    pub fn add(&mut self, other: &Tally) {
        self.requests += other.requests;
        self.requests_missed += other.requests_missed;
        self.number_end = self.number_end.max(other.number_end);
        self.requests_acknowledged += other.requests_acknowledged;
        self.lines += other.lines;
        self.lines_acknowledged += other.lines_acknowledged;
        self.bytes_acknowledged += other.bytes_acknowledged;
        self.body_bytes_acknowledged += other.body_bytes_acknowledged;
        for (kind, failure) in &other.errors {
            let sum = self.errors.entry(kind.clone()).or_default();
            sum.requests += failure.requests;
            if sum.first.is_empty() {
                sum.first.clone_from(&failure.first);
            }
        }
        self.latency_ns += &other.latency_ns;
        self.service_ns += &other.service_ns;
    }

    /// Whether there was a request, all that were due were sent, and all were answered 204.
    pub fn all_acknowledged(&self) -> bool {
        self.requests > 0
            && self.requests == self.requests_acknowledged
            && self.requests_missed == 0
    }
}

/// What was acknowledged in one second of a run.
#[derive(Clone, Debug)]
pub struct Second {
    pub lines: u64,
    pub latency_ns: Histogram<u64>,
}

impl Default for Second {
    fn default() -> Self {
        Second { lines: 0, latency_ns: histogram(2) }
    }
}

/// The seconds of a run, each brought here by a thread once it is over.
#[derive(Debug, Default)]
pub struct Timeline(Mutex<BTreeMap<u64, Second>>);

impl Timeline {
    fn add(&self, number: u64, second: &Second) {
        let mut seconds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = seconds.entry(number).or_default();
        sum.lines += second.lines;
        sum.latency_ns += &second.latency_ns;
    }

    /// Every second from the first on, also those in which nothing was acknowledged.
    pub fn seconds(&self) -> Vec<Second> {
        let seconds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seconds.last_key_value().map_or(0, |(last, _)| last + 1);
        (0..count).map(|number| seconds.get(&number).cloned().unwrap_or_default()).collect()
    }
}

/// What a running thread shows to the one that draws the progress. A cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Live {
    pub lines_acknowledged: AtomicU64,
    pub requests: AtomicU64,
    pub errors: AtomicU64,
}

/// Where one thread counts.
#[derive(Debug)]
pub struct Counter<'a> {
    pub tally: Tally,
    timeline: &'a Timeline,
    live: &'a Live,
    /// Number of the second that `second` is about.
    number: u64,
    second: Second,
}

impl<'a> Counter<'a> {
    pub fn new(timeline: &'a Timeline, live: &'a Live) -> Self {
        let (tally, second) = (Tally::default(), Second::default());
        Counter { tally, timeline, live, number: 0, second }
    }

    /// `since`: from the start of the run to the answer.
    pub fn acknowledged(&mut self, lines: u64, since: Duration, latency: Duration) {
        note(&mut self.tally.latency_ns, latency);
        if since.as_secs() != self.number {
            self.flush();
            self.number = since.as_secs();
        }
        self.second.lines += lines;
        note(&mut self.second.latency_ns, latency);
    }

    /// Shows how far this thread has come.
    pub fn show(&self) {
        let acknowledged = self.tally.requests_acknowledged;
        self.live.lines_acknowledged.store(self.tally.lines_acknowledged, Relaxed);
        self.live.requests.store(self.tally.requests, Relaxed);
        self.live.errors.store(self.tally.requests - acknowledged, Relaxed);
    }

    fn flush(&mut self) {
        if !self.second.latency_ns.is_empty() {
            self.timeline.add(self.number, &self.second);
        }
        self.second.lines = 0;
        self.second.latency_ns.reset();
    }

    pub fn finish(mut self) -> Tally {
        self.flush();
        self.show();
        self.tally
    }
}
