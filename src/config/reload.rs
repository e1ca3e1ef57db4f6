//! What a running gateway takes over from a configuration that was read again.
//!
//! Every key is decided on here: the sections are taken apart whole, so that a new key does not compile before it is.
//! docs/config.md tells the same as a table, and a test holds the two against each other.
//!
//! - *Taken over*: what one request reads once. No lock and no restart of anything is in it.
//! - *Left for a restart*: what is a socket, a file or a thread by now, and whatever would give a key another owner.

use super::budget::SEGMENTS_PER_SHARD_MIN;
use super::checked::{
    Ack, Auth, Backend, BackendTls, BacklogConfig, Config, Credentials, Kind, LogConfig,
    ProbeConfig, QueryConfig, ServerConfig, StoreConfig, TlsConfig, WriteConfig,
};
use super::problem::Refusal;
use super::token::Token;
use crate::ring::{Plan, Topology, moved_share};
use std::fmt;
use std::sync::Arc;

pub type Outcome = Result<Report, Failure>;

/// What came of a reload. The keys are written as paths of the file; a backend stands there by its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Changed, and in use.
    pub changed: Vec<String>,
    /// They differ from what is in use, and stay so until a restart.
    pub needs_restart: Vec<String>,
    /// Of all keys: what would get another owner at that restart, which then wants `--accept-ring-change`.
    pub moved_share: Option<f64>,
    /// A certificate could not be read a second time; connections are made with the one before.
    pub are_certificates_kept: bool,
}

/// Why everything stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Refused(Refusal),
    /// The gateway runs without a file.
    NoFile,
    /// A shard does not go on. The others have taken it over.
    Late,
    Ending,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(refusal) => write!(out, "{refusal}"),
            Failure::NoFile => out.write_str("the gateway runs without a configuration file"),
            Failure::Late => out.write_str("a shard has not taken over the configuration in time"),
            Failure::Ending => out.write_str("the gateway is stopping"),
        }
    }
}

impl std::error::Error for Failure {}

/// Puts into `running` what may change of `fresh`. `segment_bytes` is the size that the log's segments have.
pub fn take_over(running: &mut Config, fresh: Config, segment_bytes: u64) -> Report {
    let mut report = Report::default();
    let Config {
        listen,
        admin,
        data_dir,
        shards,
        log_level,
        auth,
        tls,
        metrics_need_token,
        plan,
        naming,
        backends,
        server,
        write,
        log,
        query,
        probe,
        store,
        debug_headers,
    } = fresh;
    report.stays("listen", &running.listen, &listen);
    report.stays("admin.listen", &running.admin, &admin);
    report.stays("data_dir", &running.data_dir, &data_dir);
    report.stays("shards", &running.shards, &shards);
    report.takes("log_level", &mut running.log_level, log_level);
    take_auth(&mut report, running, auth);
    report.takes("auth.metrics", &mut running.metrics_need_token, metrics_need_token);
    take_tls(&mut report, &mut running.tls, tls);
    compare_plans(&mut report, &running.plan, &plan);
    if running.naming != naming {
        let is_org = running.naming.default_org() != naming.default_org();
        report.needs_restart.push(if is_org { "defaults.org" } else { "dbrp" }.to_owned());
    }
    for backend in backends {
        let known = running.backends.iter_mut().find(|known| known.name == backend.name);
        // Another set of names is another plan, which was told already.
        if let Some(known) = known {
            take_backend(&mut report, known, backend);
        }
    }
    take_server(&mut report, &mut running.server, server);
    take_write(&mut report, &mut running.write, write);
    let room = segment_bytes * SEGMENTS_PER_SHARD_MIN * u64::from(running.shards);
    take_log(&mut report, &mut running.log, log, room);
    take_query(&mut report, &mut running.query, query);
    take_probe(&mut report, &mut running.probe, probe);
    compare_stores(&mut report, &running.store, &store);
    report.takes("debug.headers", &mut running.debug_headers, debug_headers);
    report
}

impl Report {
    fn takes<T: PartialEq>(&mut self, key: &str, now: &mut T, fresh: T) {
        if *now != fresh {
            *now = fresh;
            self.changed.push(key.to_owned());
        }
    }

    fn stays<T: PartialEq>(&mut self, key: &str, now: &T, fresh: &T) {
        if now != fresh {
            self.needs_restart.push(key.to_owned());
        }
    }
}

fn take_auth(report: &mut Report, running: &mut Config, fresh: Auth) {
    let is_loopback = |address: &std::net::SocketAddr| address.ip().is_loopback();
    let is_own = is_loopback(&running.listen) && running.admin.iter().all(is_loopback);
    let has_stores = running.backends.iter().any(|backend| backend.kind == Kind::Embedded);
    let (now, fresh) = match (&running.auth, fresh) {
        (Auth::Open, Auth::Open) => return,
        // The file listens on loopback; what is bound does not.
        (_, Auth::Open) if !is_own => return report.needs_restart.push("auth".to_owned()),
        // The stores of this process were started open: whoever finds their ports gets past the tokens.
        (Auth::Open, _) if has_stores => return report.needs_restart.push("auth".to_owned()),
        (Auth::Open, fresh) | (_, fresh @ Auth::Open) => {
            running.auth = fresh;
            return report.changed.push("auth".to_owned());
        }
        (Auth::Tokens(now), Auth::Tokens(fresh)) => (now, fresh),
    };
    let of = |tokens: &[Arc<Token>], is_plain: bool| -> Vec<Arc<Token>> {
        tokens.iter().filter(|token| token.secret.is_some() == is_plain).cloned().collect()
    };
    for (key, is_plain) in [("auth.tokens", true), ("auth.token", false)] {
        if of(now, is_plain) != of(&fresh, is_plain) {
            report.changed.push(key.to_owned());
        }
    }
    // One that is as before keeps what it has used of its share.
    let kept = |token: Arc<Token>| now.iter().find(|one| **one == token).cloned().unwrap_or(token);
    running.auth = Auth::Tokens(fresh.into_iter().map(kept).collect());
}

fn take_tls(report: &mut Report, now: &mut Option<TlsConfig>, fresh: Option<TlsConfig>) {
    let (now, fresh) = match (now, fresh) {
        (None, None) => return,
        (Some(now), Some(fresh)) => (now, fresh),
        // Clients of the one speak nothing that the other understands.
        _ => return report.needs_restart.push("tls".to_owned()),
    };
    let TlsConfig { cert_file, key_file, client_ca_file, min_version } = fresh;
    report.takes("tls.cert_file", &mut now.cert_file, cert_file);
    report.takes("tls.key_file", &mut now.key_file, key_file);
    report.takes("tls.client_ca_file", &mut now.client_ca_file, client_ca_file);
    report.takes("tls.min_version", &mut now.min_version, min_version);
}

fn compare_plans(report: &mut Report, now: &Plan, fresh: &Plan) {
    let Plan { placement, hash_key, shard_key, circles } = fresh;
    report.stays("placement.algorithm", &now.placement, placement);
    report.stays("placement.hash_key", &now.hash_key, hash_key);
    report.stays("placement.shard_key", &now.shard_key, shard_key);
    report.stays("circle", &now.circles, circles);
    if now != fresh {
        report.moved_share = Some(moved_share(&Topology::new(now), &Topology::new(fresh)));
    }
}

fn take_backend(report: &mut Report, now: &mut Backend, fresh: Backend) {
    let Backend {
        name,
        // These three follow from the URL, which is in the plan.
        circle: _,
        host: _,
        port: _,
        url: _,
        kind,
        credentials,
        tls,
        write_only,
        backlog,
    } = fresh;
    let path = |key: &str| format!("circle.backend[{name}].{key}");
    report.stays(&path("kind"), &now.kind, &kind);
    // A store of this process has its own, which stand in no file.
    if now.kind == kind && kind != Kind::Embedded && now.credentials != credentials {
        let keys = changed_credentials(&now.credentials, &credentials);
        report.changed.extend(keys.into_iter().map(path));
        now.credentials = credentials;
    }
    if let (Some(now), Some(tls)) = (&mut now.tls, tls) {
        let BackendTls { ca_file, own, server_name } = tls;
        report.takes(&path("tls_ca_file"), &mut now.ca_file, ca_file);
        let of = |own: &Option<(_, _)>| own.clone().unzip();
        let ((certificate, key), (new_certificate, new_key)) = (of(&now.own), of(&own));
        report.takes(&path("tls_cert_file"), &mut { certificate }, new_certificate);
        report.takes(&path("tls_key_file"), &mut { key }, new_key);
        now.own = own;
        report.takes(&path("tls_server_name"), &mut now.server_name, server_name);
    }
    report.takes(&path("write_only"), &mut now.write_only, write_only);
    let BacklogConfig { bytes_max, age_max, on_full, replay_rate } = backlog;
    report.takes(&path("max_backlog_bytes"), &mut now.backlog.bytes_max, bytes_max);
    report.takes(&path("max_backlog_age"), &mut now.backlog.age_max, age_max);
    report.takes(&path("on_backlog_full"), &mut now.backlog.on_full, on_full);
    report.takes(&path("replay_rate"), &mut now.backlog.replay_rate, replay_rate);
}

/// The keys behind two that differ. Whether a text stood in the file or in a file of its own cannot be told.
fn changed_credentials(now: &Credentials, fresh: &Credentials) -> Vec<&'static str> {
    let parts = |credentials: &Credentials| match credentials.clone() {
        Credentials::None => (None, None, None),
        Credentials::Token(token) => (Some(token), None, None),
        Credentials::Password { username, password } => (None, Some(username), Some(password)),
    };
    let (now, fresh) = (parts(now), parts(fresh));
    let differ = [
        ("token", now.0 != fresh.0),
        ("username", now.1 != fresh.1),
        ("password", now.2 != fresh.2),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

fn take_server(report: &mut Report, now: &mut ServerConfig, fresh: ServerConfig) {
    let ServerConfig {
        body_bytes_max,
        inflated_body_bytes_max,
        header_timeout,
        idle_timeout,
        body_timeout,
        body_rate_min,
        connections_max,
        connections_per_address_max,
        shutdown_timeout,
        memory_bytes,
    } = fresh;
    report.takes("server.max_body", &mut now.body_bytes_max, body_bytes_max);
    let inflated = &mut now.inflated_body_bytes_max;
    report.takes("server.max_inflated_body", inflated, inflated_body_bytes_max);
    report.takes("server.header_timeout", &mut now.header_timeout, header_timeout);
    report.takes("server.idle_timeout", &mut now.idle_timeout, idle_timeout);
    report.takes("server.body_timeout", &mut now.body_timeout, body_timeout);
    report.takes("server.min_body_rate", &mut now.body_rate_min, body_rate_min);
    report.takes("server.max_connections", &mut now.connections_max, connections_max);
    let of_one = &mut now.connections_per_address_max;
    report.takes("server.max_connections_per_address", of_one, connections_per_address_max);
    report.takes("server.shutdown_timeout", &mut now.shutdown_timeout, shutdown_timeout);
    report.takes("server.memory", &mut now.memory_bytes, memory_bytes);
}

fn take_write(report: &mut Report, now: &mut WriteConfig, fresh: WriteConfig) {
    let WriteConfig {
        ack,
        ack_wait,
        consistency,
        sync_interval,
        accept_partial,
        retry_min,
        retry_max,
    } = fresh;
    // With `interval` the log itself is written in another way.
    let is_lazy = |ack: Ack| ack == Ack::Interval;
    if is_lazy(now.ack) == is_lazy(ack) {
        report.takes("write.ack", &mut now.ack, ack);
    } else {
        report.stays("write.ack", &now.ack, &ack);
    }
    report.takes("write.ack_wait", &mut now.ack_wait, ack_wait);
    report.takes("write.consistency", &mut now.consistency, consistency);
    report.takes("write.sync_interval", &mut now.sync_interval, sync_interval);
    report.takes("write.accept_partial", &mut now.accept_partial, accept_partial);
    report.takes("write.retry_min", &mut now.retry_min, retry_min);
    report.takes("write.retry_max", &mut now.retry_max, retry_max);
}

/// `room_bytes` is the least that the log's segments, as they are, can do with.
fn take_log(report: &mut Report, now: &mut LogConfig, fresh: LogConfig, room_bytes: u64) {
    let LogConfig {
        segment_bytes,
        hot_window_bytes,
        sync,
        bytes_max,
        min_free,
        on_full,
        spill_after,
    } = fresh;
    report.stays("log.segment_bytes", &now.segment_bytes, &segment_bytes);
    report.stays("log.hot_window", &now.hot_window_bytes, &hot_window_bytes);
    report.stays("log.sync", &now.sync, &sync);
    // Below that it would be full for good; a restart makes smaller segments.
    if bytes_max.is_none_or(|most| most >= room_bytes) {
        report.takes("log.max_bytes", &mut now.bytes_max, bytes_max);
    } else {
        report.stays("log.max_bytes", &now.bytes_max, &bytes_max);
    }
    report.takes("log.min_free", &mut now.min_free, min_free);
    report.takes("log.on_full", &mut now.on_full, on_full);
    report.takes("log.spill_after", &mut now.spill_after, spill_after);
}

fn take_query(report: &mut Report, now: &mut QueryConfig, fresh: QueryConfig) {
    let QueryConfig { timeout, stale_after, queries_max } = fresh;
    report.takes("query.timeout", &mut now.timeout, timeout);
    report.takes("query.stale_after", &mut now.stale_after, stale_after);
    report.takes("query.max_queries", &mut now.queries_max, queries_max);
}

fn take_probe(report: &mut Report, now: &mut ProbeConfig, fresh: ProbeConfig) {
    let ProbeConfig { interval, catalogue_interval, timeout } = fresh;
    report.takes("probe.interval", &mut now.interval, interval);
    report.takes("probe.catalogue_interval", &mut now.catalogue_interval, catalogue_interval);
    report.takes("probe.timeout", &mut now.timeout, timeout);
}

/// An embedded store is opened with all of these.
fn compare_stores(report: &mut Report, now: &StoreConfig, fresh: &StoreConfig) {
    let StoreConfig {
        series_max,
        values_per_tag_max,
        cache_bytes_max,
        query_bytes_max,
        query_timeout,
        queries_max,
        // No key.
        writes_max: _,
    } = fresh;
    report.stays("embedded.max_series", &now.series_max, series_max);
    report.stays("embedded.max_tag_values", &now.values_per_tag_max, values_per_tag_max);
    report.stays("embedded.cache", &now.cache_bytes_max, cache_bytes_max);
    report.stays("embedded.query_memory", &now.query_bytes_max, query_bytes_max);
    report.stays("embedded.query_timeout", &now.query_timeout, query_timeout);
    report.stays("embedded.max_queries", &now.queries_max, queries_max);
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
