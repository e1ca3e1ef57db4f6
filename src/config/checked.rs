//! The checked configuration: plain values that hold together.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::token::Token;
use crate::ring::{Naming, Plan};

/// Everything that a gateway is told. Read at the start; `reload` says what may change later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub listen: SocketAddr,
    /// Where operators are answered; absent: with everybody else.
    pub admin: Option<SocketAddr>,
    pub data_dir: PathBuf,
    /// How many cores work; at least 1.
    pub shards: u16,
    pub log_level: LogLevel,
    pub auth: Auth,
    /// Absent: the listener speaks plain HTTP.
    pub tls: Option<TlsConfig>,
    /// `/metrics` wants a token, too.
    pub metrics_need_token: bool,
    /// Circles and rings. Their flat list of backends has the order of `backends`.
    pub plan: Plan,
    pub naming: Naming,
    /// All backends, circle after circle, in the order of the file.
    pub backends: Vec<Backend>,
    pub server: ServerConfig,
    pub write: WriteConfig,
    pub log: LogConfig,
    pub query: QueryConfig,
    pub probe: ProbeConfig,
    /// Of every embedded store.
    pub store: StoreConfig,
    /// Answers tell which shard and which backends served them.
    pub debug_headers: bool,
}

/// Who may use the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Everybody; the gateway then listens on loopback only.
    Open,
    /// Whoever shows one of these; never empty.
    Tokens(Vec<Arc<Token>>),
}

/// What the listener shows, and demands of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate, and those between it and its authority. PEM, like all of these files.
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    /// Clients must show a certificate that this authority has signed.
    pub client_ca_file: Option<PathBuf>,
    pub min_version: TlsVersion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

/// How a backend is met over TLS. It is always verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendTls {
    /// Absent: the authorities of this system.
    pub ca_file: Option<PathBuf>,
    /// Certificate and key that are shown to it.
    pub own: Option<(PathBuf, PathBuf)>,
    /// What its certificate must be for; the host of its URL if nothing else is said.
    pub server_name: String,
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Unique over all circles, and fit for the name of a file.
    pub name: String,
    /// Place in the list of circles.
    pub circle: u16,
    /// As it was written.
    pub url: String,
    /// Host name, or address; an IPv6 address without its brackets.
    pub host: String,
    pub port: u16,
    pub kind: Kind,
    pub credentials: Credentials,
    /// Of an `https://` URL.
    pub tls: Option<BackendTls>,
    /// Is never asked.
    pub write_only: bool,
    pub backlog: BacklogConfig,
}

/// Which protocol a backend speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Influxdb1,
    Influxdb2,
    Influxdb3,
    /// Takes `/write` of 1.x and nothing else.
    LineProtocol,
    /// The store in this process: InfluxQL and statements of 1.x, and Flux.
    Embedded,
}

impl Kind {
    /// It takes the statements of 1.x and answers their questions.
    pub fn is_v1(self) -> bool {
        matches!(self, Kind::Influxdb1 | Kind::Embedded)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    None,
    Token(Secret),
    Password { username: String, password: Secret },
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Of a request, as it is sent.
    pub body_bytes_max: usize,
    /// Of a request, after decompression.
    pub inflated_body_bytes_max: usize,
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    /// Between two pieces of a body.
    pub body_timeout: Duration,
    /// Bytes a second that a body has to bring once `body_timeout` is over; 0 asks for nothing.
    pub body_rate_min: u64,
    /// Over all shards.
    pub connections_max: usize,
    /// Of one client, over all shards.
    pub connections_per_address_max: Option<usize>,
    pub shutdown_timeout: Duration,
    /// For the bodies of requests, over all shards.
    pub memory_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteConfig {
    pub ack: Ack,
    pub ack_wait: Duration,
    pub consistency: Consistency,
    /// Between two syncs with [`Ack::Interval`].
    pub sync_interval: Duration,
    /// `/api/v2/write` keeps the good lines of a body with bad ones.
    pub accept_partial: bool,
    pub retry_min: Duration,
    pub retry_max: Duration,
}

/// When a write is answered with success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// Durable here, and confirmed by every circle whose backend is current.
    Delivered,
    /// Durable here.
    Durable,
    /// Written here, and durable within `sync_interval`.
    Interval,
}

/// What becomes of the parameter `consistency` of `/write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// It is checked and has no effect.
    Ignore,
    /// That many circles must confirm within `ack_wait`.
    Honour,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Absent: by the free space.
    pub segment_bytes: Option<u64>,
    /// Over all shards.
    pub hot_window_bytes: usize,
    pub sync: LogSync,
    /// Of all logs together.
    pub bytes_max: Option<u64>,
    /// What stays free on the file system.
    pub min_free: MinFree,
    /// Beyond either of the two.
    pub on_full: OnFull,
    /// Segments are packed when they are so old, or when there is little room.
    pub spill_after: Duration,
}

/// What one backend may be owed, over all shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacklogConfig {
    pub bytes_max: Option<u64>,
    pub age_max: Option<Duration>,
    /// Beyond either of the two.
    pub on_full: OnFull,
    /// Bytes a second of lines that are not fresh.
    pub replay_rate: Option<u64>,
}

/// What gives way when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// New lines: they are refused, and the client keeps them.
    Reject,
    /// The oldest lines of backends that lag.
    DropOldest,
}

/// Space of a file system that the log leaves to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinFree {
    /// 5 %, at most 4 GiB.
    Automatic,
    /// A share of the whole, in percent.
    Percent(u8),
    Bytes(u64),
}

/// The least that is logged, where the environment says nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How the log makes its writes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSync {
    Fdatasync,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryConfig {
    pub timeout: Duration,
    /// A backend that owes more than this is not asked while another is complete.
    pub stale_after: Duration,
    /// That run at once, over all shards.
    pub queries_max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeConfig {
    pub interval: Duration,
    pub catalogue_interval: Duration,
    pub timeout: Duration,
}

/// What one embedded store may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Of one database; 0: no limit.
    pub series_max: usize,
    /// Of one tag key of one measurement; 0: no limit.
    pub values_per_tag_max: usize,
    /// Memory of points that are in no file yet.
    pub cache_bytes_max: u64,
    /// Memory of one question.
    pub query_bytes_max: u64,
    /// Absent: as long as it takes, or its client waits.
    pub query_timeout: Option<Duration>,
    /// At once; more wait.
    pub queries_max: usize,
    pub writes_max: usize,
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        StoreConfig {
            series_max: 1_000_000,
            values_per_tag_max: 100_000,
            cache_bytes_max: 1 << 30,
            query_bytes_max: 512 << 20,
            query_timeout: None,
            queries_max: 8,
            writes_max: 16,
        }
    }
}

impl Auth {
    /// Whoever shows one of these may do everything.
    pub fn of_secrets(secrets: impl IntoIterator<Item = Secret>) -> Auth {
        Auth::Tokens(secrets.into_iter().map(|secret| Arc::new(Token::plain(secret))).collect())
    }
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself: for the wire, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Backend {
    /// `host:port`, as a `Host` header and a resolver want it.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            pub const WORDS: &'static [(&'static str, $name)] =
                &[$(($word, $name::$variant)),+];

            /// As the configuration says it.
            pub fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word),+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words!(Kind {
    Influxdb1 = "influxdb1",
    Influxdb2 = "influxdb2",
    Influxdb3 = "influxdb3",
    LineProtocol = "line-protocol",
    Embedded = "embedded",
});
words!(Ack { Delivered = "delivered", Durable = "durable", Interval = "interval" });
words!(Consistency { Ignore = "ignore", Honour = "honour" });
words!(OnFull { Reject = "reject", DropOldest = "drop_oldest" });
words!(TlsVersion { Tls12 = "1.2", Tls13 = "1.3" });
words!(LogLevel {
    Error = "error",
    Warn = "warn",
    Info = "info",
    Debug = "debug",
    Trace = "trace",
});
words!(LogSync { Fdatasync = "fdatasync" });
