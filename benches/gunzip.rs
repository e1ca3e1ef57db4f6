//! Inflating a gzip body: Circlet's own way in slices, against zlib-rs and libdeflate in one go.
//!
//! With the words `alone FILE SECONDS` it inflates one file again and again in Circlet's way and prints as
//! JSON what that takes of the processor: what `scripts/bench` takes off the cost of compressed requests.

mod lines;

use circlet::proto::http::inflate::Inflate;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::error::Error;
use std::hint::black_box;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

const LINES: usize = 1000;
const CONTENT_BYTES_MAX: u64 = 100 * 1024 * 1024;
/// As a connection does it: at most so much before the shard breathes.
const SLICE_BYTES: usize = 128 * 1024;

fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(body).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// Circlet's way; `out` keeps its memory from one body to the next, as a connection does.
fn in_slices(mut input: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut inflate = Inflate::new(CONTENT_BYTES_MAX);
    while !input.is_empty() {
        let pushed = inflate.push(input, out, SLICE_BYTES).expect("the body is whole");
        input = &input[pushed.consumed..];
    }
    inflate.finish().expect("the body is whole");
}

fn by_zlib(input: &[u8], out: &mut Vec<u8>) {
    out.clear();
    flate2::bufread::GzDecoder::new(input).read_to_end(out).expect("the body is whole");
}

fn by_libdeflate(decompressor: &mut libdeflater::Decompressor, input: &[u8], out: &mut [u8]) {
    let len = decompressor.gzip_decompress(input, out).expect("the body is whole");
    assert_eq!(len, out.len());
}

fn gunzip(criterion: &mut Criterion) {
    let body = lines::body(LINES).into_bytes();
    let packed = packed(&body);
    let mut group = criterion.benchmark_group("gunzip");
    group.throughput(Throughput::Bytes(body.len() as u64));
    let mut out = Vec::with_capacity(body.len());
    group.bench_function(BenchmarkId::from_parameter("circlet"), |bench| {
        bench.iter(|| in_slices(black_box(&packed), &mut out));
    });
    group.bench_function(BenchmarkId::from_parameter("zlib-rs"), |bench| {
        bench.iter(|| by_zlib(black_box(&packed), &mut out));
    });
    let (mut whole, mut decompressor) = (vec![0; body.len()], libdeflater::Decompressor::new());
    group.bench_function(BenchmarkId::from_parameter("libdeflate"), |bench| {
        bench.iter(|| by_libdeflate(&mut decompressor, black_box(&packed), &mut whole));
    });
    group.finish();
}

/// Processor time of this thread so far.
fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn alone(file: &str, seconds: f64) -> Result<(), Box<dyn Error>> {
    let body = std::fs::read(file)?;
    let count = body.iter().filter(|byte| **byte == b'\n').count();
    let packed = packed(&body);
    let mut out = Vec::with_capacity(body.len());
    let (mut whole, mut decompressor) = (vec![0; body.len()], libdeflater::Decompressor::new());
    let (mut took, mut rounds) = ([Duration::ZERO; 3], 0_u32);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        let marks = [
            cpu(),
            {
                in_slices(black_box(&packed), &mut out);
                cpu()
            },
            {
                by_zlib(black_box(&packed), &mut out);
                cpu()
            },
            {
                by_libdeflate(&mut decompressor, black_box(&packed), &mut whole);
                cpu()
            },
        ];
        for (took, pair) in took.iter_mut().zip(marks.windows(2)) {
            *took += pair[1] - pair[0];
        }
        rounds += 1;
    }
    let lines = f64::from(rounds) * count as f64;
    let [circlet, zlib, libdeflate] = took.map(|took| took.as_secs_f64() * 1e6 / lines);
    println!(
        "{}",
        serde_json::json!({
            "lines": count,
            "packed_share": packed.len() as f64 / body.len() as f64,
            "circlet_us_per_line": circlet,
            "zlib_rs_us_per_line": zlib,
            "libdeflate_us_per_line": libdeflate,
        })
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
