//! Arguments in, exit code out. Which command does what stands in `commands`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

mod commands;

use circlet::config::{Config, Environment};
use commands::Exit;

/// Many independent InfluxDB instances as one highly available, sharded store.
#[derive(Debug, Parser)]
#[command(name = "circlet", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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
    Route(commands::route::Arguments),
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
struct ConfigFile {
    /// The configuration
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum BacklogAction {
    /// Print the lines, and drop them
    Export(BacklogArguments),
    /// Drop the lines
    Drop(BacklogArguments),
}

#[derive(Debug, Args)]
struct BacklogArguments {
    /// The name of the backend
    backend: String,
    /// Only the lines of this database
    #[arg(long = "db", value_name = "DATABASE")]
    database: Option<String>,
    /// Yes, take the lines out; the backend is marked incomplete
    #[arg(long, required = true)]
    yes: bool,
    #[command(flatten)]
    file: ConfigFile,
}

fn main() -> ExitCode {
    // A wrong command line ends in here, with code 2.
    let arguments = Arguments::parse();
    let environment = Environment::of_process();
    dispatch(arguments.command, &environment).into()
}

fn dispatch(command: Command, environment: &Environment) -> Exit {
    match command {
        Command::CheckConfig { file, online } => {
            commands::check_config::run(&file, online, environment)
        }
        Command::Route(arguments) => with_config(&arguments.config, environment, |config| {
            commands::route::run(config, &arguments)
        }),
        Command::Run { file, accept_ring_change: _ } => {
            with_config(&file.config, environment, |_| commands::not_built_yet("run"))
        }
        Command::Status { file, json: _ } => {
            with_config(&file.config, environment, |_| commands::not_built_yet("status"))
        }
        Command::Backlog { action } => {
            let (BacklogAction::Export(arguments) | BacklogAction::Drop(arguments)) = action;
            with_config(&arguments.file.config, environment, |_| commands::not_built_yet("backlog"))
        }
    }
}

/// Runs a command that needs a sound configuration.
fn with_config(
    path: &std::path::Path,
    environment: &Environment,
    command: impl FnOnce(&Config) -> Exit,
) -> Exit {
    match Config::load(path, environment) {
        Ok(config) => command(&config),
        Err(refusal) => {
            eprintln!("{refusal}");
            Exit::Configuration
        }
    }
}
