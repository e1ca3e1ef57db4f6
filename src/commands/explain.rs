//! `circlet explain -c FILE [--db D] [--rp R] QUERY`, or `--flux [--org O] QUERY`

use std::io::Read;

use circlet::config::Config;
use circlet::proto::influxql::Params;
use circlet::query::choose::speaks;
use circlet::query::explain::{Explained, Places};
use circlet::query::flux_body::FluxRequest;
use circlet::ring::Topology;
use clap::Args;

use super::arguments::ConfigFile;
use super::{Exit, print, say};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub file: ConfigFile,
    /// The database of the request
    #[arg(long = "db", value_name = "DATABASE", conflicts_with = "flux")]
    database: Option<String>,
    /// The retention policy of the request
    #[arg(long = "rp", value_name = "POLICY", conflicts_with = "flux")]
    retention_policy: Option<String>,
    /// The query is Flux, not InfluxQL
    #[arg(long)]
    flux: bool,
    /// The org of the request; without it the default one
    #[arg(long, requires = "flux")]
    org: Option<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// The query; `-` reads it from standard input
    query: String,
}

/// Prints who would answer a query, why, and how the answers are merged. Asks nobody.
pub fn run(config: &Config, arguments: &Arguments) -> Exit {
    let query = match text(&arguments.query) {
        Ok(query) => query,
        Err(error) => {
            eprintln!("circlet: the query cannot be read: {error}");
            return Exit::Failed;
        }
    };
    let topology = Topology::new(&config.plan);
    let explained = explain(config, arguments, &topology, query);
    if arguments.json {
        say(explained.json(&topology, None));
    } else {
        print(explained.text(&topology).as_bytes());
    }
    if explained.is_answered() { Exit::Done } else { Exit::Failed }
}

fn text(query: &str) -> std::io::Result<String> {
    if query != "-" {
        return Ok(query.to_owned());
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn explain(
    config: &Config,
    arguments: &Arguments,
    topology: &Topology,
    query: String,
) -> Explained {
    let can_be_asked = |slot: u16, language| {
        let backend = &config.backends[usize::from(slot)];
        speaks(backend.kind, language) && !backend.write_only
    };
    let places = Places { topology, naming: &config.naming, can_be_asked: &can_be_asked };
    if arguments.flux {
        let request = FluxRequest { query, ..FluxRequest::default() };
        return places.flux(&request, arguments.org.as_deref());
    }
    let (database, policy) = (arguments.database.as_deref(), arguments.retention_policy.as_deref());
    places.influxql(&query, database, policy, &Params::default())
}
