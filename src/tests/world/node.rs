//! A gateway's process as `shard` puts it together: logs opened, told, planned, begun, published, started.

use super::shape::Shape;
use crate::backend::board::Incomplete;
use crate::backend::probe::Prober;
use crate::backend::{Board, Client, Place};
use crate::base::current::Current;
use crate::base::ids::{BackendId, LogId, ShardId};
use crate::config::checked::{
    Ack, Backend, Consistency, Credentials, Kind, ProbeConfig, WriteConfig,
};
use crate::ingest::checkpoint::{incomplete_path, parse_incomplete};
use crate::ingest::linger::LINGER;
use crate::ingest::look::Look;
use crate::ingest::start::{Plan, Told, found};
use crate::ingest::{Facts, Ingest, Outlet};
use crate::ring::{self, BackendPlan, CirclePlan, Router, Target, Topology};
use crate::rt::sim::SimDisk;
use crate::rt::sim_tasks::SimTasks;
use crate::rt::{Disk, Lane, Signal, spawn};
use crate::telemetry::{Latencies, Meters};
use crate::wal::{self, Opened};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub const DATA: &str = "/data";

/// With ack `interval`.
pub const SYNC_INTERVAL: Duration = Duration::from_millis(50);

pub struct Node {
    pub board: Arc<Board>,
    pub ingests: Vec<Rc<Ingest>>,
    pub hot_bytes_max: usize,
}

/// What every life of a world's gateway has in common.
pub struct Setup {
    pub shape: Shape,
    pub tasks: SimTasks,
    /// Names of all backends that there ever are, by their number.
    names: Vec<String>,
    configs: BTreeMap<Option<usize>, Rc<Config>>,
}

/// The backends of a life.
pub struct Config {
    pub topology: Arc<Topology>,
    pub backends: Vec<(BackendId, Backend)>,
}

impl Config {
    fn new(shape: &Shape, absent: Option<usize>) -> Config {
        let mut backends = Vec::new();
        let mut circles: Vec<CirclePlan> = Vec::new();
        let mut number = 0;
        for kinds in &shape.circles {
            let mut plans = Vec::new();
            for kind in kinds {
                if absent != Some(number) {
                    let backend = backend(number, circles.len(), *kind);
                    let (name, url) = (backend.name.clone(), backend.url.clone());
                    plans.push(BackendPlan { name, url });
                    backends.push((BackendId(u16::try_from(number).unwrap()), backend));
                }
                number += 1;
            }
            if !plans.is_empty() {
                circles.push(CirclePlan {
                    name: format!("circle-{}", circles.len()),
                    backends: plans,
                });
            }
        }
        let plan = ring::Plan {
            placement: ring::Placement::Even,
            hash_key: ring::HashKey::Name,
            shard_key: ring::ShardKey::parse("%db,%mm").unwrap(),
            circles,
        };
        Config { topology: Arc::new(Topology::new(&plan)), backends }
    }

    pub fn names(&self, backend: usize) -> bool {
        self.backends.iter().any(|(id, _)| id.index() == backend)
    }

    /// Whether a backend is to get what has this measurement.
    pub fn is_owner(&self, backend: usize, database: &str, measurement: &str) -> bool {
        let target =
            Target { org: "org".into(), database: database.into(), retention_policy: "".into() };
        let owners = self.topology.route(&target, measurement.as_bytes());
        owners.iter().any(|slot| self.backends[usize::from(*slot)].0.index() == backend)
    }
}

impl Setup {
    pub fn new(shape: &Shape, tasks: &SimTasks) -> Setup {
        let backends = shape.circles.concat().len();
        let names = (0..backends).map(|number| format!("backend-{number}")).collect();
        let absent = shape.lives.iter().map(|life| life.absent);
        let configs = absent.map(|absent| (absent, Rc::new(Config::new(shape, absent)))).collect();
        Setup { shape: shape.clone(), tasks: tasks.clone(), names, configs }
    }

    pub fn name(&self, backend: usize) -> &str {
        &self.names[backend]
    }

    pub fn config(&self, absent: Option<usize>) -> &Rc<Config> {
        &self.configs[&absent]
    }

    fn facts(&self, config: &Config, shard: u16, board: &Arc<Board>, disk: &SimDisk) -> Rc<Facts> {
        let circles = config.topology.circles();
        let places: Vec<Rc<Place>> = config
            .backends
            .iter()
            .map(|(number, backend)| {
                let circle = &circles[usize::from(backend.circle)].name;
                Rc::new(Place::new(*number, backend, circle))
            })
            .collect();
        let clock = self.tasks.clock();
        let clients = places.iter().map(|place| Client::new(place.clone(), clock.clone()));
        Rc::new(Facts {
            shard: ShardId(shard),
            topology: config.topology.clone(),
            takes_unsigned: false,
            takes_nul_tag_key: false,
            linger: if self.shape.lingers { LINGER } else { Duration::ZERO },
            clients: clients.collect(),
            places,
            write: Current::new(WriteConfig {
                ack: self.shape.ack,
                ack_wait: Duration::from_millis(300),
                consistency: Consistency::Ignore,
                sync_interval: SYNC_INTERVAL,
                accept_partial: false,
                retry_min: Duration::from_millis(20),
                retry_max: Duration::from_millis(500),
            }),
            probe: Rc::new(Current::new(ProbeConfig {
                interval: Duration::from_millis(100),
                catalogue_interval: Duration::from_millis(300),
                timeout: Duration::from_millis(200),
            })),
            limits: self.shape.limits(self.names.len()).into(),
            data: PathBuf::from(DATA),
            board: board.clone(),
            clock,
            disk: Disk::Sim(disk.clone()),
            meters: Rc::new(Meters::new(shard)),
            latencies: Rc::new(Latencies::default()),
            asked: Signal::new(),
        })
    }

    fn hot_bytes_max(&self) -> usize {
        usize::try_from(self.shape.hot_pages * 4096).unwrap()
    }

    async fn open(&self, log: u16, disk: SimDisk) -> Result<Opened, wal::Error> {
        wal::open(wal::Settings {
            log: LogId(log),
            directory: log_directory(log),
            quarantine: PathBuf::from("/data/wal/quarantine"),
            node: [7; 16],
            segment_bytes: self.shape.segment_pages * 4096,
            hot_bytes_max: self.hot_bytes_max(),
            sync_each_commit: self.shape.ack != Ack::Interval,
            disk: Disk::Sim(disk),
            clock: self.tasks.clock(),
        })
        .await
    }

    /// Starts the gateway's process, all shards at once. Its tasks are in the group of the caller.
    pub async fn start(
        self: Rc<Self>,
        disk: SimDisk,
        shards: u16,
        absent: Option<usize>,
    ) -> Result<Node, String> {
        let config = self.config(absent).clone();
        let logs = logs_on(&disk).max(shards);
        let board = Arc::new(Board::new(usize::from(logs), self.names.len(), usize::from(shards)));
        self.restore_incomplete(&config, &disk, &board);
        let mut openings = Vec::new();
        for shard in 0..shards {
            let own: Vec<u16> = (0..logs).filter(|log| log % shards == shard).collect();
            let (setup, disk) = (self.clone(), disk.clone());
            openings.push(async move {
                let mut opened = Vec::new();
                for log in own {
                    opened.push(setup.open(log, disk.clone()).await?);
                }
                Ok::<_, wal::Error>(opened)
            });
        }
        let opened = together(openings).await;
        let opened: Result<Vec<_>, _> = opened.into_iter().collect();
        let opened = opened.map_err(|error| error.to_string())?;
        let all: Vec<BackendId> =
            (0..board.backends_count()).map(|at| BackendId(u16::try_from(at).unwrap())).collect();
        let told: Vec<Told> = opened.iter().flatten().map(|one| found(one, &all)).collect();
        let plan = Rc::new(Plan::of(&told, self.tasks.clock().mono()));
        let mut beginnings = Vec::new();
        for (shard, opened) in opened.into_iter().enumerate() {
            let facts = self.facts(&config, u16::try_from(shard).unwrap(), &board, &disk);
            let (setup, plan) = (self.clone(), plan.clone());
            beginnings.push(async move { setup.begin(facts, opened, &plan).await });
        }
        let ingests: Result<Vec<_>, _> = together(beginnings).await.into_iter().collect();
        let ingests = ingests.map_err(|error| error.to_string())?;
        start_probers(&ingests[0]).await;
        if self.shape.budget.is_some() {
            let (facts, mut look) = (&ingests[0].facts, Look::new(&ingests[0].facts.limits.get()));
            look.once(facts, self.shape.segment_pages * 4096).await;
            spawn(Lane::Background, ingests[0].clone().keep_budget(look));
        }
        for ingest in &ingests {
            serve(ingest);
        }
        Ok(Node { board, ingests, hot_bytes_max: self.hot_bytes_max() })
    }

    async fn begin(
        &self,
        facts: Rc<Facts>,
        opened: Vec<Opened>,
        plan: &Plan,
    ) -> Result<Rc<Ingest>, wal::Error> {
        let mut outlets = Vec::new();
        for one in opened {
            outlets.push(Outlet::begin(facts.clone(), one, plan).await?);
        }
        let mut outlets = outlets.into_iter();
        let topology = facts.topology.clone();
        Ok(Rc::new(Ingest {
            scratch: RefCell::default(),
            facts,
            outlet: outlets.next().unwrap(),
            adopted: outlets.collect(),
            router: RefCell::new(Router::new(topology)),
            is_ending: Cell::new(false),
            ending: Signal::new(),
        }))
    }

    fn restore_incomplete(&self, config: &Config, disk: &SimDisk, board: &Board) {
        for (number, _) in &config.backends {
            board.set_incomplete(*number, self.incomplete(disk, number.index()));
        }
    }

    /// What is said on disk of a backend.
    pub fn incomplete(&self, disk: &SimDisk, backend: usize) -> Option<Incomplete> {
        let path = incomplete_path(Path::new(DATA), &self.names[backend]);
        let text = disk.bytes(&path).and_then(|bytes| String::from_utf8(bytes).ok());
        text.and_then(|text| parse_incomplete(&text))
    }
}

impl Node {
    /// Whether nothing is owed to anybody.
    pub fn is_drained(&self) -> bool {
        let owes = |backend| {
            let backend = BackendId(u16::try_from(backend).unwrap());
            self.board.cells_of(backend).any(|cell| cell.oldest() != crate::base::time::Stamp::NONE)
        };
        self.board.parked.is_empty() && !(0..self.board.backends_count()).any(owes)
    }

    /// Ends it as a signal would.
    pub async fn end(&self) {
        for ingest in &self.ingests {
            ingest.is_ending.set(true);
            ingest.ending.raise();
        }
        for ingest in &self.ingests {
            while !ingest.outlet.log.is_idle() || ingest.outlet.log.has_failed() {
                crate::rt::sleep(Duration::from_millis(5)).await;
            }
            for outlet in ingest.outlets() {
                outlet.end().await;
            }
        }
    }
}

fn backend(at: usize, circle: usize, kind: Kind) -> Backend {
    let port = 8000 + u16::try_from(at).unwrap();
    Backend {
        name: format!("backend-{at}"),
        circle: u16::try_from(circle).unwrap(),
        url: format!("http://127.0.0.1:{port}"),
        host: "127.0.0.1".to_owned(),
        port,
        kind,
        credentials: Credentials::None,
        tls: None,
        write_only: false,
        backlog: super::budgets::NO_LIMIT,
    }
}

pub fn log_directory(log: u16) -> PathBuf {
    PathBuf::from(format!("/data/wal/log-{log:03}"))
}

fn logs_on(disk: &SimDisk) -> u16 {
    let paths = disk.paths();
    let is_there = |log: &u16| paths.iter().any(|path| path.starts_with(log_directory(*log)));
    (0..8).filter(is_there).max().map_or(0, |last| last + 1)
}

/// Runs all of them at once, as shards do.
async fn together<T: 'static>(works: Vec<impl Future<Output = T> + 'static>) -> Vec<T> {
    let done: Rc<RefCell<Vec<Option<T>>>> =
        Rc::new(RefCell::new(works.iter().map(|_| None).collect()));
    let signal = Signal::new();
    for (at, work) in works.into_iter().enumerate() {
        let (done, signal) = (done.clone(), signal.clone());
        spawn(Lane::Serve, async move {
            let outcome = work.await;
            done.borrow_mut()[at] = Some(outcome);
            signal.raise();
        });
    }
    while done.borrow().iter().any(Option::is_none) {
        signal.wait().await;
    }
    done.take().into_iter().flatten().collect()
}

async fn start_probers(ingest: &Rc<Ingest>) {
    let facts = &ingest.facts;
    let mut looks = Vec::new();
    for client in &facts.clients {
        let prober = Rc::new(Prober {
            client: Client::new(client.place.clone(), facts.clock.clone()),
            board: facts.board.clone(),
            clock: facts.clock.clone(),
            settings: facts.probe.clone(),
            asked: facts.asked.clone(),
        });
        let ingest = ingest.clone();
        looks.push(async move {
            prober.look(true).await;
            spawn(Lane::Background, async move {
                prober.run(|| ingest.is_ending.get()).await;
            });
        });
    }
    together(looks).await;
}

fn serve(ingest: &Rc<Ingest>) {
    let outlet = ingest.outlet.clone();
    let writer = outlet.log.writer();
    let wake = writer.signal();
    let (ending, is_ending) = (ingest.ending.clone(), ingest.clone());
    spawn(Lane::Background, async move {
        ending.wait().await;
        wake.raise();
    });
    let syncs_later = ingest.facts.write.get().ack == Ack::Interval;
    spawn(
        Lane::Commit,
        outlet.clone().commit(writer, syncs_later, move || is_ending.is_ending.get()),
    );
    let log = outlet.log.clone();
    spawn(Lane::Background, async move {
        loop {
            drop(log.prepare_spare().await);
            log.spare_wanted().await;
        }
    });
    for outlet in ingest.outlets() {
        outlet.start_delivery();
        spawn(Lane::Background, outlet.clone().keep());
    }
}
