//! The proof: every stored point of every backend against what was promised.

use super::ledger::Run;
use super::query::{Backend, Stored};
use crate::url::{self, Url};
use std::io;
use std::thread;

/// Examples kept of each kind of fault.
const EXAMPLES: usize = 3;

/// What is asked of every circle.
pub struct Job<'a> {
    pub db: &'a str,
    pub prefix: &'a str,
    /// Header line of the credentials, or "".
    pub authorization: &'a str,
    pub runs: &'a [Run],
}

/// What one circle holds. Points, unless it says otherwise.
#[derive(Debug, Default)]
pub struct Verdict {
    pub backends: Vec<u64>,
    /// Acknowledged and there, with the right value.
    pub right: u64,
    pub missing: u64,
    /// Value, checksum, tag or measurement is not what was sent.
    pub wrong: u64,
    /// An earlier version than the last acknowledged one.
    pub old: u64,
    /// On more than one backend.
    pub twice: u64,
    /// Never sent.
    pub foreign: u64,
    /// Never acknowledged, but there: allowed.
    pub unacknowledged: u64,
    /// Why a backend could not be asked.
    pub errors: Vec<String>,
    pub examples: Vec<String>,
}

impl Verdict {
    /// Whether the circle holds all that it must, and nothing else.
    pub fn is_right(&self) -> bool {
        let faults = self.missing + self.wrong + self.old + self.twice + self.foreign;
        faults == 0 && self.errors.is_empty()
    }

    /// Whether a delivery still under way could mend it.
    pub fn may_heal(&self) -> bool {
        self.missing + self.old > 0 || !self.errors.is_empty()
    }
}

/// Reads `URL,URL;URL,URL`.
pub fn circles(text: &str) -> io::Result<Vec<Vec<Url>>> {
    let circle = |part: &str| {
        let urls = part.split(',').map(str::trim).filter(|text| !text.is_empty());
        urls.map(url::parse).collect::<io::Result<Vec<_>>>()
    };
    text.split(';').filter(|part| !part.trim().is_empty()).map(circle).collect()
}

/// Checks every circle, each on a thread of its own.
pub fn all(job: &Job<'_>, circles: &[Vec<Url>]) -> io::Result<Vec<Verdict>> {
    thread::scope(|scope| {
        let threads: Vec<_> =
            circles.iter().map(|circle| scope.spawn(|| one(job, circle))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Verdict>| {
            thread.join().map_err(|_| io::Error::other("a check has panicked"))
        };
        threads.into_iter().map(join).collect()
    })
}

fn one(job: &Job<'_>, circle: &[Url]) -> Verdict {
    let mut tally = Tally::new(job.runs, circle.len());
    let measurements = job.runs.iter().map(|run| run.layout.measurements).max().unwrap_or(0);
    let since_ns = job.runs.iter().map(|run| run.layout.base_ns).min().unwrap_or(0);
    for (number, url) in circle.iter().enumerate() {
        let mut backend = Backend::new(url, job.authorization);
        for measurement in 0..measurements {
            let name = format!("{}{measurement}", job.prefix);
            let each = &mut |stored| tally.stored(number, measurement, &stored);
            if let Err(error) = backend.points(job.db, &name, since_ns, each) {
                let error = format!("{}: {name}: {error}", url.address);
                tally.verdict.errors.push(error);
                break;
            }
        }
    }
    tally.finish()
}

/// Where a point was seen: nowhere, or on the backend with this number, counted from 1.
type Seen = u16;

/// The state of one circle's check. It does no I/O.
pub struct Tally<'a> {
    runs: &'a [Run],
    seen: Vec<Vec<Seen>>,
    pub verdict: Verdict,
}

/// What a stored point turned out to be.
enum Finding {
    Right,
    Unacknowledged,
    Wrong,
    Old,
    Foreign,
}

impl<'a> Tally<'a> {
    pub fn new(runs: &'a [Run], backends: usize) -> Self {
        let points = |run: &Run| vec![0; run.requests.len() * run.layout.lines as usize];
        let verdict = Verdict { backends: vec![0; backends], ..Verdict::default() };
        Tally { runs, seen: runs.iter().map(points).collect(), verdict }
    }

    /// Takes one point that a backend has.
    pub fn stored(&mut self, backend: usize, measurement: u64, stored: &Stored) {
        self.verdict.backends[backend] += 1;
        let Some((run, point)) = self.find(stored.time_ns) else {
            self.verdict.foreign += 1;
            self.example("never sent", &format!("time {}, {stored:?}", stored.time_ns));
            return;
        };
        let seen = &mut self.seen[run][point as usize];
        let here = backend as Seen + 1;
        if *seen == 0 {
            *seen = here;
        } else if *seen != here {
            self.verdict.twice += 1;
            self.example("on two backends", &format!("point {point} of m{measurement}"));
            return;
        }
        let finding = judge(&self.runs[run], point, measurement, stored);
        let (count, name) = match finding {
            Finding::Right => (&mut self.verdict.right, ""),
            Finding::Unacknowledged => (&mut self.verdict.unacknowledged, ""),
            Finding::Wrong => (&mut self.verdict.wrong, "wrong"),
            Finding::Old => (&mut self.verdict.old, "old"),
            Finding::Foreign => (&mut self.verdict.foreign, "never sent"),
        };
        *count += 1;
        if !name.is_empty() {
            self.example(name, &format!("point {point} of m{measurement}: {stored:?}"));
        }
    }

    /// Counts what nobody has.
    pub fn finish(mut self) -> Verdict {
        for (number, run) in self.runs.iter().enumerate() {
            let lines = run.layout.lines as usize;
            let mut missing = Vec::new();
            for (point, seen) in self.seen[number].iter().enumerate() {
                if *seen == 0 && run.requests[point / lines].acked > 0 {
                    missing.push(point as u64);
                }
            }
            self.verdict.missing += missing.len() as u64;
            for point in missing.into_iter().take(EXAMPLES) {
                let (request, measurement) =
                    (run.layout.request_of(point), run.layout.measurement_of(point));
                let time_ns = run.layout.base_ns + point;
                self.example(
                    "missing",
                    &format!("point {point} of m{measurement}, request {request}, time {time_ns}"),
                );
            }
        }
        self.verdict
    }

    fn find(&self, time_ns: i64) -> Option<(usize, u64)> {
        let time_ns = u64::try_from(time_ns).ok()?;
        self.runs.iter().enumerate().find_map(|(number, run)| {
            let point = time_ns.checked_sub(run.layout.base_ns)?;
            let inside = (point as usize) < self.seen[number].len();
            if inside { Some((number, point)) } else { None }
        })
    }

    fn example(&mut self, kind: &str, text: &str) {
        let same = self.verdict.examples.iter().filter(|old| old.starts_with(kind)).count();
        if same < EXAMPLES {
            self.verdict.examples.push(format!("{kind}: {text}"));
        }
    }
}

fn judge(run: &Run, point: u64, measurement: u64, stored: &Stored) -> Finding {
    let layout = &run.layout;
    let progress = run.requests[layout.request_of(point) as usize];
    if progress.sent == 0 {
        return Finding::Foreign;
    }
    let sequence = stored.sequence.and_then(|sequence| u64::try_from(sequence).ok());
    let Some(sequence) = sequence.filter(|sequence| sequence / layout.versions == point) else {
        return Finding::Wrong;
    };
    let in_place = layout.measurement_of(point) == measurement
        && stored.connection == Some(layout.connection_of(point))
        && stored.check == Some(layout.check(sequence));
    let version = sequence % layout.versions + 1;
    match () {
        () if !in_place => Finding::Wrong,
        () if version > progress.sent => Finding::Foreign,
        () if version < progress.acked => Finding::Old,
        () if progress.acked == 0 => Finding::Unacknowledged,
        () => Finding::Right,
    }
}
