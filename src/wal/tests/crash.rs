//! A script is run once to count the disk's operations, then again with a fault at each of them. After
//! each, the next start must find what the model says. `SLOW_TESTS=1` tries many more outcomes.
//!
//! Here the disk is honest: what fails says so. `lies` has the disk that does not.

use super::world::{
    Choices, Contents, DIRECTORY, Model, STALE_TURNS, Step, World, checkpoint, script, stale_disk,
    start,
};
use crate::rt::sim::{Fault, SimDisk};
use futures_lite::future::block_on;
use std::collections::BTreeMap;
use std::ops::Range;

pub fn slow() -> bool {
    std::env::var_os("SLOW_TESTS").is_some_and(|value| value == "1")
}

/// One way to run the script.
#[derive(Clone, Debug)]
struct Run {
    seed: u64,
    commits: usize,
    sync_each_commit: bool,
    /// Every file was used before.
    is_stale: bool,
    fault: Option<(Range<u64>, Fault)>,
}

impl Run {
    fn new(seed: u64, commits: usize) -> Run {
        Run { seed, commits, sync_each_commit: true, is_stale: false, fault: None }
    }

    fn lazy(seed: u64, commits: usize) -> Run {
        Run { sync_each_commit: false, ..Run::new(seed, commits) }
    }

    fn play(&self) -> (SimDisk, Model) {
        let disk = match self.is_stale {
            true => stale_disk(self.seed, self.commits),
            false => SimDisk::default(),
        };
        if let Some((at, fault)) = &self.fault {
            disk.plant_many(at.clone(), *fault);
        }
        let model = match World::open(&disk, self.sync_each_commit, Model::default()) {
            Ok(mut world) => {
                world.play(&script(self.seed, self.commits));
                if !disk.stopped() {
                    holds(&Contents::of(&world.log), &world.model.acknowledged, &world.model);
                }
                world.model
            }
            Err(_) => Model::default(),
        };
        (disk, model)
    }
}

/// Tells which state it was when a law is broken.
pub struct State(pub String);

impl Drop for State {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the failing state: {}", self.0);
        }
    }
}

/// A copy of a disk as it is, with nothing left in a cache.
pub fn copy(disk: &SimDisk) -> SimDisk {
    disk.power_cut(true, |_| true)
}

/// Checks every law on a disk that a start finds. `must` is what was promised to be there.
fn check(disk: &SimDisk, run: &Run, model: &Model, power_cut: bool) {
    let must = if power_cut { &model.synced } else { &model.acknowledged };
    let mut world = World::open(disk, run.sync_each_commit, model.clone()).unwrap();
    let first = Contents::of(&world.log);
    holds(&first, must, model);
    for (number, _, turns) in &first.frames {
        for turn in turns {
            assert!(*turn < STALE_TURNS, "I8: turn {turn} of an earlier life came back");
            assert!(*turn <= model.turns, "I3: nobody appended turn {turn}");
            let at = model.acknowledged.get(turn).unwrap_or(number);
            assert_eq!(at, number, "I2: turn {turn} moved");
        }
    }
    no_damage(&world, &first, run, model);
    // I7: opening once more finds the same.
    let again = World::open(disk, run.sync_each_commit, model.clone()).unwrap();
    assert_eq!(Contents::of(&again.log), first, "I7: the second start finds something else");
    // It works again, and the next start finds that, too.
    for step in [Step::Append(50), Step::Statement(20), Step::Commit, Step::Append(9000)] {
        world.step(step);
    }
    world.step(Step::Commit);
    world.step(Step::Sync);
    let after = Contents::of(&world.log);
    assert!(after.turns().ends_with(&[model.turns + 1, model.turns + 2, model.turns + 3]));
    drop(world);
    let found = World::open(disk, run.sync_each_commit, model.clone()).unwrap();
    assert_eq!(Contents::of(&found.log).frames, after.frames, "the start after the next");
}

/// I1: everything acknowledged, but what was freed, is there.
fn holds(contents: &Contents, must: &BTreeMap<u64, u64>, model: &Model) {
    for (turn, number) in must.iter().filter(|(turn, number)| model.is_due(**turn, **number)) {
        let at = contents.frames.iter().find(|(_, _, turns)| turns.contains(turn));
        let at = at.map(|(at, _, _)| *at);
        assert_eq!(at, Some(*number), "I1: where is turn {turn}? {contents:?}");
    }
}

fn no_damage(world: &World, contents: &Contents, run: &Run, model: &Model) {
    let (mark, found) = (world.mark, &world.found);
    assert!(
        mark == model.marked || mark == model.marking,
        "I6: {mark} was found, {} was written, {} was tried",
        model.marked,
        model.marking
    );
    let end = contents.frames.last().map_or(1, |(number, _, _)| number + 1);
    if run.sync_each_commit || mark <= end {
        assert_eq!(found.damaged_frames, 0, "no damage without rot");
        assert_eq!(contents.damaged, [], "no damage without rot");
    }
    assert_eq!(found.damaged_segments, 0);
}

/// In the long run, all subsets of so many unsynced sectors survive in turn.
const SUBSETS_SECTORS_MAX: usize = 12;

/// Of more of them every beginning, every end and all but one; beyond this, some.
const EACH_SECTORS_MAX: usize = 64;

/// Which of `sectors` unsynced sectors survive.
fn outcomes(sectors: usize, choices: &mut Choices) -> Vec<Vec<bool>> {
    if sectors == 0 {
        return vec![Vec::new()];
    }
    if slow() && sectors <= SUBSETS_SECTORS_MAX {
        let all = 0..1usize << sectors;
        return all.map(|bits| (0..sectors).map(|at| bits >> at & 1 == 1).collect()).collect();
    }
    let mut outcomes = vec![vec![false; sectors], vec![true; sectors]];
    let some = |bound: usize, choices: &mut Choices| -> Vec<usize> {
        if slow() && bound <= EACH_SECTORS_MAX {
            return (0..bound).collect();
        }
        let many = if slow() { 8 } else { 2 };
        (0..many).map(|_| choices.below(bound as u64) as usize).collect()
    };
    for cut in some(sectors, choices) {
        outcomes.push((0..sectors).map(|at| at < cut).collect());
    }
    for cut in some(sectors, choices) {
        outcomes.push((0..sectors).map(|at| at >= cut).collect());
    }
    for missing in some(sectors, choices) {
        outcomes.push((0..sectors).map(|at| at != missing).collect());
    }
    for _ in 0..if slow() { 12 } else { 2 } {
        outcomes.push((0..sectors).map(|_| choices.below(2) == 1).collect());
    }
    outcomes
}

/// Cuts the power at each operation of the run; gives the number of states.
fn cut_everywhere(run: &Run) -> usize {
    let (whole, model) = run.play();
    assert!(model.acknowledged.len() > 10 && model.freed_below > 1, "the script does something");
    let mut states = 0;
    for at in 1..=whole.operations() {
        let run = Run { fault: Some((at..at + 1, Fault::PowerCut)), ..run.clone() };
        let (disk, model) = run.play();
        assert!(disk.stopped());
        let mut choices = Choices(at);
        for names_survive in [false, true] {
            for survivors in outcomes(disk.unsynced_sectors(), &mut choices) {
                let _state = State(format!("{run:?} names {names_survive} {survivors:?}"));
                let after = disk.power_cut(names_survive, |sector| survivors[sector]);
                states += cut_while_opening(&after, &run, &model, &mut choices);
                check(&after, &run, &model, true);
                states += 1;
            }
        }
    }
    states
}

/// Cuts the power again during the start that follows.
fn cut_while_opening(disk: &SimDisk, run: &Run, model: &Model, choices: &mut Choices) -> usize {
    let counted = copy(disk);
    World::open(&counted, run.sync_each_commit, Model::default()).unwrap();
    let operations = counted.operations();
    // In the short run, one cut for every fourth state.
    let at = 1 + choices.below(if slow() { operations } else { 4 * operations });
    let mut states = 0;
    if at <= operations {
        let _state = State(format!("and again at operation {at} of the start"));
        let opening = copy(disk);
        opening.plant(at, Fault::PowerCut);
        drop(World::open(&opening, run.sync_each_commit, Model::default()));
        let names_survive = choices.below(2) == 1;
        let after = opening.power_cut(names_survive, |_| choices.below(2) == 1);
        check(&after, run, model, true);
        states += 1;
    }
    states
}

/// Lets each operation of the run fail, `many` in a row; gives the number of states.
fn fail_everywhere(run: &Run, fault: Fault, many: u64) -> usize {
    let (whole, _) = run.play();
    let mut states = 0;
    for at in 1..=whole.operations() {
        let run = Run { fault: Some((at..at + many, fault)), ..run.clone() };
        let _state = State(format!("{run:?}"));
        let (disk, model) = run.play();
        // A single failure of the disk after the start never refuses anybody.
        assert!(many > 1 || model.refusals == 0, "{} turns refused", model.refusals);
        check(&copy(&disk), &run, &model, false);
        let mut choices = Choices(at);
        let names_survive = choices.below(2) == 1;
        let after = disk.power_cut(names_survive, |_| choices.below(2) == 1);
        check(&after, &run, &model, true);
        states += 2;
    }
    states
}

#[test]
pub fn what_was_acknowledged_survives_a_crash_at_every_operation() {
    let mut states = 0;
    for seed in if slow() { 1..=2 } else { 1..=1 } {
        states += cut_everywhere(&Run::new(seed, 18));
    }
    println!("{states} crash states");
    assert!(states >= if slow() { 20_000 } else { 2000 }, "only {states} states");
}

#[test]
pub fn on_used_files_a_crash_at_every_operation_brings_nothing_of_their_earlier_life() {
    let mut states = 0;
    for seed in 11..=12 {
        states += cut_everywhere(&Run { is_stale: true, ..Run::new(seed, 18) });
    }
    println!("{states} crash states on used files");
    assert!(states >= if slow() { 20_000 } else { 1500 }, "only {states} states");
}

#[test]
fn with_lazy_syncing_what_was_synced_survives_a_crash_at_every_operation() {
    let mut states = 0;
    for seed in if slow() { 21..=22 } else { 21..=21 } {
        states += cut_everywhere(&Run::lazy(seed, 18));
    }
    println!("{states} crash states with lazy syncing");
    assert!(states >= 300, "only {states} states");
}

#[test]
fn a_failure_of_the_disk_at_any_operation_loses_nothing() {
    let mut states = 0;
    for seed in if slow() { 41..=48 } else { 41..=41 } {
        for fault in [Fault::InputOutput, Fault::Full, Fault::ShortWrite] {
            for many in [1, 4] {
                states += fail_everywhere(&Run::new(seed, 16), fault, many);
            }
        }
    }
    println!("{states} states after failures");
    assert!(states >= 1000, "only {states} states");
}

#[test]
fn with_lazy_syncing_a_failure_at_any_operation_loses_nothing_that_was_released() {
    let mut states = 0;
    for seed in if slow() { 61..=68 } else { 61..=61 } {
        states += fail_everywhere(&Run::lazy(seed, 16), Fault::InputOutput, 1);
    }
    println!("{states} states after failures with lazy syncing");
    assert!(states >= 100, "only {states} states");
}

#[test]
fn crash_after_crash_nothing_of_an_earlier_life_comes_back() {
    for seed in 0..if slow() { 400 } else { 24 } {
        let sync_each_commit = seed % 2 == 0;
        let (mut disk, mut model) = (SimDisk::default(), Model::default());
        let mut choices = Choices(seed);
        for life in 0..8 {
            let _state = State(format!("seed {seed}, life {life}"));
            let mut world = World::open(&disk, sync_each_commit, model.clone()).unwrap();
            let contents = Contents::of(&world.log);
            holds(&contents, &model.synced, &model);
            if sync_each_commit {
                no_damage_at_all(&world, &contents);
            }
            // What was found is as good as acknowledged, and what was not found is lost for good.
            let found = contents.frames.iter();
            let found = found.flat_map(|(at, _, turns)| turns.iter().map(|turn| (*turn, *at)));
            world.model.acknowledged = found.collect();
            world.model.synced = world.model.acknowledged.clone();
            (world.model.marked, world.model.marking) = (world.mark, world.mark);
            let script = script(seed * 100 + life, 30);
            if choices.below(3) == 0 {
                // Only the process is killed: the disk stays as it is.
                world.play(&script[..choices.below(script.len() as u64) as usize]);
                model = world.model;
                model.synced = model.acknowledged.clone();
                continue;
            }
            disk.plant(disk.operations() + 1 + choices.below(140), Fault::PowerCut);
            world.play(&script);
            model = world.model;
            let names_survive = choices.below(2) == 1;
            let bound = 1 + choices.below(4);
            disk = disk.power_cut(names_survive, |_| choices.below(4) < bound);
        }
    }
}

fn no_damage_at_all(world: &World, contents: &Contents) {
    assert_eq!((world.found.damaged_frames, world.found.damaged_segments), (0, 0));
    assert_eq!(contents.damaged, []);
}

#[test]
fn a_freed_file_begins_no_new_life_under_its_old_name() {
    // The names after a free could not be made durable, and the power goes at some later operation.
    for later in 1..40 {
        let _state = State(format!("{later} operations later"));
        let disk = SimDisk::default();
        let mut world = World::open(&disk, true, Model::default()).unwrap();
        world.play(&script(3, 12));
        world.step(Step::Mark);
        let segments = world.log.segments().len();
        assert!(segments > 1);
        // A rename for each of them, then the sync of the directory.
        disk.plant(disk.operations() + segments as u64, Fault::InputOutput);
        block_on(world.log.free(|_| true)).unwrap_err();
        disk.plant(disk.operations() + later, Fault::PowerCut);
        world.play(&script(4, 30));
        let after = disk.power_cut(false, |_| true);
        assert!(after.paths().iter().all(|path| path.starts_with(DIRECTORY)));
        let found = World::open(&after, true, Model::default()).unwrap();
        no_damage_at_all(&found, &Contents::of(&found.log));
    }
}

#[test]
fn a_cursor_beyond_the_frames_is_never_given_to_new_frames() {
    let disk = SimDisk::default();
    let mut world = World::open(&disk, true, Model::default()).unwrap();
    world.play(&[Step::Append(20), Step::Commit]);
    block_on(world.cursors.write(&checkpoint(100))).unwrap();
    drop(world);
    let opened = start(&disk);
    assert_eq!(opened.log.end(), 100);
    let mut world = World::open(&disk, true, Model { turns: 1, ..Model::default() }).unwrap();
    world.play(&[Step::Append(20), Step::Commit]);
    let contents = Contents::of(&world.log);
    assert_eq!(contents.turns(), [1, 2]);
    assert_eq!(contents.frames[1].0, 100);
    assert_eq!(contents.damaged, std::slice::from_ref(&(2..100)));
}
