//! Connections that write the points of a run and survive the death of the gateway.

use super::ledger::{Journal, Run};
use super::points::Layout;
use crate::destination::Destination;
use crate::http::{Client, gzip, word};
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Versions of a point are not sent one right after the other but this many requests apart.
const STRIDE: u64 = 4;
const GZIP_LEVEL: u32 = 1;
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(500);

pub struct Limits {
    /// Different requests of all connections together.
    pub requests_max: u64,
    /// No request is begun after this time.
    pub write_time: Option<Duration>,
    /// No request is sent again after this time.
    pub retry_time: Duration,
}

/// What the connections saw, besides acknowledgements.
#[derive(Debug, Default)]
pub struct Tally {
    pub seconds: f64,
    /// Status or kind of failure -> tries; all were tried again, but for those in `refused`.
    pub failures: BTreeMap<String, u64>,
    /// Requests refused for good (4xx).
    pub refused: u64,
    pub first_failure: Option<String>,
}

struct Writer<'a> {
    layout: Layout,
    prefix: &'a str,
    limits: &'a Limits,
    destination: &'a Destination,
    journal: &'a Journal,
    progress: &'a ProgressBar,
    started: Instant,
    client: Client,
    run: Run,
    tally: Tally,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

enum Outcome {
    Acknowledged,
    Refused,
    OutOfTime,
}

/// Writes a whole run; gives what was promised and what went wrong on the way.
pub fn run(
    layout: Layout,
    prefix: &str,
    limits: &Limits,
    destination: &Destination,
    file: Option<&Path>,
    progress: &ProgressBar,
) -> io::Result<(Run, Tally)> {
    let journal = Journal::begin(file, &layout)?;
    let started = Instant::now();
    let parts: Vec<(Run, Tally)> = thread::scope(|scope| {
        let start = |connection| {
            let mut writer = Writer {
                layout,
                prefix,
                limits,
                destination,
                journal: &journal,
                progress,
                started,
                client: Client::new(&destination.address, ANSWER_WAIT_MAX),
                run: Run::new(layout),
                tally: Tally::default(),
                plain: Vec::new(),
                packed: Vec::new(),
            };
            scope.spawn(move || writer.all(connection).map(|()| (writer.run, writer.tally)))
        };
        let threads: Vec<_> = (0..layout.connections).map(start).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, io::Result<(Run, Tally)>>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a writer has panicked")))
        };
        threads.into_iter().map(join).collect::<io::Result<_>>()
    })?;
    let mut whole = Run::new(layout);
    let mut tally = Tally { seconds: started.elapsed().as_secs_f64(), ..Tally::default() };
    for (run, part) in parts {
        merge(&mut whole, &run);
        part.failures.iter().for_each(|(kind, count)| {
            *tally.failures.entry(kind.clone()).or_default() += count;
        });
        tally.refused += part.refused;
        tally.first_failure = tally.first_failure.or(part.first_failure);
    }
    Ok((whole, tally))
}

fn merge(whole: &mut Run, part: &Run) {
    for (number, progress) in part.requests.iter().enumerate() {
        if progress.sent > 0 {
            whole.sent(number as u64, progress.sent - 1);
        }
        if progress.acked > 0 {
            whole.acked(number as u64, progress.acked - 1);
        }
    }
}

impl Writer<'_> {
    /// Strides of requests; within a stride first all requests, then all their next versions.
    fn all(&mut self, connection: u64) -> io::Result<()> {
        let stride = if self.layout.versions == 1 { 1 } else { STRIDE };
        let mut round = 0;
        loop {
            for version in 0..self.layout.versions {
                for step in 0..stride {
                    let request = (round + step) * self.layout.connections + connection;
                    if request >= self.limits.requests_max {
                        continue;
                    }
                    let late =
                        self.limits.write_time.is_some_and(|time| self.started.elapsed() >= time);
                    if late || !self.one(request, version)? {
                        return Ok(());
                    }
                }
            }
            round += stride;
            if round * self.layout.connections + connection >= self.limits.requests_max {
                return Ok(());
            }
        }
    }

    /// Sends one version of a request until it is answered for good; false when time is up.
    fn one(&mut self, request: u64, version: u64) -> io::Result<bool> {
        self.layout.body(self.prefix, request, version, &mut self.plain);
        if self.destination.coding.gzip {
            gzip(&self.plain, GZIP_LEVEL, &mut self.packed)?;
        }
        self.journal.sent(request, version)?;
        self.run.sent(request, version);
        match self.until_answered() {
            Outcome::Acknowledged => {
                self.journal.acked(request, version)?;
                self.run.acked(request, version);
                self.progress.inc(self.layout.lines);
                Ok(true)
            }
            Outcome::Refused => {
                self.tally.refused += 1;
                Ok(true)
            }
            Outcome::OutOfTime => Ok(false),
        }
    }

    fn until_answered(&mut self) -> Outcome {
        let mut pause = PAUSE_MIN;
        loop {
            let body = if self.destination.coding.gzip { &self.packed } else { &self.plain };
            let coding = self.destination.coding;
            let answer = self.client.post(&self.destination.head, body, coding.chunked);
            let (kind, text, refused) = match answer {
                Ok(answer) if answer.status == 204 => return Outcome::Acknowledged,
                Ok(answer) => {
                    if let Some(seconds) = answer.retry_after {
                        pause = pause.max(Duration::from_secs(seconds)).min(PAUSE_MAX);
                    }
                    let refused = (400..500).contains(&answer.status) && answer.status != 429;
                    (answer.status.to_string(), answer.summary(), refused)
                }
                Err(error) => (word(&error).to_owned(), error.to_string(), false),
            };
            *self.tally.failures.entry(kind).or_default() += 1;
            self.tally.first_failure.get_or_insert(text);
            if refused {
                return Outcome::Refused;
            }
            let left = self.limits.retry_time.saturating_sub(self.started.elapsed());
            if left.is_zero() {
                return Outcome::OutOfTime;
            }
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}
