//! The stores of a gateway's own process: backends whose URL is `embedded`.

use super::control::Trouble;
use super::store_node::{StoreNode, StoreSetup};
use crate::config::{Auth, Backend, Config, Credentials, Environment, Kind, Secret, ServerConfig};
use crate::telemetry::Exposition;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long the shards wait for stores that open, so that whoever asks first finds everything in its place. What
/// takes longer counts as down until it is open.
const WAIT: Duration = Duration::from_secs(2);

/// Memory for bodies of one store, in bytes: only shards of this process send any.
const MEMORY_BYTES: usize = 64 << 20;

/// Starts a store for each backend that is one, and tells the configuration where it listens.
pub fn start(
    config: &mut Config,
    first_database: Option<&'static str>,
    exposition: &Exposition,
) -> Result<Vec<StoreNode>, Trouble> {
    let secret = match config.auth {
        Auth::Open => None,
        // Nobody may get past the tokens of the gateway by asking a store.
        Auth::Tokens(_) => Some(secret()?),
    };
    let mut stores = Vec::new();
    for at in 0..config.backends.len() {
        if config.backends[at].kind != Kind::Embedded {
            continue;
        }
        let setup = StoreSetup {
            name: config.backends[at].name.clone(),
            directory: directory(config, &config.backends[at]),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            auth: secret.clone().map_or(Auth::Open, |secret| Auth::of_secrets([secret])),
            server: server(),
            limits: config.store.clone(),
            org: config.naming.default_org().to_owned(),
            first_database,
            keeps_trying: true,
            exposition: exposition.clone(),
        };
        let node = StoreNode::start(setup)?;
        config.backends[at].port = node.address().port();
        if let Some(secret) = &secret {
            config.backends[at].credentials = Credentials::Token(secret.clone());
        }
        stores.push(node);
    }
    Ok(stores)
}

/// `embedded/CIRCLE/BACKEND` below the data directory.
pub fn directory(config: &Config, backend: &Backend) -> PathBuf {
    let circle = &config.plan.circles[usize::from(backend.circle)].name;
    config.data_dir.join("embedded").join(circle).join(&backend.name)
}

/// Waits a little for stores that are being opened.
#[expect(
    clippy::disallowed_methods,
    reason = "the control thread, before there is anything to time"
)]
pub fn wait(stores: &[StoreNode]) {
    let deadline = Instant::now() + WAIT;
    for store in stores {
        let left = deadline.saturating_duration_since(Instant::now());
        if store.wait_open(left).is_none() {
            tracing::warn!(store = store.name(), "the store is not open yet; its lines wait");
        }
    }
}

/// The defaults, whatever the gateway itself takes: what it accepted must get through.
fn server() -> ServerConfig {
    let built_in = Config::built_in(&Environment::default()).server;
    ServerConfig { memory_bytes: MEMORY_BYTES, shutdown_timeout: WAIT, ..built_in }
}

fn secret() -> Result<Secret, Trouble> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| Trouble::Environment(error.to_string()))?;
    Ok(Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}
