//! The check of lines against the crate `influxdb-line-protocol`, on the same bytes in turn: each round of one
//! is followed by a round of the others, so that whatever disturbs the machine disturbs all of them.
//!
//! `cargo bench --bench parser` prints criterion's figures and then a table of ratios.

use circlet::proto::line::{Lines, Precision, Rules, Way};
use circlet_load::data::{self, Mix, Random};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use std::time::Instant;

const LINES: usize = 1000;
const ROUNDS: usize = 200;

const RULES: Rules =
    Rules { precision: Precision::Nanoseconds, unsigned: false, nul_tag_key: false };

const MIXES: [(Mix, &str); 3] =
    [(Mix::Tsbs, "tsbs"), (Mix::Telegraf, "telegraf"), (Mix::Small, "small")];

/// A name, and what takes a body.
type Parser = (&'static str, fn(&[u8]) -> usize);

/// What is measured; the last one is what the others are compared with.
const PARSERS: [Parser; 4] = [
    ("circlet", |body| circlet(Way::Best, body)),
    ("circlet, portable", |body| circlet(Way::Portable, body)),
    ("circlet, nom alone", |body| circlet(Way::Grammar, body)),
    ("influxdb-line-protocol", reference),
];

/// Looks at all that a line gives, so that none of the work can be left out.
fn circlet(way: Way, body: &[u8]) -> usize {
    let lines = Lines::by(way, body, RULES).map(|line| line.expect("all lines are good"));
    let seen = lines.map(|line| {
        let time = line.time.map_or(0, |time| time.0);
        line.head.len() + line.measurement.len() + usize::from(time != 0)
    });
    seen.sum()
}

fn reference(body: &[u8]) -> usize {
    let text = std::str::from_utf8(body).expect("generated lines are text");
    let lines = influxdb_line_protocol::parse_lines(text).map(|line| line.expect("a good line"));
    let seen = lines.map(|line| {
        let fields = line.field_set.len();
        line.series.measurement.len() + fields + usize::from(line.timestamp.is_some())
    });
    seen.sum()
}

fn body(mix: Mix) -> Vec<u8> {
    let mut lines = data::Lines::generate(mix, LINES, mix.measurements(), &mut Random::new(7));
    lines.stamp(1_700_000_000_000_000_000, 1000);
    lines.bytes
}

/// Nanoseconds of the middle round of each parser.
fn in_turn(body: &[u8]) -> [f64; PARSERS.len()] {
    let mut rounds_ns: [Vec<f64>; PARSERS.len()] = Default::default();
    for _ in 0..ROUNDS {
        for (rounds_ns, (_, parse)) in rounds_ns.iter_mut().zip(PARSERS) {
            #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
            let begun = Instant::now();
            black_box(parse(black_box(body)));
            rounds_ns.push(begun.elapsed().as_nanos() as f64);
        }
    }
    rounds_ns.map(|mut all| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    })
}

fn table() {
    println!("\n| lines | parser | GB/s | Mlines/s | times the crate |\n|---|---|---|---|---|");
    for (mix, name) in MIXES {
        let body = body(mix);
        let rounds_ns = in_turn(&body);
        for ((parser, _), ns) in PARSERS.iter().zip(rounds_ns) {
            let (rate, lines) = (body.len() as f64 / ns, 1000.0 * LINES as f64 / ns);
            let times = rounds_ns[PARSERS.len() - 1] / ns;
            println!("| {name} | {parser} | {rate:.3} | {lines:.2} | {times:.1} |");
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (mix, name) in MIXES {
        let body = body(mix);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        for (parser, parse) in PARSERS {
            group.bench_with_input(BenchmarkId::from_parameter(parser), &body, |bencher, body| {
                bencher.iter(|| parse(black_box(body)));
            });
        }
        group.finish();
    }
    criterion.final_summary();
    table();
}
