//! From the old queues to the new owners: append, make durable, then let the old queue move.

use super::source::Source;
use super::way::Way;
use crate::base::time::Stamp;
use crate::config::checked::MinFree;
use crate::ingest::batch::Checked;
use crate::ingest::group::Groups;
use crate::ingest::start::Plan;
use crate::proto::line::{Lines, Precision, Rules};
use crate::ring::{Target, TargetSetNo};
use crate::wal::{self, Frame, Kind, Log, NewRun, Run, Writer};
use std::rc::Rc;

/// Bytes that become durable together.
const STEP_BYTES: u64 = if cfg!(test) { 256 } else { 4 * 1024 * 1024 };

/// As the log holds lines: everything that any backend may take.
const RULES: Rules = Rules { precision: Precision::Nanoseconds, unsigned: true, nul_tag_key: true };

/// All that a run needs.
pub struct Work {
    pub way: Way,
    /// The first one takes what is re-routed.
    pub logs: Vec<wal::Settings>,
    pub limits: Limits,
    pub moves: bool,
}

/// How far logs and backlogs may grow. What is re-routed is on the disk twice until the next start.
#[derive(Clone, Debug)]
pub struct Limits {
    pub min_free: MinFree,
    pub logs_bytes_max: Option<u64>,
    /// For each backend the backlog beyond which the next start would drop lines.
    pub dropped_beyond: Vec<Option<u64>>,
}

/// Lines, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub lines: u64,
    pub bytes: u64,
}

/// What became of what was owed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rerouted {
    /// Circle, backend, and what it got; those that got nothing are not here.
    pub owners: Vec<(Box<str>, Box<str>, Amount)>,
    /// Of a circle that is no more, and on their way to all others: taken out.
    pub unneeded: Amount,
    pub statements: u64,
    /// Of these, kept for backends that were never told them.
    pub statements_kept: u64,
    pub damaged_frames: u64,
}

impl Rerouted {
    pub fn all(&self) -> Amount {
        let add = |sum: Amount, (_, _, more): &(_, _, Amount)| Amount {
            lines: sum.lines + more.lines,
            bytes: sum.bytes + more.bytes,
        };
        self.owners.iter().fold(Amount::default(), add)
    }
}

/// Does the whole work. An error says how much of it is done.
pub async fn all(work: Work, tell: &mut impl FnMut(u64)) -> Result<Rerouted, String> {
    let Some(first) = work.logs.first().cloned() else { return Ok(Rerouted::default()) };
    let backend = work.way.backend;
    let (mut sources, mut told) = (Vec::new(), Vec::new());
    for settings in work.logs {
        let (source, tells) = Source::open(settings, backend).await?;
        sources.push(source);
        told.push(tells);
    }
    let now = first.clock.mono();
    let plan = Plan::of(&told, now);
    for source in &mut sources {
        source.rewind(&plan).await.map_err(text)?;
    }
    let log = sources[0].log.clone();
    log.continue_stamps(plan.highest_stamp, now);
    let owed = |slot: u16| sources.iter().map(|one| one.owed_bytes(work.way.id(slot))).sum();
    let slots = u16::try_from(work.way.backends()).expect("the configuration bounds backends");
    let mut carrier = Carrier {
        owed_before: (0..slots).map(owed).collect(),
        amounts: vec![Amount::default(); usize::from(slots)],
        writer: log.writer(),
        log,
        settings: first,
        way: work.way,
        limits: work.limits,
        moves: work.moves,
        groups: Groups::default(),
        lines: Vec::new(),
        pending_bytes: 0,
        safe_lines: 0,
        done: Rerouted::default(),
    };
    match carrier.run(&mut sources, tell).await {
        Ok(()) => Ok(carrier.report(&sources)),
        Err(error) => Err(format!(
            "{error}; {} lines are re-routed already, the rest is owed as before",
            carrier.safe_lines
        )),
    }
}

/// Lives on: the thread of the command.
struct Carrier {
    way: Way,
    limits: Limits,
    moves: bool,
    /// Where everything goes.
    log: Log,
    settings: wal::Settings,
    writer: Writer,
    groups: Groups,
    lines: Vec<Checked>,
    /// Appended and not yet durable.
    pending_bytes: u64,
    /// Durable, and out of the old queues.
    safe_lines: u64,
    /// For each backend of today, what it was owed before, and what it gets.
    owed_before: Vec<u64>,
    amounts: Vec<Amount>,
    done: Rerouted,
}

impl Carrier {
    async fn run(
        &mut self,
        sources: &mut [Source],
        tell: &mut impl FnMut(u64),
    ) -> Result<(), String> {
        // The queues that were set back are durable before anything is appended, or a second run would repeat
        // what is older without what is newer.
        let mut next = oldest(sources).await?;
        self.save(sources).await?;
        while let Some(at) = next {
            let source = &mut sources[at];
            let frame = source.take().expect("its stamp was just told");
            for run in frame.runs.iter().filter(|run| source.owes(&frame, run)) {
                self.take(&frame, &run).map_err(|error| {
                    format!("frame {} of log {}: {error}", frame.number(), source.log.id())
                })?;
            }
            next = oldest(sources).await?;
            if self.pending_bytes >= STEP_BYTES {
                self.step(sources).await?;
                tell(self.safe_lines);
            }
        }
        self.step(sources).await?;
        // Both slots, so that an older one cannot bring the lines back.
        self.save(sources).await
    }

    fn take(&mut self, frame: &Frame, run: &Run<'_>) -> Result<(), String> {
        if frame.kind == Kind::Statement {
            return self.statement(run, frame.payload(run));
        }
        let circle = self.way.circle_of(run.targets).map_err(|circles| {
            format!(
                "nobody knows any more of which circle it was; name it: --circle with one of {}",
                circles.join(", ")
            )
        })?;
        match circle {
            Some(circle) => self.lines(circle, run.tag, frame.payload(run)),
            None => {
                self.done.unneeded.lines += u64::from(run.points);
                self.done.unneeded.bytes += run.payload.len() as u64;
                Ok(())
            }
        }
    }

    /// Every backend got it or is owed it, but for those that came later.
    fn statement(&mut self, run: &Run<'_>, text: &[u8]) -> Result<(), String> {
        self.done.statements += 1;
        let targets = self.way.not_told(run.targets);
        if targets.is_empty() {
            return Ok(());
        }
        self.done.statements_kept += 1;
        if self.moves {
            let appended = self.log.append_statement(run.tag, &targets, text);
            appended.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn lines(&mut self, circle: usize, tag: &Rc<[u8]>, body: &[u8]) -> Result<(), String> {
        let target = Target::from_tag(tag).ok_or("its database cannot be read")?;
        self.lines.clear();
        for line in Lines::new(body, RULES) {
            let line = line.map_err(|error| format!("a line cannot be read: {error}"))?;
            let time = line.time.ok_or("a line has no time")?;
            let owner = self.way.owner(circle, &target, &line.measurement_name());
            let from = line.head.as_ptr() as usize - body.as_ptr() as usize;
            let set = TargetSetNo(u32::from(owner));
            self.lines.push(Checked::new(body, from, line.head.len(), time.0, true, set));
        }
        let lines = std::mem::take(&mut self.lines);
        let appended = self.append(tag, body, &lines);
        self.lines = lines;
        appended
    }

    /// Groups the lines by their owners; the order within an owner is kept.
    fn append(&mut self, tag: &Rc<[u8]>, body: &[u8], lines: &[Checked]) -> Result<(), String> {
        let (room, overhead) = self.log.frame_room(tag, 1);
        let mut rest = lines;
        while !rest.is_empty() {
            let (count, _) = self.groups.count(rest, room, overhead);
            assert!(count > 0, "a line that stood in a frame fits another one");
            let (here, later) = rest.split_at(count);
            let owners: Vec<u16> = self.groups.all().iter().map(|group| slot(group.set)).collect();
            let ids: Vec<_> = owners.iter().map(|owner| [self.way.id(*owner)]).collect();
            let mut runs = Vec::new();
            for ((group, owner), id) in self.groups.all().iter().zip(&owners).zip(&ids) {
                let len = group.bytes.len();
                runs.push(NewRun { targets: id, points: group.points, len });
                let amount = &mut self.amounts[usize::from(*owner)];
                amount.lines += u64::from(group.points);
                amount.bytes += len as u64;
                self.pending_bytes += len as u64;
            }
            if self.moves {
                let groups = &mut self.groups;
                let appended =
                    self.log.append_runs(tag, &runs, |space| groups.copy(body, here, space));
                appended.map_err(|error| error.to_string())?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Makes durable what was appended; only then the old queues move past it.
    async fn step(&mut self, sources: &mut [Source]) -> Result<(), String> {
        let is_empty = !self.writer.has_work();
        if self.moves && !is_empty {
            self.look_at_room(sources).await?;
        }
        while self.writer.has_work() {
            let committed = self.writer.commit().await;
            self.writer.release(&committed.frames);
            if let Some(error) = committed.error {
                return Err(error.to_string());
            }
        }
        self.pending_bytes = 0;
        self.save(sources).await?;
        self.safe_lines = self.amounts.iter().map(|amount| amount.lines).sum();
        Ok(())
    }

    async fn save(&mut self, sources: &mut [Source]) -> Result<(), String> {
        if self.moves {
            for source in sources {
                source.save().await.map_err(text)?;
            }
        }
        Ok(())
    }

    /// Whether one more step leaves everybody within the budgets: the next start must neither refuse writes nor
    /// drop what was just re-routed.
    async fn look_at_room(&self, sources: &[Source]) -> Result<(), String> {
        let wanted = self.pending_bytes + self.settings.segment_bytes;
        let run_on = "run the gateway, which delivers it and frees the old copy, stop it, and run this again";
        let space = self.settings.disk.space(&self.settings.directory).await;
        let space = space.map_err(|error| error.to_string())?;
        if space.free < self.limits.min_free.bytes(space.whole) + wanted {
            return Err(format!(
                "less than min_free would be left of the disk: make room, or {run_on}"
            ));
        }
        let logs: u64 = sources.iter().map(|source| source.log.footprint_bytes()).sum();
        if self.limits.logs_bytes_max.is_some_and(|most| logs + wanted > most) {
            return Err(format!(
                "the logs would be beyond max_bytes: raise it for now, or {run_on}"
            ));
        }
        for (at, most) in self.limits.dropped_beyond.iter().enumerate() {
            let owed = self.owed_before[at] + self.amounts[at].bytes;
            if most.is_some_and(|most| owed > most) {
                let (circle, name) = self.way.label(u16::try_from(at).unwrap_or(u16::MAX));
                return Err(format!(
                    "the backlog of {circle}/{name} would be beyond its max_backlog_bytes, and its oldest lines \
                     would be dropped: raise it for now, or {run_on}"
                ));
            }
        }
        Ok(())
    }

    fn report(mut self, sources: &[Source]) -> Rerouted {
        for (slot, amount) in (0u16..).zip(&self.amounts).filter(|(_, amount)| amount.lines > 0) {
            let (circle, name) = self.way.label(slot);
            self.done.owners.push((circle, name, *amount));
        }
        self.done.damaged_frames = sources.iter().map(|source| source.damaged).sum();
        self.done
    }
}

/// Of all logs the one with the oldest frame that is owed.
async fn oldest(sources: &mut [Source]) -> Result<Option<usize>, String> {
    let mut best: Option<(Stamp, usize)> = None;
    for (at, source) in sources.iter_mut().enumerate() {
        if let Some(stamp) = source.front().await.map_err(text)?
            && best.is_none_or(|(oldest, _)| stamp < oldest)
        {
            best = Some((stamp, at));
        }
    }
    Ok(best.map(|(_, at)| at))
}

/// The sets of one backend are its place in the configuration.
fn slot(set: TargetSetNo) -> u16 {
    u16::try_from(set.0).expect("made from a place")
}

fn text(error: wal::Error) -> String {
    error.to_string()
}
