use super::rewrite::rewrite_into;
use super::swap::Operation;
use super::{Facts, Failed, Job, Made, Thoroughness, plan, rewrite, tidy};
use crate::base::map::FastSet;
use crate::store::tsm::tests::directory;
use crate::store::tsm::{FILE_BYTES_MAX, FileName, Merge, Outputs, Reader, Writer};
use crate::store::value::{Column, FieldType, Value};
use crate::store::view::{Cursor, Direction, TimeRange};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn name(generation: u64, sequence: u64) -> FileName {
    FileName { generation, sequence }
}

fn facts(files: &[(u64, u64)]) -> Vec<Facts> {
    let one = |(generation, sequence): &(u64, u64)| Facts {
        name: name(*generation, *sequence),
        bytes: 1000,
        has_tombstones: false,
    };
    files.iter().map(one).collect()
}

fn nobody() -> FastSet<u64> {
    FastSet::default()
}

/// Generations of each job.
fn planned(files: &[Facts], busy: &FastSet<u64>, is_cold: bool) -> Vec<Vec<u64>> {
    let generations = |job: &Job| job.files.iter().map(|file| file.generation).collect();
    plan(files, busy, is_cold).iter().map(generations).collect()
}

#[test]
fn eight_snapshots_become_one_and_seven_wait() {
    let snapshots = |count| facts(&(1..=count).map(|at| (at, 1)).collect::<Vec<_>>());
    assert!(plan(&snapshots(7), &nobody(), false).is_empty());
    let jobs = plan(&snapshots(9), &nobody(), false);
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].files, (1..=8).map(|at| name(at, 1)).collect::<Vec<_>>());
    assert_eq!(jobs[0].result_name(), name(8, 2));
    assert_eq!(planned(&snapshots(16), &nobody(), false).len(), 2);
}

#[test]
fn four_of_a_higher_level_become_one_and_the_lowest_level_goes_first() {
    let mut files = facts(&[(8, 2), (16, 2), (24, 2), (32, 2)]);
    files.extend(facts(&(33..=40).map(|at| (at, 1)).collect::<Vec<_>>()));
    let jobs = planned(&files, &nobody(), false);
    assert_eq!(jobs, [(33..=40).collect::<Vec<_>>(), vec![8, 16, 24, 32]]);
    let high = facts(&[(32, 4), (64, 5), (96, 9), (128, 4)]);
    let jobs = plan(&high, &nobody(), false);
    assert_eq!((jobs.len(), jobs[0].thoroughness), (1, Thoroughness::Fast));
    assert_eq!(jobs[0].result_name(), name(128, 5));
}

#[test]
fn a_generation_behind_which_a_higher_one_lies_counts_as_that() {
    let files = facts(&[(1, 3), (2, 1), (3, 3), (4, 3), (5, 1)]);
    assert_eq!(planned(&files, &nobody(), false), [[1, 2, 3, 4]]);
}

#[test]
fn deletes_are_reason_enough() {
    let mut files = facts(&[(1, 4), (2, 1), (3, 1)]);
    files[0].has_tombstones = true;
    let jobs = plan(&files, &nobody(), false);
    assert_eq!(jobs.len(), 1);
    assert_eq!((&jobs[0].files[..], jobs[0].thoroughness), (&[name(1, 4)][..], Thoroughness::Full));
    files[0].bytes = FILE_BYTES_MAX;
    assert_eq!(planned(&files, &nobody(), false), [[1]]);
}

#[test]
fn what_is_busy_is_left_alone_and_nothing_is_merged_across_it() {
    let files = facts(&(1..=12).map(|at| (at, 1)).collect::<Vec<_>>());
    let busy: FastSet<u64> = [4].into_iter().collect();
    assert_eq!(planned(&files, &busy, false), [(5..=12).collect::<Vec<_>>()]);
    assert_eq!(planned(&files, &busy, true), [(1..=3).collect(), (5..=12).collect::<Vec<_>>()]);
}

#[test]
fn a_cold_window_becomes_one_generation_and_rests() {
    let mut files = facts(&[(1, 4), (2, 2), (2, 3), (5, 1)]);
    let jobs = plan(&files, &nobody(), true);
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].files, [name(1, 4), name(2, 2), name(2, 3), name(5, 1)]);
    assert_eq!(jobs[0].thoroughness, Thoroughness::Full);
    assert_eq!(jobs[0].result_name(), name(5, 2));
    files[0].bytes = FILE_BYTES_MAX;
    assert_eq!(planned(&files, &nobody(), true), [[2, 2, 5]]);
    assert!(plan(&facts(&[(5, 2), (5, 3)]), &nobody(), true).is_empty());
    assert_eq!(planned(&facts(&[(5, 1)]), &nobody(), true), [[5]]);
}

proptest! {
    /// However files come, jobs are of whole generations that are neighbours, and planning comes to an end.
    #[test]
    fn plans_are_of_neighbours_and_come_to_an_end(
        files in proptest::collection::vec((0..3_u64, 1..6_u64, any::<bool>(), 0..3_u8), 1..40),
        is_cold in any::<bool>(),
    ) {
        let mut generation = 0;
        let files = files.into_iter().map(|(gap, sequence, has_tombstones, size)| {
            generation += gap + 1;
            let bytes = if size == 2 { FILE_BYTES_MAX } else { 1000 };
            Facts { name: name(generation, sequence), bytes, has_tombstones }
        });
        let mut files: Vec<Facts> = files.collect();
        let mut rounds = 0;
        while let Some(job) = plan(&files, &nobody(), is_cold).first() {
            rounds += 1;
            assert!(rounds < 200, "it goes on for ever");
            let jobs = plan(&files, &nobody(), is_cold);
            let all: Vec<FileName> = jobs.iter().flat_map(|job| job.files.clone()).collect();
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
            for job in &jobs {
                let at = files.iter().position(|file| file.name == job.files[0]).unwrap();
                let run: Vec<FileName> =
                    files[at..at + job.files.len()].iter().map(|file| file.name).collect();
                assert_eq!(run, job.files);
            }
            let merged = |file: &&Facts| job.files.contains(&file.name);
            let bytes = files.iter().filter(merged).map(|file| file.bytes).sum();
            files.retain(|file| !job.files.contains(&file.name));
            files.push(Facts { name: job.result_name(), bytes, has_tombstones: false });
            files.sort_by_key(|file| file.name);
        }
    }
}

type Points = BTreeMap<(Vec<u8>, i64), i64>;

const ALL: TimeRange = TimeRange { min_ns: i64::MIN, max_ns: i64::MAX };

fn write_file(directory: &Path, name: FileName, points: &Points) {
    let makeshift = Outputs::makeshift(directory, name);
    let mut writer = Writer::create(&makeshift).unwrap();
    let mut keys: BTreeMap<&[u8], Column> = BTreeMap::new();
    for ((key, time), value) in points {
        let column = keys.entry(key).or_insert_with(|| Column::new(FieldType::Integer));
        column.push(*time, &Value::Integer(*value));
    }
    keys.iter().for_each(|(key, column)| writer.points(key, column).unwrap());
    writer.finish().unwrap();
    fs::rename(makeshift, directory.join(name.to_string())).unwrap();
}

fn open_all(directory: &Path) -> Vec<Arc<Reader>> {
    tidy(directory).unwrap();
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<FileName> = names.filter_map(|name| FileName::parse(&name)).collect();
    names.sort();
    let path = |name: &FileName| directory.join(name.to_string());
    names.iter().map(|name| Arc::new(Reader::open(&path(name)).unwrap())).collect()
}

fn answer(readers: &[Arc<Reader>]) -> Points {
    let keys: BTreeSet<Vec<u8>> =
        readers.iter().flat_map(|one| one.keys().map(|key| key.key.to_vec())).collect();
    let mut points = Points::new();
    for key in keys {
        let mut merge = Merge::new(&key, readers, None, ALL, Direction::Ascending).unwrap();
        while let Some(column) = merge.next().unwrap() {
            for at in 0..column.len() {
                let Value::Integer(value) = column.values.get(at) else { panic!() };
                assert!(points.insert((key.clone(), column.times[at]), value).is_none());
            }
        }
    }
    points
}

fn points(key: &str, times: impl Iterator<Item = i64>, mark: i64) -> Points {
    times.map(|time| ((key.as_bytes().to_vec(), time), mark)).collect()
}

/// Three generations that overlap, with deletes in two of them.
fn window(directory: &Path) -> Vec<Arc<Reader>> {
    let mut first = points("a", 0..2500, 1);
    first.extend(points("b", 0..10, 1));
    first.extend(points("gone", 0..10, 1));
    let mut second = points("a", 2000..4200, 2);
    second.extend(points("c", 0..1500, 2));
    write_file(directory, name(1, 1), &first);
    write_file(directory, name(2, 1), &second);
    write_file(directory, name(3, 1), &points("a", (100..6000).step_by(7), 3));
    let readers = open_all(directory);
    let range = TimeRange { min_ns: 50, max_ns: 420 };
    readers[0].delete([&b"a"[..], b"b"], range).unwrap();
    readers[0].delete([&b"gone"[..]], ALL).unwrap();
    readers[2].delete([&b"a"[..]], TimeRange { min_ns: 5000, max_ns: 5100 }).unwrap();
    readers
}

fn made(directory: &Path, readers: &[Arc<Reader>], thoroughness: Thoroughness) -> Made {
    rewrite(directory, readers, thoroughness, &|| false).unwrap()
}

#[test]
fn a_compaction_answers_as_its_sources_did_and_leaves_one_file() {
    for thoroughness in [Thoroughness::Fast, Thoroughness::Full] {
        let directory = directory();
        let readers = window(directory.path());
        let want = answer(&readers);
        assert!(want.len() > 5000);
        let mut made = made(directory.path(), &readers, thoroughness);
        let new = made.publish().unwrap();
        assert_eq!(answer(&new), want);
        made.retire().unwrap();
        // Whoever began before reads on.
        assert_eq!(answer(&readers), want);
        let left = open_all(directory.path());
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].name(), Some(name(3, 2)));
        assert_eq!(answer(&left), want);
        assert!(left[0].tombstones().is_empty());
        assert!(left[0].find(b"gone").is_none());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        if thoroughness == Thoroughness::Full {
            for key in left[0].keys() {
                let counts: Vec<usize> =
                    key.entries.iter().map(|entry| left[0].read(entry).unwrap().len()).collect();
                assert!(counts.iter().rev().skip(1).all(|count| *count == 1000), "{counts:?}");
            }
        }
    }
}

#[test]
fn after_each_step_the_directory_answers_the_same() {
    let whole = directory();
    let readers = window(whole.path());
    let want = answer(&readers);
    drop(readers);
    let operations = |made: &Made| [made.publishing(), made.retiring()].concat();
    let count = {
        let copy = copied(whole.path());
        operations(&made(copy.path(), &open_all(copy.path()), Thoroughness::Full)).len()
    };
    assert!(count > 7);
    for stop in 0..=count {
        let copy = copied(whole.path());
        let made = made(copy.path(), &open_all(copy.path()), Thoroughness::Full);
        operations(&made)[..stop].iter().for_each(|operation| operation.perform().unwrap());
        // The process dies: nothing is cleaned up.
        std::mem::forget(made);
        let readers = open_all(copy.path());
        assert_eq!(answer(&readers), want, "after {stop} operations");
        // And the next one ends what was begun.
        let mut again = rewrite(copy.path(), &readers, Thoroughness::Full, &|| false).unwrap();
        again.publish().unwrap();
        again.retire().unwrap();
        let left = open_all(copy.path());
        assert_eq!((left.len(), answer(&left)), (1, want.clone()));
        assert_eq!(fs::read_dir(copy.path()).unwrap().count(), 1);
    }
}

fn copied(directory: &Path) -> tempfile::TempDir {
    let copy = crate::store::tsm::tests::directory();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

#[test]
fn a_delete_that_comes_meanwhile_is_not_undone() {
    let directory = directory();
    let readers = window(directory.path());
    let mut made = made(directory.path(), &readers, Thoroughness::Full);
    let range = TimeRange { min_ns: 1000, max_ns: 3000 };
    for reader in &readers {
        reader.delete([&b"a"[..], b"c"], range).unwrap();
    }
    let want = answer(&readers);
    let new = made.publish().unwrap();
    assert_eq!(answer(&new), want);
    assert_eq!(answer(&open_all(directory.path())), want);
    made.retire().unwrap();
    assert_eq!(answer(&open_all(directory.path())), want);
}

#[test]
fn what_is_not_published_leaves_nothing() {
    let directory = directory();
    let readers = window(directory.path());
    let want = answer(&readers);
    let before = fs::read_dir(directory.path()).unwrap().count();
    drop(made(directory.path(), &readers, Thoroughness::Full));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), before);
    let keys = std::cell::Cell::new(0);
    let stopped = rewrite(directory.path(), &readers, Thoroughness::Full, &|| {
        keys.set(keys.get() + 1);
        keys.get() > 2
    });
    assert!(matches!(stopped, Err(Failed::Stopped)));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), before);
    assert_eq!(answer(&open_all(directory.path())), want);
}

#[test]
fn a_window_that_is_all_deleted_becomes_no_file() {
    let directory = directory();
    write_file(directory.path(), name(1, 1), &points("a", 0..10, 1));
    let readers = open_all(directory.path());
    readers[0].delete([&b"a"[..]], ALL).unwrap();
    let mut made = made(directory.path(), &readers, Thoroughness::Full);
    assert!(made.publish().unwrap().is_empty());
    made.retire().unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_damaged_block_is_told_and_its_file_set_aside() {
    let directory = directory();
    write_file(directory.path(), name(1, 1), &points("a", 0..2500, 1));
    write_file(directory.path(), name(2, 1), &points("a", 3000..4000, 2));
    let path = directory.path().join(name(1, 1).to_string());
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let readers = open_all(directory.path());
    let mut made = made(directory.path(), &readers, Thoroughness::Full);
    assert_eq!(made.damages.len(), 1);
    assert!(made.damages[0].place.contains("000000001-000000001.tsm at "));
    made.publish().unwrap();
    made.retire().unwrap();
    assert!(path.with_added_extension("bad").exists());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    let left = open_all(directory.path());
    assert_eq!(answer(&left).len(), 2500);
}

#[test]
fn too_much_for_one_file_becomes_several() {
    let directory = directory();
    let mut first = Points::new();
    for key in 0..200 {
        first.extend(points(&format!("key{key:03}"), 0..20, 1));
    }
    write_file(directory.path(), name(1, 1), &first);
    write_file(directory.path(), name(2, 1), &points("key100", 0..3000, 2));
    let readers = open_all(directory.path());
    let want = answer(&readers);
    let outputs = Outputs::new(directory.path(), name(2, 2)).with_limit(4_000);
    let mut made =
        rewrite_into(outputs, directory.path(), &readers, Thoroughness::Full, &|| false).unwrap();
    let new = made.publish().unwrap();
    assert!(new.len() > 3, "{}", new.len());
    assert!(new.iter().all(|reader| reader.bytes() < 5_000));
    assert_eq!(new.last().unwrap().name(), Some(name(2, 1 + new.len() as u64)));
    made.retire().unwrap();
    assert_eq!(answer(&open_all(directory.path())), want);
}

#[test]
fn what_a_dead_process_left_is_tidied_away_and_nothing_else() {
    let directory = directory();
    let kept = ["000000001-000000001.tsm", "000000001-000000001.tombstone", "fields.idx", "x.bad"];
    let gone = [
        "000000002-000000001.tsm.tmp",
        "000000002-000000001.tsm.tmp.index",
        "000000001-000000001.tombstone.tmp",
        "000000009-000000001.tombstone",
    ];
    kept.iter().chain(&gone).for_each(|name| fs::write(directory.path().join(name), "").unwrap());
    tidy(directory.path()).unwrap();
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut left: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    let mut kept: Vec<&str> = kept.to_vec();
    kept.sort_unstable();
    assert_eq!(left, kept);
    assert_eq!(Operation::Unlink(directory.path().join("none")).perform().ok(), Some(()));
}
