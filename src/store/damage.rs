//! What was found damaged: said once, set aside, and kept in a list for whoever asks.

use super::lock::Mutex;
use super::view::ReadError;
use std::path::PathBuf;

/// One place that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub file: PathBuf,
    /// Where in the file, as far as it is known.
    pub offset: Option<u64>,
    pub problem: String,
}

impl Damage {
    /// The place of such an error is a file and an offset in one text.
    pub fn of_read(error: &ReadError) -> Damage {
        let (file, offset) = match error.place.rsplit_once(" at ") {
            Some((file, offset)) if offset.parse::<u64>().is_ok() => (file, offset.parse().ok()),
            _ => (&*error.place, None),
        };
        Damage { file: file.into(), offset, problem: error.problem.clone() }
    }
}

/// Entries kept; a disk that falls apart must not fill the memory, too.
const KEPT_MAX: usize = 1000;

#[derive(Debug, Default)]
pub struct Damages {
    list: Mutex<Vec<Damage>>,
}

impl Damages {
    /// Logs the damage, unless it is known already.
    pub fn report(&self, damage: Damage) {
        let mut list = self.list.lock();
        if list.len() >= KEPT_MAX || list.contains(&damage) {
            return;
        }
        let Damage { file, offset, problem } = &damage;
        tracing::error!(file = %file.display(), offset, problem, "a file of the store is damaged");
        list.push(damage);
    }

    pub fn list(&self) -> Vec<Damage> {
        self.list.lock().clone()
    }
}
