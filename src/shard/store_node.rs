//! A node of the embedded store: an executor with a listener of its own, and the store behind it.
//!
//! It is no shard. Shards reach it over its socket like any backend, so that they never wait for it: while it
//! opens, or when it cannot, it answers 503, and what it is owed stays in the log.

use super::control::{Trouble, heed_signals};
use super::mailbox::{Mailbox, Post, mailbox};
use crate::base::current::Current;
use crate::config::{Auth, ServerConfig, StoreConfig};
use crate::ring::Naming;
use crate::rt::net::Listener;
use crate::rt::{Clock, Lane, launch_anywhere, preflight, sleep, spawn};
use crate::server::store::{self, Opening, Threads};
use crate::server::{Behind, Front, Parts, Role, Settings, listen};
use crate::store::store::{Limits, OpenError, Options, Store};
use crate::store::view::{Catalog, Change};
use crate::telemetry::{Exposition, HttpMeters, StoreLevels, logs, meters};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// After a directory could not be opened.
const OPEN_PAUSE: Duration = Duration::from_secs(10);

const TICK: Duration = Duration::from_millis(100);

/// A tick each.
const BIND_TRIES: u32 = 20;

/// Everything that a node is made of.
#[derive(Clone)]
pub struct StoreSetup {
    /// As metrics and threads are called: of a backend its name.
    pub name: String,
    pub directory: PathBuf,
    pub listen: SocketAddr,
    pub auth: Auth,
    pub server: ServerConfig,
    pub limits: StoreConfig,
    /// The one organization, which every name of one means.
    pub org: String,
    /// Made where the store has no database at all.
    pub first_database: Option<&'static str>,
    /// A directory that cannot be opened is tried again and again.
    pub keeps_trying: bool,
    pub exposition: Exposition,
}

/// A running node. Lives on: the control thread.
pub struct StoreNode {
    name: String,
    address: SocketAddr,
    opening: Arc<Opening>,
    post: Post<()>,
    /// Whether every answer was finished.
    ended: Receiver<bool>,
    opened: Receiver<Result<(), OpenError>>,
    /// Dropped to end the attempts to open.
    tries: Option<Sender<()>>,
}

impl StoreNode {
    /// Listens, and opens the store on a thread of its own.
    pub fn start(setup: StoreSetup) -> Result<StoreNode, Trouble> {
        let opening = Arc::new(Opening::default());
        let (post, orders) = mailbox();
        let (tell_address, told_address) = bounded(1);
        let (tell_end, ended) = bounded(1);
        let (name, theirs, parts) = (setup.name.clone(), opening.clone(), setup.clone());
        launch_anywhere(&name, move || live(parts, theirs, orders, tell_address, tell_end))?;
        let address: Result<SocketAddr, String> = told_address
            .recv()
            .unwrap_or_else(|_| Err("the executor of the store has ended".to_owned()));
        let address = address.map_err(Trouble::Environment)?;
        let (tell_opened, opened) = bounded(1);
        let (tries, is_ending) = bounded(0);
        let theirs = opening.clone();
        let thread = std::thread::Builder::new().name(format!("{name}-open"));
        thread
            .spawn(move || open(&setup, &theirs, &tell_opened, &is_ending))
            .map_err(|error| Trouble::Environment(error.to_string()))?;
        Ok(StoreNode { name, address, opening, post, ended, opened, tries: Some(tries) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn opening(&self) -> &Arc<Opening> {
        &self.opening
    }

    /// Waits so long for the store to open: nothing if it is still at it.
    pub fn wait_open(&self, limit: Duration) -> Option<Result<(), OpenError>> {
        if self.opening.store().is_some() {
            return Some(Ok(()));
        }
        self.opened.recv_timeout(limit).ok()
    }

    /// Finishes answers under way, takes all points to files and ends. Returns whether nothing was cut off and the
    /// files are complete; what is not in files is in the store's log.
    pub fn end(mut self) -> bool {
        self.tries = None;
        self.post.send(());
        let is_clean = self.ended.recv().unwrap_or(false);
        let Some(store) = self.opening.store() else { return is_clean };
        match store.stop() {
            Ok(()) => is_clean,
            Err(error) => {
                tracing::error!(store = self.name, error, "the store could not write its files");
                false
            }
        }
    }
}

/// The life of the executor. Lives on: its own thread.
async fn live(
    setup: StoreSetup,
    opening: Arc<Opening>,
    orders: Mailbox<()>,
    told: Sender<Result<SocketAddr, String>>,
    ended: Sender<bool>,
) {
    // If the control thread is gone, there is nobody to tell.
    let tell = |address| told.send(address).unwrap_or(());
    let bound = bind(setup.listen).await;
    let bound = bound.and_then(|listener| Ok((listener.local_address()?, listener)));
    let (address, listener) = match bound {
        Ok(bound) => bound,
        Err(error) => return tell(Err(format!("cannot listen on {}: {error}", setup.listen))),
    };
    let front = Rc::new(Front::new(parts(&setup, opening)));
    spawn(Lane::Serve, listen::accept(front.clone(), listener));
    tell(Ok(address));
    // If the control thread is gone, it is the end, too.
    orders.next().await;
    ended.send(listen::drained(&front).await).unwrap_or(());
}

/// After a kill the kernel takes a moment until the socket of the life before is gone: its rings are taken down late.
async fn bind(address: SocketAddr) -> std::io::Result<Listener> {
    for _ in 0..BIND_TRIES {
        match Listener::bind_alone(address) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => sleep(TICK).await,
            bound => return bound,
        }
    }
    Listener::bind_alone(address)
}

fn parts(setup: &StoreSetup, opening: Arc<Opening>) -> Parts {
    let settings = Rc::new(Current::new(Settings {
        role: Role::Store,
        auth: setup.auth.clone(),
        metrics_need_token: false,
        naming: Naming::new(&setup.org, &[]),
        server: setup.server.clone(),
        accept_partial: false,
        debug_headers: false,
        shard: 0,
        shards: 1,
    }));
    let node = store::Node::new(store::Parts {
        name: setup.name.clone(),
        settings: settings.clone(),
        opening: opening.clone(),
        clock: Clock::Real,
        threads: Threads { writes: setup.limits.writes_max, questions: setup.limits.queries_max },
    });
    let (name, exposition) = (setup.name.clone(), setup.exposition.clone());
    let metrics = move || {
        publish(&name, &opening);
        #[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
        if let Some(used) = preflight::memory_used() {
            meters::memory(used as f64);
        }
        exposition.render()
    };
    Parts {
        settings,
        behind: Behind::Store(Rc::new(node)),
        clock: Clock::Real,
        meters: HttpMeters::of_store(&setup.name),
        // Listens on loopback, for the shards of this process.
        door: None,
        metrics: Box::new(metrics),
        place: Box::new(Some),
    }
}

/// Opens the store, again and again if that is wanted.
fn open(
    setup: &StoreSetup,
    opening: &Opening,
    tell: &Sender<Result<(), OpenError>>,
    is_ending: &Receiver<()>,
) {
    let mut last = None;
    loop {
        match opened(setup) {
            Ok(store) => {
                opening.is_open(store);
                tracing::info!(store = setup.name, "the store is open");
                tell.send(Ok(())).unwrap_or(());
                return;
            }
            Err(error) if !setup.keeps_trying => return tell.send(Err(error)).unwrap_or(()),
            Err(error) => {
                let error = error.to_string();
                opening.has_failed(error.clone());
                if last.as_ref() != Some(&error) {
                    tracing::error!(store = setup.name, error, "the store cannot be opened");
                    last = Some(error);
                }
            }
        }
        if is_ending.recv_timeout(OPEN_PAUSE) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

fn opened(setup: &StoreSetup) -> Result<Arc<Store>, OpenError> {
    let limits = Limits {
        series_max: setup.limits.series_max,
        values_per_tag_max: setup.limits.values_per_tag_max,
        cache_bytes_max: setup.limits.cache_bytes_max,
        query_bytes_max: setup.limits.query_bytes_max,
        query_time_max_ns: setup
            .limits
            .query_timeout
            .map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)),
        ..Limits::default()
    };
    let store = Store::open(Options { limits, ..Options::new(setup.directory.clone()) })?;
    if let (Some(name), true) = (setup.first_database, store.databases().is_empty()) {
        let database = name.to_owned();
        let made = store.change(Change::CreateDatabase { database, policy: None });
        made.map_err(|error| OpenError::Disk {
            path: setup.directory.clone(),
            problem: error.to_string(),
        })?;
    }
    Ok(store)
}

/// Puts the store's state into its gauges, so that `/metrics` tells the moment.
pub fn publish(name: &str, opening: &Opening) {
    let Some(store) = opening.store() else {
        return meters::store(name, &StoreLevels::default());
    };
    let stats = store.stats();
    let levels = StoreLevels {
        is_open: true,
        values_written: stats.values_written,
        points_written: stats.points_written,
        points_dropped: stats.points_dropped,
        writes_failed: stats.writes_failed,
        databases: stats.databases,
        windows: stats.windows,
        series: stats.series,
        files: stats.files,
        file_bytes: stats.file_bytes,
        cache_bytes: stats.cache_bytes,
        log_bytes: stats.log_bytes,
        log_syncs: stats.log_syncs,
        snapshots: stats.snapshots,
        snapshots_failed: stats.snapshots_failed,
        compactions: stats.compactions,
        compactions_failed: stats.compactions_failed,
        windows_expired: stats.windows_expired,
        damaged: stats.damaged,
    };
    meters::store(name, &levels);
}

/// The whole life of one node alone; `serving` is called once it serves.
pub fn run_alone(setup: StoreSetup, serving: impl FnOnce(SocketAddr)) -> Result<bool, Trouble> {
    let asked = heed_signals()?;
    let exposition = setup.exposition.clone();
    let node = StoreNode::start(setup)?;
    let has_ended = || asked.load(Ordering::Relaxed) != 0;
    let mut serving = Some(serving);
    let mut ticks = 0u32;
    while !has_ended() {
        if serving.is_some() {
            match node.wait_open(TICK) {
                None => {}
                Some(Ok(())) => {
                    let address = node.address();
                    serving.take().into_iter().for_each(|tell| tell(address));
                }
                Some(Err(error)) => {
                    node.end();
                    return Err(Trouble::Environment(error.to_string()));
                }
            }
            continue;
        }
        pause(TICK);
        ticks += 1;
        if ticks.is_multiple_of(10) {
            logs::tick();
        }
        if ticks.is_multiple_of(50) {
            exposition.upkeep();
        }
    }
    Ok(node.end())
}

#[expect(clippy::disallowed_methods, reason = "the control thread has nothing else to do")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
