//! The laws of the grammar.

mod alike;
mod join;
mod laws;
mod servers;
mod vectors;

use super::{Line, Lines, Precision, Rules};

const RULES: Rules =
    Rules { precision: Precision::Nanoseconds, unsigned: false, nul_tag_key: false };

fn accepted(body: &[u8]) -> Vec<Line<'_>> {
    Lines::new(body, RULES).filter_map(Result::ok).collect()
}

/// The reason why the only line of `body` is refused.
fn refusal(body: &[u8]) -> String {
    let mut lines = Lines::new(body, RULES);
    let error = lines.next().expect("a line").expect_err("a refused line");
    assert!(lines.next().is_none(), "more than one line");
    error.reason.to_string()
}
