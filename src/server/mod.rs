//! The face of Circlet: listener, connections, endpoint table, answers.
//!
//! Promises: a request is answered exactly once and in order; a body that is broken, too large or too slow
//! reaches no endpoint; memory for bodies comes from a budget; only 204 says that a write succeeded; every
//! loop over foreign bytes lets others work after a slice.
//!
//! It is the only folder with status codes. It does not know what a line means, who owns it, or what a
//! query asks.
//!
//! Read in this order: `listen` and `conn` (I/O), `machine` and `intake` (one connection without I/O), `pace`,
//! `endpoint` (the table), `write`, `query`, `statement`, `delete`, `reload` and
//! `buckets` (one file for each kind), `answer` (what is said), `auth` and `permit` (who may do what),
//! `tap` (what passes), `front` (what a connection needs, and the role of its listener), `gateway` (what the endpoints of a gateway need);
//! `store` has the endpoints of the embedded store.

pub mod answer;
pub mod auth;
pub mod buckets;
pub mod budget;
pub mod complete;
pub mod conn;
mod content;
pub mod delete;
pub mod endpoint;
pub mod front;
pub mod gateway;
pub mod health;
pub mod intake;
pub mod listen;
pub mod machine;
pub mod meter;
pub mod multipart;
mod pace;
mod page;
mod permit;
pub mod ping;
mod presence;
pub mod query;
mod reload;
mod route;
pub mod statement;
pub mod store;
mod tap;
pub mod write;

pub use front::{Behind, Front, Parts, Role, Settings};
pub use gateway::Gateway;

#[cfg(test)]
mod tests;
