//! How far a long run has come: kept in a file after each leg, so that it can be stopped at any moment.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A long run.
pub struct Progress {
    title: &'static str,
    path: PathBuf,
    began: Instant,
    limit: Duration,
    /// Deaths wanted: in all, or at each failpoint.
    pub wanted: u64,
    /// Deaths so far by where; the empty name is any moment.
    deaths: BTreeMap<String, u64>,
    acknowledged: u64,
    losses: u64,
    /// Of all runs before this one.
    seconds: u64,
}

/// A number from the environment, as `scripts/faults` gives it.
fn number(variable: &str) -> u64 {
    let text =
        std::env::var(variable).unwrap_or_else(|_| panic!("use scripts/faults: no {variable}"));
    text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text}"))
}

impl Progress {
    /// Goes on where the run of this name ended.
    pub fn open(name: &str, title: &'static str) -> Progress {
        let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target");
        let path = target.join("faults").join(format!("{name}.json"));
        let old: Value = match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).expect("a file of ours"),
            Err(_) => json!({}),
        };
        let count = |key: &str| old[key].as_u64().unwrap_or(0);
        let deaths = old["deaths"].as_object().into_iter().flatten();
        let deaths = deaths.map(|(at, count)| (at.clone(), count.as_u64().expect("a number")));
        Progress {
            title,
            began: Instant::now(),
            limit: Duration::from_secs(60 * number("FAULTS_MINUTES")),
            wanted: number("FAULTS_WANTED"),
            deaths: deaths.collect(),
            acknowledged: count("acknowledged"),
            losses: count("losses"),
            seconds: count("seconds"),
            path,
        }
    }

    pub fn deaths_at(&self, place: &str) -> u64 {
        self.deaths.get(place).copied().unwrap_or(0)
    }

    pub fn is_time_left(&self) -> bool {
        self.began.elapsed() < self.limit
    }

    /// Notes deaths and what was found behind them. Panics on a loss: somebody should look at once.
    pub fn note(&mut self, place: &str, deaths: u64, acknowledged: u64, findings: &[String]) {
        *self.deaths.entry(place.to_owned()).or_default() += deaths;
        self.acknowledged += acknowledged;
        self.losses += findings.len() as u64;
        self.save();
        println!("{}", self.words());
        assert!(findings.is_empty(), "{place}: {findings:#?}");
    }

    fn save(&self) {
        let value = json!({
            "deaths": self.deaths,
            "acknowledged": self.acknowledged,
            "losses": self.losses,
            "seconds": self.seconds + self.began.elapsed().as_secs(),
        });
        std::fs::create_dir_all(self.path.parent().expect("a folder")).unwrap();
        let fresh = self.path.with_extension("tmp");
        std::fs::write(&fresh, format!("{value:#}\n")).unwrap();
        std::fs::rename(&fresh, &self.path).unwrap();
    }

    /// What was reached, over all runs.
    pub fn words(&self) -> String {
        let all: u64 = self.deaths.values().sum();
        let deaths = match self.deaths.values().min() {
            Some(least) if self.deaths.len() > 1 => {
                let places = self.deaths.len();
                format!("{all} deaths at {places} places, {least} of {} at the rarest", self.wanted)
            }
            _ => format!("{all} of {} deaths", self.wanted),
        };
        let minutes = (self.seconds + self.began.elapsed().as_secs()).div_ceil(60);
        let (points, losses) = (self.acknowledged, self.losses);
        format!(
            "{}: {deaths}; {points} points acknowledged, {losses} losses; {minutes} minutes",
            self.title
        )
    }
}
