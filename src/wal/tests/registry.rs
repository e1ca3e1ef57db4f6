//! The data directory's identity, lock and numbers, on a real file system.

use crate::base::ids::{BackendId, LogId};
use crate::wal::Registry;
use std::fs;
use std::path::Path;

pub const NODE: [u8; 16] = [0xAB; 16];

pub fn open(data: &Path) -> Registry {
    Registry::open(data, NODE).unwrap()
}

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn numbers(registry: &mut Registry, wanted: &[&str]) -> Vec<u16> {
    registry.numbers(&names(wanted)).unwrap().into_iter().map(|BackendId(number)| number).collect()
}

#[test]
fn a_number_is_never_given_twice() {
    let data = tempfile::tempdir().unwrap();
    let mut registry = open(data.path());
    assert_eq!(numbers(&mut registry, &["a", "b"]), [0, 1]);
    assert_eq!(numbers(&mut registry, &["b", "c", "b"]), [1, 2, 1]);
    drop(registry);
    // `a` has left the configuration; its number has not.
    let mut registry = open(data.path());
    assert_eq!(numbers(&mut registry, &["d"]), [3]);
    assert_eq!(numbers(&mut registry, &["c", "a"]), [2, 0]);
    assert_eq!(registry.names(), names(&["a", "b", "c", "d"]));
}

#[test]
fn numbers_that_could_not_be_written_are_not_given() {
    let data = tempfile::tempdir().unwrap();
    let mut registry = open(data.path());
    assert_eq!(numbers(&mut registry, &["a"]), [0]);
    let obstacle = registry.directory().join("backends.reg.new");
    fs::create_dir(&obstacle).unwrap();
    assert!(registry.numbers(&names(&["b"])).is_err());
    assert!(registry.numbers(&names(&["b"])).is_err(), "not remembered as if it were written");
    fs::remove_dir(&obstacle).unwrap();
    assert_eq!(numbers(&mut registry, &["c", "b"]), [1, 2]);
    drop(registry);
    assert_eq!(open(data.path()).names(), names(&["a", "c", "b"]));
}

#[test]
fn a_name_that_would_break_a_line_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let mut registry = open(data.path());
    for name in ["a\tb", "a\nb", "a\r"] {
        assert!(registry.numbers(&names(&["good", name])).is_err());
    }
    assert!(registry.names().is_empty());
}

#[test]
fn a_list_of_names_that_does_not_count_up_is_damaged() {
    for lines in ["0\ta\n2\tc\n", "0 a\n", "1\ta\n", "zero\ta\n", "0\ta\n\n"] {
        let data = tempfile::tempdir().unwrap();
        drop(open(data.path()));
        let text =
            format!("{lines}crc32c={:08x}\n", crate::base::checksum::crc32c(lines.as_bytes()));
        fs::write(data.path().join("wal/backends.reg"), text).unwrap();
        let error = Registry::open(data.path(), NODE).unwrap_err();
        assert!(error.contains("damaged"), "{lines:?}: {error}");
    }
}

#[test]
fn the_node_keeps_its_identity() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(open(data.path()).node, NODE);
    assert_eq!(Registry::open(data.path(), [1; 16]).unwrap().node, NODE);
    let text = fs::read_to_string(data.path().join("wal/FORMAT")).unwrap();
    assert_eq!(text, format!("format=1 node={}\n", "ab".repeat(16)));
}

#[test]
fn an_unknown_format_is_refused() {
    let hex = "ab".repeat(16);
    let bad = [
        format!("format=2 node={hex}\n"),
        format!("format=1 node={}\n", &hex[1..]),
        format!("format=1 node=\u{e4}{}\n", &hex[2..]),
        format!("format=1 node={}zz\n", &hex[2..]),
        "format=1\n".to_owned(),
        String::new(),
    ];
    for text in bad {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("wal")).unwrap();
        fs::write(data.path().join("wal/FORMAT"), &text).unwrap();
        let error = Registry::open(data.path(), NODE).unwrap_err();
        assert!(error.contains("does not know"), "{text:?}: {error}");
        assert_eq!(fs::read_to_string(data.path().join("wal/FORMAT")).unwrap(), text);
    }
}

#[test]
fn one_process_at_a_time_uses_a_directory() {
    let data = tempfile::tempdir().unwrap();
    let first = open(data.path());
    let error = Registry::open(data.path(), NODE).unwrap_err();
    assert!(error.contains("in use"), "{error}");
    drop(first);
    open(data.path());
}

#[test]
fn the_logs_on_disk_are_those_with_a_number() {
    let data = tempfile::tempdir().unwrap();
    let registry = open(data.path());
    for name in ["log-002", "log-000", "log-x", "quarantine", "log-", "log-99999"] {
        fs::create_dir(registry.directory().join(name)).unwrap();
    }
    assert_eq!(registry.logs().unwrap(), [LogId(0), LogId(2)]);
    assert!(registry.log_directory(LogId(2)).is_dir());
}

#[test]
fn somebody_who_looks_takes_no_lock_and_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    assert!(Registry::look(data.path()).unwrap_err().contains("FORMAT"), "nothing is there");
    assert!(fs::read_dir(data.path()).unwrap().next().is_none(), "nothing is made");
    let mut user = open(data.path());
    user.numbers(&["a".to_owned(), "b".to_owned()]).unwrap();
    let seen = Registry::look(data.path()).unwrap();
    assert_eq!((seen.names(), seen.node), (user.names(), user.node));
    drop(user);
    open(data.path());
    fs::write(data.path().join("wal/FORMAT"), "format=2\n").unwrap();
    assert!(Registry::look(data.path()).unwrap_err().contains("does not know"));
}
