//! What a gateway said of itself at one moment.

use super::metrics::Metrics;
use circlet::telemetry::names;
use serde_json::Value;

/// Stages that are shown, as the metrics spell them.
const STAGES: [&str; 4] = ["write", "commit", "backend", "query"];

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub version: String,
    /// Since its start: the clock of all rates.
    pub up_seconds: f64,
    /// Why writes are not taken.
    pub not_ready: Option<String>,
    pub log_bytes: u64,
    pub log_bytes_max: Option<u64>,
    pub free_bytes: u64,
    pub min_free_bytes: u64,
    /// Name, and whether it can answer questions.
    pub circles: Vec<(String, bool)>,
    pub backends: Vec<Backend>,
    pub connections: f64,
    pub memory_bytes: f64,
    pub stages: Vec<Stage>,
    /// Number, and the share of the last second that it was busy.
    pub shards: Vec<(u16, f64)>,
    /// Totals since the start.
    pub lines: f64,
    pub requests: f64,
    pub errors: f64,
    pub queries: f64,
    pub lost: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backend {
    pub circle: String,
    pub name: String,
    pub state: String,
    pub state_seconds: Option<f64>,
    pub is_complete: bool,
    /// Why it may lack points.
    pub incomplete: Option<String>,
    pub backlog_bytes: u64,
    pub backlog_seconds: Option<f64>,
    pub is_full: bool,
    pub parked: usize,
    pub last_error: Option<String>,
    /// Confirmed since the start.
    pub lines: f64,
}

/// How long one takes, in seconds, since the start of the gateway.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    pub name: &'static str,
    pub median: f64,
    pub p99: f64,
}

impl Snapshot {
    /// From `/-/status` and `/metrics`. What a gateway of another version does not say is empty.
    pub fn read(status: &str, metrics: &str) -> Result<Snapshot, String> {
        let status: Value = serde_json::from_str(status)
            .map_err(|error| format!("the gateway's answer cannot be read: {error}"))?;
        let metrics = Metrics::parse(metrics);
        let log = &status["log"];
        let bytes = |key: &str| log[key].as_u64().unwrap_or(0);
        let circles = status["circles"].as_array().into_iter().flatten();
        let backends = status["backends"].as_array().into_iter().flatten();
        Ok(Snapshot {
            version: word(&status["version"]),
            up_seconds: status["up_seconds"].as_f64().unwrap_or(0.0),
            not_ready: status["not_ready"].as_str().map(str::to_owned),
            log_bytes: bytes("bytes"),
            log_bytes_max: log["max_bytes"].as_u64(),
            free_bytes: bytes("disk_free_bytes"),
            min_free_bytes: bytes("min_free_bytes"),
            circles: circles
                .map(|circle| (word(&circle["name"]), circle["can_answer"] == Value::Bool(true)))
                .collect(),
            backends: backends.map(|backend| Backend::read(backend, &metrics)).collect(),
            connections: metrics.sum(names::HTTP_CONNECTIONS, &[]),
            memory_bytes: metrics.sum(names::MEMORY_USED, &[]),
            stages: STAGES.iter().map(|name| Stage::read(name, &metrics)).collect(),
            shards: shards(&metrics),
            lines: metrics.sum(names::LINES_ACCEPTED, &[]),
            requests: metrics.sum(names::HTTP_REQUESTS, &[]),
            errors: errors(&metrics),
            queries: metrics.sum(names::QUERIES, &[]),
            lost: metrics.sum(names::LOST_POINTS, &[]),
        })
    }
}

impl Backend {
    fn read(backend: &Value, metrics: &Metrics<'_>) -> Backend {
        let name = word(&backend["name"]);
        Backend {
            circle: word(&backend["circle"]),
            state: word(&backend["state"]),
            state_seconds: backend["state_seconds"].as_f64(),
            is_complete: backend["complete"] == Value::Bool(true),
            incomplete: backend["incomplete"].as_str().map(str::to_owned),
            backlog_bytes: backend["backlog_bytes"].as_u64().unwrap_or(0),
            backlog_seconds: backend["backlog_age_seconds"].as_f64(),
            is_full: !backend["backlog_full"].is_null(),
            parked: backend["parked"].as_array().map_or(0, Vec::len),
            last_error: backend["last_error"].as_str().map(str::to_owned),
            lines: metrics.sum(names::BACKEND_LINES, &[("backend", &name)]),
            name,
        }
    }
}

impl Stage {
    fn read(name: &'static str, metrics: &Metrics<'_>) -> Stage {
        let of = |label| metrics.sum(names::STAGE_SECONDS, &[("stage", name), ("quantile", label)]);
        Stage { name, median: of("0.5"), p99: of("0.99") }
    }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or("").to_owned()
}

fn shards(metrics: &Metrics<'_>) -> Vec<(u16, f64)> {
    let all = metrics.by(names::SHARD_BUSY, "shard");
    let numbers = all.into_iter().filter_map(|(shard, busy)| Some((shard.parse().ok()?, busy)));
    let mut shards: Vec<(u16, f64)> = numbers.collect();
    shards.sort_by_key(|(shard, _)| *shard);
    shards
}

/// Answers that blame the server.
fn errors(metrics: &Metrics<'_>) -> f64 {
    let codes = metrics.by(names::HTTP_REQUESTS, "code").into_iter();
    codes.filter(|(code, _)| code.starts_with('5')).map(|(_, count)| count).sum()
}
