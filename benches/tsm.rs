//! Blocks of the store: points a second that are encoded and decoded, and the same by a decoder that takes the format at
//! its word, a bit and a number at a time, in the same run.

use circlet::store::tsm::{decode, encode};
use circlet::store::value::{Column, Strings, Values};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

const POINTS: usize = 1000;

fn columns() -> Vec<(&'static str, Column)> {
    let mut state = 7_u64;
    let mut dice = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 40
    };
    let regular: Vec<i64> =
        (0..POINTS as i64).map(|at| 1_700_000_000_000_000_000 + at * 10_000_000_000).collect();
    let jittered: Vec<i64> =
        regular.iter().map(|time| time + (dice() % 1000).cast_signed() * 1_000_000).collect();
    let mut strings = Strings::default();
    (0..POINTS).for_each(|_| strings.push(format!("state {}", dice() % 5).as_bytes()));
    let column = |times: &Vec<i64>, values| Column { times: times.clone(), values };
    vec![
        (
            "float of three digits",
            column(
                &regular,
                Values::Float((0..POINTS).map(|_| (dice() % 1000) as f64 / 10.0).collect()),
            ),
        ),
        ("float, constant", column(&regular, Values::Float(vec![5.5; POINTS]))),
        (
            "float, jittered times",
            column(&jittered, Values::Float((0..POINTS).map(|at| (at as f64).sin()).collect())),
        ),
        (
            "integer of three digits",
            column(
                &regular,
                Values::Integer((0..POINTS).map(|_| (dice() % 1000).cast_signed()).collect()),
            ),
        ),
        ("integer, counter", column(&jittered, Values::Integer((0..POINTS as i64).collect()))),
        (
            "unsigned, any",
            column(
                &regular,
                Values::Unsigned((0..POINTS).map(|_| dice() << 40 ^ dice()).collect()),
            ),
        ),
        (
            "boolean",
            column(&regular, Values::Boolean((0..POINTS).map(|_| dice() % 3 == 0).collect())),
        ),
        ("string", column(&regular, Values::String(strings))),
    ]
}

/// A bit at a time.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> u64 {
        let mut bits = 0;
        for _ in 0..count {
            bits = bits << 1 | u64::from(self.bytes[self.at / 8] >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        bits
    }
}

/// The floats of a block, up to the NaN that ends them.
fn naive_floats(values: &[u8]) -> Vec<f64> {
    let mut bits = Bits { bytes: &values[1..], at: 0 };
    let mut value = bits.take(64);
    let mut floats = Vec::new();
    let (mut lead, mut width) = (0, 64);
    while value != 0x7ff8_0000_0000_0001 {
        floats.push(f64::from_bits(value));
        if bits.take(1) == 1 {
            if bits.take(1) == 1 {
                lead = bits.take(5) as u32;
                width = bits.take(6) as u32;
                width = if width == 0 { 64 } else { width };
            }
            value ^= bits.take(width) << (64 - lead - width);
        }
    }
    floats
}

/// The numbers of packed words, each shifted out of its word.
fn naive_words(bytes: &[u8], numbers: &mut Vec<u64>) {
    const COUNTS: [u32; 16] = [240, 120, 60, 30, 20, 15, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1];
    for word in bytes.chunks(8) {
        let word = u64::from_be_bytes(word.try_into().expect("whole words"));
        let selector = (word >> 60) as usize;
        let count = COUNTS[selector];
        let width = if selector < 2 { 0 } else { 60 / count };
        for at in 0..count {
            numbers.push(if width == 0 { 1 } else { word >> (at * width) & ((1 << width) - 1) });
        }
    }
}

fn naive_integers(values: &[u8]) -> Vec<i64> {
    let mut numbers = vec![u64::from_be_bytes(values[1..9].try_into().expect("a first value"))];
    match values[0] >> 4 {
        1 => naive_words(&values[9..], &mut numbers),
        0 => numbers.extend(
            values[9..].chunks(8).map(|word| u64::from_be_bytes(word.try_into().expect("whole"))),
        ),
        _ => return Vec::new(),
    }
    let mut value = 0_i64;
    let add = |number: u64| {
        value = value.wrapping_add((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        value
    };
    numbers.into_iter().map(add).collect()
}

/// Packed times only.
fn naive_times(times: &[u8]) -> Vec<i64> {
    let mut steps = Vec::new();
    let mut time = i64::from_be_bytes(times[1..9].try_into().expect("a first time"));
    if times[0] >> 4 == 1 {
        naive_words(&times[9..], &mut steps);
    }
    let scale = 10_u64.pow(u32::from(times[0] & 15));
    let add = |step: u64| {
        time = time.wrapping_add((step * scale).cast_signed());
        time
    };
    steps.into_iter().map(add).collect()
}

/// What the naive decoder knows of a block: floats, integers, packed times.
fn naive(block: &[u8]) -> usize {
    let mut len = usize::from(block[1] & 0x7f);
    let mut at = 2;
    if block[1] >= 0x80 {
        len |= usize::from(block[2]) << 7;
        at = 3;
    }
    let (times, values) = block[at..].split_at(len);
    let count = match block[0] {
        0 => naive_floats(values).len(),
        _ => naive_integers(values).len(),
    };
    count + black_box(naive_times(times)).len()
}

fn blocks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tsm");
    group.throughput(Throughput::Elements(POINTS as u64));
    for (name, column) in columns() {
        let mut block = Vec::new();
        encode(&column, &mut block);
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                encode(black_box(&column), &mut out);
                out.len()
            });
        });
        group.bench_function(BenchmarkId::new("decode", name), |bencher| {
            bencher.iter(|| decode(black_box(&block)).expect("just encoded").len());
        });
        if matches!(column.values, Values::Float(_) | Values::Integer(_) | Values::Unsigned(_)) {
            group.bench_function(BenchmarkId::new("decode naively", name), |bencher| {
                bencher.iter(|| naive(black_box(&block)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, blocks);
criterion_main!(benches);
