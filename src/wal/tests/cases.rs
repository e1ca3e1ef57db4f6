//! The table of recovery, letter by letter, on segments that are made by hand.

use super::world::{DIRECTORY, NODE, piece, segment_path, settings, tag_of, targets_of, turns_of};
use crate::base::ids::LogId;
use crate::base::limits::PAGE;
use crate::base::time::Stamp;
use crate::rt::sim::SimDisk;
use crate::wal::format::SegmentHeader;
use crate::wal::frame::{Kind, OpenFrame, Sealing};
use crate::wal::recovery::{Here, Verdict, judge};
use crate::wal::{Item, Opened, open};
use futures_lite::future::block_on;

const EPOCH: u64 = 77;
const PAGES: usize = 12;

/// A segment whose first frame should be number 5.
struct Hand(Vec<u8>);

impl Hand {
    fn new() -> Hand {
        let header = SegmentHeader {
            log: LogId(3),
            segment: 1,
            epoch: EPOCH,
            node: NODE,
            first_frame: 5,
            stamp_before: Stamp(0),
            created_unix_ms: 0,
            bytes: (PAGES * PAGE) as u64,
            floors: Vec::new(),
            packed: None,
        };
        let mut bytes = header.encode();
        bytes.resize(PAGES * PAGE, 0);
        Hand(bytes)
    }

    /// A frame of one page at page `at`, counted from the first frame's place.
    fn frame(self, at: usize, number: u64, synced: u64) -> Hand {
        self.frame_of(at, number, synced, EPOCH, 100)
    }

    fn frame_of(mut self, at: usize, number: u64, synced: u64, epoch: u64, len: usize) -> Hand {
        let (tag, targets) = (tag_of(number), targets_of(number));
        let mut open = OpenFrame::new(Kind::Lines, &tag, &targets, len);
        open.push(&tag, &targets, 1, len).copy_from_slice(&piece(number, len));
        let place =
            Sealing { epoch, number, stamp: Stamp(number * 10), unix_ms: 0, synced, note: 0 };
        let frame = open.seal(place);
        let at = (2 + at) * PAGE;
        self.0[at..at + frame.bytes().len()].copy_from_slice(frame.bytes());
        self
    }

    /// Breaks the body, not the header, of what stands at page `at`.
    fn broken(mut self, at: usize) -> Hand {
        self.0[(2 + at) * PAGE + 90] ^= 1;
        self
    }

    /// The turns found, the numbers told as damaged, the count, and the number that comes next.
    fn found(self) -> (Vec<u64>, Vec<u64>, u64, u64) {
        let disk = SimDisk::default();
        disk.put(&segment_path(1), self.0);
        let Opened { log, found, .. } = block_on(open(settings(&disk, true))).unwrap();
        let (mut turns, mut damaged) = (Vec::new(), Vec::new());
        let items = block_on(log.read(5, PAGES * PAGE)).unwrap();
        for item in items {
            match item {
                Item::Frame(frame) => turns.extend(turns_of(&frame, &frame.runs.get(0))),
                Item::Damaged(numbers) => damaged.extend(numbers),
            }
        }
        let aside = disk.paths().iter().filter(|path| !path.starts_with(DIRECTORY)).count();
        assert_eq!(aside > 0, found.damaged_frames > 0, "what is counted is set aside");
        (turns, damaged, found.damaged_frames, log.end())
    }
}

#[test]
fn case_a_the_expected_frame_is_taken_whatever_follows() {
    assert_eq!(Hand::new().frame(0, 5, 4).found(), (vec![5], vec![], 0, 6));
    let more = Hand::new().frame(0, 5, 4).frame(1, 6, 5).frame(2, 7, 6);
    assert_eq!(more.found(), (vec![5, 6, 7], vec![], 0, 8));
}

#[test]
fn case_b_empty_space_is_the_end() {
    assert_eq!(Hand::new().found(), (vec![], vec![], 0, 5));
}

#[test]
fn case_c_the_end_of_the_frame_area_is_the_end() {
    let full = (0..9).fold(Hand::new(), |hand, at| hand.frame(at, 5 + at as u64, 4 + at as u64));
    assert_eq!(full.found(), ((5..14).collect(), vec![], 0, 14));
    // A frame that reaches over the end is none.
    let over = Hand::new().frame(0, 5, 4).frame_of(8, 6, 5, EPOCH, PAGE);
    assert_eq!(over.found(), (vec![5], vec![], 0, 6));
}

#[test]
fn case_d_a_commit_that_was_cut_short_is_skipped_and_not_counted() {
    let hole = Hand::new().frame(0, 5, 4).frame(2, 7, 5);
    assert_eq!(hole.found(), (vec![5, 7], vec![], 0, 8));
    let broken = Hand::new().frame(0, 5, 4).frame(1, 6, 5).broken(1).frame(2, 7, 5);
    assert_eq!(broken.found(), (vec![5, 7], vec![], 0, 8));
    let first = Hand::new().frame(1, 6, 4).frame(3, 8, 4);
    assert_eq!(first.found(), (vec![6, 8], vec![], 0, 9));
}

#[test]
fn case_e_a_torn_last_write_is_cut() {
    let torn = Hand::new().frame(0, 5, 4).frame(1, 6, 5).broken(1);
    assert_eq!(torn.found(), (vec![5], vec![], 0, 6));
    assert_eq!(Hand::new().frame(0, 5, 4).broken(0).found(), (vec![], vec![], 0, 5));
}

#[test]
fn case_f_damage_is_counted_and_set_aside_and_what_follows_is_found() {
    let broken = Hand::new().frame(0, 5, 4).broken(0).frame(1, 6, 5).frame(2, 7, 6);
    assert_eq!(broken.found(), (vec![6, 7], vec![5], 1, 8));
    let gone = Hand::new().frame(0, 5, 4).frame(3, 8, 7);
    assert_eq!(gone.found(), (vec![5, 8], vec![6, 7], 2, 9));
    // Only a later commit knows that the first one was synced.
    let later = Hand::new().frame(1, 6, 4).frame(2, 7, 6);
    assert_eq!(later.found(), (vec![6, 7], vec![5], 1, 8));
    // Of a hole, the part that was synced is damage, and the rest was never acknowledged.
    let both = Hand::new().frame(0, 5, 4).frame(3, 8, 6);
    assert_eq!(both.found(), (vec![5, 8], vec![6], 1, 9));
}

#[test]
fn case_g_frames_of_another_life_or_of_lower_number_are_no_frames() {
    let stale = Hand::new().frame(0, 5, 4).frame_of(1, 6, 5, EPOCH + 1, 100);
    assert_eq!(stale.found(), (vec![5], vec![], 0, 6));
    let older = Hand::new().frame(0, 5, 4).frame(1, 3, 2);
    assert_eq!(older.found(), (vec![5], vec![], 0, 6));
    let between = Hand::new().frame(0, 5, 4).frame_of(1, 6, 5, 1, 100).frame(2, 7, 6);
    assert_eq!(between.found(), (vec![5, 7], vec![6], 1, 8));
    let twice = Hand::new().frame(0, 5, 4).frame(1, 5, 4).frame(2, 6, 4);
    assert_eq!(twice.found(), (vec![5, 6], vec![], 0, 7));
}

#[test]
fn case_h_a_higher_number_means_a_hole_before_it() {
    let lost = Hand::new().frame(0, 5, 4).frame(1, 7, 6);
    assert_eq!(lost.found(), (vec![5, 7], vec![6], 1, 8));
    let unacknowledged = Hand::new().frame(0, 5, 4).frame(1, 7, 5);
    assert_eq!(unacknowledged.found(), (vec![5, 7], vec![], 0, 8));
}

#[test]
fn the_decision_is_the_table() {
    for follows in [false, true] {
        for (expected, synced) in [(5, 0), (5, 4), (5, 5), (5, 6), (1, 0), (1, u64::MAX)] {
            assert_eq!(judge(&Here::Expected, expected, follows, synced), Verdict::Take);
            for here in [Here::Broken, Here::Nothing] {
                let expect = match (synced >= expected, follows) {
                    (true, _) => Verdict::SetAside,
                    (false, true) => Verdict::SkipUnacknowledged,
                    (false, false) => Verdict::End,
                };
                assert_eq!(judge(&here, expected, follows, synced), expect);
            }
        }
    }
}
