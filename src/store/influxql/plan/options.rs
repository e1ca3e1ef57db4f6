//! What each stream of points is told: range, windows, groups, order.

use super::select::Select;
use crate::proto::influxql::{Fill, Limits};
use crate::store::influxql::expr::condition::{MAX_NS, MIN_NS};
use crate::store::influxql::expr::{Expr, Kind};
use crate::store::zone::Zone;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Options {
    pub start_ns: i64,
    pub end_ns: i64,
    pub interval_ns: i64,
    pub offset_ns: i64,
    pub zone: Option<Arc<Zone>>,
    pub ascending: bool,
    /// By what the outermost statement groups.
    pub dimensions: Arc<[Arc<str>]>,
    /// By what this one groups, sorted; holds all of `dimensions`.
    pub group_by: Arc<[Arc<str>]>,
    pub condition: Option<Arc<Expr>>,
    pub fill: Fill,
    pub limits: Limits,
    /// The values that each point brings along, sorted by name.
    pub aux: Arc<[(Arc<str>, Kind)]>,
    pub is_outermost: bool,
}

impl Options {
    pub fn new(select: &Select, (start_ns, end_ns): (i64, i64)) -> Options {
        let dimensions: Arc<[Arc<str>]> = select.dimension_names().into();
        let fill = match select.fill {
            Fill::Default | Fill::Null if select.into.is_some() => Fill::None,
            Fill::Default => Fill::Null,
            fill => fill,
        };
        Options {
            start_ns,
            end_ns,
            interval_ns: select.interval_ns,
            offset_ns: select.offset_ns,
            zone: select.zone.clone(),
            ascending: select.ascending,
            group_by: dimensions.clone(),
            dimensions,
            condition: select.condition.clone().map(Arc::new),
            fill,
            limits: select.limits,
            aux: [].into(),
            is_outermost: true,
        }
    }

    /// What a subquery is told, and what it inherits.
    pub fn within(&self, select: &Select, now_ns: i64) -> Options {
        let start_ns = select.bounds.min_ns.unwrap_or(MIN_NS).max(self.start_ns);
        let mut end_ns = select.bounds.max_ns.unwrap_or(MAX_NS).min(self.end_ns);
        if select.interval_ns > 0 && end_ns == MAX_NS {
            end_ns = now_ns;
        }
        let mut inner = Options::new(select, (start_ns, end_ns));
        inner.dimensions = self.dimensions.clone();
        let mut group_by: Vec<Arc<str>> = inner.group_by.to_vec();
        group_by.extend(self.group_by.iter().cloned());
        group_by.sort();
        group_by.dedup();
        inner.group_by = group_by.into();
        if inner.fill == Fill::Null {
            inner.fill = Fill::None;
        }
        inner.ascending = self.ascending;
        if inner.interval_ns == 0 {
            inner.interval_ns = self.interval_ns;
            inner.offset_ns = self.offset_ns;
            inner.zone = inner.zone.or(self.zone.clone());
        }
        let plus = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        inner.limits.series_limit = plus(inner.limits.series_limit, self.limits.series_limit);
        inner.limits.series_offset = plus(inner.limits.series_offset, self.limits.series_offset);
        inner.is_outermost = false;
        inner
    }

    pub fn limit(&self) -> u64 {
        self.limits.limit.unwrap_or(0)
    }

    pub fn offset(&self) -> u64 {
        self.limits.offset.unwrap_or(0)
    }

    fn zone_offset_ns(&self, at_ns: i64) -> i64 {
        self.zone.as_ref().map_or(0, |zone| zone.offset_ns(at_ns))
    }

    /// The window that holds a time: its start, and its end which is outside.
    pub fn window(&self, at_ns: i64) -> (i64, i64) {
        let interval = self.interval_ns;
        if interval == 0 {
            return (self.start_ns, self.end_ns.saturating_add(1));
        }
        let at = at_ns.wrapping_sub(self.offset_ns);
        let zone = self.zone_offset_ns(at);
        let into = at.wrapping_add(zone).rem_euclid(interval);
        let mut start = if MIN_NS + into >= at { MIN_NS } else { at - into };
        let left = interval - into;
        let mut end = if MAX_NS - left <= at { MAX_NS } else { at + left };
        if self.zone.is_some() {
            // Where the clocks change within a window, its borders move with them.
            let change = zone - self.zone_offset_ns(start);
            if change != 0 && change.abs() < interval {
                start += change;
            }
            let after = self.zone_offset_ns(end);
            let change = zone - after;
            if change != 0
                && change.abs() < interval
                && (change > 0 || self.zone_offset_ns(end + change) == after)
            {
                end += change;
            }
        }
        (start.saturating_add(self.offset_ns), end.saturating_add(self.offset_ns))
    }

    /// The window after this one, in the order of the answer. `zone_ns` is what the clocks were off at this one.
    pub fn step(&self, window_ns: i64, zone_ns: &mut i64) -> i64 {
        let by = if self.ascending { self.interval_ns } else { -self.interval_ns };
        let mut next = window_ns.saturating_add(by);
        if self.zone.is_some() {
            let offset = self.zone_offset_ns(next.saturating_sub(1));
            if offset != *zone_ns {
                let change = *zone_ns - offset;
                if change.abs() < self.interval_ns {
                    next += change;
                }
                *zone_ns = offset;
            }
        }
        next
    }

    pub fn zone_at(&self, at_ns: i64) -> i64 {
        self.zone_offset_ns(at_ns)
    }
}
