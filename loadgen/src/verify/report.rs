//! What the writing and the check came to, for people and for programs.

use super::check::Verdict;
use super::ledger::Run;
use super::writer::Tally;
use serde_json::{Value, json};
use std::fmt::Write;

pub struct Report<'a> {
    pub runs: &'a [Run],
    /// None where only the check was asked for.
    pub written: Option<Tally>,
    /// One for each circle; empty where no check was asked for.
    pub verdicts: Vec<Verdict>,
}

impl Report<'_> {
    fn points_acked(&self) -> u64 {
        self.runs.iter().map(Run::points_acked).sum()
    }

    fn unacknowledged(&self) -> u64 {
        self.runs.iter().map(Run::unacknowledged).sum()
    }

    fn requests(&self) -> usize {
        let sent = |run: &Run| run.requests.iter().filter(|progress| progress.sent > 0).count();
        self.runs.iter().map(sent).sum()
    }

    /// Something was acknowledged, nothing was refused for good, and every circle is right.
    pub fn is_right(&self) -> bool {
        let refused = self.written.as_ref().map_or(0, |tally| tally.refused);
        self.points_acked() > 0 && refused == 0 && self.verdicts.iter().all(Verdict::is_right)
    }

    pub fn json(&self) -> Value {
        let written = self.written.as_ref().map(|tally| {
            json!({
                "seconds": tally.seconds,
                "failures": tally.failures,
                "refused": tally.refused,
                "first_failure": tally.first_failure,
            })
        });
        let circles: Vec<_> = self.verdicts.iter().map(circle_json).collect();
        json!({
            "ok": self.is_right(),
            "requests": self.requests(),
            "requests_unacknowledged": self.unacknowledged(),
            "points_acknowledged": self.points_acked(),
            "write": written,
            "circles": circles,
        })
    }

    pub fn text(&self) -> String {
        let mut text = format!(
            "written: {} requests, {} points acknowledged, {} requests without an answer",
            self.requests(),
            self.points_acked(),
            self.unacknowledged(),
        );
        if let Some(tally) = &self.written {
            // Writing to a String cannot fail.
            write!(text, ", {:.2} s, {} refused", tally.seconds, tally.refused).unwrap_or_default();
            for (kind, count) in &tally.failures {
                write!(text, ", {kind}: {count} tries").unwrap_or_default();
            }
            if let Some(first) = &tally.first_failure {
                write!(text, "\nfirst failure: {first}").unwrap_or_default();
            }
        }
        for (number, verdict) in self.verdicts.iter().enumerate() {
            text.push('\n');
            text.push_str(&circle_text(number + 1, verdict));
        }
        text
    }
}

fn circle_json(verdict: &Verdict) -> Value {
    json!({
        "ok": verdict.is_right(),
        "right": verdict.right,
        "missing": verdict.missing,
        "wrong": verdict.wrong,
        "old": verdict.old,
        "twice": verdict.twice,
        "never_sent": verdict.foreign,
        "unacknowledged_present": verdict.unacknowledged,
        "points_per_backend": verdict.backends,
        "errors": verdict.errors,
        "examples": verdict.examples,
    })
}

fn circle_text(number: usize, v: &Verdict) -> String {
    let word = if v.is_right() { "right" } else { "WRONG" };
    let mut text = format!(
        "circle {number}: {word}: {} right, {} missing, {} wrong, {} old, {} twice, {} never sent, {} there without acknowledgement; points per backend {:?}",
        v.right, v.missing, v.wrong, v.old, v.twice, v.foreign, v.unacknowledged, v.backends
    );
    for line in v.errors.iter().chain(&v.examples) {
        text.push_str("\n  ");
        text.push_str(line);
    }
    text
}
