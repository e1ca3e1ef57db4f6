//! Merging the answers of two backends, annotated CSV and results JSON, against what others need to read the same
//! bytes only: the crates csv and `serde_json`.

use circlet::proto::results::{Form, Writer, read};
use circlet::query::flux_body::Dialect;
use circlet::query::merge::flux::{Merger, Step};
use circlet::query::merge::influxql::{Merge, Turn, Way};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::hint::black_box;

const TABLES: usize = 50;
const ROWS: usize = 200;
/// As sockets bring it.
const PIECE_BYTES: usize = 64 * 1024;

/// An answer of many tables, each a series of this measurement.
fn annotated(measurement: &str) -> String {
    let mut text = String::from(
        "#datatype,string,long,dateTime:RFC3339,double,string,string,string\r\n\
         #group,false,false,false,false,true,true,true\r\n#default,_result,,,,,,\r\n\
         ,result,table,_time,_value,_field,_measurement,host\r\n",
    );
    for table in 0..TABLES {
        for row in 0..ROWS {
            let (minute, second) = (row / 60 % 60, row % 60);
            write!(
                text,
                ",,{table},2026-11-22T05:{minute:02}:{second:02}Z,{row}.25,usage,{measurement},h{table}\r\n"
            )
            .expect("a string takes everything");
        }
    }
    text.push_str("\r\n");
    text
}

/// An answer in chunks, as InfluxDB 1.x sends series of this measurement.
fn results(measurement: &str) -> Vec<String> {
    let table = |table: usize| {
        let row = |row: usize| format!("[{},{row}.25]", 1_700_000_000_000_000_000_u64 + row as u64);
        let rows: Vec<String> = (0..ROWS).map(row).collect();
        format!(
            "{{\"results\":[{{\"statement_id\":0,\"series\":[{{\"name\":\"{measurement}\",\"tags\":{{\"host\":\"h{table:02}\"}},\
             \"columns\":[\"time\",\"usage\"],\"values\":[{}]}}],\"partial\":true}}]}}",
            rows.join(",")
        )
    };
    (0..TABLES).map(table).collect()
}

fn merge_annotated(answers: &[String]) -> usize {
    let annotations = ["datatype", "group", "default"].map(str::to_owned).to_vec();
    let dialect = Dialect { annotations, ..Dialect::default() };
    let mut merger = Merger::tables(&dialect, b',', answers.len());
    let mut pieces: Vec<_> =
        answers.iter().map(|answer| answer.as_bytes().chunks(PIECE_BYTES)).collect();
    let mut written = 0;
    loop {
        match merger.step() {
            Step::Want(answer) => match pieces[answer].next() {
                Some(piece) => merger.push(answer, piece),
                None => merger.end(answer),
            },
            Step::Out(bytes) => written += black_box(bytes).len(),
            Step::Pause => {}
            Step::Done => return written,
            Step::Broken(why) => panic!("the answers are whole: {why}"),
        }
    }
}

fn read_by_csv(answers: &[String]) -> usize {
    let mut cells = 0;
    for answer in answers {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(answer.as_bytes());
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).expect("the answers are whole") {
            cells += black_box(&record).len();
        }
    }
    cells
}

fn merge_results(answers: &[Vec<String>]) -> usize {
    let mut merge = Merge::new(Way::Side { descending: false }, answers.len());
    let mut writer = Writer::new(Form::Json { pretty: false, chunked: false });
    let mut lines: Vec<_> = answers.iter().map(|answer| answer.iter()).collect();
    let (mut out, mut written) = (String::new(), 0);
    writer.statement(true, &mut out);
    loop {
        match merge.turn().expect("the answers fit together") {
            Turn::Need(answer) => match lines[answer].next() {
                Some(line) => {
                    for part in read(line).expect("the answers are whole").parts {
                        merge.feed(answer, part.series);
                    }
                }
                None => merge.end(answer),
            },
            Turn::Piece(series) => writer.piece(series, &mut out),
            Turn::Done => break,
        }
        if out.len() > PIECE_BYTES {
            written += black_box(std::mem::take(&mut out)).len();
        }
    }
    writer.end(None, &mut out);
    writer.finish(&mut out);
    written + out.len()
}

fn read_by_serde(answers: &[Vec<String>]) -> usize {
    let value = |line: &String| serde_json::from_str::<serde_json::Value>(line);
    let whole = |line| usize::from(black_box(value(line)).is_ok());
    answers.iter().flatten().map(whole).sum()
}

fn bytes<'a>(texts: impl IntoIterator<Item = &'a String>) -> Throughput {
    Throughput::Bytes(texts.into_iter().map(|text| text.len() as u64).sum())
}

fn merge(criterion: &mut Criterion) {
    let tables = [annotated("cpu"), annotated("mem")];
    let series = [results("cpu"), results("mem")];
    let mut group = criterion.benchmark_group("merge");
    group.throughput(bytes(&tables));
    group.bench_function(BenchmarkId::new("circlet", "annotated CSV"), |bench| {
        bench.iter(|| merge_annotated(black_box(&tables)));
    });
    group.bench_function(BenchmarkId::new("csv, reading only", "annotated CSV"), |bench| {
        bench.iter(|| read_by_csv(black_box(&tables)));
    });
    group.throughput(bytes(series.iter().flatten()));
    group.bench_function(BenchmarkId::new("circlet", "results JSON"), |bench| {
        bench.iter(|| merge_results(black_box(&series)));
    });
    group.bench_function(BenchmarkId::new("serde_json, reading only", "results JSON"), |bench| {
        bench.iter(|| read_by_serde(black_box(&series)));
    });
    group.finish();
}

criterion_group!(benches, merge);
criterion_main!(benches);
