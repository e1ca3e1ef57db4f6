//! A log whose one segment somebody has written over: it opens, what is read has rising numbers and ends, and
//! the next start finds the same.
#![no_main]

use circlet::base::ids::LogId;
use circlet::rt::{Clock, Disk, sim::SimDisk};
use circlet::wal::{self, Item, Settings};
use futures_lite::future::block_on;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

const GOLDEN: [&[u8]; 2] = [
    include_bytes!("../../tests/golden/segment-v1.wal"),
    include_bytes!("../../tests/golden/segment-v2.wal"),
];

/// Some bytes are copied over the segment: place, length, bytes, and again. A place is as near to the
/// beginning of a page as not, because that is where everything is decided.
fn written_over(golden: &[u8], mut data: &[u8]) -> Vec<u8> {
    let mut bytes = golden.to_vec();
    while let [page, low, high, len, rest @ ..] = data {
        let (piece, behind) = rest.split_at(usize::from(*len).min(rest.len()));
        let inside = usize::from(u16::from_le_bytes([*low, *high])) % 4096;
        let at = usize::from(*page) % (golden.len() / 4096) * 4096 + inside;
        let end = (at + piece.len()).min(bytes.len());
        bytes[at..end].copy_from_slice(&piece[..end - at]);
        data = behind;
    }
    bytes
}

/// Frames and damage of a log, from its first frame to its end.
fn read(disk: &SimDisk) -> Result<Vec<(u64, bool)>, wal::Error> {
    let opened = block_on(wal::open(Settings {
        log: LogId(3),
        directory: Path::new("/wal/log-003").to_owned(),
        quarantine: Path::new("/wal/quarantine").to_owned(),
        node: [7; 16],
        segment_bytes: 8 * 1024 * 1024,
        hot_bytes_max: 0,
        sync_each_commit: true,
        disk: Disk::Sim(disk.clone()),
        clock: Clock::Real,
    }))?;
    let mut found = Vec::new();
    let mut at = 0;
    while at < opened.log.end() {
        let items = block_on(opened.log.read(at, 1 << 20))?;
        if items.is_empty() {
            break;
        }
        for item in items {
            let (number, next, is_whole) = match item {
                Item::Frame(frame) => (frame.number(), frame.number() + 1, true),
                Item::Damaged(numbers) => (numbers.start, numbers.end, false),
            };
            assert!(number >= at && next > number, "{number} after {at}");
            found.push((number, is_whole));
            at = next;
        }
    }
    Ok(found)
}

fuzz_target!(|data: &[u8]| GOLDEN.into_iter().for_each(|golden| try_with(golden, data)));

fn try_with(golden: &[u8], data: &[u8]) {
    let disk = SimDisk::default();
    disk.put(Path::new("/wal/log-003/0000000000000001.wal"), written_over(golden, data));
    // Making the cursors would take longer than all the rest.
    disk.put(Path::new("/wal/log-003/cursors"), vec![0; 4096]);
    if let Ok(found) = read(&disk) {
        let again = read(&disk).expect("it was opened once");
        let frames = |all: &[(u64, bool)]| -> Vec<u64> {
            all.iter().filter(|(_, is_whole)| *is_whole).map(|(number, _)| *number).collect()
        };
        assert_eq!(frames(&again), frames(&found));
    }
}
