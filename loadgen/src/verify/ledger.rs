//! What was sent and what was acknowledged, in memory and as an append-only file.
//!
//! The file is text: `run BASE LINES CONNECTIONS MEASUREMENTS VERSIONS` begins a run, `sent REQUEST VERSION`
//! is written before a version of a request is first sent, `acked REQUEST VERSION` after its 204 was
//! read. A last line without its line feed was torn by the death of the writer and counts as absent; the
//! next run marks it with the word `torn`.

use super::points::Layout;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// How far a request has come: versions sent and acknowledged, each counted from 1, 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub sent: u64,
    pub acked: u64,
}

/// One run: its layout, and how far each request came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub layout: Layout,
    pub requests: Vec<Progress>,
}

impl Run {
    pub fn new(layout: Layout) -> Self {
        Run { layout, requests: Vec::new() }
    }

    fn request(&mut self, number: u64) -> &mut Progress {
        let at = number as usize;
        if at >= self.requests.len() {
            self.requests.resize(at + 1, Progress::default());
        }
        &mut self.requests[at]
    }

    pub fn sent(&mut self, request: u64, version: u64) {
        let progress = self.request(request);
        progress.sent = progress.sent.max(version + 1);
    }

    pub fn acked(&mut self, request: u64, version: u64) {
        self.sent(request, version);
        let progress = self.request(request);
        progress.acked = progress.acked.max(version + 1);
    }

    /// Points of requests of which at least one version was acknowledged.
    pub fn points_acked(&self) -> u64 {
        self.requests.iter().filter(|progress| progress.acked > 0).count() as u64
            * self.layout.lines
    }

    /// Requests whose last sent version was not acknowledged.
    pub fn unacknowledged(&self) -> u64 {
        self.requests.iter().filter(|progress| progress.sent > progress.acked).count() as u64
    }
}

/// The file of a run under way. Each note is one append, so connections need no lock.
pub struct Journal(Option<File>);

impl Journal {
    /// Opens the file, if there is one to keep, and begins a run in it.
    pub fn begin(path: Option<&Path>, layout: &Layout) -> io::Result<Self> {
        let Some(path) = path else { return Ok(Journal(None)) };
        let torn = std::fs::read(path).is_ok_and(|old| old.last().is_some_and(|end| *end != b'\n'));
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let l = layout;
        let head = format!(
            "{}run {} {} {} {} {}\n",
            if torn { " torn\n" } else { "" },
            l.base_ns,
            l.lines,
            l.connections,
            l.measurements,
            l.versions
        );
        (&file).write_all(head.as_bytes())?;
        Ok(Journal(Some(file)))
    }

    pub fn sent(&self, request: u64, version: u64) -> io::Result<()> {
        self.note("sent", request, version)
    }

    pub fn acked(&self, request: u64, version: u64) -> io::Result<()> {
        self.note("acked", request, version)
    }

    fn note(&self, what: &str, request: u64, version: u64) -> io::Result<()> {
        let Some(mut file) = self.0.as_ref() else { return Ok(()) };
        file.write_all(format!("{what} {request} {version}\n").as_bytes())
    }
}

/// Reads all runs of a file.
pub fn load(path: &Path) -> io::Result<Vec<Run>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    parse(&text).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

/// See the head of this file. A line that is marked as torn is passed over; any other strange line is an error.
pub fn parse(text: &str) -> Result<Vec<Run>, String> {
    let mut runs: Vec<Run> = Vec::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if !line.ends_with('\n') || line.ends_with(" torn\n") {
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        let what = words.next().unwrap_or_default();
        let numbers: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
        match (what, numbers.as_deref(), runs.last_mut()) {
            ("run", Some(&[base_ns, lines, connections, measurements, versions]), _)
                if lines.min(connections).min(measurements).min(versions) > 0 =>
            {
                let layout = Layout { base_ns, lines, connections, measurements, versions };
                runs.push(Run::new(layout));
            }
            ("sent", Some(&[request, version]), Some(run)) => run.sent(request, version),
            ("acked", Some(&[request, version]), Some(run)) => run.acked(request, version),
            _ => return Err(format!("line {} is not of a ledger", number + 1)),
        }
    }
    Ok(runs)
}
