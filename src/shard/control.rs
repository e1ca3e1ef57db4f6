//! The node's life, as the control thread leads it. `main` calls these steps in order.

use super::certificates::Certificates;
use super::core::{PROBE_FILE, Setup, live};
use super::mailbox::{Event, Letter, Order, Post, mailbox};
use super::reload::{Source, unix_seconds};
use super::store_node::StoreNode;
use super::{embedded, ring_change};
use crate::backend::board::Incomplete;
use crate::backend::{Board, Condition};
use crate::base::ids::{BackendId, LogId, ShardId};
use crate::config::Config;
use crate::config::reload::{Failure, Outcome};
use crate::ingest::checkpoint::{incomplete_path, parse_incomplete};
use crate::ingest::start::{Plan, Told};
use crate::ring::Topology;
use crate::rt::preflight::Obstacle;
use crate::rt::{Clock, launch, preflight};
use crate::telemetry::{Exposition, latency::Merged, logs, meters};
use crate::wal::Registry;
use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Largest segment, and smallest.
const SEGMENT_BYTES: [u64; 2] = [8 * 1024 * 1024, 64 * 1024 * 1024];

/// Where `max_bytes` leaves no room for larger ones.
const SEGMENT_BYTES_LEAST: u64 = 1024 * 1024;

pub(super) const TICK: Duration = Duration::from_millis(100);

/// Why the node did not start, or did not end well.
#[derive(Debug)]
pub enum Trouble {
    /// The machine does not allow it.
    Environment(String),
    /// The configuration does not fit what is on disk.
    Configuration(String),
    /// Something was named that is not here.
    Usage(String),
    /// Something failed while running.
    Running(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Environment(text)
            | Trouble::Configuration(text)
            | Trouble::Usage(text)
            | Trouble::Running(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<Obstacle> for Trouble {
    fn from(obstacle: Obstacle) -> Trouble {
        Trouble::Environment(obstacle.to_string())
    }
}

/// How the node is, once a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Every shard's own clock has ticked since this was last true.
    pub all_alive: bool,
    pub up: usize,
    pub backends: usize,
    pub backlog_bytes: u64,
}

/// What is to be told to whoever supervises the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Once a second.
    Alive(Pulse),
    Reloading,
    /// Or not: either way it is over.
    Reloaded,
}

/// A node on its way up. Lives on: the control thread.
pub struct Node {
    pub(super) config: Arc<Config>,
    /// Absent: there is nothing to read again.
    pub(super) source: Option<Source>,
    /// Who waits for the next reload.
    pub(super) reloads_wanted: Vec<Post<Outcome>>,
    /// How many reloads the shards were told of.
    pub(super) reloads: u64,
    pub(super) segment_bytes: u64,
    is_ending: bool,
    topology: Arc<Topology>,
    registry: Registry,
    backend_ids: Vec<BackendId>,
    board: Arc<Board>,
    exposition: Exposition,
    pub(super) posts: Vec<Post<Order>>,
    events: Option<Receiver<Letter>>,
    latencies: Merged,
    /// The shards that have told anything since the last look.
    heard: Vec<bool>,
    /// Not 0 once somebody has asked to stop.
    asked: Arc<AtomicUsize>,
    /// Somebody has sent SIGHUP.
    hung_up: Arc<AtomicBool>,
    /// Stores of this process.
    stores: Vec<StoreNode>,
    pub(super) certificates: Certificates,
}

impl Node {
    /// Asks the machine for what shards need.
    pub fn preflight() -> Result<(), Trouble> {
        Ok(preflight::check()?)
    }

    /// Takes the data directory, and compares the rings with those of the last start.
    pub fn open(
        config: Arc<Config>,
        source: Option<Source>,
        accept_ring_change: bool,
    ) -> Result<Node, Trouble> {
        // From here on a signal means an orderly end, even if it comes while logs are read.
        let asked = heed_signals()?;
        let hung_up = heed_hang_up()?;
        let data = &config.data_dir;
        let mut node = [0; 16];
        getrandom::fill(&mut node).map_err(|error| Trouble::Environment(error.to_string()))?;
        let mut registry = Registry::open(data, node).map_err(Trouble::Environment)?;
        let topology = Arc::new(Topology::new(&config.plan));
        ring_change::check(data, &topology, accept_ring_change).map_err(Trouble::Configuration)?;
        let names: Vec<String> =
            config.backends.iter().map(|backend| backend.name.clone()).collect();
        let backend_ids = registry.numbers(&names).map_err(Trouble::Running)?;
        write_probe(registry.directory()).map_err(Trouble::Environment)?;
        let logs = log_count(&registry, config.shards)?;
        let board = Board::new(logs, registry.names().len(), usize::from(config.shards));
        restore_incomplete(&config, &backend_ids, &board);
        let exposition = Exposition::install().map_err(Trouble::Running)?;
        let certificates = Certificates::load(&config);
        let certificates =
            certificates.map_err(|error| Trouble::Configuration(error.to_string()))?;
        Ok(Node {
            topology,
            registry,
            backend_ids,
            board: Arc::new(board),
            exposition,
            posts: Vec::new(),
            events: None,
            latencies: Merged::default(),
            heard: vec![false; usize::from(config.shards)],
            asked,
            hung_up,
            source,
            reloads_wanted: Vec::new(),
            reloads: 0,
            segment_bytes: 0,
            is_ending: false,
            stores: Vec::new(),
            certificates,
            config,
        })
    }

    /// Starts the stores of this process. Shards reach them like servers of others; nothing waits for them, since
    /// what they are owed stays in the log.
    pub fn embed(&mut self, first_database: Option<&'static str>) -> Result<(), Trouble> {
        let mut config = Config::clone(&self.config);
        self.stores = embedded::start(&mut config, first_database, &self.exposition)?;
        self.config = Arc::new(config);
        Ok(())
    }

    /// Starts a shard on each core and lets them read what is on disk.
    pub fn launch(&mut self) -> Result<(), Trouble> {
        let (sender, receiver) = unbounded();
        self.events = Some(receiver);
        let cpus = allowed_cpus();
        let logs = log_count(&self.registry, self.config.shards)?;
        let segment_bytes = segment_bytes(&self.config, self.registry.directory())?;
        self.segment_bytes = segment_bytes;
        let opening = |store: &StoreNode| (store.name().to_owned(), store.opening().clone());
        let stores: Vec<_> = self.stores.iter().map(opening).collect();
        let (doors, halls): (Vec<_>, Vec<_>) = (0..self.config.shards).map(|_| mailbox()).unzip();
        for (shard, hall) in (0..self.config.shards).zip(halls) {
            let (post, mailbox) = mailbox();
            self.posts.push(post);
            let setup = Setup {
                shard: ShardId(shard),
                config: self.config.clone(),
                topology: self.topology.clone(),
                backend_ids: self.backend_ids.clone(),
                board: self.board.clone(),
                wal_directory: self.registry.directory().to_owned(),
                node: self.registry.node,
                segment_bytes,
                logs: logs_of(shard, self.config.shards, logs),
                exposition: self.exposition.clone(),
                started_unix_ns: Clock::Real.unix().0,
                mailbox,
                events: sender.clone(),
                doors: doors.clone(),
                hall,
                stores: stores.clone(),
                door: self.certificates.door(),
                trusts: self.certificates.trusts(),
            };
            let cpu = cpus[usize::from(shard) % cpus.len()];
            launch(cpu, &format!("shard-{shard}"), move || live(setup))?;
        }
        Ok(())
    }

    /// Waits for all logs, decides what is sent again, and lets the shards rewind.
    pub fn recover(&mut self) -> Result<(), Trouble> {
        let mut told: Vec<Told> = Vec::new();
        let all_told = self.await_all(|event| match event {
            Event::Told(logs) => {
                told.extend(logs);
                true
            }
            _ => false,
        });
        all_told.map_err(before_service)?;
        let damaged: u64 = told.iter().map(|log| log.damaged_frames).sum();
        let lost = told.iter().filter(|log| log.lost_cursors).count();
        if damaged > 0 || lost > 0 {
            tracing::error!(damaged, lost, "frames are damaged or cursors are lost");
        }
        let plan = Arc::new(Plan::of(&told, Clock::Real.mono()));
        self.post(&Order::Begin(plan));
        self.await_all(|event| matches!(event, Event::Begun)).map_err(before_service)
    }

    /// Opens the doors. The first shard serves when it has looked at every backend; before that no other shard
    /// takes a connection, or its clients would meet a gateway that does not know who is up and has what.
    pub fn serve(&mut self) -> Result<(), Trouble> {
        embedded::wait(&self.stores);
        let is_serving = |event| matches!(event, Event::Serving);
        self.posts[0].send(Order::Serve);
        self.await_some(1, is_serving)?;
        for post in &self.posts[1..] {
            post.send(Order::Serve);
        }
        self.await_some(self.posts.len() - 1, is_serving)?;
        let started = unix_seconds();
        meters::process(env!("CARGO_PKG_VERSION"), started);
        meters::reload(true, Some(started));
        meters::ready(true);
        Ok(())
    }

    /// Watches the shards until a signal asks to stop, reads the configuration again when that is wanted, and shows
    /// each second how the node is. A second signal ends the process at once, which is safe.
    pub fn watch(&mut self, mut show: impl FnMut(Sign)) -> Result<(), Trouble> {
        let mut ticks = 0u32;
        while self.asked.load(Ordering::Relaxed) == 0 {
            self.take_event(TICK, |_| false)?;
            if self.hung_up.swap(false, Ordering::Relaxed) || !self.reloads_wanted.is_empty() {
                show(Sign::Reloading);
                self.reload()?;
                show(Sign::Reloaded);
            }
            ticks += 1;
            if ticks.is_multiple_of(10) {
                self.latencies.publish();
                logs::tick();
                self.certificates.renew_what_has_changed();
                show(Sign::Alive(self.pulse()));
            }
            if ticks.is_multiple_of(50) {
                self.exposition.upkeep();
            }
        }
        Ok(())
    }

    fn pulse(&mut self) -> Pulse {
        let all_alive = self.heard.iter().all(|heard| *heard);
        if all_alive {
            self.heard.fill(false);
        }
        let ids = &self.backend_ids;
        Pulse {
            all_alive,
            up: ids.iter().filter(|id| self.board.condition(**id) == Condition::Up).count(),
            backends: ids.len(),
            backlog_bytes: ids.iter().map(|id| self.board.owed_bytes(*id)).sum(),
        }
    }

    /// Lets every shard finish. Returns whether nothing was cut off.
    pub fn end(&mut self) -> Result<bool, Trouble> {
        self.is_ending = true;
        for post in self.reloads_wanted.drain(..) {
            post.send(Err(Failure::Ending));
        }
        self.post(&Order::End);
        let mut all_clean = true;
        self.await_all(|event| match event {
            Event::Ended { is_clean } => {
                all_clean &= is_clean;
                true
            }
            _ => false,
        })?;
        // Nobody sends them anything any more.
        for store in self.stores.drain(..) {
            all_clean &= store.end();
        }
        Ok(all_clean)
    }

    pub(super) fn post(&self, order: &Order) {
        for post in &self.posts {
            post.send(order.clone());
        }
    }

    /// Waits until every shard has told what `is_wanted` takes.
    fn await_all(&mut self, is_wanted: impl FnMut(Event) -> bool) -> Result<(), Trouble> {
        self.await_some(self.posts.len(), is_wanted)
    }

    fn await_some(
        &mut self,
        mut left: usize,
        mut is_wanted: impl FnMut(Event) -> bool,
    ) -> Result<(), Trouble> {
        while left > 0 {
            if self.take_event(TICK, &mut is_wanted)? {
                left -= 1;
            }
        }
        Ok(())
    }

    pub(super) fn take_event(
        &mut self,
        limit: Duration,
        mut is_wanted: impl FnMut(Event) -> bool,
    ) -> Result<bool, Trouble> {
        let events = self.events.as_ref().expect("set before any shard starts");
        match events.recv_timeout(limit) {
            Ok((shard, Event::Latencies(snapshot))) => {
                self.heard[usize::from(shard.0)] = true;
                self.latencies.add(&snapshot);
                Ok(false)
            }
            Ok((_, Event::ReloadWanted(post))) => {
                match self.is_ending {
                    true => drop(post.send(Err(Failure::Ending))),
                    false => self.reloads_wanted.push(post),
                }
                Ok(false)
            }
            Ok((shard, Event::Failed(text))) => {
                Err(Trouble::Running(format!("shard {shard}: {text}")))
            }
            Ok((_, event)) => Ok(is_wanted(event)),
            Err(RecvTimeoutError::Timeout) => Ok(false),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Trouble::Running("all shards have ended".to_owned()))
            }
        }
    }
}

/// 64 MiB, less on small disks.
pub(super) fn segment_bytes(config: &Config, directory: &Path) -> Result<u64, Trouble> {
    if let Some(bytes) = config.log.segment_bytes {
        return Ok(bytes.next_multiple_of(4096));
    }
    let facts =
        rustix::fs::statvfs(directory).map_err(|error| Trouble::Environment(error.to_string()))?;
    let free = facts.f_bavail.saturating_mul(facts.f_frsize);
    let share = free / (32 * u64::from(config.shards));
    let [least, most] = SEGMENT_BYTES;
    let mut bytes = share.clamp(least, most);
    if let Some(all) = config.log.bytes_max {
        // A log is freed by whole segments: there must be some of them.
        bytes = bytes.min(all / (8 * u64::from(config.shards))).max(SEGMENT_BYTES_LEAST);
    }
    Ok(bytes / 4096 * 4096)
}

/// A disk that does not let a log begin is a matter of the machine.
fn before_service(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Running(text) => Trouble::Environment(text),
        other => other,
    }
}

/// SIGTERM and SIGINT from here on: the number is not 0 once somebody has asked to stop.
pub(super) fn heed_signals() -> Result<Arc<AtomicUsize>, Trouble> {
    let asked = Arc::new(AtomicUsize::new(0));
    for signal in [SIGTERM, SIGINT] {
        register(signal, &asked).map_err(|error| Trouble::Running(error.to_string()))?;
    }
    Ok(asked)
}

/// SIGHUP from here on: true once there was one.
fn heed_hang_up() -> Result<Arc<AtomicBool>, Trouble> {
    let hung_up = Arc::new(AtomicBool::new(false));
    let registered = signal_hook::flag::register(SIGHUP, hung_up.clone());
    registered.map_err(|error| Trouble::Running(error.to_string()))?;
    Ok(hung_up)
}

/// The first signal is counted, the second one ends the process.
fn register(signal: i32, asked: &Arc<AtomicUsize>) -> std::io::Result<()> {
    let armed = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register_conditional_shutdown(signal, 1, armed.clone())?;
    signal_hook::flag::register(signal, armed)?;
    signal_hook::flag::register_usize(signal, asked.clone(), 1)?;
    Ok(())
}

/// Own logs, and those of more cores of an earlier start.
fn log_count(registry: &Registry, shards: u16) -> Result<usize, Trouble> {
    let on_disk = registry.logs().map_err(Trouble::Running)?;
    let highest = on_disk.iter().map(|log| log.index() + 1).max().unwrap_or(0);
    Ok(highest.max(usize::from(shards)))
}

fn logs_of(shard: u16, shards: u16, logs: usize) -> Vec<LogId> {
    let all = 0..u16::try_from(logs).expect("far fewer logs");
    all.filter(|log| log % shards == shard).map(LogId).collect()
}

pub(super) fn allowed_cpus() -> Vec<usize> {
    let set = rustix::thread::sched_getaffinity(None);
    let allowed = set.map(|set| (0..1024).filter(|cpu| set.is_set(*cpu)).collect::<Vec<_>>());
    allowed.ok().filter(|cpus| !cpus.is_empty()).unwrap_or_else(|| vec![0])
}

/// One page of real bytes on the log's disk, synced: see `core::PROBE_FILE`.
fn write_probe(directory: &Path) -> Result<(), String> {
    let path = directory.join(PROBE_FILE);
    let write = || {
        if std::fs::metadata(&path).is_ok_and(|facts| facts.len() == 4096) {
            return Ok(());
        }
        std::fs::write(&path, [b'p'; 4096])?;
        std::fs::File::open(&path)?.sync_all()
    };
    let written: std::io::Result<()> = write();
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn restore_incomplete(config: &Config, ids: &[BackendId], board: &Board) {
    for (backend, id) in config.backends.iter().zip(ids) {
        let path = incomplete_path(&config.data_dir, &backend.name);
        let flag = match std::fs::read_to_string(path) {
            Ok(text) => Some(parse_incomplete(&text).unwrap_or_else(rotten_flag)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(_) => Some(rotten_flag()),
        };
        board.set_incomplete(*id, flag);
    }
}

/// A flag that cannot be read was set once.
fn rotten_flag() -> Incomplete {
    let reason = "its flag on disk is damaged, so why is not known".to_owned();
    Incomplete { reason, since_unix_ms: Clock::Real.unix().millis(), points: 0 }
}
