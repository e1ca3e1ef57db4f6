//! Coming from influx-proxy: its configuration becomes one of Circlet, and what its cache files hold is written.

mod cache;
mod proxy_json;

pub use cache::{ImportCache, import_cache};

use super::{Exit, print};
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Print the configuration that does what a proxy.json of influx-proxy 2.x or 3.x did
    Import {
        /// The proxy.json
        file: PathBuf,
    },
}

pub fn config(action: &ConfigAction) -> Exit {
    let ConfigAction::Import { file } = action;
    let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
    match read.and_then(|text| proxy_json::translate(&text)) {
        Ok(text) => {
            print(text.as_bytes());
            Exit::Done
        }
        Err(why) => {
            eprintln!("circlet config import: {}: {why}", file.display());
            Exit::Configuration
        }
    }
}
