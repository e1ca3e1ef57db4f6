//! What happened, as far as the clients and the model backends saw it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// Where a point lies: writing it again replaces it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Register {
    pub database: String,
    /// Empty for the default one.
    pub policy: String,
    pub measurement: String,
    pub series: u64,
    pub time: u64,
}

/// What a backend does with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Good,
    /// Some backends say that its field has another type.
    Conflict,
    /// Some backends answer 500 for ever.
    Poison,
    /// Some backends cannot read it.
    Unreadable,
}

/// One line of one request. Its number is the value of its field.
#[derive(Clone, Debug)]
pub struct Point {
    pub operation: usize,
    pub register: Register,
    pub fate: Fate,
}

impl Register {
    /// Where its points go, as 2.x names it: the database, and the policy if it is not the default one.
    pub fn place(&self) -> String {
        match self.policy.as_str() {
            "" => self.database.clone(),
            policy => format!("{}/{policy}", self.database),
        }
    }
}

impl Point {
    /// The line that carries it, as the log and the backends see it.
    pub fn line(&self, number: usize) -> String {
        let Register { measurement, series, time, .. } = &self.register;
        format!("{measurement},s=s{series} v={number}i {}", 1_700_000_000_000_000_000 + time)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Write,
    Create(String),
    /// Deletes a measurement of a database, in all of its policies.
    Delete(String, String),
}

/// A request or statement of a client.
#[derive(Clone, Debug)]
pub struct Operation {
    pub connection: u64,
    pub what: What,
    /// The backend that was not in the configuration.
    pub absent: Option<usize>,
    pub sent: u64,
    pub acknowledged: Option<u64>,
    pub answer: String,
}

#[derive(Default)]
pub struct Record {
    pub operations: RefCell<Vec<Operation>>,
    pub points: RefCell<Vec<Point>>,
    /// When a backend's order window changed, and to what, in nanoseconds.
    pub windows: RefCell<Vec<Vec<(u64, u64)>>>,
    pub connections: Cell<u64>,
    /// When the power went.
    pub cuts: RefCell<Vec<u64>>,
    /// For so long before a power cut an answer promises nothing, in nanoseconds.
    pub risk: Cell<u64>,
    /// Frames that rot has hit.
    pub rotten_frames: Cell<u64>,
    /// Some backend kept several lines together: nobody can know which of them it has.
    pub has_doubtful_rejects: Cell<bool>,
    /// Points and statements in frames that rot has hit, and whether a start can tell that they are missing.
    pub rotten_points: RefCell<BTreeMap<usize, bool>>,
    pub rotten_statements: RefCell<BTreeMap<usize, bool>>,
    /// No log had cursors any more, whoever took them.
    pub has_lost_every: Cell<bool>,
    /// When all cursors were lost last: nothing orders what was acknowledged before that.
    pub lost_all: Cell<u64>,
    /// What a backend lacks in the end, where that may be: backend and number.
    pub missing_points: RefCell<Vec<(usize, usize)>>,
    pub missing_statements: RefCell<Vec<(usize, usize)>>,
    /// What was given up for want of room: backend, and point or statement.
    pub given_points: RefCell<BTreeSet<(usize, usize)>>,
    pub given_statements: RefCell<BTreeSet<(usize, usize)>>,
    pub violations: RefCell<Vec<String>>,
    /// What happened, for whoever looks for the reason.
    pub story: RefCell<Vec<String>>,
    pub tells: Cell<bool>,
}

impl Record {
    pub fn violation(&self, text: String) {
        self.violations.borrow_mut().push(text);
    }

    pub fn tell(&self, now: u64, text: impl FnOnce() -> String) {
        if self.tells.get() {
            self.story.borrow_mut().push(format!("{:>9.3} ms  {}", now as f64 / 1e6, text()));
        }
    }

    pub fn begin(&self, connection: u64, what: What, absent: Option<usize>, sent: u64) -> usize {
        let mut operations = self.operations.borrow_mut();
        operations.push(Operation {
            connection,
            what,
            absent,
            sent,
            acknowledged: None,
            answer: String::new(),
        });
        operations.len() - 1
    }

    pub fn point(&self, operation: usize, register: Register, fate: Fate) -> usize {
        let mut points = self.points.borrow_mut();
        points.push(Point { operation, register, fate });
        points.len() - 1
    }

    pub fn ended(&self, operation: usize, acknowledged: Option<u64>, answer: String) {
        let mut operations = self.operations.borrow_mut();
        operations[operation].acknowledged = acknowledged;
        operations[operation].answer = answer;
    }

    pub fn is_acknowledged(&self, point: usize) -> bool {
        let operation = self.points.borrow()[point].operation;
        self.operations.borrow()[operation].acknowledged.is_some()
    }

    /// Whether a power cut may have taken what was acknowledged.
    pub fn was_at_risk(&self, operation: &Operation) -> bool {
        let Some(at) = operation.acknowledged else { return true };
        self.cuts.borrow().iter().any(|cut| at <= *cut && cut - at < self.risk.get())
    }

    /// The largest order window of a backend between two moments.
    pub fn window(&self, backend: usize, from: u64, to: u64) -> u64 {
        // They are looked at every few milliseconds.
        let to = to + 6_000_000;
        let windows = self.windows.borrow();
        let before = windows[backend].iter().rev().find(|(at, _)| *at <= from);
        let during = windows[backend].iter().filter(|(at, _)| (from..=to).contains(at));
        before.into_iter().chain(during).map(|(_, window)| *window).max().unwrap_or(0)
    }
}
