//! What the words on the command line do, one file for each.
//!
//! Promises: the exit code says what kind of failure it was; what was asked for goes to standard output,
//! everything else to standard error.
//!
//! Does not know: how the library does its work.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

pub mod check_config;
mod online;
pub mod route;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    // 2 is a wrong command line, told by clap.
    Configuration = 3,
    /// io_uring, or the memory that it locks, is missing.
    Environment = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

pub fn not_built_yet(command: &str) -> Exit {
    eprintln!("circlet {command}: not built yet");
    Exit::Failed
}

/// One line on standard output. When nobody reads it any more (`| head`), the command ends.
pub fn say(line: impl Display) {
    if writeln!(std::io::stdout().lock(), "{line}").is_err() {
        std::process::exit(i32::from(Exit::Failed as u8));
    }
}
