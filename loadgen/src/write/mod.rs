//! `circlet-load write`: connections that write generated lines as fast as they are answered, or at a rate.
//!
//! Promise: every request is made before the clock starts, and none is sent twice with the same bytes; a
//! line counts as acknowledged only after its 204 was read; with a rate the latency is counted from the
//! intended start of a request, so a stalled server cannot hide its stall. Nothing is tried again.
//! It does not check what was stored: `verify` does. Read `times` and `request` (what is sent), `plan`
//! and `lane` (when), `engine` and `run` (by whom), `measure` (what is looked at), `find` and `search`
//! (rates), `tally` and `report` (what came of it).

mod answer;
mod connection;
mod delivery;
mod engine;
mod find;
mod lane;
mod measure;
mod options;
mod packed;
mod page;
mod plan;
mod process;
mod progress;
mod report;
mod request;
mod run;
mod search;
mod source;
mod tally;
mod times;

pub use options::Arguments;

use crate::clock::now_ns;
use crate::destination::Destination;
use crate::url;
use delivery::Sinks;
use measure::measure;
use plan::Plan;
use process::Process;
use report::Report;
use request::Maker;
use run::Bench;
use search::Runs;
use source::Source;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use times::Times;

/// Connections that get a thread each if `--threads` is not given.
const OWN_THREADS_MAX: u64 = 64;

/// Runs the load; true if every request was answered 204, and every line delivered where that was asked.
pub fn run(a: &Arguments) -> io::Result<bool> {
    let destination = destination(a)?;
    let plan = Plan::new(a)?;
    let sinks = Sinks::new(&a.sinks, a.copies, a.sinks_wait)?;
    let processes: Vec<_> =
        a.pids.iter().map(|pid| Process::find(*pid)).collect::<io::Result<_>>()?;
    if let Some(path) = &a.html {
        // Before the run: a wrong path must not cost its result.
        save(path, "")?;
    }
    let mut bench = bench(a, &destination)?;
    bench.prepare()?;
    let (found, measured) = if a.find_max {
        let mut runs = Runs { bench: &mut bench, plan, processes: &processes, sinks: &sinks };
        let (found, measured) = search::find(a, &mut runs)?;
        (Some(found), measured)
    } else {
        (None, measure(&mut bench, &plan, &processes, &sinks, "writing")?)
    };
    let report = Report { arguments: a, threads: bench.threads, measured, found };
    println!("{}", if a.json { report.json().to_string() } else { report.text() });
    if let Some(path) = &a.html {
        save(path, &page::page(&report))?;
    }
    Ok(report.is_right())
}

fn save(path: &Path, text: &str) -> io::Result<()> {
    let told = |error| url::usage(format!("--html {}: {error}", path.display()));
    std::fs::write(path, text).map_err(told)
}

fn destination(a: &Arguments) -> io::Result<Destination> {
    let (db, org, bucket) = (a.db.as_deref(), a.org.as_deref(), a.bucket.as_deref());
    let precision = a.precision.parameter(bucket.is_none());
    let mut destination =
        Destination::from_options(&a.url, db, org, bucket, precision, &a.credentials, a.coding)?;
    for header in &a.headers {
        let is_field = header.split_once(':').is_some_and(|(name, _)| !name.trim().is_empty());
        if !is_field || header.contains(['\r', '\n']) {
            return Err(url::usage(format!("--header {header:?}: write NAME: VALUE")));
        }
        destination.head.push_str(&format!("{header}\r\n"));
    }
    Ok(destination)
}

fn bench<'a>(a: &Arguments, destination: &'a Destination) -> io::Result<Bench<'a>> {
    let first_ns = a.start_ns.map_or_else(now_ns, Ok)?;
    let times = Times::new(a.precision, a.lines, first_ns);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let few = if a.connections <= OWN_THREADS_MAX { a.connections } else { cores };
    Ok(Bench {
        maker: Maker { destination, times, lines: a.lines, gzip_level: a.gzip_level },
        source: Source::new(a)?,
        address: resolve(&destination.address)?,
        connections: a.connections,
        threads: a.threads.unwrap_or(few).min(a.connections),
        ready: Vec::new(),
    })
}

fn resolve(address: &str) -> io::Result<SocketAddr> {
    let told = |error| io::Error::other(format!("{address}: {error}"));
    let mut found = address.to_socket_addrs().map_err(told)?;
    found.next().ok_or_else(|| io::Error::other(format!("{address}: no such address")))
}
