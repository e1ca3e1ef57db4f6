//! Merging against a map that is filled from the oldest file to the newest.

use super::{directory, integers, opened, written};
use crate::store::tsm::{Merge, Reader, Writer};
use crate::store::value::{Column, FieldType, Value, Values};
use crate::store::view::{Cursor, Direction, TimeRange};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

const KEY: &[u8] = b"m,h=a#!~#f";

/// Everything that a cursor gives, with the errors left out; every column is one-way and not empty.
fn all(merge: &mut Merge, direction: Direction) -> (Vec<(i64, Value)>, usize) {
    let mut points = Vec::new();
    let mut columns = 0;
    loop {
        match merge.next() {
            Ok(None) => break,
            Ok(Some(column)) => {
                assert!(!column.is_empty());
                assert_eq!(column.len(), column.values.len());
                columns += 1;
                points
                    .extend((0..column.len()).map(|at| (column.times[at], column.values.get(at))));
            }
            Err(error) => panic!("{error}"),
        }
    }
    let one_way = |pair: &[(i64, Value)]| match direction {
        Direction::Ascending => pair[0].0 < pair[1].0,
        Direction::Descending => pair[0].0 > pair[1].0,
    };
    assert!(points.windows(2).all(one_way));
    if direction == Direction::Descending {
        points.reverse();
    }
    (points, columns)
}

/// Blocks of each file: runs of times with a step, each run its own block.
#[derive(Clone, Debug)]
struct Layer {
    runs: Vec<(i64, i64, usize)>,
    deletes: Vec<(i64, i64)>,
}

fn layer() -> impl Strategy<Value = Layer> {
    let run = (0..40_i64, 1..6_i64, 1..12_usize);
    let delete = (0..300_i64, 0..60_i64);
    (proptest::collection::vec(run, 1..6), proptest::collection::vec(delete, 0..3)).prop_map(
        |(runs, deletes)| Layer {
            runs,
            deletes: deletes.into_iter().map(|(begin, len)| (begin, begin + len)).collect(),
        },
    )
}

impl Layer {
    /// One column for each block, one behind the other.
    fn columns(&self, mark: i64) -> Vec<Column> {
        let mut time = 0;
        let mut columns = Vec::new();
        for (gap, step, count) in &self.runs {
            time += gap;
            let times = (0..*count).map(|_| {
                time += step;
                (time, time * 1000 + mark)
            });
            columns.push(integers(times));
        }
        columns
    }
}

fn file(directory: &std::path::Path, at: usize, layer: &Layer) -> Arc<Reader> {
    let path = directory.join(format!("{at:09}-000000001.tsm"));
    let mut writer = Writer::create(&path).unwrap();
    for column in layer.columns(at as i64) {
        writer.points(KEY, &column).unwrap();
    }
    writer.finish().unwrap();
    let reader = Reader::open(&path).unwrap();
    for (min_ns, max_ns) in &layer.deletes {
        let range = TimeRange { min_ns: *min_ns, max_ns: *max_ns };
        reader.delete([KEY], range).unwrap();
    }
    Arc::new(reader)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_merge_gives_what_a_map_holds_that_is_filled_in_order(
        layers in proptest::collection::vec(layer(), 0..5),
        top in proptest::option::of(layer()),
        range in (0..200_i64, 0..300_i64),
        whole in any::<bool>(),
        ascending in any::<bool>(),
    ) {
        let directory = directory();
        let mut want = BTreeMap::new();
        let mut readers = Vec::new();
        for (at, layer) in layers.iter().enumerate() {
            readers.push(file(directory.path(), at, layer));
            for column in layer.columns(at as i64) {
                for place in 0..column.len() {
                    let time = column.times[place];
                    if !layer.deletes.iter().any(|(min, max)| *min <= time && time <= *max) {
                        want.insert(time, column.values.get(place));
                    }
                }
            }
        }
        let top = top.map(|top| {
            let mut all = Column::new(FieldType::Integer);
            for column in top.columns(999) {
                all.extend(&column, 0..column.len());
            }
            all
        });
        for place in 0..top.as_ref().map_or(0, Column::len) {
            let top = top.as_ref().unwrap();
            want.insert(top.times[place], top.values.get(place));
        }
        let range = if whole {
            TimeRange::ALL
        } else {
            TimeRange { min_ns: range.0, max_ns: range.0 + range.1 }
        };
        want.retain(|time, _| range.min_ns <= *time && *time <= range.max_ns);
        let direction = if ascending { Direction::Ascending } else { Direction::Descending };
        let merge = Merge::new(KEY, &readers, top.clone(), range, direction);
        let Some(mut merge) = merge else {
            assert!(readers.is_empty() && top.is_none());
            return Ok(());
        };
        let (have, _) = all(&mut merge, direction);
        assert_eq!(have, want.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn blocks_that_do_not_overlap_come_as_they_are() {
    let directory = directory();
    let old = integers((0..3000).map(|at| (at, at)));
    let new = integers((5000..6500).map(|at| (at, at)));
    let readers = [
        opened(directory.path(), "1-1.tsm", &[(KEY, old)]),
        opened(directory.path(), "2-1.tsm", &[(KEY, new)]),
    ];
    for direction in [Direction::Ascending, Direction::Descending] {
        let mut merge = Merge::new(KEY, &readers, None, TimeRange::ALL, direction).unwrap();
        let (points, columns) = all(&mut merge, direction);
        assert_eq!((points.len(), columns), (4500, 5));
    }
}

#[test]
fn points_of_another_type_than_the_first_file_has_are_not_seen() {
    let directory = directory();
    let floats = Column { times: vec![1, 5], values: Values::Float(vec![1.0, 2.0]) };
    let readers = [
        opened(directory.path(), "1-1.tsm", &[(KEY, integers([(1, 7), (2, 8)]))]),
        opened(directory.path(), "2-1.tsm", &[(KEY, floats.clone())]),
    ];
    let mut merge =
        Merge::new(KEY, &readers, Some(floats), TimeRange::ALL, Direction::Ascending).unwrap();
    assert_eq!(merge.kind(), FieldType::Integer);
    assert_eq!(all(&mut merge, Direction::Ascending).0.len(), 2);
}

#[test]
fn behind_a_damaged_block_the_merge_goes_on() {
    let directory = directory();
    let path = written(directory.path(), "f.tsm", &[(KEY, integers((0..2500).map(|at| (at, at))))]);
    let entry = |path| {
        let reader = Reader::open(path).unwrap();
        reader.find(KEY).unwrap().entries.iter().nth(1).unwrap()
    };
    let mut bytes = fs::read(&path).unwrap();
    bytes[entry(&path).offset as usize + 20] ^= 4;
    fs::write(&path, &bytes).unwrap();
    let readers = [Arc::new(Reader::open(&path).unwrap())];
    let mut merge = Merge::new(KEY, &readers, None, TimeRange::ALL, Direction::Ascending).unwrap();
    assert_eq!(merge.next().unwrap().unwrap().len(), 1000);
    assert!(merge.next().unwrap_err().problem.contains("checksum"));
    assert_eq!(merge.next().unwrap().unwrap().len(), 500);
    assert!(merge.next().unwrap().is_none());
}
