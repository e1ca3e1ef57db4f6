//! A reload: the control thread reads the file and decides, every shard follows, and only then it is told.
//!
//! A shard takes over everything in one turn of its executor, so that no request sees a half of each. What a request
//! or a wait has begun with, it ends with.

use super::control::{Node, TICK, Trouble};
use super::mailbox::{Event, Letter, Order, Post, mailbox};
use crate::base::ids::{BackendId, ShardId};
use crate::config::reload::{Failure, Outcome, Report, take_over};
use crate::config::{Config, Environment};
use crate::ingest::Facts;
use crate::ingest::budget::Limits;
use crate::query::Query;
use crate::rt::Clock;
use crate::server::{Front, Settings};
use crate::telemetry::{logs, meters};
use crossbeam_channel::Sender;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long the shards may take. Each needs a turn of its executor.
const LIMIT: Duration = Duration::from_secs(10);

/// Where the configuration comes from. Lives on: the control thread.
#[derive(Clone)]
pub struct Source {
    pub path: PathBuf,
    /// As it was at the start: nobody can change the variables of a process from outside.
    pub environment: Environment,
}

/// What of a shard follows a reload. Lives on: every shard.
pub struct Serving {
    pub shard: ShardId,
    /// In the order of the configuration.
    pub ids: Vec<BackendId>,
    pub query: Rc<Query>,
    pub front: Rc<Front>,
    /// The listener of operators, on one shard.
    pub admin: Option<Rc<Front>>,
}

impl Serving {
    /// From here on this configuration holds.
    pub fn follow(&self, facts: &Facts, config: &Config) {
        facts.write.set(config.write.clone());
        facts.probe.set(config.probe.clone());
        let backlogs = config.backends.iter().map(|backend| backend.backlog);
        facts.limits.set(Limits::of(&config.log, backlogs, self.ids.iter().copied()));
        self.query.settings.set(config.query.clone());
        let mut are_met_anew = false;
        for (place, backend) in facts.places.iter().zip(&config.backends) {
            assert_eq!(place.name, backend.name, "backends never change");
            are_met_anew |= place.follow(backend);
        }
        if are_met_anew {
            // Lines may wait because a backend did not know us.
            facts.asked.raise();
        }
        self.front.follow(Settings::of(config, self.shard.0));
        if let Some(admin) = &self.admin {
            admin.follow(Settings::of_admin(config, self.shard.0));
        }
    }
}

/// Asks the control thread for a reload and waits for what comes of it.
pub async fn want(shard: ShardId, events: Sender<Letter>) -> Outcome {
    let (post, answer) = mailbox();
    if events.send((shard, Event::ReloadWanted(post))).is_err() {
        return Err(Failure::Ending);
    }
    answer.next().await.unwrap_or(Err(Failure::Ending))
}

impl Node {
    /// Reads the file again for all who want it by now, and tells them. An error is one of a shard.
    pub(super) fn reload(&mut self) -> Result<(), Trouble> {
        let asked: Vec<Post<Outcome>> = self.reloads_wanted.drain(..).collect();
        let outcome = match self.read_again() {
            Ok(report) => self.await_followers()?.map(|()| report),
            Err(failure) => Err(failure),
        };
        tell(&outcome);
        for post in asked {
            post.send(outcome.clone());
        }
        Ok(())
    }

    /// Checks the file, and sends what may change to the shards.
    fn read_again(&mut self) -> Outcome {
        let source = self.source.as_ref().ok_or(Failure::NoFile)?;
        let fresh = Config::load(&source.path, &source.environment).map_err(Failure::Refused)?;
        let mut config = Config::clone(&self.config);
        let mut report = take_over(&mut config, fresh, self.segment_bytes);
        self.config = Arc::new(config);
        logs::set_level(self.config.log_level.word());
        report.are_certificates_kept = !self.certificates.follow(&self.config);
        self.reloads += 1;
        self.post(&Order::Follow(self.reloads, self.config.clone()));
        Ok(report)
    }

    fn await_followers(&mut self) -> Result<Result<(), Failure>, Trouble> {
        let number = self.reloads;
        let deadline = Clock::Real.mono().after(LIMIT);
        let mut left = self.posts.len();
        while left > 0 {
            let is_it = |event| matches!(event, Event::Follows(it) if it == number);
            if self.take_event(TICK, is_it)? {
                left -= 1;
            } else if Clock::Real.mono() >= deadline {
                return Ok(Err(Failure::Late));
            }
        }
        Ok(Ok(()))
    }
}

/// Into the log and the metrics.
fn tell(outcome: &Outcome) {
    match outcome {
        Ok(report) => {
            let Report { changed, needs_restart, moved_share, are_certificates_kept: _ } = report;
            let (changed, needs_restart) = (changed.join(", "), needs_restart.join(", "));
            tracing::info!(changed, "the configuration was read again");
            if !needs_restart.is_empty() {
                tracing::warn!(needs_restart, "these keys are as before until a restart");
            }
            if let Some(share) = moved_share.filter(|share| *share > 0.0) {
                tracing::warn!(share, "that restart would give keys another owner");
            }
        }
        Err(Failure::Refused(refusal)) => {
            for told in refusal.problems() {
                let (place, mend) = (refusal.place(told), &*told.mend);
                tracing::error!(place, key = told.path, mend, "{}", told.what);
            }
            tracing::error!("the configuration stays as it was: the file is refused");
        }
        Err(failure) => tracing::error!(%failure, "the configuration was not read again"),
    }
    meters::reload(outcome.is_ok(), outcome.is_ok().then(unix_seconds));
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
pub(super) fn unix_seconds() -> f64 {
    Clock::Real.unix_duration().as_millis() as f64 / 1000.0
}
