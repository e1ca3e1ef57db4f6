//! The load tool `circlet-load`, built once beside the gateway. It shares no code with the gateway.

use super::circlet::BINARY;
use super::python::{finish, output};
use super::vectors::root;
use super::world::World;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const MEASUREMENTS: u64 = 50;

/// The binary in the same profile as the gateway; built when it is missing or old.
fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let path = Path::new(BINARY).with_file_name("circlet-load");
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--locked", "-p", "circlet-load"]).current_dir(root());
        if path.parent().is_some_and(|directory| directory.ends_with("release")) {
            build.arg("--release");
        }
        finish(&mut build);
        assert!(path.exists(), "no {}", path.display());
        path
    })
}

/// `circlet-load verify` over 8 connections, gzip in chunks; only writes. Gives the file of notes.
fn write(world: &World, lines_a_request: u64, requests: u64) -> PathBuf {
    let notes = world.directory.path().join("acknowledged");
    let url = format!("http://{}", world.circlet.address);
    let mut command = Command::new(binary());
    command.args(["verify", &url, "--db", "d", "--no-check", "--gzip", "--chunked"]);
    command.args(["--connections", "8", "--measurements", &MEASUREMENTS.to_string()]);
    command.args(["--lines", &lines_a_request.to_string(), "--requests", &requests.to_string()]);
    command.arg("--acked").arg(&notes);
    finish(&mut command);
    notes
}

/// 200,000 lines of 50 measurements.
pub fn write_two_hundred_thousand(world: &World) -> PathBuf {
    write(world, 1_000, 200)
}

/// A few lines of 50 measurements; a multiple of 500.
pub fn write_some(world: &World, lines: u64) -> PathBuf {
    write(world, 500, lines / 500)
}

/// `circlet-load verify --check-only`: what it complains of, if it does.
pub fn verify(world: &World, notes: &Path) -> Result<(), String> {
    let urls = |servers: &Vec<super::influxd::Influxd>| {
        servers.iter().map(super::influxd::Influxd::url).collect::<Vec<_>>().join(",")
    };
    let backends = world.circles.iter().map(urls).collect::<Vec<_>>().join(";");
    let mut command = Command::new(binary());
    command.args(["verify", "--db", "d", "--backends", &backends, "--check-only"]).arg(notes);
    let output = output(&mut command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{text}\n{errors}")) }
}

/// Panics unless each measurement is on exactly the backends that `circlet route` names, and all
/// of them are there.
#[track_caller]
pub fn expect_owners(world: &World) {
    let names: Vec<String> = (0..MEASUREMENTS).map(|index| format!("m{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let owners = world.routes(&["--db", "d"], &names);
    for server in world.servers() {
        let mut found = server.measurements("d");
        found.sort_unstable();
        let owned = names.iter().zip(&owners).filter(|(_, owners)| owners.contains(&server.name));
        let mut owned: Vec<&str> = owned.map(|(name, _)| *name).collect();
        owned.sort_unstable();
        assert_eq!(found, owned, "{}", server.name);
    }
}
