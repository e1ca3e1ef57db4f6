//! Tombstones: every version is read, the newest one written.

use super::{directory, integers, written};
use crate::store::tsm::{Malformed, OpenError, Reader, tombstone_records};
use crate::store::view::TimeRange;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;

const ALL: TimeRange = TimeRange { min_ns: i64::MIN, max_ns: i64::MAX };

fn record(key: &[u8], min_ns: i64, max_ns: i64) -> Vec<u8> {
    let mut bytes = u32::try_from(key.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(key);
    bytes.extend(min_ns.to_be_bytes());
    bytes.extend(max_ns.to_be_bytes());
    bytes
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(plain).unwrap();
    packed.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<(Vec<u8>, i64, i64)>, Malformed> {
    let mut records = Vec::new();
    tombstone_records(bytes, |key, range| {
        records.push((key.to_vec(), range.min_ns, range.max_ns));
    })?;
    Ok(records)
}

#[test]
fn every_version_is_read() {
    let two = [record(b"a", 1, 5), record(b"b#!~#f", i64::MIN, i64::MAX)].concat();
    let want = vec![(b"a".to_vec(), 1, 5), (b"b#!~#f".to_vec(), i64::MIN, i64::MAX)];
    assert_eq!(read(&[&[0, 0, 0x15, 2], &two[..]].concat()).unwrap(), want);
    assert_eq!(read(&[&[0, 0, 0x15, 3], &gzip(&two)[..]].concat()).unwrap(), want);
    let members = [gzip(&record(b"a", 1, 5)), gzip(&record(b"b#!~#f", i64::MIN, i64::MAX))];
    assert_eq!(read(&[&[0, 0, 0x15, 4], &members.concat()[..]].concat()).unwrap(), want);
    let whole = |key: &[u8]| (key.to_vec(), i64::MIN, i64::MAX);
    assert_eq!(read(b"m,a=1#!~#f\nk\n").unwrap(), [whole(b"m,a=1#!~#f"), whole(b"k")]);
    assert_eq!(read(b"abc").unwrap(), [whole(b"abc")]);
    for empty in [&b""[..], &[0, 0, 0x15, 2], &[0, 0, 0x15, 3], &[0, 0, 0x15, 4]] {
        assert_eq!(read(empty).unwrap(), []);
    }
}

#[test]
fn torn_and_foreign_tombstones_are_refused() {
    assert!(read(&[0, 0, 0x15, 5]).is_err());
    let whole = [&[0, 0, 0x15, 4], &gzip(&record(b"abc", 1, 5))[..]].concat();
    for len in 5..whole.len() {
        assert!(read(&whole[..len]).is_err(), "{len}");
    }
    let plain = [&[0, 0, 0x15, 2], &record(b"abc", 1, 5)[..]].concat();
    for len in 5..plain.len() {
        assert!(read(&plain[..len]).is_err(), "{len}");
    }
    let mut long = vec![0, 0, 0x15, 2, 0xff, 0xff, 0xff, 0xff];
    long.extend([0; 100]);
    assert!(read(&long).is_err());
    assert!(read(&vec![b'x'; 70_000]).is_err());
}

/// Any bytes: refused or read, without a panic and without much memory.
#[test]
fn mutations_never_panic() {
    let whole = [&[0, 0, 0x15, 4], &gzip(&record(b"abc", 1, 5))[..]].concat();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            drop(read(&damaged));
        }
    }
}

fn left(reader: &Reader, key: &[u8]) -> Vec<TimeRange> {
    reader.tombstones().of(reader.find(key).unwrap().number).to_vec()
}

#[test]
fn deletes_are_kept_beside_the_file_and_join() {
    let directory = directory();
    let points = integers((0..100).map(|at| (at, at)));
    let keys: [(&[u8], _); 3] = [(b"a", points.clone()), (b"b", points.clone()), (b"c", points)];
    let path = written(directory.path(), "000000001-000000001.tsm", &keys);
    let reader = Reader::open(&path).unwrap();
    let range = |min_ns, max_ns| TimeRange { min_ns, max_ns };
    let before = reader.tombstones();
    assert_eq!(reader.delete([&b"a"[..], b"b", b"z"], range(10, 20)).unwrap(), 2);
    assert_eq!(reader.delete([&b"a"[..]], range(21, 30)).unwrap(), 1);
    assert_eq!(reader.delete([&b"c"[..]], ALL).unwrap(), 1);
    assert_eq!(reader.delete([&b"c"[..]], range(100, 200)).unwrap(), 0);
    assert_eq!(reader.delete([&b"c"[..]], range(5, 4)).unwrap(), 0);
    assert!(before.is_empty());
    for reader in [&reader, &Reader::open(&path).unwrap()] {
        assert_eq!(left(reader, b"a"), [range(10, 30)]);
        assert_eq!(left(reader, b"b"), [range(10, 20)]);
        assert_eq!(left(reader, b"c"), [ALL]);
    }
    let bytes = fs::read(directory.path().join("000000001-000000001.tombstone")).unwrap();
    assert!(bytes.starts_with(&[0, 0, 0x15, 4]));
    assert_eq!(read(&bytes).unwrap().len(), 4);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn a_delete_turns_an_older_version_into_the_newest_with_all_its_records() {
    let directory = directory();
    let points = integers((0..100).map(|at| (at, at)));
    let keys: [(&[u8], _); 2] = [(b"a", points.clone()), (b"b", points)];
    let path = written(directory.path(), "f.tsm", &keys);
    let tombstone = directory.path().join("f.tombstone");
    fs::write(&tombstone, [&[0, 0, 0x15, 3], &gzip(&record(b"a", 3, 4))[..]].concat()).unwrap();
    let reader = Reader::open(&path).unwrap();
    reader.delete([&b"b"[..]], TimeRange { min_ns: 7, max_ns: 8 }).unwrap();
    let bytes = fs::read(&tombstone).unwrap();
    assert!(bytes.starts_with(&[0, 0, 0x15, 4]));
    assert_eq!(read(&bytes).unwrap(), [(b"a".to_vec(), 3, 4), (b"b".to_vec(), 7, 8)]);
}

#[test]
fn damaged_tombstones_keep_a_file_closed_unless_it_is_opened_without_them() {
    let directory = directory();
    let path = written(directory.path(), "f.tsm", &[(b"a", integers([(1, 1)]))]);
    let tombstone = directory.path().join("f.tombstone");
    fs::write(&tombstone, [0, 0, 0x15, 4, 1, 2, 3]).unwrap();
    match Reader::open(&path) {
        Err(OpenError::Malformed { path, .. }) => assert_eq!(path, tombstone),
        other => panic!("{other:?}"),
    }
    assert!(Reader::open_undeleted(&path).unwrap().tombstones().is_empty());
}
