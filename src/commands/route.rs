//! `circlet route -c FILE (--org O --bucket B | --db D [--rp R]) MEASUREMENT...`

use circlet::config::Config;
use circlet::ring::{Target, Topology};
use clap::Args;
use serde_json::{Map, Value, json};

use super::arguments::ConfigFile;
use super::{Exit, say};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("target").required(true).args(["bucket", "database"]))]
pub struct Arguments {
    #[command(flatten)]
    pub file: ConfigFile,
    /// The org of a 2.x request; without it the default one
    #[arg(long, conflicts_with = "database")]
    org: Option<String>,
    /// The bucket of a 2.x request
    #[arg(long)]
    bucket: Option<String>,
    /// The database of a 1.x request
    #[arg(long = "db", id = "database", value_name = "DATABASE")]
    database: Option<String>,
    /// The retention policy of a 1.x request
    #[arg(long = "rp", value_name = "POLICY", conflicts_with = "bucket")]
    retention_policy: Option<String>,
    /// One JSON object for each measurement, each on its line
    #[arg(long)]
    json: bool,
    /// Names of measurements, as queries spell them: without escapes
    #[arg(required = true)]
    measurements: Vec<String>,
}

/// Prints each measurement's route key and its owner in every circle.
pub fn run(config: &Config, arguments: &Arguments) -> Exit {
    let naming = &config.naming;
    let target = match (&arguments.bucket, &arguments.database) {
        (Some(bucket), _) => naming.v2(arguments.org.as_deref(), bucket),
        (None, database) => {
            let database = database.as_deref().unwrap_or_default();
            naming.v1(database, arguments.retention_policy.as_deref())
        }
    };
    let topology = Topology::new(&config.plan);
    for measurement in &arguments.measurements {
        let answer = Answer::of(&topology, &target, measurement);
        say(if arguments.json { answer.json() } else { answer.text() });
    }
    Exit::Done
}

struct Answer<'a> {
    measurement: &'a str,
    key: String,
    /// Circle and backend, in the order of the circles.
    owners: Vec<(&'a str, &'a str)>,
}

impl<'a> Answer<'a> {
    fn of(topology: &'a Topology, target: &Target, measurement: &'a str) -> Answer<'a> {
        let key = topology.route_key(target, measurement.as_bytes());
        let places = topology.owners(&key);
        let names = places.iter().map(|place| &*topology.backends()[usize::from(*place)].name);
        let circles = topology.circles().iter().map(|circle| &*circle.name);
        Answer {
            measurement,
            key: String::from_utf8(key).expect("put together from texts"),
            owners: circles.zip(names).collect(),
        }
    }

    fn text(&self) -> String {
        let owners = self.owners.iter().map(|(circle, name)| format!("\n  {circle}: {name}"));
        format!("{} (key {})", self.measurement, self.key) + &owners.collect::<String>()
    }

    fn json(&self) -> String {
        let owners = self.owners.iter();
        let owners: Map<String, Value> =
            owners.map(|(circle, name)| ((*circle).to_owned(), json!(name))).collect();
        json!({"measurement": self.measurement, "key": self.key, "owners": owners}).to_string()
    }
}
