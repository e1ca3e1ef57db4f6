//! Any split of any tables over backends gives back the same tables.
#![no_main]

use circlet::query::flux_body::Dialect;
use circlet::query::merge::flux::{Merger, Step};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/support/annotated.rs"]
#[allow(dead_code)]
mod model;

use model::{Column, Table, read, sorted, write};

const VALUES: [&str; 8] = ["", "1", "a,b", "\"", "\n", "#group", "\r\n,,0", " x"];

/// One table out of five bytes; `at` makes its key its own.
fn table(bytes: &[u8], at: usize) -> Table {
    let column = |label: &str, datatype: &str, is_key| Column {
        label: label.to_owned(),
        datatype: datatype.to_owned(),
        is_key,
    };
    let datatype = if bytes[1] & 1 == 0 { "string" } else { "long" };
    let measurement = VALUES[usize::from(bytes[2]) % VALUES.len()].to_owned();
    let columns = vec![
        column("_measurement", "string", true),
        column("n", "long", true),
        column("_value", datatype, false),
    ];
    let value = |row: u8| VALUES[usize::from(bytes[4].wrapping_add(row)) % VALUES.len()].to_owned();
    let row = |row: u8| vec![measurement.clone(), at.to_string(), value(row)];
    let rows: Vec<_> = (0..bytes[3] % 4).map(row).collect();
    let key = vec![measurement.clone(), at.to_string(), String::new()];
    let key = rows.first().cloned().unwrap_or(key);
    Table { result: format!("r{}", bytes[1] / 2 % 3), columns, rows, key }
}

fuzz_target!(|data: &[u8]| {
    let Some(([count, size, turned], drawn)) = data.split_first_chunk::<3>() else { return };
    let mut backends = vec![vec![]; usize::from(*count) % 4 + 1];
    for (at, bytes) in drawn.chunks_exact(5).enumerate() {
        let backend = usize::from(bytes[0]) % backends.len();
        backends[backend].push(table(bytes, at));
    }
    for (at, tables) in backends.iter_mut().enumerate() {
        tables.sort_by(|a, b| a.result.cmp(&b.result));
        if *turned >> at & 1 == 1 {
            tables.sort_by(|a, b| b.result.cmp(&a.result));
        }
    }
    let answers: Vec<String> = backends.iter().map(|tables| write(tables, ',')).collect();
    let annotations = ["datatype", "group", "default"].map(str::to_owned).to_vec();
    let dialect = Dialect { header: true, delimiter: ',', annotations };
    let mut merger = Merger::tables(&dialect, b',', answers.len());
    let size = usize::from(*size).max(1);
    let mut pieces: Vec<_> = answers.iter().map(|answer| answer.as_bytes().chunks(size)).collect();
    let mut out = vec![];
    loop {
        match merger.step() {
            Step::Want(answer) => match pieces[answer].next() {
                Some(piece) => merger.push(answer, piece),
                None => merger.end(answer),
            },
            Step::Out(bytes) => out.extend_from_slice(&bytes),
            Step::Pause => {}
            Step::Done => break,
            Step::Broken(why) => panic!("{why}"),
        }
    }
    let merged = String::from_utf8(out).expect("text of texts");
    let whole: Vec<Table> = backends.into_iter().flatten().collect();
    assert_eq!(sorted(read(&merged, ',')), sorted(whole));
});
