//! Asks every backend whether it lives and what it holds. One prober for the node: it runs on the first
//! shard, the others read the board.

use super::board::{Board, Condition};
use super::catalogue::Catalogue;
use super::client::{Client, Error, Reply, Request};
use super::place::escape;
use crate::base::current::Current;
use crate::base::ids::BackendId;
use crate::base::map::FastSet;
use crate::config::checked::{Kind, ProbeConfig};
use crate::ring::Target;
use crate::rt::{Clock, Signal};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How often parked databases are tried when no catalogue says that they exist.
const PARKED_TRY: Duration = Duration::from_secs(30);

/// Probes one backend again and again. Lives on: the first shard, one for each backend.
pub struct Prober {
    pub client: Rc<Client>,
    pub board: Arc<Board>,
    pub clock: Clock,
    pub settings: Rc<Current<ProbeConfig>>,
    /// Raised when somebody wants the catalogue anew, after a statement.
    pub asked: Signal,
}

impl Prober {
    /// One look at the backend: up or down, and its databases if they are due.
    pub async fn look(&self, with_catalogue: bool) {
        let id = self.client.place.id;
        match self.ping().await {
            Ok(reply) if reply.head.status < 500 => {
                let version = reply.head.field("x-influxdb-version").map(str::to_owned);
                self.board.set_version(id, version);
                // Asked first: of a backend that is up it is known what it has.
                if with_catalogue || self.board.condition(id) != Condition::Up {
                    self.refresh_catalogue(id).await;
                }
                let now = self.clock.unix().millis();
                if self.board.set_condition(id, Condition::Up, now) != Condition::Up {
                    tracing::info!(backend = self.client.place.label(), "backend is up");
                    self.board.set_last_error(id, None);
                }
            }
            Ok(reply) => self.down(id, format!("ping was answered {}", reply.head.status)),
            Err(error) => self.down(id, error.to_string()),
        }
    }

    /// Looks for ever, until `is_ending`.
    pub async fn run(&self, is_ending: impl Fn() -> bool) {
        let mut catalogue_due = self.clock.mono();
        let mut parked_due = self.clock.mono().after(PARKED_TRY);
        while !is_ending() {
            let now = self.clock.mono();
            let with_catalogue = now >= catalogue_due;
            if with_catalogue {
                catalogue_due = now.after(self.settings.get().catalogue_interval);
            }
            self.look(with_catalogue).await;
            let force = now >= parked_due;
            if force {
                parked_due = now.after(PARKED_TRY);
            }
            self.open_parked(force);
            let woken = crate::rt::within(self.settings.get().interval, self.asked.wait()).await;
            if woken.is_some() {
                // A statement has run: it may have made what was missing.
                (catalogue_due, parked_due) = (self.clock.mono(), self.clock.mono());
            }
        }
    }

    async fn ping(&self) -> Result<Reply, Error> {
        self.ask("GET", "/ping").await
    }

    async fn ask(&self, method: &str, path: &str) -> Result<Reply, Error> {
        let limit = self.settings.get().timeout;
        self.client.ask(Request { method, path, fields: "", body: &[], limit }).await
    }

    fn down(&self, id: BackendId, error: String) {
        let now = self.clock.unix().millis();
        if self.board.set_condition(id, Condition::Down, now) != Condition::Down {
            tracing::warn!(backend = self.client.place.label(), error, "backend is down");
            self.client.forget_connections();
        }
        self.board.set_last_error(id, Some(error));
        self.board.catalogue.rcu(|old| Catalogue::clone(old).without(id));
    }

    async fn refresh_catalogue(&self, id: BackendId) {
        let path = match self.client.place.kind {
            Kind::Influxdb1 | Kind::Embedded => format!("/query?q={}", escape("SHOW DATABASES")),
            Kind::Influxdb2 => "/api/v2/buckets?limit=100".to_owned(),
            // These make databases when they are written, or have none.
            Kind::Influxdb3 | Kind::LineProtocol => return,
        };
        let asked = self.clock.mono();
        let Ok(reply) = self.ask("GET", &path).await else { return };
        let Some(names) = names(self.client.place.kind, &reply) else { return };
        self.board.catalogue.rcu(|old| Catalogue::clone(old).with(id, names.clone(), asked));
    }

    /// Lets shards try again where a parked database exists now, or where nobody can tell.
    fn open_parked(&self, force: bool) {
        let id = self.client.place.id;
        let catalogue = self.board.catalogue.load();
        for entry in self.board.parked.entries().iter().filter(|entry| entry.backend == id) {
            let Some(target) = Target::from_tag(&entry.tag) else { continue };
            let names = [&*target.database, &*target.bucket()];
            // The catalogue of 1.x does not tell policies: a missing one is found by trying.
            let was_missing = entry.reason.contains("not found");
            let exists = was_missing
                && target.retention_policy.is_empty()
                && catalogue.has(id, names) == Some(true);
            if (force || exists) && self.board.condition(id) == Condition::Up {
                entry.is_open.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }
    }
}

fn names(kind: Kind, reply: &Reply) -> Option<FastSet<String>> {
    if reply.head.status != 200 {
        return None;
    }
    let value: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
    let mut names = FastSet::default();
    if kind.is_v1() {
        // A server without databases still names the series; anything else is no catalogue.
        let series = value.pointer("/results/0/series/0")?;
        if series.get("name")?.as_str()? != "databases" {
            return None;
        }
        for row in series.get("values").and_then(|rows| rows.as_array()).into_iter().flatten() {
            names.extend(row.get(0).and_then(|name| name.as_str()).map(str::to_owned));
        }
        return Some(names);
    }
    for bucket in value.get("buckets")?.as_array()? {
        names.extend(bucket.get("name").and_then(|name| name.as_str()).map(str::to_owned));
    }
    // There may be further pages; then nobody may conclude that a bucket is missing.
    let more = value.pointer("/links/next").is_some();
    (!more).then_some(names)
}
