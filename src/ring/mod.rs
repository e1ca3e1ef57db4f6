//! Circles, rings, and the way from a route key to one backend in every circle.
//!
//! Promises: the same names always find the same owners, in every process and every release; every
//! spelling of one target finds the same owners. Both are guarded by fixtures in `tests/vectors`.
//!
//! Does not know: I/O, the configuration, which backend is up; anything that changes after the start;
//! any hash that may change between releases.
//!
//! Read in this order: `name` (what a request means), `key` (what is hashed), `crc_ring` and `even`
//! (the two placements), `topology` (all circles together), `fingerprint` (how a later start compares),
//! `router` (one shard's cache).

pub mod comment;
pub mod crc_ring;
pub mod even;
pub mod fingerprint;
pub mod key;
pub mod name;
pub mod router;
mod short;
pub mod tag;
pub mod topology;

pub use fingerprint::{FingerprintError, moved_share};
pub use key::{HashKey, KeyError, ShardKey};
pub use name::{Mapping, Naming, Target};
pub use router::{Router, TargetNo, TargetSetNo};
pub use topology::{
    BackendPlace, BackendPlan, Circle, CirclePlan, Owners, Placement, Plan, Topology,
};

#[cfg(test)]
mod spread;
#[cfg(test)]
mod tests;
