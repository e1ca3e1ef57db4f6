//! One core: its write path, its read path, its logs and its connections; and the control thread that
//! starts, watches and ends the shards.
//!
//! Promises:
//! - nothing is accepted, sent or answered before every log on disk has published what it owes;
//! - a shard is told things only through its mailbox, and tells only through the control's channel; connections
//!   come to it by its listener and by its door;
//! - it ends when told to: answers under way are finished, the log is synced, the cursors are written.
//!
//! It does not know the state of another shard.
//!
//! Read in this order: `mailbox`, `usher`, `core` (one shard's life), `control` (the node's life), `certificates`, `reload`, `ring_change`,
//! `status`, `store_node` (the embedded store, which is no shard) and `embedded` (those of a gateway), `backlog` and `reroute` (of a stopped node).

pub mod backlog;
pub mod certificates;
pub mod control;
pub mod core;
pub mod embedded;
pub mod mailbox;
pub mod reload;
pub mod reroute;
pub mod ring_change;
pub mod status;
pub mod store_node;
pub mod usher;

pub use control::{Node, Pulse, Sign, Trouble};
pub use reload::Source;
pub use store_node::{StoreNode, StoreSetup};
