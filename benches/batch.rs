//! Copying checked lines into a frame, grouped by their backends, against one memcpy of the same bytes: into a
//! frame, too, and into memory that is warm.

mod lines;

use circlet::base::ids::BackendId;
use circlet::ingest::batch::Checked;
use circlet::ingest::group::Groups;
use circlet::ring::TargetSetNo;
use circlet::wal::{Kind, NewRun, OpenFrame};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::collections::VecDeque;
use std::hint::black_box;
use std::rc::Rc;

const LINES: usize = 1000;
/// Two circles of two: four pairs of backends.
const SETS: u32 = 4;
const TARGETS: [[BackendId; 2]; SETS as usize] = [
    [BackendId(0), BackendId(2)],
    [BackendId(0), BackendId(3)],
    [BackendId(1), BackendId(2)],
    [BackendId(1), BackendId(3)],
];

/// The lines of a body as the check leaves them; `set_of` says who gets which.
fn checked(body: &str, set_of: impl Fn(u32) -> u32) -> Vec<Checked> {
    let (mut at, mut checked) = (0, Vec::new());
    for (number, line) in (0..).zip(body.split_inclusive('\n')) {
        let (head, time) = line.trim_end().rsplit_once(' ').expect("every line has a time");
        let (time, set) = (time.parse().expect("a number"), TargetSetNo(set_of(number)));
        checked.push(Checked::new(body.as_bytes(), at, head.len(), time, true, set));
        at += line.len();
    }
    checked
}

/// A frame of these lines, in the way of `ingest::batch`.
fn frame(
    tag: &Rc<[u8]>,
    groups: &mut Groups,
    body: &[u8],
    lines: &[Checked],
    kept: &mut Kept,
) -> usize {
    let (count, _) = groups.count(lines, usize::MAX, 0);
    assert_eq!(count, lines.len());
    let runs = groups.all().iter().map(|group| NewRun {
        targets: &TARGETS[group.set.0 as usize],
        points: group.points,
        len: group.bytes.len(),
    });
    let runs: Vec<_> = runs.collect();
    let mut frame = OpenFrame::with_room(Kind::Lines, tag, &runs, 0);
    groups.copy(body, lines, frame.push_all(tag, &runs));
    let bytes = frame.payload_end();
    kept.keep(frame);
    bytes
}

/// The last frames, as the hot window keeps them: memory is used again and not given back to the system.
#[derive(Default)]
struct Kept(VecDeque<OpenFrame>);

impl Kept {
    fn keep(&mut self, frame: OpenFrame) {
        self.0.push_back(frame);
        if self.0.len() > 8 {
            self.0.pop_front();
        }
    }
}

fn batch(criterion: &mut Criterion) {
    let body = lines::body(LINES);
    let bytes = body.as_bytes();
    let tag: Rc<[u8]> = Rc::from(&b"telegraf"[..]);
    // The allocator's settings of the gateway; only they matter here.
    drop(circlet::rt::preflight::check());
    let (mut groups, mut kept) = (Groups::default(), Kept::default());
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    // Neighbours that seldom go the same way, and such that always do.
    let mixed = checked(&body, |number| number.wrapping_mul(2_654_435_761) >> 30);
    group.bench_function(BenchmarkId::from_parameter("circlet"), |bench| {
        bench.iter(|| frame(&tag, &mut groups, bytes, black_box(&mixed), &mut kept));
    });
    let alike = checked(&body, |_| 0);
    group.bench_function(BenchmarkId::from_parameter("circlet, one way"), |bench| {
        bench.iter(|| frame(&tag, &mut groups, bytes, black_box(&alike), &mut kept));
    });
    let mut warm = vec![0; bytes.len()];
    group.bench_function(BenchmarkId::from_parameter("memcpy"), |bench| {
        bench.iter(|| black_box(&mut warm).copy_from_slice(black_box(bytes)));
    });
    let run = NewRun { targets: &TARGETS[0], points: 1, len: bytes.len() };
    group.bench_function(BenchmarkId::from_parameter("memcpy into a frame"), |bench| {
        bench.iter(|| {
            let mut frame = OpenFrame::with_room(Kind::Lines, &tag, &[run], 0);
            frame.push_all(&tag, &[run]).copy_from_slice(black_box(bytes));
            kept.keep(frame);
        });
    });
    group.finish();
}

criterion_group!(benches, batch);
criterion_main!(benches);
