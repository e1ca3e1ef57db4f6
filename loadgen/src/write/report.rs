//! What a run of the load came to, for people and for programs.

use super::worker::{Tally, histogram};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

pub struct Report {
    requests: u64,
    lines: u64,
    acknowledged: u64,
    bytes: u64,
    errors: BTreeMap<String, u64>,
    first_error: Option<String>,
    latency_ns: Histogram<u64>,
    seconds: f64,
}

impl Report {
    pub fn new(tallies: &[Tally], took: Duration) -> Self {
        let mut report = Report {
            requests: 0,
            lines: 0,
            acknowledged: 0,
            bytes: 0,
            errors: BTreeMap::new(),
            first_error: None,
            latency_ns: histogram(),
            seconds: took.as_secs_f64().max(1e-9),
        };
        for tally in tallies {
            report.requests += tally.requests;
            report.lines += tally.lines;
            report.acknowledged += tally.acknowledged;
            report.bytes += tally.bytes;
            for (kind, count) in &tally.errors {
                *report.errors.entry(kind.clone()).or_default() += count;
            }
            if report.first_error.is_none() {
                report.first_error.clone_from(&tally.first_error);
            }
            report.latency_ns += &tally.latency_ns;
        }
        report
    }

    /// Whether there was a request and all were answered 204.
    pub fn all_acknowledged(&self) -> bool {
        self.requests > 0 && self.lines == self.acknowledged && self.errors.is_empty()
    }

    fn rate(&self) -> f64 {
        self.acknowledged as f64 / self.seconds
    }

    /// Microseconds at each quantile; empty when nothing was acknowledged.
    fn latencies_us(&self) -> Vec<(&'static str, f64)> {
        if self.latency_ns.is_empty() {
            return Vec::new();
        }
        let at = |quantile| self.latency_ns.value_at_quantile(quantile) as f64 / 1000.0;
        QUANTILES.iter().map(|(name, quantile)| (*name, at(*quantile))).collect()
    }

    pub fn json(&self) -> Value {
        let latencies: serde_json::Map<_, _> = self
            .latencies_us()
            .into_iter()
            .map(|(name, us)| (name.to_owned(), json!(us)))
            .collect();
        json!({
            "requests": self.requests,
            "lines": self.lines,
            "acknowledged": self.acknowledged,
            "bytes": self.bytes,
            "seconds": self.seconds,
            "lines_per_second": self.rate(),
            "errors": self.errors,
            "first_error": self.first_error,
            "latency_us": latencies,
        })
    }

    pub fn text(&self) -> String {
        let mut text = format!(
            "{} lines in {} requests, {} acknowledged, {:.2} s, {:.0} lines/s, {:.1} MB/s",
            self.lines,
            self.requests,
            self.acknowledged,
            self.seconds,
            self.rate(),
            self.bytes as f64 / self.seconds / 1e6,
        );
        text.push_str("\nlatency of a request:");
        for (name, us) in self.latencies_us() {
            // Writing to a String cannot fail.
            write!(text, " {name} {us:.0} us").unwrap_or_default();
        }
        for (kind, count) in &self.errors {
            write!(text, "\nnot acknowledged, {kind}: {count} requests").unwrap_or_default();
        }
        if let Some(first) = &self.first_error {
            write!(text, "\nfirst error: {first}").unwrap_or_default();
        }
        text
    }
}
