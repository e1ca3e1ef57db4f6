//! The write path of a shard: check, key, batch, append, deliver, replay, reject.
//!
//! Promises:
//! - a body is checked whole before any of it enters the log;
//! - a queue's cell on the board is written before a request in it is answered;
//! - what a backend refuses for good is kept in the rejects before the queue goes past it;
//! - memory does not grow with a slow backend.
//!
//! It does not know queries, sockets of clients, or status codes.
//!
//! Read in this order: `accept` (a request), `admit`, `batch` (runs), `commit` (the log's turn), `queue`, `order` and `window`
//! (pure), `deliver` (a backend's turn), `refuse` and `rejects`, `acks`, `statement`, `checkpoint`, `spill`,
//! `start`, `budget` (pure), `look` (shard 0's eyes), `shed` (what gives way), `pace`, `tap`.

pub mod accept;
pub mod acks;
pub mod admit;
pub mod batch;
pub mod budget;
pub mod checkpoint;
pub mod commit;
pub mod deliver;
pub mod group;
pub mod linger;
pub mod look;
pub mod order;
pub mod pace;
pub mod park;
pub mod queue;
pub mod refuse;
pub mod rejects;
pub mod shed;
pub mod slow;
pub mod spill;
pub mod start;
pub mod statement;
mod tap;
pub mod window;

#[cfg(test)]
mod tests;

use crate::backend::{Board, Client, Place};
use crate::base::current::Current;
use crate::base::ids::{BackendId, ShardId};
use crate::base::map::{FastMap, FastSet};
use crate::base::time::{Mono, Stamp};
use crate::config::checked::{ProbeConfig, WriteConfig};
use crate::ring::{Router, Topology};
use crate::rt::{Clock, Disk, Signal};
use crate::telemetry::{Latencies, Meters};
use crate::wal::{CheckpointFile, Log};
use acks::Acks;
use queue::Queue;
use slow::Slow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What a shard needs to know to write. Lives on: every shard.
pub struct Facts {
    pub shard: ShardId,
    pub topology: Arc<Topology>,
    /// In the order of the configuration, as the rings count them.
    pub places: Vec<Rc<Place>>,
    pub clients: Vec<Rc<Client>>,
    pub write: Current<WriteConfig>,
    pub probe: Rc<Current<ProbeConfig>>,
    pub limits: Current<budget::Limits>,
    /// Unsigned integers are taken by every backend.
    pub takes_unsigned: bool,
    /// A NUL tag key is taken by every backend.
    pub takes_nul_tag_key: bool,
    /// See `linger`.
    pub linger: Duration,
    pub data: PathBuf,
    pub board: Arc<Board>,
    pub clock: Clock,
    pub disk: Disk,
    pub meters: Rc<Meters>,
    pub latencies: Rc<Latencies>,
    /// Raised when a statement was delivered, for the prober.
    pub asked: Signal,
}

/// One log and its queues. A shard has one that it writes, and those that it adopted.
/// Lives on: the shard that owns the log.
pub struct Outlet {
    pub facts: Rc<Facts>,
    pub log: Log,
    pub queues: RefCell<Vec<Rc<Feed>>>,
    /// Of these the backends' own, each at its backend's number.
    pub mains: RefCell<Vec<Option<Rc<Feed>>>>,
    pub acks: Acks,
    pub checkpoint_file: RefCell<Option<CheckpointFile>>,
    /// Of the backends' own queues: see `wal::Checkpoint`.
    pub floors: RefCell<Vec<(BackendId, Stamp)>>,
    /// The same with what is parked: below them nothing is needed by anybody. For the headers of segments.
    pub safe_floors: RefCell<Vec<(BackendId, Stamp)>>,
    /// How often a queue has moved since frames were forgotten.
    pub moved: Cell<usize>,
    /// Something changed since the last checkpoint.
    pub is_dirty: Cell<bool>,
    /// Backends whose mark, *incomplete*, has changed since it was written.
    unsaved_marks: RefCell<BTreeSet<BackendId>>,
    /// Raised when a checkpoint must be written at once.
    pub checkpoint_now: Signal,
    pub checkpoints: Cell<u64>,
    pub checkpoint_done: Signal,
    /// Lines that some backend refused, until it is known whether others took them.
    pub refusals: RefCell<Vec<crate::wal::Refusal>>,
    /// How far each queue was in any earlier life, before it was rewound.
    pub reached: Vec<crate::wal::Reached>,
    /// Runs that an operator has dropped.
    pub drops: RefCell<Vec<crate::wal::Dropped>>,
    /// The order window that new frames carry.
    pub window: RefCell<window::Window>,
    /// Where requests are grouped.
    pub groups: RefCell<group::Groups>,
    /// What gave way to a budget.
    pub given: shed::Given,
    pub is_ending: Cell<bool>,
}

/// A queue and what drives it. Lives on: the shard that owns the log.
pub struct Feed {
    pub queue: RefCell<Queue>,
    /// `None` for a backend that is no longer in the configuration.
    pub client: Option<Rc<Client>>,
    pub wake: Signal,
    /// It is on the list of those that a commit has something for.
    pub is_noted: Cell<bool>,
    /// Set for a queue of a parked database.
    pub parked: RefCell<Option<Arc<crate::backend::parked::Parked>>>,
    pub slow: RefCell<Slow>,
    /// When the last lines were sent.
    pub sent_at: Cell<Mono>,
    /// Requests under way.
    pub sending: Cell<usize>,
    pub retry: Cell<Retry>,
    /// Databases whose requests were answered 500 again and again.
    pub suspects: RefCell<FastMap<Rc<[u8]>, Suspect>>,
    /// Lines that are in the rejects already: frame and offset.
    pub rejected: RefCell<FastSet<(u64, usize)>>,
    pub narrowed_at: Cell<Mono>,
    pub statement_tries: RefCell<Vec<Mono>>,
    pub statement_vain: Cell<u32>,
    pub is_ended: Cell<bool>,
    /// Where the log ended at start: once the cursor is there, all that was found is delivered.
    pub start_end: u64,
    pub owed_since_start: Cell<bool>,
    pub shedding: shed::Shedding,
}

/// How often a database's requests were answered 500, and since when.
pub type Suspect = (u32, Mono);

/// When a feed may send again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retry {
    pub failures: u32,
    pub at: Mono,
    pub was_up: bool,
}

/// The write path of a shard. Lives on: every shard.
pub struct Ingest {
    pub facts: Rc<Facts>,
    pub outlet: Rc<Outlet>,
    pub adopted: Vec<Rc<Outlet>>,
    pub router: RefCell<Router>,
    /// Memory for the lines of a request, used again.
    pub scratch: RefCell<Vec<Vec<batch::Checked>>>,
    pub is_ending: Cell<bool>,
    pub ending: Signal,
}

impl Facts {
    /// The log's number of a backend that the rings name.
    pub fn backend(&self, slot: u16) -> BackendId {
        self.places[usize::from(slot)].id
    }

    pub fn place_of(&self, backend: BackendId) -> Option<&Rc<Place>> {
        self.places.iter().find(|place| place.id == backend)
    }
}

/// Requests whose lines' memory is kept, and the most that is kept of one, in lines.
const SCRATCHES_MAX: usize = 8;
const SCRATCH_LINES_MAX: usize = 16 * 1024;

impl Ingest {
    fn take_scratch(&self) -> Vec<batch::Checked> {
        self.scratch.borrow_mut().pop().unwrap_or_default()
    }

    fn give_back(&self, mut lines: Vec<batch::Checked>) {
        let mut scratch = self.scratch.borrow_mut();
        if scratch.len() < SCRATCHES_MAX && lines.capacity() <= SCRATCH_LINES_MAX {
            lines.clear();
            scratch.push(lines);
        }
    }

    /// Its own log and the adopted ones.
    pub fn outlets(&self) -> impl Iterator<Item = &Rc<Outlet>> {
        std::iter::once(&self.outlet).chain(&self.adopted)
    }
}
