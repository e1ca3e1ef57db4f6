//! `--find-max`: the runs of a search, and what each came to.

use super::delivery::Sinks;
use super::find::{Next, Phase, Search};
use super::measure::{Measured, measure};
use super::options::Arguments;
use super::plan::Plan;
use super::process::Process;
use super::report::shown;
use super::run::Bench;
use serde_json::{Value, json};
use std::io;
use std::thread;
use std::time::Duration;

/// Length of a step where no --duration is given.
const STEP_TIME: Duration = Duration::from_secs(3);
/// The proof is this many times as long as a step.
const CONFIRM_TIMES: u32 = 2;
/// The first step offers this part of what a closed loop gets.
const FIRST_PART: f64 = 0.4;
/// A rate holds only if this part of the lines offered was acknowledged in time.
const ACHIEVED_PART: f64 = 0.98;
/// Between two runs, for what the server still has to do: at most this, and a part of a step.
const PAUSE_MAX: Duration = Duration::from_millis(500);
const PAUSE_PART: u32 = 4;

#[derive(Clone, Debug)]
pub struct Step {
    pub phase: Phase,
    pub offered: f64,
    pub achieved: f64,
    pub p99: Duration,
    pub errors: u64,
    pub held: bool,
}

#[derive(Clone, Debug)]
pub struct Found {
    pub p99_max: Duration,
    /// Lines a second; None if no rate held.
    pub rate: Option<f64>,
    pub steps: Vec<Step>,
}

/// What every run of a search needs.
pub struct Runs<'a, 'b> {
    pub bench: &'a mut Bench<'b>,
    pub plan: Plan,
    pub processes: &'a [Process],
    pub sinks: &'a Sinks,
}

impl Runs<'_, '_> {
    /// One run at a rate, or in a closed loop. No bytes of an earlier run are sent again.
    pub fn one(&mut self, rate: Option<f64>, time: Duration, label: &str) -> io::Result<Measured> {
        self.plan.rate = rate;
        self.plan.time_max = Some(time);
        let measured = measure(self.bench, &self.plan, self.processes, self.sinks, label)?;
        self.plan.first_number = self.plan.first_number.max(measured.outcome.tally.number_end);
        Ok(measured)
    }
}

/// Searches; gives the last run, which is the proof if any rate held.
pub fn find(a: &Arguments, runs: &mut Runs<'_, '_>) -> io::Result<(Found, Measured)> {
    let time = a.duration.unwrap_or(STEP_TIME);
    let first = match runs.plan.rate {
        Some(rate) => rate,
        None => {
            let closed = runs.one(None, time, "closed loop")?;
            let rate = rate(&closed);
            if rate == 0.0 {
                let found = Found { p99_max: a.p99, rate: None, steps: Vec::new() };
                return Ok((found, closed));
            }
            tell(a, &format!("closed loop: {rate:.0} lines/s"));
            rate * FIRST_PART
        }
    };
    let mut search = Search::from(first);
    let mut found = Found { p99_max: a.p99, rate: None, steps: Vec::new() };
    let mut next = search.first();
    loop {
        let Next::Try(phase, rate) = next else { unreachable!("a search begins with a try") };
        thread::sleep((time / PAUSE_PART).min(PAUSE_MAX));
        let time = if phase == Phase::Confirm { time * CONFIRM_TIMES } else { time };
        let measured = runs.one(Some(rate), time, phase.name())?;
        let step = Step::of(phase, rate, a.p99, &measured);
        tell(a, &step.text());
        next = search.next(step.held);
        found.steps.push(step);
        if let Next::Done(rate) = next {
            found.rate = rate;
            return Ok((found, measured));
        }
    }
}

/// Says how a search goes on; with --json only on standard error.
fn tell(a: &Arguments, text: &str) {
    if a.json {
        eprintln!("{text}");
    } else {
        println!("{text}");
    }
}

fn rate(measured: &Measured) -> f64 {
    let tally = &measured.outcome.tally;
    tally.lines_acknowledged as f64 / measured.outcome.took.as_secs_f64().max(1e-9)
}

impl Step {
    fn of(phase: Phase, offered: f64, p99_max: Duration, measured: &Measured) -> Self {
        let tally = &measured.outcome.tally;
        let p99 = Duration::from_nanos(tally.latency_ns.value_at_quantile(0.99));
        let errors = tally.requests - tally.requests_acknowledged;
        // What was due, not what was offered: a short run may have a request more than its share.
        let planned = tally.lines as f64 / measured.plan.time_max.map_or(1.0, |t| t.as_secs_f64());
        let achieved = rate(measured);
        let held = measured.is_right() && p99 <= p99_max && achieved >= planned * ACHIEVED_PART;
        Step { phase, offered, achieved, p99, errors, held }
    }

    fn text(&self) -> String {
        let word = if self.held { "holds" } else { "fails" };
        format!(
            "{:8} {:>12.0} lines/s offered, {:>12.0} achieved, p99 {:>8}, {} errors: {word}",
            self.phase.name(),
            self.offered,
            self.achieved,
            shown(self.p99.as_nanos() as u64),
            self.errors,
        )
    }
}

impl Found {
    pub fn json(&self) -> Value {
        let step = |step: &Step| {
            json!({
                "phase": step.phase.name(),
                "offered_lines_per_s": step.offered,
                "achieved_lines_per_s": step.achieved,
                "p99_us": step.p99.as_secs_f64() * 1e6,
                "errors": step.errors,
                "holds": step.held,
            })
        };
        json!({
            "p99_max_us": self.p99_max.as_secs_f64() * 1e6,
            "lines_per_s": self.rate,
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
        })
    }

    /// The result in one sentence.
    pub fn result(&self) -> String {
        let limit = shown(self.p99_max.as_nanos() as u64);
        match self.rate {
            Some(rate) => format!("highest rate with p99 <= {limit}: {rate:.0} lines/s"),
            None => format!("no rate held with p99 <= {limit}"),
        }
    }
}
