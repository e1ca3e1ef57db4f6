//! What is written is read back; foreign bytes are refused and never panic.

use crate::base::ids::{BackendId, LogId};
use crate::base::limits::PAGE;
use crate::base::time::Stamp;
use crate::rt::Bytes;
use crate::wal::format::{Footer, FrameHeader, SegmentHeader, Share, seal};
use crate::wal::frame::{Frame, Kind, OpenFrame, Sealing};
use proptest::collection::vec;
use proptest::prelude::*;
use std::rc::Rc;

fn sealing() -> impl Strategy<Value = Sealing> {
    (any::<u64>(), 1..u64::MAX, any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
        |(epoch, number, stamp, unix_ms, synced)| Sealing {
            note: 7,
            epoch,
            number,
            stamp: Stamp(stamp),
            unix_ms,
            synced,
        },
    )
}

type Piece = (Vec<u8>, Vec<u16>, u16, Vec<u8>);

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    vec((vec(any::<u8>(), 0..40), vec(0..9u16, 1..5), any::<u16>(), vec(any::<u8>(), 0..900)), 1..9)
}

fn fill(pieces: &[Piece]) -> OpenFrame {
    let mut open = OpenFrame::new(Kind::Lines, b"", &[], usize::MAX / 2);
    for (tag, targets, points, bytes) in pieces {
        let targets: Vec<_> = targets.iter().copied().map(BackendId).collect();
        let tag: Rc<[u8]> = Rc::from(&tag[..]);
        open.push(&tag, &targets, u32::from(*points), bytes.len()).copy_from_slice(bytes);
    }
    open
}

fn cold(bytes: &[u8]) -> Rc<Bytes> {
    Rc::new(Bytes::Heap(bytes.to_vec()))
}

fn header() -> impl Strategy<Value = SegmentHeader> {
    let numbers = (any::<u16>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    (numbers, any::<[u8; 16]>(), 4..1000u64, vec((any::<u16>(), any::<u64>()), 0..200)).prop_map(
        |((log, segment, epoch, first_frame, stamp), node, pages, floors)| SegmentHeader {
            log: LogId(log),
            segment,
            epoch,
            node,
            first_frame,
            stamp_before: Stamp(stamp),
            created_unix_ms: stamp,
            bytes: pages * PAGE as u64,
            floors: floors.into_iter().map(|(b, stamp)| (BackendId(b), Stamp(stamp))).collect(),
            packed: None,
        },
    )
}

fn footer() -> impl Strategy<Value = Footer> {
    let share = (any::<u16>(), any::<u64>(), any::<u64>()).prop_map(|(backend, frame, bytes)| {
        let (backend, last_stamp) = (BackendId(backend), Stamp(bytes ^ frame));
        Share { backend, last_frame: frame, last_stamp, bytes, points: bytes / 50 }
    });
    let hole = (any::<u64>(), any::<u64>()).prop_map(|(start, end)| start..end);
    (any::<u64>(), any::<u64>(), any::<u32>(), vec(hole, 0..9), vec(share, 0..110)).prop_map(
        |(epoch, last_frame, statements, holes, shares)| Footer {
            epoch,
            last_frame,
            last_stamp: Stamp(last_frame / 3),
            end: last_frame / 7,
            statements,
            holes,
            shares,
        },
    )
}

proptest! {
    #[test]
    fn a_frame_reads_back_as_it_was_filled(pieces in pieces(), place in sealing(), epoch: u64) {
        let frame = fill(&pieces).seal(place);
        let read = Frame::decode(&cold(frame.bytes()), 0).unwrap();
        prop_assert_eq!(read.header, frame.header);
        prop_assert_eq!(&read.runs, &frame.runs);
        let payload: Vec<u8> = read.runs.iter().flat_map(|run| read.payload(&run).to_vec()).collect();
        let filled: Vec<u8> = pieces.iter().flat_map(|piece| piece.3.clone()).collect();
        prop_assert_eq!(payload, filled);
        prop_assert_eq!(frame.bytes().len() % PAGE, 0);
        // Moved to another segment, only the epoch changes.
        let moved = frame.moved_to(epoch);
        let read = Frame::decode(&cold(moved.bytes()), 0).unwrap();
        prop_assert_eq!(read.header, FrameHeader { epoch, ..frame.header });
        prop_assert_eq!(&moved.bytes()[72..], &frame.bytes()[72..]);
        // With all its runs kept, a packed segment has the same of it.
        let narrowed = frame.narrowed(epoch, 5, |_| true).unwrap();
        let read = Frame::decode(&cold(&narrowed.bytes), 0).unwrap();
        prop_assert_eq!(&read.runs, &frame.runs);
        prop_assert_eq!(&narrowed.index, frame.index());
    }

    #[test]
    fn a_changed_bit_of_a_frame_is_always_noticed(
        pieces in pieces(), place in sealing(), at: prop::sample::Index, bit in 0..8u8,
    ) {
        let frame = fill(&pieces).seal(place);
        let mut bytes = frame.bytes().to_vec();
        let used = 72 + frame.header.body_len();
        bytes[at.index(used)] ^= 1 << bit;
        prop_assert!(Frame::decode(&cold(&bytes), 0).is_none());
    }

    #[test]
    fn runs_of_one_tag_and_targets_are_one_run(pieces in pieces()) {
        let open = fill(&pieces);
        for (one, next) in open.runs().iter().zip(open.runs().iter().skip(1)) {
            prop_assert!(one.tag != next.tag || one.targets != next.targets);
            prop_assert_eq!(one.payload.end, next.payload.start);
        }
        let points: u64 = open.runs().iter().map(|run| u64::from(run.points)).sum();
        prop_assert_eq!(points, pieces.iter().map(|piece| u64::from(piece.2)).sum::<u64>());
    }

    #[test]
    fn a_segments_header_reads_back_from_either_page(header in header(), at in 0..PAGE) {
        let pages = header.encode();
        prop_assert_eq!(pages.len(), 2 * PAGE);
        for damaged in 0..2 {
            let mut pages = pages.clone();
            pages[damaged * PAGE + at] ^= 1;
            prop_assert_eq!(SegmentHeader::decode(&pages), Some(header.clone()));
        }
        let mut pages = pages;
        pages[at] ^= 1;
        pages[PAGE + at] ^= 1;
        prop_assert_eq!(SegmentHeader::decode(&pages), None);
    }

    #[test]
    fn a_footer_reads_back_if_it_fits(footer in footer()) {
        let fits = 64 + footer.holes.len() * 16 + footer.shares.len() * 34 <= PAGE;
        let page = footer.encode();
        prop_assert_eq!(page.is_some(), fits);
        if let Some(page) = page {
            prop_assert_eq!(page.len(), PAGE);
            prop_assert_eq!(Footer::decode(&page), Some(footer));
        }
    }

    #[test]
    fn foreign_bytes_never_panic(mut bytes in vec(any::<u8>(), 0..2 * PAGE), at in 0..100usize) {
        // Once as they are, once with every magic word and a right checksum, so that the fields are read.
        prop_assert!(Frame::decode(&cold(&bytes), at).is_none());
        for magic in [&b"CIRCSEG1"[..], b"CIRCSEG2", b"CIRCFTR1", b"CIRCCUR1", b"CFRM\x01", b"CFRM\x02"] {
            if bytes.len() > 100 {
                bytes[..magic.len()].copy_from_slice(magic);
                let crc = crate::base::checksum::crc32c(&bytes[..68]);
                bytes[68..72].copy_from_slice(&crc.to_le_bytes());
            }
            prop_assert!(Frame::decode(&cold(&bytes), 0).is_none() || bytes.len() > 72);
            crate::wal::checkpoint::decode(&bytes, LogId(0));
            if bytes.len() >= PAGE {
                let mut page = bytes[..PAGE].to_vec();
                seal(&mut page);
                SegmentHeader::decode(&page);
                Footer::decode(&page);
            }
        }
    }

    #[test]
    fn a_table_of_foreign_bytes_with_right_checksums_never_panics(
        table in vec(0..6u8, 0..200), payload in 0..50u32, runs in 0..7u32, points in 0..9u32, version in 1..3u8,
    ) {
        let mut body = vec![b'x'; payload as usize];
        body.extend_from_slice(&table);
        let header = FrameHeader {
            version, kind: 1, note: 0, payload_len: payload, table_len: table.len() as u32, epoch: 1,
            number: 1, stamp: Stamp(1), unix_ms: 0, points, runs, synced: 0,
            body_crc: crate::base::checksum::crc32c(&body),
        };
        let mut bytes = vec![0; PAGE];
        header.encode(&mut bytes);
        bytes[72..72 + body.len()].copy_from_slice(&body);
        if let Some(frame) = Frame::decode(&cold(&bytes), 0) {
            let again = frame.narrowed(1, 0, |_| true);
            let again = again.and_then(|again| Frame::decode(&cold(&again.bytes), 0));
            prop_assert!(again.is_none_or(|again| again.runs.iter().eq(frame.runs.iter())));
            let bytes: usize = frame.runs.iter().map(|run| frame.payload(&run).len()).sum();
            prop_assert_eq!(bytes, payload as usize);
        }
    }
}

#[test]
fn a_page_with_too_many_floors_carries_none() {
    let floors: Vec<_> = (0..201).map(|backend| (BackendId(backend), Stamp(5))).collect();
    let header = SegmentHeader {
        log: LogId(0),
        segment: 1,
        epoch: 2,
        node: [0; 16],
        first_frame: 1,
        stamp_before: Stamp(0),
        created_unix_ms: 0,
        bytes: 64 * PAGE as u64,
        floors,
        packed: None,
    };
    assert_eq!(SegmentHeader::decode(&header.encode()).unwrap().floors, []);
}

#[test]
fn with_many_backends_a_small_line_takes_three_bytes_beside_its_own() {
    let mut open = OpenFrame::new(Kind::Lines, b"telegraf", &[], 20_000);
    let tag: Rc<[u8]> = Rc::from(&b"telegraf"[..]);
    for line in 0..300_u16 {
        let targets = [BackendId(line * 7 % 64), BackendId(64 + line * 11 % 64)];
        open.push(&tag, &targets, 1, 46);
    }
    let place = Sealing { note: 0, epoch: 1, number: 1, stamp: Stamp(1), unix_ms: 0, synced: 0 };
    let frame = open.seal(place);
    // Of the first run also the word, the tag's number and length, the tag, the number of backends.
    assert_eq!(frame.header.table_len, 300 * 3 + (1 + 1 + 1 + 8 + 1));
    assert_eq!(Frame::decode(&cold(frame.bytes()), 0).unwrap().runs, frame.runs);
}

#[test]
fn a_table_that_tells_too_much_is_no_table() {
    let read = |table: &[u8], runs: u32, points: u32| {
        let header = FrameHeader {
            version: 2,
            kind: 1,
            note: 0,
            payload_len: 2 * runs,
            table_len: table.len() as u32,
            epoch: 1,
            number: 1,
            stamp: Stamp(1),
            unix_ms: 0,
            points,
            runs,
            synced: 0,
            body_crc: 0,
        };
        let body = [&vec![b'x'; 2 * runs as usize][..], table].concat();
        crate::wal::table::decode(&header, &body).is_some()
    };
    // Two bytes and a word: a point, a tag, a number of backends; tag 0 of one byte; one backend, number 3.
    let first = [5, 7, 0, 1, b'd', 1, 3];
    let with = |more: &[u8]| [&first[..], more].concat();
    assert!(read(&first, 1, 1) && read(&with(&[4, 9]), 2, 2) && read(&with(&[5, 8, 9]), 2, 3));
    assert!(!read(&first, 1, 2), "a wrong sum of points");
    assert!(!read(&with(&[4, 0x89, 0]), 2, 2), "a number with a zero at its end");
    assert!(!read(&with(&[5, 4, 9]), 2, 2), "a word that says nothing");
    assert!(!read(&with(&[5, 5, 0, 9]), 2, 2), "the same tag");
    assert!(!read(&with(&[5, 6, 1, 9]), 2, 2), "the same number of backends");
    assert!(!read(&with(&[5, 5, 2, 9]), 2, 2), "a tag that nobody named");
    assert!(!read(&with(&[4, 0x80, 0x80, 4]), 2, 2), "a backend that cannot be");
    assert!(!read(&with(&[6, 9]), 2, 2) && !read(&with(&[2, 9]), 2, 2), "a wrong sum of bytes");
    assert!(!read(&with(&[4, 9, 0]), 2, 2) && !read(&with(&[4]), 2, 2), "more, or less");
    assert!(!read(&[4, 9], 1, 1), "no tag");
}

#[test]
fn a_run_with_a_long_tag_fits_the_frame_that_is_made_for_it() {
    let tag: Rc<[u8]> = Rc::from(vec![b'd'; 3 * PAGE]);
    let targets: Vec<_> = (0..255).map(BackendId).collect();
    let (room, overhead) = OpenFrame::room_for(&tag, targets.len());
    let most = room - overhead;
    for len in [0, 1, PAGE, most] {
        let mut open = OpenFrame::new(Kind::Lines, &tag, &targets, len);
        assert!(open.room(&tag, &targets) >= len);
        open.push(&tag, &targets, 1, len);
    }
}
