//! Which plots a report gets.

use super::axis::Axis;
use super::chart::{Chart, Series};
use crate::write::process::Watch;
use crate::write::report::Report;
use crate::write::tally::Second;
use hdrhistogram::Histogram;
use std::time::Duration;

/// Points of a percentile plot for each factor of ten.
const POINTS_A_DECADE: u32 = 12;
/// The last second of a run is left out if less of it than this was used.
const SECOND_PART_MIN: f64 = 0.3;

pub fn all(report: &Report<'_>) -> Vec<Chart> {
    let measured = &report.measured;
    let took = measured.outcome.took;
    let watches: Vec<&Watch> = measured.watches.iter().chain([&measured.own]).collect();
    let mut charts = vec![percentiles(report)];
    charts.extend(rates(&measured.outcome.seconds, took));
    charts.extend(over_time(&measured.outcome.seconds, took));
    charts.push(processors(&watches));
    charts.push(memory(&watches));
    charts.extend(steps(report));
    charts
}

fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.into(), points, is_line: true }
}

/// All values of one coordinate.
fn values(series: &[Series], pick: fn(&(f64, f64)) -> f64) -> impl Iterator<Item = f64> {
    series.iter().flat_map(move |series| series.points.iter().map(pick))
}

fn chart(title: &'static str, x: Axis, y: Axis, series: Vec<Series>) -> Chart {
    Chart { title, x, y, series, limit: None }
}

fn percentiles(report: &Report<'_>) -> Chart {
    let curve = |histogram: &Histogram<u64>| {
        let end = (histogram.len() as f64).max(10.0).log10();
        let count = (end * f64::from(POINTS_A_DECADE)).ceil() as u32;
        let at = |step: u32| {
            let nines = 10f64.powf((f64::from(step) / f64::from(POINTS_A_DECADE)).min(end));
            (nines, histogram.value_at_quantile(1.0 - 1.0 / nines) as f64)
        };
        (0..=count).map(at).collect()
    };
    let rows = report.latency_rows();
    let series: Vec<Series> =
        rows.iter().map(|(name, histogram)| line(*name, curve(histogram))).collect();
    let end = values(&series, |point| point.0).fold(10.0, f64::max);
    let x = Axis::nines("share of requests that took no longer", end);
    let y = Axis::times("latency", values(&series, |point| point.1));
    let mut chart = chart("Latency by percentile", x, y, series);
    chart.limit = report.found.as_ref().map(|found| found.p99_max.as_nanos() as f64);
    chart.limit = chart.limit.filter(|limit| *limit <= chart.y.high && *limit >= chart.y.low);
    chart
}

/// Seconds of a run with the part of each that was used; without a last one that was hardly begun.
fn used(seconds: &[Second], took: Duration) -> impl Iterator<Item = (f64, f64, &Second)> {
    let took = took.as_secs_f64();
    let part = move |number: usize| (took - number as f64).clamp(0.0, 1.0);
    let all = seconds.iter().enumerate();
    all.map(move |(number, second)| (number as f64 + part(number) / 2.0, part(number), second))
        .filter(move |(at, part, _)| *part >= SECOND_PART_MIN || *at < 1.0)
}

fn rates(seconds: &[Second], took: Duration) -> Option<Chart> {
    let points: Vec<_> = used(seconds, took)
        .map(|(at, part, second)| (at, second.lines as f64 / part.max(1e-3)))
        .collect();
    let series = vec![line("lines acknowledged", points)];
    let x = Axis::until("seconds since the start", values(&series, |point| point.0));
    let y = Axis::linear("lines/s", values(&series, |point| point.1));
    (!seconds.is_empty()).then(|| chart("Rate over time", x, y, series))
}

fn over_time(seconds: &[Second], took: Duration) -> Option<Chart> {
    let curve = |quantile| {
        let all = used(seconds, took).filter(|(_, _, second)| !second.latency_ns.is_empty());
        let at = |second: &Second| second.latency_ns.value_at_quantile(quantile) as f64;
        all.map(|(time, _, second)| (time, at(second))).collect()
    };
    let series = vec![line("p50", curve(0.5)), line("p99", curve(0.99))];
    let x = Axis::until("seconds since the start", values(&series, |point| point.0));
    let y = Axis::times("latency", values(&series, |point| point.1));
    (!seconds.is_empty()).then(|| chart("Latency over time", x, y, series))
}

fn label(watch: &Watch) -> String {
    format!("{} {}", watch.process.name, watch.process.pid)
}

fn processors(watches: &[&Watch]) -> Chart {
    let curve = |watch: &Watch| {
        // A stretch much shorter than the others says little: a tick of the kernel's clock is 10 ms.
        let pairs = watch.samples.windows(2);
        let cores = pairs.filter_map(|pair| {
            let (from, to) = (pair.first()?, pair.last()?);
            let wall = to.0.saturating_sub(from.0).as_secs_f64();
            let used = (to.1.user + to.1.system).saturating_sub(from.1.user + from.1.system);
            (wall > 0.2).then(|| (to.0.as_secs_f64(), used.as_secs_f64() / wall))
        });
        cores.collect()
    };
    let series: Vec<_> = watches.iter().map(|watch| line(label(watch), curve(watch))).collect();
    let x = Axis::until("seconds since the start", values(&series, |point| point.0));
    let y = Axis::linear("cores", values(&series, |point| point.1));
    chart("Processor over time", x, y, series)
}

fn memory(watches: &[&Watch]) -> Chart {
    let curve = |watch: &Watch| {
        let samples = watch.samples.iter();
        samples.map(|(at, usage)| (at.as_secs_f64(), usage.rss_bytes as f64 / 1e6)).collect()
    };
    let series: Vec<_> = watches.iter().map(|watch| line(label(watch), curve(watch))).collect();
    let x = Axis::until("seconds since the start", values(&series, |point| point.0));
    let y = Axis::linear("MB resident", values(&series, |point| point.1));
    chart("Memory over time", x, y, series)
}

/// Of a search: what each rate did to the latency.
fn steps(report: &Report<'_>) -> Option<Chart> {
    let found = report.found.as_ref()?;
    let of = |held: bool, name: &str| {
        let steps = found.steps.iter().filter(|step| step.held == held);
        let points = steps.map(|step| (step.offered, step.p99.as_nanos() as f64)).collect();
        Series { name: name.to_owned(), points, is_line: false }
    };
    let series = vec![of(true, "holds"), of(false, "fails")];
    let limit = found.p99_max.as_nanos() as f64;
    let x = Axis::linear("lines/s offered", values(&series, |point| point.0));
    let y = Axis::times("p99 of latency", values(&series, |point| point.1).chain([limit]));
    Some(Chart { title: "Latency by rate", x, y, series, limit: Some(limit) })
}
