//! Circlet on disks and machines that fail: power cuts, full and broken disks, forbidden system calls, rot.
//! Needs root, loop devices and FUSE.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait in real time and may panic; the library's rules are for shards"
)]
#![allow(dead_code, unused_imports, reason = "each test binary uses its part of tests/support")]

#[path = "../support/mod.rs"]
mod support;

mod budgets;
mod device;
mod disk;
mod environment;
mod mount;
mod power;
mod rot;
