//! Circlet: many independent InfluxDB instances as one highly available, sharded store.
//!
//! Bytes come in, get a key, find their ring, enter the log, go to a backend; questions go the same
//! road without the log. This page is the table of contents: a folder may use only the folders above it.

// What std lacks. Knows no word of the product.
pub mod base;

// Counters, latency histograms, logs. No other folder spells a metric name.
pub mod telemetry;
// Pure codecs: line protocol, HTTP/1.1 framing, InfluxQL, Flux, CSV, results.
pub mod proto;
// Circles, rings, route key -> one backend per circle.
pub mod ring;

// File -> raw -> checked.
pub mod config;
// Files, sockets, timers, tasks of one core; a simulated twin of each. The only user of glommio.
pub mod rt;

// One shard's segments of frames, their recovery, a cursor per queue.
pub mod wal;
// The embedded engine (to come).
pub mod store;
// One destination: connections, answers, catalogue; the board that says what each is owed.
pub mod backend;

// The write path of a shard.
pub mod ingest;
// The read path: plan, forward, merge.
pub mod query;

// Moving data between backends (to come).
pub mod transfer;

// Listener, connections, endpoint table, answers. The only folder with status codes.
pub mod server;

// One core: owns its write path, read path, log and connections.
pub mod shard;

#[cfg(test)]
mod tests;
