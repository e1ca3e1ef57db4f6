//! Row 11, and the differential: which lines Circlet takes, beside a live InfluxDB 1.6.7.

use crate::setting::{Random, number, seed};
use crate::support::prelude::*;
use crate::support::vectors::{root, rows, text};
use crate::support::world::directory;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use circlet::proto::line::{LineError, Lines, Precision, Reason, Rules};
use std::collections::BTreeMap;

const RULES: Rules =
    Rules { precision: Precision::Nanoseconds, unsigned: false, nul_tag_key: false };

/// Longer seeds only make the run slow.
const SEED_BYTES_MAX: usize = 1000;

/// Every line may make a series: a server that has so many behind it is replaced.
const BODIES_A_SERVER: usize = 100_000;

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing but blanks and comments.
    Empty,
    Taken,
    Refused,
    /// Some lines are taken and some are not.
    Partly,
    /// The server failed over it.
    Failed,
    /// Some lines were taken by the parser, and hold a field of another type than before.
    Conflict,
}

fn ours(body: &[u8]) -> (Verdict, Vec<LineError<'_>>) {
    let mut errors = Vec::new();
    let mut good = 0;
    for line in Lines::new(body, RULES) {
        match line {
            Ok(_) => good += 1,
            Err(error) => errors.push(error),
        }
    }
    let verdict = match (good, errors.len()) {
        (0, 0) => Verdict::Empty,
        (_, 0) => Verdict::Taken,
        (0, _) => Verdict::Refused,
        _ => Verdict::Partly,
    };
    (verdict, errors)
}

/// An InfluxDB that keeps everything in a few slices of time, however wild the timestamps are.
struct Oracle {
    server: Influxd,
    connection: Connection,
    _directory: tempfile::TempDir,
}

impl Oracle {
    fn start() -> Oracle {
        let directory = directory();
        let server = Influxd::start(directory.path(), "oracle");
        let statement = "CREATE DATABASE o WITH DURATION INF SHARD DURATION 15000w NAME wide";
        server.query("", statement);
        let connection = Connection::open(server.address());
        Oracle { server, connection, _directory: directory }
    }

    /// What the server says of a body, and its words.
    fn ask(&mut self, body: &[u8]) -> (Verdict, String) {
        let request = Request::post("/write?db=o", body);
        let answer = self.connection.request(&request);
        let answer = answer.unwrap_or_else(|error| {
            let alive = Connection::try_open(self.server.address()).is_ok();
            panic!("{error}; it lives on: {alive}; after {}", body.escape_ascii())
        });
        if answer.header("Connection") == Some("close") {
            self.connection = Connection::open(self.server.address());
        }
        let words = match serde_json::from_slice::<Value>(&answer.body) {
            Ok(body) => text(&body, "error").to_owned(),
            Err(_) => answer.text(),
        };
        (verdict(answer.status, &words), words)
    }
}

fn verdict(status: u16, words: &str) -> Verdict {
    match status {
        204 => Verdict::Taken,
        // A body without any point is 200 in 1.6.
        200 => Verdict::Empty,
        400 if words.starts_with("partial write: field type conflict") => Verdict::Conflict,
        400 if words.contains("input field \"") && words.contains("is type ") => Verdict::Conflict,
        // Points that are dropped: the parser has taken them, and nothing of them is stored.
        400 if words.starts_with("partial write: ") => Verdict::Partly,
        400 => Verdict::Refused,
        _ => Verdict::Failed,
    }
}

/// Both say the same, as far as the answer tells.
fn agree(body: &[u8], ours: Verdict, errors: &[LineError<'_>], theirs: Verdict) -> bool {
    let only_dropped = !errors.is_empty() && errors.iter().all(LineError::dropped);
    match (ours, theirs) {
        (ours, theirs) if ours == theirs => true,
        // One good line of several types is enough for that answer; bad ones beside it are not told.
        (Verdict::Taken | Verdict::Partly, Verdict::Conflict) => true,
        // A point that is dropped is told as a partial write, even alone.
        (Verdict::Refused, Verdict::Partly) => only_dropped,
        (Verdict::Empty, Verdict::Taken) => body.split(|byte| *byte == b'\n').all(is_no_line),
        _ => false,
    }
}

/// Blank, or a comment.
fn is_no_line(line: &[u8]) -> bool {
    let text = line.iter().find(|byte| !b" \t\0\r".contains(byte));
    text.is_none_or(|byte| *byte == b'#')
}

/// A line of exactly 100 tags, counted as a parser does that knows only escapes.
fn has_a_hundred_tags(body: &[u8]) -> bool {
    body.split(|byte| *byte == b'\n').any(|line| {
        let mut commas = 0;
        let mut bytes = line.iter().skip_while(|byte| b" \t\0".contains(byte));
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => drop(bytes.next()),
                b',' => commas += 1,
                b' ' => break,
                _ => {}
            }
        }
        commas == 100
    })
}

/// The row of docs/line-protocol.md that tells of this difference, by the beginning of its first cell.
fn documented(
    body: &[u8],
    errors: &[LineError<'_>],
    ours: Verdict,
    theirs: Verdict,
) -> Option<&'static str> {
    let reasons: Vec<Reason<'_>> = errors.iter().map(|error| error.reason).collect();
    let by_reason = |reason: &Reason<'_>| match reason {
        Reason::BytesAfterString => Some("bytes after the closing quote"),
        Reason::BackslashNewline => Some("backslash before LF"),
        Reason::HiddenEnd => Some("a quote in a name whose line end"),
        Reason::InvalidFieldKey(_) => Some("field key that ends in a backslash pair"),
        Reason::MissingFieldKey => Some("empty field key after blank and TAB or NUL"),
        Reason::MeasurementNotUtf8 | Reason::TagKeyNotUtf8 | Reason::FieldKeyNotUtf8 => {
            Some("measurement, tag key or field key that is not UTF-8")
        }
        Reason::TagTime(_) => Some("tag key `time`"),
        Reason::FieldTime(_) => Some("no field but `time`"),
        Reason::ReservedTagKey(_) => Some("tag keys `_field`"),
        Reason::InvalidFieldFormat => Some("fields that do not alternate"),
        Reason::LineTooLong(_) => Some("line longer than 256 KiB"),
        _ => None,
    };
    // These are about lines that the server takes, or fails over, and we refuse.
    if let (true, Some(row)) = (theirs != Verdict::Refused, reasons.iter().find_map(by_reason)) {
        return Some(row);
    }
    if ours != Verdict::Refused && body.windows(2).any(|pair| pair == b"\r\n") {
        return Some("CR before the LF that ends a line");
    }
    if theirs == Verdict::Failed && has_a_hundred_tags(body) {
        return Some("exactly 100 tags");
    }
    let comment = |line: &[u8]| line.contains(&b'#') && is_no_line(line);
    body.split(|byte| *byte == b'\n').any(comment).then_some("comment")
}

/// Bytes that mean something to a parser of lines, or might.
const BYTES: &[u8] = b" ,=\"\\\\\\\t\0\r\n#+-.0123456789eEiuNaInftTFrulsev_:/(\xc3\xa9\xff\x01\x7f";
const WORDS: [&str; 22] = [
    "\\ ",
    "\\,",
    "\\=",
    "\\\"",
    "\\\\",
    "=\"",
    "\" ",
    "i ",
    "true",
    "NaN",
    "1e400",
    "-0",
    "time",
    ",,",
    "==",
    "  ",
    "9223372036854775807",
    "9223372036854775808i",
    "_field",
    "\\\n",
    "1u",
    "f",
];

fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut line = random.pick(seeds).clone();
    for _ in 0..=random.below(3) {
        let at = random.below(line.len() + 1);
        match random.below(8) {
            0 if at < line.len() => drop(line.remove(at)),
            1 if at < line.len() => line[at] = *random.pick(BYTES),
            2 | 3 => line.insert(at, *random.pick(BYTES)),
            4 => drop(line.splice(at..at, random.pick(&WORDS).bytes())),
            5 => {
                let end = (at + 1 + random.below(8)).min(line.len());
                let piece = line[at..end].to_vec();
                let to = random.below(line.len() + 1);
                drop(line.splice(to..to, piece));
            }
            6 => line.truncate(at.max(1)),
            _ => {
                let other = random.pick(seeds);
                let from = random.below(other.len() + 1);
                line.truncate(at);
                line.extend_from_slice(&other[from..]);
            }
        }
    }
    line
}

/// What ends the process of InfluxDB 1.6.7, and with it the comparison: a field key that ends in a
/// backslash before a string, as in `a v=1,w\\="x="`. docs/line-protocol.md tells of it.
fn kills_the_server(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"\\=\"").is_some()
}

fn seeds() -> Vec<Vec<u8>> {
    let rows = rows("line_protocol.jsonl");
    let body = |row: &Value| STANDARD.decode(row["line_b64"].as_str()?).ok();
    let bodies = rows.iter().filter_map(body);
    bodies.filter(|body| (1..SEED_BYTES_MAX).contains(&body.len())).collect()
}

/// Asks both for every body. How often each documented difference was seen, and what is not documented.
fn compare(bodies: impl Iterator<Item = Vec<u8>>) -> (BTreeMap<String, u64>, Vec<String>) {
    let mut oracle = Oracle::start();
    let mut seen = BTreeMap::new();
    let mut strange = Vec::new();
    for (number, body) in bodies.enumerate() {
        if number % BODIES_A_SERVER == BODIES_A_SERVER - 1 {
            oracle = Oracle::start();
        }
        let (own, errors) = ours(&body);
        let (theirs, words) = oracle.ask(&body);
        let row = match agree(&body, own, &errors, theirs) {
            true => format!("alike: {own:?}"),
            false => match documented(&body, &errors, own, theirs) {
                Some(row) => row.to_owned(),
                None => {
                    let line = body.escape_ascii();
                    strange.push(format!("{line}\n  we: {own:?} {errors:?}\n  1.6.7: {words}"));
                    continue;
                }
            },
        };
        *seen.entry(row).or_default() += 1;
    }
    (seen, strange)
}

/// Every documented difference that was used stands in the table of the page.
fn expect_documented(seen: &BTreeMap<String, u64>) {
    let page = std::fs::read_to_string(root().join("docs/line-protocol.md")).expect("the page");
    for row in seen.keys().filter(|row| !row.starts_with("alike")) {
        let cell = format!("| {row}");
        assert!(page.lines().any(|line| line.starts_with(&cell)), "no row `{row}` on the page");
    }
}

pub fn random_lines_are_taken_and_refused_as_by_a_live_server() {
    let lines = number("CIRCLET_LINES", 20_000);
    let mut random = Random::new(seed("random_lines"));
    let seeds = seeds();
    assert!(seeds.len() > 250, "the recorded lines are read: {}", seeds.len());
    let bodies = std::iter::repeat_with(|| mutate(&mut random, &seeds));
    let bodies = bodies.filter(|body| !body.is_empty() && !kills_the_server(body));
    let (seen, strange) = compare(bodies.take(usize::try_from(lines).unwrap()));
    println!("of {lines} random lines: {seen:#?}");
    let first = &strange[..strange.len().min(20)];
    assert!(strange.is_empty(), "{} differences:\n{}", strange.len(), first.join("\n"));
    expect_documented(&seen);
    let taken = seen.get("alike: Taken").copied().unwrap_or(0);
    let refused = seen.get("alike: Refused").copied().unwrap_or(0);
    assert!(taken > lines / 10 && refused > lines / 10, "the lines are no longer mixed: {seen:?}");
}

pub fn recorded_lines_are_taken_and_refused_as_by_a_live_server() {
    let bodies = rows("line_protocol.jsonl");
    let plain = |row: &&Value| text(row, "precision").is_empty();
    let body = |row: &Value| STANDARD.decode(row["line_b64"].as_str()?).ok();
    let bodies: Vec<Vec<u8>> = bodies.iter().filter(plain).filter_map(body).collect();
    assert!(bodies.len() > 250, "{}", bodies.len());
    let bodies = bodies.into_iter().filter(|body| !body.is_empty() && !kills_the_server(body));
    let (seen, strange) = compare(bodies);
    assert!(strange.is_empty(), "{} differences:\n{}", strange.len(), strange.join("\n"));
    expect_documented(&seen);
}
