//! Aggregates by window: in storage while blocks are read, and `aggregateWindow` where the engine has its own way.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::failure::Failure;
use super::super::key::Key;
use super::super::node::{Aggregate, AggregateWindow, Bounds, Stream, Windows};
use super::super::table::{Cellar, Column, Table};
use super::super::value::{Kind, Value};
use super::aggregate::Sum;
use super::plan::{self, Read};
use super::read::{Flow, Line, Source, bound_pairs, kind_of};
use super::stored::{Accumulator, Point};
use super::windows::Grid;
use super::{Runner, Sink};
use crate::store::value as stored;
use crate::store::view::Direction;

/// One window of one line: its beginning, and what was found in it.
type Windowed = (i64, Option<Point>);

impl Runner<'_, '_> {
    /// The windows of a line that have points, or all of them; and the type of the line.
    fn windowed(
        &self,
        read: &Read,
        source: &Source,
        line: Line<'_>,
        aggregate: Aggregate,
        windows: &Windows,
    ) -> Result<Option<(Vec<Windowed>, Kind)>, Failure> {
        let grid = Grid::of(windows)?.expect("storage only has windows that end");
        let mut fold = Fold { grid: &grid, aggregate, open: None, done: Vec::new() };
        let (mut kind, mut taken) = (None, 0);
        self.blocks(read, source, line, Direction::Ascending, &mut |block| {
            kind.get_or_insert(kind_of(block.values.kind()));
            let before = fold.done.len();
            fold.add(block)?;
            let more = (fold.done.len() - before) * size_of::<Windowed>();
            taken += more;
            self.guard().take(more)?;
            Ok(Flow::Next)
        })?;
        self.guard().give_back(taken);
        let Some(kind) = kind else { return Ok(None) };
        let kind = match aggregate {
            Aggregate::Count => Kind::Integer,
            Aggregate::Mean => Kind::Float,
            _ => kind,
        };
        let found = fold.finish();
        if !windows.create_empty {
            return Ok(Some((found, kind)));
        }
        let mut found = found.into_iter().peekable();
        let all = grid.all(read.bounds)?;
        let with = |start| match found.next_if(|(known, _)| *known == start) {
            Some(window) => window,
            None => (start, None),
        };
        Ok(Some((all.into_iter().map(with).collect(), kind)))
    }

    /// `window` and an aggregate in storage: a table for each window of each line.
    pub fn read_windows(
        &self,
        read: &Read,
        aggregate: Aggregate,
        windows: &Windows,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let source = self.source(&read.from, read.bounds)?;
        let grid = Grid::of(windows)?.expect("storage only has windows that end");
        self.lines(read, &source, |line| {
            let Some((found, kind)) = self.windowed(read, &source, line, aggregate, windows)?
            else {
                return Ok(());
            };
            for (start, point) in found {
                let cut = grid.cut(start, read.bounds);
                let (time, value) = point_or_empty(point, aggregate);
                let time = aggregate.is_selector().then_some(time);
                sink(line_point(line, cut, time, value, kind))?;
            }
            Ok(())
        })
    }

    /// False: there is no shorter way than stage by stage.
    pub fn aggregate_window(
        &self,
        node: &Stream,
        op: &AggregateWindow,
        sink: &mut Sink<'_>,
    ) -> Result<bool, Failure> {
        let is_plain = matches!(&*op.time_source, "_start" | "_stop")
            && *op.time_target == *"_time"
            && op.windows.every.is_some();
        let Some(aggregate) = op.aggregate.filter(|_| is_plain) else { return Ok(false) };
        let stored =
            plan::stored_window(self, &op.source, &op.windows).filter(|_| *op.column == *"_value");
        match stored {
            Some(read) => self.read_aggregate_window(&read, aggregate, op, sink)?,
            None if aggregate.is_selector() => return Ok(false),
            None => self.engine_window(node, aggregate, op, sink)?,
        }
        Ok(true)
    }

    /// A table for each line, a row for each window.
    fn read_aggregate_window(
        &self,
        read: &Read,
        aggregate: Aggregate,
        op: &AggregateWindow,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let source = self.source(&read.from, read.bounds)?;
        let grid = Grid::of(&op.windows)?.expect("storage only has windows that end");
        self.lines(read, &source, |line| {
            let Some((found, kind)) = self.windowed(read, &source, line, aggregate, &op.windows)?
            else {
                return Ok(());
            };
            let mut times = Cellar::new(&"_time".into(), Kind::Time);
            let mut values = Cellar::new(&"_value".into(), kind);
            let rows = found.len();
            for (start, point) in found {
                times.push(Value::Time(source_time(grid.cut(start, read.bounds), op)));
                values.push(point_or_empty(point, aggregate).1);
            }
            let bounds = bound_pairs(read.bounds);
            let key = Key::new(bounds.clone().into_iter().chain(line.names()).collect());
            let mut columns: Vec<Column> = bounds
                .into_iter()
                .map(|(name, time)| Column::same(&name, Kind::Time, time))
                .collect();
            columns.extend([times.finish(), values.finish()]);
            let names = line.names();
            columns.extend(names.map(|(name, text)| Column::same(&name, Kind::String, text)));
            let table = Table::new(key, columns, rows);
            let bytes = table.bytes();
            self.guard().take(bytes)?;
            sink(table)?;
            self.guard().give_back(bytes);
            Ok(())
        })
    }

    /// The engine's own way for sums: the time first, then the key, then the value.
    fn engine_window(
        &self,
        node: &Stream,
        aggregate: Aggregate,
        op: &AggregateWindow,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let bounds = self.bounds_of(&op.source)?;
        let grid = Grid::of(&op.windows)?.expect("the caller has seen that they end");
        self.run(&op.source, &mut |table| {
            self.guard().check()?;
            let table = engine_table(node, &table, aggregate, op, &grid, bounds)?;
            if table.rows == 0 { Ok(()) } else { sink(table) }
        })
    }
}

/// Points of one line, window after window.
struct Fold<'g> {
    grid: &'g Grid,
    aggregate: Aggregate,
    open: Option<(i64, Accumulator)>,
    done: Vec<Windowed>,
}

impl Fold<'_> {
    fn add(&mut self, block: &stored::Column) -> Result<(), Failure> {
        let mut from = 0;
        while from < block.len() {
            let start = match &self.open {
                Some((start, _)) if block.times[from] < self.grid.next(*start) => *start,
                _ => self.grid.start_of(block.times[from]),
            };
            let next = self.grid.next(start);
            let inside = block.times[from..].partition_point(|time| *time < next);
            if self.open.as_ref().is_none_or(|(open, _)| *open != start) {
                self.close();
                self.open = Some((start, Accumulator::new(self.aggregate)));
            }
            let (_, sum) = self.open.as_mut().expect("just opened");
            sum.add(block, from, from + inside)?;
            from += inside.max(1);
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some((start, sum)) = self.open.take() {
            self.done.push((start, sum.point()));
        }
    }

    fn finish(mut self) -> Vec<Windowed> {
        self.close();
        self.done
    }
}

/// The time of a point, and its value; a window without points counts none and has no value.
fn point_or_empty(point: Option<Point>, aggregate: Aggregate) -> (Value, Value) {
    match point {
        Some(point) => (Value::Time(point.time), point.value),
        None if aggregate == Aggregate::Count => (Value::Null, Value::Integer(0)),
        None => (Value::Null, Value::Null),
    }
}

fn source_time(window: Bounds, op: &AggregateWindow) -> i64 {
    if *op.time_source == *"_start" { window.start } else { window.stop }
}

/// A table of one row for one window of a line.
fn line_point(
    line: Line<'_>,
    window: Bounds,
    time: Option<Value>,
    value: Value,
    kind: Kind,
) -> Table {
    let bounds = bound_pairs(window);
    let key = Key::new(bounds.clone().into_iter().chain(line.names()).collect());
    let mut columns: Vec<Column> =
        bounds.into_iter().map(|(name, time)| Column::same(&name, Kind::Time, time)).collect();
    let own = [("_time", Kind::Time, time), ("_value", kind, Some(value))];
    for (name, kind, value) in own {
        if let Some(value) = value {
            let mut cellar = Cellar::new(&name.into(), kind);
            cellar.push(value);
            columns.push(cellar.finish());
        }
    }
    columns.extend(line.names().map(|(name, text)| Column::same(&name, Kind::String, text)));
    Table::new(key, columns, 1)
}

fn engine_table(
    node: &Stream,
    table: &Table,
    aggregate: Aggregate,
    op: &AggregateWindow,
    grid: &Grid,
    bounds: Bounds,
) -> Result<Table, Failure> {
    let times = table.column("_time").filter(|column| column.kind == Kind::Time);
    let Some(times) = times else {
        return Failure::invalid("runtime error: no time column: _time");
    };
    let value = super::aggregate::aggregated(node, table, &op.column, aggregate)?;
    let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
    if op.windows.create_empty {
        sums.extend(grid.all(bounds)?.into_iter().map(|start| (start, Sum::new(value.kind))));
    }
    let mut from = 0;
    for end in table.piece_ends() {
        // Sums go piece by piece: each piece has its own before they meet.
        let mut piece: BTreeMap<i64, Sum> = BTreeMap::new();
        for row in from..end {
            let Some(time) = times.time(row) else { continue };
            for start in grid.around(time) {
                piece.entry(start).or_insert_with(|| Sum::new(value.kind)).add(&value.get(row));
            }
        }
        for (start, sum) in piece {
            sums.entry(start).or_insert_with(|| Sum::new(value.kind)).merge(&sum);
        }
        from = end;
    }
    let mut key = table.key.clone();
    for (name, time) in bound_pairs(bounds) {
        key = key.with(&name, time);
    }
    let mut out = Cellar::new(&op.time_target, Kind::Time);
    let mut made = Cellar::new(&op.column, Sum::kind_of(aggregate, value.kind));
    let rows = sums.len();
    for (start, sum) in &sums {
        out.push(Value::Time(source_time(grid.cut(*start, bounds), op)));
        made.push(sum.value(aggregate));
    }
    let mut columns = vec![out.finish()];
    let known = table.columns.iter().map(|column| (column.label.clone(), column.kind));
    let missing = bound_pairs(bounds).into_iter().map(|(name, _)| (name, Kind::Time));
    for (label, kind) in known.chain(missing) {
        let is_new = columns.iter().all(|column| column.label != label);
        if let (true, Some(value)) = (is_new, key.get(&label)) {
            columns.push(Column::same(&Rc::clone(&label), kind, value.clone()));
        }
    }
    columns.push(made.finish());
    Ok(Table::new(key, columns, rows))
}
