//! Lines go through the log: appended to the open frame, sealed, written, synced, released. The disk is the
//! one in memory. `scripts/callgrind` counts the instructions of a round, and takes off those of the disk
//! alone, which it learns with the word `disk`.

mod lines;
mod rounds;

use circlet::base::ids::{BackendId, LogId};
use circlet::rt::sim::SimDisk;
use circlet::rt::{Buffer, Clock, Disk, File, SharedBuffer};
use circlet::wal::{Log, Settings, Writer, open};
use futures_lite::future::block_on;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Lines of a request, requests of a commit, commits of a round.
const LINES: usize = 50;
const REQUESTS: usize = 20;
const COMMITS: usize = 20;

const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

fn log() -> Log {
    let settings = Settings {
        log: LogId(0),
        directory: PathBuf::from("/data/wal/log-000"),
        quarantine: PathBuf::from("/data/wal/quarantine"),
        node: [7; 16],
        segment_bytes: SEGMENT_BYTES,
        hot_bytes_max: 8 * 1024 * 1024,
        sync_each_commit: true,
        disk: Disk::Sim(SimDisk::default()),
        clock: Clock::Sim(Rc::new(Cell::new(1_700_000_000_000_000_000))),
    };
    block_on(open(settings)).expect("an empty disk lets a log begin").log
}

/// Gives the bytes of each frame.
fn round(log: &Log, writer: &mut Writer, body: &[u8]) -> Vec<usize> {
    let tag: Rc<[u8]> = Rc::from(&b"telegraf"[..]);
    let mut frames = Vec::new();
    for commit in 0..COMMITS {
        for request in 0..REQUESTS {
            // Two sets of backends, as two circles of two would have them.
            let circle = u16::try_from((commit + request) % 2).expect("0 or 1");
            let targets = [BackendId(circle), BackendId(2 + circle)];
            let points = u32::try_from(LINES).expect("few lines");
            let place = log
                .append(&tag, &targets, points, body.len(), |space| space.copy_from_slice(body))
                .expect("the log works");
            assert!(place.number > 0);
        }
        let committed = block_on(writer.commit());
        assert!(committed.error.is_none(), "the disk is honest");
        writer.release(&committed.frames);
        frames.extend(committed.frames.iter().map(|frame| frame.memory_bytes()));
    }
    frames
}

/// The same writes without the log.
fn round_of_disk(file: &File, buffers: &[SharedBuffer]) {
    let mut at = 0;
    for buffer in buffers {
        block_on(file.write(buffer.clone(), at)).expect("the disk is honest");
        block_on(file.sync()).expect("the disk is honest");
        at += buffer.len() as u64;
    }
}

fn file() -> File {
    let disk = Disk::Sim(SimDisk::default());
    let file = block_on(disk.create(Path::new("/data/file"))).expect("it is not there");
    block_on(file.allocate(SEGMENT_BYTES)).expect("there is space");
    file
}

fn main() {
    let body = lines::body(LINES).into_bytes();
    let log = log();
    let mut writer = log.writer();
    let rounds = rounds::rounds();
    if std::env::args().any(|word| word == "disk") {
        let frames = round(&log, &mut writer, &body);
        let buffers: Vec<_> = frames.iter().map(|len| Buffer::new(*len).freeze(*len)).collect();
        let file = file();
        (0..rounds).for_each(|_| round_of_disk(&file, &buffers));
    } else {
        (0..rounds).for_each(|_| drop(round(&log, &mut writer, &body)));
    }
    println!("{} lines a round", LINES * REQUESTS * COMMITS);
}
