//! Re-routing, on a stopped node: what the logs owe a backend that left the configuration goes to those who
//! own it now.
//!
//! Promises:
//! - a line is on stable storage for its new owner before its old queue moves past it, so a death at any moment
//!   loses nothing; what is then repeated is the same points again, in the same order;
//! - lines of all logs are taken in the order of their stamps and go to one log, so their order is kept; the order
//!   after a crash is kept, too, because a run begins at the cut, like a start;
//! - no other queue changes.
//!
//! It does not know connections and answers: nothing is sent from here.
//!
//! Read in this order: `way` (pure: who needs a run), `source` (what one log still owes), `carry` (from the ones to
//! the other), then this page.

mod carry;
mod source;
#[cfg(test)]
mod tests;
mod way;

pub use carry::{Amount, Rerouted};

use super::backlog::{alone, mark, number_of, settings};
use super::control::{self, Trouble};
use super::core::PROBE_FILE;
use crate::base::ids::BackendId;
use crate::config::Config;
use crate::config::checked::OnFull;
use crate::ring::Topology;
use crate::rt::preflight;
use crate::wal::{self, Registry};
use carry::{Limits, Work};
use std::path::Path;
use std::sync::Arc;
use way::Way;

/// What is to be re-routed.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The backend that is gone.
    pub backend: String,
    /// Where it belonged, if a person says so.
    pub circle: Option<String>,
    /// Otherwise only the counts are wanted.
    pub moves: bool,
}

/// Re-routes; `tell` hears now and then how many lines are safe with their new owners.
pub fn take(
    config: &Config,
    wish: &Wish,
    mut tell: impl FnMut(u64) + Send + 'static,
) -> Result<Rerouted, Trouble> {
    preflight::check()?;
    // Without the lock first: a wrong name is a wrong name also while a gateway runs.
    let known = Registry::look(&config.data_dir).map_err(Trouble::Environment)?;
    let backend = gone(config, &known, &wish.backend)?;
    let topology = Arc::new(Topology::new(&config.plan));
    let circle = circle(&config.data_dir, &topology, wish)?;
    let mut registry =
        Registry::open(&config.data_dir, known.node).map_err(Trouble::Environment)?;
    let names: Vec<String> = config.backends.iter().map(|backend| backend.name.clone()).collect();
    let ids = registry.numbers(&names).map_err(Trouble::Running)?;
    let way = Way::new(backend, circle, topology, ids);
    let (logs, limits, moves) = (logs(config, &registry)?, limits(config), wish.moves);
    let probe = registry.directory().join(PROBE_FILE);
    let done = alone("reroute", probe, move || async move {
        carry::all(Work { way, logs: logs(), limits, moves }, &mut tell).await
    })?;
    if wish.moves && done.damaged_frames > 0 {
        mark_damage(config, circle, done.damaged_frames)?;
    }
    Ok(done)
}

/// The number of a backend that the logs know and the configuration does not.
fn gone(config: &Config, registry: &Registry, name: &str) -> Result<BackendId, Trouble> {
    if config.backends.iter().any(|backend| backend.name == name) {
        return Err(Trouble::Usage(format!(
            "{name} is in the configuration, so it is sent its lines itself; take it out of the configuration \
             first: its lines then go to those who own them without it"
        )));
    }
    number_of(registry, name)
}

/// The circle that the backend belonged to, if a person or the last start says one that is there today.
fn circle(data: &Path, topology: &Topology, wish: &Wish) -> Result<Option<usize>, Trouble> {
    let named = |name: &str| topology.circles().iter().position(|circle| &*circle.name == name);
    if let Some(name) = &wish.circle {
        return named(name).map(Some).ok_or_else(|| {
            let names: Vec<&str> = topology.circles().iter().map(|circle| &*circle.name).collect();
            Trouble::Usage(format!("no circle is named {name:?}; there are: {}", names.join(", ")))
        });
    }
    let text = std::fs::read_to_string(data.join("topology")).unwrap_or_default();
    let Ok(last) = Topology::from_fingerprint(&text) else { return Ok(None) };
    let place = last.backends().iter().find(|place| *place.name == *wish.backend);
    Ok(place.and_then(|place| named(&last.circles()[place.circle.index()].name)))
}

/// The log of the first core comes first: it is there with any number of cores, and takes what is re-routed.
fn logs(
    config: &Config,
    registry: &Registry,
) -> Result<impl FnOnce() -> Vec<wal::Settings> + use<>, Trouble> {
    let segment_bytes = control::segment_bytes(config, registry.directory())?;
    let (node, directory) = (registry.node, registry.directory().to_owned());
    let logs = registry.logs().map_err(Trouble::Running)?;
    let settings = move |log| settings(&directory, log, node, segment_bytes);
    Ok(move || logs.into_iter().map(settings).collect())
}

fn limits(config: &Config) -> Limits {
    let dropped_beyond = config.backends.iter().map(|backend| {
        let drops = backend.backlog.on_full == OnFull::DropOldest;
        backend.backlog.bytes_max.filter(|_| drops)
    });
    Limits {
        min_free: config.log.min_free,
        logs_bytes_max: config.log.bytes_max,
        dropped_beyond: dropped_beyond.collect(),
    }
}

/// Nobody knows whose lines the frames held that could not be read.
fn mark_damage(config: &Config, circle: Option<usize>, frames: u64) -> Result<(), Trouble> {
    let concerned = config
        .backends
        .iter()
        .filter(|backend| circle.is_none_or(|circle| usize::from(backend.circle) == circle));
    for backend in concerned {
        let marked = mark(config, &backend.name, "frames of the log are damaged", frames);
        marked.map_err(|error| Trouble::Running(error.to_string()))?;
    }
    Ok(())
}
