//! A call becomes a stream.

use super::aggregate::Call;
use super::rank::Rank;
use super::reduce::Reduce;
use super::season::Season;
use super::several::Several;
use super::technical::Technical;
use super::transform::{
    Change, CumulativeSum, Elapsed, Integral, MovingAverage, Transform, Transformed,
};
use crate::proto::influxql::Fill;
use crate::store::influxql::expr::condition::{MAX_NS, MIN_NS};
use crate::store::influxql::expr::{Expr, Kind};
use crate::store::influxql::fault::Fault;
use crate::store::influxql::plan::functions::is_transform;
use crate::store::influxql::plan::options::Options;
use crate::store::influxql::plan::select::Source;
use crate::store::influxql::read::item::{Boxed, Flow, Nothing};
use crate::store::influxql::read::mapping::{Context, Mapping};
use crate::store::influxql::read::merge::by_window;
use crate::store::influxql::read::source;
use crate::store::influxql::rows::fill::{Filled, Windowed};
use crate::store::influxql::rows::subquery;
use crate::store::value::{FieldType, Value};
use std::sync::Arc;

/// What a call is built over.
#[derive(Clone, Copy)]
pub struct Builder<'a, 's> {
    pub context: &'a Context<'a>,
    pub mapping: &'a Mapping,
    pub sources: &'s [Source],
    /// The only call, and one that chooses a point.
    pub is_selector: bool,
    /// The answer is written into a measurement.
    pub writes: bool,
}

fn reference(expr: &Expr) -> Result<(Arc<str>, Kind), Fault> {
    match expr {
        Expr::Ref { name, kind } => Ok((name.clone(), *kind)),
        other => Err(Fault::Text(format!("invalid expression type: {}", other.go_type()))),
    }
}

fn integer(expr: &Expr) -> i64 {
    match expr {
        Expr::Integer(number) => *number,
        _ => 0,
    }
}

fn unsupported(name: &str, of: FieldType) -> Fault {
    let name = match name {
        "non_negative_derivative" => "derivative".to_owned(),
        "non_negative_difference" => "difference".to_owned(),
        "holt_winters_with_fit" => "holt_winters".to_owned(),
        name => name.replace('_', " "),
    };
    Fault::Text(format!("unsupported {name} iterator type: *query.{}InterruptIterator", of.name()))
}

impl<'a> Builder<'a, '_> {
    /// The points of a field of all sources.
    pub fn field(&self, expr: &Expr, options: &Options) -> Result<Option<Flow<'a>>, Fault> {
        let field = reference(expr)?;
        let mut flows = Vec::new();
        for source in self.sources {
            let flow = match source {
                Source::Measurement(measurement) => source::raw(
                    self.context,
                    self.mapping,
                    measurement,
                    Some(field.clone()),
                    options,
                )?,
                Source::Subquery(inner) => {
                    subquery::field(self.context, self.mapping, inner, &field, options)?
                }
            };
            flows.extend(flow);
        }
        Ok(merged(flows, options))
    }

    fn input(&self, expr: &Expr, options: &Options) -> Result<Option<Flow<'a>>, Fault> {
        match expr {
            Expr::Call { .. } => {
                let inner = Builder { is_selector: false, writes: false, ..*self };
                inner.call(expr, options).map(Some)
            }
            _ => self.field(expr, options),
        }
    }

    pub fn call(&self, expr: &Expr, options: &Options) -> Result<Flow<'a>, Fault> {
        let Expr::Call { name, arguments } = expr else {
            return Err(Fault::text("invalid expression"));
        };
        let mut options = options.clone();
        (options.limits.limit, options.limits.offset) = (None, None);
        if is_transform(name) {
            return self.transform(name, arguments, &options);
        }
        let flow = match &**name {
            "top" | "bottom" => return self.ranked(name, arguments, &options),
            "sample" => {
                let seed = self.context.now_ns.cast_unsigned();
                let count = usize::try_from(integer(&arguments[1])).unwrap_or(1);
                return self.several(name, &arguments[0], Several::Sample(count, seed), &options);
            }
            "distinct" => {
                let flow = self.several(name, &arguments[0], Several::Distinct, &options)?;
                return Ok(windowed(flow, &options));
            }
            "integral" => return self.integral(arguments, &options),
            "holt_winters" | "holt_winters_with_fit" => {
                return self.season(name, arguments, &options);
            }
            "median" => self.several(name, &arguments[0], Several::Median, &options)?,
            "mode" => self.several(name, &arguments[0], Several::Mode, &options)?,
            "stddev" => self.several(name, &arguments[0], Several::Stddev, &options)?,
            "spread" => self.several(name, &arguments[0], Several::Spread, &options)?,
            "percentile" => {
                let of = match arguments[1] {
                    Expr::Number(of) => of,
                    Expr::Integer(of) => of as f64,
                    _ => 0.0,
                };
                self.several(name, &arguments[0], Several::Percentile(of), &options)?
            }
            "count" if matches!(arguments[0], Expr::Call { .. }) => {
                let input = self.call(&arguments[0], &options)?;
                let make = || Several::Count.reducer();
                let reduce = Reduce::new(input.stream, &options, Box::new(make));
                Flow::new(FieldType::Integer, reduce)
            }
            _ => {
                let call = Call::named(name)
                    .ok_or_else(|| Fault::Text(format!("unsupported call: {name}")))?;
                self.combined(call, &arguments[0], &options)?
            }
        };
        if self.is_selector && options.interval_ns == 0 {
            return Ok(flow);
        }
        let flow = windowed(flow, &options);
        if options.interval_ns == 0 || options.fill == Fill::None {
            return Ok(flow);
        }
        let kind = flow.kind;
        Ok(Flow::new(kind, Filled::new(flow, &**name == "count", &options)))
    }

    /// A function whose parts are computed where the points are.
    fn combined(&self, call: Call, field: &Expr, options: &Options) -> Result<Flow<'a>, Fault> {
        let field = reference(field)?;
        let mut flows = Vec::new();
        for source in self.sources {
            let flow = match source {
                Source::Measurement(measurement) => {
                    let what = (call, field.clone());
                    source::call(self.context, self.mapping, measurement, what, options)?
                }
                Source::Subquery(inner) => {
                    let flow = subquery::field(self.context, self.mapping, inner, &field, options)?;
                    match flow {
                        None => None,
                        Some(flow) => Some(reduced(call, flow, options)?),
                    }
                }
            };
            flows.extend(flow);
        }
        let Some(flow) = merged_by_window(flows, options) else { return Ok(nothing()) };
        reduced(call.merging(), flow, options)
    }

    fn several(
        &self,
        name: &str,
        field: &Expr,
        function: Several,
        options: &Options,
    ) -> Result<Flow<'a>, Fault> {
        let Some(input) = self.input(field, options)? else { return Ok(nothing()) };
        let Some(kind) = function.kind(input.kind) else {
            return Err(unsupported(name, input.kind));
        };
        let make = move || function.reducer();
        Ok(Flow::new(kind, Reduce::new(input.stream, options, Box::new(make))))
    }

    fn ranked(&self, name: &str, arguments: &[Expr], options: &Options) -> Result<Flow<'a>, Fault> {
        let is_top = name == "top";
        let (Some(last), Some(first)) = (arguments.last(), arguments.first()) else {
            return Ok(nothing());
        };
        let between = &arguments[1..arguments.len() - 1];
        let input = if between.is_empty() {
            self.field(first, options)?
        } else {
            let mut options = options.clone();
            let mut group_by = options.group_by.to_vec();
            for one in between {
                group_by.push(reference(one)?.0);
            }
            group_by.sort();
            group_by.dedup();
            options.group_by = group_by.into();
            options.fill = Fill::None;
            let call = if is_top { Call::Max } else { Call::Min };
            Some(self.combined(call, first, &options)?)
        };
        let Some(input) = input else { return Ok(nothing()) };
        if matches!(input.kind, FieldType::String | FieldType::Boolean) {
            return Err(unsupported(name, input.kind));
        }
        let (count, keeps_tags) = (integer(last), self.writes);
        let make = move || Box::new(Rank::new(is_top, count, keeps_tags)) as _;
        Ok(Flow::new(input.kind, Reduce::new(input.stream, options, Box::new(make))))
    }

    fn integral(&self, arguments: &[Expr], options: &Options) -> Result<Flow<'a>, Fault> {
        let Some(input) = self.field(&arguments[0], options)? else { return Ok(nothing()) };
        if matches!(input.kind, FieldType::String | FieldType::Boolean) {
            return Err(unsupported("integral", input.kind));
        }
        let unit_ns = match arguments.get(1) {
            Some(Expr::Duration(ns)) => *ns,
            _ => 1_000_000_000,
        };
        let of = options.clone();
        let make = move || Box::new(Integral::new(unit_ns, of.clone())) as Box<dyn Transform>;
        Ok(Flow::new(FieldType::Float, Transformed::new(input.stream, options, Box::new(make))))
    }

    fn season(&self, name: &str, arguments: &[Expr], options: &Options) -> Result<Flow<'a>, Fault> {
        let Some(input) = self.input(&arguments[0], options)? else { return Ok(nothing()) };
        if matches!(input.kind, FieldType::String | FieldType::Boolean) {
            return Err(unsupported(name, input.kind));
        }
        let size = |expr: &Expr| usize::try_from(integer(expr)).unwrap_or(0);
        let (ahead, length) = (size(&arguments[1]), size(&arguments[2]));
        let (interval_ns, with_fit) = (options.interval_ns, name.ends_with("with_fit"));
        let mut whole = options.clone();
        (whole.start_ns, whole.end_ns, whole.interval_ns) = (MIN_NS, MAX_NS, 0);
        let make = move || {
            Box::new(Season { ahead, length, interval_ns, with_fit, points: Vec::new() }) as _
        };
        Ok(Flow::new(FieldType::Float, Reduce::new(input.stream, &whole, Box::new(make))))
    }

    fn transform(
        &self,
        name: &str,
        arguments: &[Expr],
        options: &Options,
    ) -> Result<Flow<'a>, Fault> {
        let mut wider = options.clone();
        if options.interval_ns > 0 && name != "cumulative_sum" {
            if options.ascending {
                wider.start_ns = wider.start_ns.saturating_sub(options.interval_ns).max(MIN_NS);
            } else {
                wider.end_ns = wider.end_ns.saturating_add(options.interval_ns).min(MAX_NS);
            }
        }
        let Some(input) = self.input(&arguments[0], &wider)? else { return Ok(nothing()) };
        let is_text = matches!(input.kind, FieldType::String | FieldType::Boolean);
        if is_text && name != "elapsed" {
            return Err(unsupported(name, input.kind));
        }
        let kind = match name {
            "elapsed" => FieldType::Integer,
            "difference" | "non_negative_difference" | "cumulative_sum" => input.kind,
            _ => FieldType::Float,
        };
        let make = maker(name, arguments, options)?;
        Ok(Flow::new(kind, Transformed::new(input.stream, options, make)))
    }
}

fn maker(
    name: &str,
    arguments: &[Expr],
    options: &Options,
) -> Result<super::transform::Make<'static>, Fault> {
    let said = match arguments.get(1) {
        Some(Expr::Duration(ns)) => Some(*ns),
        _ => None,
    };
    let interval = Some(options.interval_ns).filter(|ns| *ns > 0);
    let only_up = name.starts_with("non_negative");
    let ascending = options.ascending;
    let number = arguments.get(1).map_or(0, integer);
    Ok(match name {
        "derivative" | "non_negative_derivative" => {
            let unit_ns = Some(said.or(interval).unwrap_or(1_000_000_000));
            Box::new(move || Box::new(Change { unit_ns, only_up, ascending, last: None }))
        }
        "difference" | "non_negative_difference" => {
            Box::new(move || Box::new(Change { unit_ns: None, only_up, ascending, last: None }))
        }
        "elapsed" => {
            let unit_ns = said.unwrap_or(1);
            Box::new(move || Box::new(Elapsed { unit_ns, last: None }))
        }
        "moving_average" => Box::new(move || Box::new(MovingAverage::new(number))),
        "cumulative_sum" => Box::new(|| Box::new(CumulativeSum::default())),
        _ => match Technical::of(name, arguments) {
            Some(technical) => Box::new(move || technical.transform()),
            None => return Err(Fault::Text(format!("unsupported call: {name}"))),
        },
    })
}

pub fn nothing<'a>() -> Flow<'a> {
    Flow::new(FieldType::Float, Nothing)
}

fn windowed<'a>(flow: Flow<'a>, options: &Options) -> Flow<'a> {
    let kind = flow.kind;
    Flow::new(kind, Windowed { input: flow.stream, options: options.clone() })
}

fn reduced<'a>(call: Call, flow: Flow<'a>, options: &Options) -> Result<Flow<'a>, Fault> {
    let Some(kind) = call.kind(flow.kind) else {
        let name = format!("{call:?}").to_lowercase();
        return Err(unsupported(&name, flow.kind));
    };
    let make = move || call.reducer();
    let reduce = Reduce::new(flow.stream, options, Box::new(make)).by_group();
    Ok(Flow::new(kind, reduce))
}

/// The streams of several sources as one of one type.
fn alike<'a>(flows: Vec<Flow<'a>>) -> Option<(FieldType, Vec<Boxed<'a>>)> {
    let kind = flows.iter().map(|flow| flow.kind).min()?;
    let of_kind = |flow: Flow<'a>| -> Option<Boxed<'a>> {
        let is_number = |kind| !matches!(kind, FieldType::String | FieldType::Boolean);
        match flow.kind == kind {
            true => Some(flow.stream),
            false if is_number(flow.kind) && is_number(kind) => {
                Some(Box::new(Cast { input: flow.stream, to: kind }))
            }
            false => None,
        }
    };
    Some((kind, flows.into_iter().filter_map(of_kind).collect()))
}

struct Cast<'a> {
    input: Boxed<'a>,
    to: FieldType,
}

impl crate::store::influxql::read::item::Stream for Cast<'_> {
    fn next(&mut self) -> crate::store::influxql::read::item::Next {
        let Some(mut item) = self.input.next()? else { return Ok(None) };
        item.value = item.value.as_ref().and_then(|value| cast(value, self.to));
        Ok(Some(item))
    }
}

/// A number as one of another type; anything else stays only if its type is the one wanted.
pub fn cast(value: &Value, to: FieldType) -> Option<Value> {
    match (value, to) {
        (value, to) if value.kind() == to => Some(value.clone()),
        (Value::Integer(value), FieldType::Float) => Some(Value::Float(*value as f64)),
        (Value::Unsigned(value), FieldType::Float) => Some(Value::Float(*value as f64)),
        (Value::Float(value), FieldType::Integer) => Some(Value::Integer(*value as i64)),
        (Value::Unsigned(value), FieldType::Integer) => Some(Value::Integer(value.cast_signed())),
        (Value::Float(value), FieldType::Unsigned) => Some(Value::Unsigned(*value as u64)),
        (Value::Integer(value), FieldType::Unsigned) => {
            Some(Value::Unsigned(value.cast_unsigned()))
        }
        _ => None,
    }
}

fn merged<'a>(flows: Vec<Flow<'a>>, options: &Options) -> Option<Flow<'a>> {
    let (kind, streams) = alike(flows)?;
    Some(Flow {
        kind,
        stream: crate::store::influxql::read::merge::sorted(streams, options.ascending),
    })
}

fn merged_by_window<'a>(flows: Vec<Flow<'a>>, options: &Options) -> Option<Flow<'a>> {
    let (kind, streams) = alike(flows)?;
    Some(Flow { kind, stream: by_window(streams, options) })
}
