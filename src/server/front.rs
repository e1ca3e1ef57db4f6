//! What a connection needs before anybody knows what it wants, and who answers then.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::budget::Budget;
use super::gateway::Gateway;
use super::intake::Limits;
use super::meter::Rejection;
use super::store;
use crate::backend::Board;
use crate::backend::crowd::Guest;
use crate::backend::load::Load;
use crate::base::current::Current;
use crate::base::ids::ShardId;
use crate::base::map::FastMap;
use crate::config::{Auth, Config, ServerConfig};
use crate::ring::Naming;
use crate::rt::Clock;
use crate::rt::net::{Stopper, Stream};
use crate::rt::tls::Door;
use crate::telemetry::HttpMeters;

/// What a listener is for: it decides which paths there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// One shard of a gateway.
    #[default]
    Gateway,
    /// The same, where another listener has what is for operators.
    Data,
    /// That other listener.
    Admin,
    /// The embedded store itself.
    Store,
}

/// Who answers.
pub enum Behind {
    Gateway(Rc<Gateway>),
    Store(Rc<store::Node>),
}

/// What the configuration says to the server.
#[derive(Clone, Debug)]
pub struct Settings {
    pub role: Role,
    pub auth: Auth,
    /// `/metrics` wants a token, too.
    pub metrics_need_token: bool,
    pub naming: Naming,
    pub server: ServerConfig,
    /// `/api/v2/write` keeps the good lines of a body with bad ones.
    pub accept_partial: bool,
    pub debug_headers: bool,
    /// This shard's number, and how many there are.
    pub shard: u16,
    pub shards: u16,
}

impl Settings {
    pub fn of(config: &Config, shard: u16) -> Settings {
        Settings {
            role: if config.admin.is_some() { Role::Data } else { Role::Gateway },
            auth: config.auth.clone(),
            metrics_need_token: config.metrics_need_token,
            naming: config.naming.clone(),
            server: config.server.clone(),
            accept_partial: config.write.accept_partial,
            debug_headers: config.debug_headers,
            shard,
            shards: config.shards,
        }
    }

    pub fn limits(&self) -> Limits {
        Limits {
            wire_bytes_max: self.server.body_bytes_max,
            content_bytes_max: self.server.inflated_body_bytes_max,
        }
    }

    /// The same for the listener of operators.
    pub fn of_admin(config: &Config, shard: u16) -> Settings {
        Settings { role: Role::Admin, ..Settings::of(config, shard) }
    }

    /// This shard's share of the memory for bodies.
    fn memory_bytes(&self) -> usize {
        self.share(self.server.memory_bytes)
    }

    /// This shard's share of something that the configuration gives to all.
    fn share(&self, whole: usize) -> usize {
        (whole / usize::from(self.shards.max(1))).max(1)
    }
}

/// What a front is made of.
pub struct Parts {
    pub settings: Rc<Current<Settings>>,
    pub behind: Behind,
    pub clock: Clock,
    pub meters: HttpMeters,
    /// Absent: connections are plain.
    pub door: Option<Arc<Door>>,
    /// The text of `/metrics`.
    pub metrics: Box<dyn Fn() -> String>,
    /// Gives a new connection back if it is to be served here.
    pub place: Box<dyn Fn(Stream) -> Option<Stream>>,
}

/// One for each listener.
pub struct Front {
    pub settings: Rc<Current<Settings>>,
    pub behind: Behind,
    pub clock: Clock,
    pub meters: HttpMeters,
    pub door: Option<Arc<Door>>,
    pub budget: Budget,
    pub metrics: Box<dyn Fn() -> String>,
    pub place: Box<dyn Fn(Stream) -> Option<Stream>>,
    open: Cell<usize>,
    /// Connections that were ever open here.
    entered: Cell<u64>,
    draining: Cell<bool>,
    listener: Cell<Option<Stopper>>,
    /// Connections that wait for their next request.
    idle: RefCell<FastMap<u64, Stopper>>,
    numbers: Cell<u64>,
    seed: u64,
    /// The second that the text is of.
    date: RefCell<(u64, String)>,
}

impl Front {
    pub fn new(parts: Parts) -> Front {
        let budget = Budget::new(parts.settings.get().memory_bytes());
        // Only to keep request ids of several starts apart.
        let seed = getrandom::u64().unwrap_or(parts.clock.unix().0.unsigned_abs());
        Front {
            settings: parts.settings,
            behind: parts.behind,
            clock: parts.clock,
            meters: parts.meters,
            door: parts.door,
            budget,
            metrics: parts.metrics,
            place: parts.place,
            open: Cell::new(0),
            entered: Cell::new(0),
            draining: Cell::new(false),
            listener: Cell::new(None),
            idle: RefCell::default(),
            numbers: Cell::new(0),
            seed,
            date: RefCell::default(),
        }
    }

    /// From the next request, or the next wait for a client, on.
    pub fn follow(&self, settings: Settings) {
        self.budget.resize(settings.memory_bytes());
        self.settings.set(settings);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// No connection is accepted and none waits for another request from here on. Answers under way are
    /// finished: see `listen::drained`.
    pub fn drain(&self) {
        self.draining.set(true);
        if let Some(load) = self.load() {
            load.set_takes(false);
        }
        if let Some(listener) = self.listener.take() {
            listener.stop();
        }
        for stopper in self.idle.borrow().values() {
            stopper.stop();
        }
    }

    /// The listener is open until this is called again with nothing.
    pub fn set_listener(&self, listener: Option<Stopper>) {
        self.listener.set(listener);
    }

    /// Open connections of this shard.
    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// One more is open, if that is allowed. Each one is paid back with [`Front::left`]; the guest, if its address is
    /// counted, stays as long as the connection.
    pub fn enters(&self, stream: &Stream) -> Result<Option<Guest>, Rejection> {
        let open = self.open.get();
        let settings = self.settings.get();
        if open >= settings.share(settings.server.connections_max) {
            return Err(Rejection::TooManyConnections);
        }
        let guest = self.guest(stream, settings.server.connections_per_address_max)?;
        self.entered.set(self.entered.get() + 1);
        self.set_open(open + 1);
        Ok(guest)
    }

    /// Nothing where nobody counts: without a limit, before a store, and for operators.
    fn guest(&self, stream: &Stream, most: Option<usize>) -> Result<Option<Guest>, Rejection> {
        let (Some(most), Some(board)) = (most, self.board()) else { return Ok(None) };
        // One that has gone already is served to its end, which is near.
        let Ok(address) = stream.peer_address() else { return Ok(None) };
        let guest = board.addresses.enter(address.ip(), most);
        guest.map(Some).ok_or(Rejection::TooManyOfAddress)
    }

    pub fn left(&self) {
        self.set_open(self.open.get() - 1);
    }

    fn set_open(&self, open: usize) {
        self.open.set(open);
        self.meters.connections.set(open as f64);
        if let Some(load) = self.load() {
            load.set_open(open, self.entered.get());
        }
    }

    /// What others may know of this shard's work, if it is one.
    pub fn load(&self) -> Option<&Load> {
        self.board().map(|board| board.load(ShardId(self.settings.get().shard)))
    }

    /// The board, if this is the listener for clients of a gateway.
    fn board(&self) -> Option<&Board> {
        match &self.behind {
            // Its few connections are placed and counted by nobody.
            Behind::Gateway(_) if self.settings.get().role == Role::Admin => None,
            Behind::Gateway(gateway) => Some(&gateway.ingest.facts.board),
            Behind::Store(_) => None,
        }
    }

    /// A number that no other connection or request of this shard has.
    pub fn number(&self) -> u64 {
        let number = self.numbers.get() + 1;
        self.numbers.set(number);
        number
    }

    /// The connection may be ended from outside until it is busy again; it must still be open.
    pub fn is_idle(&self, connection: u64, stopper: Stopper) {
        self.idle.borrow_mut().insert(connection, stopper);
    }

    pub fn is_busy(&self, connection: u64) {
        self.idle.borrow_mut().remove(&connection);
    }

    /// The time as HTTP writes it; made once a second.
    pub fn date(&self) -> String {
        let now = self.clock.unix_duration();
        let mut date = self.date.borrow_mut();
        if date.0 != now.as_secs() || date.1.is_empty() {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
            *date = (now.as_secs(), httpdate::fmt_http_date(time));
        }
        date.1.clone()
    }

    /// A request id for somebody who sent none, in the shape of a UUID.
    pub fn request_id(&self) -> String {
        let (number, seed) = (self.number(), self.seed);
        let shard = self.settings.get().shard;
        format!(
            "{:08x}-{:04x}-{:04x}-{shard:04x}-{:012x}",
            seed >> 32,
            (seed >> 16) & 0xffff,
            seed & 0xffff,
            number & 0xffff_ffff_ffff
        )
    }
}
