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

/// Load generator, checker and null backend for line protocol over HTTP.
#[derive(Parser)]
#[command(name = "circlet-load", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write generated lines and report rates and latencies.
    Write(write::Arguments),
    /// Write numbered points and prove that every acknowledged one is in every circle.
    Verify(verify::Arguments),
    /// Play InfluxDB 1.x backends that count what they are sent and keep nothing.
    Sink(sink::Arguments),
}

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
