//! kill -9 of the built gateway before real InfluxDB servers: at every failpoint, and at random moments.
//!
//! Everything in here needs the cargo feature `failpoints`: `cargo test --features failpoints --test failpoints`.
#![cfg(feature = "failpoints")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait in real time and may panic; the library's rules are for shards"
)]

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "each test binary uses its part")]
mod support;

mod death;
mod long_run;
mod progress;
mod rows;
mod witness;
