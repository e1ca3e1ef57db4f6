//! Whether there is room for a request: asked before anything of it enters the log. One load from the board
//! for each request; more only while some backlog is full.

use super::accept::Failure;
use super::batch::Checked;
use super::look::{why, why_backend};
use super::{Facts, Ingest};
use crate::backend::room::{Gate, Limit};

/// When a refused client should come back, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// Refuses everything while the logs or the disk are full.
pub(super) fn whole(facts: &Facts) -> Result<(), Failure> {
    let gate = facts.board.room.gate();
    let reason = match gate {
        Gate::Open | Gate::SomeBacklogFull => return Ok(()),
        Gate::LogFull => "log_full",
        Gate::DiskFull => "disk_full",
    };
    facts.meters.no_room(reason);
    Err(refused(why(gate).to_owned()))
}

/// Refuses a request whole if some line of it would go to a backend whose backlog is full: kept in part it
/// would be lost for that backend, or come twice.
pub(super) fn lines(ingest: &Ingest, lines: &[Checked]) -> Result<(), Failure> {
    let facts = &ingest.facts;
    let room = &facts.board.room;
    if room.gate() != Gate::SomeBacklogFull {
        return Ok(());
    }
    let router = ingest.router.borrow();
    let mut last = None;
    for line in lines {
        if last.replace(line.set) == Some(line.set) {
            continue;
        }
        for slot in router.set(line.set) {
            let place = &facts.places[usize::from(*slot)];
            let limit = room.full(place.id);
            if limit != Limit::Within {
                facts.meters.no_room("backlog_full");
                return Err(refused(why_backend(place, limit)));
            }
        }
    }
    Ok(())
}

fn refused(why: String) -> Failure {
    Failure::Unavailable { why, retry_after_s: RETRY_AFTER_S }
}
