//! Annotated CSV says the same in whatever pieces it arrives; merged alone, what comes out says it, too.
#![no_main]

use circlet::proto::annotated::{Decoder, Event};
use circlet::query::flux_body::Dialect;
use circlet::query::merge::flux::{Merger, Step};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, PartialEq)]
enum Said {
    Table(Vec<u8>, Vec<u8>, Vec<u8>, bool),
    Row(Vec<u8>),
    Error(Vec<u8>, Vec<u8>),
    End,
    Malformed,
}

fn decode(text: &[u8], size: usize) -> Vec<Said> {
    let mut decoder = Decoder::new(b',');
    let (mut said, mut pieces) = (vec![], text.chunks(size));
    loop {
        let next = match decoder.event() {
            Ok(Event::Table { result, block, measurement, is_empty }) => {
                Said::Table(result, block.header.clone(), measurement, is_empty)
            }
            Ok(Event::Row(cells)) => Said::Row(cells.to_vec()),
            Ok(Event::Error { message, reference }) => Said::Error(message, reference),
            Ok(Event::End) => Said::End,
            Ok(Event::More) => {
                match pieces.next() {
                    Some(piece) => decoder.push(piece),
                    None => decoder.end(),
                }
                continue;
            }
            Err(_) => Said::Malformed,
        };
        let is_last = matches!(next, Said::Error(..) | Said::End | Said::Malformed);
        said.push(next);
        if is_last {
            return said;
        }
    }
}

fn merge(text: &[u8]) -> Option<Vec<u8>> {
    let annotations = ["datatype", "group", "default"].map(str::to_owned).to_vec();
    let dialect = Dialect { header: true, delimiter: ',', annotations };
    let mut merger = Merger::tables(&dialect, b',', 1);
    let (mut rest, mut out) = (Some(text), vec![]);
    loop {
        match merger.step() {
            Step::Want(_) => match rest.take() {
                Some(text) => merger.push(0, text),
                None => merger.end(0),
            },
            Step::Out(bytes) => out.extend_from_slice(&bytes),
            Step::Pause => {}
            Step::Done => return Some(out),
            Step::Broken(_) => return None,
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((size, text)) = data.split_first() else { return };
    let whole = decode(text, text.len().max(1));
    assert_eq!(decode(text, usize::from(*size).max(1)), whole);
    if let Some(merged) = merge(text) {
        let rows = |said: &[Said]| said.iter().filter(|said| matches!(said, Said::Row(_))).count();
        assert_eq!(rows(&decode(&merged, merged.len().max(1))), rows(&whole));
    }
});
