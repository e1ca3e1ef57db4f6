//! All points of a measurement that a statement wants, group after group.

use super::filter;
use super::item::{Boxed, Chain, Flow, Item, Label, Next, Ready, Stream};
use super::mapping::{Context, Mapping, Place, direction};
use super::merge::{by_window, sorted};
use super::scan::{Wanted, field, scan};
use crate::base::map::FastMap;
use crate::store::influxql::expr::{Expr, Kind};
use crate::store::influxql::fault::Fault;
use crate::store::influxql::functions::aggregate::Call;
use crate::store::influxql::functions::fold::Fold;
use crate::store::influxql::functions::reduce::Reduce;
use crate::store::influxql::plan::options::Options;
use crate::store::influxql::plan::select::Measurement;
use crate::store::value::FieldType;
use crate::store::view::{Series, TimeRange, Window};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Series that go into one group of the outermost statement, sorted by key.
struct TagSet {
    series: Vec<(Arc<Series>, Option<Expr>, Arc<Label>)>,
}

/// What one item, or one opened series, costs beside its strings.
const ITEM_BYTES: usize = 96;

fn tag_sets(
    context: &Context<'_>,
    place: &Place,
    name: &Arc<str>,
    options: &Options,
) -> Result<Vec<TagSet>, Fault> {
    let admitted = filter::series(options.condition.as_deref(), name, &*place.database);
    context.hold(admitted.len() * ITEM_BYTES)?;
    let mut labels: FastMap<String, Arc<Label>> = FastMap::default();
    let mut sets: BTreeMap<Box<str>, TagSet> = BTreeMap::new();
    for (series, rest) in admitted {
        let mut key = String::new();
        for dimension in options.group_by.iter() {
            key.push_str(series.tag(dimension).unwrap_or_default());
            key.push('\0');
        }
        let label = labels.entry(key).or_insert_with(|| {
            let empty: Arc<str> = "".into();
            let tag = |key: &Arc<str>| {
                let found = series.tags.iter().find(|(known, _)| known == key);
                (key.clone(), found.map_or(empty.clone(), |(_, value)| value.clone()))
            };
            let tags = options.group_by.iter().map(tag).collect();
            Arc::new(Label::new(name.clone(), tags, &options.dimensions))
        });
        let set = sets.entry(label.outer.clone()).or_insert(TagSet { series: Vec::new() });
        set.series.push((series, rest, label.clone()));
    }
    let mut sets: Vec<TagSet> = sets.into_values().collect();
    for set in &mut sets {
        set.series.sort_by(|a, b| a.0.key.cmp(&b.0.key));
        if !options.ascending {
            set.series.reverse();
        }
    }
    Ok(limited(sets, place, options))
}

/// SLIMIT and SOFFSET count groups; only those that have a point in some window count.
fn limited(mut sets: Vec<TagSet>, place: &Place, options: &Options) -> Vec<TagSet> {
    let count = |number: Option<u64>| usize::try_from(number.unwrap_or(0)).unwrap_or(usize::MAX);
    let (limit, offset) = (count(options.limits.series_limit), count(options.limits.series_offset));
    if limit > 0 || offset > 0 {
        sets.retain(|set| set.series.iter().any(|(series, _, _)| is_in(place, series)));
        let end = offset.saturating_add(limit).min(sets.len());
        sets = sets.into_iter().take(end).skip(offset.min(end)).collect();
    }
    if !options.ascending {
        sets.reverse();
    }
    sets
}

fn is_in(place: &Place, series: &Series) -> bool {
    let has = |window: &Arc<dyn Window>| {
        window.fields(&series.measurement).iter().any(|(field, _)| {
            let how = (TimeRange::ALL, direction(true));
            window.read(series, field, how.0, how.1).is_some()
        })
    };
    place.windows.iter().any(has)
}

fn range(options: &Options) -> TimeRange {
    TimeRange { min_ns: options.start_ns, max_ns: options.end_ns }
}

/// What is to be read of one series.
fn wanted<'w>(
    options: &'w Options,
    main: Option<(&'w str, Kind)>,
    rest: &'w Option<Expr>,
    label: &Arc<Label>,
) -> Wanted<'w> {
    Wanted {
        label: label.clone(),
        main,
        aux: &options.aux,
        condition: rest.as_ref(),
        range: range(options),
        ascending: options.ascending,
    }
}

/// At most so many points, as a window of InfluxDB gives them before the offset is taken away.
struct AtMost<'a> {
    input: Boxed<'a>,
    left: u64,
}

impl Stream for AtMost<'_> {
    fn next(&mut self) -> Next {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.input.next()
    }
}

/// The names that a measurement of the statement stands for, in the order of the answer.
fn names(place: &Place, measurement: &Measurement, ascending: bool) -> Vec<Arc<str>> {
    let mut names = place.measurements(&measurement.name);
    if !ascending {
        names.reverse();
    }
    names
}

/// Points as they are, in order. Without `main` the rows of all that comes along.
pub fn raw<'a>(
    context: &'a Context<'a>,
    mapping: &'a Mapping,
    measurement: &Measurement,
    main: Option<(Arc<str>, Kind)>,
    options: &Options,
) -> Result<Option<Flow<'a>>, Fault> {
    let Some(place) = mapping.place(measurement) else { return Ok(None) };
    let mut sets = Vec::new();
    for name in names(place, measurement, options.ascending) {
        sets.extend(tag_sets(context, place, &name, options)?);
    }
    if sets.is_empty() {
        return Ok(None);
    }
    let kind = match &main {
        Some((_, Kind::Value(kind))) => *kind,
        _ => FieldType::Float,
    };
    if let Some((name, _)) = &main
        && !has_field(place, &sets, name)
    {
        return Ok(None);
    }
    let options = options.clone();
    let streams = sets.into_iter().map(move |set| {
        Ok(Box::new(set_stream(context, place, set, main.clone(), options.clone())) as Boxed<'a>)
    });
    Ok(Some(Flow::new(kind, Chain::new(streams))))
}

fn has_field(place: &Place, sets: &[TagSet], field: &str) -> bool {
    let measurements = sets.iter().filter_map(|set| set.series.first());
    let mut known: Vec<&str> = measurements.map(|(series, _, _)| &*series.measurement).collect();
    known.dedup();
    known.iter().any(|measurement| {
        let has = |window: &Arc<dyn Window>| {
            window.fields(measurement).iter().any(|(name, _)| **name == *field)
        };
        place.windows.iter().any(has)
    })
}

/// One group, window after window.
fn set_stream<'a>(
    context: &'a Context<'a>,
    place: &'a Place,
    set: TagSet,
    main: Option<(Arc<str>, Kind)>,
    options: Options,
) -> Chain<'a> {
    let windows = place.windows_by(options.ascending);
    Chain::new(windows.into_iter().map(move |window| {
        let main = main.as_ref().map(|(name, kind)| (&**name, *kind));
        let mut streams: Vec<Boxed<'a>> = Vec::new();
        for (series, rest, label) in &set.series {
            let wanted = wanted(&options, main, rest, label);
            if let Some(one) = scan(&*window, series, &wanted, context.guard) {
                streams.push(Box::new(one));
            }
        }
        let merged = sorted(streams, options.ascending);
        let (limit, offset) = (options.limit(), options.offset());
        let is_whole = options.dimensions.len() == options.group_by.len();
        if (limit > 0 || offset > 0) && is_whole {
            let left = limit.saturating_add(offset).saturating_add(1);
            return Ok(Box::new(AtMost { input: merged, left }) as Boxed<'a>);
        }
        Ok(merged)
    }))
}

/// A function whose parts can be combined, computed series by series.
pub fn call<'a>(
    context: &'a Context<'a>,
    mapping: &'a Mapping,
    measurement: &Measurement,
    (call, field): (Call, (Arc<str>, Kind)),
    options: &Options,
) -> Result<Option<Flow<'a>>, Fault> {
    let Some(place) = mapping.place(measurement) else { return Ok(None) };
    let mut sets = Vec::new();
    for name in names(place, measurement, options.ascending) {
        sets.extend(tag_sets(context, place, &name, options)?);
    }
    let Some(of) = field.1.field() else { return Ok(None) };
    if sets.is_empty() || !has_field(place, &sets, &field.0) {
        return Ok(None);
    }
    let Some(kind) = call.kind(of) else { return Err(unsupported(call, of)) };
    let options = options.clone();
    let streams = sets.into_iter().map(move |set| {
        let items = set_call(context, place, &set, call, &field, &options)?;
        Ok(Box::new(Ready(items.into_iter())) as Boxed<'a>)
    });
    Ok(Some(Flow::new(kind, Chain::new(streams))))
}

fn unsupported(call: Call, of: FieldType) -> Fault {
    let name = format!("{call:?}").to_lowercase();
    Fault::Text(format!("unsupported {name} iterator type: *query.{}InterruptIterator", of.name()))
}

fn drain(mut stream: Boxed<'_>) -> Result<Vec<Item>, Fault> {
    let mut items = Vec::new();
    while let Some(item) = stream.next()? {
        items.push(item);
    }
    Ok(items)
}

fn set_call(
    context: &Context<'_>,
    place: &Place,
    set: &TagSet,
    call: Call,
    field: &(Arc<str>, Kind),
    options: &Options,
) -> Result<Vec<Item>, Fault> {
    let is_first = matches!(call, Call::First | Call::Last);
    if is_first && options.interval_ns == 0 {
        return outermost(context, place, set, call, field, options);
    }
    let mut windows: Vec<Boxed<'_>> = Vec::new();
    for window in place.windows_by(options.ascending) {
        let mut parts: Vec<Boxed<'_>> = Vec::new();
        for (series, rest, label) in &set.series {
            let items =
                series_call(context, &*window, (series, rest, label), (call, field), options)?;
            if !items.is_empty() {
                context.hold(items.len() * ITEM_BYTES)?;
                parts.push(Box::new(Ready(items.into_iter())));
            }
        }
        if !parts.is_empty() {
            let merged = by_window(parts, options);
            let merging = call.merging();
            let items = drain(Box::new(
                Reduce::new(merged, options, Box::new(move || merging.reducer())).by_group(),
            ))?;
            windows.push(Box::new(Ready(items.into_iter())));
        }
    }
    if windows.is_empty() {
        return Ok(Vec::new());
    }
    let merging = call.merging();
    let merged = by_window(windows, options);
    drain(Box::new(Reduce::new(merged, options, Box::new(move || merging.reducer())).by_group()))
}

type Member<'m> = (&'m Arc<Series>, &'m Option<Expr>, &'m Arc<Label>);

/// One series in one window: block by block if nothing but the field is needed.
fn series_call(
    context: &Context<'_>,
    window: &dyn Window,
    (series, rest, label): Member<'_>,
    (call, main): (Call, &(Arc<str>, Kind)),
    options: &Options,
) -> Result<Vec<Item>, Fault> {
    let (name, kind) = (&*main.0, main.1);
    if rest.is_none() && options.aux.is_empty() {
        let how = (range(options), direction(options.ascending));
        let Some(mut cursor) = field(window, series, (name, kind), how, context.guard) else {
            return Ok(Vec::new());
        };
        let mut fold = Fold::new(call, options, label.clone());
        while let Some(block) = cursor.block()? {
            fold.block(&block);
        }
        return Ok(fold.finish());
    }
    let wanted = wanted(options, Some((name, kind)), rest, label);
    let Some(one) = scan(window, series, &wanted, context.guard) else { return Ok(Vec::new()) };
    drain(Box::new(
        Reduce::new(Box::new(one), options, Box::new(move || call.reducer())).by_group(),
    ))
}

/// The first or the last point of a group over all time: windows are left out as soon as one has it. Of points of
/// one time the merging of their series decides.
fn outermost(
    context: &Context<'_>,
    place: &Place,
    set: &TagSet,
    call: Call,
    main: &(Arc<str>, Kind),
    options: &Options,
) -> Result<Vec<Item>, Fault> {
    let ascending = call == Call::First;
    let is_whole = options.dimensions.len() == options.group_by.len();
    // With further groups inside every part has a point of its own.
    let mut missing: Vec<usize> = (0..set.series.len()).collect();
    if ascending != options.ascending {
        missing.reverse();
    }
    let mut found: Vec<Item> = Vec::new();
    for window in place.windows_by(ascending) {
        let mut streams: Vec<Boxed<'_>> = Vec::new();
        for at in &missing {
            let (series, rest, label) = &set.series[*at];
            let main = Some((&*main.0, main.1));
            let wanted = Wanted { ascending, ..wanted(options, main, rest, label) };
            if let Some(one) = scan(&*window, series, &wanted, context.guard) {
                let input: Boxed<'_> = Box::new(one);
                streams.push(if is_whole { input } else { Box::new(AtMost { input, left: 2 }) });
            }
        }
        // InfluxDB's limit lets one point more through where there is one group; of two at one time the function then
        // takes one by their values.
        let points_max = if is_whole { 2 } else { usize::MAX };
        let mut merged = sorted(streams, ascending);
        let mut count = 0;
        while let Some(item) = if count < points_max { merged.next()? } else { None } {
            count += 1;
            let is_new = found.last().is_none_or(|last| match is_whole {
                // Of equal ones the first stays.
                true => last.time != item.time || last.value != item.value,
                false => last.label != item.label,
            });
            if is_new {
                found.push(item);
            }
        }
        if is_whole && !found.is_empty() {
            break;
        }
        missing.retain(|at| !found.iter().any(|item| item.label == set.series[*at].2));
        if missing.is_empty() {
            break;
        }
    }
    if found.is_empty() {
        return Ok(found);
    }
    // As the combining function would put them.
    let input: Boxed<'_> = Box::new(Ready(found.into_iter()));
    drain(Box::new(Reduce::new(input, options, Box::new(move || call.reducer())).by_group()))
}
