//! Removing: points, series, windows, policies, databases.
//!
//! A delete is an entry of the log first, then it takes points out of the caches, then it is a tombstone beside the
//! files. Its entry stays in the log until the last of these is durable; a start that finds it does it again, before
//! what was written after it.

use super::catalogue::remove_windows;
use super::database::Database;
use super::shared::Shared;
use super::view::Seen;
use super::window::Window;
use super::writer::{Writer, refused};
use crate::base::map::FastSet;
use crate::store::index::Index;
use crate::store::log::Kind;
use crate::store::meta::Meta;
use crate::store::point::SEPARATOR;
use crate::store::view::{ChangeError, Direction, SeriesId, TimeRange, Window as _};
use std::fs;
use std::io;
use std::sync::Arc;

/// Everything, the times too that no point can have.
pub const EVER: TimeRange = TimeRange { min_ns: i64::MIN, max_ns: i64::MAX };

/// Series whose tombstones are written at a time.
const STEP: usize = 20_000;

impl Database {
    /// Runs `change` while nothing else happens to the windows of this database, and nobody writes to it.
    pub fn alone<R>(&self, change: impl FnOnce(&mut Writer, &[Arc<Window>]) -> R) -> R {
        loop {
            let windows = self.all_windows();
            let jobs: Vec<_> = windows.iter().map(|window| window.jobs.write()).collect();
            let mut writer = self.writer.lock();
            if self.windows.read().len() == windows.len() {
                let outcome = change(&mut writer, &windows);
                drop(jobs);
                return outcome;
            }
        }
    }

    /// Removes the points of series in a range from all windows. Durable when it returns.
    pub fn delete(
        &self,
        shared: &Shared,
        series: &[SeriesId],
        range: TimeRange,
    ) -> Result<(), ChangeError> {
        if series.is_empty() || range.min_ns > range.max_ns {
            return Ok(());
        }
        self.alone(|writer, windows| {
            let series: Vec<u32> = {
                let index = self.index.read();
                series.iter().map(|id| id.0).filter(|id| index.is_there(*id)).collect()
            };
            let entry = |out: &mut Vec<u8>| self.write_entry(&series, range, out);
            let sequence = shared.log.append(Kind::Delete, entry);
            let durable = shared.log.wait(sequence);
            if let Err(error) = durable {
                shared.log.applied(sequence);
                return Err(ChangeError(refused(error).to_string()));
            }
            self.remove_points(writer, windows, &series, range).map_err(|error| {
                tracing::error!(%error, "a delete is only in the log; the next start ends it");
                ChangeError::from(error)
            })?;
            shared.log.applied(sequence);
            Ok(())
        })
    }

    /// The name of the database, the range, the keys of the series.
    fn write_entry(&self, series: &[u32], range: TimeRange, out: &mut Vec<u8>) {
        let index = self.index.read();
        let mut text = |text: &[u8]| {
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text);
        };
        text(self.name.as_bytes());
        text(&range.min_ns.to_le_bytes());
        text(&range.max_ns.to_le_bytes());
        series.iter().for_each(|series| text(index.key(*series)));
    }

    /// From caches and files, and from the index where nothing is left.
    pub fn remove_points(
        &self,
        writer: &mut Writer,
        windows: &[Arc<Window>],
        series: &[u32],
        range: TimeRange,
    ) -> io::Result<()> {
        for window in windows {
            let here: Vec<u32> = {
                let present = window.present.read();
                series.iter().copied().filter(|series| present.contains(*series)).collect()
            };
            let info = &window.info;
            if here.is_empty() || info.start_ns > range.max_ns || info.end_ns <= range.min_ns {
                continue;
            }
            let state = window.state();
            for cache in state.frozen.iter().chain([&state.active]) {
                window.change_cache(cache, |cache| {
                    here.iter().for_each(|series| cache.delete(*series, range));
                    cache.tidy();
                });
            }
            for step in here.chunks(STEP) {
                self.bury(window, step, range)?;
            }
            let is_whole = range.min_ns <= info.start_ns && info.end_ns <= range.max_ns;
            let absent = if is_whole { here.clone() } else { self.without_points(window, &here) };
            if !is_whole {
                // So that the gaps between what was deleted piece by piece do not look like points.
                self.bury(window, &absent, EVER)?;
            }
            let mut present = window.present.write();
            absent.into_iter().for_each(|series| present.remove(series));
            drop(present);
            self.forget_fields(writer, window, &here);
        }
        self.forget_absent(series.iter().copied());
        Ok(())
    }

    /// Tombstones for all fields of the series.
    fn bury(&self, window: &Window, series: &[u32], range: TimeRange) -> io::Result<()> {
        if series.is_empty() {
            return Ok(());
        }
        let files = window.state().files;
        let lies_in = |file: &crate::store::tsm::Reader| {
            let own = file.range();
            own.min_ns <= range.max_ns && own.max_ns >= range.min_ns
        };
        if !files.iter().any(|file| lies_in(file)) {
            return Ok(());
        }
        let keys: Vec<Vec<u8>> = {
            let index = self.index.read();
            let published = window.published.read();
            let keys = |series: &u32| {
                let name = index.measurement_name(index.measurement_of(*series));
                let fields = published.get(name).map_or(&[][..], |fields| fields);
                let key = index.key(*series);
                let composite = |field: &str| [key, SEPARATOR, field.as_bytes()].concat();
                fields.iter().map(|(field, _)| composite(field)).collect::<Vec<_>>()
            };
            series.iter().flat_map(keys).collect()
        };
        for file in files.iter().filter(|file| lies_in(file)) {
            file.delete(keys.iter().map(|key| &key[..]), range)?;
        }
        Ok(())
    }

    /// Those of the series that have no point left in the window.
    fn without_points(&self, window: &Arc<Window>, series: &[u32]) -> Vec<u32> {
        let seen = Seen::new(window.clone(), self.shared.clone());
        let is_absent = |series: &u32| {
            let series = self.index.read().series(*series);
            let has_point = |field: &str| {
                let cursor = seen.read(&series, field, TimeRange::ALL, Direction::Ascending);
                cursor.is_some_and(|mut cursor| !matches!(cursor.next(), Ok(None)))
            };
            !seen.fields(&series.measurement).iter().any(|(field, _)| has_point(field))
        };
        series.iter().copied().filter(is_absent).collect()
    }

    /// A measurement without any series in a window has no fields there.
    fn forget_fields(&self, writer: &mut Writer, window: &Window, series: &[u32]) {
        let index = self.index.read();
        let measurements: FastSet<u32> =
            series.iter().map(|series| index.measurement_of(*series)).collect();
        for measurement in measurements {
            let name = index.measurement_name(measurement);
            let present = window.present.read();
            if index.series_of(name).iter().any(|series| present.contains(*series)) {
                continue;
            }
            window.published.write().remove(name);
            let open = writer.open.iter_mut().find(|open| open.window.info.id == window.info.id);
            if let Some(open) = open {
                open.schema.forget(measurement);
            }
        }
    }

    /// Takes series out of the index that no window has any more.
    pub fn forget_absent(&self, series: impl Iterator<Item = u32>) {
        let windows = self.all_windows();
        let present: Vec<_> = windows.iter().map(|window| window.present.read().clone()).collect();
        let is_gone = |series: &u32| !present.iter().any(|numbers| numbers.contains(*series));
        let gone: FastSet<u32> = series.filter(is_gone).collect();
        if !gone.is_empty() {
            let mut index: std::sync::RwLockWriteGuard<'_, Index> = self.index.write();
            let gone = gone.into_iter().filter(|series| index.is_there(*series)).collect();
            index.forget(&gone);
        }
    }

    /// Removes whole windows, which the catalogue has forgotten already.
    pub fn remove_windows(&self, writer: &mut Writer, gone: &[Arc<Window>]) {
        let is_gone = |window: &Arc<Window>| gone.iter().any(|one| one.info.id == window.info.id);
        self.windows.write().retain(|window| !is_gone(window));
        writer.open.retain(|open| !is_gone(&open.window));
        for window in gone {
            let series: Vec<u32> = window.present.read().iter().collect();
            window.clear();
            self.forget_absent(series.into_iter());
            match fs::remove_dir_all(&window.directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let path = window.directory.display();
                    tracing::warn!(%path, %error, "the files of a window that is gone stay");
                }
                _ => {}
            }
        }
    }

    /// Removes windows and says so in the catalogue first. `change` is what else happens there.
    pub fn drop_windows(
        &self,
        shared: &Shared,
        is_wanted: impl Fn(&Window) -> bool,
        change: impl FnOnce(&mut Meta) -> Result<(), ChangeError>,
    ) -> Result<usize, ChangeError> {
        self.alone(|writer, windows| {
            let wanted = windows.iter().filter(|window| is_wanted(window));
            let gone: Vec<Arc<Window>> = wanted.cloned().collect();
            let numbers: Vec<u64> = gone.iter().map(|window| window.info.id).collect();
            let mut catalogue = shared.catalogue.lock();
            catalogue.change(|meta| {
                change(meta)?;
                remove_windows(meta, &self.name, &numbers);
                Ok::<_, ChangeError>(())
            })?;
            let policies = catalogue.policies(&self.name);
            drop(catalogue);
            *self.policies.write() = policies;
            self.remove_windows(writer, &gone);
            Ok(gone.len())
        })
    }
}

/// The parts of the entry of a delete: database, range, keys.
pub fn read_entry(contents: &[u8]) -> Option<(&str, TimeRange, Vec<&[u8]>)> {
    let mut rest = contents;
    let mut texts = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let (text, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        texts.push(text);
        rest = after;
    }
    let [name, min, max, keys @ ..] = &texts[..] else { return None };
    let time = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_le_bytes);
    let range = TimeRange { min_ns: time(min)?, max_ns: time(max)? };
    Some((std::str::from_utf8(name).ok()?, range, keys.to_vec()))
}
