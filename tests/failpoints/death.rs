//! One death at one failpoint, and what must be true afterwards.

use crate::support::deaths::all_findings;
use crate::support::prelude::*;
use crate::witness::{Work, ran_everywhere};
use std::os::unix::process::ExitStatusExt;

/// Where, and under what circumstances.
#[derive(Clone, Debug)]
pub struct Death {
    pub failpoint: &'static str,
    /// How often the place is passed unharmed.
    pub passed: u64,
    /// A backend of the second circle is dead, too, until the gateway lives again.
    pub backend_down: bool,
    /// The next life ends at the same place, when it is reached first: while what the first death left
    /// undone is being done.
    pub twice: bool,
}

/// What came of it.
pub struct Outcome {
    /// Points acknowledged before and after.
    pub acknowledged: u64,
    /// What is not as it was acknowledged, in words.
    pub findings: Vec<String>,
}

/// Two circles of two real servers, a gateway with small segments that does not run yet.
pub fn world() -> World {
    let mut world =
        Setup::new().tables("[log]\nsegment_bytes = \"1MiB\"\nspill_after = \"0s\"").start();
    world.circlet.kill();
    world
}

impl Death {
    fn work(&self) -> Option<Work> {
        match self.failpoint.split('.').next() {
            Some("reject") => Some(Work::RefusedLines),
            Some("statement") => Some(Work::Statements),
            _ => None,
        }
    }

    fn load(&self, db: &str) -> Load {
        // Segments must fill up, and be given back.
        let padding = if self.failpoint.starts_with("wal.segment") { 2_000 } else { 100 };
        Load { db: db.to_owned(), writers: 3, padding, ..Load::default() }
    }

    /// Dies in a database of its own, lives again and looks. The gateway of `world` is down before and after.
    pub fn happen(&self, world: &mut World, db: &str) -> Outcome {
        world.servers().for_each(|server| server.create_database(db));
        let work = self.work();
        if let Some(work) = work {
            work.prepare(world, db);
        }
        let down = world.circles[1][1].name.clone();
        if self.backend_down {
            world.server_mut(&down).kill();
        }
        let running = self.load(db).start(world.circlet.address);
        let witness = work.map(|work| (work, work.start(world.circlet.address, db)));
        self.die(world, self.passed);
        if self.twice {
            self.die(world, 0);
        }
        world.circlet.restart();
        running.wait_for_more(300);
        if self.backend_down {
            world.server_mut(&down).restart();
        }
        let (load, tally) = running.stop();
        let seen = witness.map(|(work, witness)| (work, witness.stop()));
        world.wait_drained(seconds(60));
        let mut findings = all_findings(world, &load, &tally);
        if let Some((work, seen)) = seen {
            findings.extend(work.findings(world, db, &seen));
        }
        let is_durable = self.failpoint == "statement.after_append";
        if is_durable && !ran_everywhere(world, db, self.passed) {
            findings.push(format!("durable statement {} was forgotten", self.passed));
        }
        world.circlet.kill();
        Outcome { acknowledged: tally.count(), findings }
    }

    /// One life, to its end at the failpoint.
    fn die(&self, world: &mut World, passed: u64) {
        let armed = match passed {
            0 => format!("{}=return", self.failpoint),
            some => format!("{}={some}*off->return", self.failpoint),
        };
        world.circlet.start_with(&[("FAILPOINTS", &armed)]);
        let status = until(&format!("{armed} is reached"), seconds(60), || world.circlet.ended());
        assert_eq!(status.signal(), Some(9), "{armed}: {status}\n{}", world.circlet.log_end());
    }
}
