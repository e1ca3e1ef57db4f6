//! Rot: a byte or the tail of a file changes while nobody looks. Nothing wrong ever comes back, what stands
//! behind the damage is still found, and the damage is counted and set aside.

use super::world::{Contents, DIRECTORY, Model, QUARANTINE, Step, World, segment_path, settings};
use crate::base::limits::PAGE;
use crate::rt::sim::{SECTOR, SimDisk};
use crate::wal::segment::Entry;
use futures_lite::future::block_on;
use std::path::Path;

/// Two full segments and one that is being filled, each frame committed alone.
pub fn small_log() -> (SimDisk, Contents) {
    let disk = SimDisk::default();
    let mut world = World::open(&disk, true, Model::default()).unwrap();
    while world.log.segments().len() < 3 || world.log.end() < 12 {
        world.step(Step::Append(3000 + 2500 * (world.log.end() % 3) as usize));
        world.step(Step::Commit);
    }
    let contents = Contents::of(&world.log);
    (disk, contents)
}

fn entries(disk: &SimDisk, segment: usize) -> Vec<Entry> {
    for number in 1..4 {
        // Without a footer, a start reads the segment and has its index.
        disk.damage(&segment_path(number), 11 * PAGE + 100, |byte| *byte ^= 1);
    }
    let world = World::open(disk, true, Model::default()).unwrap();
    let index = world.log.segments()[segment].index.borrow().clone();
    index.unwrap()
}

fn copy(disk: &SimDisk) -> SimDisk {
    disk.power_cut(true, |_| true)
}

fn set_aside(disk: &SimDisk) -> usize {
    disk.paths().iter().filter(|path| path.parent() == Some(Path::new(QUARANTINE))).count()
}

/// Opens, reads, and says which frames are gone; checks that all others came back unchanged.
pub fn lost(disk: &SimDisk, whole: &Contents) -> (Vec<u64>, u64, Contents) {
    let opened = block_on(crate::wal::open(settings(disk, true))).unwrap();
    let found = Contents::of(&opened.log);
    for frame in &found.frames {
        assert!(whole.frames.contains(frame), "frame {frame:?} was never written so");
    }
    let held = |number: &u64| found.frames.iter().any(|(held, _, _)| held == number);
    let numbers = whole.frames.iter().map(|(number, _, _)| *number);
    let lost = numbers.filter(|number| !held(number)).collect();
    (lost, opened.found.damaged_frames, found)
}

#[test]
fn a_flipped_byte_costs_at_most_its_frame_which_is_counted_and_set_aside() {
    let (disk, whole) = small_log();
    for segment in 0..3 {
        let entries = entries(&copy(&disk), segment);
        let last_of_all = whole.frames.last().unwrap().0;
        for footers in [true, false] {
            for position in (0..12 * PAGE).step_by(SECTOR).map(|at| at + 13) {
                let disk = copy(&disk);
                if !footers {
                    for number in 1..4 {
                        disk.damage(&segment_path(number), 11 * PAGE + 5, |byte| *byte ^= 4);
                    }
                }
                disk.damage(&segment_path(segment as u64 + 1), position, |byte| *byte ^= 0x40);
                let (lost, counted, found) = lost(&disk, &whole);
                let hit = entries.iter().find(|entry| {
                    (entry.offset as usize..(entry.offset + entry.bytes) as usize)
                        .contains(&position)
                });
                let allowed = hit.map(|entry| entry.number);
                assert!(
                    lost.iter().all(|number| Some(*number) == allowed),
                    "byte {position} of segment {segment} took {lost:?} with it"
                );
                let Some(gone) = lost.first() else { continue };
                if *gone == last_of_all {
                    continue; // Like a torn last write: nobody can tell.
                }
                let told = found.damaged.iter().any(|numbers| numbers.contains(gone));
                assert!(told, "byte {position} of segment {segment}: a reader is told of {gone}");
                let at_the_end = entries.last().map(|entry| entry.number) == Some(*gone);
                assert!(footers || counted == 1, "{counted} counted");
                assert!(set_aside(&disk) == 1 || (!footers && at_the_end), "a copy is kept");
            }
        }
    }
}

#[test]
fn who_begins_at_the_stamp_of_a_lost_frame_is_told_of_it() {
    let (disk, _) = small_log();
    for segment in 0..2 {
        for entry in entries(&copy(&disk), segment) {
            let disk = copy(&disk);
            let position = entry.offset as usize + 90;
            assert!(disk.damage(&segment_path(segment as u64 + 1), position, |byte| *byte ^= 1));
            let opened = block_on(crate::wal::open(settings(&disk, true))).unwrap();
            let first = block_on(opened.log.first_at(entry.stamp)).unwrap();
            assert_eq!(first, entry.number, "segment {segment}");
        }
    }
}

#[test]
fn a_truncated_segment_loses_only_what_was_cut_off() {
    let (disk, whole) = small_log();
    for segment in 0..3 {
        let entries = entries(&copy(&disk), segment);
        for bytes in (PAGE..12 * PAGE).step_by(SECTOR) {
            let disk = copy(&disk);
            disk.truncate(&segment_path(segment as u64 + 1), bytes);
            let (lost, counted, _) = lost(&disk, &whole);
            for number in &lost {
                let entry = entries.iter().find(|entry| entry.number == *number);
                let entry = entry.expect("only frames of this segment are lost");
                let end = (entry.offset + entry.bytes) as usize;
                assert!(end > bytes, "frame {number} was not cut off");
            }
            // The end of the last segment is like a torn write: nobody can tell.
            let told = if segment == 2 { 0 } else { lost.len() as u64 };
            assert_eq!(counted, told, "segment {segment} cut at {bytes}");
        }
    }
}

#[test]
fn one_rotten_header_page_costs_nothing_and_two_cost_the_segment_which_is_kept() {
    let (disk, whole) = small_log();
    for page in [0, PAGE] {
        let disk = copy(&disk);
        disk.damage(&segment_path(2), page + 9, |byte| *byte ^= 1);
        assert_eq!(lost(&disk, &whole).0, [0u64; 0]);
    }
    // The page of another segment, whole, but in the wrong place.
    let other = disk.bytes(&segment_path(1)).unwrap();
    for page in [0, PAGE] {
        let disk = copy(&disk);
        for (at, value) in other[..PAGE].iter().enumerate() {
            disk.damage(&segment_path(2), page + at, |byte| *byte = *value);
        }
        assert_eq!(lost(&disk, &whole).0, [0u64; 0], "page {page}");
    }
    for segment in 0..3 {
        let numbers = entries(&copy(&disk), segment);
        let disk = copy(&disk);
        disk.damage(&segment_path(segment as u64 + 1), 9, |byte| *byte ^= 1);
        disk.damage(&segment_path(segment as u64 + 1), PAGE + 9, |byte| *byte ^= 1);
        let opened = block_on(crate::wal::open(settings(&disk, true))).unwrap();
        assert_eq!(opened.found.damaged_segments, 1);
        assert!(opened.found.damaged_frames > 0);
        assert_eq!(set_aside(&disk), 1);
        let found = Contents::of(&opened.log);
        let expected = whole
            .frames
            .iter()
            .filter(|(number, _, _)| numbers.iter().all(|entry| entry.number != *number));
        assert_eq!(found.frames, expected.cloned().collect::<Vec<_>>());
        let told = found.damaged.iter().any(|lost| lost.contains(&numbers[0].number));
        assert!(told || segment == 2, "a reader is told");
    }
}

#[test]
fn rot_in_a_commit_of_several_frames_is_damage_once_a_later_commit_stands_behind_it() {
    let disk = SimDisk::default();
    let mut world = World::open(&disk, true, Model::default()).unwrap();
    for step in [Step::Append(16), Step::Statement(16), Step::Statement(16), Step::Commit] {
        world.step(step);
    }
    world.play(&[Step::Append(16), Step::Commit]);
    drop(world);
    disk.damage(&segment_path(1), 2 * PAGE + 80, |byte| *byte ^= 1);
    let opened = block_on(crate::wal::open(settings(&disk, true))).unwrap();
    assert_eq!(opened.found.damaged_frames, 1);
    let contents = Contents::of(&opened.log);
    assert_eq!(contents.turns(), [2, 3, 4]);
    assert_eq!(contents.damaged, std::slice::from_ref(&(1..2)));
}

#[test]
fn the_footer_is_only_an_accelerator() {
    let (disk, whole) = small_log();
    let expect = |disk: &SimDisk| {
        let opened = block_on(crate::wal::open(settings(disk, true))).unwrap();
        assert_eq!(Contents::of(&opened.log), whole);
        let shares = opened.log.segments();
        let shares = shares.iter().map(|segment| segment.shares.borrow().clone());
        (
            opened.found.frames,
            opened.found.highest_stamp,
            opened.log.end(),
            shares.collect::<Vec<_>>(),
        )
    };
    let with = expect(&copy(&disk));
    for damaged in 0..8 {
        let disk = copy(&disk);
        for number in (0..3).filter(|number| damaged >> number & 1 == 1) {
            for byte in 0..PAGE {
                disk.damage(&segment_path(number + 1), 11 * PAGE + byte, |byte| *byte = 0);
            }
        }
        assert_eq!(expect(&disk), with);
    }
    // A footer of another life, or one that claims frames of the next segment, is not believed.
    let disk = copy(&disk);
    let other = disk.bytes(&segment_path(1)).unwrap()[11 * PAGE..].to_vec();
    for (at, value) in other.iter().enumerate() {
        disk.damage(&segment_path(2), 11 * PAGE + at, |byte| *byte = *value);
    }
    assert_eq!(expect(&disk), with);
}

#[test]
fn a_log_of_another_node_is_refused_and_left_alone() {
    let (disk, _) = small_log();
    let mut other = settings(&disk, true);
    other.node = [8; 16];
    let before = disk.paths();
    let error = block_on(crate::wal::open(other)).unwrap_err();
    assert!(error.to_string().contains("another node"), "{error}");
    assert_eq!(disk.paths(), before);
    assert_eq!(set_aside(&disk), 0);
    assert!(disk.paths().iter().any(|path| path.starts_with(DIRECTORY)));
}
