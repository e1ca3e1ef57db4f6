//! Reading a bucket: its series in the order of storage, the points of each field block by block.

use std::rc::Rc;
use std::sync::Arc;

use super::super::failure::{Failure, Problem, Refused};
use super::super::key::Key;
use super::super::node::{Bounds, Op, Stream};
use super::super::table::{Cells, Column, Table};
use super::super::value::{Kind, Value};
use super::plan::Read;
use super::predicate::Subject;
use super::{Runner, Sink, buckets};
use crate::base::map::FastMap;
use crate::store::value::{self as stored, FieldType, Strings, Values};
use crate::store::view::{Database, Direction, Series, TimeRange, Window};

/// Points that InfluxDB hands on at once.
pub const PIECE_ROWS: usize = 1000;

/// A bucket as it was when it was first read.
pub struct Source {
    pub database: Arc<dyn Database>,
    pub windows: Vec<Arc<dyn Window>>,
    pub range: TimeRange,
}

/// A series and the fields of it that a read may want.
pub struct Candidate {
    pub series: Arc<Series>,
    pub fields: Rc<Vec<Arc<str>>>,
}

/// One field of one series.
#[derive(Clone, Copy)]
pub struct Line<'l> {
    pub series: &'l Series,
    pub field: &'l str,
}

impl Line<'_> {
    pub fn subject(&self) -> Subject<'_> {
        let (series, field) = (Some(self.series), Some(self.field));
        Subject { measurement: &self.series.measurement, series, field }
    }

    /// Its value of a column with a name: a tag, the measurement, the field.
    pub fn text(&self, column: &str) -> Option<&str> {
        match column {
            "_measurement" => Some(&self.series.measurement),
            "_field" => Some(self.field),
            tag => self.series.tag(tag),
        }
    }

    /// `_field`, `_measurement` and the tags, as columns of storage stand.
    pub fn names(&self) -> impl Iterator<Item = (Rc<str>, Value)> {
        let own = [("_field", self.field), ("_measurement", &*self.series.measurement)];
        let tags = self.series.tags.iter().map(|(key, value)| (&**key, &**value));
        own.into_iter().chain(tags).map(|(name, value)| (name.into(), Value::text(value)))
    }
}

pub fn kind_of(kind: FieldType) -> Kind {
    match kind {
        FieldType::Float => Kind::Float,
        FieldType::Integer => Kind::Integer,
        FieldType::Unsigned => Kind::Unsigned,
        FieldType::String => Kind::String,
        FieldType::Boolean => Kind::Boolean,
    }
}

pub fn value_at(values: &Values, at: usize) -> Value {
    match values {
        Values::Float(values) => Value::Float(values[at]),
        Values::Integer(values) => Value::Integer(values[at]),
        Values::Unsigned(values) => Value::Unsigned(values[at]),
        Values::String(values) => Value::String(String::from_utf8_lossy(values.get(at)).into()),
        Values::Boolean(values) => Value::Boolean(values[at]),
    }
}

/// `_start` and `_stop`, which are in the key of whatever comes out of storage.
pub fn bound_pairs(bounds: Bounds) -> [(Rc<str>, Value); 2] {
    [("_start".into(), Value::Time(bounds.start)), ("_stop".into(), Value::Time(bounds.stop))]
}

/// What a block tells its reader to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Next,
    Enough,
}

impl Runner<'_, '_> {
    pub fn source(&self, from: &Stream, bounds: Bounds) -> Result<Rc<Source>, Failure> {
        if let Some(source) = self.sources.borrow().get(&from.id) {
            return Ok(source.clone());
        }
        let Op::From { bucket } = &from.op else { unreachable!("a read begins with from") };
        let (database, policy) = self.bucket(bucket)?;
        let range = TimeRange { min_ns: bounds.start, max_ns: bounds.stop.saturating_sub(1) };
        let windows = database.windows(&policy, range);
        let source = Rc::new(Source { database, windows, range });
        self.sources.borrow_mut().insert(from.id, source.clone());
        Ok(source)
    }

    /// A bucket is a database with a policy, `database/policy`, or with its default one.
    pub fn bucket(&self, bucket: &str) -> Result<(Arc<dyn Database>, String), Failure> {
        let unknown = || Refused {
            kind: Problem::NotFound,
            message: format!(
                "failed to initialize execute state: could not find bucket \"{bucket}\""
            ),
        };
        let catalog = self.interpreter.catalog;
        if let Some((database, policy)) = buckets::with_id(catalog, bucket) {
            return Ok((database, policy));
        }
        let (name, policy) = match bucket.split_once('/') {
            Some((name, policy)) => (name, Some(policy.to_owned())),
            None => (bucket, None),
        };
        let database = catalog.database(name).ok_or_else(unknown)?;
        let policy = policy.unwrap_or_else(|| database.default_policy());
        match database.policies().iter().any(|known| known.name == policy) {
            true => Ok((database, policy)),
            false => Err(unknown().into()),
        }
    }

    /// The series that a read may want, in the order of storage.
    pub fn candidates(&self, read: &Read, source: &Source) -> Result<Vec<Candidate>, Failure> {
        let database = &*source.database;
        let mut found = Vec::new();
        for measurement in database.measurements() {
            let measurement: &str = &measurement;
            let about = Subject { measurement, series: None, field: None };
            if read.predicate.decide(about) == Some(false) {
                continue;
            }
            self.guard().check()?;
            let fields = fields_of(source, measurement);
            let postings = read.predicate.postings(database, measurement);
            let ids = postings.unwrap_or_else(|| database.series_ids(measurement));
            self.guard().take(ids.len() * size_of::<Candidate>())?;
            for id in ids {
                let series = database.series(id);
                let about = Subject { measurement, series: Some(&series), field: None };
                if read.predicate.decide(about) != Some(false) {
                    found.push(Candidate { series, fields: fields.clone() });
                }
            }
        }
        found.sort_by(|a, b| {
            let (a, b) = (&a.series, &b.series);
            (&a.measurement, &a.tags).cmp(&(&b.measurement, &b.tags))
        });
        Ok(found)
    }

    /// Every field of every series that a read may want.
    pub fn lines(
        &self,
        read: &Read,
        source: &Source,
        mut each: impl FnMut(Line<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for Candidate { series, fields } in self.candidates(read, source)? {
            for field in fields.iter() {
                let line = Line { series: &series, field };
                if read.predicate.decide(line.subject()) != Some(false) {
                    each(line)?;
                }
            }
            self.guard().check()?;
        }
        Ok(())
    }

    /// The points of a line that the read wants, block by block.
    pub fn blocks(
        &self,
        read: &Read,
        source: &Source,
        line: Line<'_>,
        direction: Direction,
        each: &mut dyn FnMut(&stored::Column) -> Result<Flow, Failure>,
    ) -> Result<(), Failure> {
        let is_whole = read.predicate.decide(line.subject()) == Some(true);
        let mut windows: Vec<&Arc<dyn Window>> = source.windows.iter().collect();
        if direction == Direction::Descending {
            windows.reverse();
        }
        for window in windows {
            let Some(mut cursor) = window.read(line.series, line.field, source.range, direction)
            else {
                continue;
            };
            while let Some(block) = cursor.next()? {
                self.guard().check()?;
                let block = if is_whole { block } else { wanted(read, line, block) };
                if !block.is_empty() && each(&block)? == Flow::Enough {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// All that a read gives: a table for each field of each series.
    pub fn read(&self, read: &Read, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let source = self.source(&read.from, read.bounds)?;
        self.lines(read, &source, |line| {
            self.line_tables(read, &source, line, &mut |times, values| {
                let key: Vec<(Rc<str>, Value)> =
                    bound_pairs(read.bounds).into_iter().chain(line.names()).collect();
                let table = line_table(read, line, Key::new(key), times, values);
                let bytes = table.bytes();
                self.guard().take(bytes)?;
                sink(table)?;
                self.guard().give_back(bytes);
                Ok(())
            })
        })
    }

    /// The points of a line; where its type changes, piece after piece.
    pub fn line_tables(
        &self,
        read: &Read,
        source: &Source,
        line: Line<'_>,
        each: &mut dyn FnMut(Vec<i64>, Values) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut times: Vec<i64> = Vec::new();
        let mut values: Option<Values> = None;
        self.blocks(read, source, line, Direction::Ascending, &mut |block| {
            if let Some(before) = values.take_if(|known| known.kind() != block.values.kind()) {
                each(std::mem::take(&mut times), before)?;
            }
            times.extend_from_slice(&block.times);
            let known = values.get_or_insert_with(|| Values::new(block.values.kind()));
            append(known, &block.values);
            Ok(Flow::Next)
        })?;
        match values {
            Some(values) => each(times, values),
            None => Ok(()),
        }
    }
}

fn fields_of(source: &Source, measurement: &str) -> Rc<Vec<Arc<str>>> {
    let all = source.windows.iter().flat_map(|window| window.fields(measurement));
    let mut names: Vec<Arc<str>> = all.map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    Rc::new(names)
}

/// The points of a block that the predicate holds for.
fn wanted(read: &Read, line: Line<'_>, block: stored::Column) -> stored::Column {
    let subject = line.subject();
    let mut kept = stored::Column::new(block.values.kind());
    for at in 0..block.len() {
        if read.predicate.holds(subject, &value_at(&block.values, at)) {
            kept.push(block.times[at], &block.values.get(at));
        }
    }
    kept
}

fn append(known: &mut Values, more: &Values) {
    match (known, more) {
        (Values::Float(known), Values::Float(more)) => known.extend_from_slice(more),
        (Values::Integer(known), Values::Integer(more)) => known.extend_from_slice(more),
        (Values::Unsigned(known), Values::Unsigned(more)) => known.extend_from_slice(more),
        (Values::Boolean(known), Values::Boolean(more)) => known.extend_from_slice(more),
        (Values::String(known), Values::String(more)) => {
            more.iter().for_each(|text| known.push(text));
        }
        _ => unreachable!("the caller keeps the types apart"),
    }
}

fn cells(values: Values) -> Cells {
    match values {
        Values::Float(values) => Cells::Floats(Rc::new(values)),
        Values::Integer(values) => Cells::Integers(Rc::new(values)),
        Values::Unsigned(values) => mixed(values.into_iter().map(Value::Unsigned)),
        Values::Boolean(values) => mixed(values.into_iter().map(Value::Boolean)),
        Values::String(values) => texts(&values),
    }
}

fn mixed(values: impl Iterator<Item = Value>) -> Cells {
    Cells::Mixed(Rc::new(values.collect()))
}

/// Texts, of which the same ones share their memory.
fn texts(values: &Strings) -> Cells {
    let mut seen: FastMap<&[u8], Rc<str>> = FastMap::default();
    mixed(values.iter().map(|text| {
        let shared = seen.entry(text).or_insert_with(|| String::from_utf8_lossy(text).into());
        Value::String(shared.clone())
    }))
}

/// `_start _stop _time _value _field _measurement` and the tags by name.
pub fn line_table(read: &Read, line: Line<'_>, key: Key, times: Vec<i64>, values: Values) -> Table {
    let rows = times.len();
    let kind = kind_of(values.kind());
    let bounds = bound_pairs(read.bounds);
    let mut columns: Vec<Column> =
        bounds.into_iter().map(|(name, time)| Column::same(&name, Kind::Time, time)).collect();
    columns.push(Column {
        label: "_time".into(),
        kind: Kind::Time,
        cells: Cells::Times(Rc::new(times)),
    });
    columns.push(Column { label: "_value".into(), kind, cells: cells(values) });
    let names = line.names();
    columns.extend(names.map(|(name, text)| Column::same(&name, Kind::String, text)));
    let mut table = Table::new(key, columns, rows);
    if rows > PIECE_ROWS {
        table.pieces =
            (1..=rows.div_ceil(PIECE_ROWS)).map(|at| (at * PIECE_ROWS).min(rows)).collect();
    }
    table
}
