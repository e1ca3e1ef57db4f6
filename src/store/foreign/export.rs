//! A directory as line protocol: of each point the newest value, without what is deleted, the log on top of the files.
//!
//! Lines come by database, policy, window, series and time; all fields of a moment stand on one line. What tells the
//! database stands in comments, as the importer of InfluxDB's command line wants it.

use super::inspect::split;
use super::layout::{Folder, Layout, LayoutError};
use super::own_log;
use super::wal::{self, Top};
use crate::base::map::FastSet;
use crate::store::tsm::{Merge, Reader};
use crate::store::value::{Column, Values};
use crate::store::view::{Cursor, Direction, TimeRange};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is wanted; everything, by default.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    pub database: Option<String>,
    pub policy: Option<String>,
    pub range: TimeRange,
}

impl Default for ExportOptions {
    fn default() -> ExportOptions {
        let range = TimeRange { min_ns: i64::MIN, max_ns: i64::MAX };
        ExportOptions { database: None, policy: None, range }
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    pub windows: u64,
    pub lines: u64,
    pub values: u64,
    /// Values that line protocol has no word for: infinite numbers.
    pub unspeakable: u64,
    /// What could not be read, or is left out on purpose, one line for each.
    pub problems: Vec<String>,
}

#[derive(Debug)]
pub enum ExportError {
    Layout(LayoutError),
    /// Of whoever takes the lines.
    Output(io::Error),
}

impl fmt::Display for ExportError {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportError::Layout(error) => error.fmt(text),
            ExportError::Output(error) => write!(text, "the lines cannot be written: {error}"),
        }
    }
}

impl From<LayoutError> for ExportError {
    fn from(error: LayoutError) -> ExportError {
        ExportError::Layout(error)
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> ExportError {
        ExportError::Output(error)
    }
}

/// Writes all wanted points to `out`.
pub fn export(
    directory: &Path,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<Exported, ExportError> {
    let layout = Layout::read(directory)?;
    let wanted = |name: &str, only: &Option<String>| only.as_ref().is_none_or(|only| only == name);
    let segments = own_log::segments(directory)?;
    let (in_log, problems) = own_log::windows(&segments)?;
    let done = Exported { problems, ..Exported::default() };
    let mut pass = Pass { out, line: Vec::new(), done, segments, in_log };
    pass.out.write_all(b"# DML\n")?;
    let mut last: Option<(&str, &str)> = None;
    for folder in &layout.folders {
        if !wanted(&folder.database, &options.database) || !wanted(&folder.policy, &options.policy)
        {
            continue;
        }
        let Some(range) = range(&layout, folder, options.range) else {
            let place = folder.path.display();
            pass.problem(format!("{place}: left out: the catalogue knows of no such window"));
            continue;
        };
        if range.min_ns > range.max_ns {
            continue;
        }
        let place = (&*folder.database, &*folder.policy);
        if last.replace(place) != Some(place) {
            let (database, policy) = place;
            writeln!(pass.out, "# CONTEXT-DATABASE: {database}")?;
            writeln!(pass.out, "# CONTEXT-RETENTION-POLICY: {policy}")?;
        }
        pass.window(folder, range)?;
    }
    pass.out.flush()?;
    Ok(pass.done)
}

/// Points that lie in the folder but not in its window are no answer to any question. `None` if there is no window.
fn range(layout: &Layout, folder: &Folder, wanted: TimeRange) -> Option<TimeRange> {
    if layout.meta.is_none() {
        return Some(wanted);
    }
    let group = folder.group.as_ref()?;
    Some(TimeRange {
        min_ns: wanted.min_ns.max(group.begin_ns()),
        max_ns: wanted.max_ns.min(group.end_ns.saturating_sub(1)),
    })
}

struct Pass<'a> {
    out: &'a mut dyn Write,
    /// Reused for every line.
    line: Vec<u8>,
    done: Exported,
    /// Of our own log, and the windows that it speaks of.
    segments: Vec<PathBuf>,
    in_log: FastSet<u64>,
}

impl Pass<'_> {
    fn problem(&mut self, problem: String) {
        self.done.problems.push(problem);
    }

    fn window(&mut self, folder: &Folder, range: TimeRange) -> Result<(), ExportError> {
        let mut readers = Vec::new();
        for path in folder.files()? {
            match Reader::open(&path) {
                Ok(reader) => readers.push(Arc::new(reader)),
                Err(error) => self.problem(error.to_string()),
            }
        }
        let (mut gathered, torn) = wal::gather(folder)?;
        if self.in_log.contains(&folder.id) {
            own_log::gather(&self.segments, &folder.database, folder.id, &mut gathered)?;
        }
        let mut top = gathered.top();
        for torn in torn {
            let place = torn.path.display();
            self.problem(format!("{place} at {}: {}", torn.at, torn.problem));
        }
        self.done.windows += 1;
        let in_memory: Vec<Vec<u8>> = top.keys().cloned().collect();
        let mut in_memory = in_memory.iter().map(Vec::as_slice).peekable();
        let mut heads: Vec<_> = readers.iter().map(|reader| reader.keys().peekable()).collect();
        // The keys of one series stand together.
        let mut fields: Vec<&[u8]> = Vec::new();
        loop {
            let in_files = heads.iter_mut().filter_map(|head| head.peek().map(|key| key.key));
            let next = in_files.chain(in_memory.peek().copied()).min();
            let is_next_series = match (fields.first(), next) {
                (Some(first), Some(next)) => split(first).0 != split(next).0,
                (first, _) => first.is_some(),
            };
            if is_next_series {
                self.series(&fields, &readers, &mut top, range)?;
                fields.clear();
            }
            let Some(key) = next else { return Ok(()) };
            for head in &mut heads {
                head.next_if(|head| head.key == key);
            }
            in_memory.next_if_eq(&key);
            fields.push(key);
        }
    }

    /// All fields of one series, side by side.
    fn series(
        &mut self,
        keys: &[&[u8]],
        readers: &[Arc<Reader>],
        top: &mut Top,
        range: TimeRange,
    ) -> io::Result<()> {
        let mut fields = Vec::new();
        for key in keys {
            let top = top.remove(*key);
            let merge = Merge::new(key, readers, top, range, Direction::Ascending);
            fields.extend(merge.map(|merge| Field {
                name: escaped(split(key).1),
                merge,
                column: None,
                at: 0,
            }));
        }
        let (series, _) = split(keys[0]);
        loop {
            let mut time: Option<i64> = None;
            for field in &mut fields {
                field.fill(&mut self.done.problems);
                time = time.into_iter().chain(field.time()).min();
            }
            let Some(time) = time else { return Ok(()) };
            self.line.clear();
            self.line.extend_from_slice(series);
            let head = self.line.len();
            for field in fields.iter_mut().filter(|field| field.time() == Some(time)) {
                let column = field.column.as_ref().expect("it has a time");
                let before = self.line.len();
                self.line.push(if before == head { b' ' } else { b',' });
                self.line.extend_from_slice(&field.name);
                self.line.push(b'=');
                if push_value(column, field.at, &mut self.line) {
                    self.done.values += 1;
                } else {
                    self.line.truncate(before);
                    self.done.unspeakable += 1;
                }
                field.at += 1;
            }
            if self.line.len() > head {
                writeln!(self.line, " {time}").expect("memory takes everything");
                self.out.write_all(&self.line)?;
                self.done.lines += 1;
            }
        }
    }
}

/// One field of the series that is being written.
struct Field {
    name: Vec<u8>,
    merge: Merge,
    column: Option<Column>,
    at: usize,
}

impl Field {
    /// Fetches the next points when those in hand are written.
    fn fill(&mut self, problems: &mut Vec<String>) {
        while self.column.is_none() || self.at == self.column.as_ref().map_or(0, Column::len) {
            self.at = 0;
            match self.merge.next() {
                Ok(Some(column)) => self.column = Some(column),
                Ok(None) => {
                    self.column = None;
                    return;
                }
                Err(error) => problems.push(error.to_string()),
            }
        }
    }

    fn time(&self) -> Option<i64> {
        self.column.as_ref().and_then(|column| column.times.get(self.at).copied())
    }
}

/// `false`, and an unfinished text, for a value that line protocol has no word for.
fn push_value(column: &Column, at: usize, line: &mut Vec<u8>) -> bool {
    let written = match &column.values {
        Values::Float(values) if !values[at].is_finite() => return false,
        Values::Float(values) => write!(line, "{:?}", values[at]),
        Values::Integer(values) => write!(line, "{}i", values[at]),
        Values::Unsigned(values) => write!(line, "{}u", values[at]),
        Values::Boolean(values) => write!(line, "{}", values[at]),
        Values::String(values) => {
            line.push(b'"');
            for byte in values.get(at) {
                if matches!(byte, b'"' | b'\\') {
                    line.push(b'\\');
                }
                line.push(*byte);
            }
            line.push(b'"');
            Ok(())
        }
    };
    written.is_ok()
}

/// Names of fields stand in files as they are; series are escaped already.
fn escaped(name: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len());
    for byte in name {
        if matches!(byte, b',' | b'=' | b' ') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    text
}
