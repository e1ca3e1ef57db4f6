//! Reads the Prometheus text of `/metrics`.

use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All samples of one reading.
#[derive(Debug, Clone, Default)]
pub struct Metrics(pub Vec<Sample>);

impl Metrics {
    pub fn parse(text: &str) -> Metrics {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Metrics(lines.map(parse_sample).collect())
    }

    /// The samples of this name that carry all these labels.
    pub fn with<'a>(&'a self, name: &str, labels: &[(&str, &str)]) -> Vec<&'a Sample> {
        let matches = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|found| found == value))
        };
        self.0.iter().filter(matches).collect()
    }

    /// The sum over those samples; 0 when there are none, as a counter that never moved.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(name, labels).iter().map(|sample| sample.value).sum()
    }

    /// The sum, but the samples must exist.
    #[track_caller]
    pub fn must(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        assert!(!self.with(name, labels).is_empty(), "/metrics has no {name} {labels:?}");
        self.sum(name, labels)
    }

    /// The least of those samples.
    #[track_caller]
    pub fn least(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.must(name, labels);
        self.with(name, labels).iter().map(|sample| sample.value).fold(f64::MAX, f64::min)
    }

    /// The greatest of those samples.
    #[track_caller]
    pub fn greatest(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.must(name, labels);
        self.with(name, labels).iter().map(|sample| sample.value).fold(f64::MIN, f64::max)
    }
}

fn parse_sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("bad sample: {line}"));
    let value = value.parse().unwrap_or_else(|_| panic!("bad value: {line}"));
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, parse_labels(rest.trim_end_matches('}'))),
        None => (series, BTreeMap::new()),
    };
    Sample { name: name.to_owned(), labels, value }
}

/// `key="value",...`; label values of ours hold neither quotes nor commas.
fn parse_labels(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect()
}
