//! One connection with its requests: the turn that it is at, and how that one ended.

use super::answer::Answer;
use super::connection::Connection;
use super::plan::{Plan, Turn};
use super::request::{Maker, Request};
use super::source::Source;
use super::tally::{Counter, note, note_many};
use crate::http::word;
use std::io;
use std::time::{Duration, Instant};

/// Pause after an error, so that a dead server is not hammered.
const PAUSE: Duration = Duration::from_millis(5);

/// What the lanes of a run have in common.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    pub plan: &'a Plan,
    pub maker: &'a Maker<'a>,
    pub source: &'a Source,
}

/// The requests of a connection, which outlive a run.
#[derive(Debug)]
pub struct Ready {
    /// The connection's number.
    pub number: u64,
    pub requests: Vec<Request>,
}

#[derive(Debug)]
pub struct Lane<'a> {
    job: Job<'a>,
    ready: &'a mut Ready,
    pub connection: Connection,
    round: u64,
    turn: Option<Turn>,
    /// A request shorter than the others: the last one of a run.
    short: Option<Request>,
    /// When the request under way was begun.
    pub begun: Instant,
    /// When an error allows the next one.
    resumes: Option<Instant>,
}

impl<'a> Lane<'a> {
    pub fn new(job: Job<'a>, ready: &'a mut Ready, connection: Connection) -> Self {
        let begun = job.plan.started;
        Lane { job, ready, connection, round: 0, turn: None, short: None, begun, resumes: None }
    }

    /// When the next request may start; None when the run is over for this connection.
    pub fn next_start(&mut self, counter: &mut Counter<'_>) -> Option<Instant> {
        let now = Instant::now();
        let now = self.resumes.take().unwrap_or(now).max(now);
        let turn = self.job.plan.turn(self.ready.number, self.round, now);
        self.turn = turn;
        if turn.is_none() {
            self.note_missed(now, counter);
        }
        turn.map(|turn| turn.due.map_or(now, |due| due.max(now)))
    }

    /// Requests that were due and never sent have waited at least until now: left out, they would make
    /// an overloaded server look better than it is.
    fn note_missed(&self, now: Instant, counter: &mut Counter<'_>) {
        let (count, sample) = self.job.plan.missed(self.ready.number, self.round);
        counter.tally.requests_missed += count;
        for (due, stands_for) in sample {
            let waited = now.saturating_duration_since(due);
            note_many(&mut counter.tally.latency_ns, waited, stands_for);
        }
    }

    /// Begins the request that `next_start` named; true if that took a new connection.
    pub fn begin(&mut self) -> io::Result<bool> {
        let Some(turn) = self.turn else { return Ok(false) };
        let prefix = self.job.maker.times.prefix(turn.number);
        if turn.lines == self.job.plan.lines {
            let at = self.round as usize % self.ready.requests.len();
            self.ready.requests[at].stamp(prefix);
        } else {
            let mut lines = self.job.source.lines(self.ready.number, self.round, turn.lines);
            let mut request = self.job.maker.make(&mut lines)?;
            request.stamp(prefix);
            self.short = Some(request);
        }
        self.begun = Instant::now();
        self.connection.begin()
    }

    fn request(&self) -> &Request {
        let at = self.round as usize % self.ready.requests.len();
        self.short.as_ref().unwrap_or(&self.ready.requests[at])
    }

    /// See `Connection::advance`.
    pub fn advance(&mut self) -> io::Result<Option<Answer>> {
        let at = self.round as usize % self.ready.requests.len();
        let request = self.short.as_ref().unwrap_or(&self.ready.requests[at]);
        self.connection.advance(&request.bytes)
    }

    /// Notes how the request ended, and goes on to the next one.
    pub fn end(&mut self, outcome: io::Result<Answer>, counter: &mut Counter<'_>) {
        let Some(turn) = self.turn.take() else { return };
        let now = Instant::now();
        let tally = &mut counter.tally;
        tally.requests += 1;
        tally.number_end = tally.number_end.max(turn.number + 1);
        tally.lines += turn.lines;
        match outcome {
            Ok(answer) if answer.status == 204 => {
                let request = self.request();
                tally.requests_acknowledged += 1;
                tally.lines_acknowledged += turn.lines;
                tally.bytes_acknowledged += request.plain_bytes;
                tally.body_bytes_acknowledged += request.body_bytes;
                let service = now.saturating_duration_since(self.begun);
                if turn.due.is_some() {
                    note(&mut tally.service_ns, service);
                }
                let latency = turn.due.map_or(service, |due| now.saturating_duration_since(due));
                let since = now.saturating_duration_since(self.job.plan.started);
                counter.acknowledged(turn.lines, since, latency);
            }
            Ok(answer) => {
                tally.failed(answer.status.to_string(), answer.text);
                self.resumes = Some(now + PAUSE);
            }
            Err(error) => {
                tally.failed(word(&error).to_owned(), error.to_string());
                self.resumes = Some(now + PAUSE);
            }
        }
        self.round += 1;
        self.short = None;
        counter.show();
    }
}
