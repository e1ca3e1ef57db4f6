//! The engine's twin in memory, for the tests of what asks it.

use super::lock::RwLock;
use super::point::Point;
use super::value::{Column, FieldType, Value};
use super::view::*;
use crate::proto::line::{Lines, Precision, Rules};
use std::collections::BTreeMap;
use std::sync::Arc;

type Points = BTreeMap<i64, Value>;

/// Implements [`Catalog`] over maps. Statements are done as far as the tests of a question need them.
#[derive(Default)]
pub struct Twin {
    databases: RwLock<BTreeMap<String, Arc<TwinDatabase>>>,
    notes: RwLock<Notes>,
}

pub struct TwinDatabase {
    name: String,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    policies: Vec<Policy>,
    default: String,
    series: Vec<Arc<Series>>,
    by_key: BTreeMap<Vec<u8>, SeriesId>,
    windows: Vec<WindowInfo>,
    /// By window, series and field.
    points: BTreeMap<(u64, SeriesId, String), Points>,
}

const WEEK_NS: i64 = 7 * 24 * 3_600_000_000_000;
/// A Monday.
const FIRST_MONDAY_NS: i64 = -3 * 24 * 3_600_000_000_000;

fn window_start(time: i64) -> i64 {
    (time - FIRST_MONDAY_NS).div_euclid(WEEK_NS) * WEEK_NS + FIRST_MONDAY_NS
}

impl Twin {
    fn named(&self, name: &str) -> Result<Arc<TwinDatabase>, ChangeError> {
        let found = self.databases.read().get(name).cloned();
        found.ok_or_else(|| ChangeError(format!("database not found: {name}")))
    }

    /// Lines in nanoseconds; all must be valid.
    pub fn write(&self, database: &str, policy: Option<&str>, lines: &str) {
        self.named(database).unwrap().write(policy, lines.as_bytes());
    }
}

impl TwinDatabase {
    fn write(&self, policy: Option<&str>, body: &[u8]) {
        let mut state = self.state.write();
        let policy = policy.unwrap_or(&state.default).to_owned();
        let rules = Rules { precision: Precision::Nanoseconds, unsigned: true, nul_tag_key: true };
        for line in Lines::new(body, rules) {
            let line = line.unwrap();
            let time = line.time.expect("the twin has no clock").0;
            let point = Point::of(&line);
            let window = state.window(&policy, time);
            let id = state.series_of(&point);
            for (name, value) in &point.fields {
                let key = (window, id, String::from_utf8(name.to_vec()).unwrap());
                state.points.entry(key).or_default().insert(time, value.clone());
            }
        }
    }
}

impl State {
    fn window(&mut self, policy: &str, time: i64) -> u64 {
        let start_ns = window_start(time);
        let known =
            self.windows.iter().find(|one| one.policy == policy && one.start_ns == start_ns);
        if let Some(known) = known {
            return known.id;
        }
        let id = self.windows.len() as u64 + 1;
        let end_ns = start_ns.saturating_add(WEEK_NS);
        self.windows.push(WindowInfo { id, policy: policy.to_owned(), start_ns, end_ns });
        id
    }

    fn series_of(&mut self, point: &Point<'_>) -> SeriesId {
        let key = point.series_key();
        if let Some(known) = self.by_key.get(&key) {
            return *known;
        }
        let text = |bytes: &[u8]| Arc::<str>::from(std::str::from_utf8(bytes).unwrap());
        let id = SeriesId(self.series.len() as u32);
        let tags = point.tags.iter().map(|(name, value)| (text(name), text(value))).collect();
        let measurement = text(&point.measurement);
        self.by_key.insert(key.clone(), id);
        self.series.push(Arc::new(Series { id, key: key.into(), measurement, tags }));
        id
    }

    /// The series that still have a point.
    fn alive(&self) -> impl Iterator<Item = &Arc<Series>> {
        self.by_key.values().map(|id| &self.series[id.0 as usize])
    }

    fn forget(&mut self, keep: impl Fn(&Series, i64) -> bool) {
        let State { points, series, by_key, .. } = self;
        points.retain(|(_, id, _), points| {
            points.retain(|time, _| keep(&series[id.0 as usize], *time));
            !points.is_empty()
        });
        by_key.retain(|_, id| points.keys().any(|(_, owner, _)| owner == id));
    }
}

fn sorted<'a>(texts: impl Iterator<Item = &'a Arc<str>>) -> Vec<Arc<str>> {
    let mut all: Vec<Arc<str>> = texts.cloned().collect();
    all.sort();
    all.dedup();
    all
}

impl Catalog for Twin {
    fn notes(&self) -> Notes {
        self.notes.read().clone()
    }

    fn note(&self, before: &Notes, after: Notes) -> Result<bool, ChangeError> {
        let mut notes = self.notes.write();
        let is_same = *notes == *before;
        if is_same {
            *notes = after;
        }
        Ok(is_same)
    }

    fn databases(&self) -> Vec<String> {
        self.databases.read().keys().cloned().collect()
    }

    fn database(&self, name: &str) -> Option<Arc<dyn Database>> {
        let found = self.databases.read().get(name).cloned()?;
        Some(found)
    }

    fn change(&self, change: Change) -> Result<(), ChangeError> {
        match change {
            Change::CreateDatabase { database, policy } => self.create(database, policy)?,
            Change::DropDatabase { database } => drop(self.databases.write().remove(&database)),
            Change::CreatePolicy { database, policy } => self.named(&database)?.add(policy)?,
            Change::AlterPolicy { database, name, policy } => {
                self.named(&database)?.alter(name, policy)?;
            }
            Change::DropPolicy { database, name } => self.named(&database)?.without(&name),
            Change::DropWindow { id } => {
                for database in self.databases.read().values() {
                    database.without_window(id);
                }
            }
            Change::DropMeasurement { database, measurement } => {
                let database = self.named(&database)?;
                database.state.write().forget(|series, _| *series.measurement != *measurement);
            }
            Change::Delete { database, series, range } => {
                let database = self.named(&database)?;
                database.state.write().forget(|one, time| {
                    !series.contains(&one.id) || time < range.min_ns || time > range.max_ns
                });
            }
            Change::DropSeries { database, series } => {
                let database = self.named(&database)?;
                database.state.write().forget(|one, _| !series.contains(&one.id));
            }
            Change::Write { database, policy, lines } => {
                self.named(&database)?.write(policy.as_deref(), &lines);
            }
        }
        Ok(())
    }
}

impl Twin {
    fn create(&self, database: String, policy: Option<PolicyChange>) -> Result<(), ChangeError> {
        let policy = policy.unwrap_or_default();
        let name = policy.name.clone().unwrap_or_else(|| "autogen".to_owned());
        if database.is_empty() || database.contains(['/', '\\']) || database.starts_with('.') {
            return Err(ChangeError("invalid name".to_owned()));
        }
        checked(&made_policy(name.clone(), &policy))?;
        let state = State { default: name.clone(), ..State::default() };
        let made = TwinDatabase { name: database.clone(), state: RwLock::new(state) };
        made.state.write().policies.push(made_policy(name, &policy));
        self.databases.write().entry(database).or_insert_with(|| Arc::new(made));
        Ok(())
    }
}

impl TwinDatabase {
    fn add(&self, policy: PolicyChange) -> Result<(), ChangeError> {
        let mut state = self.state.write();
        let name = policy.name.clone().expect("the grammar wants one");
        if policy.make_default {
            state.default = name.clone();
        }
        let made = made_policy(name, &policy);
        checked(&made)?;
        match state.policies.iter().find(|known| known.name == made.name) {
            Some(known) if *known == made => {}
            Some(_) => {
                return Err(ChangeError("retention policy already exists".to_owned()));
            }
            None => state.policies.push(made),
        }
        Ok(())
    }

    fn alter(&self, name: String, policy: PolicyChange) -> Result<(), ChangeError> {
        let mut state = self.state.write();
        let Some(known) = state.policies.iter_mut().find(|known| known.name == name) else {
            return Err(ChangeError(format!("retention policy not found: {name}")));
        };
        let changed = Policy {
            duration_ns: policy.duration_ns.unwrap_or(known.duration_ns),
            window_ns: policy.window_ns.unwrap_or(known.window_ns),
            replication: policy.replication.unwrap_or(known.replication),
            name: name.clone(),
        };
        checked(&changed)?;
        *known = changed;
        if policy.make_default {
            state.default = name;
        }
        Ok(())
    }

    fn without_window(&self, id: u64) {
        let mut state = self.state.write();
        state.points.retain(|(window, _, _), _| *window != id);
        state.windows.retain(|window| window.id != id);
        state.forget(|_, _| true);
    }

    fn without(&self, name: &str) {
        let mut state = self.state.write();
        let gone: Vec<u64> =
            state.windows.iter().filter(|one| one.policy == name).map(|one| one.id).collect();
        state.points.retain(|(window, _, _), _| !gone.contains(window));
        state.policies.retain(|policy| policy.name != name);
        state.windows.retain(|window| window.policy != name);
        state.forget(|_, _| true);
    }
}

const HOUR_NS: i64 = 3_600_000_000_000;

/// The rules of policies, as far as recorded answers show them.
fn checked(policy: &Policy) -> Result<(), ChangeError> {
    let text = match policy.duration_ns {
        0 => return Ok(()),
        short if short < HOUR_NS => "retention policy duration must be at least 1h0m0s",
        short if short < policy.window_ns => {
            "retention policy duration must be greater than the shard duration"
        }
        _ => return Ok(()),
    };
    Err(ChangeError(text.to_owned()))
}

fn made_policy(name: String, policy: &PolicyChange) -> Policy {
    let duration_ns = policy.duration_ns.unwrap_or(0);
    let usual = match duration_ns / (24 * HOUR_NS) {
        _ if duration_ns == 0 => WEEK_NS,
        0..2 => HOUR_NS,
        2..180 => 24 * HOUR_NS,
        _ => WEEK_NS,
    };
    Policy {
        name,
        duration_ns,
        window_ns: policy.window_ns.map_or(usual, |window| window.max(HOUR_NS)),
        replication: policy.replication.unwrap_or(1),
    }
}

impl Database for TwinDatabase {
    fn name(&self) -> &str {
        &self.name
    }

    fn policies(&self) -> Vec<Policy> {
        self.state.read().policies.clone()
    }

    fn default_policy(&self) -> String {
        self.state.read().default.clone()
    }

    fn windows(&self, policy: &str, range: TimeRange) -> Vec<Arc<dyn Window>> {
        let state = self.state.read();
        let overlaps = |one: &&WindowInfo| {
            one.policy == policy && one.start_ns <= range.max_ns && one.end_ns > range.min_ns
        };
        let mut infos: Vec<WindowInfo> = state.windows.iter().filter(overlaps).cloned().collect();
        infos.sort_by_key(|info| info.start_ns);
        let window = |info: WindowInfo| {
            let mine = state.points.iter().filter(|((window, _, _), _)| *window == info.id);
            let points = mine
                .map(|((_, id, field), points)| {
                    let series = &state.series[id.0 as usize];
                    ((series.measurement.clone(), series.id, field.clone()), points.clone())
                })
                .collect();
            Arc::new(TwinWindow { info, points }) as Arc<dyn Window>
        };
        infos.into_iter().map(window).collect()
    }

    fn measurements(&self) -> Vec<Arc<str>> {
        sorted(self.state.read().alive().map(|series| &series.measurement))
    }

    fn tag_keys(&self, measurement: &str) -> Vec<Arc<str>> {
        let state = self.state.read();
        let mine = state.alive().filter(|series| *series.measurement == *measurement);
        sorted(mine.flat_map(|series| series.tags.iter().map(|(key, _)| key)))
    }

    fn tag_values(&self, measurement: &str, key: &str) -> Vec<Arc<str>> {
        let state = self.state.read();
        let mine = state.alive().filter(|series| *series.measurement == *measurement);
        let tags = mine.flat_map(|series| &series.tags);
        sorted(tags.filter(|(name, _)| **name == *key).map(|(_, value)| value))
    }

    fn series_ids(&self, measurement: &str) -> Vec<SeriesId> {
        let state = self.state.read();
        let mine = state.alive().filter(|series| *series.measurement == *measurement);
        let mut ids: Vec<SeriesId> = mine.map(|series| series.id).collect();
        ids.sort();
        ids
    }

    fn series_with(&self, measurement: &str, key: &str, value: &str) -> Vec<SeriesId> {
        let ids = self.series_ids(measurement);
        ids.into_iter().filter(|id| self.series(*id).tag(key) == Some(value)).collect()
    }

    fn series(&self, id: SeriesId) -> Arc<Series> {
        self.state.read().series[id.0 as usize].clone()
    }
}

struct TwinWindow {
    info: WindowInfo,
    points: BTreeMap<(Arc<str>, SeriesId, String), Points>,
}

/// So small that every test meets the border of a block.
const BLOCK_POINTS: usize = 3;

struct TwinCursor {
    points: Vec<(i64, Value)>,
}

impl Window for TwinWindow {
    fn info(&self) -> &WindowInfo {
        &self.info
    }

    fn fields(&self, measurement: &str) -> Vec<(Arc<str>, FieldType)> {
        let mine = self.points.iter().filter(|((name, _, _), _)| **name == *measurement);
        let kind = |points: &Points| points.values().next().expect("never empty").kind();
        let fields: BTreeMap<Arc<str>, FieldType> =
            mine.map(|((_, _, field), points)| (Arc::from(&**field), kind(points))).collect();
        fields.into_iter().collect()
    }

    fn read(
        &self,
        series: &Series,
        field: &str,
        range: TimeRange,
        direction: Direction,
    ) -> Option<Box<dyn Cursor>> {
        let key = (series.measurement.clone(), series.id, field.to_owned());
        let points = self.points.get(&key)?;
        if range.min_ns > range.max_ns {
            return None;
        }
        let inside = points.range(range.min_ns..=range.max_ns);
        // Taken from the back.
        let mut points: Vec<(i64, Value)> =
            inside.map(|(time, value)| (*time, value.clone())).collect();
        if direction == Direction::Ascending {
            points.reverse();
        }
        Some(Box::new(TwinCursor { points }))
    }
}

impl Cursor for TwinCursor {
    fn next(&mut self) -> Result<Option<Column>, ReadError> {
        let Some((_, first)) = self.points.last() else { return Ok(None) };
        let mut column = Column::new(first.kind());
        for _ in 0..BLOCK_POINTS {
            let Some((time, value)) = self.points.pop() else { break };
            column.push(time, &value);
        }
        Ok(Some(column))
    }
}
