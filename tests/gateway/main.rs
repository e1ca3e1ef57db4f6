//! Circlet as its users meet it: the built binary before real InfluxDB 1.6.7 servers.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait in real time and may panic; the library's rules are for shards"
)]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod support;

mod admin;
mod answers;
mod asking;
mod bad_input;
mod budgets;
mod clients;
mod commands;
mod crash;
mod delivery;
mod flux;
mod generated;
mod harness;
mod limits;
mod logs;
mod merged;
mod merged_trouble;
mod migrate;
mod order;
mod packages;
mod page;
mod readme;
mod recorded;
mod reload;
mod reroute;
mod secrets;
mod shards;
mod spill;
mod statements;
mod store_alone;
mod store_embedded;
mod store_files;
mod store_questions;
mod store_recorded;
mod tap;
mod targets;
mod telegraf;
mod tls;
mod tokens;
mod tools;
mod topology;
