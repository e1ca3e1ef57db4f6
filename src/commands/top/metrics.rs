//! The numbers behind `/metrics`: as much of Prometheus' text format as the gateway writes.

/// One line.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    value: f64,
}

pub struct Metrics<'a>(Vec<Sample<'a>>);

impl<'a> Metrics<'a> {
    /// Lines that are none of a metric are passed over. Labels of ours hold no quotation marks.
    pub fn parse(text: &'a str) -> Metrics<'a> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Metrics(lines.filter_map(sample).collect())
    }

    /// Over all that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(name, labels).map(|sample| sample.value).sum()
    }

    /// The value for each value of a label.
    pub fn by(&self, name: &str, label: &str) -> Vec<(String, f64)> {
        let of = |sample: &Sample<'_>| {
            let found = sample.labels.iter().find(|(key, _)| *key == label)?;
            Some((found.1.to_owned(), sample.value))
        };
        self.with(name, &[]).filter_map(of).collect()
    }

    fn with<'s>(
        &'s self,
        name: &'s str,
        labels: &'s [(&'s str, &'s str)],
    ) -> impl Iterator<Item = &'s Sample<'a>> {
        self.0.iter().filter(move |sample| {
            sample.name == name && labels.iter().all(|pair| sample.labels.contains(pair))
        })
    }
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let (rest, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = rest.split_once('{') else {
        return Some(Sample { name: rest, labels: Vec::new(), value });
    };
    let labels = labels.strip_suffix('}')?.split("\",");
    let pairs: Option<Vec<_>> = labels.filter(|text| !text.is_empty()).map(pair).collect();
    Some(Sample { name, labels: pairs?, value })
}

fn pair(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once("=\"")?;
    Some((key, value.trim_end_matches('"')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name_and_label() {
        let text = "# TYPE a counter\na{shard=\"0\",code=\"204\"} 3\na{shard=\"1\",code=\"500\"} 4.5\n\nb 1e3\nbad\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.sum("a", &[]), 7.5);
        assert_eq!(metrics.sum("a", &[("code", "500")]), 4.5);
        assert_eq!(metrics.sum("a", &[("code", "50")]), 0.0);
        assert_eq!(metrics.sum("b", &[]), 1000.0);
        assert_eq!(metrics.by("a", "shard"), [("0".to_owned(), 3.0), ("1".to_owned(), 4.5)]);
    }
}
