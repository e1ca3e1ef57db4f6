//! The endpoints of the embedded store, as InfluxDB 1.6 answers on the paths of 1.x and 2.7 on those of 2.x.
//!
//! Promises: the executor never waits for the disk nor for a question: both run on plain threads, so many at once;
//! an answer comes piece by piece, and a slow client slows its question, not the heap; a question ends when its client
//! leaves, when its time is over and when it wants too much memory.
//!
//! Does not know: how points are stored, and how a store is started.
//!
//! Read in this order: this page (what a listener of a store holds), `write`, `ask` (both languages), `arriving` (from
//! a thread to a connection), `delete`, `buckets`.

mod arriving;
mod ask;
mod buckets;
mod delete;
mod write;

pub use arriving::Arriving;

use super::answer::{self, Answer, Voice};
use super::endpoint::{Call, Job};
use super::front::Settings;
use super::health;
use super::machine::Request;
use super::ping;
use super::query::Reply;
use crate::backend::Cancel;
use crate::base::current::Current;
use crate::base::time::UnixNanos;
use crate::rt::{Clock, Pool};
use crate::store::store::Store;
use arc_swap::ArcSwapOption;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Where a store appears once it is open. Shared: by the listener and whoever opens the store.
#[derive(Default)]
pub struct Opening {
    store: OnceLock<Arc<Store>>,
    /// Why it is not open yet.
    trouble: ArcSwapOption<String>,
}

impl Opening {
    /// From here on requests are served.
    ///
    /// # Panics
    /// If it was open already.
    pub fn is_open(&self, store: Arc<Store>) {
        assert!(self.store.set(store).is_ok(), "a store is opened once");
        self.trouble.store(None);
    }

    /// It could not be opened, and will be tried again.
    pub fn has_failed(&self, why: String) {
        self.trouble.store(Some(Arc::new(why)));
    }

    pub fn store(&self) -> Option<&Arc<Store>> {
        self.store.get()
    }

    pub fn trouble(&self) -> Option<Arc<String>> {
        self.trouble.load_full()
    }
}

/// How much runs at once.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    pub writes: usize,
    pub questions: usize,
}

/// What a node is made of.
pub struct Parts {
    /// As the threads are called.
    pub name: String,
    pub settings: Rc<Current<Settings>>,
    pub opening: Arc<Opening>,
    pub clock: Clock,
    pub threads: Threads,
}

/// What the endpoints of a store need. Lives on: the store's executor.
pub struct Node {
    settings: Rc<Current<Settings>>,
    opening: Arc<Opening>,
    clock: Clock,
    writers: Pool,
    readers: Pool,
    started: UnixNanos,
}

impl Node {
    pub fn new(parts: Parts) -> Node {
        let Parts { name, settings, opening, clock, threads } = parts;
        Node {
            settings,
            opening,
            writers: Pool::new(&format!("{name}-w"), threads.writes),
            readers: Pool::new(&format!("{name}-q"), threads.questions),
            started: clock.unix(),
            clock,
        }
    }

    /// What is short and may wait for the disk; `None` if it panicked.
    async fn on_thread<T: Send + 'static>(
        &self,
        store: &Arc<Store>,
        work: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Option<T> {
        let store = store.clone();
        self.writers.outcome(move || work(&store)).await
    }

    fn facts(&self) -> health::Facts {
        let now = self.clock.unix();
        let opened = self.opening.store();
        let damage = opened.map(|store| store.damage()).unwrap_or_default().into_iter();
        let damage = damage.map(|one| (one.file.display().to_string(), one.problem));
        health::Facts {
            not_ready: opened.is_none().then(|| self.why_closed()),
            incomplete: damage.collect(),
            started: self.started,
            up: Duration::from_nanos(u64::try_from(now.0 - self.started.0).unwrap_or(0)),
            ..health::Facts::default()
        }
    }

    fn why_closed(&self) -> String {
        let trouble = self.opening.trouble();
        trouble.map_or_else(|| "the store is being opened".to_owned(), |why| why.to_string())
    }
}

/// Answers a request to a store.
pub async fn handle(node: &Rc<Node>, call: Call, request: Request, asker: &Cancel) -> Reply {
    let voice = call.voice;
    match (&call.job, node.opening.store()) {
        (Job::Health, _) => Reply::Whole(health::health_of_store(&node.facts())),
        (Job::Ready, _) => Reply::Whole(health::ready(&node.facts())),
        (_, None) => Reply::Whole(answer::unavailable(voice, &node.why_closed(), RETRY_AFTER_S)),
        (_, Some(store)) => {
            let store = store.clone();
            with_store(node, &store, call, request, asker).await
        }
    }
}

/// A store opens within seconds, or not at all.
const RETRY_AFTER_S: u32 = 1;

async fn with_store(
    node: &Rc<Node>,
    store: &Arc<Store>,
    call: Call,
    request: Request,
    asker: &Cancel,
) -> Reply {
    let voice = call.voice;
    let settings = node.settings.get();
    let naming = &settings.naming;
    Reply::Whole(match call.job {
        Job::Write(plan) => write::handle(node, store, &plan, request).await,
        Job::InfluxQl(params) => {
            return ask::influxql(node, store, voice, params, request, asker).await;
        }
        Job::Flux(plan) => return ask::flux(node, store, voice, &plan, request, asker).await,
        Job::Delete(params) => delete::handle(node, store, voice, &params, &request.body).await,
        Job::Buckets(job, params) => {
            buckets::handle(node, store, voice, job, params, &request.body).await
        }
        Job::Orgs(params) => super::buckets::orgs(naming, voice, &params),
        Job::Mappings => super::buckets::mappings(naming),
        Job::Ping { is_verbose } => ping::handle(voice, is_verbose),
        Job::Setup { is_tried } => ping::setup(voice, is_tried),
        Job::Health | Job::Ready | Job::Metrics => unreachable!("answered before"),
        Job::Status
        | Job::Complete { .. }
        | Job::Route(_)
        | Job::Reload
        | Job::Log
        | Job::Tap(_)
        | Job::Page(_) => {
            unreachable!("no paths of a store")
        }
    })
}

/// The thread that worked for this request has died. In a released build the process ends with it.
fn broken(voice: Voice) -> Answer {
    answer::gone_wrong(voice, "the request could not be worked on")
}
