//! The table: each failpoint, and after how many passages the gateway dies there.

use crate::death::{Death, world};
use circlet::base::failpoint::ALL;

/// Failpoint, and how often it is passed unharmed in three lives. In the last one a backend
/// is dead, too, and the life after it ends at the same place.
const ROWS: [(&str, [u64; 3]); 24] = [
    ("wal.append.before_write", [0, 6, 40]),
    ("wal.append.after_write", [0, 6, 40]),
    ("wal.append.before_sync", [0, 6, 40]),
    ("wal.append.after_sync", [0, 6, 40]),
    ("wal.append.before_release", [0, 6, 40]),
    ("wal.segment.before_header_sync", [0, 2, 5]),
    ("wal.segment.after_header_sync", [0, 2, 5]),
    ("wal.segment.after_rename", [0, 2, 5]),
    ("wal.segment.after_dir_sync", [0, 2, 5]),
    ("wal.segment.before_free", [0, 2, 5]),
    ("wal.segment.after_free", [0, 2, 5]),
    ("wal.checkpoint.before_write", [0, 2, 6]),
    ("wal.checkpoint.torn", [0, 2, 6]),
    ("wal.checkpoint.after_sync", [0, 2, 6]),
    ("deliver.before_send", [0, 6, 60]),
    ("deliver.after_send", [0, 6, 60]),
    ("deliver.before_confirm", [0, 6, 60]),
    ("deliver.after_confirm", [0, 6, 60]),
    ("reject.before_write", [0, 1, 3]),
    ("reject.after_sync", [0, 1, 3]),
    ("statement.before_append", [0, 2, 6]),
    ("statement.after_append", [0, 2, 6]),
    ("statement.before_send", [0, 2, 6]),
    ("statement.after_send", [0, 2, 6]),
];

/// Where the gateway dies in this life.
pub fn death(failpoint: &'static str, passed: u64, hard: bool) -> Death {
    // A dead backend keeps every segment: there would be none to free.
    let is_free = failpoint.ends_with("_free");
    Death { failpoint, passed, backend_down: hard && !is_free, twice: hard }
}

/// Every row whose failpoint begins so, three times, in one world.
fn die_at_all(prefix: &str) {
    let mut world = world();
    let rows: Vec<_> = ROWS.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    assert!(!rows.is_empty(), "no failpoint begins with {prefix}");
    for life in 0..3 {
        for (failpoint, passed) in &rows {
            let death = death(failpoint, passed[life], life == 2);
            let began = std::time::Instant::now();
            let outcome = death.happen(&mut world, &format!("{failpoint}.{life}"));
            assert!(outcome.findings.is_empty(), "{death:?}: {:#?}", outcome.findings);
            println!("{death:?}: {} points, {:?}", outcome.acknowledged, began.elapsed());
        }
    }
}

/// The most passages of each failpoint.
pub fn passed_max(failpoint: &str) -> u64 {
    let row = ROWS.iter().find(|(name, _)| *name == failpoint);
    row.expect("every failpoint has a row").1[2]
}

#[test]
fn every_failpoint_has_a_row() {
    let rows: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
    let all: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(rows, all);
}

#[test]
fn a_death_in_an_append_loses_nothing() {
    die_at_all("wal.append.");
}

#[test]
fn a_death_around_a_segment_loses_nothing() {
    die_at_all("wal.segment.");
}

#[test]
fn a_death_around_a_checkpoint_loses_nothing() {
    die_at_all("wal.checkpoint.");
}

#[test]
fn a_death_in_a_delivery_loses_nothing() {
    die_at_all("deliver.");
}

#[test]
fn a_death_around_a_reject_loses_neither_it_nor_its_neighbours() {
    die_at_all("reject.");
}

#[test]
fn a_death_around_a_statement_loses_nothing() {
    die_at_all("statement.");
}
