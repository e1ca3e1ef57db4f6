//! A run with everything that is looked at beside it: processes, sinks, this program itself.

use super::delivery::{Delivery, Sinks};
use super::plan::Plan;
use super::process::{Process, Watch};
use super::progress::Progress;
use super::run::{Bench, Outcome};
use std::io;

#[derive(Debug)]
pub struct Measured {
    pub plan: Plan,
    pub outcome: Outcome,
    pub watches: Vec<Watch>,
    /// The generator itself.
    pub own: Watch,
    /// None where no sinks were named.
    pub delivery: Option<Delivery>,
}

impl Measured {
    /// Whether every line was acknowledged, and reached the sinks.
    pub fn is_right(&self) -> bool {
        let delivered = self.delivery.as_ref().is_none_or(Delivery::is_complete);
        self.outcome.tally.all_acknowledged() && delivered
    }
}

/// Runs the plan; the processes are watched until the sinks have all lines.
pub fn measure(
    bench: &mut Bench<'_>,
    plan: &Plan,
    processes: &[Process],
    sinks: &Sinks,
    label: &str,
) -> io::Result<Measured> {
    let mut plan = plan.clone();
    let before = sinks.lines()?;
    let progress = Progress::new(&plan, label);
    let mut watches: Vec<_> = processes
        .iter()
        .cloned()
        .chain([Process::own()])
        .map(Watch::start)
        .collect::<io::Result<_>>()?;
    let outcome = bench.run(&mut plan, &mut watches, &progress)?;
    let mut own = watches.pop().ok_or_else(|| io::Error::other("no watch of this process"))?;
    own.sample(outcome.took);
    let delivery = if sinks.is_empty() {
        None
    } else {
        progress.say("waiting for the sinks".to_owned());
        Some(sinks.wait(before, outcome.tally.lines_acknowledged)?)
    };
    let since = plan.started.elapsed();
    watches.iter_mut().for_each(|watch| watch.sample(since));
    Ok(Measured { plan, outcome, watches, own, delivery })
}
