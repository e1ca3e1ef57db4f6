//! The command line.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
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
        #[command(flatten)]
        built_in: BuiltIn,
        /// Start although owners move: what lies on the old owners is not found by queries any more
        #[arg(long)]
        accept_ring_change: bool,
    },
    /// Run one embedded store alone, as a server of its own; look into its files, or those of an InfluxDB
    Store(super::store::Arguments),
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
    /// Print who would answer a query, why, and how the answers are merged; asks nobody
    Explain(super::explain::Arguments),
    /// Print what a running gateway says of its backends, backlog and errors
    Status {
        #[command(flatten)]
        file: ConfigFile,
        /// One JSON object in place of the table
        #[arg(long)]
        json: bool,
    },
    /// Watch a running gateway: its backends, backlog, rates and latency, once a second
    Top(super::top::Arguments),
    /// Print a sample of the lines that pass a running gateway, as line protocol
    Tap(super::tap::Arguments),
    /// Put into one archive what somebody needs who is asked for help; secrets are replaced
    Bundle(super::bundle::Arguments),
    /// Lines that are still owed to a backend, in the logs of a stopped gateway
    Backlog {
        #[command(subcommand)]
        action: BacklogAction,
    },
    /// Look into the log; changes nothing, also beside a running gateway
    Wal {
        #[command(subcommand)]
        action: WalAction,
    },
    /// Lines that backends refused for good
    Rejects {
        #[command(subcommand)]
        action: RejectsAction,
    },
    /// Look at this machine: kernel, io_uring, limits, disk; says what is wrong and what to do
    Doctor {
        #[command(flatten)]
        file: ConfigFile,
        /// Look at this directory in place of the configured one
        #[arg(long, value_name = "DIR", conflicts_with = "config")]
        data_dir: Option<PathBuf>,
        /// One JSON object in place of the table
        #[arg(long)]
        json: bool,
    },
    /// Configurations of other programs
    Config {
        #[command(subcommand)]
        action: super::migrate::ConfigAction,
    },
    /// Write what the cache files of an influx-proxy still hold, through the running gateway
    ImportCache(super::migrate::ImportCache),
    /// Tokens with scopes
    Token {
        #[command(subcommand)]
        action: super::token::TokenAction,
    },
    /// Write a file for a program around Circlet: a unit, alerts, a dashboard
    Generate {
        #[command(subcommand)]
        what: super::generate::Generate,
    },
    /// What is known of a backend
    Backend {
        #[command(subcommand)]
        action: BackendAction,
    },
}

#[derive(Clone, Debug, Args)]
pub struct ConfigFile {
    /// The configuration; without it everything is in this process: two circles of two embedded stores
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What may be chosen where there is no configuration.
#[derive(Debug, Args)]
pub struct BuiltIn {
    /// Without a configuration: address and port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", value_parser = super::store::address)]
    #[arg(conflicts_with = "config")]
    pub listen: Option<SocketAddr>,
    /// Without a configuration: where everything is kept [default: circlet-data]
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum BacklogAction {
    /// Print the lines, and drop them
    Export(BacklogArguments),
    /// Drop the lines
    Drop(BacklogArguments),
    /// Give the lines of a backend that left the configuration to those who own them now
    Reroute(RerouteArguments),
}

impl BacklogAction {
    pub fn file(&self) -> &ConfigFile {
        match self {
            BacklogAction::Export(arguments) | BacklogAction::Drop(arguments) => &arguments.file,
            BacklogAction::Reroute(arguments) => &arguments.file,
        }
    }
}

#[derive(Debug, Args)]
pub struct RerouteArguments {
    /// The name of the backend that is gone
    pub backend: String,
    /// The circle that it belonged to; only where neither the last start nor its lines tell
    #[arg(long, value_name = "CIRCLE")]
    pub circle: Option<String>,
    /// Yes, re-route; otherwise only say what would go where
    #[arg(long)]
    pub yes: bool,
    /// One JSON object in place of the lines
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub file: ConfigFile,
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

#[derive(Debug, Subcommand)]
pub enum WalAction {
    /// The files: frames, bytes, and each backend's share of them
    Ls(WalArguments),
    /// What each queue still owes, by the cursors on disk
    Stat(WalArguments),
    /// Read everything and compare the checksums; ends with 1 if anything is damaged
    Verify(WalArguments),
    /// One line for each frame
    Dump {
        /// What is in this frame
        #[arg(long, value_name = "NUMBER")]
        frame: Option<u64>,
        #[command(flatten)]
        arguments: WalArguments,
    },
    /// Print what a backend is still owed as line protocol; nothing is taken out
    Export {
        /// The name of the backend
        #[arg(long)]
        backend: String,
        /// Only the lines of this database
        #[arg(long = "db", value_name = "DATABASE")]
        database: Option<String>,
        #[command(flatten)]
        arguments: WalArguments,
    },
}

#[derive(Debug, Args)]
pub struct WalArguments {
    /// Only this log
    #[arg(long, value_name = "NUMBER")]
    pub log: Option<u16>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub file: ConfigFile,
}

impl WalAction {
    pub fn arguments(&self) -> &WalArguments {
        match self {
            WalAction::Ls(arguments)
            | WalAction::Stat(arguments)
            | WalAction::Verify(arguments) => arguments,
            WalAction::Dump { arguments, .. } | WalAction::Export { arguments, .. } => arguments,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum RejectsAction {
    /// The files: lines, age and reasons
    Ls {
        #[command(flatten)]
        which: RejectsArguments,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Print the files
    Show {
        #[command(flatten)]
        which: RejectsArguments,
    },
    /// Post the lines to the backend that refused them, and keep what it refuses again
    Replay {
        #[command(flatten)]
        which: RejectsArguments,
        /// Yes, post them; otherwise only say what would be posted
        #[arg(long)]
        yes: bool,
    },
    /// Remove the files
    Drop {
        #[command(flatten)]
        which: RejectsArguments,
        /// Yes, remove them; the lines are lost
        #[arg(long, required = true)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub struct RejectsArguments {
    /// The name of the backend; all of them without it
    pub backend: Option<String>,
    /// Only this file, by the name that `ls` prints
    #[arg(long = "file", value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub file: ConfigFile,
}

impl RejectsAction {
    pub fn arguments(&self) -> &RejectsArguments {
        match self {
            RejectsAction::Ls { which, .. }
            | RejectsAction::Show { which }
            | RejectsAction::Replay { which, .. }
            | RejectsAction::Drop { which, .. } => which,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum BackendAction {
    /// Say that a backend has again what the others of its place have: it is asked again
    MarkComplete {
        /// The name of the backend
        name: String,
        #[command(flatten)]
        file: ConfigFile,
    },
}
