//! Windows of time: where each begins and ends, and `window()` in the engine.

use std::rc::Rc;

use super::super::failure::{Failure, Refused};
use super::super::interval::{self, Interval};
use super::super::node::{Bounds, Location, Stream, Windows};
use super::super::table::{Column, Table};
use super::super::value::{Kind, Value};
use super::{Runner, Sink};

/// Windows of one answer at most.
const WINDOWS_MAX: usize = 10_000_000;

/// Where windows begin: at multiples of a step from 1970, or of months from the year 0, moved by an offset.
#[derive(Clone, Debug)]
pub struct Grid {
    every: Interval,
    period: Interval,
    offset: Interval,
    location: Location,
}

impl Grid {
    /// Nothing for one window without end.
    pub fn of(windows: &Windows) -> Result<Option<Grid>, Failure> {
        let Some(every) = windows.every else { return Ok(None) };
        if every.months != 0 && every.nanos != 0 {
            return Failure::invalid(
                "duration used as an interval cannot mix month and nanosecond units",
            );
        }
        let period = windows.period.unwrap_or(every);
        let (offset, location) = (windows.offset, windows.location.clone());
        Ok(Some(Grid { every, period, offset, location }))
    }

    /// The beginning of the last window that begins at `time` or before.
    pub fn start_of(&self, time: i64) -> i64 {
        let moved = self.offset.negated().added_to(self.location.local(time));
        self.location.moment(self.offset.added_to(truncated_local(moved, self.every)))
    }

    /// The beginning of the window that comes so many windows later.
    fn later(&self, start: i64, windows: i64) -> i64 {
        let Interval { months, nanos } = self.every;
        let step = Interval {
            months: months.saturating_mul(windows),
            nanos: nanos.saturating_mul(windows),
        };
        let plain = self.offset.negated().added_to(self.location.local(start));
        self.location.moment(self.offset.added_to(step.added_to(plain)))
    }

    pub fn next(&self, start: i64) -> i64 {
        self.later(start, 1)
    }

    pub fn end_of(&self, start: i64) -> i64 {
        self.location.moment(self.period.added_to(self.location.local(start)))
    }

    /// All windows that have a time in them, oldest first.
    pub fn around(&self, time: i64) -> Vec<i64> {
        let mut starts = Vec::new();
        let mut start = self.start_of(time);
        while self.end_of(start) > time && starts.len() < WINDOWS_MAX {
            starts.push(start);
            let before = self.later(start, -1);
            if before >= start {
                break;
            }
            start = before;
        }
        starts.reverse();
        starts
    }

    /// All windows that have a part of the bounds in them.
    pub fn all(&self, bounds: Bounds) -> Result<Vec<i64>, Failure> {
        let mut starts = self.around(bounds.start);
        let mut start = self.next(self.start_of(bounds.start));
        while start < bounds.stop {
            if starts.len() >= WINDOWS_MAX {
                return Failure::invalid(format!("more than {WINDOWS_MAX} windows"));
            }
            starts.push(start);
            let next = self.next(start);
            if next <= start {
                break;
            }
            start = next;
        }
        Ok(starts)
    }

    pub fn cut(&self, start: i64, bounds: Bounds) -> Bounds {
        Bounds { start, stop: self.end_of(start) }.cut(bounds)
    }
}

/// A time cut to a unit; days begin where the location says.
pub fn truncated(time: i64, unit: Interval, location: &Location) -> i64 {
    location.moment(truncated_local(location.local(time), unit))
}

fn truncated_local(time: i64, unit: Interval) -> i64 {
    if unit.months > 0 {
        let month = interval::month_of(time);
        return interval::month_start(month - month.rem_euclid(unit.months));
    }
    time.saturating_sub(time.rem_euclid(unit.nanos.max(1)))
}

impl Runner<'_, '_> {
    pub fn bounds_of(&self, node: &Stream) -> Result<Bounds, Failure> {
        node.bounds.ok_or_else(|| {
            Refused::invalid(
                "failed to initialize execute state: nil bounds passed to window; use range to set the window range",
            )
            .into()
        })
    }

    pub fn window(
        &self,
        node: &Stream,
        windows: &Windows,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let bounds = self.bounds_of(node)?;
        let Some(grid) = Grid::of(windows)? else {
            return self.each_cached(node, sink, |table, cache| {
                cache.append(bounded(table, windows, bounds))
            });
        };
        self.each_cached(node, sink, |table, cache| {
            let label = &windows.time_column;
            let Some(times) = table.column(label).filter(|column| column.kind == Kind::Time) else {
                return Failure::invalid(format!("runtime error: no time column: {label}"));
            };
            let mut rows: std::collections::BTreeMap<i64, Vec<usize>> = Default::default();
            if windows.create_empty {
                rows.extend(grid.all(bounds)?.into_iter().map(|start| (start, Vec::new())));
            }
            for row in 0..table.rows {
                let Some(time) = times.time(row) else { continue };
                for start in grid.around(time) {
                    rows.entry(start).or_default().push(row);
                }
            }
            for (start, rows) in rows {
                let piece = table.filtered(&rows);
                let cut = grid.cut(start, bounds);
                if cut.start < cut.stop {
                    cache.append(bounded(piece, windows, cut))?;
                }
            }
            Ok(())
        })
    }
}

/// The table with these bounds in its key.
fn bounded(mut table: Table, windows: &Windows, bounds: Bounds) -> Table {
    let pairs = [(&windows.start_column, bounds.start), (&windows.stop_column, bounds.stop)];
    for (label, time) in pairs {
        table.key = table.key.with(label, Value::Time(time));
        table.put(Column::same(&Rc::clone(label), Kind::Time, Value::Time(time)));
    }
    table
}
