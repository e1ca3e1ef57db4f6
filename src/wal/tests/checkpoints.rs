//! The cursors' file: the newest whole slot counts.

use super::world::DIRECTORY;
use crate::base::ids::{BackendId, LogId};
use crate::base::limits::PAGE;
use crate::base::time::Stamp;
use crate::rt::Disk;
use crate::rt::sim::SimDisk;
use crate::wal::checkpoint::{SLOT_BYTES, decode, encode};
use crate::wal::{Checkpoint, CheckpointFile, Dropped, ParkedFloor, QueueMark, Reached, Refusal};
use futures_lite::future::block_on;
use proptest::collection::vec;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::rc::Rc;

fn path() -> PathBuf {
    Path::new(DIRECTORY).join("cursors")
}

fn with_cursor(cursor: u64) -> Checkpoint {
    super::world::checkpoint(cursor)
}

fn open(disk: &SimDisk) -> (CheckpointFile, Option<u64>) {
    let disk = Disk::Sim(disk.clone());
    let (file, found) =
        block_on(CheckpointFile::open(&disk, Path::new(DIRECTORY), LogId(3))).unwrap();
    (file, found.map(|found| found.marks[0].cursor))
}

/// A file into which 1, 2, ... `last` were written.
fn written(last: u64) -> SimDisk {
    let disk = SimDisk::default();
    let (mut file, found) = open(&disk);
    assert_eq!(found, None);
    for cursor in 1..=last {
        block_on(file.write(&with_cursor(cursor))).unwrap();
    }
    disk
}

fn damage_slot_of(disk: &SimDisk, generation: usize, byte: usize) {
    assert!(disk.damage(&path(), generation % 2 * SLOT_BYTES + byte, |byte| *byte ^= 1));
}

#[test]
fn the_newest_whole_slot_wins() {
    for last in 1..6 {
        assert_eq!(open(&written(last)).1, Some(last));
    }
}

#[test]
fn a_torn_slot_falls_back_to_the_one_before_and_is_written_next() {
    for byte in 0..40 {
        let disk = written(6);
        damage_slot_of(&disk, 6, byte);
        let (mut file, found) = open(&disk);
        assert_eq!(found, Some(5), "byte {byte}");
        block_on(file.write(&with_cursor(9))).unwrap();
        damage_slot_of(&disk, 5, byte);
        assert_eq!(open(&disk).1, Some(9), "the torn slot was the one to write");
    }
}

#[test]
fn two_torn_slots_mean_no_checkpoint() {
    let disk = written(6);
    damage_slot_of(&disk, 5, 0);
    damage_slot_of(&disk, 6, 20);
    assert_eq!(open(&disk).1, None);
}

#[test]
fn cursors_of_another_log_are_not_believed() {
    let disk = Disk::Sim(written(2));
    let opened = block_on(CheckpointFile::open(&disk, Path::new(DIRECTORY), LogId(4)));
    assert_eq!(opened.unwrap().1, None);
}

#[test]
fn too_many_queues_are_an_error_and_leave_the_old_checkpoint() {
    let disk = written(3);
    let (mut file, _) = open(&disk);
    let mut many = with_cursor(4);
    many.marks = vec![many.marks[0].clone(); SLOT_BYTES / 20];
    assert!(block_on(file.write(&many)).is_err());
    assert_eq!(open(&disk).1, Some(3));
}

fn checkpoint() -> impl Strategy<Value = Checkpoint> {
    let mark = (any::<u16>(), any::<[u64; 3]>(), vec(any::<u8>(), 0..30));
    let mark = mark.prop_map(|(backend, [cursor, oldest, statement], tag)| QueueMark {
        backend: BackendId(backend),
        tag: Rc::from(tag),
        cursor,
        oldest: Stamp(oldest),
        oldest_statement: Stamp(statement),
    });
    let backends = || vec(any::<u16>().prop_map(BackendId), 0..4);
    let refusal = (any::<u64>(), any::<u32>(), backends(), backends());
    let refusal = refusal.prop_map(|(frame, line, refused_by, targets)| Refusal {
        frame,
        line,
        refused_by,
        targets,
    });
    let floors = vec((any::<u16>(), any::<u64>()), 0..9);
    (any::<u64>(), floors, vec(mark, 0..20), vec(refusal, 0..5)).prop_map(
        |(highest, floors, marks, refusals)| Checkpoint {
            refusals,
            drops: marks
                .iter()
                .step_by(2)
                .map(|mark: &QueueMark| Dropped {
                    backend: mark.backend,
                    tag: mark.tag.clone(),
                    end: mark.cursor,
                })
                .collect(),
            parked_floors: marks
                .iter()
                .step_by(3)
                .map(|mark| ParkedFloor {
                    backend: mark.backend,
                    tag: mark.tag.clone(),
                    stamp: mark.oldest,
                })
                .collect(),
            reached: marks
                .iter()
                .map(|mark| Reached {
                    backend: mark.backend,
                    tag: mark.tag.clone(),
                    end: mark.cursor,
                })
                .collect(),
            highest_stamp: Stamp(highest),
            floors: floors.into_iter().map(|(b, stamp)| (BackendId(b), Stamp(stamp))).collect(),
            marks,
        },
    )
}

#[test]
fn a_checkpoint_as_it_once_was_is_read() {
    // Without refusals and what was reached, and without the floors of parked databases.
    for missing in [4, 12] {
        let mut slot = encode(&with_cursor(7), 3, LogId(9));
        let len = slot.len() - missing;
        slot.truncate(len);
        slot[18..22].copy_from_slice(&u32::try_from(len).unwrap().to_le_bytes());
        slot.extend_from_slice(&crate::base::checksum::crc32c(&slot).to_le_bytes());
        assert_eq!(decode(&slot, LogId(9)), Some((3, with_cursor(7))));
    }
}

proptest! {
    #[test]
    fn a_checkpoint_reads_back(checkpoint in checkpoint(), generation: u64, flip: prop::sample::Index) {
        let mut slot = encode(&checkpoint, generation, LogId(9));
        let len = slot.len();
        slot.extend_from_slice(&crate::base::checksum::crc32c(&slot).to_le_bytes());
        slot.resize(slot.len() + PAGE, 0xEE);
        prop_assert_eq!(decode(&slot, LogId(9)), Some((generation, checkpoint)));
        slot[flip.index(len + 4)] ^= 0x10;
        prop_assert_eq!(decode(&slot, LogId(9)), None);
    }
}
