//! What a run of the load came to, for people and for programs.

use super::delivery::Delivery;
use super::measure::Measured;
use super::options::Arguments;
use super::process::{Usage, Watch};
use super::search::Found;
use comfy_table::Table;
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Key, name and value of the quantiles that every report shows.
pub const QUANTILES: [(&str, &str, f64); 5] = [
    ("p50", "p50", 0.5),
    ("p90", "p90", 0.9),
    ("p99", "p99", 0.99),
    ("p99_9", "p99.9", 0.999),
    ("max", "max", 1.0),
];

pub struct Report<'a> {
    pub arguments: &'a Arguments,
    pub threads: u64,
    pub measured: Measured,
    /// Of --find-max.
    pub found: Option<Found>,
}

/// Microseconds of processor time for each acknowledged line; None where none was acknowledged.
pub fn per_line_us(time: Duration, lines: u64) -> Option<f64> {
    (lines > 0).then(|| time.as_secs_f64() * 1e6 / lines as f64)
}

/// Quantiles by name in microseconds, with mean and number; null where there are none.
fn latency_json(latency_ns: &Histogram<u64>) -> Value {
    if latency_ns.is_empty() {
        return Value::Null;
    }
    let at = |quantile| json!(latency_ns.value_at_quantile(quantile) as f64 / 1000.0);
    let mut all: Map<_, _> =
        QUANTILES.iter().map(|(key, _, quantile)| ((*key).to_owned(), at(*quantile))).collect();
    all.insert("mean".to_owned(), json!(latency_ns.mean() / 1000.0));
    all.insert("requests".to_owned(), json!(latency_ns.len()));
    Value::Object(all)
}

impl Report<'_> {
    /// Whether all that was sent was acknowledged and delivered, and a search has found something.
    pub fn is_right(&self) -> bool {
        self.measured.is_right() && self.found.as_ref().is_none_or(|found| found.rate.is_some())
    }

    pub fn seconds(&self) -> f64 {
        self.measured.outcome.took.as_secs_f64().max(1e-9)
    }

    pub fn json(&self) -> Value {
        let (tally, seconds) = (&self.measured.outcome.tally, self.seconds());
        let errors: Map<_, _> = tally
            .errors
            .iter()
            .map(|(kind, failure)| {
                (kind.clone(), json!({"requests": failure.requests, "first": failure.first}))
            })
            .collect();
        let lines = tally.lines_acknowledged;
        let processes: Vec<_> =
            self.measured.watches.iter().map(|watch| process_json(watch, lines)).collect();
        json!({
            "ok": self.is_right(),
            "options": self.options(),
            "duration_s": seconds,
            "requests": tally.requests,
            "requests_not_sent": tally.requests_missed,
            "requests_acknowledged": tally.requests_acknowledged,
            "lines": tally.lines,
            "lines_acknowledged": lines,
            "bytes_acknowledged": tally.bytes_acknowledged,
            "body_bytes_acknowledged": tally.body_bytes_acknowledged,
            "lines_per_s": lines as f64 / seconds,
            "requests_per_s": tally.requests_acknowledged as f64 / seconds,
            "bytes_per_s": tally.bytes_acknowledged as f64 / seconds,
            "latency_us": latency_json(&tally.latency_ns),
            "service_us": latency_json(&tally.service_ns),
            "errors": errors,
            "delivery": self.measured.delivery.as_ref().map(Delivery::json),
            "find_max": self.found.as_ref().map(Found::json),
            "processes": processes,
            "generator": process_json(&self.measured.own, lines),
            "over_time": self.over_time(),
        })
    }

    fn options(&self) -> Value {
        let a = self.arguments;
        json!({
            "url": a.url,
            "data": a.data.to_string(),
            "lines_per_request": a.lines,
            "connections": a.connections,
            "threads": self.threads,
            "gzip": a.coding.gzip,
            "chunked": a.coding.chunked,
            "cardinality": a.cardinality,
            "measurements": a.measurements,
            "seed": a.seed,
            "rate_lines_per_s": self.measured.plan.rate,
        })
    }

    fn over_time(&self) -> Vec<Value> {
        let at = |histogram: &Histogram<u64>, quantile| {
            (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile) as f64 / 1000.0)
        };
        let seconds = self.measured.outcome.seconds.iter().enumerate();
        seconds
            .map(|(number, second)| {
                json!({
                    "second": number,
                    "lines_acknowledged": second.lines,
                    "p50_us": at(&second.latency_ns, 0.5),
                    "p99_us": at(&second.latency_ns, 0.99),
                })
            })
            .collect()
    }

    pub fn text(&self) -> String {
        let (tally, seconds) = (&self.measured.outcome.tally, self.seconds());
        let mut text = self.found.as_ref().map_or_else(String::new, |found| {
            let last = if found.rate.is_some() { "its proof" } else { "the last run" };
            format!("{}; {last}:\n", found.result())
        });
        text.push_str(&format!(
            "{} of {} lines acknowledged, {} of {} requests, in {:.2} s\n{:.0} lines/s, {:.0} requests/s, {:.1} MB/s of lines\n",
            tally.lines_acknowledged,
            tally.lines,
            tally.requests_acknowledged,
            tally.requests,
            seconds,
            tally.lines_acknowledged as f64 / seconds,
            tally.requests_acknowledged as f64 / seconds,
            tally.bytes_acknowledged as f64 / seconds / 1e6,
        ));
        if !tally.latency_ns.is_empty() {
            text.push_str(&self.latency_table());
        }
        let lines = tally.lines_acknowledged;
        for watch in &self.measured.watches {
            text.push('\n');
            text.push_str(&process_text(watch, lines));
        }
        for line in self.trouble_lines() {
            text.push('\n');
            text.push_str(&line);
        }
        text
    }

    /// What there is to say of delivery, of requests that were not sent, and of failures.
    pub fn trouble_lines(&self) -> Vec<String> {
        let tally = &self.measured.outcome.tally;
        let mut lines: Vec<_> = self.measured.delivery.iter().map(Delivery::text).collect();
        if tally.requests_missed > 0 {
            lines.push(format!(
                "NOT SENT: {} requests were due when the run ended; they count in the latency with the time that they had waited",
                tally.requests_missed
            ));
        }
        let failed = tally.errors.iter().map(|(kind, failure)| {
            let (requests, first) = (failure.requests, &failure.first);
            format!("not acknowledged, {kind}: {requests} requests, the first: {first}")
        });
        lines.extend(failed);
        lines
    }

    /// The latencies that there are, by name.
    pub fn latency_rows(&self) -> Vec<(&'static str, &Histogram<u64>)> {
        let tally = &self.measured.outcome.tally;
        let is_open = self.measured.plan.rate.is_some();
        let first = if is_open { "from intended start" } else { "from sending" };
        let rows = [(first, &tally.latency_ns), ("from sending", &tally.service_ns)];
        rows.into_iter().filter(|(_, histogram)| !histogram.is_empty()).collect()
    }

    fn latency_table(&self) -> String {
        let mut table = Table::new();
        let heads = QUANTILES.iter().map(|(_, name, _)| (*name).to_owned());
        table.set_header(["latency of a request".to_owned()].into_iter().chain(heads));
        for (name, histogram) in self.latency_rows() {
            let at = |quantile| shown(histogram.value_at_quantile(quantile));
            let cells = QUANTILES.iter().map(|(_, _, quantile)| at(*quantile));
            table.add_row([name.to_owned()].into_iter().chain(cells));
        }
        table.to_string()
    }
}

/// A time for people: about three digits and a unit.
pub fn shown(ns: u64) -> String {
    let us = ns as f64 / 1000.0;
    match us {
        us if us < 1000.0 => format!("{us:.0} us"),
        us if us < 10_000.0 => format!("{:.2} ms", us / 1000.0),
        us if us < 1_000_000.0 => format!("{:.0} ms", us / 1000.0),
        us => format!("{:.2} s", us / 1e6),
    }
}

fn process_json(watch: &Watch, lines: u64) -> Value {
    let (user, system) = watch.taken();
    let sample = |(at, usage): &(Duration, Usage)| {
        let cpu = (usage.user + usage.system).saturating_sub(watch.start.user + watch.start.system);
        json!({
            "at_s": at.as_secs_f64(),
            "cpu_s": cpu.as_secs_f64(),
            "rss_bytes": usage.rss_bytes,
            "fds": usage.fds,
        })
    };
    json!({
        "pid": watch.process.pid,
        "name": watch.process.name,
        "is_gone": watch.is_gone,
        "cpu_us_per_line": per_line_us(user + system, lines),
        "cpu_user_us_per_line": per_line_us(user, lines),
        "cpu_system_us_per_line": per_line_us(system, lines),
        "cpu_s": (user + system).as_secs_f64(),
        "rss_start_bytes": watch.start.rss_bytes,
        "rss_peak_bytes": watch.rss_peak_bytes,
        "rss_end_bytes": watch.end.rss_bytes,
        "fds_start": watch.start.fds,
        "fds_peak": watch.fds_peak,
        "fds_end": watch.end.fds,
        "over_time": watch.samples.iter().map(sample).collect::<Vec<_>>(),
    })
}

fn process_text(watch: &Watch, lines: u64) -> String {
    let (user, system) = watch.taken();
    let per_line = |time| per_line_us(time, lines).map_or("-".to_owned(), |us| format!("{us:.4}"));
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let gone = if watch.is_gone { "; IT ENDED BEFORE THE RUN DID" } else { "" };
    format!(
        "{} {}: {} us of CPU a line ({} user, {} system), {:.2} s in all; RSS {:.1} MB at most, {:.1} MB at the end; {} descriptors at most, {} at the end{gone}",
        watch.process.name,
        watch.process.pid,
        per_line(user + system),
        per_line(user),
        per_line(system),
        (user + system).as_secs_f64(),
        megabytes(watch.rss_peak_bytes),
        megabytes(watch.end.rss_bytes),
        watch.fds_peak,
        watch.end.fds,
    )
}
