//! Shows lines to whoever looks at what passes. Nothing of it runs while nobody does.

use super::batch::Checked;
use super::{Facts, accept};
use crate::backend::tap::Passing;

/// The good lines of one request.
struct Lines<'a> {
    body: &'a [u8],
    good: &'a [Checked],
}

impl Passing for Lines<'_> {
    fn count(&self) -> usize {
        self.good.len()
    }

    fn text(&self, number: usize) -> &[u8] {
        &self.body[self.good[number].from as usize..]
    }

    fn whole(&self, number: usize) -> Vec<u8> {
        self.good[number].bytes(self.body)
    }
}

#[cold]
pub(super) fn show(facts: &Facts, request: &accept::Request<'_>, good: &[Checked]) {
    let lines = Lines { body: request.body, good };
    facts.board.taps.show(request.target, &lines, facts.clock.mono());
}
