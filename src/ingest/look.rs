//! Shard 0's look at the room, once a second: asks the disk and the board, puts on the board what follows,
//! and holds the ballast. Nothing of it is on the way of a request.

use super::budget::{Backlog, Keeper, Limits, Ruling, Seen};
use super::{Facts, Ingest};
use crate::backend::Place;
use crate::backend::room::{DiskFacts, Gate, Limit};
use crate::base::ids::BackendId;
use crate::rt::disk::Space;
use crate::rt::sleep;
use crate::wal::{Ballast, Moved};
use std::rc::Rc;
use std::time::Duration;

/// Between two looks.
pub const EVERY: Duration = Duration::from_secs(1);

/// What a look remembers. Lives on: shard 0.
#[derive(Debug)]
pub struct Look {
    keeper: Keeper,
    ballast: Option<Ballast>,
    gate: Gate,
    full: Vec<(BackendId, Limit)>,
    /// The disk could not be asked, or the ballast not be made: told once.
    is_told: bool,
}

impl Ingest {
    /// Looks until the gateway ends.
    pub async fn keep_budget(self: Rc<Self>, mut look: Look) {
        while !self.is_ending.get() {
            sleep(EVERY).await;
            look.once(&self.facts, self.outlet.log.segment_bytes()).await;
        }
    }
}

impl Look {
    pub fn new(limits: &Limits) -> Look {
        let full = limits.backlogs.iter().map(|(backend, _)| (*backend, Limit::Within)).collect();
        let keeper = Keeper::new(limits.clone());
        Look { keeper, ballast: None, gate: Gate::Open, full, is_told: false }
    }

    /// One look. The first one is before anything is taken.
    pub async fn once(&mut self, facts: &Facts, segment_bytes: u64) {
        let space = match facts.disk.space(&facts.data).await {
            Ok(space) => space,
            Err(error) => {
                self.tell_once(&error, "the free space of the disk is not known");
                return;
            }
        };
        self.hold_ballast(facts, segment_bytes, space).await;
        let seen = seen(facts, space);
        self.keeper.follow(&facts.limits.get());
        let ruling = self.keeper.rule(&seen);
        self.tell(facts, &ruling, &seen);
        publish(facts, &ruling);
    }

    async fn hold_ballast(&mut self, facts: &Facts, segment_bytes: u64, space: Space) {
        let min_free = facts.limits.get().min_free.bytes(space.whole);
        let ballast = match &mut self.ballast {
            Some(ballast) => ballast,
            none => {
                let wal = facts.data.join("wal");
                let opened = Ballast::open(&facts.disk, &wal, segment_bytes, space.whole).await;
                none.insert(opened)
            }
        };
        let moved = ballast.look(space.free, min_free).await;
        let bytes = ballast.held();
        facts.board.room.set_disk(DiskFacts { free: space.free, min_free, ballast: bytes });
        match moved {
            Ok(Moved::Not) => self.is_told = false,
            Ok(Moved::GivenUp) => tracing::error!(
                free_bytes = space.free,
                "the disk is full: the ballast is given up, so that progress can be recorded"
            ),
            Ok(Moved::Made) => tracing::info!(bytes, "ballast is held for a full disk"),
            Err(error) => self.tell_once(&error, "the ballast could not be made or given up"),
        }
    }

    fn tell_once(&mut self, error: &std::io::Error, what: &str) {
        if !self.is_told {
            tracing::warn!(%error, "{what}");
        }
        self.is_told = true;
    }

    /// Says what has changed.
    fn tell(&mut self, facts: &Facts, ruling: &Ruling, seen: &Seen) {
        let is_shut = |gate| matches!(gate, Gate::LogFull | Gate::DiskFull);
        let (before, now) = (is_shut(self.gate), is_shut(ruling.gate));
        let (logs_bytes, free_bytes) = (seen.logs_bytes, seen.free_bytes);
        if now && self.gate != ruling.gate {
            let why = why(ruling.gate);
            tracing::error!(logs_bytes, free_bytes, "{why}: writes are refused");
        } else if before && !now {
            tracing::info!(logs_bytes, free_bytes, "there is room again: writes are taken");
        }
        self.gate = ruling.gate;
        for (at, (limit, _)) in ruling.backlogs.iter().enumerate() {
            let (backend, known) = &mut self.full[at];
            if known == limit {
                continue;
            }
            *known = *limit;
            let label = facts.place_of(*backend).map(|place| place.label()).unwrap_or_default();
            let bytes = seen.backlogs[at].bytes;
            match limit {
                Limit::Within => {
                    tracing::info!(
                        backend = label,
                        bytes,
                        "writes for the backend are taken again"
                    );
                }
                limit => {
                    let key = key(*limit);
                    tracing::error!(
                        backend = label,
                        bytes,
                        "beyond {key}: writes for it are refused"
                    );
                }
            }
        }
    }
}

fn seen(facts: &Facts, space: Space) -> Seen {
    let (board, now) = (&facts.board, facts.clock.unix().millis());
    let backlog = |(backend, _): &(BackendId, _)| Backlog {
        bytes: board.owed_bytes(*backend),
        age: board.owed_age(*backend, now).unwrap_or_default(),
    };
    Seen {
        logs_bytes: board.room.logs_bytes(),
        free_bytes: space.free,
        whole_bytes: space.whole,
        now_unix_ms: now,
        backlogs: facts.limits.get().backlogs.iter().map(backlog).collect(),
    }
}

fn publish(facts: &Facts, ruling: &Ruling) {
    let room = &facts.board.room;
    let limits = facts.limits.get();
    for ((backend, _), (limit, shrink)) in limits.backlogs.iter().zip(&ruling.backlogs) {
        room.set_full(*backend, *limit);
        room.set_shrink(*backend, *shrink);
    }
    room.set_tight(ruling.is_tight);
    room.set_shed(ruling.shed_bytes);
    room.set_gate(ruling.gate);
}

/// As an answer and `/ready` say it; nothing if writes are taken.
pub fn why(gate: Gate) -> &'static str {
    match gate {
        Gate::Open | Gate::SomeBacklogFull => "",
        Gate::LogFull => "the log is full (max_bytes)",
        Gate::DiskFull => "the disk is full (min_free)",
    }
}

/// The key of the configuration that a backlog is beyond.
pub fn key(limit: Limit) -> &'static str {
    match limit {
        Limit::Within => "",
        Limit::Bytes => "max_backlog_bytes",
        Limit::Age => "max_backlog_age",
    }
}

/// The same of one backend, for a client.
pub fn why_backend(place: &Place, limit: Limit) -> String {
    format!("the backlog of {} is full ({})", place.label(), key(limit))
}
