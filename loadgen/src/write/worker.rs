//! One connection of the load.

use super::plan::{Plan, STEP_NS, Turn};
use crate::destination::Destination;
use crate::http::{Client, gzip, word};
use circlet_load::data::{Lines, Random};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// Bodies per connection whose values differ; their timestamps are new in every request.
const TEMPLATES: usize = 4;
/// Pause after an error, so that a dead gateway is not hammered.
const PAUSE: Duration = Duration::from_millis(5);

/// What one connection has seen.
#[derive(Debug)]
pub struct Tally {
    pub requests: u64,
    pub lines: u64,
    pub acknowledged: u64,
    /// Bytes of lines acknowledged, before compression.
    pub bytes: u64,
    /// Status or kind of failure -> requests.
    pub errors: BTreeMap<String, u64>,
    pub first_error: Option<String>,
    pub latency_ns: Histogram<u64>,
}

struct Worker<'a> {
    plan: &'a Plan,
    destination: &'a Destination,
    client: Client,
    templates: Vec<Lines>,
    prepared: Vec<Vec<u8>>,
    packed: Vec<u8>,
    tally: Tally,
}

/// An empty histogram of nanoseconds: up to an hour, three digits.
pub fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3)
        .expect("the bounds are constant and valid");
    histogram.auto(true);
    histogram
}

/// Writes until the plan is over.
pub fn run(connection: u64, plan: &Plan, destination: &Destination) -> io::Result<Tally> {
    let mut random = Random::new(plan.seed ^ connection.rotate_left(32));
    let lines = usize::try_from(plan.lines).map_err(io::Error::other)?;
    let mut generate = || Lines::generate(plan.data, lines, plan.measurements, &mut random);
    let templates: Vec<_> = (0..TEMPLATES.max(plan.prepared)).map(|_| generate()).collect();
    let mut worker = Worker {
        plan,
        destination,
        client: Client::new(&destination.address, plan.wait_max),
        templates,
        prepared: Vec::new(),
        packed: Vec::new(),
        tally: Tally {
            requests: 0,
            lines: 0,
            acknowledged: 0,
            bytes: 0,
            errors: BTreeMap::new(),
            first_error: None,
            latency_ns: histogram(),
        },
    };
    worker.prepare(connection)?;
    let mut round = 0;
    while let Some(turn) = plan.turn(connection, round, Instant::now()) {
        if let Some(due) = turn.due {
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        worker.request(round, &turn)?;
        round += 1;
    }
    Ok(worker.tally)
}

impl Worker<'_> {
    fn prepare(&mut self, connection: u64) -> io::Result<()> {
        for number in 0..self.plan.prepared {
            let request = number as u64 * self.plan.connections + connection;
            let template = &mut self.templates[number];
            template.stamp(self.plan.time_ns(request), STEP_NS);
            let mut packed = Vec::new();
            gzip(&template.bytes, self.plan.gzip_level, &mut packed)?;
            self.prepared.push(packed);
        }
        Ok(())
    }

    fn request(&mut self, round: u64, turn: &Turn) -> io::Result<()> {
        let at = (round % self.templates.len() as u64) as usize;
        let template = &mut self.templates[at];
        let whole = turn.lines == self.plan.lines;
        let (plain, body): (&[u8], &[u8]) = if whole && let Some(packed) = self.prepared.get(at) {
            (&template.bytes, packed.as_slice())
        } else {
            template.stamp(self.plan.time_ns(turn.number), STEP_NS);
            let plain = template.first(turn.lines as usize);
            if self.destination.coding.gzip {
                gzip(plain, self.plan.gzip_level, &mut self.packed)?;
                (plain, &self.packed)
            } else {
                (plain, plain)
            }
        };
        let bytes = plain.len() as u64;
        let started = turn.due.unwrap_or_else(Instant::now);
        let answer =
            self.client.post(&self.destination.head, body, self.destination.coding.chunked);
        let took = started.elapsed();
        self.tally.requests += 1;
        self.tally.lines += turn.lines;
        let (kind, text) = match answer {
            Ok(answer) if answer.status == 204 => {
                self.tally.acknowledged += turn.lines;
                self.tally.bytes += bytes;
                self.tally.latency_ns.saturating_record(took.as_nanos() as u64);
                return Ok(());
            }
            Ok(answer) => (answer.status.to_string(), answer.summary()),
            Err(error) => (word(&error).to_owned(), error.to_string()),
        };
        *self.tally.errors.entry(kind).or_default() += 1;
        self.tally.first_error.get_or_insert(text);
        thread::sleep(PAUSE);
        Ok(())
    }
}
