//! The long runs of `scripts/faults`: resumable, bounded in time.
