//! To be written.

pub mod accept;

pub use accept::Ingest;
