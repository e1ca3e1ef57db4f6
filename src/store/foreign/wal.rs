//! What the log of one window holds on top of its files: as InfluxDB fills its cache from it at the start.

use super::layout::{Folder, LayoutError};
use super::segment::{Entry, read_segment};
use crate::store::value::{Column, Value};
use crate::store::view::TimeRange;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Points by key, each with times that rise.
pub(super) type Top = BTreeMap<Vec<u8>, Column>;

/// Where a segment ends too early, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Torn {
    pub path: PathBuf,
    pub at: usize,
    pub problem: String,
}

/// Reads all segments of a window. A torn one ends there; the next one goes on.
pub(super) fn read(folder: &Folder) -> Result<(Top, Vec<Torn>), LayoutError> {
    let mut keys: BTreeMap<Vec<u8>, Vec<(i64, Value)>> = BTreeMap::new();
    let mut torn = Vec::new();
    for path in folder.segments()? {
        let bytes =
            fs::read(&path).map_err(|error| LayoutError::Io { path: path.clone(), error })?;
        if let Err((at, problem)) = read_segment(&bytes, |entry| apply(&mut keys, entry)) {
            torn.push(Torn { path, at, problem: problem.0.to_owned() });
        }
    }
    let columns = keys.into_iter().filter_map(|(key, points)| Some((key, column(points)?)));
    Ok((columns.collect(), torn))
}

fn apply(keys: &mut BTreeMap<Vec<u8>, Vec<(i64, Value)>>, entry: Entry) {
    match entry {
        Entry::Write(written) => {
            for (key, points) in written {
                keys.entry(key).or_default().extend(points);
            }
        }
        Entry::Delete(deleted) => {
            for key in deleted {
                keys.remove(&key);
            }
        }
        Entry::DeleteRange(deleted, TimeRange { min_ns, max_ns }) => {
            for key in deleted {
                if let Some(points) = keys.get_mut(&key) {
                    points.retain(|(time, _)| *time < min_ns || *time > max_ns);
                }
            }
        }
    }
}

/// Sorted; of one time the last value; of one type, the first one's, as InfluxDB's cache takes no other.
fn column(mut points: Vec<(i64, Value)>) -> Option<Column> {
    let kind = points.first()?.1.kind();
    points.retain(|(_, value)| value.kind() == kind);
    points.sort_by_key(|(time, _)| *time);
    let mut column = Column::new(kind);
    let mut points = points.into_iter().peekable();
    while let Some((time, value)) = points.next() {
        if points.peek().is_none_or(|(next, _)| *next != time) {
            column.push(time, &value);
        }
    }
    Some(column)
}
