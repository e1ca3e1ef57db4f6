//! Our own log, read without touching it: what its entries would put on top of the files of one window.

use super::layout::LayoutError;
use super::wal::Gathered;
use crate::base::map::FastSet;
use crate::proto::line::{Lines, Precision, Rules};
use crate::store::engine::{read_delete, read_write};
use crate::store::log::{self, Kind};
use crate::store::point::{Point, SEPARATOR};
use std::path::{Path, PathBuf};

/// The segments of a directory, oldest first; none of an InfluxDB.
pub(super) fn segments(directory: &Path) -> Result<Vec<PathBuf>, LayoutError> {
    let path = directory.join("log");
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    log::segments(&path).map_err(|error| LayoutError::Io { path, error })
}

/// Windows that have entries, and what is damaged.
pub(super) fn windows(segments: &[PathBuf]) -> Result<(FastSet<u64>, Vec<String>), LayoutError> {
    let mut ids = FastSet::default();
    let problems = each(segments, |kind, contents| {
        if kind == Kind::Write {
            ids.extend(read_write(contents).map(|(id, _)| id));
        }
    })?;
    Ok((ids, problems))
}

/// Puts the points of one window on top of those gathered. Deletes take out what came before them.
pub(super) fn gather(
    segments: &[PathBuf],
    database: &str,
    id: u64,
    gathered: &mut Gathered,
) -> Result<(), LayoutError> {
    each(segments, |kind, contents| match kind {
        Kind::Write => {
            let parts = read_write(contents).filter(|(window, _)| *window == id);
            parts.for_each(|(_, body)| write(body, gathered));
        }
        Kind::Delete => {
            let Some((_, range, series)) =
                read_delete(contents).filter(|(name, _, _)| *name == database)
            else {
                return;
            };
            let series: FastSet<&[u8]> = series.into_iter().collect();
            gathered.delete_series(|key| series.contains(key), range);
        }
        Kind::Nothing => {}
    })?;
    Ok(())
}

/// Lines as they were checked when they came: in nanoseconds, each with a time.
fn write(body: &[u8], gathered: &mut Gathered) {
    let rules = Rules { precision: Precision::Nanoseconds, unsigned: true, nul_tag_key: true };
    for line in Lines::new(body, rules).flatten() {
        let Some(time) = line.time else { continue };
        let point = Point::of(&line);
        let series = point.series_key();
        for (name, value) in point.fields {
            let key = [&series, SEPARATOR, &name].concat();
            gathered.add(key, time.0, value);
        }
    }
}

fn each(
    segments: &[PathBuf],
    mut take: impl FnMut(Kind, &[u8]),
) -> Result<Vec<String>, LayoutError> {
    let mut problems = Vec::new();
    let mut last = 0;
    for path in segments {
        let end = log::look(path, &mut last, &mut take)
            .map_err(|error| LayoutError::Io { path: path.clone(), error })?;
        problems.extend(end.map(|at| format!("{} at {at}: no whole entry", path.display())));
    }
    Ok(problems)
}
