//! Worlds in which there is too little room.

use super::shape::Shape;
use crate::base::ids::BackendId;
use crate::config::checked::{BacklogConfig, MinFree, OnFull};
use crate::ingest::budget::Limits;

/// What logs and backlogs may take in a world.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub backlog: BacklogConfig,
}

pub const NO_LIMIT: BacklogConfig =
    BacklogConfig { bytes_max: None, age_max: None, on_full: OnFull::Reject, replay_rate: None };

impl Shape {
    pub fn limits(&self, backends: usize) -> Limits {
        let backlog = self.budget.map_or(NO_LIMIT, |budget| budget.backlog);
        let backlogs = (0..backends).map(|at| (BackendId(u16::try_from(at).unwrap()), backlog));
        Limits {
            log_bytes_max: None,
            min_free: MinFree::Bytes(0),
            on_full: OnFull::Reject,
            backlogs: backlogs.collect(),
        }
    }
}
