//! Finds the lines that a backend refuses for good, so that they alone go to the rejects.
//!
//! Sending halves again is safe, because a point that is written twice is one point. Everything happens
//! while the lane holds still, so that the order of the queue is kept.

use super::queue::Part;
use super::rejects::Reject;
use super::{Feed, Outlet};
use crate::backend::answer::{Named, named};
use crate::backend::{Verdict, write};
use crate::base::checksum::crc32c;
use crate::base::ids::BackendId;
use crate::proto::line::{Lines, Precision, Rules, decode_measurement};
use crate::ring::Target;
use crate::rt::sleep;
use crate::wal::{Checkpoint, QueueMark, Reached, Refusal};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

/// Requests for one refusal; what is not narrowed down by then is kept as "one of these".
const REQUESTS_MAX: u32 = 64;

/// Refusals that are remembered until the other backends have spoken; beyond them the refusing backend
/// counts as incomplete at once.
const REFUSALS_MAX: usize = 1000;

/// Between two of them for one backend.
const PAUSE: Duration = Duration::from_secs(1);

const REFUSED_HERE: &str = "a line or statement was refused here and taken elsewhere";

/// What became of a batch that was refused in part.
#[derive(Debug)]
pub enum Isolated {
    /// Every line of it is stored or in the rejects.
    Settled,
    Parked(String),
    Later(String, Option<Duration>),
}

/// A line of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    part: usize,
    /// In the part's payload, its line end included.
    range: Range<usize>,
}

/// Lines that wait for their turn in a search.
struct Piece {
    lines: Vec<Place>,
    /// What the backend says about them together, if it was asked.
    known: Option<Verdict>,
    /// Cut off something that was too large, and therefore asked without being counted.
    is_large: bool,
}

/// A line for the rejects.
struct Found {
    place: Place,
    message: String,
    /// It alone was refused; otherwise the backend may have it.
    is_alone: bool,
}

struct Search<'a> {
    client: &'a std::rc::Rc<crate::backend::Client>,
    path: &'a str,
    batch: &'a [Part],
    requests: u32,
    found: Vec<Found>,
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
        let (lines, are_all) = search.lines(&feed.rejected.borrow());
        // What was refused before explains the answer to the whole batch: the rest is asked for alone.
        let verdict = match (are_all, lines.is_empty()) {
            (true, _) => verdict,
            (false, true) => Verdict::Done,
            (false, false) => search.send(&lines).await,
        };
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
        found: Vec<Found>,
    ) -> std::io::Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        let place = feed.client.as_ref().expect("it just answered").place.clone();
        let line = |place: &Place| &batch[place.part].payload()[place.range.clone()];
        let rejects: Vec<Reject<'_>> = found
            .iter()
            .map(|one| Reject { line: line(&one.place), message: &one.message })
            .collect();
        self.keep_rejects(&place.name, target, &rejects).await?;
        let message = &found[0].message;
        tracing::warn!(
            backend = place.label(),
            lines = found.len(),
            answer = message,
            "lines are refused"
        );
        self.facts.meters.reject(&place.name, "refused", found.len() as u64);
        for Found { place: line, message, is_alone } in &found {
            let part = &batch[line.part];
            let start = part.run().payload.start;
            let range = start + line.range.start..start + line.range.end;
            self.acks.refused(part.number(), &range, message);
            feed.rejected.borrow_mut().insert((part.number(), range.start));
            if *is_alone {
                self.note_refusal(feed, part, &part.payload()[line.range.clone()]);
            }
        }
        // Some of them may have been taken, and good ones among them may be missing here: this backend is
        // marked in any case, and excuses no other one that refuses them.
        let together = found.iter().filter(|one| !one.is_alone).count();
        if together > 0 {
            self.mark_incomplete(place.id, REFUSED_HERE, together as u64);
        }
        Ok(())
    }

    /// Whether others take the line is known only later, maybe in another life: the next checkpoint, and any
    /// that says that the queue has passed the line, holds it.
    pub(super) fn note_refusal(&self, feed: &Feed, part: &Part, text: &[u8]) {
        let (backend, frame) = (feed.queue.borrow().backend, part.number());
        // Sent once more behind something older: what it means was said in an earlier life.
        if frame < self.reached_before(feed) {
            return;
        }
        let line = crc32c(text);
        let mut refusals = self.refusals.borrow_mut();
        let has_room = refusals.len() < REFUSALS_MAX;
        let known = |refusal: &&mut Refusal| refusal.frame == frame && refusal.line == line;
        match refusals.iter_mut().find(known) {
            Some(known) if known.refused_by.contains(&backend) => {}
            Some(known) => known.refused_by.push(backend),
            None if has_room => refusals.push(Refusal {
                frame,
                line,
                refused_by: vec![backend],
                targets: part.run().targets.to_vec(),
            }),
            None => self.mark_incomplete(backend, REFUSED_HERE, 1),
        }
    }

    /// Every frame below was answered in an earlier life; 0 if there was none.
    fn reached_before(&self, feed: &Feed) -> u64 {
        let queue = feed.queue.borrow();
        let tag = queue.only.as_deref().unwrap_or_default();
        let ours = self
            .reached
            .iter()
            .filter(|reached| reached.backend == queue.backend && *reached.tag == *tag);
        ours.map(|reached| reached.end).max().unwrap_or(0)
    }

    /// What the next life is told of this queue.
    pub(super) fn reached_now(&self, feed: &Feed) -> Reached {
        let before = self.reached_before(feed);
        let queue = feed.queue.borrow();
        let tag = queue.only.clone().unwrap_or_else(|| Rc::from(&b""[..]));
        Reached { backend: queue.backend, tag, end: before.max(queue.cursor()) }
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
            self.mark_incomplete(backend, REFUSED_HERE, 1);
        }
    }
}

/// How far each queue was in any life before this one.
pub(super) fn reached(found: &Checkpoint) -> Vec<Reached> {
    let of_mark = |mark: &QueueMark| Reached {
        backend: mark.backend,
        tag: mark.tag.clone(),
        end: mark.cursor,
    };
    found.marks.iter().map(of_mark).chain(found.reached.iter().cloned()).collect()
}

impl Search<'_> {
    /// The lines of the batch that are not yet in the rejects, and whether these are all.
    fn lines(&self, rejected: &crate::base::map::FastSet<(u64, usize)>) -> (Vec<Place>, bool) {
        let mut places = Vec::new();
        let mut count = 0;
        for (part, facts) in self.batch.iter().enumerate() {
            let start = facts.run().payload.start;
            let all = lines_of(facts.payload());
            count += all.len();
            let fresh = all
                .into_iter()
                .filter(|range| !rejected.contains(&(facts.number(), start + range.start)));
            places.extend(fresh.map(|range| Place { part, range }));
        }
        let are_all = places.len() == count;
        (places, are_all)
    }

    /// Ends when all lines but the found ones are stored, or with the verdict that stopped it. `verdict` is
    /// about these lines alone.
    async fn run(&mut self, mut lines: Vec<Place>, mut verdict: Verdict) -> Result<(), Verdict> {
        loop {
            let (suspects, dropped) = match &verdict {
                Verdict::Done => return Ok(()),
                Verdict::Partial { message } => {
                    let named = named(message);
                    (self.candidates(&lines, &named), named.dropped)
                }
                Verdict::Refused { .. } | Verdict::Suspect { .. } | Verdict::TooLarge => {
                    (lines.clone(), None)
                }
                Verdict::Parked { .. } | Verdict::Later { .. } => return Err(verdict),
            };
            let before = self.found.len();
            let are_all = suspects.len() == lines.len();
            // What is known is known of all lines: of some it is asked first, as that may settle them at once.
            let known = (are_all || suspects.len() == 1).then_some(verdict);
            self.narrow(suspects, known).await?;
            let found = &self.found[before..];
            let is_told = dropped.is_none_or(|dropped| found.len() as u64 >= dropped);
            lines.retain(|line| !found.iter().any(|found| found.place == *line));
            // All were sent again, in their order, down to single lines.
            if lines.is_empty() || are_all && (is_told || found.is_empty()) {
                return Ok(());
            }
            // The suspects were sent again and now stand over later lines with the same fields: the rest
            // follows in its order. It may also show another trouble behind the one that was named.
            verdict = self.send(&lines).await;
            if self.requests > REQUESTS_MAX
                && let Verdict::Partial { message } | Verdict::Refused { message } = &verdict
            {
                self.keep_together(lines, message);
                return Ok(());
            }
        }
    }

    /// Sends halves, in the order of the lines, until it is known of each line that is refused. `known` is what
    /// the backend said about these lines together.
    async fn narrow(&mut self, lines: Vec<Place>, known: Option<Verdict>) -> Result<(), Verdict> {
        let mut open = vec![Piece { lines, known, is_large: false }];
        while let Some(Piece { lines, known, is_large }) = open.pop() {
            let verdict = match known {
                Some(verdict) => verdict,
                None => self.send(&lines).await,
            };
            if is_large {
                // A cut by size says nothing against the lines, and ends at single ones by itself.
                self.requests -= 1;
            }
            let (message, is_large) = match verdict {
                Verdict::Done => continue,
                Verdict::Partial { message } if drops_all(&message, lines.len()) => {
                    lines.into_iter().for_each(|line| self.keep_together(vec![line], &message));
                    continue;
                }
                Verdict::Partial { message }
                | Verdict::Refused { message }
                | Verdict::Suspect { message } => (message, false),
                Verdict::TooLarge => ("the line is too large".to_owned(), true),
                stopped @ (Verdict::Parked { .. } | Verdict::Later { .. }) => return Err(stopped),
            };
            if lines.len() == 1 || !is_large && self.requests >= REQUESTS_MAX {
                self.keep_together(lines, &message);
                continue;
            }
            // The first half is on top, with all that becomes of it: a later line for the same point must
            // be sent last.
            let (first, second) = lines.split_at(lines.len() / 2);
            let piece = |lines: &[Place]| Piece { lines: lines.to_vec(), known: None, is_large };
            open.extend([piece(second), piece(first)]);
        }
        Ok(())
    }

    fn keep_together(&mut self, lines: Vec<Place>, message: &str) {
        let is_alone = lines.len() == 1;
        let message = match lines.len() {
            1 => message.to_owned(),
            some => format!("one of these {some}: {message}"),
        };
        let found = |place| Found { place, message: message.clone(), is_alone };
        self.found.extend(lines.into_iter().map(found));
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

/// Whether a backend has counted that it took none of the lines. A client that goes on sending a field with
/// another type makes hundreds of them a second: one request tells of all.
fn drops_all(message: &str, lines: usize) -> bool {
    named(message).dropped.is_some_and(|dropped| dropped >= lines as u64)
}

/// Whether a line has the measurement that a message names, and mentions its field with a value of the named type.
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
    let mut places = memchr::memmem::find_iter(parsed.head, key.as_bytes());
    let fits = |place: usize| {
        named.kind.as_deref().is_none_or(|kind| kind == kind_of(&parsed.head[place + key.len()..]))
    };
    !plain || places.any(fits)
}

/// The type of the value that a text begins with, in the servers' word.
fn kind_of(text: &[u8]) -> &'static str {
    let end = memchr::memchr2(b',', b' ', text).unwrap_or(text.len());
    match text[..end] {
        [b'"', ..] => "string",
        [b't' | b'T' | b'f' | b'F', ..] => "boolean",
        [.., b'i'] => "integer",
        [.., b'u'] => "unsigned",
        _ => "float",
    }
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
