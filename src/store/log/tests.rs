//! What a log gives back, whatever happened to it.

use super::format::{ENTRY_HEAD_BYTES, SEGMENT_HEAD_BYTES};
use super::{Found, Kind, Log, recover};
use crate::store::damage::Damages;
use std::fs;
use std::path::{Path, PathBuf};

fn read(directory: &Path) -> (Vec<Vec<u8>>, Found, usize) {
    let damages = Damages::default();
    let mut entries = Vec::new();
    let found = recover(directory, &damages, |_, _, contents| entries.push(contents.to_vec()));
    (entries, found.unwrap(), damages.list().len())
}

fn append(log: &Log, text: &[u8]) {
    let sequence = log.append(Kind::Write, |out| out.extend_from_slice(text));
    log.applied(sequence);
    log.wait(sequence).unwrap();
}

fn segment(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:09}.log"))
}

#[test]
fn all_that_was_waited_for_comes_back_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let (_, found, _) = read(directory.path());
    let log = Log::new(directory.path(), found);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let log = &log;
            scope.spawn(move || (0..50_u8).for_each(|n| append(log, &[thread, n])));
        }
    });
    assert!(log.syncs() <= 200);
    let (entries, _, damaged) = read(directory.path());
    assert_eq!((entries.len(), damaged), (200, 0));
    for thread in 0..4_u8 {
        let mine: Vec<u8> =
            entries.iter().filter(|entry| entry[0] == thread).map(|entry| entry[1]).collect();
        assert!(mine.is_sorted());
    }
}

#[test]
fn every_torn_end_is_cut_and_what_follows_is_appended_behind() {
    let directory = tempfile::tempdir().unwrap();
    let (_, found, _) = read(directory.path());
    let log = Log::new(directory.path(), found);
    append(&log, b"first");
    let whole = fs::metadata(segment(directory.path(), 1)).unwrap().len();
    append(&log, b"second");
    drop(log);
    let bytes = fs::read(segment(directory.path(), 1)).unwrap();
    for end in whole as usize..bytes.len() {
        let copy = tempfile::tempdir().unwrap();
        fs::write(segment(copy.path(), 1), &bytes[..end]).unwrap();
        let (entries, found, damaged) = read(copy.path());
        assert_eq!((entries, damaged), (vec![b"first".to_vec()], 0));
        let log = Log::new(copy.path(), found);
        append(&log, b"third");
        assert_eq!(read(copy.path()).0, [b"first".to_vec(), b"third".to_vec()]);
    }
}

#[test]
fn damage_in_the_middle_is_told_kept_and_hides_nothing_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let (_, found, _) = read(directory.path());
    let log = Log::new(directory.path(), found);
    for text in [b"one", b"two", b"six"] {
        append(&log, text);
    }
    drop(log);
    let bytes = fs::read(segment(directory.path(), 1)).unwrap();
    let second = SEGMENT_HEAD_BYTES + ENTRY_HEAD_BYTES + 3;
    for at in second..second + ENTRY_HEAD_BYTES + 3 {
        let copy = tempfile::tempdir().unwrap();
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x40;
        fs::write(segment(copy.path(), 1), &bytes).unwrap();
        let (entries, found, damaged) = read(copy.path());
        assert_eq!((entries, damaged), (vec![b"one".to_vec(), b"six".to_vec()], 1), "{at}");
        let log = Log::new(copy.path(), found);
        log.free_below(u64::MAX, true);
        assert!(!segment(copy.path(), 1).exists());
        assert_eq!(fs::read(copy.path().join("000000001.log.bad")).unwrap(), bytes);
    }
}

#[test]
fn segments_are_given_back_from_the_front_and_only_when_all_is_applied() {
    let directory = tempfile::tempdir().unwrap();
    let (_, found, _) = read(directory.path());
    let log = Log::new(directory.path(), found);
    for _ in 0..10 {
        append(&log, &[7; 6000]);
    }
    let held = log.append(Kind::Write, |out| out.push(1));
    append(&log, b"later");
    assert_eq!(log.all_applied_below(), held);
    let before = log.bytes();
    log.free_below(log.all_applied_below(), false);
    assert!(log.bytes() < before);
    let (entries, found, _) = read(directory.path());
    assert_eq!(entries.last().unwrap(), b"later");
    assert_eq!(found.next_sequence, held + 2);
    log.applied(held);
    log.free_below(log.all_applied_below(), true);
    assert_eq!((log.bytes(), fs::read_dir(directory.path()).unwrap().count()), (0, 0));
    append(&log, b"again");
    assert_eq!(read(directory.path()).0, [b"again".to_vec()]);
}
