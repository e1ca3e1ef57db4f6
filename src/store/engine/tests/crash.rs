//! A death at each step: the directory as it was at that moment, opened by another process.

use super::ways::{all, create, open, write};
use crate::store::view::{Catalog, Change, TimeRange};
use std::fs;
use std::path::Path;

/// All but the lock.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_name() != "lock" {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What a process would find that starts on `data` with another moment's `log`.
fn found(data: &Path, log: &Path, change: impl FnOnce(&Path)) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    copy(data, directory.path());
    fs::remove_dir_all(directory.path().join("log")).unwrap();
    copy(&log.join("log"), &directory.path().join("log"));
    change(directory.path());
    let store = open(directory.path());
    let rows = all(&store, "d");
    // What was found also stays.
    store.flush().unwrap();
    store.tend();
    assert_eq!(all(&store, "d"), rows);
    drop(store);
    assert_eq!(all(&open(directory.path()), "d"), rows);
    rows
}

fn first_file(directory: &Path) -> std::path::PathBuf {
    directory.join("data/d/autogen/1/000000001-000000001.tsm")
}

#[test]
fn a_death_at_any_step_of_a_snapshot_loses_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    write(&store, "m,t=a v=1,s=\"x\" 1\nm,t=b v=2 2\nm,t=a v=3 1");
    let rows = all(&store, "d");
    let before = tempfile::tempdir().unwrap();
    copy(directory.path(), before.path());
    store.flush().unwrap();
    let after = directory.path();
    // Nothing is written yet; half a file; a whole file without its name; its name; the log is given back.
    assert_eq!(found(before.path(), before.path(), |_| ()), rows);
    for keep in [0, 100, usize::MAX] {
        let half = |directory: &Path| {
            let file = first_file(directory);
            let bytes = fs::read(&file).unwrap();
            fs::remove_file(&file).unwrap();
            let makeshift = format!("{}.tmp", file.display());
            fs::write(makeshift, &bytes[..bytes.len().min(keep)]).unwrap();
        };
        assert_eq!(found(after, before.path(), half), rows, "{keep}");
    }
    assert_eq!(found(after, before.path(), |_| ()), rows);
    assert_eq!(found(after, after, |_| ()), rows);
}

#[test]
fn a_delete_that_is_only_in_the_log_is_done_and_spares_what_came_later() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    write(&store, "m,t=a v=1 1\nm,t=b v=2 2\nn v=1 1");
    store.flush().unwrap();
    let before = tempfile::tempdir().unwrap();
    copy(directory.path(), before.path());
    write(&store, "m,t=a v=5 5");
    let series = store.database("d").unwrap().series_ids("m");
    let range = TimeRange { min_ns: 0, max_ns: 10 };
    store.change(Change::Delete { database: "d".to_owned(), series, range }).unwrap();
    assert_eq!(all(&store, "d"), ["n v=1 1"]);
    write(&store, "m,t=b v=7 2");
    let rows = ["m,t=b v=7 2", "n v=1 1"];
    assert_eq!(all(&store, "d"), rows);
    // No tombstone is written yet; all are.
    assert_eq!(found(before.path(), directory.path(), |_| ()), rows);
    assert_eq!(found(directory.path(), directory.path(), |_| ()), rows);
    // The later point is in a file, and the entry of the delete is still in the log.
    let log = tempfile::tempdir().unwrap();
    copy(directory.path(), log.path());
    store.flush().unwrap();
    assert_eq!(found(directory.path(), log.path(), |_| ()), rows);
}

#[test]
fn a_torn_end_of_the_log_is_cut_and_the_rest_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    write(&store, "m v=1 1");
    let whole = fs::metadata(directory.path().join("log/000000001.log")).unwrap().len();
    write(&store, "m v=2 2");
    let all_bytes = fs::metadata(directory.path().join("log/000000001.log")).unwrap().len();
    for end in [whole + 1, whole + 20, all_bytes - 1] {
        let tear = |directory: &Path| {
            let file = fs::File::options().write(true).open(directory.join("log/000000001.log"));
            file.unwrap().set_len(end).unwrap();
        };
        assert_eq!(found(directory.path(), directory.path(), tear), ["m v=1 1"]);
    }
}

#[test]
fn a_window_that_was_dropped_does_not_come_back_from_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    write(&store, "m v=1 1");
    let log = tempfile::tempdir().unwrap();
    copy(directory.path(), log.path());
    store
        .change(Change::DropPolicy { database: "d".to_owned(), name: "autogen".to_owned() })
        .unwrap();
    let policy = crate::store::view::PolicyChange {
        name: Some("autogen".to_owned()),
        make_default: true,
        ..Default::default()
    };
    store.change(Change::CreatePolicy { database: "d".to_owned(), policy }).unwrap();
    write(&store, "m,t=new v=2 2");
    store.flush().unwrap();
    assert_eq!(found(directory.path(), log.path(), |_| ()), ["m,t=new v=2 2"]);
}
