//! Numbered points: several connections write them, remember what was acknowledged, and every
//! backend is asked afterwards. Independent of the load tool, and survives the gateway's death.
//!
//! Point `i` of writer `w`: measurement `load_<i mod measurements>`, tag `w`, field `n` = i, time
//! `FIRST_NS` + i, and a field of letters if lines are to be long. A body that was not answered 204 is sent again until it is, as a client does.

use super::http::{Answer, Connection, Request, encode};
use super::wait::{seconds, until};
use super::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const FIRST_NS: u64 = 1_700_000_000_000_000_000;

/// What is written.
#[derive(Clone)]
pub struct Load {
    pub db: String,
    pub writers: u64,
    pub measurements: u64,
    pub lines_per_body: u64,
    /// Letters in each line that only make it longer.
    pub padding: usize,
    /// Pause after each answer, so that backends on two cores keep up.
    pub pause: Duration,
    /// A writer ends after so many bodies.
    pub bodies: u64,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            db: "d".to_owned(),
            writers: 4,
            measurements: 20,
            lines_per_body: 50,
            padding: 0,
            pause: Duration::from_millis(5),
            bodies: u64::MAX,
        }
    }
}

/// A load under way.
pub struct Running {
    load: Load,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    writers: Vec<JoinHandle<Tally>>,
}

/// What one writer, or all together, saw.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// Numbers of acknowledged points by writer.
    pub acknowledged: BTreeMap<u64, BTreeSet<u64>>,
    /// The first number never sent, by writer.
    pub sent: BTreeMap<u64, u64>,
    /// Answers by status.
    pub answers: BTreeMap<u16, u64>,
    /// Connections that broke or were refused.
    pub broken: u64,
    /// Answers that said `X-Circlet-Pending`.
    pub pending: u64,
    /// The longest wait for an answer.
    pub longest: Duration,
    /// The first text of an answer that was not 204.
    pub complaint: Option<String>,
}

impl Load {
    pub fn start(&self, address: SocketAddr) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let writer = |number| {
            let (load, stop, count) = (self.clone(), stop.clone(), acknowledged.clone());
            std::thread::spawn(move || load.write(number, address, &stop, &count))
        };
        let writers = (0..self.writers).map(writer).collect();
        Running { load: self.clone(), stop, acknowledged, writers }
    }

    fn write(
        &self,
        writer: u64,
        address: SocketAddr,
        stop: &AtomicBool,
        count: &AtomicU64,
    ) -> Tally {
        let mut tally = Tally::default();
        let mut connection = None;
        for body in 0..self.bodies {
            let first = body * self.lines_per_body;
            let numbers = first..first + self.lines_per_body;
            let request = self.request(writer, numbers.clone());
            tally.sent.insert(writer, numbers.end);
            loop {
                if stop.load(Ordering::Relaxed) {
                    return tally;
                }
                if tally.send(&mut connection, address, &request) {
                    tally.acknowledged.entry(writer).or_default().extend(numbers);
                    count.fetch_add(self.lines_per_body, Ordering::Relaxed);
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            std::thread::sleep(self.pause);
        }
        tally
    }

    /// Every second body as Telegraf sends it: gzip in chunks.
    fn request(&self, writer: u64, numbers: std::ops::Range<u64>) -> Request {
        let plain = (numbers.start / self.lines_per_body).is_multiple_of(2);
        let mut lines = String::new();
        let padding = match self.padding {
            0 => String::new(),
            letters => format!(",s=\"{}\"", "x".repeat(letters)),
        };
        for number in numbers {
            let (measurement, time) = (number % self.measurements, FIRST_NS + number);
            lines.push_str(&format!("load_{measurement},w={writer} n={number}i{padding} {time}\n"));
        }
        let request = Request::post(&format!("/write?db={}", encode(&self.db)), lines);
        if plain { request } else { request.gzip().chunked(512) }
    }
}

impl Running {
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so many more lines were acknowledged.
    pub fn wait_for_more(&self, lines: u64) {
        let before = self.acknowledged();
        until("lines are acknowledged", seconds(60), || {
            (self.acknowledged() >= before + lines).then_some(())
        });
    }

    /// Stops all writers and adds up what they saw.
    pub fn stop(self) -> (Load, Tally) {
        self.stop.store(true, Ordering::Relaxed);
        self.join()
    }

    /// Waits until every writer has written all its bodies.
    pub fn join(self) -> (Load, Tally) {
        let mut total = Tally::default();
        for writer in self.writers {
            total.add(writer.join().expect("a writer never panics"));
        }
        (self.load, total)
    }
}

impl Tally {
    pub fn count(&self) -> u64 {
        self.acknowledged.values().map(|numbers| numbers.len() as u64).sum()
    }

    fn add(&mut self, other: Tally) {
        self.acknowledged.extend(other.acknowledged);
        self.sent.extend(other.sent);
        for (status, count) in other.answers {
            *self.answers.entry(status).or_default() += count;
        }
        self.broken += other.broken;
        self.pending += other.pending;
        self.longest = self.longest.max(other.longest);
        self.complaint = self.complaint.take().or(other.complaint);
    }

    /// Sends once; true when it was acknowledged.
    fn send(
        &mut self,
        held: &mut Option<Connection>,
        address: SocketAddr,
        request: &Request,
    ) -> bool {
        let connection = match held.take() {
            Some(connection) => Ok(connection),
            None => Connection::try_open(address),
        };
        let started = Instant::now();
        let answer = connection.and_then(|mut connection| {
            let answer = connection.request(request)?;
            let closing = answer.header("Connection").is_some_and(|value| value == "close");
            *held = (!closing).then_some(connection);
            Ok(answer)
        });
        match answer {
            Ok(answer) => self.note(&answer, started.elapsed()),
            Err(_) => {
                self.broken += 1;
                false
            }
        }
    }

    fn note(&mut self, answer: &Answer, took: Duration) -> bool {
        *self.answers.entry(answer.status).or_default() += 1;
        self.longest = self.longest.max(took);
        self.pending += u64::from(answer.header("X-Circlet-Pending").is_some());
        let good = answer.status == 204;
        if !good && self.complaint.is_none() {
            self.complaint = Some(format!("{} {}", answer.status, answer.text()));
        }
        good
    }
}

/// What is not as acknowledged, in words; empty when all is well.
pub fn findings(world: &World, load: &Load, tally: &Tally) -> Vec<String> {
    let names: Vec<String> = (0..load.measurements).map(|index| format!("load_{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let owners = world.routes(&["--db", &load.db], &names);
    let mut findings = Vec::new();
    for (circle, servers) in world.circles.iter().enumerate() {
        let mut found: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for server in servers {
            for series in server.series(&load.db, "SELECT n FROM /^load_/ GROUP BY w") {
                let name = series["name"].as_str().expect("a name");
                let measurement: usize = name["load_".len()..].parse().expect("a number");
                if owners[measurement][circle] != server.name {
                    findings.push(format!("{name} on {}, not on its owner", server.name));
                }
                let writer = series["tags"]["w"].as_str().and_then(|text| text.parse().ok());
                let numbers = found.entry(writer.expect("a writer")).or_default();
                for row in series["values"].as_array().expect("rows") {
                    let number = row[0].as_u64().expect("a time") - FIRST_NS;
                    let right = row[1].as_u64() == Some(number);
                    if !right || number % load.measurements != measurement as u64 {
                        findings.push(format!("{name} holds a wrong value: {row}"));
                    }
                    numbers.insert(number);
                }
            }
        }
        compare(circle + 1, tally, &found, &mut findings);
    }
    findings
}

fn compare(
    circle: usize,
    tally: &Tally,
    found: &BTreeMap<u64, BTreeSet<u64>>,
    findings: &mut Vec<String>,
) {
    let nothing = BTreeSet::new();
    for (writer, acknowledged) in &tally.acknowledged {
        let found = found.get(writer).unwrap_or(&nothing);
        let missing: Vec<u64> = acknowledged.difference(found).copied().collect();
        if let Some(first) = missing.first() {
            let count = missing.len();
            findings
                .push(format!("circle {circle} lacks {count} of writer {writer}, first {first}"));
        }
    }
    for (writer, numbers) in found {
        let end = tally.sent.get(writer).copied().unwrap_or(0);
        let never = numbers.range(end..).count();
        if never > 0 {
            findings.push(format!("circle {circle} holds {never} never sent by writer {writer}"));
        }
    }
}

/// Panics unless every acknowledged point is where it belongs, in every circle.
#[track_caller]
pub fn expect_whole(world: &World, load: &Load, tally: &Tally) {
    assert!(tally.count() > 0, "nothing was acknowledged: {tally:?}");
    let findings = findings(world, load, tally);
    let delivered = || {
        let text = world.ask(&Request::get("/metrics")).text();
        let lines = text.lines().filter(|line| line.starts_with("circlet_backend_lines_total"));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert!(
        findings.is_empty(),
        "of {} acknowledged: {findings:#?}\n{}",
        tally.count(),
        delivered()
    );
}
