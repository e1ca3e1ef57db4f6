//! From raw to checked: what must hold between values.
//!
//! Promises: each part tells all its problems and goes on with what is sound; only a list that stayed empty makes a
//! [`Config`].

mod address;
mod circles;
mod names;
mod secrets;
mod tls;
mod tokens;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::budget;
use super::checked::{Backend, Config, Kind, LogLevel};
use super::environment::Environment;
use super::problem::Problems;
use super::raw::{RawFile, RawPlacement};
use super::section::{Found, quoted};
use crate::ring::{HashKey, Placement, Plan, ShardKey};

/// The checked configuration; nothing if a problem was found, here or before.
pub fn check(raw: RawFile, environment: &Environment, problems: &mut Problems) -> Option<Config> {
    let listen = raw.listen.as_ref().and_then(|found| listen(found, problems));
    let admin = admin(&raw, listen, problems);
    let auth = tokens::auth(raw.auth.as_ref(), &raw, listen, admin, problems);
    let tls = tls::listener(raw.tls.as_ref(), problems);
    let metrics_need_token = raw.auth.as_ref().is_some_and(|auth| auth.metrics_need_token);
    let (circles, backends) = circles::circles(&raw, [listen, admin], problems);
    let shards = shards(raw.shards, environment);
    let log = &raw.log;
    let place = &raw.log_bytes_place;
    budget::check_log(log.bytes_max, log.segment_bytes, shards, place, problems);
    let placement = placement(&raw.placement, &backends, problems);
    let naming = names::naming(&raw, problems);
    if !problems.is_empty() {
        return None;
    }
    let (algorithm, hash_key, shard_key) = placement?;
    Some(Config {
        listen: listen?,
        admin,
        data_dir: raw.data_dir?.value.into(),
        shards,
        log_level: raw.log_level.unwrap_or(LogLevel::Info),
        auth: auth?,
        tls,
        metrics_need_token,
        plan: Plan { placement: algorithm, hash_key, shard_key, circles },
        naming: naming?,
        backends,
        server: raw.server,
        write: raw.write,
        log: raw.log,
        query: raw.query,
        probe: raw.probe,
        store: raw.store,
        debug_headers: raw.debug_headers,
    })
}

/// As written, else one for each core.
fn shards(written: Option<u32>, environment: &Environment) -> u16 {
    let shards = written.map_or(environment.cores, |number| number as usize);
    u16::try_from(shards.clamp(1, 1024)).expect("clamped to 1,024")
}

/// `address:port`, or `localhost:port`.
fn listen(found: &Found<String>, problems: &mut Problems) -> Option<SocketAddr> {
    let text = &found.value;
    let on_localhost = text
        .strip_prefix("localhost:")
        .and_then(|port| port.parse().ok())
        .map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let address = on_localhost.or_else(|| text.parse().ok());
    if address.is_none() {
        let what = format!("{} is no address to listen on", quoted(text));
        let mend = "an IP address and a port: \"127.0.0.1:8080\", \"0.0.0.0:8080\", \"[::]:8080\"";
        problems.add(&found.place, what, mend);
    }
    address
}

/// Where operators are answered: nowhere where the others are.
fn admin(raw: &RawFile, others: Option<SocketAddr>, problems: &mut Problems) -> Option<SocketAddr> {
    let found = raw.admin.as_ref()?;
    let admin = listen(found, problems)?;
    let is_taken = |others: SocketAddr| {
        let ips = [others.ip(), admin.ip()];
        others.port() == admin.port()
            && (ips[0] == ips[1] || ips.iter().any(IpAddr::is_unspecified))
    };
    if others.is_some_and(is_taken) {
        let mend = "choose another port, or remove [admin]: then all of it is on one";
        problems.add(&found.place, "the address of listen", mend);
    }
    Some(admin)
}

fn placement(
    raw: &RawPlacement,
    backends: &[Backend],
    problems: &mut Problems,
) -> Option<(Placement, HashKey, ShardKey)> {
    let algorithm = raw.algorithm.unwrap_or(Placement::InfluxProxy);
    let hash_key = match &raw.hash_key {
        None => Some(default_hash_key(algorithm)),
        Some(found) => HashKey::parse(&found.value)
            .map_err(|error| {
                let mend = "one of idx, exi, name, url, or a text with %idx in it";
                problems.add(&found.place, format!("{}: {error}", quoted(&found.value)), mend);
            })
            .ok(),
    };
    let shard_key = match &raw.shard_key {
        None => Some(default_shard_key(backends)),
        Some(found) => ShardKey::parse(&found.value)
            .map_err(|error| {
                let mend = "a text with one or more of %org, %bk, %db, %mm";
                problems.add(&found.place, format!("{}: {error}", quoted(&found.value)), mend);
            })
            .ok(),
    };
    Some((algorithm, hash_key?, shard_key?))
}

/// By name, `even` keeps its promise to move little also when a backend leaves the middle of the list.
fn default_hash_key(algorithm: Placement) -> HashKey {
    match algorithm {
        Placement::InfluxProxy => HashKey::Template("%idx".into()),
        Placement::Even => HashKey::Name,
    }
}

fn default_shard_key(backends: &[Backend]) -> ShardKey {
    let all_influxdb2 = backends.iter().all(|backend| backend.kind == Kind::Influxdb2);
    let text = if all_influxdb2 { "%org,%bk,%mm" } else { "%db,%mm" };
    ShardKey::parse(text).expect("a sound template")
}
