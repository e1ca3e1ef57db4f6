//! What the gateway says of itself: the facts behind `/health`, `/ready`, `/metrics` and the status.

use crate::backend::room::{Gate, Limit};
use crate::backend::{Condition, Place};
use crate::base::ids::BackendId;
use crate::base::time::UnixNanos;
use crate::config::checked::Ack;
use crate::ingest::{Facts, look};
use crate::ring::topology::Circle;
use crate::rt::preflight;
use crate::server::health;
use crate::telemetry::{BackendGauges, meters};
use crate::wal::Log;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub fn facts(
    facts: &Facts,
    wal: &Log,
    stale_after: Duration,
    started_unix_ns: i64,
) -> health::Facts {
    let now = facts.clock.unix();
    let board = &facts.board;
    let is_complete = |id| board.is_complete(id, stale_after, now.millis());
    let circles = facts.topology.circles().iter().map(|circle| {
        let slots = circle.backends.clone().map(usize::from);
        let places: Vec<_> = slots.map(|slot| &facts.places[slot]).collect();
        let missing: Vec<&str> = places
            .iter()
            .filter(|place| place.is_write_only() || !is_complete(place.id))
            .map(|place| place.name.as_str())
            .collect();
        health::CircleFact {
            name: circle.name.to_string(),
            can_answer: missing.is_empty(),
            message: if missing.is_empty() {
                format!("{} backends complete", places.len())
            } else {
                format!("not complete: {}", missing.join(", "))
            },
        }
    });
    let incomplete = facts.places.iter().filter_map(|place| {
        let flag = board.incomplete(place.id)?;
        Some((place.label(), format!("{} ({} points)", flag.reason, flag.points)))
    });
    health::Facts {
        not_ready: not_ready(facts, wal),
        log: log(facts),
        circles: circles.collect(),
        incomplete: incomplete.collect(),
        backends: backends(facts, stale_after),
        ack_is_interval: facts.write.get().ack == Ack::Interval,
        started: UnixNanos(started_unix_ns),
        up: Duration::from_nanos(u64::try_from(now.0 - started_unix_ns).unwrap_or(0)),
    }
}

fn not_ready(facts: &Facts, log: &Log) -> Option<String> {
    if facts.board.draining.load(Ordering::Relaxed) {
        return Some("the gateway is stopping".to_owned());
    }
    if log.has_failed() {
        return Some("the log cannot be written".to_owned());
    }
    no_room(facts)
}

/// Why there is no room for any line: everywhere, or in some circle.
fn no_room(facts: &Facts) -> Option<String> {
    let room = &facts.board.room;
    let gate = room.gate();
    if gate != Gate::SomeBacklogFull {
        return Some(look::why(gate).to_owned()).filter(|why| !why.is_empty());
    }
    let is_full = |slot: u16| room.full(facts.backend(slot)) != Limit::Within;
    let mut circles = facts.topology.circles().iter();
    let circle = circles.find(|circle| circle.backends.clone().all(is_full))?;
    Some(format!("the backlogs of {} are full", circle.name))
}

fn log(facts: &Facts) -> health::LogFact {
    let (room, limits) = (&facts.board.room, facts.limits.get());
    let disk = room.disk();
    health::LogFact {
        bytes: room.logs_bytes(),
        bytes_max: limits.log_bytes_max,
        free_bytes: disk.free,
        min_free_bytes: disk.min_free,
        ballast_bytes: disk.ballast,
        is_tight: room.is_tight(),
        full: Some(look::why(room.gate())).filter(|why| !why.is_empty()),
    }
}

fn backends(facts: &Facts, stale_after: Duration) -> Vec<health::BackendFact> {
    let shares = facts.topology.circles().iter().flat_map(Circle::shares);
    let of = |(place, share): (&Rc<Place>, f64)| backend(facts, place, share, stale_after);
    facts.places.iter().zip(shares).map(of).collect()
}

fn backend(facts: &Facts, place: &Place, share: f64, stale_after: Duration) -> health::BackendFact {
    let board = &facts.board;
    let now = facts.clock.unix().millis();
    let parked = board.parked.entries();
    let parked = parked.iter().filter(|entry| entry.backend == place.id);
    health::BackendFact {
        circle: place.circle_name.clone(),
        name: place.name.clone(),
        state: match board.condition(place.id) {
            Condition::Up => "up",
            Condition::Down => "down",
            Condition::Unknown => "unknown",
        },
        state_age: Some(board.condition_since(place.id))
            .filter(|since| *since > 0)
            .map(|since| Duration::from_millis(now.saturating_sub(since))),
        share,
        is_complete: board.is_complete(place.id, stale_after, now),
        incomplete: board.incomplete(place.id).map(|flag| flag.reason.clone()),
        backlog_bytes: board.owed_bytes(place.id),
        backlog_age: board.owed_age(place.id, now),
        backlog_bytes_max: facts.limits.get().backlog(place.id).and_then(|config| config.bytes_max),
        full: Some(look::key(board.room.full(place.id))).filter(|key| !key.is_empty()),
        dropped_points: board.room.dropped_points(place.id),
        parked: parked
            .filter_map(|entry| {
                let target = crate::ring::Target::from_tag(&entry.tag)?;
                Some((target.bucket().into_owned(), entry.reason.clone()))
            })
            .collect(),
        last_error: board.last_error(place.id).map(|error| (*error).clone()),
    }
}

/// Puts the board's state into the gauges, so that `/metrics` tells the moment.
pub fn publish(facts: &Facts) {
    let board = &facts.board;
    let now = facts.clock.unix().millis();
    let parked = board.parked.entries();
    for place in &facts.places {
        let gauges = BackendGauges::new(&place.circle_name, &place.name);
        let id: BackendId = place.id;
        let flag = |is_set: bool| if is_set { 1.0 } else { 0.0 };
        gauges.up.set(flag(board.condition(id) == Condition::Up));
        gauges.incomplete.set(flag(board.incomplete(id).is_some()));
        #[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
        gauges.backlog_bytes.set(board.owed_bytes(id) as f64);
        gauges
            .backlog_age_seconds
            .set(board.owed_age(id, now).map_or(0.0, |age| age.as_secs_f64()));
        let waiting = parked.iter().filter(|entry| entry.backend == id).count();
        gauges.parked.set(f64::from(u32::try_from(waiting).unwrap_or(u32::MAX)));
        gauges.backlog_full.set(flag(board.room.full(id) != Limit::Within));
        gauges.order_window_seconds.set(board.order_window(id).as_secs_f64());
    }
    #[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
    let float = |bytes: u64| bytes as f64;
    let disk = board.room.disk();
    meters::disk(float(disk.free), float(disk.min_free), float(disk.ballast));
    meters::queries_running(float(board.questions.running() as u64));
    if let Some(used) = preflight::memory_used() {
        meters::memory(float(used));
    }
    meters::ready(!board.draining.load(Ordering::Relaxed) && no_room(facts).is_none());
}
