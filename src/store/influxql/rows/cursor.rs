//! The rows of a statement: columns computed from what its streams have at one time.

use super::fill::{Limited, filling};
use super::text::{Times, push_value};
use crate::proto::influxql::Fill;
use crate::store::influxql::expr::eval::{Evaluator, Row};
use crate::store::influxql::expr::{Expr, Kind};
use crate::store::influxql::fault::Fault;
use crate::store::influxql::functions::build::Builder;
use crate::store::influxql::plan::functions::is_selector;
use crate::store::influxql::plan::options::Options;
use crate::store::influxql::plan::select::{Select, Source, added_by};
use crate::store::influxql::read::item::{Flow, Item, Label, Peek};
use crate::store::influxql::read::mapping::{Context, Mapping};
use crate::store::influxql::read::merge::sorted;
use crate::store::influxql::read::source;
use crate::store::value::{FieldType, Value};
use std::sync::Arc;

/// Where a column comes from.
enum Column {
    Time,
    Slot(usize),
    /// Over slots; their numbers are the names of the references.
    Computed(Expr),
}

/// A call or a reference that a row has a value of.
#[derive(PartialEq)]
struct Slot {
    expr: Expr,
    kind: Kind,
}

#[derive(Default)]
struct Slots(Vec<Slot>);

impl Slots {
    fn of(&mut self, expr: &Expr) -> usize {
        if let Some(at) = self.0.iter().position(|known| known.expr == *expr) {
            return at;
        }
        self.0.push(Slot { expr: expr.clone(), kind: Kind::Unknown });
        self.0.len() - 1
    }

    /// The same expression over slots.
    fn map(&mut self, expr: &Expr) -> Expr {
        let slot = |at: usize| Expr::reference(&at.to_string(), Kind::Unknown);
        match expr {
            Expr::Ref { .. } => slot(self.of(expr)),
            Expr::Call { name, arguments } => {
                if crate::store::influxql::expr::math::arguments(name).is_none() {
                    return slot(self.of(expr));
                }
                let arguments = arguments.iter().map(|one| self.map(one)).collect();
                Expr::Call { name: name.clone(), arguments }
            }
            Expr::Binary { operator, left, right } => {
                Expr::binary(*operator, self.map(left), self.map(right))
            }
            Expr::Paren(inner) => Expr::Paren(Box::new(self.map(inner))),
            other => other.clone(),
        }
    }

    fn column(&mut self, expr: &Expr) -> Column {
        match self.map(expr) {
            Expr::Ref { name, .. } => {
                Column::Slot(name.parse().expect("a slot is named by its number"))
            }
            computed => Column::Computed(computed),
        }
    }
}

struct Values(Vec<Option<Value>>);

impl Row for Values {
    fn value(&self, name: &str, _: Kind) -> Option<Value> {
        self.0.get(name.parse::<usize>().ok()?)?.clone()
    }
}

/// One stream, and the slots that its points fill.
struct Scanner<'a> {
    input: Peek<'a>,
    /// With the type that a number is cast to before it fills a null.
    main: Option<(usize, Option<FieldType>)>,
    aux: Vec<(usize, Option<FieldType>)>,
}

/// What stands where a point has nothing.
enum Missing {
    /// What stood there before.
    Kept,
    Null,
    Number(Value),
}

pub struct Cursor<'a> {
    scanners: Vec<Scanner<'a>>,
    columns: Vec<Column>,
    values: Values,
    missing: Missing,
    ascending: bool,
    /// Of the row before.
    label: Option<Arc<Label>>,
}

/// A row without its values, which lie in the cursor.
pub struct Head {
    pub label: Arc<Label>,
    pub time: i64,
}

/// What a statement asks its sources for: calls, and references sorted by name.
pub fn parts(select: &Select) -> (Vec<Expr>, Vec<Expr>) {
    let mut slots = Slots::default();
    for field in &select.fields {
        slots.column(&field.expr);
        for added in added_by(&field.expr) {
            slots.column(added);
        }
    }
    let all = slots.0.into_iter().map(|slot| slot.expr);
    let (mut refs, calls): (Vec<Expr>, Vec<Expr>) =
        all.partition(|expr| matches!(expr, Expr::Ref { .. }));
    refs.sort_by_key(ToString::to_string);
    (calls, refs)
}

/// Builds all streams of a statement.
pub fn open<'a>(
    context: &'a Context<'a>,
    mapping: &'a Mapping,
    select: &Select,
    options: &Options,
) -> Result<Cursor<'a>, Fault> {
    let mut slots = Slots::default();
    let mut columns = Vec::new();
    if select.has_time {
        columns.push(Column::Time);
    }
    for field in &select.fields {
        columns.push(slots.column(&field.expr));
        if select.into.is_none() {
            for added in added_by(&field.expr) {
                columns.push(slots.column(added));
            }
        }
    }
    let missing = match options.fill {
        Fill::Previous => Missing::Kept,
        Fill::Integer(number) => Missing::Number(Value::Integer(number)),
        Fill::Number(number) => Missing::Number(Value::Float(number)),
        _ => Missing::Null,
    };
    for slot in &mut slots.0 {
        slot.kind = crate::store::influxql::expr::types::of(&slot.expr, &select.sources, mapping)
            .unwrap_or(Kind::Unknown);
    }
    let scanners = scanners(context, mapping, select, options, &slots)?;
    Ok(Cursor {
        scanners,
        columns,
        values: Values(slots.0.iter().map(|_| None).collect()),
        missing,
        ascending: options.ascending,
        label: None,
    })
}

fn scanners<'a>(
    context: &'a Context<'a>,
    mapping: &'a Mapping,
    select: &Select,
    options: &Options,
    slots: &Slots,
) -> Result<Vec<Scanner<'a>>, Fault> {
    let mut refs: Vec<(Arc<str>, Kind, usize)> = Vec::new();
    let mut calls: Vec<usize> = Vec::new();
    for (at, slot) in slots.0.iter().enumerate() {
        match &slot.expr {
            Expr::Ref { name, kind } => refs.push((name.clone(), *kind, at)),
            _ => calls.push(at),
        }
    }
    refs.sort_by(|a, b| a.0.cmp(&b.0));
    let mut options = options.clone();
    options.aux = refs.iter().map(|(name, kind, _)| (name.clone(), *kind)).collect();
    let aux: Vec<(usize, Option<FieldType>)> =
        refs.iter().map(|(_, kind, at)| (*at, kind.field())).collect();
    if calls.is_empty() {
        if refs.iter().all(|(_, kind, _)| *kind == Kind::Unknown) {
            return Ok(Vec::new());
        }
        let Some(flow) = rows(context, mapping, select, &options)? else { return Ok(Vec::new()) };
        let flow = Limited::of(flow, &options);
        return Ok(vec![Scanner { input: Peek::new(flow.stream), main: None, aux }]);
    }
    let is_single = match calls.as_slice() {
        [at] => matches!(&slots.0[*at].expr, Expr::Call { name, .. } if is_selector(name)),
        _ => false,
    };
    let builder = Builder {
        context,
        mapping,
        sources: &select.sources,
        is_selector: is_single,
        writes: select.into.is_some(),
    };
    let mut scanners = Vec::new();
    for at in calls {
        let slot = &slots.0[at];
        if slot.kind == Kind::Unknown {
            continue;
        }
        let flow = Limited::of(builder.call(&slot.expr, &options)?, &options);
        let main = Some((at, slot.kind.field()));
        scanners.push(Scanner { input: Peek::new(flow.stream), main, aux: aux.clone() });
    }
    Ok(scanners)
}

/// The rows of a statement without calls.
fn rows<'a>(
    context: &'a Context<'a>,
    mapping: &'a Mapping,
    select: &Select,
    options: &Options,
) -> Result<Option<Flow<'a>>, Fault> {
    let mut streams = Vec::new();
    for source in &select.sources {
        let flow = match source {
            Source::Measurement(measurement) => {
                source::raw(context, mapping, measurement, None, options)?
            }
            Source::Subquery(inner) => {
                super::subquery::rows(context, mapping, inner, options).map(Some)?
            }
        };
        streams.extend(flow.map(|flow| flow.stream));
    }
    if streams.is_empty() {
        return Ok(None);
    }
    let stream = sorted(streams, options.ascending);
    Ok(Some(Flow { kind: FieldType::Float, stream }))
}

impl Cursor<'_> {
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The next row, if there is one.
    pub fn next(&mut self) -> Result<Option<Head>, Fault> {
        if self.scanners.len() == 1 {
            return self.only();
        }
        let Some(head) = self.first()? else { return Ok(None) };
        self.enter(&head);
        for at in 0..self.scanners.len() {
            self.scan(at, &head)?;
        }
        Ok(Some(head))
    }

    /// Nothing remains of the series before.
    fn enter(&mut self, head: &Head) {
        if self.label.as_ref().is_some_and(|known| Arc::ptr_eq(known, &head.label)) {
            return;
        }
        let known = self.label.replace(head.label.clone());
        if known.is_none_or(|known| known != head.label) {
            self.values.0.fill(None);
        }
    }

    /// The row of a statement with one stream: whatever comes next.
    fn only(&mut self) -> Result<Option<Head>, Fault> {
        let Some(item) = self.scanners[0].input.next()? else { return Ok(None) };
        let head = Head { label: item.label, time: item.time };
        self.enter(&head);
        self.put(0, item.value, item.aux);
        Ok(Some(head))
    }

    /// The earliest of what the streams have next.
    fn first(&mut self) -> Result<Option<Head>, Fault> {
        let mut first: Option<Head> = None;
        for scanner in &mut self.scanners {
            let Some(item) = scanner.input.peek()? else { continue };
            let is_first = match &first {
                None => true,
                Some(first) => {
                    let label = if Arc::ptr_eq(&item.label, &first.label) {
                        std::cmp::Ordering::Equal
                    } else {
                        let names = item.label.name.cmp(&first.label.name);
                        names.then_with(|| item.label.key().cmp(&first.label.key()))
                    };
                    let order = label.then(item.time.cmp(&first.time));
                    if self.ascending { order.is_lt() } else { order.is_gt() }
                }
            };
            if is_first {
                first = Some(Head { label: item.label.clone(), time: item.time });
            }
        }
        Ok(first)
    }

    fn scan(&mut self, at: usize, head: &Head) -> Result<(), Fault> {
        let scanner = &mut self.scanners[at];
        let is_here = scanner.input.peek()?.is_some_and(|item| {
            item.time == head.time
                && (Arc::ptr_eq(&item.label, &head.label) || item.label == head.label)
        });
        let item: Option<Item> = if is_here { scanner.input.next()? } else { None };
        let (main, values) = match item {
            Some(item) => (item.value, item.aux),
            None => (None, Vec::new()),
        };
        self.put(at, main, values);
        Ok(())
    }

    fn put(&mut self, at: usize, main: Option<Value>, values: Vec<Option<Value>>) {
        let mut values = values.into_iter();
        let scanner = &self.scanners[at];
        let missing = &self.missing;
        let row = &mut self.values.0;
        let mut put = |(slot, kind): (usize, Option<FieldType>), value: Option<Value>| {
            row[slot] = match (value, missing) {
                (Some(value), _) => Some(value),
                (None, Missing::Kept) => return,
                (None, Missing::Null) => None,
                (None, Missing::Number(number)) => match kind {
                    Some(kind) => Some(filling(number.clone(), kind)),
                    None => Some(number.clone()),
                },
            };
        };
        if let Some(main_slot) = scanner.main {
            put(main_slot, main);
        }
        for slot in &scanner.aux {
            put(*slot, values.next().flatten());
        }
    }

    /// A column of the row; NaN is null.
    pub fn value(&self, column: usize, head: &Head) -> Option<Value> {
        let value = match &self.columns[column] {
            Column::Time => Some(Value::Integer(head.time)),
            Column::Slot(slot) => self.values.0[*slot].clone(),
            Column::Computed(expr) => {
                Evaluator { row: &self.values, float_division: true }.value(expr)
            }
        };
        value.filter(|value| !matches!(value, Value::Float(number) if number.is_nan()))
    }

    pub fn is_time(&self, column: usize) -> bool {
        matches!(self.columns[column], Column::Time)
    }

    /// The same as text.
    pub fn push(
        &self,
        column: usize,
        head: &Head,
        times: &Times,
        out: &mut String,
    ) -> Result<(), Fault> {
        match &self.columns[column] {
            Column::Time => times.push(head.time, out),
            Column::Slot(slot) => push_value(self.values.0[*slot].as_ref(), out)?,
            Column::Computed(_) => push_value(self.value(column, head).as_ref(), out)?,
        }
        Ok(())
    }
}
