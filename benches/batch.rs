//! Copying checked lines into a frame, grouped by their backends and with their times written anew, against
//! one memcpy of the same bytes: into a frame, too, whose memory is as fresh, and into memory that is warm.

mod lines;

use circlet::base::ids::BackendId;
use circlet::wal::{Kind, OpenFrame};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::rc::Rc;

const LINES: usize = 1000;
/// Enough for them.
const BYTES: usize = 200_000;
/// Two circles of two: four pairs of backends.
const SETS: u16 = 4;

/// A line as the check leaves it: its head, its time, and who gets it.
struct Checked<'a> {
    head: &'a [u8],
    time_ns: i64,
    set: u16,
}

fn checked(body: &str) -> Vec<Checked<'_>> {
    let mut state = 1_u32;
    body.lines()
        .map(|line| {
            let (head, time) = line.rsplit_once(' ').expect("every line has a time");
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let set = u16::try_from(state >> 16).expect("16 bits") % SETS;
            Checked { head: head.as_bytes(), time_ns: time.parse().expect("a number"), set }
        })
        .collect()
}

/// A frame of these lines, in the way of `ingest::batch`.
fn frame(tag: &Rc<[u8]>, lines: &[Checked<'_>]) -> usize {
    let mut sorted: Vec<&Checked<'_>> = lines.iter().collect();
    sorted.sort_by_key(|line| line.set);
    let mut frame: Option<OpenFrame> = None;
    for group in sorted.chunk_by(|one, other| one.set == other.set) {
        let targets = [BackendId(group[0].set % 2), BackendId(2 + group[0].set / 2)];
        let len = group.iter().map(|line| line.head.len() + 21).sum();
        let frame = frame.get_or_insert_with(|| OpenFrame::new(Kind::Lines, tag, &targets, BYTES));
        let points = u32::try_from(group.len()).expect("few lines");
        copy(frame.push(tag, &targets, points, len), group);
    }
    frame.map_or(0, |frame| frame.payload_end())
}

fn copy(space: &mut [u8], group: &[&Checked<'_>]) {
    let mut at = 0;
    for line in group {
        let mut number = itoa::Buffer::new();
        for piece in [line.head, b" ", number.format(line.time_ns).as_bytes(), b"\n"] {
            space[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
    }
    assert_eq!(at, space.len(), "every time has 19 digits");
}

fn batch(criterion: &mut Criterion) {
    let body = lines::body(LINES);
    let lines = checked(&body);
    let tag: Rc<[u8]> = Rc::from(&b"telegraf"[..]);
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function(BenchmarkId::from_parameter("circlet"), |bench| {
        bench.iter(|| frame(&tag, black_box(&lines)));
    });
    let mut warm = vec![0; body.len()];
    group.bench_function(BenchmarkId::from_parameter("memcpy"), |bench| {
        bench.iter(|| black_box(&mut warm).copy_from_slice(black_box(body.as_bytes())));
    });
    group.bench_function(BenchmarkId::from_parameter("memcpy into a frame"), |bench| {
        let targets = [BackendId(0), BackendId(2)];
        bench.iter(|| {
            let mut frame = OpenFrame::new(Kind::Lines, &tag, &targets, BYTES);
            frame.push(&tag, &targets, 1, body.len()).copy_from_slice(black_box(body.as_bytes()));
            frame.payload_end()
        });
    });
    group.finish();
}

criterion_group!(benches, batch);
criterion_main!(benches);
