//! Model clients: each is one connection to one shard, sends one request after the other, and remembers
//! what it was told.

use super::backend::Model;
use super::record::{Fate, Record, Register, What};
use super::shape::Shape;
use crate::backend::statement::{Act, Lengths};
use crate::config::checked::Ack;
use crate::ingest::Ingest;
use crate::ingest::accept::{self, Accepted, BadLines, Consistency, Failure, Request};
use crate::ingest::statement::{self, Reach, Statement};
use crate::proto::line::Precision;
use crate::ring::Target;
use crate::rt::sim_tasks::SimTasks;
use crate::rt::sleep;
use std::rc::Rc;
use std::time::Duration;

/// The retention policy that some worlds have beside the default one.
pub const POLICY: &str = "weekly";

pub struct Client {
    pub connection: u64,
    pub shape: Shape,
    pub ingest: Rc<Ingest>,
    pub absent: Option<usize>,
    pub record: Rc<Record>,
    pub models: Rc<Vec<Rc<Model>>>,
    pub tasks: SimTasks,
}

fn target(database: &str, policy: &str) -> Target {
    Target { org: "org".into(), database: database.into(), retention_policy: policy.into() }
}

impl Client {
    /// Sends everything that it has to send.
    pub async fn run(self) {
        for _ in 0..self.shape.requests {
            self.think().await;
            if self.tasks.below(100) < self.shape.statements {
                self.state().await;
            } else {
                self.write().await;
            }
        }
    }

    async fn think(&self) {
        let ms = match self.tasks.below(10) {
            0..=3 => 0,
            4..=6 => self.tasks.below(10),
            7 | 8 => self.tasks.below(60),
            _ => 80 + self.tasks.below(150),
        };
        sleep(Duration::from_millis(ms)).await;
    }

    fn register(&self, database: &str, policy: &str) -> Register {
        Register {
            database: database.to_owned(),
            policy: policy.to_owned(),
            measurement: format!("m{}", self.tasks.below(self.shape.measurements)),
            series: self.tasks.below(self.shape.series),
            time: self.tasks.below(self.shape.times),
        }
    }

    fn fate(&self) -> Fate {
        if self.tasks.below(100) >= self.shape.bad {
            return Fate::Good;
        }
        [Fate::Conflict, Fate::Poison, Fate::Unreadable]
            [usize::try_from(self.tasks.below(3)).unwrap()]
    }

    async fn write(&self) {
        let database = format!("db{}", self.tasks.below(self.shape.databases));
        let is_other = self.shape.policies && self.tasks.below(2) == 0;
        let policy = if is_other { POLICY } else { "" };
        let now = self.tasks.now_ns();
        let operation = self.record.begin(self.connection, What::Write, self.absent, now);
        let count = match self.tasks.below(12) {
            0 => 20 + self.tasks.below(300),
            _ => 1 + self.tasks.below(4),
        };
        let mut body = String::new();
        let mut points = Vec::new();
        for _ in 0..count {
            let number =
                self.record.point(operation, self.register(&database, policy), self.fate());
            body.push_str(&self.record.points.borrow()[number].line(number));
            body.push('\n');
            points.push(number);
        }
        self.record.tell(now, || {
            format!("connection {} sends {operation}: points {points:?}", self.connection)
        });
        let target = target(&database, policy);
        let request = Request {
            target: &target,
            precision: Precision::Nanoseconds,
            body: body.as_bytes(),
            bad_lines: BadLines::RefuseAll,
            consistency: Consistency::Any,
        };
        let outcome = accept::lines(&self.ingest, request).await;
        let now = self.tasks.now_ns();
        self.record.tell(now, || format!("operation {operation} is answered {outcome:?}"));
        match outcome {
            Ok(accepted) => {
                self.record.ended(operation, Some(now), String::new());
                self.look_at(operation, &points, &accepted);
            }
            Err(Failure::BadLines { texts, .. }) => {
                self.record.violation(format!("operation {operation} has bad lines: {texts}"));
            }
            Err(failure) => self.record.ended(operation, None, format!("{failure:?}")),
        }
    }

    /// With `delivered`, an answer without pending backends means that all of them have it.
    fn look_at(&self, operation: usize, points: &[usize], accepted: &Accepted) {
        if accepted.lines != points.len() as u64 {
            self.record.violation(format!("operation {operation}: {} lines", accepted.lines));
        }
        let known = self.record.points.borrow();
        let is_good = points.iter().all(|point| known[*point].fate == Fate::Good);
        if is_good && !accepted.refused.is_empty() && self.shape.bad == 0 {
            let refused = &accepted.refused;
            self.record.violation(format!("operation {operation} is refused {refused:?}"));
        }
        let is_confirmed = accepted.pending.is_empty() && accepted.refused.is_empty();
        if self.shape.ack != Ack::Delivered || !is_confirmed {
            return;
        }
        for point in points {
            let register = &known[*point].register;
            let owners = self.ingest.facts.topology.route(
                &target(&register.database, &register.policy),
                register.measurement.as_bytes(),
            );
            for owner in owners {
                let model = &self.models[self.ingest.facts.backend(owner).index()];
                if !model.applied.borrow().contains_key(point) {
                    self.record.violation(format!(
                        "operation {operation} is confirmed, but backend {owner} lacks point {point}"
                    ));
                }
            }
        }
    }

    async fn state(&self) {
        let database = format!("db{}", self.tasks.below(self.shape.databases));
        let now = self.tasks.now_ns();
        let operation = if self.tasks.below(3) == 0 {
            self.record.begin(self.connection, What::Create(database.clone()), self.absent, now)
        } else {
            let measurement = format!("m{}", self.tasks.below(self.shape.measurements));
            let what = What::Delete(database.clone(), measurement);
            self.record.begin(self.connection, what, self.absent, now)
        };
        let what = self.record.operations.borrow()[operation].what.clone();
        let target = target(&database, "");
        let statement = match &what {
            What::Create(name) => {
                let text = format!("CREATE DATABASE \"{name}\"");
                Statement { text, target, act: Act::Make(Lengths::default()) }
            }
            _ => {
                let text = format!("DELETE \"delete-{operation}\"");
                Statement { text, target, act: Act::Text }
            }
        };
        self.record
            .tell(now, || format!("connection {} sends {operation}: {what:?}", self.connection));
        let outcome = statement::execute(&self.ingest, &statement, &Reach::All).await;
        let now = self.tasks.now_ns();
        self.record.tell(now, || format!("operation {operation} is answered {outcome:?}"));
        match outcome {
            Ok(_) => self.record.ended(operation, Some(now), String::new()),
            Err(failure) => self.record.ended(operation, None, format!("{failure:?}")),
        }
    }
}
