//! Packed segments: what they keep, where it is found, what a crash and rot make of them.

use super::world::{Contents, DIRECTORY, Model, Step, World, is_kept, segment_path, start};
use crate::base::ids::BackendId;
use crate::base::limits::PAGE;
use crate::rt::sim::{Fault, SECTOR, SimDisk};
use crate::wal::Error;
use crate::wal::format::SEGMENT_HEADER_BYTES;
use crate::wal::pack::Spilled;
use crate::wal::segment::{PACKING_NAME, Segment};
use futures_lite::future::{block_on, poll_once};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

/// A log of several closed segments, with small frames, large ones and a statement.
fn filled(disk: &SimDisk) -> World {
    let mut world = World::open(disk, true, Model::default()).unwrap();
    for turn in 0..40usize {
        world.step(match turn % 8 {
            7 => Step::Statement(30),
            3 => Step::Append(2 * PAGE),
            _ => Step::Append(40 + turn),
        });
        if turn % 3 == 2 {
            world.step(Step::Append(500));
        }
        world.step(Step::Commit);
    }
    assert!(world.log.segments().len() > 4, "{}", world.log.segments().len());
    world
}

fn pack(world: &World, count: usize) -> Option<Spilled> {
    try_pack(world, count).unwrap()
}

fn try_pack(world: &World, count: usize) -> Result<Option<Spilled>, Error> {
    let first = world.log.segments()[0].number();
    let keeps = |_: &crate::wal::Frame, run: &crate::wal::Run| run.targets.contains(&BackendId(0));
    block_on(world.log.pack(first, count, Vec::new(), keeps))
}

/// A log whose first three segments are packed, and that has ended.
struct Packed {
    disk: SimDisk,
    packed: Rc<Segment>,
    kept: Contents,
    path: PathBuf,
    /// The bytes of the packed segment.
    whole: Vec<u8>,
}

fn packed() -> Packed {
    let disk = SimDisk::default();
    let world = filled(&disk);
    pack(&world, 3).unwrap();
    let packed = world.log.segments()[0].clone();
    let path = segment_path(packed.number());
    let whole = disk.bytes(&path).unwrap();
    Packed { kept: Contents::of(&world.log), disk, packed, path, whole }
}

/// Frames that a reader was told are lost.
fn told(contents: &Contents) -> BTreeSet<u64> {
    contents.damaged.iter().flat_map(|range| range.clone()).collect()
}

fn end_of(segment: &Rc<Segment>) -> u64 {
    segment.end_frame.get()
}

/// What must be there when frames below `end` were packed.
fn expected(all: &Contents, end: u64) -> Vec<(u64, u64, Vec<u64>)> {
    let keep = |(number, stamp, turns): &(u64, u64, Vec<u64>)| {
        let kept = turns.iter().copied().filter(|turn| *number >= end || is_kept(*turn));
        (*number, *stamp, kept.collect::<Vec<_>>())
    };
    all.frames.iter().map(keep).filter(|(_, _, turns)| !turns.is_empty()).collect()
}

#[test]
fn a_packed_segment_keeps_what_is_owed_under_its_old_numbers_and_gives_the_rest_back() {
    let disk = SimDisk::default();
    let world = filled(&disk);
    let all = Contents::of(&world.log);
    let end = end_of(&world.log.segments()[2]);
    let before = world.log.disk_bytes();
    let spilled = pack(&world, 3).unwrap();
    assert_eq!(spilled.segments, 3);
    assert!(spilled.bytes_after * 2 < spilled.bytes_before, "{spilled:?}");
    assert_eq!(world.log.disk_bytes(), before + spilled.bytes_after - spilled.bytes_before);
    assert_eq!(world.log.packed_bytes(), spilled.bytes_after);
    let kept = Contents::of(&world.log);
    assert_eq!(kept.frames, expected(&all, end));
    assert_eq!(kept.damaged, []);
    // Packed together with younger ones, it is as if all had been packed at once.
    let end = end_of(&world.log.segments()[1]);
    assert_eq!(pack(&world, 2).unwrap().segments, 2);
    let kept = Contents::of(&world.log);
    assert_eq!(kept.frames, expected(&all, end));
    for (number, stamp, _) in &kept.frames {
        assert_eq!(
            block_on(world.log.first_at(crate::base::time::Stamp(*stamp))).unwrap(),
            *number
        );
    }
    drop(world);
    let opened = start(&disk);
    assert_eq!(Contents::of(&opened.log), kept);
    assert_eq!(opened.found.damaged_frames, 0);
}

#[test]
fn a_segment_of_which_nothing_is_owed_is_packed_to_nothing() {
    let disk = SimDisk::default();
    let world = filled(&disk);
    let all = Contents::of(&world.log);
    let end = end_of(&world.log.segments()[1]);
    let first = world.log.segments()[0].number();
    block_on(world.log.pack(first, 2, Vec::new(), |_, _| false)).unwrap().unwrap();
    let kept = Contents::of(&world.log);
    assert_eq!(kept.frames, all.frames[all.frames.partition_point(|(at, ..)| *at < end)..]);
    drop(world);
    let opened = start(&disk);
    assert_eq!((Contents::of(&opened.log), opened.found.damaged_frames), (kept, 0));
}

#[test]
fn without_its_footer_a_packed_segment_is_the_same() {
    let disk = SimDisk::default();
    let world = filled(&disk);
    pack(&world, 3).unwrap();
    let packed = world.log.segments()[0].clone();
    let (kept, shares) = (Contents::of(&world.log), packed.shares.borrow().clone());
    drop(world);
    let path = segment_path(packed.number());
    let mut bytes = disk.bytes(&path).unwrap();
    let at = bytes.len() - PAGE;
    bytes[at + 9] ^= 1;
    disk.put(&path, bytes);
    let opened = start(&disk);
    assert_eq!(Contents::of(&opened.log), kept);
    assert_eq!(*opened.log.segments()[0].shares.borrow(), shares);
    assert_eq!(opened.found.damaged_frames, 0);
}

#[test]
fn case_k_what_a_packed_segment_stands_for_is_removed_at_the_next_start() {
    let disk = SimDisk::default();
    let world = filled(&disk);
    let old: Vec<u64> = world.log.segments().iter().take(3).map(|one| one.number()).collect();
    let bytes: Vec<Vec<u8>> =
        old.iter().map(|number| disk.bytes(&segment_path(*number)).unwrap()).collect();
    pack(&world, 3).unwrap();
    let kept = Contents::of(&world.log);
    drop(world);
    for (number, bytes) in old.iter().zip(bytes).take(2) {
        disk.put(&segment_path(*number), bytes);
    }
    let opened = start(&disk);
    assert_eq!(Contents::of(&opened.log), kept);
    assert_eq!(opened.found.damaged_frames, 0);
    assert!(
        disk.bytes(&segment_path(old[0])).is_none() && disk.bytes(&segment_path(old[1])).is_none()
    );
}

/// Cases I and J.
#[test]
fn rot_anywhere_in_a_packed_segment_costs_its_frames_and_is_told() {
    let Packed { disk, packed, kept, path, whole } = packed();
    let end = packed.header.packed.unwrap().end;
    let mut costly = 0;
    for at in (SEGMENT_HEADER_BYTES..whole.len()).step_by(SECTOR / 8) {
        for shape in ["flip", "zeros"] {
            let mut rotten = whole.clone();
            let sector = at / SECTOR * SECTOR;
            match shape {
                "flip" => rotten[at] ^= 0x20,
                _ => rotten[sector..sector + SECTOR].fill(0),
            }
            if rotten == whole {
                continue;
            }
            let fresh = disk.power_cut(true, |_| true);
            fresh.put(&path, rotten);
            let opened = start(&fresh);
            let found = Contents::of(&opened.log);
            let told = told(&found);
            for frame in &kept.frames {
                let is_there = found.frames.contains(frame);
                assert!(is_there || told.contains(&frame.0), "{shape} at {at}: {frame:?} is gone");
            }
            for frame in &found.frames {
                assert!(kept.frames.contains(frame), "{shape} at {at}: {frame:?} was never there");
            }
            costly += usize::from(!told.is_empty());
            assert!(at as u64 >= end || !told.is_empty() || shape == "flip", "{shape} at {at}");
        }
    }
    assert!(costly > 20, "{costly}");
}

#[test]
fn a_truncated_packed_segment_loses_only_what_was_cut_off() {
    let Packed { disk, kept, path, whole, .. } = packed();
    for len in (SEGMENT_HEADER_BYTES..whole.len()).step_by(SECTOR) {
        let fresh = disk.power_cut(true, |_| true);
        fresh.put(&path, whole[..len].to_vec());
        let found = Contents::of(&start(&fresh).log);
        let told = told(&found);
        for frame in &kept.frames {
            assert!(found.frames.contains(frame) != told.contains(&frame.0), "{len}: {frame:?}");
        }
    }
}

#[test]
fn what_is_damaged_is_not_packed_so_that_each_queue_finds_it() {
    let disk = SimDisk::default();
    let world = filled(&disk);
    let number = world.log.segments()[1].number();
    drop(world);
    let mut bytes = disk.bytes(&segment_path(number)).unwrap();
    bytes[SEGMENT_HEADER_BYTES + 100] ^= 1;
    disk.put(&segment_path(number), bytes);
    let world = World::open(&disk, true, Model::default()).unwrap();
    let all = Contents::of(&world.log);
    assert_ne!(all.damaged, []);
    let spilled = pack(&world, 4);
    assert!(spilled.is_none_or(|spilled| spilled.segments == 1), "{spilled:?}");
    assert_eq!(Contents::of(&world.log).damaged, all.damaged);
}

#[test]
fn a_failure_at_any_moment_does_not_hinder_the_next_packing() {
    let disk = SimDisk::default();
    let world = filled(&disk);
    let before = disk.operations();
    pack(&world, 3).unwrap();
    let operations = disk.operations() - before;
    let mut failed = 0;
    for at in 1..=operations {
        let disk = SimDisk::default();
        let world = filled(&disk);
        let all = Contents::of(&world.log);
        disk.plant(before + at, Fault::InputOutput);
        failed += usize::from(try_pack(&world, 3).is_err());
        let again = try_pack(&world, 3);
        assert!(again.is_ok(), "operation {at}: {again:?}");
        let kept = Contents::of(&world.log);
        assert_eq!(kept.damaged, [], "operation {at}");
        let is_owed = |turn: &u64| is_kept(*turn);
        let owed = |contents: &Contents| contents.turns().into_iter().filter(is_owed).collect();
        let (kept, all): (Vec<u64>, Vec<u64>) = (owed(&kept), owed(&all));
        assert_eq!(kept, all, "operation {at}");
        let left = disk.paths().iter().any(|path| path.ends_with(PACKING_NAME));
        assert!(!left, "operation {at}");
    }
    assert!(failed > 5, "{failed} of {operations}");
}

#[test]
fn while_a_copy_is_made_nothing_of_it_is_given_up() {
    let disk = SimDisk::default();
    let world = filled(&disk);
    let first = world.log.segments()[0].clone();
    first.is_being_packed.set(true);
    assert_eq!(block_on(world.log.free(|_| true)).unwrap(), 0);
    first.is_being_packed.set(false);
    assert!(block_on(world.log.free(|_| true)).unwrap() > 0);
}

#[test]
fn what_is_being_given_up_is_not_packed() {
    let disk = SimDisk::default();
    let world = filled(&disk);
    let first = world.log.segments()[0].number();
    disk.be_slow();
    let mut freeing = Box::pin(world.log.free(|segment| segment.number() == first));
    assert!(block_on(poll_once(&mut freeing)).is_none());
    assert_eq!(pack(&world, 3), None);
    assert_eq!(block_on(freeing).unwrap(), 1);
    assert_eq!(pack(&world, 3).unwrap().segments, 3);
    assert!(world.log.segments().iter().all(|segment| !segment.is_being_packed.get()));
}

#[test]
fn indexes_that_nobody_reads_are_forgotten_and_found_again() {
    let disk = SimDisk::default();
    let world = filled(&disk);
    let all = Contents::of(&world.log);
    world.log.forget_indexes();
    world.log.forget_indexes();
    let segments = world.log.segments();
    let known = segments.iter().filter(|segment| segment.index.borrow().is_some()).count();
    assert_eq!(known, 1, "only the open one");
    assert_eq!(Contents::of(&world.log), all);
    let names = disk.paths();
    assert!(names.iter().all(|path| path.starts_with(DIRECTORY)), "{names:?}");
}
