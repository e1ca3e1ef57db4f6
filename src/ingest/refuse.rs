//! Finds the lines that a backend refuses for good, so that they alone go to the rejects.
//!
//! Sending halves again is safe, because a point that is written twice is one point. Everything happens
//! while the lane holds still, so that the order of the queue is kept.

use super::queue::Part;
use super::rejects::Reject;
use super::{Feed, Outlet};
use crate::backend::answer::{Named, named};
use crate::backend::{Verdict, write};
use crate::base::ids::BackendId;
use crate::proto::line::{Lines, Precision, Rules, decode_measurement};
use crate::ring::Target;
use crate::rt::sleep;
use std::ops::Range;
use std::time::Duration;

/// Requests for one refusal; what is not narrowed down by then is kept as "one of these".
const REQUESTS_MAX: u32 = 64;

/// Between two of them for one backend.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of a batch that was refused in part.
#[derive(Debug)]
pub enum Isolated {
    /// Every line of it is stored or in the rejects.
    Settled,
    Parked(String),
    Later(String, Option<Duration>),
}

/// A line of a batch.
#[derive(Clone, Debug)]
struct Place {
    part: usize,
    /// In the part's payload, its line end included.
    range: Range<usize>,
}

/// A line that a backend refused while others may have taken it.
#[derive(Debug)]
pub struct Refusal {
    pub frame: u64,
    pub offset: usize,
    pub refused_by: Vec<BackendId>,
    pub targets: Vec<BackendId>,
}

struct Search<'a> {
    client: &'a std::rc::Rc<crate::backend::Client>,
    path: &'a str,
    batch: &'a [Part],
    requests: u32,
    found: Vec<(Place, String)>,
}

impl Outlet {
    /// Narrows a refused batch down to its refused lines and puts these into the rejects.
    pub(super) async fn isolate(
        &self,
        feed: &Feed,
        target: &Target,
        path: &str,
        batch: &[Part],
        verdict: Verdict,
    ) -> Isolated {
        let now = self.facts.clock.mono();
        let since = now.since(feed.narrowed_at.get());
        if since < PAUSE && feed.narrowed_at.get().0 > 0 {
            sleep(PAUSE - since).await;
        }
        feed.narrowed_at.set(self.facts.clock.mono());
        let client = feed.client.as_ref().expect("it just answered");
        let mut search = Search { client, path, batch, requests: 0, found: Vec::new() };
        let lines = search.lines(&feed.rejected.borrow());
        let ended = search.run(lines, verdict).await;
        let found = std::mem::take(&mut search.found);
        if let Err(error) = self.reject(feed, target, batch, found).await {
            return Isolated::Later(format!("the rejects cannot be written: {error}"), None);
        }
        match ended {
            Ok(()) => Isolated::Settled,
            Err(Verdict::Parked { message }) => Isolated::Parked(message),
            Err(Verdict::Later { message, after }) => Isolated::Later(message, after),
            Err(_) => Isolated::Later("the backend went away".to_owned(), None),
        }
    }

    /// Keeps refused lines, counts them and tells whoever sent them.
    async fn reject(
        &self,
        feed: &Feed,
        target: &Target,
        batch: &[Part],
        found: Vec<(Place, String)>,
    ) -> std::io::Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        let place = feed.client.as_ref().expect("it just answered").place.clone();
        let line = |place: &Place| &batch[place.part].payload()[place.range.clone()];
        let rejects: Vec<Reject<'_>> =
            found.iter().map(|(place, message)| Reject { line: line(place), message }).collect();
        self.keep_rejects(&place.name, target, &rejects).await?;
        let message = &found[0].1;
        tracing::warn!(backend = place.label(), lines = found.len(), message, "lines are refused");
        self.facts.meters.reject(&place.name, "refused", found.len() as u64);
        for (line, message) in &found {
            let part = &batch[line.part];
            let start = part.run().payload.start;
            let range = start + line.range.start..start + line.range.end;
            self.acks.refused(part.number(), &range, message);
            feed.rejected.borrow_mut().insert((part.number(), range.start));
            self.note_refusal(place.id, part, range.start);
        }
        Ok(())
    }

    /// Whether others take the line is known only later.
    fn note_refusal(&self, backend: BackendId, part: &Part, offset: usize) {
        let mut refusals = self.refusals.borrow_mut();
        let known =
            |refusal: &&mut Refusal| refusal.frame == part.number() && refusal.offset == offset;
        match refusals.iter_mut().find(known) {
            Some(refusal) => refusal.refused_by.push(backend),
            None => refusals.push(Refusal {
                frame: part.number(),
                offset,
                refused_by: vec![backend],
                targets: part.run().targets.to_vec(),
            }),
        }
    }

    /// Where a line was taken by one circle and refused by another, the refusing one is incomplete.
    pub(super) fn judge_refusals(&self) {
        let feeds = self.feeds();
        let cursor = |backend: BackendId| {
            let main = feeds.iter().find(|feed| {
                feed.parked.borrow().is_none() && feed.queue.borrow().backend == backend
            });
            main.map_or(u64::MAX, |feed| feed.queue.borrow().cursor())
        };
        let mut incomplete = Vec::new();
        self.refusals.borrow_mut().retain(|refusal| {
            let settled = refusal.targets.iter().all(|target| cursor(*target) > refusal.frame);
            if settled && refusal.refused_by.len() < refusal.targets.len() {
                incomplete.extend_from_slice(&refusal.refused_by);
            }
            !settled
        });
        for backend in incomplete {
            self.mark_incomplete(backend, "a line was refused here and taken elsewhere", 1);
        }
    }
}

impl Search<'_> {
    /// The lines of the batch that are not yet in the rejects.
    fn lines(&self, rejected: &crate::base::map::FastSet<(u64, usize)>) -> Vec<Place> {
        let mut places = Vec::new();
        for (part, facts) in self.batch.iter().enumerate() {
            let start = facts.run().payload.start;
            let all = lines_of(facts.payload()).into_iter();
            let fresh =
                all.filter(|range| !rejected.contains(&(facts.number(), start + range.start)));
            places.extend(fresh.map(|range| Place { part, range }));
        }
        places
    }

    /// Ends when all lines but the found ones are stored, or with the verdict that stopped it.
    async fn run(&mut self, mut lines: Vec<Place>, mut verdict: Verdict) -> Result<(), Verdict> {
        loop {
            let (suspects, message, dropped) = match &verdict {
                Verdict::Done => return Ok(()),
                Verdict::Partial { message } => {
                    let named = named(message);
                    (self.candidates(&lines, &named), message.clone(), named.dropped)
                }
                Verdict::Refused { message } | Verdict::Suspect { message } => {
                    (lines.clone(), message.clone(), None)
                }
                Verdict::TooLarge => (lines.clone(), "the line is too large".to_owned(), None),
                Verdict::Parked { .. } | Verdict::Later { .. } => return Err(verdict),
            };
            let is_partial = matches!(verdict, Verdict::Partial { .. });
            let before = self.found.len();
            self.narrow(suspects, message).await?;
            let found = &self.found[before..];
            let all = dropped.is_some_and(|dropped| found.len() as u64 >= dropped);
            if !is_partial || all || found.is_empty() || self.requests >= REQUESTS_MAX {
                return Ok(());
            }
            // The message named one kind of trouble; there may be another one behind it.
            let same =
                |one: &Place, other: &Place| one.part == other.part && one.range == other.range;
            lines.retain(|line| !found.iter().any(|(place, _)| same(place, line)));
            if lines.is_empty() {
                return Ok(());
            }
            verdict = self.send(&lines).await;
        }
    }

    /// Sends halves until single lines are refused. `lines` together are known to be refused.
    async fn narrow(&mut self, lines: Vec<Place>, message: String) -> Result<(), Verdict> {
        let mut open = vec![(lines, message)];
        while let Some((lines, message)) = open.pop() {
            if lines.len() == 1 {
                self.found.extend(lines.into_iter().map(|line| (line, message.clone())));
                continue;
            }
            if self.requests >= REQUESTS_MAX {
                let message = format!("one of these {}: {message}", lines.len());
                self.found.extend(lines.into_iter().map(|line| (line, message.clone())));
                continue;
            }
            let (first, second) = lines.split_at(lines.len() / 2);
            for half in [second, first] {
                match self.send(half).await {
                    Verdict::Done => {}
                    Verdict::Partial { message }
                    | Verdict::Refused { message }
                    | Verdict::Suspect { message } => open.push((half.to_vec(), message)),
                    Verdict::TooLarge => {
                        open.push((half.to_vec(), "the line is too large".to_owned()));
                    }
                    stopped @ (Verdict::Parked { .. } | Verdict::Later { .. }) => {
                        return Err(stopped);
                    }
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, lines: &[Place]) -> Verdict {
        self.requests += 1;
        let mut body = Vec::new();
        for line in lines {
            body.extend_from_slice(&self.batch[line.part].payload()[line.range.clone()]);
        }
        match write::send(self.client, self.path, &[&body]).await {
            Ok(verdict) => verdict,
            Err(error) => Verdict::Later { message: error.to_string(), after: None },
        }
    }

    /// The lines that a message of a partial write can mean.
    fn candidates(&self, lines: &[Place], named: &Named) -> Vec<Place> {
        let fits = |line: &&Place| {
            let text = &self.batch[line.part].payload()[line.range.clone()];
            names(text, named)
        };
        let some: Vec<Place> = lines.iter().filter(fits).cloned().collect();
        if some.is_empty() { lines.to_vec() } else { some }
    }
}

/// Whether a line has the measurement that a message names, and mentions its field.
fn names(line: &[u8], named: &Named) -> bool {
    let Some(measurement) = &named.measurement else { return true };
    let Some(Ok(parsed)) = Lines::new(line, RULES).next() else { return true };
    if *decode_measurement(parsed.measurement) != *measurement.as_bytes() {
        return false;
    }
    // A plain search: an escaped key is not found by it, and then the line is a candidate by its letters.
    let Some(field) = &named.field else { return true };
    let plain = field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let key = format!("{field}=");
    !plain || memchr::memmem::find(parsed.head, key.as_bytes()).is_some()
}

/// What is in the log was checked once; now it only needs to be found again.
const RULES: Rules = Rules { precision: Precision::Nanoseconds, unsigned: true, nul_tag_key: true };

/// Where the lines of a payload stand, with their line ends.
pub(super) fn lines_of(payload: &[u8]) -> Vec<Range<usize>> {
    let mut starts: Vec<usize> = Lines::new(payload, RULES)
        .map(|line| match line {
            Ok(line) => line.head.as_ptr() as usize - payload.as_ptr() as usize,
            Err(error) => error.line.as_ptr() as usize - payload.as_ptr() as usize,
        })
        .collect();
    starts.push(payload.len());
    starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}
