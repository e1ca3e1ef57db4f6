//! The configuration: a file, then raw values, then the checked [`Config`].
//!
//! Promises: an unknown key is refused; *all* problems are reported at once, each with its path, its
//! place, what is wrong and a mend; a checked value needs no further check; secrets never show in
//! `Debug`; no text, however broken, makes it panic.
//!
//! Does not know: what the values are used for; whether a backend answers.
//!
//! Read in this order: `checked` (what comes out), `environment` (what goes in besides the file),
//! `token` (who may do what), `tree` (the document with places, variables filled in), `section` (typed reading of one table),
//! `raw` (the file's sections), `plain`, `budget`, `check` (from raw to checked), `certificates`, `problem` (how it is told),
//! `reload` (what a running gateway takes over).

mod budget;
pub mod certificates;
mod check;
pub mod checked;
pub mod environment;
mod load;
mod plain;
pub mod problem;
mod raw;
pub mod reload;
mod section;
pub mod token;
mod tree;
pub mod units;
mod variables;

pub use checked::{
    Ack, Auth, Backend, BackendTls, BacklogConfig, Config, Consistency, Credentials, Kind,
    LogConfig, LogLevel, LogSync, MinFree, OnFull, ProbeConfig, QueryConfig, Secret, ServerConfig,
    StoreConfig, TlsConfig, TlsVersion, WriteConfig,
};
pub use environment::Environment;
pub use problem::{Refusal, Told};

#[cfg(test)]
mod tests;
