//! The small files beside the segments: rotten at any place, cut short anywhere, lost, or of another version.

use super::registry::{NODE, names, numbers, open};
use super::rest::{lost, small_log};
use super::world::{DIRECTORY, checkpoint, segment_path, settings};
use crate::base::checksum::crc32c;
use crate::base::ids::LogId;
use crate::base::limits::PAGE;
use crate::rt::Disk;
use crate::rt::sim::{SECTOR, SimDisk};
use crate::wal::checkpoint::SLOT_BYTES;
use crate::wal::{CheckpointFile, Registry};
use futures_lite::future::block_on;
use std::fs;
use std::path::Path;

const LISTS: [&str; 2] = ["wal/backends.reg", "wal/backends.copy"];

/// Cursors that were written six times: the newest stand in slot 0.
fn cursors() -> SimDisk {
    let disk = SimDisk::default();
    let (mut file, _) = open_cursors(&disk);
    for cursor in 1..=6 {
        block_on(file.write(&checkpoint(cursor))).unwrap();
    }
    disk
}

fn open_cursors(disk: &SimDisk) -> (CheckpointFile, Option<u64>) {
    let opened =
        block_on(CheckpointFile::open(&Disk::Sim(disk.clone()), Path::new(DIRECTORY), LogId(3)));
    let (file, found) = opened.unwrap();
    (file, found.map(|found| found.marks[0].cursor))
}

/// The cursors go on from what was found, whatever that was.
fn expect_to_go_on(disk: &SimDisk) {
    let (mut file, _) = open_cursors(disk);
    for cursor in [7, 8] {
        block_on(file.write(&checkpoint(cursor))).unwrap();
        assert_eq!(open_cursors(disk).1, Some(cursor));
    }
}

#[test]
fn rot_in_the_cursors_costs_at_most_the_newest_of_the_two() {
    let whole = cursors();
    let path = Path::new(DIRECTORY).join("cursors");
    let mut older = 0;
    for at in (0..2 * SLOT_BYTES).step_by(SECTOR).map(|at| at + 9) {
        let disk = whole.power_cut(true, |_| true);
        assert!(disk.damage(&path, at, |byte| *byte ^= 0x10));
        let found = open_cursors(&disk).1.expect("one of the two is whole");
        assert!([5, 6].contains(&found) && (at < SLOT_BYTES || found == 6), "byte {at}: {found}");
        older += u64::from(found == 5);
        expect_to_go_on(&disk);
    }
    assert!(older > 0, "no damage hit what was written");
}

#[test]
fn cursors_that_were_cut_short_are_found_or_lost_and_go_on() {
    let whole = cursors();
    let path = Path::new(DIRECTORY).join("cursors");
    for bytes in (0..2 * SLOT_BYTES).step_by(SECTOR) {
        let disk = whole.power_cut(true, |_| true);
        disk.truncate(&path, bytes);
        let found = open_cursors(&disk).1;
        assert!(found.is_none_or(|found| found == 6), "cut at {bytes}: {found:?}");
        assert!(bytes < SLOT_BYTES || found == Some(6), "cut at {bytes}: the whole slot is found");
        expect_to_go_on(&disk);
    }
}

#[test]
fn a_segment_of_another_version_is_refused_and_left_alone() {
    for page in [0, PAGE] {
        let (disk, _) = small_log();
        let path = segment_path(2);
        let mut header = disk.bytes(&path).unwrap()[page..page + PAGE].to_vec();
        header[7] = b'9';
        let seal = crc32c(&header[..PAGE - 4]).to_le_bytes();
        header[PAGE - 4..].copy_from_slice(&seal);
        for (at, value) in header.iter().enumerate() {
            disk.damage(&path, page + at, |byte| *byte = *value);
        }
        let before = disk.paths();
        let error = block_on(crate::wal::open(settings(&disk, true))).unwrap_err();
        assert!(error.to_string().contains("version"), "{error}");
        assert_eq!(disk.paths(), before);
    }
}

#[test]
fn a_lost_segment_costs_its_frames_and_is_told() {
    let (whole, contents) = small_log();
    for number in 1..=3 {
        let disk = whole.power_cut(true, |_| true);
        let path = segment_path(number);
        block_on(Disk::Sim(disk.clone()).remove(&path)).unwrap();
        let (gone, counted, found) = lost(&disk, &contents);
        assert!(!gone.is_empty());
        // The first could have been given back, and of the last nobody knows.
        if number == 2 {
            assert_eq!(counted, gone.len() as u64);
            let all_gone = gone[0]..gone.last().unwrap() + 1;
            assert_eq!(found.damaged, std::slice::from_ref(&all_gone));
        }
    }
}

/// A data directory with two numbers given, and a segment if asked.
fn data(has_segment: bool) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let mut registry = open(data.path());
    assert_eq!(numbers(&mut registry, &["a", "b"]), [0, 1]);
    let log = registry.log_directory(LogId(0));
    fs::create_dir(&log).unwrap();
    if has_segment {
        fs::write(log.join("0000000000000001.wal"), "a segment").unwrap();
    }
    data
}

/// Changes a file in place, as rot does.
fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn one_damaged_or_lost_list_of_names_is_mended_by_the_other() {
    let len = fs::read(data(true).path().join(LISTS[0])).unwrap().len();
    for list in LISTS {
        for at in 0..=len {
            let data = data(true);
            let path = data.path().join(list);
            let whole = fs::read(&path).unwrap();
            match at {
                0 => fs::remove_file(&path).unwrap(),
                at if at % 2 == 0 => change(&path, |bytes| bytes.truncate(at - 1)),
                at => change(&path, |bytes| bytes[at - 1] ^= 1 << (at % 8)),
            }
            assert_eq!(open(data.path()).names(), names(&["a", "b"]), "{list} at {at}");
            assert_eq!(fs::read(&path).unwrap(), whole, "{list} at {at} is mended");
        }
    }
}

#[test]
fn a_list_of_names_that_is_lost_twice_stops_the_start_of_a_node_with_logs() {
    for kind in 0..3 {
        let data = data(true);
        for list in LISTS {
            let path = data.path().join(list);
            match kind {
                0 => fs::remove_file(&path).unwrap(),
                1 => change(&path, |bytes| bytes.truncate(4)),
                _ => change(&path, |bytes| bytes[2] ^= 1),
            }
        }
        let error = Registry::open(data.path(), NODE).unwrap_err();
        assert!(error.contains("backends.reg") && error.contains("put one"), "{error}");
        assert!(Registry::look(data.path()).is_err());
    }
    // Nothing refers to a number yet.
    let data = data(false);
    LISTS.iter().for_each(|list| fs::remove_file(data.path().join(list)).unwrap());
    assert!(open(data.path()).names().is_empty());
}

#[test]
fn the_longer_list_counts_after_a_crash_between_the_two() {
    let data = data(true);
    let shorter = fs::read(data.path().join(LISTS[0])).unwrap();
    assert_eq!(numbers(&mut open(data.path()), &["c"]), [2]);
    fs::write(data.path().join(LISTS[0]), shorter).unwrap();
    assert_eq!(open(data.path()).names(), names(&["a", "b", "c"]));
}

#[test]
fn a_lost_identity_stops_the_start_of_a_node_with_logs_and_nothing_is_made() {
    let data = data(true);
    let path = data.path().join("wal/FORMAT");
    fs::remove_file(&path).unwrap();
    let error = Registry::open(data.path(), NODE).unwrap_err();
    assert!(error.contains("FORMAT") && error.contains("put it back"), "{error}");
    assert!(!path.exists());
}
