//! The file's sections as they were written: right types, nothing compared with anything yet.
//!
//! Nothing here is `Debug`, because secrets still stand in it as plain text.

use super::budget::RawBacklog;
use super::checked::{
    Kind, LogConfig, LogLevel, ProbeConfig, QueryConfig, ServerConfig, StoreConfig, TlsVersion,
    WriteConfig,
};
use super::plain;
use super::problem::{Place, Problems};
use super::section::{Found, Section};
use super::tree::Table;
use crate::ring::Placement;

/// The URL of a store in this process.
pub const EMBEDDED: &str = "embedded";

type Text = Option<Found<String>>;

pub struct RawFile {
    pub place: Place,
    pub listen: Text,
    /// Of `[admin]`.
    pub admin: Text,
    pub data_dir: Text,
    pub shards: Option<u32>,
    pub log_level: Option<LogLevel>,
    /// Absent: no `[auth]` at all.
    pub auth: Option<RawAuth>,
    /// Absent: no `[tls]` at all.
    pub tls: Option<RawTls>,
    pub placement: RawPlacement,
    pub default_org: Text,
    pub circles: Vec<RawCircle>,
    pub mappings: Vec<RawMapping>,
    pub server: ServerConfig,
    pub write: WriteConfig,
    pub log: LogConfig,
    /// Where `[log] max_bytes` stands, or would stand.
    pub log_bytes_place: Place,
    /// Of every backend that says nothing else.
    pub backlog: RawBacklog,
    pub query: QueryConfig,
    pub probe: ProbeConfig,
    pub store: StoreConfig,
    pub debug_headers: bool,
}

pub struct RawAuth {
    pub place: Place,
    pub tokens: Option<Found<Vec<Found<String>>>>,
    pub tokens_file: Text,
    pub scoped: Vec<RawToken>,
    pub metrics_need_token: bool,
}

/// One table of `[[auth.token]]`.
pub struct RawToken {
    pub place: Place,
    pub name: Text,
    pub hash: Text,
    pub scopes: Option<Found<Vec<Found<String>>>>,
    pub databases: Option<Found<Vec<Found<String>>>>,
    pub buckets: Option<Found<Vec<Found<String>>>>,
    pub expires: Text,
    /// Bytes a second.
    pub write_rate: Option<u64>,
}

pub struct RawTls {
    pub place: Place,
    pub cert_file: Text,
    pub key_file: Text,
    pub client_ca_file: Text,
    pub min_version: Option<TlsVersion>,
}

#[derive(Default)]
pub struct RawPlacement {
    pub algorithm: Option<Placement>,
    pub hash_key: Text,
    pub shard_key: Text,
}

pub struct RawCircle {
    pub place: Place,
    pub name: Text,
    pub backends: Vec<RawBackend>,
}

pub struct RawBackend {
    pub place: Place,
    pub name: Text,
    pub url: Text,
    pub kind: Option<Kind>,
    pub token: Text,
    pub token_file: Text,
    pub username: Text,
    pub username_file: Text,
    pub password: Text,
    pub password_file: Text,
    pub write_only: bool,
    pub tls_ca_file: Text,
    pub tls_cert_file: Text,
    pub tls_key_file: Text,
    pub tls_server_name: Text,
    pub backlog: RawBacklog,
    /// Those keys of the credentials that are there, whatever they are worth.
    pub credentials: Vec<&'static str>,
}

pub struct RawMapping {
    pub place: Place,
    pub database: Text,
    pub retention_policy: Text,
    pub bucket: Text,
    pub org: Text,
}

/// Reads the whole document.
pub fn read(root: &Table, problems: &mut Problems) -> RawFile {
    let mut file = Section::new(root);
    let log_bytes_place = file.place_in("log", "max_bytes");
    let (log, backlog) = plain::log(&mut file, problems);
    let raw = RawFile {
        place: root.place.clone(),
        listen: file.required("listen", "listen = \"127.0.0.1:8080\"", problems),
        admin: admin(&mut file, problems),
        data_dir: file.required("data_dir", "data_dir = \"circlet-data\"", problems),
        shards: file.integer("shards", 1..=1024, problems),
        log_level: file.word("log_level", LogLevel::WORDS, problems),
        auth: auth(&mut file, problems),
        tls: tls(&mut file, problems),
        placement: placement(&mut file, problems),
        default_org: default_org(&mut file, problems),
        circles: circles(&mut file, problems),
        mappings: mappings(&mut file, problems),
        server: plain::server(&mut file, problems),
        write: plain::write(&mut file, problems),
        log,
        log_bytes_place,
        backlog,
        query: plain::query(&mut file, problems),
        probe: plain::probe(&mut file, problems),
        store: plain::store(&mut file, problems),
        debug_headers: plain::debug_headers(&mut file, problems),
    };
    file.finish(problems);
    raw
}

fn auth(file: &mut Section<'_>, problems: &mut Problems) -> Option<RawAuth> {
    let mut section = file.table("auth", problems)?;
    let auth = RawAuth {
        place: section.place().clone(),
        tokens: section.texts("tokens", problems),
        tokens_file: section.text("tokens_file", problems),
        scoped: scoped_tokens(&mut section, problems),
        metrics_need_token: section
            .word("metrics", &[("open", false), ("token", true)], problems)
            .unwrap_or(false),
    };
    section.finish(problems);
    Some(auth)
}

/// Where operators are answered.
fn admin(file: &mut Section<'_>, problems: &mut Problems) -> Text {
    let mut section = file.table("admin", problems)?;
    let listen = section.required("listen", "listen = \"127.0.0.1:8081\"", problems);
    section.finish(problems);
    listen
}

fn tls(file: &mut Section<'_>, problems: &mut Problems) -> Option<RawTls> {
    let mut section = file.table("tls", problems)?;
    let tls = RawTls {
        place: section.place().clone(),
        cert_file: section.required("cert_file", "cert_file = \"PATH\"", problems),
        key_file: section.required("key_file", "key_file = \"PATH\"", problems),
        client_ca_file: section.text("client_ca_file", problems),
        min_version: section.word("min_version", TlsVersion::WORDS, problems),
    };
    section.finish(problems);
    Some(tls)
}

fn placement(file: &mut Section<'_>, problems: &mut Problems) -> RawPlacement {
    let Some(mut section) = file.table("placement", problems) else {
        return RawPlacement::default();
    };
    let algorithms = [Placement::InfluxProxy, Placement::Even].map(|it| (it.word(), it));
    let placement = RawPlacement {
        algorithm: section.word("algorithm", &algorithms, problems),
        hash_key: section.text("hash_key", problems),
        shard_key: section.text("shard_key", problems),
    };
    section.finish(problems);
    placement
}

fn scoped_tokens(auth: &mut Section<'_>, problems: &mut Problems) -> Vec<RawToken> {
    let sections = auth.tables("token", problems).into_iter();
    sections
        .map(|mut section| {
            let token = RawToken {
                place: section.place().clone(),
                name: section.required("name", "name = \"telegraf\"", problems),
                hash: section.required(
                    "hash",
                    "the line that `circlet token create` prints",
                    problems,
                ),
                scopes: section.texts("scopes", problems),
                databases: section.texts("databases", problems),
                buckets: section.texts("buckets", problems),
                expires: section.text("expires", problems),
                write_rate: section.size("write_rate", 1..=1 << 40, problems),
            };
            section.finish(problems);
            token
        })
        .collect()
}

fn default_org(file: &mut Section<'_>, problems: &mut Problems) -> Text {
    let mut section = file.table("defaults", problems)?;
    let org = section.text("org", problems);
    section.finish(problems);
    org
}

fn circles(file: &mut Section<'_>, problems: &mut Problems) -> Vec<RawCircle> {
    let sections = file.tables("circle", problems).into_iter();
    sections
        .map(|mut section| {
            let circle = RawCircle {
                place: section.place().clone(),
                name: section.required("name", "name = \"circle-1\"", problems),
                backends: backends(&mut section, problems),
            };
            section.finish(problems);
            circle
        })
        .collect()
}

fn backends(circle: &mut Section<'_>, problems: &mut Problems) -> Vec<RawBackend> {
    let sections = circle.tables("backend", problems).into_iter();
    sections.map(|section| backend(section, problems)).collect()
}

fn backend(mut section: Section<'_>, problems: &mut Problems) -> RawBackend {
    const CREDENTIALS: [&str; 6] =
        ["token", "token_file", "username", "username_file", "password", "password_file"];
    let is_embedded = section.has_text("url", EMBEDDED);
    if !section.has("kind") && !is_embedded {
        let mend = "kind = \"influxdb1\" (or influxdb2, influxdb3, line-protocol)";
        problems.add(&section.place_of("kind"), "missing", mend);
    }
    let backend = RawBackend {
        place: section.place().clone(),
        name: section.required("name", "name = \"influxdb-1-1\"", problems),
        url: section.required("url", "url = \"http://127.0.0.1:8086\"", problems),
        kind: section.word("kind", Kind::WORDS, problems).or(is_embedded.then_some(Kind::Embedded)),
        token: section.text("token", problems),
        token_file: section.text("token_file", problems),
        username: section.text("username", problems),
        username_file: section.text("username_file", problems),
        password: section.text("password", problems),
        password_file: section.text("password_file", problems),
        write_only: section.boolean("write_only", problems).unwrap_or(false),
        tls_ca_file: section.text("tls_ca_file", problems),
        tls_cert_file: section.text("tls_cert_file", problems),
        tls_key_file: section.text("tls_key_file", problems),
        tls_server_name: section.text("tls_server_name", problems),
        backlog: RawBacklog::read(&mut section, problems),
        credentials: CREDENTIALS.into_iter().filter(|key| section.has(key)).collect(),
    };
    section.finish(problems);
    backend
}

fn mappings(file: &mut Section<'_>, problems: &mut Problems) -> Vec<RawMapping> {
    let sections = file.tables("dbrp", problems).into_iter();
    sections
        .map(|mut section| {
            let mapping = RawMapping {
                place: section.place().clone(),
                database: section.required("database", "database = \"telegraf\"", problems),
                retention_policy: section.text("retention_policy", problems),
                bucket: section.required("bucket", "bucket = \"telegraf\"", problems),
                org: section.text("org", problems),
            };
            section.finish(problems);
            mapping
        })
        .collect()
}
