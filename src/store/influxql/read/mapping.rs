//! The measurements of a statement: their databases, and the windows of its range.

use super::super::expr::Kind;
use super::super::expr::types::Schema;
use super::super::fault::Fault;
use super::super::plan::select::{Measurement, Name, Select, Source};
use crate::store::guard::Guard;
use crate::store::view::{Catalog, Database, Direction, TimeRange, Window};
use std::cell::Cell;
use std::sync::Arc;

/// What a statement is evaluated with.
pub struct Context<'a> {
    pub catalog: &'a dyn Catalog,
    pub guard: &'a Guard,
    pub now_ns: i64,
    held: Cell<usize>,
}

impl<'a> Context<'a> {
    pub fn new(catalog: &'a dyn Catalog, guard: &'a Guard, now_ns: i64) -> Context<'a> {
        Context { catalog, guard, now_ns, held: Cell::new(0) }
    }

    /// So much more is held until the statement ends.
    pub fn hold(&self, bytes: usize) -> Result<(), Fault> {
        self.held.set(self.held.get() + bytes);
        self.guard.take(bytes)?;
        Ok(())
    }

    pub fn database(&self, name: &str) -> Result<Arc<dyn Database>, Fault> {
        let found = self.catalog.database(name);
        found.ok_or_else(|| Fault::Text(format!("database not found: {name}")))
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        self.guard.give_back(self.held.get());
    }
}

/// One policy of one database.
pub struct Place {
    database_name: String,
    policy: String,
    pub database: Arc<dyn Database>,
    /// By time.
    pub windows: Vec<Arc<dyn Window>>,
}

/// All places of a statement.
pub struct Mapping {
    places: Vec<Place>,
    pub range: TimeRange,
}

impl Mapping {
    pub fn new(context: &Context<'_>, select: &Select, range: TimeRange) -> Result<Mapping, Fault> {
        let mut mapping = Mapping { places: Vec::new(), range };
        mapping.add(context, select)?;
        Ok(mapping)
    }

    fn add(&mut self, context: &Context<'_>, select: &Select) -> Result<(), Fault> {
        for source in &select.sources {
            match source {
                Source::Subquery(inner) => self.add(context, inner)?,
                Source::Measurement(measurement) => {
                    if self.place(measurement).is_some() {
                        continue;
                    }
                    let database = context.database(&measurement.database)?;
                    let windows = if self.range.min_ns > self.range.max_ns {
                        Vec::new()
                    } else {
                        database.windows(&measurement.policy, self.range)
                    };
                    self.places.push(Place {
                        database_name: measurement.database.clone(),
                        policy: measurement.policy.clone(),
                        database,
                        windows,
                    });
                }
            }
        }
        Ok(())
    }

    pub fn place(&self, measurement: &Measurement) -> Option<&Place> {
        self.places.iter().find(|place| {
            place.database_name == measurement.database && place.policy == measurement.policy
        })
    }
}

impl Place {
    /// The measurements that a name or an expression means.
    pub fn measurements(&self, name: &Name) -> Vec<Arc<str>> {
        if self.windows.is_empty() {
            return Vec::new();
        }
        match name {
            Name::Exact(name) => vec![name.clone()],
            Name::Matching(pattern) => {
                let mut all = self.database.measurements();
                all.retain(|name| pattern.matches(name));
                all
            }
        }
    }

    /// In the order of the answer.
    pub fn windows_by(&self, ascending: bool) -> Vec<Arc<dyn Window>> {
        let mut windows = self.windows.clone();
        if !ascending {
            windows.reverse();
        }
        windows
    }
}

pub fn direction(ascending: bool) -> Direction {
    if ascending { Direction::Ascending } else { Direction::Descending }
}

impl Schema for Mapping {
    fn kind(&self, measurement: &Measurement, name: &str) -> Kind {
        let Some(place) = self.place(measurement) else { return Kind::Unknown };
        if matches!(name, "_name" | "_tagKey" | "_tagValue" | "_seriesKey") {
            return Kind::Value(crate::store::value::FieldType::String);
        }
        let mut best = Kind::Unknown;
        for known in place.measurements(&measurement.name) {
            for window in &place.windows {
                let fields = window.fields(&known);
                if let Ok(at) = fields.binary_search_by(|(field, _)| (**field).cmp(name)) {
                    best = best.better(Kind::Value(fields[at].1));
                }
            }
            if best == Kind::Unknown
                && place.database.tag_keys(&known).iter().any(|key| **key == *name)
            {
                best = Kind::Tag;
            }
        }
        best
    }

    fn names(&self, measurement: &Measurement) -> (Vec<(Arc<str>, Kind)>, Vec<Arc<str>>) {
        let (mut fields, mut tags) = (Vec::new(), Vec::new());
        let Some(place) = self.place(measurement) else { return (fields, tags) };
        for known in place.measurements(&measurement.name) {
            for window in &place.windows {
                let of = window.fields(&known).into_iter();
                fields.extend(of.map(|(name, kind)| (name, Kind::Value(kind))));
            }
            tags.extend(place.database.tag_keys(&known));
        }
        (fields, tags)
    }
}
