//! What the log of one window holds on top of its files: as InfluxDB fills its cache from it at the start.

use super::inspect::split;
use super::layout::{Folder, LayoutError};
use super::segment::{Entry, read_segment};
use crate::store::value::{Column, Value};
use crate::store::view::TimeRange;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Points by key, each with times that rise.
pub type Top = BTreeMap<Vec<u8>, Column>;

/// Where a segment ends too early, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    pub path: PathBuf,
    pub at: usize,
    pub problem: String,
}

/// Points by key, in the order in which they came.
#[derive(Debug, Default)]
pub struct Gathered {
    keys: BTreeMap<Vec<u8>, Vec<(i64, Value)>>,
}

impl Gathered {
    pub fn add(&mut self, key: Vec<u8>, time_ns: i64, value: Value) {
        self.keys.entry(key).or_default().push((time_ns, value));
    }

    /// Takes out what lies in a range, of the series that are wanted.
    pub fn delete_series(&mut self, is_wanted: impl Fn(&[u8]) -> bool, range: TimeRange) {
        for (_, points) in self.keys.iter_mut().filter(|(key, _)| is_wanted(split(key).0)) {
            cut(points, range);
        }
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Write(written) => {
                for (key, points) in written {
                    self.keys.entry(key).or_default().extend(points);
                }
            }
            Entry::Delete(deleted) => {
                for key in deleted {
                    self.keys.remove(&key);
                }
            }
            Entry::DeleteRange(deleted, range) => {
                for key in deleted {
                    if let Some(points) = self.keys.get_mut(&key) {
                        cut(points, range);
                    }
                }
            }
        }
    }

    pub fn top(self) -> Top {
        let keys = self.keys.into_iter();
        keys.filter_map(|(key, points)| Some((key, column(points)?))).collect()
    }
}

fn cut(points: &mut Vec<(i64, Value)>, range: TimeRange) {
    points.retain(|(time, _)| *time < range.min_ns || *time > range.max_ns);
}

/// Reads all segments of InfluxDB's log of a window. A torn one ends there; the next one goes on.
pub fn read(folder: &Folder) -> Result<(Top, Vec<Torn>), LayoutError> {
    let (gathered, torn) = gather(folder)?;
    Ok((gathered.top(), torn))
}

/// The same, for more to come on top.
pub fn gather(folder: &Folder) -> Result<(Gathered, Vec<Torn>), LayoutError> {
    let mut gathered = Gathered::default();
    let mut torn = Vec::new();
    for path in folder.segments()? {
        let bytes =
            fs::read(&path).map_err(|error| LayoutError::Io { path: path.clone(), error })?;
        if let Err((at, problem)) = read_segment(&bytes, |entry| gathered.apply(entry)) {
            torn.push(Torn { path, at, problem: problem.0.to_owned() });
        }
    }
    Ok((gathered, torn))
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
