//! The test harness: real InfluxDB servers, the real gateway, raw connections.
//!
//! Promises: every process is ended by its id when its owner is dropped, also on panic; every wait
//! has a deadline and polls; whatever is missing on this machine fails a test with the name of the
//! script that installs it. Does not know what any single test proves.
//! Read `world` first: it puts the other parts together.

pub mod actor;
pub mod annotated;
pub mod asked;
pub mod circlet;
pub mod deaths;
pub mod http;
pub mod influxd;
pub mod ledger;
pub mod load_tool;
pub mod metrics;
pub mod neighbour;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod python;
pub mod recorded;
pub mod reloads;
pub mod stage;
pub mod store;
pub mod tls;
pub mod vectors;
pub mod wait;
pub mod world;

/// What nearly every test names.
pub mod prelude {
    pub use super::http::{Answer, Connection, Request, encode};
    pub use super::influxd::Influxd;
    pub use super::ledger::Load;
    pub use super::wait::{seconds, until};
    pub use super::world::{Setup, World};
    pub use serde_json::Value;
    pub use std::time::Duration;
}
