//! What comes out of a merger is what one server with all data has answered, as recorded.

mod laws;
#[path = "../../../../../tests/support/annotated.rs"]
mod model;
mod vectors;

use super::{Merger, Step};
use crate::query::flux_body::Dialect;

/// All annotations, as most clients ask for them.
fn dialect() -> Dialect {
    let annotations = ["datatype", "group", "default"].map(str::to_owned).to_vec();
    Dialect { header: true, delimiter: ',', annotations }
}

/// Feeds whole answers in pieces of these sizes; what comes out, and how it ended.
fn merge(mut merger: Merger, answers: &[&[u8]], sizes: &[usize]) -> (String, Result<(), String>) {
    let mut rest: Vec<&[u8]> = answers.to_vec();
    let mut sizes = sizes.iter().copied().cycle();
    let mut out = Vec::new();
    loop {
        match merger.step() {
            Step::Out(bytes) => out.extend_from_slice(&bytes),
            Step::Want(answer) if rest[answer].is_empty() => merger.end(answer),
            Step::Want(answer) => {
                let size = sizes.next().unwrap_or(1).clamp(1, rest[answer].len());
                let (piece, behind) = rest[answer].split_at(size);
                merger.push(answer, piece);
                rest[answer] = behind;
            }
            Step::Pause => {}
            Step::Done => return (String::from_utf8(out).unwrap(), Ok(())),
            Step::Broken(why) => return (String::from_utf8(out).unwrap(), Err(why)),
        }
    }
}
