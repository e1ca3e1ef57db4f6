//! Names of tags, fields and measurements out of the index.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::super::failure::Failure;
use super::super::key::Key;
use super::super::table::{Cells, Column, Table};
use super::super::value::{Kind, Value};
use super::plan::{Names, What};
use super::read::{Flow, Line, Source};
use super::{Runner, Sink};
use crate::store::view::Direction;

impl Runner<'_, '_> {
    /// One table of one column.
    pub fn read_names(&self, names: &Names, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let source = self.source(&names.read.from, names.read.bounds)?;
        let mut found: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut is_any = false;
        self.lines(&names.read, &source, |line| {
            let is_known = match &names.what {
                What::TagKeys => {
                    line.series.tags.iter().all(|(key, _)| found.contains(key)) && is_any
                }
                What::TagValues(tag) => line.text(tag).is_none_or(|text| found.contains(text)),
            };
            if is_known || !self.is_stored(names, &source, line)? {
                return Ok(());
            }
            is_any = true;
            match &names.what {
                What::TagKeys => found.extend(line.series.tags.iter().map(|(key, _)| key.clone())),
                What::TagValues(tag) => found.extend(line.text(tag).map(Arc::from)),
            }
            Ok(())
        })?;
        let mut all: Vec<Value> = Vec::new();
        if matches!(names.what, What::TagKeys) {
            let first: &[&str] = match is_any {
                true => &["_start", "_stop", "_field", "_measurement"],
                false => &["_start", "_stop"],
            };
            all.extend(first.iter().map(|name| Value::text(name)));
        }
        all.extend(found.iter().map(|name| Value::text(name)));
        let rows = all.len();
        let cells = Cells::Mixed(Rc::new(all));
        let column = Column { label: "_value".into(), kind: Kind::String, cells };
        sink(Table::new(Key::default(), vec![column], rows))
    }

    /// Whether a window of the range has anything of a line; values are looked at only where the filter does.
    fn is_stored(&self, names: &Names, source: &Source, line: Line<'_>) -> Result<bool, Failure> {
        if names.read.predicate.decide(line.subject()) == Some(true) {
            let mut windows = source.windows.iter();
            return Ok(windows.any(|window| {
                window.read(line.series, line.field, source.range, Direction::Ascending).is_some()
            }));
        }
        let mut is_stored = false;
        self.blocks(&names.read, source, line, Direction::Ascending, &mut |_| {
            is_stored = true;
            Ok(Flow::Enough)
        })?;
        Ok(is_stored)
    }
}
