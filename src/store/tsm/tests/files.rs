//! Whole files: those that influxd wrote, those that we write, and damaged ones.

use super::blocks::{assert_same, column, kind, rows};
use super::{directory, integers, opened, written};
use crate::store::tsm::{BLOCK_POINTS, OpenError, Reader, Writer};
use crate::store::value::{Column, FieldType, Value, Values};
use crate::store::view::TimeRange;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;

fn value(kind: FieldType, json: &Json) -> Value {
    match kind {
        FieldType::Float => Value::Float(json.as_f64().unwrap()),
        FieldType::Integer => Value::Integer(
            json.as_i64().or_else(|| json.as_str().and_then(|text| text.parse().ok())).unwrap(),
        ),
        FieldType::Unsigned => Value::Unsigned(json.as_str().unwrap().parse().unwrap()),
        FieldType::String => Value::String(json.as_str().unwrap().as_bytes().into()),
        FieldType::Boolean => Value::Boolean(json.as_bool().unwrap()),
    }
}

fn recorded_points(row: &Json) -> BTreeMap<Vec<u8>, Column> {
    let mut keys: BTreeMap<Vec<u8>, Column> = BTreeMap::new();
    for point in row["points"].as_array().unwrap() {
        let text = |at: usize| point[at].as_str().unwrap();
        let key = format!("{}#!~#{}", text(0), text(1)).into_bytes();
        let kind = kind(text(2));
        let column = keys.entry(key).or_insert_with(|| Column::new(kind));
        column.push(text(3).parse().unwrap(), &value(kind, &point[4]));
    }
    keys
}

#[test]
fn files_of_influxd_are_read_and_written_again_to_the_same_bytes() {
    let rows = rows("tsm_files.jsonl");
    assert_eq!(rows.len(), 3);
    for row in rows {
        let directory = directory();
        let path = directory.path().join(row["file_name"].as_str().unwrap());
        let bytes = STANDARD.decode(row["file_base64"].as_str().unwrap()).unwrap();
        fs::write(&path, &bytes).unwrap();
        let reader = Reader::open(&path).unwrap();
        let want = recorded_points(&row);
        let mut have = BTreeMap::new();
        let mut blocks = Vec::new();
        for key in reader.keys() {
            let mut all = Column::new(key.entries.kind);
            for entry in key.entries.iter() {
                let column = reader.read(entry).unwrap();
                all.extend(&column, 0..column.len());
                blocks.push((String::from_utf8(key.key.to_vec()).unwrap(), column.len()));
            }
            have.insert(key.key.to_vec(), all);
        }
        assert_eq!(have, want, "{}", row["name"]);
        let recorded = row["blocks"].as_array().unwrap().iter().map(|block| {
            (block["key"].as_str().unwrap().to_owned(), block["count"].as_u64().unwrap() as usize)
        });
        assert_eq!(blocks, recorded.collect::<Vec<_>>());
        let keys: Vec<(&[u8], Column)> =
            have.iter().map(|(key, column)| (&key[..], column.clone())).collect();
        let again = written(directory.path(), "again.tsm", &keys);
        assert!(fs::read(again).unwrap() == bytes, "{}", row["name"]);
    }
}

#[test]
fn a_file_tells_what_it_holds_and_finds_each_key() {
    let directory = directory();
    let keys: Vec<Vec<u8>> = (0..3000).map(|at| format!("m,h={at:05}#!~#f").into()).collect();
    let file: Vec<(&[u8], Column)> = keys
        .iter()
        .enumerate()
        .map(|(at, key)| (&key[..], integers([(at as i64, 1), (at as i64 + 10, 2)])))
        .collect();
    let makeshift = directory.path().join("f.tsm.tmp");
    let mut writer = Writer::create(&makeshift).unwrap();
    file.iter().for_each(|(key, column)| writer.points(key, column).unwrap());
    let said = writer.bytes();
    let made = writer.finish().unwrap();
    assert_eq!(made.bytes, said);
    assert_eq!(made.bytes, fs::metadata(&makeshift).unwrap().len());
    assert_eq!((made.keys, made.blocks), (3000, 3000));
    assert_eq!(made.range, TimeRange { min_ns: 0, max_ns: 3009 });
    assert_eq!((&*made.min_key, &*made.max_key), (&keys[0][..], &keys[2999][..]));
    let reader = Reader::open(&makeshift).unwrap();
    assert_eq!((reader.range(), reader.bytes()), (made.range, made.bytes));
    assert_eq!(reader.key_count(), 3000);
    for (at, (key, column)) in file.iter().enumerate() {
        let found = reader.find(key).unwrap();
        assert_eq!((found.key, found.number as usize), (*key, at));
        let entry = found.entries.iter().next().unwrap();
        assert_eq!(&reader.read(entry).unwrap(), column);
    }
    for key in ["", "m", "m,h=00001#!~#e", "m,h=00001#!~#g", "z"] {
        assert!(reader.find(key.as_bytes()).is_none());
    }
    assert_eq!(reader.keys().map(|key| key.key).collect::<Vec<_>>(), keys);
}

#[test]
fn many_points_of_a_key_are_cut_into_full_blocks() {
    let directory = directory();
    let points = integers((0..2500).map(|at| (at * 7, at * at)));
    let reader = opened(directory.path(), "f.tsm", &[(b"k#!~#f", points.clone())]);
    let entries: Vec<_> = reader.find(b"k#!~#f").unwrap().entries.iter().collect();
    let mut all = Column::new(FieldType::Integer);
    for (entry, count) in entries.iter().zip([BLOCK_POINTS, BLOCK_POINTS, 500]) {
        let column = reader.read(*entry).unwrap();
        assert_eq!(column.len(), count);
        all.extend(&column, 0..count);
    }
    assert_eq!(all, points);
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let directory = directory();
    let path = directory.path().join("f.tsm.tmp");
    let mut writer = Writer::create(&path).unwrap();
    assert!(Writer::create(&path).is_err());
    writer.points(b"k", &integers([(1, 1)])).unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_damaged_block_is_told_with_its_place_and_the_others_are_read() {
    let directory = directory();
    let keys: [(&[u8], Column); 2] = [(b"a", integers([(1, 1)])), (b"b", integers([(2, 2)]))];
    let path = written(directory.path(), "f.tsm", &keys);
    let mut bytes = fs::read(&path).unwrap();
    bytes[12] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let reader = Reader::open(&path).unwrap();
    let entry = |key: &[u8]| reader.find(key).unwrap().entries.iter().next().unwrap();
    let error = reader.read(entry(b"a")).unwrap_err();
    assert_eq!(error.place, format!("{} at 5", path.display()));
    assert_eq!(error.problem, "the checksum of the block is wrong");
    assert_eq!(reader.read(entry(b"b")).unwrap(), keys[1].1);
}

#[test]
fn a_time_that_stands_twice_in_a_block_has_its_last_value() {
    let directory = directory();
    let twice = integers([(1, 1), (2, 2), (2, 3), (2, 4), (5, 5)]);
    let reader = opened(directory.path(), "f.tsm", &[(b"k", twice)]);
    let entry = reader.find(b"k").unwrap().entries.iter().next().unwrap();
    assert_eq!(reader.read(entry).unwrap(), integers([(1, 1), (2, 4), (5, 5)]));
}

/// Everything that can be asked of a file.
fn visit(reader: &Reader) {
    for key in reader.keys() {
        for entry in key.entries.iter() {
            if let Ok(column) = reader.read(entry) {
                assert!(!column.is_empty() && column.len() == column.values.len());
            }
        }
        assert_eq!(reader.find(key.key).unwrap().number, key.number);
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    let directory = directory();
    let path = written(directory.path(), "f.tsm", &[(b"k#!~#f", integers([(1, 1), (2, 4)]))]);
    let bytes = fs::read(&path).unwrap();
    let cut = directory.path().join("cut.tsm");
    for len in 0..bytes.len() {
        fs::write(&cut, &bytes[..len]).unwrap();
        let refused = Reader::open(&cut);
        assert!(matches!(refused, Err(OpenError::Malformed { .. })), "{len}: {refused:?}");
    }
    assert!(matches!(Reader::open(&directory.path().join("none.tsm")), Err(OpenError::Io { .. })));
}

#[test]
fn an_index_that_is_not_sound_is_refused() {
    let directory = directory();
    let path = written(directory.path(), "f.tsm", &[(b"k", integers([(1, 1)]))]);
    let bytes = fs::read(&path).unwrap();
    let begin = bytes.len() - 8 - (2 + 1 + 3 + 28);
    // Where, what stands there afterwards, why it is refused.
    let changes: [(usize, &[u8], &str); 8] = [
        (begin + 3, &[5], "a type of field that there is not"),
        (begin + 4, &[0, 0], "a key without blocks"),
        (begin + 4, &[0, 2], "the index ends within a key"),
        (begin, &[0, 200], "the index ends within a key"),
        (begin + 6, &[0x7f], "the blocks of a key are not in the order of their times"),
        (begin + 6 + 16, &[0xff], "the index names a block that is not in the file"),
        (begin + 6 + 16 + 7, &[4], "the index names a block that is not in the file"),
        (begin + 6 + 24, &[0, 0, 0, 0], "the index names a block that is not in the file"),
    ];
    for (at, change, why) in changes {
        let mut damaged = bytes.clone();
        damaged[at..at + change.len()].copy_from_slice(change);
        fs::write(&path, &damaged).unwrap();
        match Reader::open(&path) {
            Err(OpenError::Malformed { problem, .. }) => assert_eq!(problem.0, why, "{at}"),
            other => panic!("{at}: {other:?}"),
        }
    }
    let mut shuffled = bytes[..begin].to_vec();
    for key in [b"kk", b"jj"] {
        shuffled.extend([0, 2]);
        shuffled.extend(key);
        shuffled.extend(&bytes[begin + 3..begin + 34]);
    }
    shuffled.extend((begin as u64).to_be_bytes());
    fs::write(&path, &shuffled).unwrap();
    assert!(Reader::open(&path).unwrap_err().to_string().ends_with("are not in order"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_file_is_refused_or_read_but_never_panics(
        columns in proptest::collection::vec(column(), 1..4),
        damages in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        at_the_end in any::<bool>(),
    ) {
        let directory = directory();
        let path = directory.path().join("f.tsm");
        let mut writer = Writer::create(&path).unwrap();
        for (at, mut column) in columns.into_iter().enumerate() {
            column.times = (0..column.len() as i64).collect();
            writer.points(format!("key{at}").as_bytes(), &column).unwrap();
        }
        writer.finish().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let begin = if at_the_end { bytes.len().saturating_sub(150) } else { 0 };
        for (at, byte) in damages {
            let at = begin + at.index(bytes.len() - begin);
            bytes[at] = byte;
        }
        fs::write(&path, &bytes).unwrap();
        if let Ok(reader) = Reader::open(&path) {
            visit(&reader);
        }
    }

    #[test]
    fn a_file_gives_back_what_was_put_into_it(columns in proptest::collection::vec(column(), 1..5)) {
        let directory = directory();
        let mut keys: Vec<(Vec<u8>, Column)> = Vec::new();
        for (at, mut column) in columns.into_iter().enumerate() {
            column.times.sort_unstable();
            column.times.dedup();
            let count = column.times.len();
            column.values.keep(0..count);
            keys.push((format!("key{at}").into(), column));
        }
        let file: Vec<(&[u8], Column)> =
            keys.iter().map(|(key, column)| (&key[..], column.clone())).collect();
        let reader = opened(directory.path(), "f.tsm", &file);
        for (key, column) in file {
            let mut have = Column { times: vec![], values: Values::new(column.kind()) };
            for entry in reader.find(key).unwrap().entries.iter() {
                let part = reader.read(entry).unwrap();
                have.extend(&part, 0..part.len());
            }
            assert_same(&have, &column, "file");
        }
    }
}
