//! Inflating a gzip body: Circlet's two ways, whole and in slices, against libdeflate and zlib-rs in one go.
//!
//! With the words `alone FILE SECONDS` it inflates one gzip file again and again in all of them in turn, and
//! prints as JSON what that takes of the processor: what `scripts/bench` takes off the cost of compressed
//! requests.

mod lines;

use circlet::proto::http::inflate::Inflate;
use circlet::proto::http::inflate_whole::{inflate_whole, told_len};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::error::Error;
use std::hint::black_box;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

const LINES: usize = 1000;
const CONTENT_BYTES_MAX: u64 = 100 * 1024 * 1024;
/// At most so much before the shard breathes.
const SLICE_BYTES: usize = 128 * 1024;

fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(body).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// Circlet's way with a body that came whole.
fn whole(input: &[u8], out: &mut [u8]) {
    assert_eq!(told_len(input), Some(out.len()));
    assert!(inflate_whole(input, out), "the body is one whole member");
}

/// Circlet's way with a body that comes in pieces.
fn in_slices(mut input: &[u8], out: &mut [u8]) {
    let (mut inflate, mut at) = (Inflate::new(CONTENT_BYTES_MAX), 0);
    while !input.is_empty() {
        let end = out.len().min(at + SLICE_BYTES);
        let pushed = inflate.push(input, &mut out[at..end]).expect("the body is whole");
        input = &input[pushed.consumed..];
        at += pushed.produced;
    }
    inflate.finish().expect("the body is whole");
}

fn by_zlib(input: &[u8], out: &mut [u8]) {
    flate2::bufread::GzDecoder::new(input).read_exact(out).expect("the body is whole");
}

fn by_libdeflate(input: &[u8], out: &mut [u8]) {
    let len = libdeflater::Decompressor::new().gzip_decompress(input, out);
    assert_eq!(len, Ok(out.len()));
}

/// A name, and what inflates a body into its place.
type Inflater = (&'static str, fn(&[u8], &mut [u8]));

const WAYS: [Inflater; 4] = [
    ("circlet", whole),
    ("circlet, in slices", in_slices),
    ("zlib-rs", by_zlib),
    ("libdeflate", by_libdeflate),
];

fn gunzip(criterion: &mut Criterion) {
    let body = lines::body(LINES).into_bytes();
    let packed = packed(&body);
    let mut out = vec![0; body.len()];
    let mut group = criterion.benchmark_group("gunzip");
    group.throughput(Throughput::Bytes(body.len() as u64));
    for (name, inflate) in WAYS {
        group.bench_function(BenchmarkId::from_parameter(name), |bench| {
            bench.iter(|| inflate(black_box(&packed), &mut out));
        });
    }
    group.finish();
}

/// Processor time of this thread so far.
fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn alone(file: &str, seconds: f64) -> Result<(), Box<dyn Error>> {
    let packed = std::fs::read(file)?;
    let mut out = vec![0; told_len(&packed).ok_or("no gzip file")?];
    let (mut took, mut rounds) = ([Duration::ZERO; WAYS.len()], 0_u32);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        for (took, (_, inflate)) in took.iter_mut().zip(WAYS) {
            let before = cpu();
            inflate(black_box(&packed), black_box(&mut out));
            *took += cpu() - before;
        }
        rounds += 1;
    }
    let lines = out.iter().filter(|byte| **byte == b'\n').count();
    let us_per_line = |took: Duration| took.as_secs_f64() * 1e6 / f64::from(rounds) / lines as f64;
    let ways = WAYS.iter().zip(took).map(|((name, _), took)| (*name, us_per_line(took)));
    let ways: serde_json::Map<_, _> = ways.map(|(name, us)| (name.to_owned(), us.into())).collect();
    let share = packed.len() as f64 / out.len() as f64;
    println!(
        "{}",
        serde_json::json!({ "us_per_line": ways, "lines": lines, "packed_share": share })
    );
    Ok(())
}

criterion_group!(benches, gunzip);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().position(|word| word == "alone") {
        Some(at) => alone(&words[at + 1], words[at + 2].parse()?),
        None => {
            benches();
            Criterion::default().configure_from_args().final_summary();
            Ok(())
        }
    }
}
