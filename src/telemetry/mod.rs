//! Counters, latency histograms, logs, and the text that Prometheus reads.
//!
//! Promises: no other folder spells the name of a metric; a counter of a shard is written by that shard
//! alone; nothing here is touched once per line.
//!
//! Does not know: what happened, only how often and how long.
//!
//! Read in this order: `names`, `meters`, `latency`, `logs`.

pub mod latency;
pub mod logs;
pub mod meters;
pub mod names;

pub use latency::{Latencies, Snapshot, Stage};
pub use meters::{BackendGauges, HttpMeters, Meters, StoreLevels};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Everything that was counted, as text.
#[derive(Clone)]
pub struct Exposition(PrometheusHandle);

impl Exposition {
    /// Installs the recorder of the process. Once, before any counter is made.
    pub fn install() -> Result<Exposition, String> {
        let handle =
            PrometheusBuilder::new().install_recorder().map_err(|error| error.to_string())?;
        names::describe();
        logs::count_from_the_start();
        Ok(Exposition(handle))
    }

    /// Prometheus text format 0.0.4.
    pub fn render(&self) -> String {
        // A counter of seconds has to be kept as a gauge, because the recorder counts in whole numbers.
        let told = |kind| format!("# TYPE {} {kind}", names::SHARD_BUSY_SECONDS);
        self.0.render().replacen(&told("gauge"), &told("counter"), 1)
    }

    /// Housekeeping of the recorder; call it every few seconds.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}
