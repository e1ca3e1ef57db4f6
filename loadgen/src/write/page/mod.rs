//! `--html`: the report as one file that needs no other, with plots drawn as SVG.
//!
//! Promise: nothing is fetched from anywhere, and every text from outside is escaped. It measures
//! nothing: `Report` is all it sees. Read `chart` (a plot), `axis` (scales and ticks), `plots` (which).

mod axis;
mod chart;
mod plots;

use super::report::{Report, shown};
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");

/// Makes text safe in HTML and in attributes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// The whole page.
pub fn page(report: &Report<'_>) -> String {
    let a = report.arguments;
    // Without the scheme: a page that names no URL fetches none.
    let place = escape(a.url.split_once("://").map_or(&*a.url, |(_, rest)| rest));
    let verdict = if report.is_right() { "all acknowledged" } else { "NOT all right" };
    let class = if report.is_right() { "good" } else { "bad" };
    let charts: String = plots::all(report).iter().map(chart::Chart::svg).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>circlet-load: {place}</title><style>{STYLE}</style></head><body><main>\n\
         <h1>Load on {place} <span class=\"{class}\">{verdict}</span></h1>\n<p>{}</p>\n{}{}\
         <div class=\"charts\">\n{charts}</div>\n{}{}{}</main></body></html>\n",
        escape(&how(report)),
        cards(report),
        search(report),
        latencies(report),
        processes(report),
        troubles(report),
    )
}

/// What was done, as a sentence.
fn how(report: &Report<'_>) -> String {
    let a = report.arguments;
    let coding = match (a.coding.gzip, a.coding.chunked) {
        (true, true) => "gzip in chunks",
        (true, false) => "gzip",
        (false, true) => "plain in chunks",
        (false, false) => "plain",
    };
    let pace = match report.measured.plan.rate {
        Some(rate) => {
            format!("open loop at {} lines/s, latency from the intended start", axis::short(rate))
        }
        None => "closed loop, latency from sending".to_owned(),
    };
    format!(
        "{} connections, {} lines a request, data {}, {coding}, {pace}; circlet-load {}",
        a.connections,
        a.lines,
        a.data,
        env!("CARGO_PKG_VERSION")
    )
}

/// The few figures that most people look for.
fn cards(report: &Report<'_>) -> String {
    let outcome = &report.measured.outcome;
    let (tally, seconds) = (&outcome.tally, report.seconds());
    let mut cards = vec![
        ("lines/s", axis::short(tally.lines_acknowledged as f64 / seconds)),
        ("requests/s", axis::short(tally.requests_acknowledged as f64 / seconds)),
        ("MB/s of lines", axis::short(tally.bytes_acknowledged as f64 / seconds / 1e6)),
        ("seconds", format!("{seconds:.1}")),
    ];
    if !tally.latency_ns.is_empty() {
        cards.push(("p50", shown(tally.latency_ns.value_at_quantile(0.5))));
        cards.push(("p99", shown(tally.latency_ns.value_at_quantile(0.99))));
        cards.push(("max", shown(tally.latency_ns.max())));
    }
    let card = |(name, value): &(&str, String)| {
        format!("<div><b>{}</b><span>{}</span></div>", escape(value), escape(name))
    };
    format!("<div class=\"cards\">{}</div>\n", cards.iter().map(card).collect::<String>())
}

/// A table in a box that scrolls by itself where the screen is narrow.
fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = String::from("<div class=\"scroll\"><table><tr>");
    for head in heads {
        // Writing to a String cannot fail.
        write!(text, "<th>{}</th>", escape(head)).unwrap_or_default();
    }
    for row in rows {
        text.push_str("</tr><tr>");
        for cell in row {
            write!(text, "<td>{}</td>", escape(cell)).unwrap_or_default();
        }
    }
    text.push_str("</tr></table></div>\n");
    text
}

fn latencies(report: &Report<'_>) -> String {
    let rows: Vec<Vec<String>> = report
        .latency_rows()
        .iter()
        .map(|(name, histogram)| {
            let at = |quantile| shown(histogram.value_at_quantile(quantile));
            let quantiles = super::report::QUANTILES.iter().map(|(_, _, quantile)| at(*quantile));
            [(*name).to_owned()].into_iter().chain(quantiles).collect()
        })
        .collect();
    let heads: Vec<&str> = ["latency of a request"]
        .into_iter()
        .chain(super::report::QUANTILES.iter().map(|(_, name, _)| *name))
        .collect();
    format!("<h2>Latency</h2>\n{}", table(&heads, &rows))
}

fn search(report: &Report<'_>) -> String {
    let Some(found) = &report.found else { return String::new() };
    let rows: Vec<Vec<String>> = found
        .steps
        .iter()
        .map(|step| {
            vec![
                step.phase.name().to_owned(),
                if step.held { "holds" } else { "fails" }.to_owned(),
                axis::short(step.offered),
                axis::short(step.achieved),
                shown(step.p99.as_nanos() as u64),
                step.errors.to_string(),
            ]
        })
        .collect();
    let heads = ["run", "verdict", "lines/s offered", "achieved", "p99", "errors"];
    let result = escape(&found.result());
    format!("<h2>Highest rate that holds</h2>\n<p>{result}</p>\n{}", table(&heads, &rows))
}

fn processes(report: &Report<'_>) -> String {
    let measured = &report.measured;
    let lines = measured.outcome.tally.lines_acknowledged;
    let rows: Vec<Vec<String>> = measured
        .watches
        .iter()
        .chain([&measured.own])
        .map(|watch| {
            let (user, system) = watch.taken();
            let us = |time| match super::report::per_line_us(time, lines) {
                Some(us) => format!("{us:.4}"),
                None => "-".to_owned(),
            };
            vec![
                format!("{} {}", watch.process.name, watch.process.pid),
                us(user + system),
                us(user),
                us(system),
                format!("{:.1}", watch.rss_peak_bytes as f64 / 1e6),
                format!("{:.1}", watch.end.rss_bytes as f64 / 1e6),
                watch.fds_peak.to_string(),
            ]
        })
        .collect();
    let heads =
        ["process", "CPU us a line", "user", "system", "RSS MB, peak", "end", "descriptors"];
    format!("<h2>Processes</h2>\n{}", table(&heads, &rows))
}

/// What was not acknowledged, not sent or not delivered.
fn troubles(report: &Report<'_>) -> String {
    let lines = report.trouble_lines();
    if lines.is_empty() {
        return String::new();
    }
    let item = |line: &String| format!("<li>{}</li>", escape(line));
    format!(
        "<h2>Delivery and failures</h2>\n<ul>{}</ul>\n",
        lines.iter().map(item).collect::<String>()
    )
}
