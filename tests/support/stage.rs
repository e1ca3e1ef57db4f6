//! Circlet before backends that play a part.

use super::actor::Actor;
use super::circlet::Circlet;
use super::http::Request;
use super::metrics::Metrics;
use super::ports;
use super::wait::{seconds, until};
use super::world::{backend, directory};
use std::net::SocketAddr;
use tempfile::TempDir;

/// Circlet stops first, then the backends; the directory goes last.
pub struct Stage {
    pub circlet: Circlet,
    pub circles: Vec<Vec<Actor>>,
    _directory: TempDir,
}

impl Stage {
    /// One shard before these backends, circle by circle, all of them up.
    pub fn start(circles: Vec<Vec<Actor>>) -> Stage {
        let directory = directory();
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let mut text = format!("listen = \"{address}\"\ndata_dir = \"data\"\nshards = 1\n");
        for (circle, actors) in circles.iter().enumerate() {
            text.push_str(&format!("[[circle]]\nname = \"circle-{circle}\"\n"));
            for (index, actor) in actors.iter().enumerate() {
                let name = format!("actor-{circle}-{index}");
                text.push_str(&backend(&name, &actor.url(), "influxdb1"));
            }
        }
        let config = directory.path().join("circlet.toml");
        std::fs::write(&config, text).expect("config is written");
        let circlet = Circlet::start(&config, address);
        until("all backends are up", seconds(10), || {
            let metrics = Metrics::parse(&circlet.ask(&Request::get("/metrics")).text());
            let samples = metrics.with("circlet_backend_up", &[]);
            samples.iter().all(|sample| sample.value == 1.0).then_some(())
        });
        Stage { circlet, circles, _directory: directory }
    }
}
