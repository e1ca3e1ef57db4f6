//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Many independent InfluxDB instances as one highly available, sharded store.
#[derive(Debug, Parser)]
#[command(name = "circlet", version, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway
    Run {
        #[command(flatten)]
        file: ConfigFile,
        /// Start although owners move: what lies on the old owners is not found by queries any more
        #[arg(long)]
        accept_ring_change: bool,
    },
    /// Check a configuration and print every problem in it
    CheckConfig {
        /// The configuration
        file: PathBuf,
        /// Ask each backend whether it answers, too
        #[arg(long)]
        online: bool,
    },
    /// Print the route key of measurements, and their owner in every circle
    Route(super::route::Arguments),
    /// Print what a running gateway says of its backends, backlog and errors
    Status {
        #[command(flatten)]
        file: ConfigFile,
        /// One JSON object in place of the table
        #[arg(long)]
        json: bool,
    },
    /// Take lines that are still owed to a backend out of the queues
    Backlog {
        #[command(subcommand)]
        action: BacklogAction,
    },
}

#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub config: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum BacklogAction {
    /// Print the lines, and drop them
    Export(BacklogArguments),
    /// Drop the lines
    Drop(BacklogArguments),
}

#[derive(Debug, Args)]
pub struct BacklogArguments {
    /// The name of the backend
    pub backend: String,
    /// Only the lines of this database
    #[arg(long = "db", value_name = "DATABASE")]
    pub database: Option<String>,
    /// Yes, take the lines out; the backend is marked incomplete
    #[arg(long, required = true)]
    pub yes: bool,
    #[command(flatten)]
    pub file: ConfigFile,
}
