//! The embedded engine: a storage node after InfluxDB's TSM engine, so that Circlet runs without a server beside it.
//!
//! It promises: what `write` has said is stored survives the death of the process and the loss of power; files are
//! InfluxDB's own, so its server opens ours and we open its; answers equal InfluxDB's; damage stays where it is.
//!
//! It does not know: HTTP, rings, circles, what a shard is. Shards reach it through `backend`, over a socket, as they
//! reach a remote. Nothing here is asynchronous: who calls it brings a thread that may wait.
//!
//! Read in this order: `value` (what a point holds) and `view` (what a question may ask of the engine, and the changes
//! that a statement makes) are the words that all the rest shares. `point` makes values of a checked line. `tsm` is the
//! files, `compact` makes few of many. `meta` names databases, policies and windows on disk, `notes` is what else it holds. `foreign` looks into data
//! directories, also those of an InfluxDB. `log` keeps what is in no file yet, `index` knows the series, `engine` puts all of it
//! together, `store` is what callers see of that. `influxql` and `flux` answer questions.

pub mod compact;
pub mod damage;
pub mod engine;
pub mod flux;
pub mod foreign;
pub mod guard;
pub mod index;
pub mod influxql;
pub mod lock;
pub mod log;
pub mod meta;
pub mod notes;
pub mod point;
pub mod stats;
#[expect(clippy::module_inception, reason = "the store itself")]
pub mod store;
pub mod table;
pub mod tsm;
pub mod value;
pub mod view;
pub mod zone;

#[cfg(test)]
pub mod twin;
