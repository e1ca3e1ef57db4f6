//! `circlet-load write`: connections that write generated lines as fast as they are answered, or at a rate.
//!
//! Promise: a line counts as acknowledged only after its 204 was read; with a rate the latency is
//! counted from the intended start of a request, so a stalled gateway cannot hide its stall.
//! It does not check what was stored: `verify` does. Read `plan`, `worker`, `report`.

mod plan;
mod report;
mod worker;

use crate::destination::{Coding, Credentials, Destination};
use circlet_load::data::Mix;
use clap::Args;
use std::io;
use std::thread;

#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Where to write, for example http://127.0.0.1:8080
    url: String,
    /// Database, for writes in the dialect of InfluxDB 1.x.
    #[arg(long, conflicts_with = "bucket")]
    db: Option<String>,
    /// Organisation of --bucket.
    #[arg(long)]
    org: Option<String>,
    /// Bucket, for writes in the dialect of InfluxDB 2.x.
    #[arg(long)]
    bucket: Option<String>,
    #[command(flatten)]
    credentials: Credentials,
    #[command(flatten)]
    coding: Coding,
    /// Connections that write.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    connections: u64,
    /// Lines of one request.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    lines: u64,
    /// Stop after this many requests of all connections together.
    #[arg(long, conflicts_with_all = ["seconds", "total_lines"])]
    requests: Option<u64>,
    /// Stop after this time; 10 seconds if nothing else ends the run.
    #[arg(long, conflicts_with = "total_lines")]
    seconds: Option<f64>,
    /// Stop after this many lines of all connections together.
    #[arg(long)]
    total_lines: Option<u64>,
    /// Lines a second of all connections together: an open loop.
    #[arg(long)]
    rate: Option<f64>,
    /// Kind of lines. A database should take only one kind: two have `cpu` with other field types.
    #[arg(long, value_enum, default_value = "telegraf")]
    data: Mix,
    /// Number of measurements, instead of what the data has by itself.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    measurements: Option<u64>,
    /// Equal seeds give equal series and values.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Time of the first line in nanoseconds since 1970, instead of now. Lines are 1 microsecond apart.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1_000_000_000_000_000_000..8_000_000_000_000_000_000))]
    start_ns: Option<u64>,
    /// Effort of --gzip, 1 to 9.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=9))]
    gzip_level: u32,
    /// With --gzip: compress this many bodies per connection beforehand and send them in turn, the same
    /// points again and again, so that compressing does not take the processor from what is measured.
    #[arg(long, requires = "gzip", default_value_t = 0)]
    prepared: usize,
    /// Seconds to wait for an answer.
    #[arg(long, default_value_t = 60.0)]
    wait: f64,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs the load; true if every request was answered 204.
pub fn run(arguments: &Arguments) -> io::Result<bool> {
    let a = arguments;
    let (db, org, bucket) = (a.db.as_deref(), a.org.as_deref(), a.bucket.as_deref());
    let destination = Destination::from_options(&a.url, db, org, bucket, &a.credentials, a.coding)?;
    let plan = plan::Plan::new(a)?;
    let tallies: Vec<worker::Tally> = thread::scope(|scope| {
        let workers: Vec<_> = (0..a.connections)
            .map(|connection| {
                let (plan, destination) = (&plan, &destination);
                scope.spawn(move || worker::run(connection, plan, destination))
            })
            .collect();
        let join = |worker: thread::ScopedJoinHandle<'_, io::Result<worker::Tally>>| {
            worker.join().unwrap_or_else(|_| Err(io::Error::other("a worker has panicked")))
        };
        workers.into_iter().map(join).collect::<io::Result<_>>()
    })?;
    let report = report::Report::new(&tallies, plan.started.elapsed());
    println!("{}", if a.json { report.json().to_string() } else { report.text() });
    Ok(report.all_acknowledged())
}
