//! The options of `circlet-load write`.

use super::source::Data;
use super::times::Precision;
use crate::destination::{Coding, Credentials};
use crate::span::span;
use circlet_load::data::Mix;
use clap::{Args, value_parser};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Where to write: http://127.0.0.1:8086 with --db or --bucket, or the whole URL of the write,
    /// for example http://127.0.0.1:8086/write?db=d
    pub url: String,
    /// Database: write to /write, as for InfluxDB 1.x.
    #[arg(long, conflicts_with = "bucket", help_heading = "Destination")]
    pub db: Option<String>,
    /// Organisation of --bucket.
    #[arg(long, help_heading = "Destination")]
    pub org: Option<String>,
    /// Bucket: write to /api/v2/write, as for InfluxDB 2.x.
    #[arg(long, help_heading = "Destination")]
    pub bucket: Option<String>,
    /// Unit of timestamps; also said in the URL, unless that is given whole.
    #[arg(long, value_enum, default_value = "ns", help_heading = "Destination")]
    pub precision: Precision,
    #[command(flatten, next_help_heading = "Destination")]
    pub credentials: Credentials,
    /// Send this field with every request, for example "X-Tenant: a"; can be repeated.
    #[arg(long = "header", value_name = "NAME: VALUE", help_heading = "Destination")]
    pub headers: Vec<String>,

    /// tsbs (345 bytes a line), telegraf (160), small (46), or a file of line protocol, whose timestamps
    /// are replaced.
    #[arg(
        long,
        value_name = "tsbs|telegraf|small|FILE",
        default_value_t = Data::Mix(Mix::Telegraf),
        help_heading = "Lines"
    )]
    pub data: Data,
    /// Lines of one request.
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u64).range(1..=1_000_000), help_heading = "Lines")]
    pub lines: u64,
    /// Number of series: exactly these are written, in turn. Without it each line is any of about a
    /// thousand series a measurement.
    #[arg(long, value_parser = value_parser!(u64).range(1..), help_heading = "Lines")]
    pub cardinality: Option<u64>,
    /// Number of measurements, instead of what the data has by itself.
    #[arg(long, value_parser = value_parser!(u64).range(1..), help_heading = "Lines")]
    pub measurements: Option<u64>,
    /// Equal seeds give equal series and values.
    #[arg(long, default_value_t = 1, help_heading = "Lines")]
    pub seed: u64,
    /// Time of the first line in nanoseconds since 1970, instead of now. Lines are 1 microsecond apart.
    #[arg(long, value_parser = value_parser!(u64).range(1_000_000_000_000_000_000..8_000_000_000_000_000_000), help_heading = "Lines")]
    pub start_ns: Option<u64>,
    #[command(flatten, next_help_heading = "Lines")]
    pub coding: Coding,
    /// Effort of --gzip, 1 to 9.
    #[arg(long, default_value_t = 6, value_parser = value_parser!(u32).range(1..=9), help_heading = "Lines")]
    pub gzip_level: u32,

    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u64).range(1..=10_000), help_heading = "Load")]
    pub connections: u64,
    /// Threads that drive the connections. [default: one for each of up to 64 connections, beyond that
    /// one for each core]
    #[arg(long, value_parser = value_parser!(u64).range(1..=1_000), help_heading = "Load")]
    pub threads: Option<u64>,
    /// Start no request after this time, for example 30s. [default: 10s if nothing else ends the run]
    #[arg(long, alias = "seconds", value_name = "TIME", value_parser = span, help_heading = "Load")]
    pub duration: Option<Duration>,
    /// Stop after this many requests of all connections together.
    #[arg(long, conflicts_with = "total_lines", help_heading = "Load")]
    pub requests: Option<u64>,
    /// Stop after this many lines of all connections together.
    #[arg(long, help_heading = "Load")]
    pub total_lines: Option<u64>,
    /// Lines a second of all connections together: an open loop, in which latency counts from the
    /// intended start of each request. Without it a connection sends as soon as it is answered.
    #[arg(long, value_name = "LINES_PER_S", help_heading = "Load")]
    pub rate: Option<f64>,
    /// The same in requests a second.
    #[arg(long, value_name = "REQUESTS_PER_S", conflicts_with = "rate", help_heading = "Load")]
    pub request_rate: Option<f64>,
    /// Time to wait for an answer, for example 500ms.
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = span, help_heading = "Load")]
    pub wait: Duration,

    /// Search the highest --rate that holds: steps up, halves the gap, then proves the result by a run
    /// of double length. --duration is the length of a step, 3s by default; --rate is where to begin.
    #[arg(long, conflicts_with_all = ["requests", "total_lines"], help_heading = "Load")]
    pub find_max: bool,
    /// With --find-max: a rate holds if the 99th percentile of latency is no longer than this, nothing
    /// fails, and 98 % of the lines are acknowledged in time.
    #[arg(long, default_value = "10ms", value_name = "TIME", value_parser = span, help_heading = "Load")]
    pub p99: Duration,

    /// Report processor time, memory and descriptors of this process of this machine; can be repeated.
    #[arg(long = "pid", value_name = "PID", help_heading = "Report")]
    pub pids: Vec<u32>,
    /// Sinks behind the server, by address: the run is over for --pid only when they have every
    /// acknowledged line. Counts are asked for at /stats, where `circlet-load sink` tells them.
    #[arg(long, value_name = "ADDRESS,ADDRESS", value_delimiter = ',', help_heading = "Report")]
    pub sinks: Vec<String>,
    /// How many of the --sinks get each line.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u64).range(1..), help_heading = "Report")]
    pub copies: u64,
    /// How long to wait for the sinks after the last answer.
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = span, help_heading = "Report")]
    pub sinks_wait: Duration,
    /// Write a page with plots to this file; it needs no other file and no network.
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub html: Option<PathBuf>,
    /// One JSON object instead of a table.
    #[arg(long, help_heading = "Report")]
    pub json: bool,
}
