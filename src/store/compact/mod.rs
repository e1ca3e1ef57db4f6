//! Compaction: many files of one window become few, without a point that is deleted or overwritten.
//!
//! Promises: after every step, also one after which the process dies or the disk loses its power, the files that are
//! there give the same answers as before it; the sources go only when what replaces them is durable; what could not be
//! read of a source is told, and that source is set aside instead of unlinked.
//!
//! Does not know: when to run, which thread runs it, what the caches hold. Whoever calls `Made::publish` and
//! `Made::retire` lets no delete happen between the two.
//!
//! Read in this order: `plan` (which files), `rewrite` (their points into new files), `swap` (the new for the old).

mod plan;
mod rewrite;
mod swap;

#[cfg(test)]
mod tests;

pub use plan::{Facts, Job, Thoroughness, plan};
pub use rewrite::{Failed, rewrite};
pub use swap::{Made, tidy};
