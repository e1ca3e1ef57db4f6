//! What storage answers itself: groups of series, and aggregates made while blocks are read.

use std::cmp::Ordering;
use std::rc::Rc;

use super::super::failure::{Failure, Refused};
use super::super::key::{Key, compare_values};
use super::super::node::{Aggregate, Stream};
use super::super::table::{Cells, Column, Gathered, Table};
use super::super::value::{Kind, Value};
use super::plan::{By, Read, StoredAggregate, StoredGroup};
use super::read::{Flow, Line, Source, bound_pairs, kind_of, line_table, value_at};
use super::{Runner, Sink};
use crate::store::value::{self as stored, Values};
use crate::store::view::{Direction, Series};

/// How errors about two types in one group begin.
pub const COLLISION: &str = "schema collision: cannot group";

/// The values of the listed columns; nothing for a tag that is missing.
type Listed = Vec<Option<Rc<str>>>;

/// One field of one series that is kept.
struct OwnLine {
    series: std::sync::Arc<Series>,
    field: std::sync::Arc<str>,
}

impl OwnLine {
    fn line(&self) -> Line<'_> {
        Line { series: &self.series, field: &self.field }
    }
}

impl Runner<'_, '_> {
    /// A read of which some part of the filters stays for the engine.
    pub fn filtered_read(
        &self,
        node: &Stream,
        read: &Read,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        if read.rest.is_empty() {
            return self.read(read, sink);
        }
        self.read(read, &mut |table| match self.keep_rows(node, &read.rest, table)? {
            table if table.rows == 0 => Ok(()),
            table => sink(table),
        })
    }

    /// A table for each group of series.
    pub fn read_group(&self, group: &StoredGroup, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let read = &group.read;
        let source = self.source(&read.from, read.bounds)?;
        for lines in self.grouped(read, &source, &group.columns)? {
            let key = group_key(read, &lines[0], &group.columns);
            let tags = tags_of(&lines);
            let mut gathered = Gathered::new(key.clone());
            let mut bytes = 0;
            let mut mixed = None;
            for own in &lines {
                let line = own.line();
                self.line_tables(read, &source, line, &mut |times, values| {
                    let mut table = line_table(read, line, key.clone(), times, values);
                    with_tags(&mut table, &tags);
                    bytes += table.bytes();
                    self.guard().take(table.bytes())?;
                    mixed = mixed.take().or(gathered.append(&table).err());
                    Ok(())
                })?;
                if mixed.is_some() {
                    break;
                }
            }
            let table = gathered.finish();
            if table.rows > 0 {
                sink(table)?;
            }
            // What came before has gone on: its readers may have had something to say first.
            if let Some(collision) = mixed {
                let [a, b] = collision.kinds.map(Kind::stored_name);
                return Failure::invalid(format!("{COLLISION} {a} and {b} types together"));
            }
            self.guard().give_back(bytes);
        }
        Ok(())
    }

    /// The fields of series in groups, sorted as storage sorts them: a tag that is missing comes last.
    fn grouped(
        &self,
        read: &Read,
        source: &Source,
        columns: &[Rc<str>],
    ) -> Result<Vec<Vec<OwnLine>>, Failure> {
        let mut columns = columns.to_vec();
        columns.sort();
        let mut lines: Vec<(Listed, OwnLine)> = Vec::new();
        for candidate in self.candidates(read, source)? {
            for field in candidate.fields.iter() {
                let line = Line { series: &candidate.series, field };
                if read.predicate.decide(line.subject()) == Some(false) {
                    continue;
                }
                let key = columns.iter().map(|column| line.text(column).map(Rc::from)).collect();
                let own = OwnLine { series: candidate.series.clone(), field: field.clone() };
                self.guard().take(size_of::<OwnLine>() + columns.len() * 40)?;
                lines.push((key, own));
            }
        }
        // Stable: within a group the order of the series stays.
        lines.sort_by(|(a, _), (b, _)| {
            let orders = a.iter().zip(b).map(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => a.cmp(b),
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
            });
            orders.fold(Ordering::Equal, Ordering::then)
        });
        let mut groups: Vec<(Listed, Vec<OwnLine>)> = Vec::new();
        for (key, line) in lines {
            match groups.last_mut() {
                Some((known, group)) if *known == key => group.push(line),
                _ => groups.push((key, vec![line])),
            }
        }
        Ok(groups.into_iter().map(|(_, group)| group).collect())
    }

    pub fn read_aggregate(
        &self,
        stored: &StoredAggregate,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let StoredAggregate { read, aggregate, by } = stored;
        let source = self.source(&read.from, read.bounds)?;
        match by {
            By::Series => self.lines(read, &source, |line| {
                match self.reduced(read, &source, line, *aggregate)? {
                    Some(point) => {
                        let key: Vec<(Rc<str>, Value)> =
                            bound_pairs(read.bounds).into_iter().chain(line.names()).collect();
                        sink(point_table(Key::new(key), line.names(), *aggregate, point))
                    }
                    None => Ok(()),
                }
            }),
            By::Group(columns) => {
                for lines in self.grouped(read, &source, columns)? {
                    self.reduce_group(read, &source, &lines, *aggregate, columns, sink)?;
                }
                Ok(())
            }
            By::Window(windows) => self.read_windows(read, *aggregate, windows, sink),
        }
    }

    /// An aggregate of one line; nothing where it has no point.
    fn reduced(
        &self,
        read: &Read,
        source: &Source,
        line: Line<'_>,
        aggregate: Aggregate,
    ) -> Result<Option<Point>, Failure> {
        let mut sum = Accumulator::new(aggregate);
        let direction = match aggregate {
            Aggregate::Last => Direction::Descending,
            _ => Direction::Ascending,
        };
        self.blocks(read, source, line, direction, &mut |block| {
            sum.add(block, 0, block.len())?;
            let is_done = matches!(aggregate, Aggregate::First | Aggregate::Last);
            Ok(if is_done { Flow::Enough } else { Flow::Next })
        })?;
        Ok(sum.point())
    }

    fn reduce_group(
        &self,
        read: &Read,
        source: &Source,
        lines: &[OwnLine],
        aggregate: Aggregate,
        columns: &[Rc<str>],
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let mut whole: Option<(Point, &OwnLine)> = None;
        for own in lines {
            let Some(point) = self.reduced(read, source, own.line(), aggregate)? else { continue };
            whole = Some(match whole {
                None => (point, own),
                Some((before, owner)) => merged(aggregate, before, owner, point, own)?,
            });
        }
        let Some((point, owner)) = whole else { return Ok(()) };
        let key = group_key(read, &lines[0], columns);
        if aggregate.is_selector() {
            let mut table = point_table(key, owner.line().names(), aggregate, point);
            with_tags(&mut table, &tags_of(lines));
            return sink(table);
        }
        let mut names: Vec<(Rc<str>, Value)> = Vec::new();
        for column in columns {
            if let Some(text) = owner.line().text(column) {
                names.push((column.clone(), Value::text(text)));
            }
        }
        sink(point_table(key, names.into_iter(), aggregate, point))
    }
}

/// The key of a group: the bounds, and the listed columns that its series have.
fn group_key(read: &Read, first: &OwnLine, columns: &[Rc<str>]) -> Key {
    let line = first.line();
    let listed =
        columns.iter().filter_map(|column| Some((column.clone(), Value::text(line.text(column)?))));
    Key::new(bound_pairs(read.bounds).into_iter().chain(listed).collect())
}

/// The names of all tags that the series of a group have.
fn tags_of(lines: &[OwnLine]) -> Vec<Rc<str>> {
    let tags = lines.iter().flat_map(|own| own.series.tags.iter());
    let mut names: Vec<Rc<str>> = tags.map(|(name, _)| Rc::from(&**name)).collect();
    names.sort();
    names.dedup();
    names
}

/// Gives a table a column for each of these tags: one that its series lacks is the empty text.
fn with_tags(table: &mut Table, tags: &[Rc<str>]) {
    let of_all = table.columns.iter().position(|column| *column.label == *"_measurement");
    let mine = table.columns.split_off(of_all.map_or(table.columns.len(), |at| at + 1));
    for tag in tags {
        let own = mine.iter().find(|column| column.label == *tag).cloned();
        let column = own.unwrap_or_else(|| Column::same(tag, Kind::String, Value::text("")));
        table.columns.push(column);
    }
}

/// A table of one row.
fn point_table(
    key: Key,
    names: impl Iterator<Item = (Rc<str>, Value)>,
    aggregate: Aggregate,
    point: Point,
) -> Table {
    let mut columns = Vec::new();
    for name in ["_start", "_stop"] {
        let value = key.get(name).expect("storage gives both").clone();
        columns.push(Column::same(&name.into(), Kind::Time, value));
    }
    if aggregate.is_selector() {
        let cells = Cells::Times(Rc::new(vec![point.time]));
        columns.push(Column { label: "_time".into(), kind: Kind::Time, cells });
    }
    let cells = Cells::Mixed(Rc::new(vec![point.value]));
    columns.push(Column { label: "_value".into(), kind: point.kind, cells });
    columns.extend(names.map(|(name, text)| Column::same(&name, Kind::String, text)));
    Table::new(key, columns, 1)
}

/// What an aggregate has found.
#[derive(Clone, Debug)]
pub struct Point {
    pub time: i64,
    pub value: Value,
    pub kind: Kind,
}

/// Of two points of a group, or their sum; the first of equals stays.
fn merged<'l>(
    aggregate: Aggregate,
    before: Point,
    owner: &'l OwnLine,
    point: Point,
    own: &'l OwnLine,
) -> Result<(Point, &'l OwnLine), Failure> {
    if before.kind != point.kind {
        let (a, b) = (before.kind.stored_name(), point.kind.stored_name());
        return Failure::invalid(format!("{COLLISION} {a} and {b} types together"));
    }
    let is_better = match aggregate {
        Aggregate::First => point.time < before.time,
        Aggregate::Last => point.time > before.time,
        Aggregate::Min => compare_values(&point.value, &before.value).is_lt(),
        Aggregate::Max => compare_values(&point.value, &before.value).is_gt(),
        _ => {
            let value = match (before.value, point.value) {
                (Value::Integer(a), Value::Integer(b)) => Value::Integer(a.wrapping_add(b)),
                (Value::Unsigned(a), Value::Unsigned(b)) => Value::Unsigned(a.wrapping_add(b)),
                (Value::Float(a), Value::Float(b)) => Value::Float(a + b),
                _ => unreachable!("sums are numbers of one type"),
            };
            return Ok((Point { value, ..before }, owner));
        }
    };
    Ok(if is_better { (point, own) } else { (before, owner) })
}

/// An aggregate over slices of blocks.
#[derive(Debug)]
pub struct Accumulator {
    aggregate: Aggregate,
    count: i64,
    sum: Option<Value>,
    mean: f64,
    chosen: Option<Point>,
}

impl Accumulator {
    pub fn new(aggregate: Aggregate) -> Accumulator {
        Accumulator { aggregate, count: 0, sum: None, mean: 0.0, chosen: None }
    }

    /// Takes the points `from..to` of a block.
    pub fn add(&mut self, block: &stored::Column, from: usize, to: usize) -> Result<(), Failure> {
        if from == to {
            return Ok(());
        }
        self.count += (to - from) as i64;
        match self.aggregate {
            Aggregate::Count => Ok(()),
            Aggregate::Sum | Aggregate::Mean => self.add_numbers(block, from, to),
            Aggregate::First => {
                if self.chosen.is_none() {
                    self.choose(block, from);
                }
                Ok(())
            }
            Aggregate::Last => {
                let newest = if block.times[from] > block.times[to - 1] { from } else { to - 1 };
                if self.chosen.as_ref().is_none_or(|chosen| block.times[newest] > chosen.time) {
                    self.choose(block, newest);
                }
                Ok(())
            }
            Aggregate::Min | Aggregate::Max => self.add_extreme(block, from, to),
        }
    }

    fn choose(&mut self, block: &stored::Column, at: usize) {
        let kind = kind_of(block.values.kind());
        self.chosen =
            Some(Point { time: block.times[at], value: value_at(&block.values, at), kind });
    }

    fn unsupported(&self, values: &Values) -> Failure {
        let name = match self.aggregate {
            Aggregate::Sum => "sum",
            Aggregate::Mean => "mean",
            Aggregate::Min => "min",
            _ => "max",
        };
        let kind = values.kind().name();
        Refused::invalid(format!("unsupported input type for {name} aggregate: {kind}")).into()
    }

    fn add_numbers(
        &mut self,
        block: &stored::Column,
        from: usize,
        to: usize,
    ) -> Result<(), Failure> {
        match &block.values {
            Values::Float(values) => {
                let mut sum = match self.sum {
                    Some(Value::Float(sum)) => sum,
                    _ => 0.0,
                };
                values[from..to].iter().for_each(|value| sum += value);
                self.mean = sum;
                self.sum = Some(Value::Float(sum));
            }
            Values::Integer(values) => {
                let mut sum = match self.sum {
                    Some(Value::Integer(sum)) => sum,
                    _ => 0,
                };
                for value in &values[from..to] {
                    sum = sum.wrapping_add(*value);
                    self.mean += *value as f64;
                }
                self.sum = Some(Value::Integer(sum));
            }
            Values::Unsigned(values) => {
                let mut sum = match self.sum {
                    Some(Value::Unsigned(sum)) => sum,
                    _ => 0,
                };
                for value in &values[from..to] {
                    sum = sum.wrapping_add(*value);
                    self.mean += *value as f64;
                }
                self.sum = Some(Value::Unsigned(sum));
            }
            other => return Err(self.unsupported(other)),
        }
        Ok(())
    }

    fn add_extreme(
        &mut self,
        block: &stored::Column,
        from: usize,
        to: usize,
    ) -> Result<(), Failure> {
        let is_min = self.aggregate == Aggregate::Min;
        let best = match &block.values {
            Values::Float(values) => best(&values[from..to], is_min),
            Values::Integer(values) => best(&values[from..to], is_min),
            Values::Unsigned(values) => best(&values[from..to], is_min),
            other => return Err(self.unsupported(other)),
        };
        let at = from + best;
        let value = value_at(&block.values, at);
        let is_better = self.chosen.as_ref().is_none_or(|chosen| {
            let order = compare_values(&value, &chosen.value);
            if is_min { order.is_lt() } else { order.is_gt() }
        });
        if is_better {
            self.choose(block, at);
        }
        Ok(())
    }

    /// What has come out; nothing where nothing went in.
    pub fn point(&self) -> Option<Point> {
        if self.count == 0 {
            return None;
        }
        let (value, kind) = match self.aggregate {
            Aggregate::Count => (Value::Integer(self.count), Kind::Integer),
            Aggregate::Mean => (Value::Float(self.mean / self.count as f64), Kind::Float),
            Aggregate::Sum => {
                let sum = self.sum.clone()?;
                let kind = sum.kind()?;
                (sum, kind)
            }
            _ => return self.chosen.clone(),
        };
        Some(Point { time: 0, value, kind })
    }
}

/// The place of the first of the least or the greatest.
fn best<T: PartialOrd + Copy>(values: &[T], is_min: bool) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        let is_better = if is_min { *value < values[best] } else { *value > values[best] };
        if is_better {
            best = at;
        }
    }
    best
}
