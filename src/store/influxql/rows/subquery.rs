//! The rows of a subquery as points of the statement around it.

use super::cursor::{self, Cursor, Head};
use crate::store::influxql::expr::eval::{Evaluator, Row};
use crate::store::influxql::expr::{Expr, Kind};
use crate::store::influxql::fault::Fault;
use crate::store::influxql::functions::build::cast;
use crate::store::influxql::plan::options::Options;
use crate::store::influxql::plan::select::{Select, added_by};
use crate::store::influxql::read::item::{Flow, Item, Labels, Next, Regroup, Stream};
use crate::store::influxql::read::mapping::{Context, Mapping};
use crate::store::value::{FieldType, Value};
use std::sync::Arc;

/// What of a row a name means.
#[derive(Clone)]
enum Part {
    Column(usize, Kind),
    Tag(Arc<str>),
    Null,
}

fn part(inner: &Select, name: &str, kind: Kind) -> Option<Part> {
    let mut column = 0;
    for field in &inner.fields {
        if field.name() == name {
            return Some(Part::Column(column, kind));
        }
        column += 1;
        for added in added_by(&field.expr) {
            if matches!(added, Expr::Ref { name: known, .. } if &**known == name) {
                return Some(Part::Column(column, kind));
            }
            column += 1;
        }
    }
    let names = inner.dimension_names();
    names.into_iter().find(|known| **known == *name).map(Part::Tag)
}

struct Points<'a> {
    cursor: Cursor<'a>,
    driver: Option<Part>,
    aux: Vec<Part>,
    condition: Option<Arc<Expr>>,
    needed: Vec<(Arc<str>, Part)>,
}

struct Needed<'n, 'a> {
    points: &'n Points<'a>,
    head: &'n Head,
}

impl Row for Needed<'_, '_> {
    fn value(&self, name: &str, _: Kind) -> Option<Value> {
        let (_, part) = self.points.needed.iter().find(|(known, _)| **known == *name)?;
        self.points.part(part, self.head)
    }
}

impl Points<'_> {
    /// A value that comes along keeps its type where it is no number.
    fn beside(&self, part: &Part, head: &Head) -> Option<Value> {
        match part {
            Part::Column(column, _) => {
                self.part(part, head).or_else(|| self.cursor.value(*column, head))
            }
            _ => self.part(part, head),
        }
    }

    fn part(&self, part: &Part, head: &Head) -> Option<Value> {
        match part {
            Part::Column(column, kind) => {
                let value = self.cursor.value(*column, head)?;
                match kind {
                    Kind::Value(kind) => cast(&value, *kind),
                    _ => Some(value),
                }
            }
            Part::Tag(name) => {
                let text = head.label.tag(name);
                (!text.is_empty()).then(|| Value::String(text.as_bytes().into()))
            }
            Part::Null => None,
        }
    }
}

impl Stream for Points<'_> {
    fn next(&mut self) -> Next {
        loop {
            let Some(head) = self.cursor.next()? else { return Ok(None) };
            if let Some(condition) = &self.condition {
                let row = Needed { points: self, head: &head };
                if !(Evaluator { row: &row, float_division: false }).truth(condition) {
                    continue;
                }
            }
            let value = match &self.driver {
                Some(driver) => self.part(driver, &head),
                None => Some(Value::Float(0.0)),
            };
            let aux = self.aux.iter().map(|part| self.beside(part, &head)).collect();
            return Ok(Some(Item { label: head.label, time: head.time, value, aux, merged: 0 }));
        }
    }
}

fn points<'a>(
    context: &'a Context<'a>,
    mapping: &'a Mapping,
    inner: &Select,
    driver: Option<Part>,
    options: &Options,
) -> Result<Flow<'a>, Fault> {
    let kind = match &driver {
        Some(Part::Column(_, Kind::Value(kind))) => *kind,
        Some(Part::Tag(_)) => FieldType::String,
        _ => FieldType::Float,
    };
    let inner_options = options.within(inner, context.now_ns);
    let cursor = cursor::open(context, mapping, inner, &inner_options)?;
    let aux = options.aux.iter();
    let aux = aux.map(|(name, kind)| part(inner, name, *kind).unwrap_or(Part::Null)).collect();
    let columns = inner.columns();
    let needed = options.condition.as_deref().map(Expr::references).unwrap_or_default();
    let needed = needed.into_iter().map(|(name, kind)| {
        let column = columns.iter().position(|column| **column == *name);
        let part = match column {
            Some(column) => Part::Column(column, kind),
            None => Part::Tag(name.clone()),
        };
        (name, part)
    });
    let needed = needed.collect();
    let condition = options.condition.clone();
    let points = Points { cursor, driver, aux, condition, needed };
    if options.group_by.len() == inner_options.group_by.len() {
        return Ok(Flow::new(kind, points));
    }
    let labels = Labels::new(options.group_by.clone());
    Ok(Flow::new(kind, Regroup { input: Box::new(points), labels }))
}

/// The values of one column as points; nothing where the subquery has no such column.
pub fn field<'a>(
    context: &'a Context<'a>,
    mapping: &'a Mapping,
    inner: &Select,
    (name, kind): &(Arc<str>, Kind),
    options: &Options,
) -> Result<Option<Flow<'a>>, Fault> {
    let Some(driver) = part(inner, name, *kind) else { return Ok(None) };
    points(context, mapping, inner, Some(driver), options).map(Some)
}

/// Whole rows.
pub fn rows<'a>(
    context: &'a Context<'a>,
    mapping: &'a Mapping,
    inner: &Select,
    options: &Options,
) -> Result<Flow<'a>, Fault> {
    points(context, mapping, inner, None, options)
}
