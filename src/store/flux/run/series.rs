//! Stages that set a row against those before it.

use std::rc::Rc;

use super::super::failure::Failure;
use super::super::node::{Op, Stream};
use super::super::table::{Cellar, Column, Table};
use super::super::value::{Kind, Value};
use super::aggregate::number;
use super::{Runner, Sink};

/// A column that must be there, with a type that can be reckoned with.
fn numeric<'t>(node: &Stream, table: &'t Table, label: &str) -> Result<&'t Column, Failure> {
    let column = present(node, table, label)?;
    match column.kind {
        Kind::Float | Kind::Integer | Kind::Unsigned => Ok(column),
        other => Err(node.error(format_args!("unsupported column type {}", other.name()))),
    }
}

fn present<'t>(node: &Stream, table: &'t Table, label: &str) -> Result<&'t Column, Failure> {
    let missing = || node.error(format_args!("column \"{label}\" does not exist"));
    table.column(label).ok_or_else(missing)
}

fn times<'t>(node: &Stream, table: &'t Table, label: &str) -> Result<&'t Column, Failure> {
    let column = present(node, table, label)?;
    match column.kind {
        Kind::Time => Ok(column),
        _ => Err(node.error(format_args!("column \"{label}\" must be of type time"))),
    }
}

/// `a - b`; of two unsigned numbers it is signed.
fn minus(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => Value::Integer(a.wrapping_sub(*b)),
        (Value::Unsigned(a), Value::Unsigned(b)) => Value::Integer(a.wrapping_sub(*b) as i64),
        (Value::Float(a), Value::Float(b)) => Value::Float(a - b),
        _ => Value::Null,
    }
}

fn is_less(a: &Value, b: &Value) -> bool {
    super::super::key::compare_values(a, b).is_lt()
}

impl Runner<'_, '_> {
    pub fn derivative(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let Op::Derivative { unit, non_negative, columns, time, zero } = &node.op else {
            unreachable!("a derivative is run")
        };
        self.each(node, sink, |table| {
            let clock = times(node, &table, time)?;
            // A row of the time of the row before it is left out.
            let mut rows: Vec<usize> = Vec::new();
            for row in 0..table.rows {
                let now = clock
                    .time(row)
                    .ok_or_else(|| node.error("derivative found null time in time column"))?;
                match rows.last().and_then(|before| clock.time(*before)) {
                    Some(before) if now < before => {
                        return Err(
                            node.error("derivative found out-of-order times in time column")
                        );
                    }
                    Some(before) if now == before => {}
                    _ => rows.push(row),
                }
            }
            let mut made = table.take(rows.get(1..).unwrap_or_default());
            for label in columns {
                let column = numeric(node, &table, label)?;
                let mut cellar = Cellar::new(label, Kind::Float);
                let mut before: Option<(i64, Value)> = None;
                for (at, row) in rows.iter().enumerate() {
                    let (now, value) = (clock.time(*row).unwrap_or(0), column.get(*row));
                    let slope = match (&before, number(&value)) {
                        (Some((then, was)), Some(own)) => {
                            let elapsed = (now - then) as f64 / *unit as f64;
                            match is_less(&value, was) && *non_negative {
                                true if *zero => Value::Float(own / elapsed),
                                true => Value::Null,
                                false => difference_of(&value, was)
                                    .map_or(Value::Null, |gap| Value::Float(gap / elapsed)),
                            }
                        }
                        _ => Value::Null,
                    };
                    if at > 0 {
                        cellar.push(slope);
                    }
                    if !value.is_null() {
                        before = Some((now, value));
                    }
                }
                made.put(cellar.finish());
            }
            Ok(Some(made))
        })
    }

    pub fn difference(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let Op::Difference { non_negative, keep_first, zero, columns } = &node.op else {
            unreachable!("a difference is run")
        };
        self.each_cached(node, sink, |table, cache| {
            let first = usize::from(!keep_first);
            let rows: Vec<usize> = (first..table.rows).collect();
            let mut made = table.take(&rows);
            for label in columns {
                let column = numeric(node, &table, label)?;
                let kind = if column.kind == Kind::Unsigned { Kind::Integer } else { column.kind };
                let mut cellar = Cellar::new(label, kind);
                let mut before = Value::Null;
                for row in 0..table.rows {
                    let value = column.get(row);
                    let has_fallen = *non_negative && !before.is_null() && is_less(&value, &before);
                    let gap = if value.is_null() {
                        Value::Null
                    } else if before.is_null() {
                        if *zero { minus(&value, &value) } else { Value::Null }
                    } else if has_fallen {
                        if *zero { signed(&value) } else { Value::Null }
                    } else {
                        minus(&value, &before)
                    };
                    if row >= first {
                        cellar.push(gap);
                    }
                    if !value.is_null() {
                        before = value;
                    }
                }
                made.put(cellar.finish());
            }
            cache.append(made)
        })
    }

    pub fn cumulative_sum(
        &self,
        node: &Stream,
        labels: &[Rc<str>],
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each(node, sink, |mut table| {
            for label in labels {
                let column = numeric(node, &table, label)?;
                let mut cellar = Cellar::new(label, column.kind);
                let mut sum = Value::Null;
                for row in 0..table.rows {
                    sum = match (&sum, column.get(row)) {
                        (Value::Null, value) => value,
                        (Value::Integer(sum), Value::Integer(more)) => {
                            Value::Integer(sum.wrapping_add(more))
                        }
                        (Value::Unsigned(sum), Value::Unsigned(more)) => {
                            Value::Unsigned(sum.wrapping_add(more))
                        }
                        (Value::Float(sum), Value::Float(more)) => Value::Float(sum + more),
                        (sum, _) => sum.clone(),
                    };
                    cellar.push(sum.clone());
                }
                table.put(cellar.finish());
            }
            Ok(Some(table))
        })
    }

    pub fn elapsed(
        &self,
        node: &Stream,
        unit: i64,
        time: &Rc<str>,
        name: &Rc<str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        self.each_cached(node, sink, |table, cache| {
            let clock = times(node, &table, time)?;
            let mut cellar = Cellar::new(name, Kind::Integer);
            for row in 1..table.rows {
                match (clock.time(row - 1), clock.time(row)) {
                    (Some(before), Some(now)) => cellar.push(Value::Integer((now - before) / unit)),
                    _ => cellar.push(Value::Null),
                }
            }
            let rows: Vec<usize> = (1..table.rows).collect();
            let mut made = table.take(&rows);
            made.put(cellar.finish());
            cache.append(made)
        })
    }

    /// A ring of the last values, added up from its first slot: that is seen in the last digits.
    pub fn moving_average(
        &self,
        node: &Stream,
        n: i64,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        self.input(node, &mut |table| {
            let Some(column) = table.column("_value") else {
                return Err(node.error("cannot find _value column"));
            };
            let column = numeric(node, &table, &column.label)?;
            let mut ring: Vec<Option<f64>> = Vec::new();
            let mut cellar = Cellar::new(&column.label, Kind::Float);
            for row in 0..table.rows {
                let value = number(&column.get(row));
                if ring.len() < n {
                    ring.push(value);
                } else {
                    ring[row % n] = value;
                }
                if ring.len() == n {
                    cellar.push(mean(&ring));
                }
            }
            let from = n.saturating_sub(1).min(table.rows);
            let rows: Vec<usize> = (from..table.rows).collect();
            let mut made = table.take(&rows);
            made.put(cellar.finish());
            sink(made)?;
            // InfluxDB gives what there is of too few rows as a table of its own.
            if table.rows + 1 < n && table.rows > 0 {
                let mut rest = table.take(&[table.rows - 1]);
                rest.put(super::aggregate::single(&column.label, Kind::Float, mean(&ring)));
                sink(rest)?;
            }
            Ok(())
        })
    }

    pub fn exponential_average(
        &self,
        node: &Stream,
        n: i64,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let share = 2.0 / (n as f64 + 1.0);
        self.each_cached(node, sink, |table, cache| {
            let Some(column) = table.column("_value") else {
                return Err(node.error("cannot find _value column"));
            };
            let column = numeric(node, &table, &column.label)?;
            let mut cellar = Cellar::new(&column.label, Kind::Float);
            let (mut sum, mut count, mut average) = (0.0, 0.0, None);
            for row in 0..table.rows {
                let value = number(&column.get(row));
                if let Some(value) = value {
                    match average {
                        Some(before) => average = Some(value * share + before * (1.0 - share)),
                        None => {
                            sum += value;
                            count += 1.0;
                        }
                    }
                }
                let is_last_of_few = row + 1 == table.rows && table.rows < n;
                if average.is_none() && (row + 1 == n || is_last_of_few) && count > 0.0 {
                    average = Some(sum / count);
                }
                if row + 1 >= n || is_last_of_few {
                    cellar.push(average.map_or(Value::Null, Value::Float));
                }
            }
            let from = table.rows - cellar.len();
            let rows: Vec<usize> = (from..table.rows).collect();
            let mut made = table.take(&rows);
            made.put(cellar.finish());
            cache.append(made)
        })
    }

    /// How many rows, or how long, a function has been true.
    pub fn state(&self, node: &Stream, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let Op::State { function, name, unit, time } = &node.op else {
            unreachable!("a state is run")
        };
        self.each(node, sink, |table| {
            let clock = match unit {
                Some(_) => Some(times(node, &table, time)?.clone()),
                None => None,
            };
            let table = Rc::new(table);
            let mut cellar = Cellar::new(name, Kind::Integer);
            let (mut count, mut since) = (0, None);
            for row in 0..table.rows {
                let given = [("r", Value::Row(table.clone(), row))];
                let truth = self.interpreter.apply_row(function, &given);
                if !matches!(truth.map_err(|failure| node.wrapped(failure))?, Value::Boolean(true))
                {
                    (count, since) = (0, None);
                    cellar.push(Value::Integer(-1));
                    continue;
                }
                count += 1;
                let now = clock.as_ref().and_then(|clock| clock.time(row)).unwrap_or(0);
                let begun = *since.get_or_insert(now);
                let shown = unit.map_or(count, |unit| (now - begun) / unit);
                cellar.push(Value::Integer(shown));
            }
            let mut made = Rc::try_unwrap(table).unwrap_or_else(|shared| (*shared).clone());
            made.put(cellar.finish());
            Ok(Some(made))
        })
    }

    /// Rows at all multiples of a step between the first and the last one, on straight lines.
    pub fn interpolate(
        &self,
        node: &Stream,
        every: i64,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let every = every.max(1);
        self.each_cached(node, sink, |table, cache| {
            let (clock, column) = (times(node, &table, "_time")?, numeric(node, &table, "_value")?);
            let points: Vec<(i64, f64)> = (0..table.rows)
                .filter_map(|row| Some((clock.time(row)?, number(&column.get(row))?)))
                .collect();
            let mut moments = Cellar::new(&"_time".into(), Kind::Time);
            let mut values = Cellar::new(&"_value".into(), Kind::Float);
            for pair in points.windows(2) {
                let [(from, a), (to, b)] = [pair[0], pair[1]];
                moments.push(Value::Time(from));
                values.push(Value::Float(a));
                let mut at = from - from.rem_euclid(every) + every;
                while at < to {
                    self.guard().take(16)?;
                    let share = (at - from) as f64 / (to - from) as f64;
                    moments.push(Value::Time(at));
                    values.push(Value::Float(a + (b - a) * share));
                    at += every;
                }
            }
            if let Some((time, value)) = points.last() {
                moments.push(Value::Time(*time));
                values.push(Value::Float(*value));
            }
            let rows = moments.len();
            let mut columns = table.key_columns();
            columns.extend([moments.finish(), values.finish()]);
            cache.append(Table::new(table.key.clone(), columns, rows))
        })
    }
}

fn signed(value: &Value) -> Value {
    match value {
        Value::Unsigned(number) => Value::Integer(*number as i64),
        other => other.clone(),
    }
}

/// `a - b` as a float.
fn difference_of(a: &Value, b: &Value) -> Option<f64> {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => Some(a - b),
        (Value::Integer(a), Value::Integer(b)) => Some(a.wrapping_sub(*b) as f64),
        (Value::Unsigned(a), Value::Unsigned(b)) if a < b => Some(-((b - a) as f64)),
        (Value::Unsigned(a), Value::Unsigned(b)) => Some((a - b) as f64),
        _ => None,
    }
}

fn mean(ring: &[Option<f64>]) -> Value {
    let filled = ring.iter().flatten();
    match filled.clone().count() {
        0 => Value::Null,
        count => Value::Float(filled.fold(0.0, |sum, value| sum + value) / count as f64),
    }
}
