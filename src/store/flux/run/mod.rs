//! Carries out a plan: tables flow from stage to stage, one at a time.
//!
//! It promises: what InfluxDB's storage would answer itself is answered from the index or while blocks are read, with
//! the order of tables and columns that this gives there; the rest goes as InfluxDB's engine does it. Tables that
//! wait are counted by the guard. It does not know the language.
//!
//! Two orders of tables exist. Stages that stream hand a table on when it comes; those that keep tables until all
//! have come hand them on sorted by group key ([`Cache`]). `group`, `map` and their like lie between: a stage of
//! the same sort sees their rows as they come ([`Runner::pieces`]), any other sees them sorted.
//!
//! Read `mod.rs`, `plan` (what of a plan storage answers), `predicate`, `read`, `stored` and `names`; then the stages:
//! `rows`, `groups`, `shapes`, `maps`, `aggregate`, `quantile`, `windows`, `series`, `pivot`, `join`, `write`.

mod aggregate;
mod buckets;
mod groups;
mod join;
mod maps;
mod names;
mod pivot;
pub mod plan;
mod predicate;
mod quantile;
mod read;
mod rows;
mod series;
mod shapes;
mod sorting;
mod stored;
mod windowed;
pub mod windows;
mod write;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::failure::{Failure, Refused};
use super::interpret::Interpreter;
use super::key::Key;
use super::node::{Node, Op, Stream};
use super::table::{Collision, Gathered, Table};
use crate::base::map::FastMap;
use crate::store::guard::Guard;

/// Stages that one answer may run, counted again for each reader.
const RUNS_MAX: usize = 10_000;

pub type Sink<'s> = dyn FnMut(Table) -> Result<(), Failure> + 's;

pub struct Runner<'r, 'q> {
    pub interpreter: &'r Interpreter<'q>,
    /// How many stages read each stage.
    consumers: FastMap<usize, usize>,
    /// What each `from` reads, as it was when it was first read.
    sources: RefCell<FastMap<usize, Rc<read::Source>>>,
    runs: Cell<usize>,
}

/// The tables of a stream that a function wants before the plan is complete.
pub fn early(interpreter: &Interpreter<'_>, stream: &Stream) -> Result<Vec<Table>, Failure> {
    let runner = Runner::new(interpreter, std::slice::from_ref(stream))?;
    let mut tables = Vec::new();
    runner.run(stream, &mut |table| {
        interpreter.guard.take(table.bytes())?;
        tables.push(table);
        Ok(())
    })?;
    Ok(tables)
}

impl<'r, 'q> Runner<'r, 'q> {
    /// Checks what can be checked of a plan before anything is read.
    pub fn new(
        interpreter: &'r Interpreter<'q>,
        results: &[Stream],
    ) -> Result<Runner<'r, 'q>, Failure> {
        let mut consumers: FastMap<usize, usize> = FastMap::default();
        let mut waiting: Vec<&Stream> = Vec::new();
        for result in results {
            plan::check_result(result)?;
            let count = consumers.entry(result.id).or_default();
            *count += 1;
            if *count == 1 {
                waiting.push(result);
            }
        }
        while let Some(node) = waiting.pop() {
            for input in &node.inputs {
                plan::check_input(node, input)?;
                let count = consumers.entry(input.id).or_default();
                *count += 1;
                if *count == 1 {
                    waiting.push(input);
                }
            }
        }
        let (sources, runs) = (RefCell::default(), Cell::new(0));
        Ok(Runner { interpreter, consumers, sources, runs })
    }

    pub fn guard(&self) -> &'q Guard {
        self.interpreter.guard
    }

    /// Whether only one stage reads it.
    fn is_sole(&self, node: &Node) -> bool {
        self.consumers.get(&node.id).copied().unwrap_or(1) <= 1
    }

    /// The tables of a stage in the order that its readers see.
    pub fn run(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        if !is_halfway(&node.op) || plan::is_stored_group(self, node) {
            return self.stage(node, sink);
        }
        let mut cache = Cache::new(self.guard(), true);
        self.stage(node, &mut |table| {
            cache.append(table).map_err(|failure| node.wrapped(failure))
        })?;
        cache.emit(sink)
    }

    /// The rows of a stage as they come: several tables may have one key.
    pub fn pieces(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        if is_halfway(&node.op) { self.stage(node, sink) } else { self.run(node, sink) }
    }

    /// The tables that come into a stage.
    fn input(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        self.run(&node.inputs[0], sink).map_err(|failure| match failure {
            // Storage says this to the stage that reads, which says it with its name.
            Failure::Refused(refused) if refused.message.starts_with(stored::COLLISION) => {
                node.error(refused.message)
            }
            other => other,
        })
    }

    /// Every table of the input by itself; what comes out is handed on at once.
    fn each(
        &self,
        node: &Stream,
        sink: &mut Sink<'_>,
        mut change: impl FnMut(Table) -> Result<Option<Table>, Failure>,
    ) -> Result<(), Failure> {
        self.input(node, &mut |table| {
            self.guard().check()?;
            match change(table)? {
                Some(table) => sink(table),
                None => Ok(()),
            }
        })
    }

    /// Every table of the input by itself; what comes out is handed on sorted by group key.
    fn each_cached(
        &self,
        node: &Stream,
        sink: &mut Sink<'_>,
        mut change: impl FnMut(Table, &mut Cache<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut cache = Cache::new(self.guard(), false);
        self.input(node, &mut |table| {
            self.guard().check()?;
            change(table, &mut cache).map_err(|failure| node.wrapped(failure))
        })?;
        cache.emit(sink)
    }

    fn stage(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        self.runs.set(self.runs.get() + 1);
        if self.runs.get() > RUNS_MAX {
            return Failure::invalid(format!("the query runs more than {RUNS_MAX} stages"));
        }
        self.guard().check()?;
        match &node.op {
            Op::From { bucket } => Err(plan::unbounded(bucket)),
            Op::Range(bounds) => match plan::read_of(self, node) {
                Some(read) => self.read(&read, sink),
                None => self.range(node, *bounds, sink),
            },
            Op::Filter { function, keep_empty } => match plan::read_of(self, node) {
                Some(read) if !*keep_empty => self.filtered_read(node, &read, sink),
                _ => self.filter(node, std::slice::from_ref(function), *keep_empty, sink),
            },
            Op::Yield(_) => self.input(node, sink),
            Op::Group { columns, except } => match plan::stored_group(self, node) {
                Some(group) => self.read_group(&group, sink),
                None => self.group(node, columns, *except, sink),
            },
            Op::Aggregate(aggregate, column) => match plan::stored_aggregate(self, node) {
                Some(stored) => self.read_aggregate(&stored, sink),
                None => self.aggregate(node, *aggregate, column, sink),
            },
            Op::Window(windows) => {
                if let Some(op) = plan::aggregate_window(self, node)
                    && self.aggregate_window(node, &op, sink)?
                {
                    return Ok(());
                }
                self.window(node, windows, sink)
            }
            Op::AggregateWindow(op) => match self.aggregate_window(node, op, sink)? {
                true => Ok(()),
                false => self.input(node, sink),
            },
            Op::Distinct(column) => match plan::names(self, node) {
                Some(names) => self.read_names(&names, sink),
                None => self.distinct(node, column, sink),
            },
            _ => self.table_stage(node, sink),
        }
    }

    /// Stages that never run in storage.
    fn table_stage(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        match &node.op {
            Op::Limit { n, offset } => self.limit(node, *n, *offset, sink),
            Op::Tail { n, offset } => self.tail(node, *n, *offset, sink),
            Op::Sample { n, pos } => self.sample(node, *n, *pos, sink),
            Op::Sort { columns, desc } => self.sort(node, columns, *desc, None, sink),
            Op::Top { n, columns, desc } => self.sort(node, columns, *desc, Some(*n), sink),
            Op::Unique(column) => self.unique(node, column, sink),
            Op::Fill { column, value } => self.fill(node, column, value.as_ref(), sink),
            Op::TableFill => self.table_fill(node, sink),
            Op::Hours { start, stop, column } => self.hours(node, [*start, *stop], column, sink),
            Op::Map(function) => self.map(node, function, sink),
            Op::Reduce { function, identity } => self.reduce(node, function, identity, sink),
            Op::Convert(kindred) => self.convert(node, kindred.0, sink),
            Op::Truncate { unit, column } => self.truncate(node, *unit, column, sink),
            Op::Keep(choice) => self.keep(node, choice, true, sink),
            Op::Drop(choice) => self.keep(node, choice, false, sink),
            Op::Rename { pairs, function } => self.rename(node, pairs, function.as_ref(), sink),
            Op::Duplicate { column, name } => self.duplicate(node, column, name, sink),
            Op::Set { key, value } => self.set(node, key, value, sink),
            Op::Columns(column) => self.columns(node, column, sink),
            Op::Keys(column) => self.keys(node, column, sink),
            Op::Shift { duration, columns } => self.shift(node, *duration, columns, sink),
            Op::Pivot { row, column, value } => self.pivot(node, [row, column], value, sink),
            Op::Union => self.union(node, sink),
            Op::Join { names, on } => self.join(node, names, on, sink),
            Op::JoinRows(op) => self.join_rows(node, op, sink),
            Op::Rows(rows) => self.rows(node, rows, sink),
            Op::Buckets => self.buckets(sink),
            Op::To { bucket } => self.to(node, bucket, sink),
            _ => self.number_stage(node, sink),
        }
    }

    /// Stages that reckon.
    fn number_stage(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        match &node.op {
            Op::Quantile { q, method, column } => self.quantile(node, *q, method, column, sink),
            Op::Spread(column) => self.spread(node, column, sink),
            Op::Deviation { column, population } => self.deviation(node, column, *population, sink),
            Op::Skew(column) => self.skew(node, column, sink),
            Op::Mode(column) => self.mode(node, column, sink),
            Op::Integral { column, unit, interpolate } => {
                self.integral(node, column, unit.length_ns(), *interpolate, sink)
            }
            Op::Histogram { .. } => self.histogram(node, sink),
            Op::Elapsed { unit, time, name } => self.elapsed(node, *unit, time, name, sink),
            Op::Derivative { .. } => self.derivative(node, sink),
            Op::Difference { .. } => self.difference(node, sink),
            Op::CumulativeSum(columns) => self.cumulative_sum(node, columns, sink),
            Op::MovingAverage(n) => self.moving_average(node, *n, sink),
            Op::ExponentialMovingAverage(n) => self.exponential_average(node, *n, sink),
            Op::State { .. } => self.state(node, sink),
            Op::Interpolate(every) => self.interpolate(node, *every, sink),
            other => unreachable!("{other:?} has its own stage"),
        }
    }
}

/// Whether a stage hands rows on as they come, to be sorted by who reads them.
fn is_halfway(op: &Op) -> bool {
    matches!(
        op,
        Op::Group { .. } | Op::Map(_) | Op::Convert(_) | Op::Truncate { .. } | Op::Shift { .. }
    )
}

impl Node {
    /// An error while this stage runs.
    pub fn error(&self, text: impl std::fmt::Display) -> Failure {
        let (place, name) = (&self.place, self.name);
        Refused::invalid(format!("runtime error @{place}: {name}: {text}")).into()
    }

    /// The same for an error that has no place yet.
    pub fn wrapped(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Refused(refused) if !is_placed(&refused.message) => {
                let Refused { kind, message } = refused;
                let (place, name) = (&self.place, self.name);
                let message = format!("runtime error @{place}: {name}: {message}");
                Failure::Refused(Refused { kind, message })
            }
            other => other,
        }
    }
}

fn is_placed(message: &str) -> bool {
    message.starts_with("runtime error") || message.starts_with("error ")
}

/// Tables that wait until all have come, and go out sorted by group key.
pub struct Cache<'g> {
    guard: &'g Guard,
    tables: BTreeMap<Key, Gathered>,
    keeps_pieces: bool,
    bytes: usize,
}

impl<'g> Cache<'g> {
    pub fn new(guard: &'g Guard, keeps_pieces: bool) -> Cache<'g> {
        Cache { guard, tables: BTreeMap::new(), keeps_pieces, bytes: 0 }
    }

    /// The rows join those of the same key.
    pub fn append(&mut self, table: Table) -> Result<(), Failure> {
        let bytes = table.bytes();
        self.guard.take(bytes)?;
        self.bytes += bytes;
        let key = table.key.clone();
        let known = self.tables.entry(key.clone()).or_insert_with(|| Gathered::new(key));
        known.append(&table).map_err(|collision| Refused::invalid(said(&collision)).into())
    }

    pub fn emit(self, sink: &mut Sink<'_>) -> Result<(), Failure> {
        for gathered in self.tables.into_values() {
            let mut table = gathered.finish();
            if !self.keeps_pieces {
                table.pieces.clear();
            }
            sink(table)?;
        }
        self.guard.give_back(self.bytes);
        Ok(())
    }
}

fn said(collision: &Collision) -> String {
    let Collision { label, kinds: [a, b] } = collision;
    let (a, b) = (a.name(), b.name());
    format!("schema collision detected: column \"{label}\" is both of type {a} and {b}")
}
