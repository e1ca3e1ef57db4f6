//! A disk that lies: a write that it confirms is lost in part or lands elsewhere, and a read comes from
//! elsewhere or fails. Nobody can find what is not there; but nothing wrong comes back, nothing else is
//! lost, and what is lost is told.
//!
//! Only one thing may be lost without a word: the last commit of all, behind which nothing stands. It looks
//! like a torn write.

use super::crash::{State, copy, slow};
use super::world::{Choices, Contents, Model, STALE_TURNS, Step, World, script};
use crate::rt::sim::{Fault, Lie, ReadFault, SimDisk};
use std::ops::Range;

const LIES: [Lie; 8] = [
    Lie::Lost,
    Lie::LostFirst,
    Lie::LostLast,
    Lie::Pages(1),
    Lie::Pages(-1),
    Lie::Pages(3),
    Lie::Pages(-4),
    Lie::OtherFile,
];

/// Plays a script on a disk, which may have a fault planted.
fn play(disk: &SimDisk, seed: u64, commits: usize) -> Model {
    let Ok(mut world) = World::open(disk, true, Model::default()) else {
        return Model::default();
    };
    world.play(&script(seed, commits));
    // Reading may meet the planted power cut, too: damage is set aside.
    if let Ok(contents) = Contents::try_of(&world.log)
        && !disk.stopped()
    {
        nothing_wrong(&contents, &world.model);
        told(&world, &contents, &world.model, &[]);
    }
    world.model
}

/// I2 and I3: what came back was appended by somebody, and stands where it was put.
fn nothing_wrong(contents: &Contents, model: &Model) {
    for (number, _, turns) in &contents.frames {
        for turn in turns {
            assert!(*turn < STALE_TURNS, "I8: turn {turn} of an earlier life came back");
            assert!(*turn <= model.turns, "I3: nobody appended turn {turn}");
            let at = model.acknowledged.get(turn).unwrap_or(number);
            assert_eq!(at, number, "I2: turn {turn} moved");
        }
    }
}

/// I1: what was acknowledged is there, or it is told that it is not; but for the last commit. `known` was
/// told by an earlier start.
fn told(world: &World, contents: &Contents, must: &Model, known: &[Range<u64>]) {
    let held = |number: u64| contents.frames.iter().any(|(held, _, _)| *held == number);
    let is_told =
        |number: u64| contents.damaged.iter().chain(known).any(|lost| lost.contains(&number));
    let last = must.last_commit;
    for (turn, number) in must.synced.iter().filter(|(turn, at)| must.is_due(**turn, **at)) {
        let is_last = *number >= last;
        let is_counted = is_told(*number) || world.found.damaged_segments > 0;
        assert!(
            held(*number) || is_counted || is_last,
            "I1: turn {turn} of frame {number} is lost without a word; the last commit is {last}; \
             {contents:?}"
        );
    }
}

/// Everything that holds on a disk that has lied. Gives whether it cost anything.
fn check(disk: &SimDisk, model: &Model, known: &[Range<u64>]) -> bool {
    let mut world = World::open(disk, true, model.clone()).unwrap();
    let first = Contents::of(&world.log);
    nothing_wrong(&first, model);
    told(&world, &first, model, known);
    assert!(
        world.mark == 0 || model.marks.contains(&world.mark),
        "I6: {} was found and never written",
        world.mark
    );
    let is_lossy = !first.damaged.is_empty() || world.found.damaged_segments > 0;
    let again = World::open(disk, true, model.clone()).unwrap();
    assert_eq!(Contents::of(&again.log).frames, first.frames, "I7: the second start differs");
    drop(again);
    for step in [Step::Append(50), Step::Statement(20), Step::Commit, Step::Append(9000)] {
        world.step(step);
    }
    world.step(Step::Commit);
    let after = Contents::of(&world.log);
    assert!(after.turns().ends_with(&[model.turns + 1, model.turns + 2, model.turns + 3]));
    drop(world);
    let found = World::open(disk, true, model.clone()).unwrap();
    assert_eq!(Contents::of(&found.log).frames, after.frames, "the start after the next");
    is_lossy
}

#[test]
pub fn a_write_that_is_lost_or_lands_elsewhere_is_told_and_costs_nothing_else() {
    let (mut states, mut lossy) = (0, 0);
    for seed in if slow() { 81..=96 } else { 81..=82 } {
        let whole = SimDisk::default();
        play(&whole, seed, 16);
        for at in 1..=whole.operations() {
            for lie in LIES {
                let _state = State(format!("seed {seed}: {lie:?} at operation {at}"));
                let disk = SimDisk::default();
                disk.plant(at, Fault::Lie(lie));
                let model = play(&disk, seed, 16);
                lossy += usize::from(check(&copy(&disk), &model, &[]));
                states += 1;
            }
        }
    }
    println!("{states} states after lies, {lossy} of them with losses that were told");
    assert!(states >= 1000 && lossy * 20 > states, "{lossy} of {states} states");
}

/// Where a read may come from.
fn sources() -> impl Iterator<Item = ReadFault> {
    let elsewhere = [Lie::Pages(1), Lie::Pages(-1), Lie::Pages(4), Lie::OtherFile];
    let pages = (0..9)
        .flat_map(move |page| elsewhere.map(move |from| ReadFault::Misdirected { page, from }));
    std::iter::once(ReadFault::InputOutput).chain(pages)
}

#[test]
pub fn a_read_that_fails_or_comes_from_elsewhere_brings_nothing_wrong_and_hides_nothing_for_long() {
    let mut states = 0;
    for seed in if slow() { 101..=116 } else { 101..=102 } {
        // Several commits stand behind the last cursors, which would tell of their loss.
        let whole = SimDisk::default();
        let model = play(&whole, seed, 20);
        let counted = copy(&whole);
        Contents::of(&World::open(&counted, true, model.clone()).unwrap().log);
        for at in 1..=counted.reads() {
            for fault in sources() {
                let _state = State(format!("seed {seed}: {fault:?} at read {at}"));
                let disk = copy(&whole);
                disk.plant_reads(at..at + 1, fault);
                let known = look(&disk, &model, fault);
                let is_lossy = check(&disk, &model, &known);
                assert!(
                    fault != ReadFault::InputOutput || !is_lossy,
                    "what could not be read once is not lost"
                );
                states += 1;
            }
        }
    }
    println!("{states} states after bad reads");
    assert!(states >= 300, "only {states} states");
}

/// Opens and reads a log while its disk misbehaves. Gives what it told as lost.
fn look(disk: &SimDisk, model: &Model, fault: ReadFault) -> Vec<Range<u64>> {
    let world = match World::open(disk, true, model.clone()) {
        Ok(world) => world,
        Err(error) => {
            assert_eq!(fault, ReadFault::InputOutput, "{error}");
            return Vec::new();
        }
    };
    let Ok(contents) = Contents::try_of(&world.log) else {
        assert_eq!(fault, ReadFault::InputOutput);
        // Asked again, it reads what it could not read.
        let contents = Contents::of(&world.log);
        nothing_wrong(&contents, model);
        return Vec::new();
    };
    nothing_wrong(&contents, model);
    told(&world, &contents, model, &[]);
    assert_eq!(world.found.damaged_segments, 0, "one page never costs a segment");
    contents.damaged
}

#[test]
fn a_lie_and_then_a_power_cut_bring_nothing_wrong() {
    let mut states = 0;
    for seed in if slow() { 121..=140 } else { 121..=121 } {
        let whole = SimDisk::default();
        play(&whole, seed, 14);
        let operations = whole.operations();
        for at in 1..=operations {
            let mut choices = Choices(seed * 1000 + at);
            for lie in LIES {
                let disk = SimDisk::default();
                let cut = at + 1 + choices.below(40);
                disk.plant_two([(at, Fault::Lie(lie)), (cut, Fault::PowerCut)]);
                let _state =
                    State(format!("seed {seed}: {lie:?} at {at}, the power goes at {cut}"));
                let model = play(&disk, seed, 14);
                let names_survive = choices.below(2) == 1;
                let after = disk.power_cut(names_survive, |_| choices.below(2) == 1);
                check(&after, &model, &[]);
                states += 1;
            }
        }
    }
    println!("{states} states after lies and power cuts");
    assert!(states >= 500, "only {states} states");
}
