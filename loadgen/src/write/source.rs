//! Where the lines of the requests come from: one of the generators, or a file.

use super::Arguments;
use crate::url::usage;
use circlet_load::data::{Lines, Mix, Random, Series};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

/// Different requests that each connection has ready, if memory allows it.
const REQUESTS_READY: u64 = 4;
/// Bytes of all requests that are ready.
const READY_BYTES_MAX: u64 = 2 << 30;
const FILE_BYTES_MAX: u64 = 1 << 30;

/// What `--data` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    Mix(Mix),
    File(PathBuf),
}

impl FromStr for Data {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mix = <Mix as clap::ValueEnum>::from_str(text, false);
        Ok(mix.map_or_else(|_| Data::File(text.into()), Data::Mix))
    }
}

impl std::fmt::Display for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Data::Mix(mix) => f.write_str(mix.name()),
            Data::File(path) => path.display().fmt(f),
        }
    }
}

#[derive(Debug)]
enum Kind {
    Mix { mix: Mix, measurements: u64, cardinality: Option<u64> },
    File { text: Vec<u8>, lines: Vec<Range<usize>> },
}

#[derive(Debug)]
pub struct Source {
    kind: Kind,
    seed: u64,
    connections: u64,
    /// Lines of a request.
    lines: u64,
    /// Digits of a timestamp.
    digits: usize,
    /// Different requests of each connection.
    pub ready: u64,
}

impl Source {
    pub fn new(a: &Arguments) -> io::Result<Self> {
        let kind = match &a.data {
            Data::Mix(mix) => Kind::Mix {
                mix: *mix,
                measurements: a.measurements.unwrap_or_else(|| mix.measurements()),
                cardinality: a.cardinality,
            },
            Data::File(path) => {
                if a.cardinality.or(a.measurements).is_some() {
                    return Err(usage(
                        "--cardinality and --measurements are for generated lines, not for a file",
                    ));
                }
                read(path)?
            }
        };
        let mut source = Source {
            kind,
            seed: a.seed,
            connections: a.connections,
            lines: a.lines,
            digits: a.precision.digits(),
            ready: 1,
        };
        source.ready = source.ready()?;
        Ok(source)
    }

    /// As many requests as show every series or every line of the file, else a few, as memory allows.
    fn ready(&self) -> io::Result<u64> {
        let all = self.lines.saturating_mul(self.connections);
        let different = match &self.kind {
            Kind::Mix { cardinality, .. } => cardinality.unwrap_or(0),
            Kind::File { lines, .. } => lines.len() as u64,
        };
        let needed = different.div_ceil(all).max(1);
        let sample = self.lines.min(1000);
        let line_bytes = self.lines(0, 0, sample).bytes.len() as u64 / sample;
        let most = READY_BYTES_MAX / all.saturating_mul(line_bytes).max(1);
        if needed > most {
            let bytes = needed.saturating_mul(all).saturating_mul(line_bytes);
            return Err(usage(format!(
                "the requests to make ready would take {:.1} GB of memory, at most {:.1} GB are taken: \
                 choose fewer connections, fewer lines or fewer series",
                bytes as f64 / 1e9,
                READY_BYTES_MAX as f64 / 1e9,
            )));
        }
        Ok(needed.max(REQUESTS_READY.min(most)))
    }

    /// The first `count` lines of a connection's request number `at`; always the same ones.
    pub fn lines(&self, connection: u64, at: u64, count: u64) -> Lines {
        let mut lines = Lines::new(self.digits);
        let number = at.wrapping_mul(self.connections).wrapping_add(connection);
        let first = number.wrapping_mul(self.lines);
        match &self.kind {
            Kind::Mix { mix, measurements, cardinality } => {
                let mut random = Random::new(self.seed ^ number.rotate_left(32));
                for line in 0..count {
                    let series = cardinality.map_or(Series::Random, |cardinality| {
                        Series::Number(first.wrapping_add(line) % cardinality)
                    });
                    lines.push(*mix, series, *measurements, &mut random);
                }
            }
            Kind::File { text, lines: ranges } => {
                let all = ranges.len() as u64;
                for line in 0..count {
                    let at = (first.wrapping_add(line) % all) as usize;
                    lines.push_text(&text[ranges[at].clone()]);
                }
            }
        }
        lines
    }
}

/// Reads a file of line protocol; its timestamps are left out, as every request gets new ones.
fn read(path: &PathBuf) -> io::Result<Kind> {
    let told = |error: io::Error| {
        usage(format!(
            "--data {}: {error} (neither tsbs, telegraf or small, nor a file)",
            path.display()
        ))
    };
    if fs::metadata(path).map_err(told)?.len() > FILE_BYTES_MAX {
        return Err(told(io::Error::other("more than 1 GiB")));
    }
    let text = fs::read(path).map_err(told)?;
    let lines = ranges(&text);
    if lines.is_empty() {
        return Err(told(io::Error::other("no lines in it")));
    }
    Ok(Kind::File { text, lines })
}

/// Where the lines stand, without comments, empty lines and timestamps.
fn ranges(text: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    for whole in text.split_inclusive(|byte| *byte == b'\n') {
        let line = whole.trim_ascii();
        let start = at + whole.len() - whole.trim_ascii_start().len();
        at += whole.len();
        if !line.is_empty() && !line.starts_with(b"#") {
            found.push(start..start + line.len() - stamp_length(line));
        }
    }
    found
}

/// Bytes of a line's timestamp with the space before it; a field always has a `=` behind its space.
fn stamp_length(line: &[u8]) -> usize {
    let Some(space) = line.iter().rposition(|byte| *byte == b' ') else { return 0 };
    let last = &line[space + 1..];
    let digits = last.strip_prefix(b"-").unwrap_or(last);
    let is_stamp = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if is_stamp { line.len() - space } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_lines_without_times_and_comments() {
        let text = b"m,t=a f=1 17\n\n# no\nm f=\"a 12\"\r\n  n f=1i -5\nm,t=a\\ 12 f=2";
        let found = ranges(text);
        let lines: Vec<_> =
            found.iter().map(|range| std::str::from_utf8(&text[range.clone()]).unwrap()).collect();
        assert_eq!(lines, ["m,t=a f=1", "m f=\"a 12\"", "n f=1i", "m,t=a\\ 12 f=2"]);
    }
}
