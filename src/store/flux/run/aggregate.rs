//! Aggregates and selectors of the engine: one row of each table, or some of its rows.

use std::rc::Rc;

use super::super::failure::{Failure, Refused};
use super::super::key::compare_values;
use super::super::node::{Aggregate, Op, Stream};
use super::super::table::{Cellar, Cells, Column, Table};
use super::super::value::{Kind, Value};
use super::{Runner, Sink};

/// The column that an aggregate is of.
pub fn aggregated<'t>(
    node: &Stream,
    table: &'t Table,
    column: &str,
    aggregate: Aggregate,
) -> Result<&'t Column, Failure> {
    let found = summed(node, table, column)?;
    let fits = match aggregate {
        Aggregate::Count => found.kind != Kind::Time,
        _ => matches!(found.kind, Kind::Float | Kind::Integer | Kind::Unsigned),
    };
    if fits {
        return Ok(found);
    }
    Err(unsupported(node, found.kind))
}

fn unsupported(node: &Stream, kind: Kind) -> Failure {
    node.error(format_args!("unsupported aggregate column type {}", kind.name()))
}

/// A column that is there and no part of the key.
fn summed<'t>(node: &Stream, table: &'t Table, column: &str) -> Result<&'t Column, Failure> {
    if table.is_key(column) {
        return Err(node.error("cannot aggregate columns that are part of the group key"));
    }
    table
        .column(column)
        .ok_or_else(|| node.error(format_args!("column \"{column}\" does not exist")))
}

/// The key columns and one more.
pub fn keyed(table: &Table, column: Column, rows: usize) -> Table {
    let mut columns = table.key_columns();
    columns.push(column);
    Table::new(table.key.clone(), columns, rows)
}

pub fn single(label: &Rc<str>, kind: Kind, value: Value) -> Column {
    let mut cellar = Cellar::new(label, kind);
    cellar.push(value);
    cellar.finish()
}

/// The numbers of a column that are none of them null.
pub fn numbers(column: &Column, rows: usize) -> Vec<f64> {
    match &column.cells {
        Cells::Floats(values) => values.to_vec(),
        _ => (0..rows).filter_map(|row| number(&column.get(row))).collect(),
    }
}

pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Integer(number) => Some(*number as f64),
        Value::Unsigned(number) => Some(*number as f64),
        _ => None,
    }
}

/// A running count, sum and mean.
#[derive(Clone, Debug)]
pub struct Sum {
    kind: Kind,
    rows: i64,
    filled: i64,
    float: f64,
    integer: i64,
    unsigned: u64,
}

impl Sum {
    pub fn new(kind: Kind) -> Sum {
        Sum { kind, rows: 0, filled: 0, float: 0.0, integer: 0, unsigned: 0 }
    }

    pub fn add(&mut self, value: &Value) {
        self.rows += 1;
        match value {
            Value::Float(number) => self.float += number,
            Value::Integer(number) => {
                self.integer = self.integer.wrapping_add(*number);
                self.float += *number as f64;
            }
            Value::Unsigned(number) => {
                self.unsigned = self.unsigned.wrapping_add(*number);
                self.float += *number as f64;
            }
            Value::Null => return,
            _ => {}
        }
        self.filled += 1;
    }

    /// Takes the rows of another one.
    pub fn merge(&mut self, other: &Sum) {
        self.rows += other.rows;
        self.filled += other.filled;
        self.float += other.float;
        self.integer = self.integer.wrapping_add(other.integer);
        self.unsigned = self.unsigned.wrapping_add(other.unsigned);
    }

    pub fn kind_of(aggregate: Aggregate, kind: Kind) -> Kind {
        match aggregate {
            Aggregate::Count => Kind::Integer,
            Aggregate::Mean => Kind::Float,
            _ => kind,
        }
    }

    pub fn value(&self, aggregate: Aggregate) -> Value {
        match (aggregate, self.kind) {
            (Aggregate::Count, _) => Value::Integer(self.rows),
            _ if self.filled == 0 => Value::Null,
            (Aggregate::Mean, _) => Value::Float(self.float / self.filled as f64),
            (_, Kind::Integer) => Value::Integer(self.integer),
            (_, Kind::Unsigned) => Value::Unsigned(self.unsigned),
            _ => Value::Float(self.float),
        }
    }
}

impl Runner<'_, '_> {
    pub fn aggregate(
        &self,
        node: &Stream,
        aggregate: Aggregate,
        column: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| {
            if aggregate.is_selector() {
                let rows = selected(node, &table, column, aggregate)?;
                return cache.append(table.take(rows.as_slice()));
            }
            let found = aggregated(node, &table, column, aggregate)?;
            let mut sum = Sum::new(found.kind);
            let mut from = 0;
            for end in table.piece_ends() {
                let mut piece = Sum::new(found.kind);
                (from..end).for_each(|row| piece.add(&found.get(row)));
                sum.merge(&piece);
                from = end;
            }
            let kind = Sum::kind_of(aggregate, found.kind);
            let made = single(column, kind, sum.value(aggregate));
            cache.append(keyed(&table, made, 1))
        })
    }

    /// A row of each table that a function of its numbers gives.
    fn fold(
        &self,
        node: &Stream,
        column: &Rc<str>,
        sink: &mut Sink<'_>,
        function: impl Fn(&[f64]) -> Option<f64>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| {
            let found = aggregated(node, &table, column, Aggregate::Mean)?;
            let value = function(&numbers(found, table.rows)).map_or(Value::Null, Value::Float);
            cache.append(keyed(&table, single(column, Kind::Float, value), 1))
        })
    }

    pub fn deviation(
        &self,
        node: &Stream,
        column: &Rc<str>,
        population: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.fold(node, column, sink, |numbers| {
            let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
            for number in numbers {
                count += 1.0;
                let distance = number - mean;
                mean += distance / count;
                squares += distance * (number - mean);
            }
            let share = if population { count } else { count - 1.0 };
            match numbers {
                [] => None,
                [_] => Some(if population { 0.0 } else { f64::NAN }),
                _ => Some((squares / share).sqrt()),
            }
        })
    }

    pub fn skew(
        &self,
        node: &Stream,
        column: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.fold(node, column, sink, |numbers| {
            let (mut n, mut mean, mut m2, mut m3) = (0.0, 0.0, 0.0, 0.0);
            for number in numbers {
                let before = n;
                n += 1.0;
                let delta = number - mean;
                let share = delta / n;
                let term = delta * share * before;
                mean += share;
                m3 += term * share * (n - 2.0) - 3.0 * share * m2;
                m2 += term;
            }
            match numbers.len() {
                0 => None,
                1 => Some(f64::NAN),
                _ => Some(f64::sqrt(n) * m3 / f64::powf(m2, 1.5)),
            }
        })
    }

    pub fn spread(
        &self,
        node: &Stream,
        column: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| {
            let found = aggregated(node, &table, column, Aggregate::Sum)?;
            let filled = (0..table.rows).map(|row| found.get(row)).filter(|value| !value.is_null());
            let (mut least, mut greatest) = (Value::Null, Value::Null);
            for value in filled {
                if least.is_null() || compare_values(&value, &least).is_lt() {
                    least = value.clone();
                }
                if greatest.is_null() || compare_values(&value, &greatest).is_gt() {
                    greatest = value;
                }
            }
            let value = super::super::operate::binary(
                crate::proto::flux::Operator::Subtract,
                &greatest,
                &least,
            )?;
            cache.append(keyed(&table, single(column, found.kind, value), 1))
        })
    }

    pub fn mode(
        &self,
        node: &Stream,
        column: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| {
            if let Some(value) = table.key.get(column).cloned() {
                let kind = value.kind().unwrap_or(Kind::String);
                return cache.append(keyed(&table, single(&"_value".into(), kind, value), 1));
            }
            let found = summed(node, &table, column)?;
            let mut values: Vec<Value> = (0..table.rows).map(|row| found.get(row)).collect();
            values.retain(|value| !value.is_null());
            values.sort_by(compare_values);
            let mut runs: Vec<(usize, Value)> = Vec::new();
            for value in values {
                match runs.last_mut() {
                    Some((count, known)) if compare_values(known, &value).is_eq() => *count += 1,
                    _ => runs.push((1, value)),
                }
            }
            let most = runs.iter().map(|(count, _)| *count).max().unwrap_or(0);
            // A single value, too, is as frequent as all others.
            let is_level = runs.iter().all(|(count, _)| *count == most);
            let mut cellar = Cellar::new(&"_value".into(), found.kind);
            if is_level {
                cellar.push(Value::Null);
            } else {
                let winners = runs.into_iter().filter(|(count, _)| *count == most);
                winners.for_each(|(_, value)| cellar.push(value));
            }
            let rows = cellar.len();
            cache.append(keyed(&table, cellar.finish(), rows))
        })
    }

    pub fn integral(
        &self,
        node: &Stream,
        column: &Rc<str>,
        unit: i64,
        interpolate: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| {
            let bound = |name: &str| match table.key.get(name) {
                Some(Value::Time(time)) => Ok(*time),
                _ => Err(Failure::from(Refused::invalid(format!(
                    "integral function needs {name} column to be part of group key"
                )))),
            };
            let (start, stop) = (bound("_start")?, bound("_stop")?);
            let found = aggregated(node, &table, column, Aggregate::Mean)?;
            let Some(times) = table.column("_time") else {
                return Err(node.error("column \"_time\" does not exist"));
            };
            let points = (0..table.rows)
                .filter_map(|row| Some((times.time(row)?, number(&found.get(row))?)));
            let mut points: Vec<(i64, f64)> = points.collect();
            points.dedup_by_key(|(time, _)| *time);
            if interpolate {
                extend(&mut points, start, stop);
            }
            let area = |pair: &[(i64, f64)]| {
                let elapsed = (pair[1].0 - pair[0].0) as f64 / unit as f64;
                0.5 * (pair[1].1 + pair[0].1) * elapsed
            };
            let value = match points.is_empty() {
                true => Value::Null,
                false => Value::Float(points.windows(2).fold(0.0, |sum, pair| sum + area(pair))),
            };
            cache.append(keyed(&table, single(column, Kind::Float, value), 1))
        })
    }

    pub fn histogram(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let Op::Histogram { column, upper, count, bins, normalize } = &node.op else {
            unreachable!("a histogram is run")
        };
        let mut bins = bins.clone();
        bins.sort_by(f64::total_cmp);
        self.each_cached(node, sink, |table, cache| {
            let found = table
                .column(column)
                .ok_or_else(|| node.error(format_args!("column \"{column}\" is missing")))?;
            if found.kind != Kind::Float {
                let kind = found.kind.name();
                return Err(node.error(format_args!("column \"{column}\" must be a float got {kind}")));
            }
            let mut counts = vec![0.0; bins.len()];
            let mut total = 0.0;
            for number in numbers(found, table.rows) {
                let at = bins.partition_point(|bin| *bin < number);
                match counts.get_mut(at) {
                    Some(count) => *count += 1.0,
                    None => {
                        let (count, last) = (bins.len(), bins.last().copied().unwrap_or(0.0));
                        return Err(node.error(format_args!(
                            "found value greater than any bin, {count} {count} {number:.6} {last:.6}"
                        )));
                    }
                }
                total += 1.0;
            }
            let (mut uppers, mut sums) =
                (Cellar::new(upper, Kind::Float), Cellar::new(count, Kind::Float));
            let mut sum = 0.0;
            for (bin, count) in bins.iter().zip(counts) {
                sum += count;
                uppers.push(Value::Float(*bin));
                sums.push(Value::Float(if *normalize { sum / total } else { sum }));
            }
            let mut made = keyed(&table, uppers.finish(), bins.len());
            made.columns.push(sums.finish());
            cache.append(made)
        })
    }
}

/// Draws the first and the last line on to the bounds.
fn extend(points: &mut Vec<(i64, f64)>, start: i64, stop: i64) {
    let at = |a: (i64, f64), b: (i64, f64), time: i64| {
        a.1 + (b.1 - a.1) * ((time - a.0) as f64 / (b.0 - a.0) as f64)
    };
    match points.as_slice() {
        [] => {}
        [(_, value)] => *points = vec![(start, *value), (stop, *value)],
        [a, b, ..] => {
            let (first, before) = (at(*a, *b, start), points[points.len() - 2]);
            let last = at(before, points[points.len() - 1], stop);
            points.insert(0, (start, first));
            points.push((stop, last));
        }
    }
    points.dedup_by_key(|(time, _)| *time);
}

/// The row that a selector chooses.
fn selected(
    node: &Stream,
    table: &Table,
    column: &Rc<str>,
    aggregate: Aggregate,
) -> Result<Vec<usize>, Failure> {
    let Some(found) = table.column(column) else {
        return Err(node.error(format_args!("no column \"{column}\" exists")));
    };
    let mut rows = (0..table.rows).filter(|row| !found.get(*row).is_null());
    let is_number = matches!(found.kind, Kind::Float | Kind::Integer | Kind::Unsigned);
    let chosen = match aggregate {
        Aggregate::First => rows.next(),
        Aggregate::Last => rows.next_back(),
        _ if !is_number && found.kind != Kind::Time => {
            let selector = if aggregate == Aggregate::Min { "Min" } else { "Max" };
            return Err(node.error(format_args!(
                "invalid use of function: *universe.{selector}Selector has no implementation for type {}",
                found.kind.name()
            )));
        }
        _ => rows.reduce(|best, row| {
            let order = compare_values(&found.get(row), &found.get(best));
            let is_better = if aggregate == Aggregate::Min { order.is_lt() } else { order.is_gt() };
            if is_better { row } else { best }
        }),
    };
    Ok(chosen.into_iter().collect())
}
