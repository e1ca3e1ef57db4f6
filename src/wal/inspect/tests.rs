//! Laws of looking: what is whole is told as it is, what is rotten is told with its place, and what somebody
//! is writing meanwhile is never called damaged.

use super::*;
use crate::base::ids::BackendId;
use crate::wal::format::SegmentHeader;
use crate::wal::frame::Sealing;
use crate::wal::{Dropped, OpenFrame, QueueMark};
use std::fs;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/segment-v1.wal");
const LOG: LogId = LogId(3);

/// A log of one segment.
fn log_of(bytes: &[u8]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = segment::path(directory.path(), 1);
    fs::write(&path, bytes).unwrap();
    (directory, path)
}

fn seen(directory: &TempDir) -> LogView {
    look(directory.path(), LOG).unwrap()
}

fn flipped(at: usize) -> Vec<u8> {
    let mut bytes = GOLDEN.to_vec();
    bytes[at] ^= 1;
    bytes
}

#[test]
fn the_golden_segment_is_whole_and_told_as_it_is() {
    let (directory, path) = log_of(GOLDEN);
    let view = seen(&directory);
    let found = verify(&view);
    assert_eq!(found.damages, []);
    assert_eq!((found.segments, found.frames, found.points, found.holes), (1, 4, 5, 0));
    let facts = view.segments[0].facts().unwrap();
    assert_eq!((facts.end, facts.frames, facts.statements), (5, 4, 1));
    assert_eq!((facts.used_bytes, facts.last_stamp), (24_576, Stamp(1003)));
    // The same without the footer, from the frames.
    fs::OpenOptions::new().write(true).open(&path).unwrap().write_all_at(b"X", 45_056).unwrap();
    let view = seen(&directory);
    assert!(view.segments[0].footer.is_none());
    let scanned = view.segments[0].facts().unwrap();
    assert_eq!((scanned.end, scanned.frames, scanned.used_bytes), (5, 4, 24_576));
    assert_eq!(scanned.shares, facts.shares);
}

#[test]
fn a_flipped_bit_in_any_frame_is_damage_in_its_place() {
    for (number, page) in (1..).zip(2..6) {
        for at in [0, 20, 71, 72, 100] {
            let at = page * PAGE + at;
            let (directory, _) = log_of(&flipped(at));
            let found = verify(&seen(&directory));
            assert_eq!(found.damages.len(), 1, "byte {at}: {found:?}");
            let damage = &found.damages[0];
            assert_eq!(damage.numbers, Some(number..number + 1), "byte {at}");
            let place = damage.place.clone().unwrap();
            assert!(place.contains(&(at as u64)), "byte {at}: {place:?}");
            assert_eq!(found.frames, 3);
        }
    }
}

#[test]
fn a_rotten_header_is_told_and_one_of_two_loses_nothing() {
    for page in 0..2 {
        let (directory, _) = log_of(&flipped(page * PAGE + 30));
        let found = verify(&seen(&directory));
        assert_eq!((found.damages.len(), found.frames), (1, 4), "{found:?}");
    }
    let mut bytes = flipped(30);
    bytes[PAGE + 30] ^= 1;
    let (directory, path) = log_of(&bytes);
    let view = seen(&directory);
    assert_eq!(view.unreadable, [path]);
    assert_eq!(verify(&view).damages.len(), 1);
}

#[test]
fn a_torn_tail_is_the_end_and_no_damage() {
    // No footer, and the last frame written in part: nothing says that it was synced.
    for torn in [5 * PAGE + 10, 5 * PAGE + 72, 5 * PAGE + 90] {
        let mut bytes = GOLDEN[..torn].to_vec();
        bytes.resize(GOLDEN.len(), 0);
        let (directory, _) = log_of(&bytes);
        let found = verify(&seen(&directory));
        assert_eq!((found.damages.len(), found.frames), (0, 3), "torn at {torn}: {found:?}");
    }
}

#[test]
fn a_gap_between_segments_is_damage() {
    let (directory, _) = log_of(GOLDEN);
    let header = SegmentHeader::decode(GOLDEN).unwrap();
    let third = SegmentHeader { segment: 3, first_frame: 9, epoch: 1, ..header };
    let mut bytes = third.encode();
    bytes.resize(GOLDEN.len(), 0);
    fs::write(segment::path(directory.path(), 3), bytes).unwrap();
    let found = verify(&seen(&directory));
    assert_eq!(found.damages.len(), 1, "{found:?}");
    assert_eq!(found.damages[0].numbers, Some(5..9));
}

#[test]
fn a_segment_that_is_given_up_meanwhile_is_no_damage() {
    let (directory, path) = log_of(GOLDEN);
    let view = seen(&directory);
    fs::rename(&path, directory.path().join(segment::free_name(1))).unwrap();
    let file =
        fs::OpenOptions::new().write(true).open(directory.path().join(segment::free_name(1)));
    file.unwrap().write_all_at(&[0; 5 * PAGE], 0).unwrap();
    assert_eq!(verify(&view).damages, []);
    let view = seen(&directory);
    assert!(view.segments.is_empty() && view.unreadable.is_empty());
    assert_eq!(view.free, [(segment::free_name(1), GOLDEN.len() as u64)]);
}

fn checkpoint() -> Checkpoint {
    let mark = |backend, tag: &[u8], cursor| QueueMark {
        backend: BackendId(backend),
        tag: Rc::from(tag),
        cursor,
        oldest: Stamp(1),
        oldest_statement: Stamp::NONE,
        bytes: 0,
    };
    let dropped = Dropped { backend: BackendId(1), tag: Rc::from(&b"telegraf"[..]), end: 3 };
    Checkpoint {
        marks: vec![mark(0, b"", 4), mark(0, b"telegraf", 2), mark(4, b"", 5)],
        drops: vec![dropped],
        ..Checkpoint::default()
    }
}

#[test]
fn cursors_parked_queues_and_drops_say_what_is_owed() {
    let (backend, checkpoint) = (BackendId, checkpoint());
    assert_eq!(checkpoint.owes(backend(0), 3, b"telegraf"), Some(&b"telegraf"[..]), "parked");
    assert_eq!(checkpoint.owes(backend(0), 1, b"telegraf"), None, "below the parked cursor");
    assert_eq!(checkpoint.owes(backend(0), 4, b"plant"), Some(&b""[..]));
    assert_eq!(checkpoint.owes(backend(0), 3, b"plant"), None, "confirmed");
    assert_eq!(checkpoint.owes(backend(1), 2, b"telegraf"), None, "dropped");
    assert_eq!(checkpoint.owes(backend(1), 3, b"telegraf"), Some(&b""[..]), "after the drop");
    assert_eq!(checkpoint.owes(backend(1), 1, b"plant"), Some(&b""[..]), "no mark");
}

#[test]
fn debts_are_counted_in_their_queues() {
    let (directory, _) = log_of(GOLDEN);
    let mut view = seen(&directory);
    view.checkpoint = Some(checkpoint());
    let debts = debts(&view, 6).unwrap();
    let of = |backend: u16, tag: &[u8]| {
        let ours = debts.iter().find(|debt| debt.backend.0 == backend && *debt.tag == *tag);
        let debt = ours.unwrap();
        (debt.points, debt.statements, debt.oldest.map(|(number, _, _)| number))
    };
    assert_eq!(debts.len(), 7);
    assert_eq!(of(0, b""), (0, 0, None), "all of it is for the parked queue");
    assert_eq!(of(0, b"telegraf"), (1, 1, Some(3)));
    assert_eq!(of(4, b""), (0, 0, None));
    assert_eq!(of(1, b""), (1, 0, Some(2)), "but for what was dropped");
    assert_eq!(of(5, b""), (1, 1, Some(2)));
    let mut owed = Vec::new();
    each_owed(&view, BackendId(5), |frame, run| {
        owed.push((frame.number(), run.points));
        Ok(())
    })
    .unwrap();
    assert_eq!(owed, [(2, 1), (3, 0)]);
}

/// The pages of frames, each sealed after the one before it was synced.
fn frames(epoch: u64, count: u64) -> Vec<Vec<u8>> {
    let tag: Rc<[u8]> = Rc::from(&b"d"[..]);
    let frame = |number: u64| {
        let text = format!("m v={number} {number}\n").repeat(100);
        let targets = [BackendId(0)];
        let mut open = OpenFrame::new(Kind::Lines, &tag, &targets, text.len());
        open.push(&tag, &targets, 100, text.len()).copy_from_slice(text.as_bytes());
        let stamp = Stamp(number);
        open.seal(Sealing { epoch, number, stamp, unix_ms: 0, synced: number - 1, note: 0 })
            .bytes()
            .to_vec()
    };
    (1..=count).map(frame).collect()
}

#[test]
fn a_log_that_is_being_written_is_never_damaged() {
    // More frames than one read brings: later ones come into sight while earlier ones are judged.
    let mut header = SegmentHeader::decode(GOLDEN).unwrap();
    header.bytes = 4 << 20;
    for round in 0..30 {
        header.epoch = 100 + round;
        let mut bytes = header.encode();
        bytes.resize(4 << 20, 0);
        let (directory, path) = log_of(&bytes);
        let frames = frames(header.epoch, 900);
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
                let mut at = SEGMENT_HEADER_BYTES as u64;
                for frame in &frames {
                    file.write_all_at(frame, at).unwrap();
                    at += frame.len() as u64;
                }
                is_done.store(true, Ordering::SeqCst);
            });
            while !is_done.load(Ordering::SeqCst) {
                assert_eq!(verify(&seen(&directory)).damages, []);
            }
        });
        assert_eq!(verify(&seen(&directory)).frames, 900);
    }
}
