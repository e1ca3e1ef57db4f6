//! `circlet wal`: looks into the log. Reads only, also beside a running gateway.

mod frames;
mod queues;
mod segments;

use super::arguments::{WalAction, WalArguments};
use super::{Exit, of_trouble};
use circlet::base::ids::BackendId;
use circlet::config::Config;
use circlet::ring::Target;
use circlet::shard::Trouble;
use circlet::wal::inspect::{LogView, look};
use circlet::wal::{self, Registry};
use serde_json::{Value, json};

pub fn run(config: &Config, action: &WalAction) -> Exit {
    let done = match action {
        WalAction::Ls(arguments) => open(config, arguments).and_then(|seen| segments::list(&seen)),
        WalAction::Stat(arguments) => open(config, arguments).and_then(|seen| queues::list(&seen)),
        WalAction::Verify(arguments) => open(config, arguments).map(|seen| segments::verify(&seen)),
        WalAction::Dump { frame, arguments } => {
            open(config, arguments).and_then(|seen| frames::dump(&seen, *frame))
        }
        WalAction::Export { backend, database, arguments } => open(config, arguments)
            .and_then(|seen| queues::export(&seen, backend, database.as_deref())),
    };
    done.unwrap_or_else(|trouble| of_trouble(&trouble))
}

/// What all of them need.
struct Seen {
    registry: Registry,
    views: Vec<LogView>,
    json: bool,
}

fn open(config: &Config, arguments: &WalArguments) -> Result<Seen, Trouble> {
    let registry = Registry::look(&config.data_dir).map_err(Trouble::Running)?;
    let mut logs = registry.logs().map_err(Trouble::Running)?;
    if let Some(wanted) = arguments.log {
        let found: Vec<String> = logs.iter().map(ToString::to_string).collect();
        logs.retain(|log| log.0 == wanted);
        if logs.is_empty() {
            let text = format!("there is no log {wanted}; there are: {}", found.join(", "));
            return Err(Trouble::Usage(text));
        }
    }
    let views = logs.iter().map(|log| look(&registry.log_directory(*log), *log));
    let views = views.collect::<Result<_, wal::Error>>().map_err(failed)?;
    Ok(Seen { registry, views, json: arguments.json })
}

fn failed(error: wal::Error) -> Trouble {
    Trouble::Running(error.to_string())
}

impl Seen {
    fn name(&self, backend: BackendId) -> String {
        let name = self.registry.names().get(backend.index());
        name.cloned().unwrap_or_else(|| format!("#{backend}"))
    }
}

/// A run's tag for people: the database, with its policy.
fn database(tag: &[u8]) -> String {
    Target::from_tag(tag).map_or_else(|| "?".to_owned(), |target| target.bucket().into_owned())
}

/// The same for programs; `null` for a tag that is none.
fn target_json(tag: &[u8]) -> Value {
    Target::from_tag(tag).map_or(
        Value::Null,
        |target| json!({ "org": target.org, "db": target.database, "rp": target.retention_policy }),
    )
}
