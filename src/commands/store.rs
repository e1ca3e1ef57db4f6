//! `circlet store`: the embedded store's files, and those of an InfluxDB.

mod files;

use super::Exit;
use clap::Args;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: files::Action,
}

pub fn run(arguments: &Arguments) -> Exit {
    files::run(&arguments.action)
}
