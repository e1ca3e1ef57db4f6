//! What the running log promises to those who append, wait and read.

use super::world::{
    Contents, DIRECTORY, Model, Step, World, piece, segment_path, settings, tag_of, targets_of,
};
use crate::base::ids::BackendId;
use crate::base::limits::PAGE;
use crate::base::time::Stamp;
use crate::rt::sim::{Fault, SimDisk};
use crate::wal::{Item, Log, Place, Settings};
use futures_lite::future::{self, block_on, poll_once};
use std::path::Path;
use std::pin::pin;

fn world() -> (SimDisk, World) {
    let disk = SimDisk::default();
    let world = World::open(&disk, true, Model::default()).unwrap();
    (disk, world)
}

fn append(log: &Log, turn: u64, len: usize) -> Place {
    let fill = |place: &mut [u8]| place.copy_from_slice(&piece(turn, len));
    log.append(&tag_of(turn), &targets_of(turn), 1, len, fill).unwrap()
}

/// Whether somebody who waits for `place` may go on, and how.
fn waits(log: &Log, place: Place) -> Option<bool> {
    block_on(poll_once(pin!(log.durable(place)))).map(|answer| answer.is_ok())
}

#[test]
fn nobody_goes_on_before_the_release_and_everybody_after_it() {
    let (_, mut world) = world();
    let places: Vec<_> = (1..6).map(|turn| append(&world.log, turn, 2000)).collect();
    assert!(places.last().unwrap().number > places[0].number, "several frames");
    let committed = block_on(world.writer.commit());
    let later = append(&world.log, 6, 16);
    assert!(places.iter().all(|place| waits(&world.log, *place).is_none()));
    world.writer.release(&committed.frames);
    assert!(places.iter().all(|place| waits(&world.log, *place) == Some(true)));
    assert_eq!(waits(&world.log, later), None);
    let frame = committed.frames.iter().find(|frame| frame.number() == places[4].number).unwrap();
    let at = places[4].offset;
    assert_eq!(frame.bytes()[at..at + 2000], piece(5, 2000));
}

#[test]
fn what_nobody_will_read_again_leaves_memory_and_stays_on_disk() {
    let (_, mut world) = world();
    let mut places = Vec::new();
    for turn in 1..4 {
        places.push(append(&world.log, turn, 16));
        drop(world.commit());
    }
    let frames = |world: &World| world.log.hot_bytes() / PAGE;
    assert_eq!(frames(&world), 3);
    world.log.forget_hot(places[1].number);
    assert_eq!(frames(&world), 2);
    // What is not released yet is needed by whoever repairs a failing disk.
    let open = append(&world.log, 4, 16);
    let committed = block_on(world.writer.commit());
    world.log.forget_hot(open.number + 1);
    assert_eq!(frames(&world), 1);
    world.writer.release(&committed.frames);
    assert_eq!(Contents::of(&world.log).turns(), [1, 2, 3, 4]);
}

#[test]
fn what_is_refused_is_refused_for_good_though_its_number_is_given_again() {
    let (disk, mut world) = world();
    let before = append(&world.log, 1, 16);
    drop(world.commit());
    let refused = append(&world.log, 2, 16);
    let now = disk.operations();
    disk.plant_many(now + 1..now + 50, Fault::InputOutput);
    let committed = block_on(world.writer.commit());
    assert!(committed.error.is_some() && committed.frames.is_empty());
    assert!(world.log.has_failed());
    assert_eq!(waits(&world.log, refused), Some(false));
    assert!(world.log.append_statement(&tag_of(3), &targets_of(3), b"x").is_err());
    // Who only looks for work is led to the repair.
    assert!(world.writer.has_work());
    let committed = block_on(world.writer.commit());
    assert!(committed.error.is_some() && committed.frames.is_empty());
    assert!(block_on(world.writer.try_again()).is_err());
    disk.plant_many(0..0, Fault::Full);
    block_on(world.writer.try_again()).unwrap();
    let again = append(&world.log, 4, 16);
    assert_eq!(again.number, refused.number);
    let committed = block_on(world.writer.commit());
    world.writer.release(&committed.frames);
    assert_eq!(waits(&world.log, again), Some(true));
    assert_eq!(waits(&world.log, refused), Some(false));
    assert_eq!(Contents::of(&world.log).turns(), [1, 4]);
    assert_eq!(before.number + 1, again.number);
    let (temporary, left) = files(&disk);
    assert!(temporary == 0 && left <= 4, "failures leave no files behind: {:?}", disk.paths());
}

/// Files that are not segments of the log, and files of any kind but cursors.
fn files(disk: &SimDisk) -> (usize, usize) {
    let paths = disk.paths();
    let inside = paths.iter().filter(|path| path.parent() == Some(Path::new(DIRECTORY)));
    let names: Vec<_> = inside.map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    let temporary = names.iter().filter(|name| name.ends_with(".tmp")).count();
    (temporary, names.iter().filter(|name| name.ends_with(".wal")).count())
}

#[test]
fn readers_that_stand_near_each_other_read_the_disk_once() {
    let (disk, mut world) = world();
    fill_segments(&mut world, 3);
    world.log.forget_hot(u64::MAX);
    let log = world.log.clone();
    let read = |from| {
        let before = disk.reads();
        let items = block_on(log.read(from, 2 * PAGE)).unwrap();
        let numbers = items.iter().map(|item| match item {
            Item::Frame(frame) => frame.number(),
            Item::Damaged(_) => panic!("nothing is damaged"),
        });
        (numbers.collect::<Vec<_>>(), disk.reads() - before)
    };
    let (first, reads) = read(1);
    assert!(first[0] == 1 && reads == 1, "{first:?}, {reads}");
    assert_eq!(read(1), (first.clone(), 0), "the next queue");
    let last = first.last().copied().unwrap();
    assert_eq!(read(last), (vec![last], 0), "and one that stands a little further");
    let (next, reads) = read(last + 1);
    assert!(next[0] == last + 1 && reads == 1);
    // Both at once, and neither has read it yet: one of them waits for the other.
    let from = next.last().copied().unwrap() + 1;
    disk.be_slow();
    let before = disk.reads();
    let both = future::zip(log.read(from, 2 * PAGE), log.read(from, 2 * PAGE));
    let (one, other) = block_on(both);
    assert_eq!((one.unwrap().len(), disk.reads() - before), (other.unwrap().len(), 1));
}

#[test]
fn no_frame_goes_to_space_that_was_only_allocated() {
    let (disk, mut world) = world();
    let expect_filled = |world: &World| {
        for segment in world.log.segments() {
            assert_eq!(disk.hollow_sectors(&segment.path), 0, "{}", segment.path.display());
        }
    };
    fill_segments(&mut world, 3);
    expect_filled(&world);
    block_on(world.log.prepare_spare()).unwrap();
    fill_segments(&mut world, 5);
    expect_filled(&world);
    world.step(Step::Mark);
    assert!(block_on(world.log.free(|segment| segment.number() < 4)).unwrap() > 0);
    fill_segments(&mut world, 5);
    expect_filled(&world);
}

#[test]
fn a_spare_that_is_in_time_is_filled_between_the_commits() {
    let disk = SimDisk::default();
    let large = Settings { segment_bytes: 8 << 20, ..settings(&disk, true) };
    let log = block_on(crate::wal::open(large)).unwrap().log;
    let mut writer = log.writer();
    append(&log, 1, 5000);
    block_on(writer.commit());
    disk.be_slow();
    append(&log, 2, 5000);
    let hollow = || disk.paths().iter().map(|path| disk.hollow_sectors(path)).sum::<usize>();
    let (mut making, mut commit) = (pin!(log.prepare_spare()), pin!(writer.commit()));
    assert!(block_on(poll_once(commit.as_mut())).is_none());
    let mut poll = |times: usize| {
        for _ in 0..times {
            assert!(block_on(poll_once(making.as_mut())).is_none());
        }
        hollow()
    };
    let waits_at = poll(100);
    assert!(waits_at > 0, "it would be in time");
    assert_eq!(poll(100), waits_at, "the commit is not over");
    assert!(block_on(commit).error.is_none());
    assert!(poll(2) < waits_at);
    block_on(making).unwrap();
    assert_eq!(hollow(), 0);
}

#[test]
fn a_rotation_that_overtakes_a_spare_in_the_making_shares_no_file_with_it() {
    // The spare's making stops after some operations, the log rotates, and then the making goes on.
    for (recycled, polls) in (0..12).flat_map(|polls| [(false, polls), (true, polls)]) {
        let (disk, mut world) = world();
        fill_segments(&mut world, 3);
        if recycled {
            world.step(Step::Mark);
            block_on(world.log.free(|segment| segment.number() < 2)).unwrap();
        }
        disk.be_slow();
        let log = world.log.clone();
        let mut making = pin!(log.prepare_spare());
        let mut made = None;
        for _ in 0..polls {
            made = made.or_else(|| block_on(poll_once(making.as_mut())));
        }
        let segments = world.log.segments().len();
        fill_segments(&mut world, segments + 1);
        if made.is_none() {
            block_on(making).unwrap();
        }
        for more in 2..4 {
            fill_segments(&mut world, segments + more);
            block_on(log.prepare_spare()).unwrap();
        }
        let contents = Contents::of(&world.log);
        drop(world);
        let found = World::open(&disk, true, Model::default()).unwrap();
        assert_eq!(Contents::of(&found.log), contents, "recycled {recycled}, {polls} polls");
        assert_eq!(files(&disk).0, 0, "a start removes the spare");
    }
}

#[test]
fn a_rotation_takes_over_the_spare_while_the_next_one_is_made() {
    for polls in 0..30 {
        let (disk, mut world) = world();
        fill_segments(&mut world, 1);
        while world.log.0.segments.borrow()[0].end_offset.get() < 10 * PAGE as u64 {
            world.step(Step::Append(16));
            world.step(Step::Commit);
        }
        let log = world.log.clone();
        block_on(log.prepare_spare()).unwrap();
        disk.be_slow();
        append(&log, world.model.turns + 1, 8000);
        world.model.turns += 1;
        let committed = {
            let mut commit = pin!(world.writer.commit());
            let mut committed = None;
            for _ in 0..polls {
                committed = committed.or_else(|| block_on(poll_once(commit.as_mut())));
            }
            block_on(log.prepare_spare()).unwrap();
            committed.unwrap_or_else(|| block_on(commit))
        };
        assert!(committed.error.is_none());
        world.writer.release(&committed.frames);
        fill_segments(&mut world, 4);
        let contents = Contents::of(&world.log);
        drop(world);
        let found = World::open(&disk, true, Model::default()).unwrap();
        assert_eq!(Contents::of(&found.log), contents, "{polls} polls");
    }
}

fn fill_segments(world: &mut World, segments: usize) {
    while world.log.segments().len() < segments {
        world.step(Step::Append(5000));
        world.step(Step::Commit);
    }
}

#[test]
fn freed_segments_are_used_again_and_their_frames_passed_over() {
    let (disk, mut world) = world();
    fill_segments(&mut world, 4);
    world.step(Step::Mark);
    let freed = block_on(world.log.free(|_| true)).unwrap();
    assert_eq!(freed, 3, "the active one stays");
    let contents = Contents::of(&world.log);
    assert!(contents.frames[0].0 > 1 && contents.damaged.is_empty());
    let before = files(&disk).1;
    fill_segments(&mut world, 4);
    assert_eq!(files(&disk).1, before, "no new file was made");
    let contents = Contents::of(&world.log);
    let epochs: Vec<_> = world.log.segments().iter().map(|at| at.header.epoch).collect();
    assert!(epochs.iter().all(|one| epochs.iter().filter(|other| *other == one).count() == 1));
    drop(world);
    let found = World::open(&disk, true, Model::default()).unwrap();
    assert_eq!(Contents::of(&found.log), contents, "no stale frame is found");
}

#[test]
fn a_free_file_of_another_size_is_not_used() {
    let (disk, mut world) = world();
    fill_segments(&mut world, 3);
    world.step(Step::Mark);
    block_on(world.log.free(|_| true)).unwrap();
    drop(world);
    let mut larger = settings(&disk, true);
    larger.segment_bytes += 4 * PAGE as u64;
    let bytes = larger.segment_bytes;
    let log = block_on(crate::wal::open(larger)).unwrap().log;
    let mut writer = log.writer();
    append(&log, 1, 16);
    let committed = block_on(writer.commit());
    writer.release(&committed.frames);
    let newest = log.segments().last().unwrap().clone();
    assert_eq!(disk.bytes(&newest.path).unwrap().len() as u64, bytes);
}

#[test]
fn stamps_rise_over_restarts_and_low_water_is_never_passed() {
    let disk = SimDisk::default();
    let mut last = Stamp(0);
    let mut turns = 0;
    for _ in 0..3 {
        let model = Model { turns, ..Model::default() };
        let mut world = World::open(&disk, true, model).unwrap();
        for _ in 0..3 {
            let low = world.log.low_water();
            assert!(low >= last, "low water never falls: {low:?} after {last:?}");
            append(&world.log, turns + 1, 16);
            turns += 1;
            assert!(world.log.low_water() <= low.next(), "it waits for what is being filled");
            let committed = block_on(world.writer.commit());
            let stamp = committed.frames[0].stamp();
            assert!(stamp > low && stamp > last);
            assert!(world.log.low_water() < stamp, "not released yet");
            world.writer.release(&committed.frames);
            assert!(world.log.low_water() >= stamp);
            last = stamp;
        }
    }
}

#[test]
fn the_first_frame_at_a_stamp_is_found_in_any_segment() {
    let (disk, mut world) = world();
    fill_segments(&mut world, 3);
    let contents = Contents::of(&world.log);
    for log in [world.log.clone(), block_on(crate::wal::open(settings(&disk, true))).unwrap().log] {
        for stamp in 0..contents.frames.last().unwrap().1 + 5 {
            let expect = contents.frames.iter().find(|(_, at, _)| *at >= stamp);
            let expect = expect.map_or(log.end(), |(number, _, _)| *number);
            assert_eq!(block_on(log.first_at(Stamp(stamp))).unwrap(), expect, "stamp {stamp}");
        }
    }
}

#[test]
fn unsynced_frames_stay_in_memory_and_are_synced_before_they_fill_it() {
    let disk = SimDisk::default();
    let mut world = World::open(&disk, false, Model::default()).unwrap();
    for _ in 0..12 {
        world.step(Step::Append(20));
        world.step(Step::Commit);
        let most = world.log.0.settings.hot_bytes_max + PAGE;
        assert!(world.log.hot_bytes() <= most, "{} bytes are hot", world.log.hot_bytes());
    }
    // The next sync fails: what was released and not synced goes to a fresh segment.
    world.step(Step::Append(20));
    world.step(Step::Commit);
    let segments = world.log.segments().len();
    disk.plant(disk.operations() + 1, Fault::InputOutput);
    block_on(world.writer.sync()).unwrap();
    assert_eq!(world.log.segments().len(), segments + 1);
    let contents = Contents::of(&world.log);
    assert_eq!(contents.turns(), (1..14).collect::<Vec<_>>());
    let after = disk.power_cut(true, |_| false);
    let found = World::open(&after, false, Model::default()).unwrap();
    assert_eq!(Contents::of(&found.log), contents, "the sync brought all to stable storage");
}

#[test]
fn what_a_start_has_found_does_not_vanish_with_the_power() {
    let disk = SimDisk::default();
    let mut world = World::open(&disk, false, Model::default()).unwrap();
    world.play(&[Step::Append(20), Step::Commit]);
    // The process is killed, the next one finds the frame and may act upon it.
    drop(world);
    let found = World::open(&disk, false, Model::default()).unwrap();
    assert_eq!(Contents::of(&found.log).turns(), [1]);
    let after = disk.power_cut(true, |_| false);
    let found = World::open(&after, false, Model::default()).unwrap();
    assert_eq!(Contents::of(&found.log).turns(), [1]);
}

#[test]
fn what_was_released_unsynced_is_read_while_the_log_fails_and_on_disk_when_it_works_again() {
    let disk = SimDisk::default();
    let mut world = World::open(&disk, false, Model::default()).unwrap();
    world.play(&[Step::Append(20), Step::Commit]);
    let now = disk.operations();
    disk.plant_many(now + 1..now + 50, Fault::InputOutput);
    block_on(world.writer.sync()).unwrap_err();
    assert!(world.log.has_failed() && world.writer.has_work());
    assert_eq!(Contents::of(&world.log).turns(), [1]);
    disk.plant_many(0..0, Fault::Full);
    block_on(world.writer.try_again()).unwrap();
    assert!(!world.log.has_failed());
    let after = disk.power_cut(false, |_| false);
    let found = World::open(&after, false, Model::default()).unwrap();
    assert_eq!(Contents::of(&found.log), Contents::of(&world.log));
    assert_eq!(Contents::of(&found.log).turns(), [1]);
}

#[test]
fn a_sealed_segment_knows_what_it_holds_for_each_backend() {
    let (disk, mut world) = world();
    fill_segments(&mut world, 2);
    world.step(Step::Statement(30));
    world.step(Step::Commit);
    let opened = block_on(crate::wal::open(settings(&disk, true))).unwrap();
    for (found, running) in opened.log.segments().iter().zip(world.log.segments()) {
        assert_eq!(*found.shares.borrow(), *running.shares.borrow());
        assert_eq!(found.statements.get(), running.statements.get());
        let mut points = 0;
        for number in found.header.first_frame..found.end_frame.get() {
            for item in block_on(opened.log.read(number, 1)).unwrap() {
                let crate::wal::Item::Frame(frame) = item else { panic!("{item:?}") };
                points +=
                    frame.runs.iter().filter(|run| run.targets.contains(&BackendId(0))).count();
            }
        }
        let share = found.share(BackendId(0)).map_or(0, |share| share.points);
        let statements = u64::from(found.statements.get());
        assert!(points as u64 - statements <= share && share <= points as u64);
    }
    assert!(disk.bytes(&segment_path(1)).is_some());
}
