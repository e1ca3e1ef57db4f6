//! Worlds in which a backlog may not grow: with `reject` all that was acknowledged is delivered all the
//! same; with `drop_oldest` what is missing was counted, and the backend was marked before.

use super::backend::Model;
use super::life::Run;
use super::node::{DATA, Setup};
use super::record::Record;
use super::shape::{Ends, Shape};
use crate::base::ids::BackendId;
use crate::config::checked::{BacklogConfig, MinFree, OnFull};
use crate::ingest::budget::Limits;
use crate::ingest::checkpoint::{incomplete_path, parse_incomplete};
use crate::ingest::shed::witness;
use crate::rt::sim::SimDisk;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// What logs and backlogs may take in a world.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub backlog: BacklogConfig,
}

pub const NO_LIMIT: BacklogConfig =
    BacklogConfig { bytes_max: None, age_max: None, on_full: OnFull::Reject, replay_rate: None };

impl Shape {
    pub fn limits(&self, backends: usize) -> Limits {
        let backlog = self.budget.map_or(NO_LIMIT, |budget| budget.backlog);
        let backlogs = (0..backends).map(|at| (BackendId(u16::try_from(at).unwrap()), backlog));
        Limits {
            log_bytes_max: None,
            min_free: MinFree::Bytes(0),
            on_full: OnFull::Reject,
            spill_after: std::time::Duration::ZERO,
            backlogs: backlogs.collect(),
        }
    }

    /// Whether acknowledged points may be missing in the end.
    pub fn gives_up(&self) -> bool {
        self.budget.is_some_and(|budget| budget.backlog.on_full == OnFull::DropOldest)
    }

    /// Backends that are often away, and hardly any room for what they are owed.
    fn cramped(seed: u64, on_full: OnFull) -> Shape {
        let mut shape = Shape::plain(seed);
        (shape.trouble, shape.requests) = (3, 40);
        let backlog = BacklogConfig {
            bytes_max: Some(200 + seed % 7 * 300),
            age_max: seed.is_multiple_of(3).then_some(Duration::from_millis(700)),
            on_full,
            replay_rate: seed.is_multiple_of(5).then_some(64 << 10),
        };
        shape.budget = Some(Budget { backlog });
        shape
    }
}

/// Every acknowledged point or statement that a backend lacks was given up in the open.
pub fn what_is_missing_is_told(
    setup: &Setup,
    models: &[Rc<Model>],
    record: &Record,
    disk: &SimDisk,
) {
    let are_clean = setup.shape.lives.iter().all(|life| matches!(life.ends, Ends::Clean));
    for model in models {
        let here = |missing: &&(usize, usize)| missing.0 == model.place;
        let name = setup.name(model.place);
        let text = disk.bytes(&incomplete_path(Path::new(DATA), name));
        let flag = text.and_then(|text| parse_incomplete(std::str::from_utf8(&text).ok()?));
        let told = flag.map(|flag| flag.points);
        let given = record.given_points.borrow().iter().filter(here).count() as u64;
        for missing in record.missing_points.borrow().iter().filter(here) {
            if !record.given_points.borrow().contains(missing) {
                record.violation(format!("lost, not given up: {missing:?} (backend, point)"));
            }
        }
        if given > 0 && told.is_none() {
            record.violation(format!("backend {} gave up {given} unmarked", model.place));
        }
        // The count of what was dropped is written down later: a crash may take the last minute of it.
        if are_clean && given > told.unwrap_or(0) {
            record.violation(format!("backend {}: {given} given up, told {told:?}", model.place));
        }
        let rejected = statements(disk, name);
        for (_, number) in record.missing_statements.borrow().iter().filter(here) {
            if !rejected.contains(&format!("\"delete-{number}\"")) {
                record.violation(format!("statement {number} vanished on backend {}", model.place));
            }
        }
    }
}

/// Takes over what the product says that it gave up.
pub fn note_given_up(record: &Record) {
    for (backend, payload) in witness::take() {
        let text = String::from_utf8(payload).unwrap();
        let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
        if let Some(statement) = text.split("delete-").nth(1).and_then(number) {
            record.given_statements.borrow_mut().insert((backend.index(), statement));
        }
        for point in text.split(" v=").skip(1).filter_map(number) {
            record.given_points.borrow_mut().insert((backend.index(), point));
        }
    }
}

/// Whether a backend was to get it no more.
pub fn is_given_up(
    model: &Model,
    record: &Record,
    operation: usize,
    point: usize,
    is_statement: bool,
) -> bool {
    if is_statement {
        record.given_statements.borrow().contains(&(model.place, operation))
    } else {
        record.given_points.borrow().contains(&(model.place, point))
    }
}

/// All statements in the rejects of a backend.
fn statements(disk: &SimDisk, backend: &str) -> String {
    let directory = Path::new(DATA).join("rejects").join(backend);
    let paths = disk.paths();
    let here = paths.iter().filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        path.parent() == Some(&directory) && name.starts_with("statements-")
    });
    here.map(|path| String::from_utf8(disk.bytes(path).unwrap()).unwrap()).collect()
}

/// Plays seeds, and gives how many points went missing and how many requests found no room.
fn play(on_full: OnFull) -> (usize, usize) {
    let seeds = super::number("SEEDS").unwrap_or(24);
    drop(witness::take());
    let (mut missing, mut refused) = (0, 0);
    for seed in super::number("SEED").map_or(0..seeds, |seed| seed..seed + 1) {
        let outcome =
            Run::of(seed, Shape::cramped(seed, on_full), super::number("SEED").is_some()).play();
        if super::number("SEED").is_some() {
            println!("{}", outcome.story());
        }
        let violations = outcome.violations();
        assert!(violations.is_empty(), "{on_full:?} seed {seed}: {:?}", violations.first());
        missing += outcome.missing_points();
        refused += outcome.refused_for_room();
    }
    (missing, refused)
}

#[test]
fn a_full_backlog_loses_nothing_that_was_acknowledged() {
    let (missing, refused) = play(OnFull::Reject);
    assert_eq!(missing, 0);
    assert!(refused > 100, "only {refused} requests found no room");
}

#[test]
fn what_gives_way_to_a_budget_is_marked_and_counted() {
    let (missing, refused) = play(OnFull::DropOldest);
    assert_eq!(refused, 0, "nothing is refused");
    assert!(missing > 100, "only {missing} points gave way");
}
