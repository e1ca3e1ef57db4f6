//! Damage stays where it is.

use super::ways::{all, create, open, write};
use std::fs;

#[test]
fn a_damaged_block_is_told_once_and_the_rest_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    write(&store, "a v=1 1\nb v=2 2\nc v=3 3");
    let rows = all(&store, "d");
    store.stop().unwrap();
    drop(store);
    let file = directory.path().join("data/d/autogen/1/000000001-000000001.tsm");
    let mut bytes = fs::read(&file).unwrap();
    // Behind the head of the file and its checksum comes the block of the first key.
    bytes[12] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let store = open(directory.path());
    for _ in 0..3 {
        assert_eq!(all(&store, "d"), rows[1..]);
    }
    let damage = store.damage();
    assert_eq!((damage.len(), &damage[0].file, damage[0].offset), (1, &file, Some(5)));
    assert_eq!(store.stats().damaged, 1);
    write(&store, "a v=7 1");
    assert_eq!(all(&store, "d").len(), 3);
}

#[test]
fn a_file_that_is_none_is_set_aside_and_the_others_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    write(&store, "a v=1 1");
    store.flush().unwrap();
    write(&store, "b v=2 2");
    store.stop().unwrap();
    drop(store);
    let file = directory.path().join("data/d/autogen/1/000000001-000000001.tsm");
    fs::write(&file, b"something else").unwrap();
    let store = open(directory.path());
    assert_eq!(all(&store, "d"), ["b v=2 2"]);
    assert_eq!(store.damage().len(), 1);
    assert!(!file.exists() && file.with_extension("tsm.bad").exists());
    // The next one does not take its name.
    write(&store, "c v=3 3");
    store.stop().unwrap();
    drop(store);
    let store = open(directory.path());
    assert_eq!(all(&store, "d"), ["b v=2 2", "c v=3 3"]);
    assert!(store.damage().is_empty());
}

#[test]
fn damage_in_the_middle_of_the_log_loses_one_entry_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    for n in 1..=3 {
        write(&store, &format!("m v={n} {n}"));
    }
    drop(store);
    let file = directory.path().join("log/000000001.log");
    let mut bytes = fs::read(&file).unwrap();
    let at = memchr::memmem::find(&bytes, b"m v=2").unwrap();
    bytes[at] = b'x';
    fs::write(&file, &bytes).unwrap();
    let store = open(directory.path());
    assert_eq!(all(&store, "d"), ["m v=1 1", "m v=3 3"]);
    assert_eq!(store.damage().len(), 1);
    store.stop().unwrap();
    assert_eq!(fs::read(file.with_extension("log.bad")).unwrap(), bytes);
}

#[test]
fn a_damaged_catalogue_is_not_replaced_by_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    create(&store, "d");
    drop(store);
    let file = directory.path().join("meta/meta.db");
    fs::write(&file, [0xff; 40]).unwrap();
    let options = crate::store::store::Options::new(directory.path().to_owned());
    assert!(crate::store::store::Store::open(options).is_err());
    assert_eq!(fs::read(&file).unwrap(), [0xff; 40]);
}
