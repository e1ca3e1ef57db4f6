//! Laws of the log: bytes, cases of recovery, crashes at every operation, rot at every sector.

mod cases;
mod checkpoints;
mod crash;
mod format;
mod golden;
mod lies;
mod lost_files;
mod mistakes;
mod packing;
mod registry;
mod rest;
mod world;
mod writing;
