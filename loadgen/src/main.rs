//! `circlet-load`: load, proof and null backends for anything that takes line protocol.
//!
//! Promise: it shares no code with the gateway, so a mistake there cannot hide here; it counts a line
//! as acknowledged only after it has read the 204. It does not know how a gateway works inside.
//! Read `write`, then `verify::points`, then `verify::check`; `http` and `data` serve all three.

mod clock;
mod destination;
mod http;
mod sink;
mod span;
mod url;
mod verify;
mod write;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

const EXIT_CODES: &str = "Exit codes: 0 all is right; 1 something was refused, missing, wrong, not sent or not delivered, or could
not be reached; 2 the command line is wrong. `--json` prints one object on standard output in all cases
but the last; steps and progress go to standard error.";

/// Load generator, checker and null backend for anything that takes line protocol over HTTP.
#[derive(Parser)]
#[command(name = "circlet-load", version, about, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write generated lines and report rates, latencies, and what processes take.
    #[command(after_long_help = WRITE_EXAMPLES)]
    Write(write::Arguments),
    /// Write numbered points and prove that every acknowledged one is in every circle.
    #[command(after_long_help = VERIFY_EXAMPLES)]
    Verify(verify::Arguments),
    /// Play backends (InfluxDB 1.x, and what writers of 2.x ask) that count what they are sent and keep
    /// nothing.
    #[command(after_long_help = SINK_EXAMPLES)]
    Sink(sink::Arguments),
}

const WRITE_EXAMPLES: &str = "Examples:
  As fast as 4 connections go, for 10 seconds:
      circlet-load write http://127.0.0.1:8086 --db load
  A million lines a second, compressed in chunks as Telegraf does it, with a page of plots:
      circlet-load write http://127.0.0.1:8086 --db load --rate 1000000 --gzip --chunked --html page.html
  The highest rate at which 99 % of the requests take at most 5 ms:
      circlet-load write http://127.0.0.1:8086 --bucket load --org me --token T --find-max --p99 5ms
  Processor time of a gateway for each line, until both of its sinks have everything:
      circlet-load write http://127.0.0.1:8080 --db load --pid 4711 \\
          --sinks 127.0.0.1:9001,127.0.0.1:9002 --copies 2

Exit codes: 0 every line was acknowledged (and delivered, with --sinks); 1 not so; 2 the command line is
wrong.";

const VERIFY_EXAMPLES: &str = "Examples:
  Two circles of two backends behind a gateway; the semicolon is between circles:
      circlet-load verify http://127.0.0.1:8080 --db v --create-database --wait 30 \\
          --backends 'http://a:8086,http://b:8086;http://c:8086,http://d:8086'
  Write and keep notes, kill what you like, check later:
      circlet-load verify http://127.0.0.1:8080 --db v --no-check --acked notes
      circlet-load verify --check-only notes --db v --backends http://a:8086,http://b:8086

Exit codes: 0 something was acknowledged and every circle holds it, once and right; 1 not so, or a backend
could not be asked; 2 the command line is wrong.";

const SINK_EXAMPLES: &str = "Examples:
  Four null backends:                circlet-load sink 127.0.0.1:9001-9004
  One that fails every tenth write:  circlet-load sink 127.0.0.1:9001 --fail-every 10

Counts are at /stats of each address, and on standard output at the end (SIGTERM or SIGINT).
How an address answers can be changed while it runs; what is not named is as without options:
  curl -X POST 'http://127.0.0.1:9001/behaviour?hang_for_s=60'
  curl -X POST 'http://127.0.0.1:9001/behaviour?delay_ms=20&fail=503&fail_every=3&limit=100'
  curl -X POST  http://127.0.0.1:9001/behaviour";

/// Exit codes: 0 all is right, 1 something is missing, wrong or refused, 2 usage.
fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Write(arguments) => write::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Sink(arguments) => sink::run(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("circlet-load: {error}");
            let usage = error.kind() == std::io::ErrorKind::InvalidInput;
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}
