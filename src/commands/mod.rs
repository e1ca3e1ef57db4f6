//! What the words on the command line do, one file for each.
//!
//! Promises: the exit code says what kind of failure it was; what was asked for goes to standard output,
//! everything else to standard error.
//!
//! Does not know: how the library does its work.
//!
//! Read in this order: `arguments` (the command line), then the file of the word that you look for.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

pub mod arguments;
mod backend;
mod backlog;
mod bundle;
pub mod check_config;
mod doctor;
mod explain;
mod generate;
mod http;
mod migrate;
mod online;
mod rejects;
pub mod route;
mod status;
pub mod store;
pub mod supervisor;
mod table;
mod tap;
pub mod token;
mod top;
mod wal;
pub mod welcome;

use arguments::{BackendAction, Command, ConfigFile};
use circlet::config::{Config, Environment};
use circlet::shard::Trouble;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    /// A wrong command line; mostly told by clap.
    Usage = 2,
    Configuration = 3,
    /// io_uring, or the memory that it locks, is missing.
    Environment = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Every command but those that serve, which `main` begins.
pub fn dispatch(command: Command, environment: &Environment) -> Exit {
    match command {
        Command::Run { .. } | Command::Store(_) => unreachable!("handled by main"),
        Command::CheckConfig { file, online } => check_config::run(&file, online, environment),
        Command::Route(arguments) => {
            with_config(&arguments.file, environment, |config| route::run(config, &arguments))
        }
        Command::Explain(arguments) => {
            with_config(&arguments.file, environment, |config| explain::run(config, &arguments))
        }
        Command::Doctor { data_dir: Some(directory), json, .. } => doctor::run(&directory, json),
        Command::Doctor { file, json, .. } => {
            with_config(&file, environment, |config| doctor::run(&config.data_dir, json))
        }
        Command::Config { action } => migrate::config(&action),
        Command::ImportCache(arguments) => {
            let file = arguments.file.clone();
            with_config(&file, environment, |config| migrate::import_cache(config, &arguments))
        }
        Command::Token { action } => token::run(&action),
        Command::Generate { what } => generate::run(&what),
        Command::Status { file, json } => {
            with_config(&file, environment, |config| status::run(config, json))
        }
        Command::Tap(arguments) => {
            with_config(&arguments.file, environment, |config| tap::run(config, &arguments))
        }
        Command::Top(arguments) => {
            with_config(&arguments.file, environment, |config| top::run(config, &arguments))
        }
        Command::Bundle(arguments) => bundle::run(&arguments, environment),
        Command::Backlog { action } => {
            let file = action.file().clone();
            with_config(&file, environment, |config| backlog::run(config, &action))
        }
        Command::Wal { action } => {
            let file = action.arguments().file.clone();
            with_config(&file, environment, |config| wal::run(config, &action))
        }
        Command::Rejects { action } => {
            let file = action.arguments().file.clone();
            with_config(&file, environment, |config| rejects::run(config, &action))
        }
        Command::Backend { action: BackendAction::MarkComplete { name, file } } => {
            with_config(&file, environment, |config| backend::mark_complete(config, &name))
        }
    }
}

/// Runs a command that needs a sound configuration: the one that is named, else the built-in one.
pub fn with_config(
    file: &ConfigFile,
    environment: &Environment,
    command: impl FnOnce(&Config) -> Exit,
) -> Exit {
    let Some(path) = &file.config else { return command(&Config::built_in(environment)) };
    match Config::load(path, environment) {
        Ok(config) => command(&config),
        Err(refusal) => {
            eprintln!("{refusal}");
            Exit::Configuration
        }
    }
}

/// Tells a trouble and finds its code.
pub fn of_trouble(trouble: &Trouble) -> Exit {
    eprintln!("circlet: {trouble}");
    match trouble {
        Trouble::Environment(_) => Exit::Environment,
        Trouble::Configuration(_) => Exit::Configuration,
        Trouble::Usage(_) => Exit::Usage,
        Trouble::Running(_) => Exit::Failed,
    }
}

/// One line on standard output. When nobody reads it any more (`| head`), the command ends.
pub fn say(line: impl Display) {
    print(format!("{line}\n").as_bytes());
}

/// The same for bytes as they are.
pub fn print(bytes: &[u8]) {
    if std::io::stdout().lock().write_all(bytes).is_err() {
        std::process::exit(i32::from(Exit::Failed as u8));
    }
}
