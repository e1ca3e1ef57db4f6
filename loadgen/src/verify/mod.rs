//! `circlet-load verify`: writes numbered points and proves by queries that each acknowledged one is
//! stored, right, and once, in every circle.
//!
//! Promise: a point counts as acknowledged only after its 204 was read, and every point tells from its
//! time alone what it must hold, so nothing that a gateway says is believed without looking.
//! It does not know which backend of a circle should own a point, only that exactly one does.
//! Read `points` (what is written), `ledger` (what was promised), `writer`, `check`, `report`.

mod check;
mod ledger;
mod points;
mod query;
mod report;
mod writer;

#[cfg(test)]
mod tests;

use crate::clock::now_ns;
use crate::destination::{Coding, Credentials, Destination, authorization};
use crate::url::{self, usage};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The gateway to write to, for example http://127.0.0.1:8080
    #[arg(required_unless_present = "check_only")]
    url: Option<String>,
    /// URLs of the backends: a comma between backends, a semicolon between circles.
    #[arg(long, value_name = "URL,URL;URL,URL", default_value = "")]
    backends: String,
    /// Database to write to and to ask the backends for.
    #[arg(long)]
    db: String,
    /// Write to this bucket in the dialect of InfluxDB 2.x; --db is still what backends are asked for.
    #[arg(long)]
    bucket: Option<String>,
    /// Organisation of --bucket.
    #[arg(long, requires = "bucket")]
    org: Option<String>,
    #[command(flatten)]
    credentials: Credentials,
    /// Credentials for the queries to the backends.
    #[arg(long)]
    backend_token: Option<String>,
    /// Send Basic credentials with this name to the backends.
    #[arg(long, conflicts_with = "backend_token")]
    backend_user: Option<String>,
    /// The password of --backend-user.
    #[arg(long, requires = "backend_user", default_value = "")]
    backend_password: String,
    #[command(flatten)]
    coding: Coding,
    /// Connections that write.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    connections: u64,
    /// Points of one request.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    lines: u64,
    /// Measurements that the points are spread over.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    measurements: u64,
    /// Measurements are called PREFIX0, PREFIX1, ...
    #[arg(long, default_value = "m")]
    prefix: String,
    /// Stop after this many different requests of all connections together.
    #[arg(long, conflicts_with = "seconds")]
    requests: Option<u64>,
    /// Start no request after this time; 10 seconds if --requests is not given.
    #[arg(long)]
    seconds: Option<f64>,
    /// Seconds from the start until which a request without a 204 is sent again
    /// [default: --seconds, or 600 with --requests]
    #[arg(long, value_name = "SECONDS")]
    retry_until: Option<f64>,
    /// Write each point several times with a rising seq; the last acknowledged one must win.
    #[arg(long)]
    overwrite: bool,
    /// File to append to what was sent and what was acknowledged; runs that it holds are checked, too.
    #[arg(long, value_name = "FILE")]
    acked: Option<PathBuf>,
    /// Write only.
    #[arg(long, conflicts_with = "check_only")]
    no_check: bool,
    /// Write nothing; check what FILE, or the file of --acked, says.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "")]
    check_only: Option<PathBuf>,
    /// Seconds to look again while points are missing or old.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    wait: f64,
    /// Send CREATE DATABASE to the gateway before writing.
    #[arg(long)]
    create_database: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Writes, checks, or both; true if nothing is missing, wrong, old, twice or foreign.
pub fn run(arguments: &Arguments) -> io::Result<bool> {
    let a = arguments;
    let circles = check::circles(&a.backends)?;
    if circles.is_empty() && !a.no_check {
        return Err(usage("--backends is needed for the check"));
    }
    let (mut runs, mut written) = (Vec::new(), None);
    if let Some(file) = &a.check_only {
        let file = if file.as_os_str().is_empty() { a.acked.as_ref() } else { Some(file) };
        let file = file.ok_or_else(|| usage("--check-only needs a FILE, or --acked"))?;
        runs = ledger::load(file)?;
    } else {
        if let Some(file) = a.acked.as_ref().filter(|file| file.exists()) {
            runs = ledger::load(file)?;
        }
        let (run, tally) = write(a)?;
        runs.push(run);
        written = Some(tally);
    }
    let verdicts = if a.no_check { Vec::new() } else { look(a, &circles, &runs)? };
    let report = report::Report { runs: &runs, written, verdicts };
    println!("{}", if a.json { report.json().to_string() } else { report.text() });
    Ok(report.is_right())
}

fn write(a: &Arguments) -> io::Result<(ledger::Run, writer::Tally)> {
    let url = a.url.as_deref().ok_or_else(|| usage("no URL"))?;
    let db = if a.bucket.is_some() { None } else { Some(a.db.as_str()) };
    let destination = Destination::from_options(
        url,
        db,
        a.org.as_deref(),
        a.bucket.as_deref(),
        "ns",
        &a.credentials,
        a.coding,
    )?;
    if a.create_database {
        query::create_database(&url::parse(url)?, &a.credentials.header(), &a.db)?;
    }
    let seconds = if a.requests.is_some() { None } else { Some(a.seconds.unwrap_or(10.0)) };
    let retry_s = a.retry_until.unwrap_or(seconds.unwrap_or(600.0));
    if ![retry_s, seconds.unwrap_or(1.0), a.wait].iter().all(|time| (0.0..1e9).contains(time)) {
        return Err(usage("times must be 0 or above"));
    }
    let layout = points::Layout {
        base_ns: now_ns()?,
        lines: a.lines,
        connections: a.connections,
        measurements: a.measurements,
        versions: if a.overwrite { points::OVERWRITES } else { 1 },
    };
    let limits = writer::Limits {
        requests_max: a.requests.unwrap_or(u64::MAX),
        write_time: seconds.map(Duration::from_secs_f64),
        retry_time: Duration::from_secs_f64(retry_s),
    };
    let progress = spinner("points acknowledged");
    writer::run(layout, &a.prefix, &limits, &destination, a.acked.as_deref(), &progress)
}

/// Shows on a terminal that something goes on; nothing where no person looks.
fn spinner(what: &str) -> ProgressBar {
    let progress = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template(&format!("{{spinner}} {{elapsed}} {{pos}} {what} {{msg}}"));
    progress.set_style(style.expect("the template is constant and valid"));
    progress.enable_steady_tick(Duration::from_millis(200));
    progress
}

/// Checks all circles, again and again until nothing is missing or old, or `--wait` is over.
fn look(
    a: &Arguments,
    circles: &[Vec<url::Url>],
    runs: &[ledger::Run],
) -> io::Result<Vec<check::Verdict>> {
    let header =
        authorization(a.backend_token.as_deref(), a.backend_user.as_deref(), &a.backend_password);
    let job = check::Job { db: &a.db, prefix: &a.prefix, authorization: &header, runs };
    let until = Instant::now() + Duration::from_secs_f64(a.wait.clamp(0.0, 1e9));
    let progress = spinner("looks at the backends");
    loop {
        progress.inc(1);
        let verdicts = check::all(&job, circles)?;
        let pending = verdicts.iter().any(check::Verdict::may_heal);
        if !pending || Instant::now() >= until {
            return Ok(verdicts);
        }
        let lacking: u64 = verdicts.iter().map(|verdict| verdict.missing + verdict.old).sum();
        progress.set_message(format!("({lacking} points are missing or old)"));
        thread::sleep(Duration::from_millis(300));
    }
}
