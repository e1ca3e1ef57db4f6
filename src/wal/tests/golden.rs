//! A decoder that shares nothing with the real one: it is written from `docs/wal-format.md` alone. It reads
//! what the real code writes today, and what each version wrote, which must be readable for ever.

use super::world::{DIRECTORY, segment_path, settings};
use crate::base::ids::BackendId;
use crate::base::limits::PAGE;
use crate::base::time::Stamp;
use crate::rt::sim::SimDisk;
use crate::wal::{Item, Log, Writer, open};
use futures_lite::future::block_on;
use std::fmt::Write;
use std::rc::Rc;

/// A file that a version wrote, and what is in it.
type Golden = (&'static [u8], &'static str);

macro_rules! golden {
    ($name:literal) => {
        (
            include_bytes!(concat!("../../../tests/golden/", $name, ".wal")),
            include_str!(concat!("../../../tests/golden/", $name, ".txt")),
        )
    };
}

const SEGMENTS: [Golden; 2] = [golden!("segment-v1"), golden!("segment-v2")];
const PACKED: [Golden; 2] = [golden!("packed-v1"), golden!("packed-v2")];
const DOCUMENT: &str = include_str!("../../../docs/wal-format.md");

/// CRC-32C bit by bit: reflected, polynomial 0x1EDC6F41.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}

fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes[at..at + len].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The segment as text, a line for each thing in it.
fn describe(file: &[u8]) -> String {
    let mut text = String::new();
    assert_eq!(file[..4096], file[4096..8192], "the header stands twice");
    let is_packed = file.starts_with(b"CIRCPCK");
    assert!(is_packed || file.starts_with(b"CIRCSEG"));
    assert!(matches!(file[7], b'1' | b'2'));
    page(&file[..4096]);
    let epoch = number(file, 18, 8);
    let node: String = file[26..42].iter().map(|byte| format!("{byte:02x}")).collect();
    let bytes = number(file, 66, 8) as usize;
    writeln!(
        text,
        "segment log={} number={} epoch={epoch:016x} node={node} first_frame={} stamp_before={} \
         created_unix_ms={} bytes={bytes}",
        number(file, 8, 2),
        number(file, 10, 8),
        number(file, 42, 8),
        number(file, 50, 8),
        number(file, 58, 8),
    )
    .unwrap();
    for floor in 0..number(file, 74, 4) as usize {
        let at = 78 + 10 * floor;
        writeln!(text, "floor backend={} stamp={}", number(file, at, 2), number(file, at + 2, 8))
            .unwrap();
    }
    let mut at = 8192;
    let mut expected = number(file, 42, 8);
    if is_packed {
        describe_packed(file, epoch, &mut text);
        at = bytes;
    }
    while at < bytes - 4096 {
        let frame = describe_frame(&file[at..], epoch, expected, 4096, &mut text);
        let Some(len) = frame else { break };
        (at, expected) = (at + len, expected + 1);
    }
    describe_footer(&file[bytes - 4096..bytes], epoch, &mut text);
    text
}

fn describe_packed(file: &[u8], epoch: u64, text: &mut String) {
    let fact = |turn: usize| number(file, 4052 + 8 * turn, 8);
    let (frames, last, end_frame, last_stamp, end) = (fact(0), fact(1), fact(2), fact(3), fact(4));
    writeln!(
        text,
        "packed frames={frames} last_frame={last} end_frame={end_frame} last_stamp={last_stamp} end={end}"
    )
    .unwrap();
    let mut at = 8192;
    let mut before = number(file, 42, 8) - 1;
    for _ in 0..frames {
        let here = number(file, at + 24, 8);
        assert_eq!(number(file, at + 56, 8), before, "each frame names the one before it");
        at += describe_frame(&file[at..], epoch, here, 8, text).unwrap();
        before = here;
    }
    assert_eq!((before, at as u64), (last, end));
}

fn page(page: &[u8]) {
    assert_eq!(checksum(&page[..4092]), number(page, 4092, 4) as u32);
}

fn describe_frame(
    frame: &[u8],
    epoch: u64,
    expected: u64,
    step: usize,
    text: &mut String,
) -> Option<usize> {
    if &frame[..4] != b"CFRM" || number(frame, 16, 8) != epoch {
        return None;
    }
    assert_eq!(checksum(&frame[..68]), number(frame, 68, 4) as u32);
    assert_eq!(number(frame, 24, 8), expected);
    let (payload, table) = (number(frame, 8, 4) as usize, number(frame, 12, 4) as usize);
    assert_eq!(checksum(&frame[72..72 + payload + table]), number(frame, 64, 4) as u32);
    writeln!(
        text,
        "frame number={expected} kind={} flags={} stamp={} unix_ms={} points={} synced={}",
        frame[5],
        number(frame, 6, 2),
        number(frame, 32, 8),
        number(frame, 40, 8),
        number(frame, 48, 4),
        number(frame, 56, 8),
    )
    .unwrap();
    let (mut at, mut from) = (72 + payload, 72);
    let mut before = Run::default();
    let mut tags = Vec::new();
    for _ in 0..number(frame, 52, 4) {
        let run = match frame[4] {
            1 => run_of_version_1(frame, &mut at),
            2 => run_of_version_2(frame, &mut at, &before, &mut tags),
            version => panic!("nobody knows version {version}"),
        };
        let bytes = std::str::from_utf8(&frame[from..from + run.len]).unwrap();
        from += run.len;
        let Run { tag, backends, points, .. } = &run;
        writeln!(text, "run tag={tag:?} backends={backends:?} points={points} bytes={bytes:?}")
            .unwrap();
        before = run;
    }
    assert_eq!((from, at), (72 + payload, 72 + payload + table));
    let len = (72 + payload + table).next_multiple_of(step);
    assert!(frame[at..len].iter().all(|byte| *byte == 0), "zeros up to the next frame");
    Some(len)
}

/// What a table says of a run.
#[derive(Default)]
struct Run {
    len: usize,
    points: u64,
    backends: Vec<u64>,
    tag: String,
}

fn run_of_version_1(frame: &[u8], at: &mut usize) -> Run {
    let len = number(frame, *at, 4) as usize;
    let (points, count) = (number(frame, *at + 4, 4), usize::from(frame[*at + 8]));
    assert_eq!(frame[*at + 9], 0);
    let tag_len = number(frame, *at + 10, 2) as usize;
    let backends = (0..count).map(|turn| number(frame, *at + 12 + 2 * turn, 2)).collect();
    *at += 12 + 2 * count;
    let tag = std::str::from_utf8(&frame[*at..*at + tag_len]).unwrap().to_owned();
    *at += tag_len;
    Run { len, points, backends, tag }
}

fn run_of_version_2(frame: &[u8], at: &mut usize, before: &Run, tags: &mut Vec<String>) -> Run {
    let head = short(frame, at);
    let word = if head % 2 == 1 { short(frame, at) } else { 4 };
    let mut tag = before.tag.clone();
    if word % 2 == 1 {
        let told = short(frame, at) as usize;
        if told == tags.len() {
            let len = short(frame, at) as usize;
            tags.push(std::str::from_utf8(&frame[*at..*at + len]).unwrap().to_owned());
            *at += len;
        }
        tag = tags[told].clone();
    }
    let mut count = before.backends.len();
    if word / 2 % 2 == 1 {
        count = usize::from(frame[*at]);
        *at += 1;
    }
    let backends = (0..count).map(|_| short(frame, at)).collect();
    Run { len: head as usize / 2, points: word / 4, backends, tag }
}

/// A short number: seven bits in a byte, the lowest first, until a byte below 128.
fn short(frame: &[u8], at: &mut usize) -> u64 {
    let len = 1 + frame[*at..].iter().position(|byte| *byte < 128).unwrap();
    let bytes = &frame[*at..*at + len];
    *at += len;
    bytes.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte % 128))
}

fn describe_footer(footer: &[u8], epoch: u64, text: &mut String) {
    assert_eq!(&footer[..8], b"CIRCFTR1");
    page(footer);
    assert_eq!(number(footer, 8, 8), epoch);
    writeln!(
        text,
        "footer last_frame={} last_stamp={} end={} statements={}",
        number(footer, 16, 8),
        number(footer, 24, 8),
        number(footer, 32, 8),
        number(footer, 40, 4),
    )
    .unwrap();
    let holes = number(footer, 44, 4) as usize;
    for hole in 0..holes {
        let at = 48 + 16 * hole;
        writeln!(text, "hole {}..{}", number(footer, at, 8), number(footer, at + 8, 8)).unwrap();
    }
    let at = 48 + 16 * holes;
    for share in 0..number(footer, at, 4) as usize {
        let at = at + 4 + 34 * share;
        let field = |turn: usize| number(footer, at + 2 + 8 * turn, 8);
        let backend = number(footer, at, 2);
        let (frame, stamp, bytes, points) = (field(0), field(1), field(2), field(3));
        writeln!(
            text,
            "share backend={backend} last_frame={frame} last_stamp={stamp} bytes={bytes} points={points}"
        )
        .unwrap();
    }
}

fn lines(log: &Log, tag: &str, targets: &[u16], lines: &str) {
    let tag: Rc<[u8]> = Rc::from(tag.as_bytes());
    let targets: Vec<_> = targets.iter().copied().map(BackendId).collect();
    let points = lines.lines().count() as u32;
    let fill = |place: &mut [u8]| place.copy_from_slice(lines.as_bytes());
    log.append(&tag, &targets, points, lines.len(), fill).unwrap();
}

fn commit(writer: &mut Writer) {
    let committed = block_on(writer.commit());
    assert!(committed.error.is_none());
    writer.release(&committed.frames);
}

/// What the golden file holds, written by the code of today.
fn write_now() -> Vec<u8> {
    let disk = SimDisk::default();
    fill(&disk);
    // The next start writes the footer.
    block_on(open(settings(&disk, true))).unwrap();
    disk.bytes(&segment_path(1)).unwrap()
}

/// The same log when another segment has begun: what backend 4 is owed of the first one.
fn pack_now() -> Vec<u8> {
    let disk = SimDisk::default();
    let (log, mut writer) = fill(&disk);
    for _ in 0..2 {
        lines(&log, "telegraf", &[0, 4], &format!("x v=\"{}\" 0\n", "-".repeat(6 * PAGE)));
        commit(&mut writer);
    }
    let keeps = |_: &crate::wal::Frame, run: &crate::wal::Run| run.targets.contains(&BackendId(4));
    block_on(log.pack(1, 1, Vec::new(), keeps)).unwrap().unwrap();
    disk.bytes(&segment_path(1)).unwrap()
}

fn fill(disk: &SimDisk) -> (Log, Writer) {
    let log = block_on(open(settings(disk, true))).unwrap().log;
    let mut writer = log.writer();
    writer.set_floors(vec![(BackendId(1), Stamp(900)), (BackendId(4), Stamp(850))]);
    lines(&log, "telegraf", &[0, 4], "cpu,host=a usage=1.5 1700000000000000000\n");
    lines(&log, "telegraf", &[0, 4], "cpu,host=b usage=2 1700000000000000001\n");
    lines(&log, "telegraf", &[1, 4], "mem,host=a free=17i 1700000000000000000\n");
    commit(&mut writer);
    lines(&log, "plant/weekly", &[1, 5], "flow,pipe=7\u{e4} litres=3.25 1700000000000000002\n");
    let target = [BackendId(0), BackendId(5)];
    let tag: Rc<[u8]> = Rc::from(&b"telegraf"[..]);
    log.append_statement(&tag, &target, b"DROP SERIES FROM \"cpu\" WHERE host = 'b'").unwrap();
    lines(&log, "telegraf", &[0, 4], "cpu,host=a usage=2.5 1700000000000000003\n");
    commit(&mut writer);
    (log, writer)
}

fn without_epoch(text: &str) -> String {
    let at = text.find("epoch=").unwrap() + 6;
    format!("{}RANDOM{}", &text[..at], &text[at + 16..])
}

#[test]
#[ignore = "run by hand to make the golden file of a new version"]
fn write_the_golden_file() {
    let bytes = write_now();
    std::fs::write("tests/golden/segment-v2.wal", &bytes).unwrap();
    std::fs::write("tests/golden/segment-v2.txt", describe(&bytes)).unwrap();
}

#[test]
#[ignore = "run by hand to make the golden file of a new version"]
fn write_the_golden_packed_file() {
    let bytes = pack_now();
    std::fs::write("tests/golden/packed-v2.wal", &bytes).unwrap();
    std::fs::write("tests/golden/packed-v2.txt", describe(&bytes)).unwrap();
}

#[test]
fn a_decoder_written_from_the_document_reads_what_is_written_today() {
    let now = describe(&write_now());
    assert_eq!(without_epoch(&now), without_epoch(SEGMENTS[1].1));
    let now = describe(&pack_now());
    assert_eq!(without_epoch(&now), without_epoch(PACKED[1].1));
}

#[test]
fn the_golden_segments_are_described_as_ever() {
    for (version, (golden, text)) in (b'1'..).zip(SEGMENTS) {
        assert_eq!((golden.len(), golden[7]), (12 * PAGE, version));
        assert_eq!(describe(golden), text);
    }
    for (version, (golden, text)) in (b'1'..).zip(PACKED) {
        assert_eq!((describe(golden).as_str(), golden[7]), (text, version));
    }
}

#[test]
fn the_golden_segments_are_read_for_ever() {
    for (golden, text) in SEGMENTS {
        read(golden, text, 4);
    }
    for (golden, text) in PACKED {
        read(golden, text, 2);
    }
}

fn read(golden: &[u8], golden_text: &str, frames: u64) {
    let disk = SimDisk::default();
    disk.put(&segment_path(1), golden.to_vec());
    let opened = block_on(open(settings(&disk, true))).unwrap();
    assert_eq!((opened.found.frames, opened.found.damaged_frames), (frames, 0));
    let mut text = String::new();
    for item in block_on(opened.log.read(1, 1 << 20)).unwrap() {
        let Item::Frame(frame) = item else { panic!("{item:?}") };
        writeln!(text, "frame {} {:?}", frame.number(), frame.kind).unwrap();
        for run in &frame.runs {
            let bytes = std::str::from_utf8(frame.payload(&run)).unwrap();
            let tag = std::str::from_utf8(run.tag).unwrap();
            let backends: Vec<_> = run.targets.iter().map(|backend| backend.0).collect();
            let points = run.points;
            writeln!(text, "run tag={tag:?} backends={backends:?} points={points} bytes={bytes:?}")
                .unwrap();
        }
    }
    let runs = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with("run "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(runs(&text), runs(golden_text));
    assert!(disk.paths().iter().all(|path| path.starts_with(DIRECTORY)), "nothing was set aside");
}

#[test]
fn the_documents_excerpt_is_from_the_golden_segment() {
    let mut checked = 0;
    for line in DOCUMENT.lines() {
        let Some((at, rest)) = line.split_once("  ") else { continue };
        let Ok(at) = usize::from_str_radix(at, 16) else { continue };
        let (Some((hex, _)), 8) = (rest.split_once("  |"), line.find(' ').unwrap_or(0)) else {
            continue;
        };
        let bytes: Vec<u8> =
            hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        assert_eq!(bytes, &SEGMENTS[1].0[at..at + bytes.len()], "at {at:#x}");
        checked += bytes.len();
    }
    assert!(checked >= 72, "a whole header is shown, {checked} bytes were compared");
}

#[test]
fn the_documents_table_of_cases_is_the_codes() {
    let rows = |text: &str, prefix: &str| -> Vec<String> {
        let rows = text.lines().filter_map(|line| line.strip_prefix(prefix));
        let cases = rows.filter(|row| row.chars().nth(1).is_some_and(|c| ('A'..='K').contains(&c)));
        cases.filter(|row| row.chars().nth(2) == Some(' ')).map(str::to_owned).collect()
    };
    let code = rows(include_str!("../recovery.rs"), "//! |");
    assert_eq!(code.len(), 11);
    assert_eq!(rows(DOCUMENT, "|"), code);
}
