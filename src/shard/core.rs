//! One shard's life, from the opening of its logs to its end.

use super::mailbox::{Event, Letter, Mailbox, Order, Post};
use super::reload::Serving;
use super::usher::Usher;
use super::{status, store_node};
use crate::backend::load::{Busyness, LOOK_EVERY};
use crate::backend::probe::Prober;
use crate::backend::{Board, Client, Place};
use crate::base::ids::{BackendId, LogId, ShardId};
use crate::config::Config;
use crate::config::checked::{Ack, Kind};
use crate::ingest::budget::Limits;
use crate::ingest::linger::LINGER;
use crate::ingest::look::Look;
use crate::ingest::start::{Plan, found};
use crate::ingest::{Facts, Ingest, Outlet};
use crate::query::Query;
use crate::ring::{Router, Topology};
use crate::rt::net::{Listener, Parcel, Stream};
use crate::rt::tls::{Door, Trust};
use crate::rt::{Clock, Disk, Lane, Signal, sleep, spawn};
use crate::server::store::Opening;
use crate::server::{Behind, Front, Gateway, Parts, Settings, listen};
use crate::telemetry::{Exposition, HttpMeters, Latencies, Meters};
use crate::wal::registry::log_directory;
use crate::wal::{self, Opened};
use crossbeam_channel::Sender;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a stopping shard waits for living backends to take what they are owed.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// After a disk had no room for the next segment, which is then made when it is needed.
const SPARE_PAUSE: Duration = Duration::from_secs(5);

/// A file with real bytes: the first one that an executor opens decides how it reads all of them.
pub const PROBE_FILE: &str = "probe";

/// Everything that a shard is made of. Sent to its thread.
pub struct Setup {
    pub shard: ShardId,
    pub config: Arc<Config>,
    pub topology: Arc<Topology>,
    /// In the order of the configuration.
    pub backend_ids: Vec<BackendId>,
    pub board: Arc<Board>,
    pub wal_directory: PathBuf,
    pub node: [u8; 16],
    pub segment_bytes: u64,
    /// Its own log first, then those that it adopts.
    pub logs: Vec<LogId>,
    pub exposition: Exposition,
    pub started_unix_ns: i64,
    pub mailbox: Mailbox<Order>,
    pub events: Sender<Letter>,
    /// To every shard, its own among them: connections that it is to serve.
    pub doors: Vec<Post<Parcel>>,
    pub hall: Mailbox<Parcel>,
    /// The stores of this process, by the names of their backends.
    pub stores: Vec<(String, Arc<Opening>)>,
    /// What its listener shows, if it speaks TLS.
    pub door: Option<Arc<Door>>,
    /// How backends are met, in the order of the configuration.
    pub trusts: Vec<Option<Arc<Trust>>>,
}

/// The whole life of a shard. Lives on: its own thread.
pub async fn live(setup: Setup) {
    let (shard, events) = (setup.shard, setup.events.clone());
    let event = match run(setup).await {
        Ok(is_clean) => Event::Ended { is_clean },
        Err(error) => Event::Failed(error),
    };
    // If the control thread is gone, there is nobody to tell.
    events.send((shard, event)).unwrap_or(());
}

async fn run(setup: Setup) -> Result<bool, String> {
    let tell = |event| setup.events.send((setup.shard, event)).unwrap_or(());
    touch_probe(&setup).await?;
    let facts = facts(&setup);
    let opened = open_logs(&setup).await?;
    let all: Vec<BackendId> = (0..setup.board.backends_count())
        .map(|at| BackendId(u16::try_from(at).expect("few backends")))
        .collect();
    tell(Event::Told(opened.iter().map(|opened| found(opened, &all)).collect()));
    let Some(Order::Begin(plan)) = setup.mailbox.next().await else { return Ok(true) };
    let ingest = begin(&setup, &facts, opened, &plan).await?;
    tell(Event::Begun);
    let Some(Order::Serve) = setup.mailbox.next().await else { return Ok(true) };
    let serving = serve(&setup, &facts, &ingest).await?;
    tell(Event::Serving);
    spawn(Lane::Background, report(setup.shard, setup.events.clone(), facts.clone()));
    spawn(Lane::Commit, look(setup.shard, facts.clone()));
    // If the control thread is gone, it is the end, too.
    while let Some(order) = setup.mailbox.next().await {
        match order {
            Order::Follow(number, config) => {
                serving.follow(&facts, &config);
                tell(Event::Follows(number));
            }
            Order::End => break,
            Order::Begin(_) | Order::Serve => unreachable!("sent once each, and taken above"),
        }
    }
    Ok(end(&facts, &ingest, &serving).await)
}

async fn touch_probe(setup: &Setup) -> Result<(), String> {
    let path = setup.wal_directory.join(PROBE_FILE);
    let probed = Disk::Real.open(&path).await;
    probed.map(drop).map_err(|error| format!("cannot open {}: {error}", path.display()))
}

fn facts(setup: &Setup) -> Rc<Facts> {
    let config = &setup.config;
    let circles = setup.topology.circles();
    let places: Vec<Rc<Place>> = config
        .backends
        .iter()
        .zip(&setup.backend_ids)
        .zip(&setup.trusts)
        .map(|((backend, id), trust)| {
            let circle = &circles[usize::from(backend.circle)].name;
            Rc::new(Place::new(*id, backend, circle).with_trust(trust.clone()))
        })
        .collect();
    let clock = Clock::Real;
    let clients = places.iter().map(|place| Client::new(place.clone(), clock.clone())).collect();
    let all = |takes: fn(Kind) -> bool| places.iter().all(|place| takes(place.kind));
    Rc::new(Facts {
        shard: setup.shard,
        topology: setup.topology.clone(),
        takes_unsigned: all(|kind| kind != Kind::Influxdb1),
        linger: LINGER,
        takes_nul_tag_key: all(|kind| kind == Kind::Influxdb1 || kind == Kind::LineProtocol),
        clients,
        places,
        write: config.write.clone().into(),
        probe: Rc::new(config.probe.clone().into()),
        limits: Limits::of(
            &config.log,
            config.backends.iter().map(|backend| backend.backlog),
            setup.backend_ids.iter().copied(),
        )
        .into(),
        data: config.data_dir.clone(),
        board: setup.board.clone(),
        clock,
        disk: Disk::Real,
        meters: Rc::new(Meters::new(setup.shard.0)),
        latencies: Rc::new(Latencies::default()),
        asked: Signal::new(),
    })
}

async fn open_logs(setup: &Setup) -> Result<Vec<Opened>, String> {
    let shards = usize::from(setup.config.shards);
    let mut opened = Vec::new();
    for log in &setup.logs {
        let settings = wal::Settings {
            log: *log,
            directory: log_directory(&setup.wal_directory, *log),
            quarantine: setup.wal_directory.join("quarantine"),
            node: setup.node,
            segment_bytes: setup.segment_bytes,
            hot_bytes_max: (setup.config.log.hot_window_bytes / shards).max(8 * 1024 * 1024),
            sync_each_commit: setup.config.write.ack != Ack::Interval,
            disk: Disk::Real,
            clock: Clock::Real,
        };
        let log_opened = wal::open(settings).await;
        opened.push(log_opened.map_err(|error| format!("log {log} cannot be opened: {error}"))?);
    }
    Ok(opened)
}

async fn begin(
    setup: &Setup,
    facts: &Rc<Facts>,
    opened: Vec<Opened>,
    plan: &Plan,
) -> Result<Rc<Ingest>, String> {
    let mut outlets = Vec::new();
    for one in opened {
        let outlet = Outlet::begin(facts.clone(), one, plan).await;
        outlets.push(outlet.map_err(|error| format!("a log cannot begin: {error}"))?);
    }
    let mut outlets = outlets.into_iter();
    let outlet = outlets.next().expect("a shard has a log of its own");
    Ok(Rc::new(Ingest {
        facts: facts.clone(),
        outlet,
        adopted: outlets.collect(),
        router: RefCell::new(Router::new(setup.topology.clone())),
        scratch: RefCell::default(),
        is_ending: Cell::new(false),
        ending: Signal::new(),
    }))
}

async fn serve(setup: &Setup, facts: &Rc<Facts>, ingest: &Rc<Ingest>) -> Result<Serving, String> {
    if setup.shard == ShardId(0) {
        start_probers(setup, facts, ingest).await;
        let mut look = Look::new(&facts.limits.get());
        look.once(facts, setup.segment_bytes).await;
        spawn(Lane::Background, ingest.clone().keep_budget(look));
    }
    start_log(setup, ingest);
    for outlet in ingest.outlets() {
        outlet.start_delivery();
        spawn(Lane::Background, outlet.clone().keep());
    }
    let listener = listener(setup.config.listen)?;
    let query = query(setup, facts);
    let gateway = Rc::new(gateway(setup, facts, ingest, &query));
    let front = Rc::new(Front::new(parts(setup, facts, &gateway)));
    spawn(Lane::Serve, listen::accept(front.clone(), listener));
    spawn(Lane::Serve, receive(front.clone(), setup.hall.clone()));
    let admin = match setup.config.admin.filter(|_| setup.shard == ShardId(0)) {
        None => None,
        Some(address) => {
            let listener = self::listener(address)?;
            let front = Rc::new(Front::new(parts_of_admin(setup, facts, &gateway)));
            spawn(Lane::Serve, listen::accept(front.clone(), listener));
            Some(front)
        }
    };
    setup.board.load(setup.shard).set_takes(true);
    Ok(Serving { shard: setup.shard, ids: setup.backend_ids.clone(), query, front, admin })
}

fn listener(address: SocketAddr) -> Result<Listener, String> {
    Listener::bind(address).map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// The log's own tasks: commit, and have the next segment ready.
fn start_log(setup: &Setup, ingest: &Rc<Ingest>) {
    let outlet = ingest.outlet.clone();
    let config = &setup.config.write;
    let syncs_later = config.ack == Ack::Interval;
    let writer = outlet.log.writer();
    let wake = writer.signal();
    let (ending, is_ending) = (ingest.ending.clone(), ingest.clone());
    spawn(Lane::Background, async move {
        ending.wait().await;
        wake.raise();
    });
    spawn(
        Lane::Commit,
        outlet.clone().commit(writer, syncs_later, move || is_ending.is_ending.get()),
    );
    let log = outlet.log.clone();
    spawn(Lane::Background, async move {
        loop {
            if let Err(error) = log.prepare_spare().await {
                tracing::warn!(%error, "no segment could be prepared ahead");
                sleep(SPARE_PAUSE).await;
            }
            log.spare_wanted().await;
        }
    });
}

async fn start_probers(setup: &Setup, facts: &Rc<Facts>, ingest: &Rc<Ingest>) {
    let first_looks = Signal::new();
    let left = Rc::new(Cell::new(facts.clients.len()));
    for client in &facts.clients {
        let prober = Rc::new(Prober {
            client: Client::new(client.place.clone(), facts.clock.clone()),
            board: setup.board.clone(),
            clock: facts.clock.clone(),
            settings: facts.probe.clone(),
            asked: facts.asked.clone(),
        });
        let (ingest, left, done) = (ingest.clone(), left.clone(), first_looks.clone());
        spawn(Lane::Background, async move {
            prober.look(true).await;
            left.set(left.get() - 1);
            done.raise();
            prober.run(|| ingest.is_ending.get()).await;
        });
    }
    // Whoever asks first should meet a gateway that knows its backends.
    while left.get() > 0 {
        first_looks.wait().await;
    }
}

fn query(setup: &Setup, facts: &Rc<Facts>) -> Rc<Query> {
    let config = &setup.config;
    Rc::new(Query {
        topology: setup.topology.clone(),
        naming: config.naming.clone(),
        places: facts.places.clone(),
        clients: facts.clients.clone(),
        board: setup.board.clone(),
        clock: facts.clock.clone(),
        settings: config.query.clone().into(),
        meters: facts.meters.clone(),
        latencies: facts.latencies.clone(),
    })
}

fn gateway(setup: &Setup, facts: &Rc<Facts>, ingest: &Rc<Ingest>, query: &Rc<Query>) -> Gateway {
    let (seen, log) = (facts.clone(), ingest.outlet.log.clone());
    let (asked, started) = (query.clone(), setup.started_unix_ns);
    let health = move || status::facts(&seen, &log, asked.settings.get().stale_after, started);
    let (shard, events) = (setup.shard, setup.events.clone());
    Gateway {
        settings: Rc::new(Settings::of(&setup.config, shard.0).into()),
        ingest: ingest.clone(),
        query: query.clone(),
        clock: facts.clock.clone(),
        latencies: facts.latencies.clone(),
        facts: Box::new(health),
        reload: Box::new(move || Box::pin(super::reload::want(shard, events.clone()))),
    }
}

fn parts(setup: &Setup, facts: &Rc<Facts>, gateway: &Rc<Gateway>) -> Parts {
    let usher = Usher {
        own: setup.shard,
        doors: setup.doors.clone(),
        board: setup.board.clone(),
        meters: facts.meters.clone(),
    };
    Parts {
        settings: gateway.settings.clone(),
        behind: Behind::Gateway(gateway.clone()),
        clock: facts.clock.clone(),
        meters: HttpMeters::of_shard(&setup.shard.0.to_string()),
        door: setup.door.clone(),
        metrics: metrics(setup, facts),
        place: Box::new(move |stream| usher.place(stream)),
    }
}

/// What is for operators is served by one shard: it is little.
fn parts_of_admin(setup: &Setup, facts: &Rc<Facts>, gateway: &Rc<Gateway>) -> Parts {
    Parts {
        settings: Rc::new(Settings::of_admin(&setup.config, setup.shard.0).into()),
        meters: HttpMeters::of_shard("admin"),
        place: Box::new(Some),
        ..parts(setup, facts, gateway)
    }
}

/// The text of `/metrics`, as it is now.
fn metrics(setup: &Setup, facts: &Rc<Facts>) -> Box<dyn Fn() -> String> {
    let exposition = setup.exposition.clone();
    let (published, stores) = (facts.clone(), setup.stores.clone());
    Box::new(move || {
        status::publish(&published);
        for (name, opening) in &stores {
            store_node::publish(name, opening);
        }
        exposition.render()
    })
}

/// Takes in what other shards accept for this one.
async fn receive(front: Rc<Front>, hall: Mailbox<Parcel>) {
    while let Some(parcel) = hall.next().await {
        listen::take_in(&front, Stream::unpack(parcel));
    }
}

/// Shows on the board how busy this shard is.
async fn look(shard: ShardId, facts: Rc<Facts>) {
    let mut busyness = Busyness::default();
    loop {
        busyness.look(facts.board.load(shard), facts.clock.mono(), facts.clock.thread_busy());
        sleep(LOOK_EVERY).await;
    }
}

/// Tells the control thread once a second how long everything took.
async fn report(shard: ShardId, events: Sender<Letter>, facts: Rc<Facts>) {
    let (mut since, mut busy) = (facts.clock.mono(), facts.clock.thread_busy());
    loop {
        sleep(Duration::from_secs(1)).await;
        let (now, busy_now) = (facts.clock.mono(), facts.clock.thread_busy());
        let ratio = (busy_now - busy).as_secs_f64() / now.since(since).as_secs_f64();
        facts.meters.shard_busy_ratio.set(ratio);
        facts.meters.shard_busy_seconds.set(busy_now.as_secs_f64());
        (since, busy) = (now, busy_now);
        let snapshot = Event::Latencies(facts.latencies.take());
        if events.send((shard, snapshot)).is_err() {
            return;
        }
    }
}

/// Returns whether every answer was finished and living backends got what they were owed.
async fn end(facts: &Rc<Facts>, ingest: &Rc<Ingest>, serving: &Serving) -> bool {
    facts.board.draining.store(true, Ordering::Relaxed);
    let mut is_clean = listen::drained(&serving.front).await;
    if let Some(admin) = &serving.admin {
        is_clean &= listen::drained(admin).await;
    }
    let deadline = facts.clock.mono().after(DRAIN_LIMIT);
    while !ingest.outlets().all(|outlet| outlet.is_drained()) {
        if facts.clock.mono() >= deadline {
            is_clean = false;
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    ingest.is_ending.set(true);
    ingest.ending.raise();
    let log = &ingest.outlet.log;
    while (!log.is_idle() || log.has_failed()) && facts.clock.mono() < deadline.after(DRAIN_LIMIT) {
        sleep(Duration::from_millis(5)).await;
    }
    for outlet in ingest.outlets() {
        outlet.end().await;
    }
    is_clean
}
