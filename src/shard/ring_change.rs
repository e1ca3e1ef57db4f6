//! A start that would move owners is refused, unless it is wanted: what lies on the old owners would not
//! be found any more.

use crate::ring::{Topology, moved_share};
use crate::rt::disk::replace_now;
use std::path::Path;

/// Compares the rings with those of the last start, and remembers them. The error says what moves.
pub fn check(data: &Path, topology: &Topology, is_accepted: bool) -> Result<(), String> {
    let path = data.join("topology");
    let fresh = topology.fingerprint();
    let old = match std::fs::read_to_string(&path) {
        Ok(text) if text == fresh => return Ok(()),
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return write(&path, &fresh);
        }
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let moved = match Topology::from_fingerprint(&old) {
        Ok(old) => moved_share(&old, topology),
        Err(error) if is_accepted => {
            tracing::warn!(%error, "the old topology cannot be read");
            1.0
        }
        Err(error) => return Err(format!("cannot understand {}: {error}", path.display())),
    };
    if moved > 0.0 && !is_accepted {
        return Err(format!(
            "{:.1} % of all keys would get another owner than at the last start, and queries would not \
             find what lies on the old ones; restore the circles, names and keys, or give \
             --accept-ring-change",
            moved * 100.0
        ));
    }
    write(&path, &fresh)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let replaced = replace_now(path, text.as_bytes());
    replaced.map_err(|error| format!("cannot write {}: {error}", path.display()))
}
