//! What the configuration needs to know of the process, given from outside so that tests can choose it.

use std::collections::BTreeMap;
use std::thread::available_parallelism;

/// Variables and cores. Only `main` makes one of the real process. Not `Debug`: variables hold secrets.
#[derive(Clone, Default)]
pub struct Environment {
    pub variables: BTreeMap<String, String>,
    /// Cores that this process may use: the default of `shards`.
    pub cores: usize,
}

impl Environment {
    /// Of this process. The cores are those of its CPU mask, or fewer by its cgroup's quota.
    pub fn of_process() -> Environment {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            // A variable that is no text cannot be named in the file, so it is as good as absent.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Environment {
            variables: variables.collect(),
            cores: available_parallelism().map_or(1, usize::from),
        }
    }
}
