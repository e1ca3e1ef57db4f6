//! `circlet store --listen ADDR --data-dir DIR`: one embedded store alone, a server like InfluxDB. `files` looks into
//! data directories.

mod files;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use circlet::config::{Auth, Config, Environment, Secret, StoreConfig, units};
use circlet::shard::{Node, StoreSetup, Trouble, store_node};
use circlet::telemetry::Exposition;
use clap::Args;

use super::{Exit, of_trouble, say};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<files::Action>,
    /// Address and port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8086", value_parser = address)]
    listen: SocketAddr,
    /// Where the points are kept; made where it is absent
    #[arg(long, value_name = "DIR", default_value = "circlet-data")]
    data_dir: PathBuf,
    /// A file with a token a line: whoever asks must show one. Without it, listen on loopback
    #[arg(long, value_name = "FILE")]
    tokens_file: Option<PathBuf>,
    /// What the one organization is called; every other name means it, too
    #[arg(long, value_name = "NAME", default_value = "default")]
    org: String,
    #[command(flatten)]
    limits: LimitArguments,
}

/// The keys of `[embedded]` in a configuration.
#[derive(Debug, Args)]
struct LimitArguments {
    /// Series of one database; 0: no limit
    #[arg(long, value_name = "COUNT")]
    max_series: Option<usize>,
    /// Values of one tag key of one measurement; 0: no limit
    #[arg(long, value_name = "COUNT")]
    max_tag_values: Option<usize>,
    /// Memory of points that are in no file yet, as in 1GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    cache: Option<u64>,
    /// Memory of one query, as in 512MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    query_memory: Option<u64>,
    /// Time of one query, as in 30s; without it, as long as it takes
    #[arg(long, value_name = "TIME", value_parser = duration)]
    query_timeout: Option<Duration>,
    /// Queries that run at once; more wait
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    max_queries: Option<u16>,
}

impl LimitArguments {
    fn limits(&self) -> StoreConfig {
        let default = StoreConfig::default();
        StoreConfig {
            series_max: self.max_series.unwrap_or(default.series_max),
            values_per_tag_max: self.max_tag_values.unwrap_or(default.values_per_tag_max),
            cache_bytes_max: self.cache.unwrap_or(default.cache_bytes_max),
            query_bytes_max: self.query_memory.unwrap_or(default.query_bytes_max),
            query_timeout: self.query_timeout.or(default.query_timeout),
            queries_max: self.max_queries.map_or(default.queries_max, usize::from),
            ..default
        }
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let localhost = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let localhost = localhost.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let address = localhost.or_else(|| text.parse().ok());
    address.ok_or_else(|| "an IP address and a port, as in 127.0.0.1:8086".to_owned())
}

fn size(text: &str) -> Result<u64, String> {
    units::size(text).ok_or_else(|| "a whole number and KiB, MiB or GiB, as in 512MiB".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).ok_or_else(|| "a whole number and ms, s, m or h, as in 30s".to_owned())
}

/// Serves until SIGTERM or SIGINT, unless it is asked to look into files.
pub fn run(arguments: &Arguments, environment: &Environment) -> Exit {
    if let Some(action) = &arguments.action {
        return files::run(action);
    }
    match serve(arguments, environment) {
        Ok(is_clean) => {
            tracing::info!(is_clean, "stopped");
            Exit::Done
        }
        Err(trouble) => of_trouble(&trouble),
    }
}

fn serve(arguments: &Arguments, environment: &Environment) -> Result<bool, Trouble> {
    let auth = auth(arguments)?;
    Node::preflight()?;
    let setup = StoreSetup {
        name: "store".to_owned(),
        directory: arguments.data_dir.clone(),
        listen: arguments.listen,
        auth,
        server: Config::built_in(environment).server,
        limits: arguments.limits.limits(),
        org: arguments.org.clone(),
        first_database: None,
        keeps_trying: false,
        exposition: Exposition::install().map_err(Trouble::Running)?,
    };
    let directory = arguments.data_dir.display().to_string();
    store_node::run_alone(setup, |address| {
        say(format_args!("serving {directory} on http://{address}"));
    })
}

fn auth(arguments: &Arguments) -> Result<Auth, Trouble> {
    let Some(path) = &arguments.tokens_file else {
        return match arguments.listen.ip().is_loopback() {
            true => Ok(Auth::Open),
            false => {
                let text =
                    "others can reach this address: give --tokens-file, or listen on 127.0.0.1";
                Err(Trouble::Configuration(text.to_owned()))
            }
        };
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Trouble::Configuration(format!("cannot read {}: {error}", path.display()))
    })?;
    let lines = text.lines().map(str::trim);
    let tokens = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(Secret::new);
    let tokens: Vec<Secret> = tokens.collect();
    if tokens.is_empty() {
        let text = format!("{} has no token, so nobody could write", path.display());
        return Err(Trouble::Configuration(text));
    }
    Ok(Auth::of_secrets(tokens))
}
