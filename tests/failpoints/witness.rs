//! Clients beside the load: each does one kind of thing and remembers what it was told.

use crate::support::prelude::*;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Lines that every backend refuses, because a field has another type there.
    RefusedLines,
    /// `CREATE DATABASE`.
    Statements,
}

/// What a client saw. Its things are numbered.
#[derive(Debug, Default)]
pub struct Seen {
    /// Answered for good.
    pub answered: Vec<u64>,
    /// Sent whole, and then the connection broke.
    pub unknown: Vec<u64>,
}

/// A client at work.
pub struct Witness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// A server compares types within a week of points: all of ours lie in one.
const FIRST_NS: u64 = 1_700_000_000_000_000_000;

/// A line that is refused where `typed` has a number in `v`.
fn bad_line(number: u64) -> String {
    format!("typed,client=bad v=\"text\" {}", FIRST_NS + number)
}

impl Work {
    /// What must be there before the gateway starts.
    pub fn prepare(self, world: &World, db: &str) {
        if self == Work::RefusedLines {
            for owner in world.owners(&["--db", db], "typed") {
                let good = format!("typed,client=first v=0.5 {FIRST_NS}");
                world.server(&owner).write(db, &good).expect(204);
            }
        }
    }

    pub fn start(self, address: SocketAddr, db: &str) -> Witness {
        let stop = Arc::new(AtomicBool::new(false));
        let (flag, name) = (stop.clone(), db.to_owned());
        let thread = std::thread::spawn(move || self.run(address, &name, &flag));
        Witness { stop, thread }
    }

    /// What is not as it was told, in words.
    pub fn findings(self, world: &World, db: &str, seen: &Seen) -> Vec<String> {
        let mut findings = match self {
            Work::RefusedLines => rejects(world, db, seen),
            Work::Statements => databases(world, db, seen),
        };
        if seen.answered.is_empty() {
            findings.push("the client beside the load was never answered".to_owned());
        }
        findings
    }

    fn run(self, address: SocketAddr, db: &str, stop: &AtomicBool) -> Seen {
        let mut seen = Seen::default();
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
            let Ok(mut connection) = Connection::try_open(address) else { continue };
            match connection.request(&self.request(db, number)) {
                Ok(answer) if self.is_final(&answer) => seen.answered.push(number),
                // Asked again: it was not taken.
                Ok(_) => continue,
                // Not asked again, so that what became of it shows.
                Err(_) => seen.unknown.push(number),
            }
            number += 1;
        }
        seen
    }

    fn request(self, db: &str, number: u64) -> Request {
        match self {
            Work::RefusedLines => {
                Request::post(&format!("/write?db={}", encode(db)), bad_line(number))
            }
            Work::Statements => {
                let text = format!("CREATE DATABASE \"{}\"", made(db, number));
                Request::post(&format!("/query?q={}", encode(&text)), "")
            }
        }
    }

    /// A refused line is taken: in the log, and the refusal is only told.
    fn is_final(self, answer: &Answer) -> bool {
        match self {
            Work::RefusedLines => {
                answer.status == 204
                    || answer.status == 400 && answer.text().contains("field type conflict")
            }
            Work::Statements => answer.status == 200 && !answer.text().contains("error"),
        }
    }
}

fn made(db: &str, number: u64) -> String {
    format!("{db}_made_{number}")
}

impl Witness {
    /// Ends it; what it saw is to be looked for when nothing is owed any more.
    pub fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a client never panics")
    }
}

/// Each refused line is kept for its owner in every circle, and nothing else is.
fn rejects(world: &World, db: &str, seen: &Seen) -> Vec<String> {
    let mut findings = Vec::new();
    for owner in world.owners(&["--db", db], "typed") {
        let mut kept = std::collections::BTreeSet::new();
        let folder = world.circlet.data().join("rejects").join(&owner);
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let mut is_ours = false;
            for line in text.lines() {
                match line.strip_prefix('#') {
                    Some(comment) => is_ours = comment.contains(&format!("db=\"{db}\"")),
                    None if is_ours => drop(kept.insert(line.to_owned())),
                    None => {}
                }
            }
        }
        for number in &seen.answered {
            if !kept.contains(&bad_line(*number)) {
                findings.push(format!("refused line {number} is not in the rejects of {owner}"));
            }
        }
        let sent = seen.answered.iter().chain(&seen.unknown);
        let sent: std::collections::BTreeSet<String> =
            sent.map(|number| bad_line(*number)).collect();
        let strange: Vec<_> = kept.difference(&sent).collect();
        if !strange.is_empty() {
            findings.push(format!("the rejects of {owner} hold {strange:?}"));
        }
    }
    findings
}

/// Each database whose statement was answered is on every backend.
fn databases(world: &World, db: &str, seen: &Seen) -> Vec<String> {
    let mut findings = Vec::new();
    for number in &seen.answered {
        let name = made(db, *number);
        let lacking = world.servers().filter(|server| !has_database(server, &name));
        findings.extend(lacking.map(|server| format!("{} lacks database {name}", server.name)));
    }
    findings
}

/// Whether the statement with this number has run on every backend.
pub fn ran_everywhere(world: &World, db: &str, number: u64) -> bool {
    world.servers().all(|server| has_database(server, &made(db, number)))
}

fn has_database(server: &Influxd, name: &str) -> bool {
    let rows = server.series("", "SHOW DATABASES").remove(0)["values"].clone();
    rows.as_array().expect("rows").iter().any(|row| row[0] == name)
}
