//! How long each stage takes: HDR histograms, one set for each shard, merged once a second.

use super::names;
use hdrhistogram::Histogram;
use metrics::{counter, gauge};
use std::cell::RefCell;
use std::time::Duration;

/// A stage of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Checking and routing the lines of a request.
    Check,
    /// From the append to stable storage.
    Commit,
    /// From stable storage to the confirmation by all current backends.
    Confirm,
    /// A whole write request.
    Write,
    /// One request to a backend.
    Backend,
    /// A query, to its first byte.
    Query,
}

const STAGES: [(Stage, &str); 6] = [
    (Stage::Check, "check"),
    (Stage::Commit, "commit"),
    (Stage::Confirm, "confirm"),
    (Stage::Write, "write"),
    (Stage::Backend, "backend"),
    (Stage::Query, "query"),
];

const QUANTILES: [(f64, &str); 4] = [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99"), (0.999, "0.999")];

/// The histograms of one shard, in microseconds. Lives on: every shard.
pub struct Latencies(RefCell<Vec<Histogram<u64>>>);

/// What a shard recorded since it was asked last. Sent to the control thread.
pub struct Snapshot(Vec<Histogram<u64>>);

fn fresh() -> Vec<Histogram<u64>> {
    // 1 us to 10 min with two digits; longer ones count as 10 min.
    let one =
        || Histogram::new_with_bounds(1, 600_000_000, 2).expect("fixed bounds that are right");
    STAGES.iter().map(|_| one()).collect()
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies(RefCell::new(fresh()))
    }
}

impl Latencies {
    pub fn record(&self, stage: Stage, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        self.0.borrow_mut()[stage as usize].saturating_record(micros);
    }

    pub fn take(&self) -> Snapshot {
        Snapshot(self.0.replace(fresh()))
    }
}

/// All shards together since the start. Lives on: the control thread.
pub struct Merged(Vec<Histogram<u64>>);

impl Default for Merged {
    fn default() -> Merged {
        Merged(fresh())
    }
}

impl Merged {
    pub fn add(&mut self, snapshot: &Snapshot) {
        for (all, one) in self.0.iter_mut().zip(&snapshot.0) {
            all.add(one).expect("the same bounds");
        }
    }

    pub fn publish(&self) {
        for (histogram, (_, stage)) in self.0.iter().zip(STAGES) {
            for (quantile, label) in QUANTILES {
                let micros = Duration::from_micros(histogram.value_at_quantile(quantile));
                gauge!(names::STAGE_SECONDS, "stage" => stage, "quantile" => label)
                    .set(if histogram.is_empty() { 0.0 } else { micros.as_secs_f64() });
            }
            counter!(names::STAGE_COUNT, "stage" => stage).absolute(histogram.len());
        }
    }
}
