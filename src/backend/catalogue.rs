//! Which databases each backend has, as far as it was asked lately.

use crate::base::ids::BackendId;
use crate::base::map::{FastMap, FastSet};
use crate::base::time::Mono;
use std::time::Duration;

/// One for the node, replaced whole by the prober. Shared: immutable.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    backends: FastMap<BackendId, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    asked: Mono,
    /// Databases of 1.x, buckets of 2.x as they are named there.
    names: FastSet<String>,
    /// Made by a statement of ours: an answer that was asked for earlier may not know them yet.
    made: Vec<(String, Mono)>,
    /// Dropped by a statement of ours: such an answer may still know them.
    gone: Vec<(String, Mono)>,
}

/// What the catalogues say about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Some backend has it.
    Yes,
    /// Every backend was asked lately, and none has it.
    No,
    /// Not every backend could be asked.
    Unknown,
}

impl Catalogue {
    /// `asked` is the moment before the question went out.
    pub fn with(
        mut self,
        backend: BackendId,
        mut names: FastSet<String>,
        asked: Mono,
    ) -> Catalogue {
        let old = self.backends.remove(&backend);
        let (mut made, mut gone) = old.map(|old| (old.made, old.gone)).unwrap_or_default();
        for later in [&mut made, &mut gone] {
            later.retain(|(_, at)| *at >= asked);
        }
        names.extend(made.iter().map(|(name, _)| name.clone()));
        names.retain(|name| gone.iter().all(|(gone, _)| gone != name));
        self.backends.insert(backend, Entry { asked, names, made, gone });
        self
    }

    /// A statement of ours has just made this database.
    pub fn with_made(mut self, backend: BackendId, name: &str, now: Mono) -> Catalogue {
        if let Some(entry) = self.backends.get_mut(&backend) {
            entry.names.insert(name.to_owned());
            entry.gone.retain(|(gone, _)| gone != name);
            entry.made.push((name.to_owned(), now));
        }
        self
    }

    /// A statement of ours has just dropped this database.
    pub fn with_gone(mut self, backend: BackendId, name: &str, now: Mono) -> Catalogue {
        if let Some(entry) = self.backends.get_mut(&backend) {
            entry.names.remove(name);
            entry.made.retain(|(made, _)| made != name);
            entry.gone.push((name.to_owned(), now));
        }
        self
    }

    /// The databases and buckets that any of these backends has.
    pub fn names(&self, backends: &[BackendId]) -> std::collections::BTreeSet<String> {
        let entries = backends.iter().filter_map(|backend| self.backends.get(backend));
        entries.flat_map(|entry| entry.names.iter().cloned()).collect()
    }

    pub fn without(mut self, backend: BackendId) -> Catalogue {
        self.backends.remove(&backend);
        self
    }

    /// Whether any of `backends` has a database or bucket of one of these names.
    pub fn knows(
        &self,
        backends: &[BackendId],
        names: [&str; 2],
        now: Mono,
        fresh: Duration,
    ) -> Known {
        let mut all_asked = true;
        for backend in backends {
            match self.backends.get(backend).filter(|entry| now.since(entry.asked) <= fresh) {
                Some(entry) if names.iter().any(|name| entry.names.contains(*name)) => {
                    return Known::Yes;
                }
                Some(_) => {}
                None => all_asked = false,
            }
        }
        if all_asked { Known::No } else { Known::Unknown }
    }

    /// Whether this backend has the name; `None` if it was not asked lately.
    pub fn has(&self, backend: BackendId, names: [&str; 2]) -> Option<bool> {
        let entry = self.backends.get(&backend)?;
        Some(names.iter().any(|name| entry.names.contains(*name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_statements_count_before_older_answers() {
        let here = BackendId(1);
        let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let has = |catalogue: &Catalogue, name: &str| catalogue.has(here, [name, name]);
        let catalogue = Catalogue::default().with(here, known(&["a"]), Mono(10));
        let catalogue = catalogue.with_made(here, "b", Mono(20)).with_gone(here, "a", Mono(20));
        assert_eq!((has(&catalogue, "a"), has(&catalogue, "b")), (Some(false), Some(true)));
        let catalogue = catalogue.with(here, known(&["a"]), Mono(15));
        assert_eq!((has(&catalogue, "a"), has(&catalogue, "b")), (Some(false), Some(true)));
        let again = catalogue.clone().with_made(here, "a", Mono(30)).with_gone(here, "b", Mono(30));
        let again = again.with(here, known(&["b"]), Mono(25));
        assert_eq!((has(&again, "a"), has(&again, "b")), (Some(true), Some(false)));
        let catalogue = catalogue.with(here, known(&["a"]), Mono(20));
        let catalogue = catalogue.with(here, known(&["a"]), Mono(21));
        assert_eq!((has(&catalogue, "a"), has(&catalogue, "b")), (Some(true), Some(false)));
    }
}
