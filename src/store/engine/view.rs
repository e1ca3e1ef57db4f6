//! Databases and windows as questions see them.

use super::cache::Cache;
use super::database::Database;
use super::window::{State, Window};
use crate::store::damage::Damage;
use crate::store::lock::RwLock;
use crate::store::point::SEPARATOR;
use crate::store::tsm::Merge;
use crate::store::value::{Column, FieldType};
use crate::store::view::{self, Cursor, Direction, Policy, ReadError, Series, SeriesId, TimeRange};
use std::sync::{Arc, Weak};

use super::shared::Shared;

impl view::Database for Database {
    fn name(&self) -> &str {
        &self.name
    }

    fn policies(&self) -> Vec<Policy> {
        self.policies.read().list.clone()
    }

    fn default_policy(&self) -> String {
        self.policies.read().default.clone()
    }

    fn windows(&self, policy: &str, range: TimeRange) -> Vec<Arc<dyn view::Window>> {
        let overlaps = |window: &&Arc<Window>| {
            let info = &window.info;
            info.policy == policy && info.start_ns <= range.max_ns && info.end_ns > range.min_ns
        };
        let mut mine: Vec<Arc<Window>> =
            self.windows.read().iter().filter(overlaps).cloned().collect();
        mine.sort_by_key(|window| window.info.start_ns);
        let seen =
            |window| Arc::new(Seen::new(window, self.shared.clone())) as Arc<dyn view::Window>;
        mine.into_iter().map(seen).collect()
    }

    fn measurements(&self) -> Vec<Arc<str>> {
        self.index.read().measurements()
    }

    fn tag_keys(&self, measurement: &str) -> Vec<Arc<str>> {
        self.index.read().tag_keys(measurement)
    }

    fn tag_values(&self, measurement: &str, key: &str) -> Vec<Arc<str>> {
        self.index.read().tag_values(measurement, key)
    }

    fn series_ids(&self, measurement: &str) -> Vec<SeriesId> {
        self.index.read().series_of(measurement).iter().copied().map(SeriesId).collect()
    }

    fn series_with(&self, measurement: &str, key: &str, value: &str) -> Vec<SeriesId> {
        let index = self.index.read();
        index.series_with(measurement, key, value).iter().copied().map(SeriesId).collect()
    }

    fn series(&self, id: SeriesId) -> Arc<Series> {
        Arc::new(self.index.read().series(id.0))
    }
}

/// A window at one moment: what is frozen or compacted later is still seen as it was.
pub struct Seen {
    window: Arc<Window>,
    state: State,
    shared: Weak<Shared>,
}

impl Seen {
    pub fn new(window: Arc<Window>, shared: Weak<Shared>) -> Seen {
        let state = window.state();
        Seen { window, state, shared }
    }

    /// The points that are in no file, the newest of each time.
    fn cached(&self, series: u32, field: &str, range: TimeRange) -> Option<Column> {
        let column = |cache: &Arc<RwLock<Cache>>| cache.read().column(series, field, range);
        let frozen = self.state.frozen.as_ref().and_then(column);
        let active = column(&self.state.active);
        match (frozen, active) {
            (Some(older), Some(newer)) if older.values.kind() == newer.values.kind() => {
                Some(merged(&older, &newer))
            }
            (older, newer) => newer.or(older),
        }
    }
}

/// Of equal times the newer point.
fn merged(older: &Column, newer: &Column) -> Column {
    let mut all = Column::new(newer.values.kind());
    let (mut a, mut b) = (0, 0);
    loop {
        match (older.times.get(a), newer.times.get(b)) {
            (None, None) => return all,
            (Some(old), new) if new.is_none_or(|new| old < new) => {
                all.push(*old, &older.values.get(a));
                a += 1;
            }
            (old, Some(new)) => {
                a += usize::from(old == Some(new));
                all.push(*new, &newer.values.get(b));
                b += 1;
            }
            (Some(_), None) => unreachable!("the first arm takes it"),
        }
    }
}

impl view::Window for Seen {
    fn info(&self) -> &view::WindowInfo {
        &self.window.info
    }

    fn fields(&self, measurement: &str) -> Vec<(Arc<str>, FieldType)> {
        let published = self.window.published.read();
        published.get(measurement).map_or_else(Vec::new, |fields| fields.to_vec())
    }

    fn read(
        &self,
        series: &Series,
        field: &str,
        range: TimeRange,
        direction: Direction,
    ) -> Option<Box<dyn Cursor>> {
        if !self.window.present.read().contains(series.id.0) {
            return None;
        }
        let info = &self.window.info;
        let range = TimeRange {
            min_ns: range.min_ns.max(info.start_ns),
            max_ns: range.max_ns.min(info.end_ns - 1),
        };
        if range.min_ns > range.max_ns {
            return None;
        }
        let top = self.cached(series.id.0, field, range);
        let merge = if self.state.files.is_empty() {
            Merge::new(b"", &[], top, range, direction)?
        } else {
            let key = [&series.key, SEPARATOR, field.as_bytes()].concat();
            Merge::new(&key, &self.state.files, top, range, direction)?
        };
        Some(Box::new(Careful { merge, shared: self.shared.clone() }))
    }
}

/// Goes on behind what is damaged, and reports it.
struct Careful {
    merge: Merge,
    shared: Weak<Shared>,
}

impl Cursor for Careful {
    fn next(&mut self) -> Result<Option<Column>, ReadError> {
        loop {
            match self.merge.next() {
                Err(error) => {
                    if let Some(shared) = self.shared.upgrade() {
                        shared.damages.report(Damage::of_read(&error));
                    }
                }
                given => return given,
            }
        }
    }
}
