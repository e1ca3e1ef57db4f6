//! What a log still owes, by the cursors on disk.

use super::LogView;
use crate::base::ids::BackendId;
use crate::base::time::Stamp;
use crate::wal::recovery::Finding;
use crate::wal::{Checkpoint, Error, Frame, Kind, Run};
use std::rc::Rc;

/// One queue of a log, and what it owes. Lives on: the thread that looks.
#[derive(Clone, Debug)]
pub struct Debt {
    pub backend: BackendId,
    /// Empty for the queue of the backend; the tag of the runs for a parked queue.
    pub tag: Rc<[u8]>,
    /// Every frame below this number is confirmed.
    pub cursor: u64,
    /// Runs: a frame may hold several.
    pub runs: u64,
    pub points: u64,
    pub statements: u64,
    /// Of lines and statements.
    pub bytes: u64,
    /// Number, stamp and wall-clock milliseconds of the oldest frame that is owed.
    pub oldest: Option<(u64, Stamp, u64)>,
}

/// All queues of a log: one for each of so many backends, then the parked ones.
pub fn debts(view: &LogView, backends: usize) -> Result<Vec<Debt>, Error> {
    let none = Checkpoint::default();
    let checkpoint = view.checkpoint.as_ref().unwrap_or(&none);
    let all = 0..u16::try_from(backends).unwrap_or(u16::MAX);
    let mut debts: Vec<Debt> = all.map(|at| Debt::none(checkpoint, BackendId(at), b"")).collect();
    for mark in checkpoint.marks.iter().filter(|mark| !mark.tag.is_empty()) {
        debts.push(Debt::none(checkpoint, mark.backend, &mark.tag));
    }
    let from = debts.iter().map(|debt| debt.cursor).min().unwrap_or(0);
    each_frame(view, from, |frame| {
        for run in &frame.runs {
            for backend in run.targets {
                let Some(queue) = checkpoint.owes(*backend, frame.number(), run.tag) else {
                    continue;
                };
                let ours = |debt: &&mut Debt| debt.backend == *backend && *debt.tag == *queue;
                if let Some(debt) = debts.iter_mut().find(ours) {
                    debt.add(frame, &run);
                }
            }
        }
        Ok(())
    })?;
    Ok(debts)
}

/// Shows every run that a log owes a backend, in the order of its frames.
pub fn each_owed(
    view: &LogView,
    backend: BackendId,
    mut show: impl FnMut(&Frame, &Run<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let none = Checkpoint::default();
    let checkpoint = view.checkpoint.as_ref().unwrap_or(&none);
    each_frame(view, 0, |frame| {
        let ours = frame.runs.iter().filter(|run| run.targets.contains(&backend));
        for run in ours {
            if checkpoint.owes(backend, frame.number(), run.tag).is_some() {
                show(frame, &run)?;
            }
        }
        Ok(())
    })
}

fn each_frame(
    view: &LogView,
    from: u64,
    mut show: impl FnMut(&Frame) -> Result<(), Error>,
) -> Result<(), Error> {
    for segment in &view.segments {
        if segment.footer.as_ref().is_some_and(|footer| footer.last_frame < from) {
            continue;
        }
        for finding in segment.findings() {
            if let Finding::Frame { frame, .. } = finding? {
                show(&frame)?;
            }
        }
    }
    Ok(())
}

impl Debt {
    fn none(checkpoint: &Checkpoint, backend: BackendId, tag: &[u8]) -> Debt {
        Debt {
            backend,
            tag: Rc::from(tag),
            cursor: checkpoint.cursor(backend, tag),
            runs: 0,
            points: 0,
            statements: 0,
            bytes: 0,
            oldest: None,
        }
    }

    fn add(&mut self, frame: &Frame, run: &Run<'_>) {
        let oldest = (frame.number(), frame.stamp(), frame.header.unix_ms);
        self.oldest.get_or_insert(oldest);
        self.runs += 1;
        self.bytes += run.payload.len() as u64;
        match frame.kind {
            Kind::Lines => self.points += u64::from(run.points),
            Kind::Statement => self.statements += 1,
        }
    }
}
