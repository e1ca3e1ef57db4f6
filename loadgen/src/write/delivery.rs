//! Whether what the server acknowledged has reached the sinks behind it.

use crate::http::Client;
use crate::url::{self, Url, usage};
use serde_json::{Value, json};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at the counts.
const PAUSE: Duration = Duration::from_millis(20);
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);

/// Null backends that tell how many lines they were sent.
#[derive(Debug)]
pub struct Sinks {
    urls: Vec<Url>,
    /// How many sinks get each line.
    copies: u64,
    wait_max: Duration,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivery {
    pub copies: u64,
    pub lines_expected: u64,
    pub lines_delivered: u64,
    /// From the last answer to the last line, or to giving up.
    pub took: Duration,
    /// Why a sink could not be asked at the end.
    pub error: Option<String>,
}

impl Sinks {
    /// Sinks by address or URL; counts are asked for at `/stats` where a URL names no path.
    pub fn new(texts: &[String], copies: u64, wait_max: Duration) -> io::Result<Self> {
        let parsed = |text: &String| {
            let mut url = url::parse(text)?;
            if url.path.is_empty() {
                "/stats".clone_into(&mut url.path);
            }
            Ok(url)
        };
        let urls = texts.iter().map(parsed).collect::<io::Result<_>>()?;
        Ok(Sinks { urls, copies, wait_max })
    }

    pub fn is_empty(&self) -> bool {
        self.urls.is_empty()
    }

    /// Lines that all sinks together were sent until now.
    pub fn lines(&self) -> io::Result<u64> {
        self.urls.iter().map(lines).sum()
    }

    /// Waits until the sinks were sent every acknowledged line since they had `before`.
    pub fn wait(&self, before: u64, lines_acknowledged: u64) -> io::Result<Delivery> {
        let started = Instant::now();
        let lines_expected = lines_acknowledged.saturating_mul(self.copies);
        let mut delivery = Delivery { copies: self.copies, lines_expected, ..Delivery::default() };
        loop {
            // A sink that does not answer now may do so later, within the time.
            match self.lines() {
                Ok(lines) => {
                    delivery.lines_delivered = lines.saturating_sub(before);
                    delivery.error = None;
                }
                Err(error) => delivery.error = Some(error.to_string()),
            }
            delivery.took = started.elapsed();
            if delivery.is_complete() || delivery.took >= self.wait_max {
                return Ok(delivery);
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Delivery {
    pub fn is_complete(&self) -> bool {
        self.lines_delivered >= self.lines_expected
    }

    pub fn json(&self) -> Value {
        json!({
            "is_complete": self.is_complete(),
            "copies": self.copies,
            "lines_expected": self.lines_expected,
            "lines_delivered": self.lines_delivered,
            "wait_s": self.took.as_secs_f64(),
            "error": self.error,
        })
    }

    pub fn text(&self) -> String {
        let Delivery { copies, lines_expected, lines_delivered, took, error } = self;
        let after = took.as_secs_f64();
        if self.is_complete() {
            return format!(
                "delivered: {lines_delivered} lines reached the sinks ({copies} for each acknowledged one were expected), {after:.2} s after the last answer"
            );
        }
        let missing = lines_expected - lines_delivered;
        let why = error.as_ref().map_or_else(String::new, |error| format!("; {error}"));
        format!(
            "NOT DELIVERED: {after:.0} s after the last answer the sinks have {lines_delivered} of {lines_expected} lines ({copies} for each acknowledged one), {missing} are missing{why}"
        )
    }
}

fn lines(url: &Url) -> io::Result<u64> {
    let told = |text: &str| io::Error::other(format!("sink {}{}: {text}", url.address, url.path));
    let head = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", url.path, url.address);
    let mut body = Vec::new();
    let status = Client::new(&url.address, ANSWER_WAIT_MAX)
        .stream(&head, &mut |piece| {
            body.extend_from_slice(piece);
            Ok(())
        })
        .map_err(|error| told(&error.to_string()))?;
    let text = String::from_utf8_lossy(&body);
    match count(&text) {
        Some(lines) if status == 200 => Ok(lines),
        _ => {
            Err(usage(told(&format!("{status}, and no number of lines in the answer")).to_string()))
        }
    }
}

/// The member `lines` of a JSON object, or the number that a text begins with.
fn count(text: &str) -> Option<u64> {
    if let Ok(Value::Object(all)) = serde_json::from_str(text) {
        return all.get("lines")?.as_u64();
    }
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_json_and_from_plain_numbers() {
        assert_eq!(count(r#"{"bytes":7,"lines":12}"#), Some(12));
        assert_eq!(count("12 700 3\n"), Some(12));
        for wrong in ["", "{}", "lines 12", "<html>", "{\"lines\":\"12\"}"] {
            assert_eq!(count(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn half_the_copies_are_not_a_delivery() {
        let took = Duration::from_secs(60);
        let of = |lines_delivered| Delivery {
            copies: 2,
            lines_expected: 20,
            lines_delivered,
            took,
            error: None,
        };
        assert!(of(20).is_complete() && of(21).is_complete());
        assert!(!of(19).is_complete() && of(19).text().contains("1 are missing"));
    }
}
