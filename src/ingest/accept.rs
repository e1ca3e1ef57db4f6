//! Takes the lines of a request: check all, key, log, wait as the ack level says.

use super::batch::{self, Checked, Placed};
use super::{Ingest, Outlet};
use crate::backend::catalogue::Known;
use crate::base::ids::BackendId;
use crate::base::time::{Mono, UnixNanos};
use crate::config::checked::{Ack, Consistency as ConsistencyPolicy};
use crate::proto::line::{Line, Lines, Precision, Rules};
use crate::ring::{Target, TargetNo, TargetSetNo};
use crate::rt::{Clock, breathe, within};
use crate::telemetry::Stage;
use std::rc::Rc;
use std::time::Duration;

/// Lines are checked for so long before others get the core.
const SLICE: Duration = Duration::from_micros(200);

/// The clock is read every so many bytes: they take a tenth of a slice at most.
const LOOK_BYTES: usize = 8 * 1024;

/// Longest text about bad lines that an answer carries, in bytes.
const TEXTS_BYTES_MAX: usize = 64 * 1024;

/// What becomes of the good lines of a body with bad ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLines {
    KeepGood,
    RefuseAll,
}

/// How many circles must confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    Any,
    One,
    Quorum,
    All,
}

pub struct Request<'a> {
    pub target: &'a Target,
    pub precision: Precision,
    pub body: &'a [u8],
    pub bad_lines: BadLines,
    pub consistency: Consistency,
}

/// The good lines are kept.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    pub lines: u64,
    /// Texts about bad lines, joined by LF.
    pub bad_lines: Option<String>,
    /// How many of the bad lines InfluxDB would count in `dropped=`.
    pub dropped: u64,
    /// Backends that will get their lines later: `circle/name`.
    pub pending: Vec<String>,
    /// What backends refused for good.
    pub refused: Vec<Refused>,
}

#[derive(Clone, Debug)]
pub struct Refused {
    /// In the backend's own words.
    pub message: String,
    pub lines: u64,
}

/// Nothing was kept, or too few circles confirmed.
#[derive(Clone, Debug)]
pub enum Failure {
    BadLines { texts: String, dropped: u64 },
    UnknownDatabase,
    Unavailable { why: String, retry_after_s: u32 },
    TooManyConfirmationsMissing { wanted: usize, confirmed: usize },
}

/// The outcome of the check.
#[derive(Default)]
struct Check {
    good: Vec<Checked>,
    texts: String,
    bad: u64,
    dropped: u64,
    dropped_text: Option<String>,
}

/// Checks, logs and delivers the lines of one request.
pub async fn lines(ingest: &Ingest, request: Request<'_>) -> Result<Accepted, Failure> {
    let facts = &ingest.facts;
    let begun = facts.clock.mono();
    super::admit::whole(facts)?;
    if is_unknown(ingest, request.target) {
        return Err(Failure::UnknownDatabase);
    }
    let number = ingest.router.borrow_mut().target(request.target);
    let mut check = check(ingest, &request, number).await;
    facts.latencies.record(Stage::Check, facts.clock.mono().since(begun));
    if check.bad > 0 {
        facts.meters.lines_rejected("malformed", check.bad);
        if check.good.is_empty() || request.bad_lines == BadLines::RefuseAll {
            return Err(check.failure(request.bad_lines));
        }
    }
    let mut accepted = Accepted { lines: check.good.len() as u64, ..Accepted::default() };
    (accepted.bad_lines, accepted.dropped) = check.report();
    if check.good.is_empty() {
        return Ok(accepted);
    }
    super::admit::lines(ingest, &check.good)?;
    let tag = Rc::from(request.target.to_tag());
    let outlet = &ingest.outlet;
    let pushed = batch::push(outlet, &ingest.router.borrow(), &tag, request.body, &check.good);
    let placed = pushed.map_err(|error| unavailable(&error))?;
    if facts.board.taps.is_open() {
        super::tap::show(facts, &request, &check.good);
    }
    // The lines stand in the log's own memory now; the body is the caller's to free.
    ingest.give_back(check.good);
    wait(ingest, &request, &placed, accepted).await
}

async fn wait(
    ingest: &Ingest,
    request: &Request<'_>,
    placed: &Placed,
    mut accepted: Accepted,
) -> Result<Accepted, Failure> {
    let facts = &ingest.facts;
    let outlet = &ingest.outlet;
    let last = placed.last.expect("there was at least one line");
    let write = facts.write.get();
    let honour = write.consistency == ConsistencyPolicy::Honour;
    let waits = write.ack == Ack::Delivered || honour;
    let waiting = waits.then(|| Waiting::begin(outlet, placed, honour));
    let begun = facts.clock.mono();
    let durable = outlet.log.durable(last).await;
    if let Err(error) = durable {
        if let Some(waiting) = &waiting {
            waiting.end(outlet, placed);
        }
        return Err(unavailable(&error));
    }
    facts.latencies.record(Stage::Commit, facts.clock.mono().since(begun));
    facts.meters.lines_accepted.increment(accepted.lines);
    let Some(waiting) = waiting else { return Ok(accepted) };
    waiting.settle(outlet, write.ack_wait).await;
    let missing = waiting.missing();
    accepted.pending = labels(outlet, &missing);
    let refused = waiting.waiter.take_refused();
    accepted.refused =
        refused.into_iter().map(|(message, lines)| Refused { message, lines }).collect();
    waiting.end(outlet, placed);
    if honour {
        enough_circles(ingest, request.consistency, &missing)?;
    }
    Ok(accepted)
}

/// The waiting for confirmations.
struct Waiting {
    waiter: Rc<super::acks::Waiter>,
    /// Backends that nobody waits for, because they are not current.
    behind: Vec<BackendId>,
    begun: Mono,
}

impl Waiting {
    fn begin(outlet: &Outlet, placed: &Placed, for_all: bool) -> Waiting {
        let facts = &outlet.facts;
        let (now, unix_ms) = (facts.clock.mono(), facts.clock.unix().millis());
        let (expected, behind): (Vec<_>, Vec<_>) =
            placed.last_frames.iter().copied().partition(|(backend, _)| {
                for_all || facts.board.is_current(*backend, now, unix_ms)
            });
        let waiter = outlet.acks.wait(&expected);
        for (frame, range) in &placed.pieces {
            outlet.acks.place(*frame, range.clone(), &waiter);
        }
        let behind = behind.into_iter().map(|(backend, _)| backend).collect();
        Waiting { waiter, behind, begun: now }
    }

    async fn settle(&self, outlet: &Outlet, limit: Duration) {
        let facts = &outlet.facts;
        let settled = within(limit, self.waiter.settled()).await.is_some();
        facts.latencies.record(Stage::Confirm, facts.clock.mono().since(self.begun));
        if !settled {
            for backend in self.waiter.late() {
                facts.board.set_not_current(backend, facts.clock.mono());
            }
        }
    }

    fn missing(&self) -> Vec<BackendId> {
        let mut missing = self.waiter.missing();
        missing.extend_from_slice(&self.behind);
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    fn end(&self, outlet: &Outlet, placed: &Placed) {
        let frames: Vec<u64> = placed.pieces.iter().map(|(frame, _)| *frame).collect();
        outlet.acks.forget(&self.waiter, &frames);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Also when the client has gone and the request was given up: the next sweep forgets it.
        self.waiter.leave();
    }
}

pub(super) fn labels(outlet: &Outlet, backends: &[BackendId]) -> Vec<String> {
    let places = backends.iter().filter_map(|backend| outlet.facts.place_of(*backend));
    places.map(|place| place.label()).collect()
}

fn enough_circles(
    ingest: &Ingest,
    consistency: Consistency,
    missing: &[BackendId],
) -> Result<(), Failure> {
    let circles = ingest.facts.topology.circles().len();
    let mut late: Vec<_> = missing
        .iter()
        .filter_map(|backend| ingest.facts.place_of(*backend))
        .map(|place| place.circle)
        .collect();
    late.sort_unstable();
    late.dedup();
    let confirmed = circles - late.len();
    let wanted = match consistency {
        Consistency::Any => 0,
        Consistency::One => 1,
        Consistency::Quorum => circles / 2 + 1,
        Consistency::All => circles,
    };
    if confirmed >= wanted {
        return Ok(());
    }
    Err(Failure::TooManyConfirmationsMissing { wanted, confirmed })
}

pub(super) fn unavailable(error: &crate::wal::Error) -> Failure {
    Failure::Unavailable { why: error.to_string(), retry_after_s: 5 }
}

/// A name that every backend was asked for lately and that none has.
pub(super) fn is_unknown(ingest: &Ingest, target: &Target) -> bool {
    let facts = &ingest.facts;
    let backends: Vec<BackendId> = facts.places.iter().map(|place| place.id).collect();
    let probe = facts.probe.get();
    let fresh = probe.catalogue_interval * 2 + probe.timeout;
    let names = [&*target.database, &*target.bucket()];
    let now = facts.clock.mono();
    facts.board.catalogue.load().knows(&backends, names, now, fresh) == Known::No
}

async fn check(ingest: &Ingest, request: &Request<'_>, target: TargetNo) -> Check {
    let facts = &ingest.facts;
    let rules = Rules {
        precision: request.precision,
        unsigned: facts.takes_unsigned,
        nul_tag_key: facts.takes_nul_tag_key,
    };
    let now = stamp_of(facts.clock.unix(), request.precision);
    let mut check = Check { good: ingest.take_scratch(), ..Check::default() };
    let mut lines = Lines::new(request.body, rules);
    loop {
        let is_done = {
            let slice = Slice::begin(&facts.clock);
            let mut router = ingest.router.borrow_mut();
            let route = |line: &Line<'_>| batch::route(&mut router, target, line);
            check.slice(request, &mut lines, now, route, slice)
        };
        if is_done {
            return check;
        }
        breathe().await;
    }
}

/// A slice of CPU time, measured every so often.
struct Slice<'a> {
    clock: &'a Clock,
    begun: Mono,
    looks_at: usize,
}

impl Slice<'_> {
    fn begin(clock: &Clock) -> Slice<'_> {
        Slice { clock, begun: clock.mono(), looks_at: 0 }
    }

    /// At this byte of the body.
    fn is_over(&mut self, at: usize) -> bool {
        if at < self.looks_at {
            return false;
        }
        self.looks_at = at + LOOK_BYTES;
        self.clock.mono().since(self.begun) >= SLICE
    }
}

/// A line without a time gets this gateway's, as coarse as the request's precision.
fn stamp_of(now: UnixNanos, precision: Precision) -> UnixNanos {
    UnixNanos(now.0 - now.0.rem_euclid(precision.factor()))
}

impl Check {
    /// Checks lines until they end, which it says, or the slice does.
    fn slice(
        &mut self,
        request: &Request<'_>,
        lines: &mut Lines<'_>,
        now: UnixNanos,
        mut route: impl FnMut(&Line<'_>) -> TargetSetNo,
        mut slice: Slice<'_>,
    ) -> bool {
        let body = request.body;
        let is_ns = request.precision == Precision::Nanoseconds;
        for line in lines {
            let at = match line {
                Ok(line) => {
                    let set = route(&line);
                    let from = line.head.as_ptr() as usize - body.as_ptr() as usize;
                    let (head, time) = (line.head.len(), line.time.unwrap_or(now).0);
                    let has_time = is_ns && line.time.is_some();
                    self.good.push(Checked::new(body, from, head, time, has_time, set));
                    from
                }
                Err(error) => {
                    // Whoever refuses the whole body speaks as 2.x, which cannot read a tag called `time`.
                    let is_v2 = request.bad_lines == BadLines::RefuseAll;
                    self.note(&if is_v2 { error.v2() } else { error });
                    error.line.as_ptr() as usize - body.as_ptr() as usize
                }
            };
            if slice.is_over(at) {
                return false;
            }
        }
        true
    }

    fn note(&mut self, error: &crate::proto::line::LineError<'_>) {
        self.bad += 1;
        let text = error.to_string();
        if error.dropped() {
            // InfluxDB tells only one of these, and it hides the others.
            self.dropped += 1;
            self.dropped_text.get_or_insert(text);
            return;
        }
        if self.texts.len() + text.len() > TEXTS_BYTES_MAX {
            return;
        }
        if !self.texts.is_empty() {
            self.texts.push('\n');
        }
        self.texts.push_str(&text);
    }

    fn report(&mut self) -> (Option<String>, u64) {
        let texts = self.dropped_text.take().unwrap_or_else(|| std::mem::take(&mut self.texts));
        ((!texts.is_empty()).then_some(texts), self.dropped)
    }

    fn failure(mut self, bad_lines: BadLines) -> Failure {
        // 2.x reads all lines before it asks its store, so what it cannot read hides what it would drop.
        if bad_lines == BadLines::RefuseAll && !self.texts.is_empty() {
            (self.dropped_text, self.dropped) = (None, 0);
        }
        let (texts, dropped) = self.report();
        Failure::BadLines { texts: texts.unwrap_or_default(), dropped }
    }
}
