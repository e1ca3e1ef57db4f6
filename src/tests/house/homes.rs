//! The one home of each chosen package, and a user for every dependency.

use super::source::Source;
use super::{House, complains, nothing_wrong};

/// A package and the folders that may name it.
const HOMES: [(&str, &[&str]); 7] = [
    ("glommio", &["rt"]),
    ("nom", &["proto"]),
    ("ahash", &["base"]),
    ("crossbeam_channel", &["shard"]),
    ("memmap2", &["base"]),
    ("hdrhistogram", &["telemetry"]),
    ("metrics", &["telemetry"]),
];

/// Those that the load tool may name.
const LOAD_TOOL: [&str; 1] = ["hdrhistogram"];

/// Places where a file names a package: as the first word of a path, or in `use x;`.
fn named(source: &Source, package: &str) -> Vec<usize> {
    let code = &source.code;
    let is_package = |at: usize| {
        let (before, after) = (code[..at].trim_end(), &code[at + package.len()..]);
        let is_inner = before.ends_with("::") && !before.ends_with(" ::") || before.ends_with('.');
        let is_use = before.ends_with("use") && after.starts_with([';', ' ']);
        !is_inner && (after.starts_with("::") || is_use)
    };
    let places = source.idents().filter(|(at, name)| *name == package && is_package(*at));
    places.map(|(at, _)| at).collect()
}

fn away_from_home(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in &house.sources {
        for (package, homes) in HOMES {
            let is_home = match source.path.split('/').next() {
                Some("src") => homes.contains(&source.folder()),
                Some("loadgen") => LOAD_TOOL.contains(&package),
                _ => false,
            };
            for at in named(source, package).into_iter().filter(|_| !is_home) {
                let home = homes.join(", ");
                complaints.push(format!("{}: {package} lives in {home} alone", source.at(at)));
            }
        }
    }
    complaints
}

/// The names below `[dependencies]`, as code spells them.
fn dependencies(manifest: &str) -> Vec<String> {
    let all = manifest.split_once("\n[dependencies]").map_or("", |(_, after)| after);
    let all = all.split("\n[").next().unwrap_or_default();
    let pairs = all.lines().filter(|line| !line.starts_with('#'));
    let names = pairs.filter_map(|line| line.split_once(['=', '.']).map(|(name, _)| name.trim()));
    names.map(|name| name.replace('-', "_")).collect()
}

fn without_user(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    for (manifest, folder) in [("Cargo.toml", "src/"), ("loadgen/Cargo.toml", "loadgen/")] {
        for package in dependencies(house.paper(manifest)) {
            let mut files = house.sources.iter().filter(|source| source.path.starts_with(folder));
            if !files.any(|source| !named(source, &package).is_empty()) {
                complaints.push(format!("{manifest}: nothing below {folder} uses {package}"));
            }
        }
    }
    complaints
}

#[test]
fn a_chosen_package_is_named_in_its_home_alone() {
    nothing_wrong(away_from_home(House::read()));
}

#[test]
fn every_dependency_has_a_user() {
    nothing_wrong(without_user(House::read()));
}

#[test]
fn a_package_away_from_home_is_found() {
    for (path, text) in [
        ("src/wal/log.rs", "use glommio::io;"),
        ("src/server/write.rs", "fn f() { nom::bytes::tag(1) }"),
        ("src/query/mod.rs", "use ahash as fast;"),
        ("tests/x.rs", "use metrics::counter;"),
        ("loadgen/src/main.rs", "use crossbeam_channel;"),
    ] {
        complains(&away_from_home(&House::made_up(&[(path, text)])), "alone");
    }
    nothing_wrong(away_from_home(&House::made_up(&[
        ("src/rt/mod.rs", "use glommio::io; // nom::x"),
        ("src/server/write.rs", "fn f(metrics: u8) { self.metrics.add(); super::metrics::f() }"),
        ("loadgen/src/main.rs", "use hdrhistogram::Histogram;"),
    ])));
}

#[test]
fn a_dependency_without_a_user_is_found() {
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\n# kept\nnom = \"8\"\ncrc-fast = { version = \"1\" }\n\n[lints]\n";
    let house = House::made_up(&[
        ("Cargo.toml", manifest),
        ("loadgen/Cargo.toml", ""),
        ("src/proto/mod.rs", "use nom::IResult;"),
    ]);
    complains(&without_user(&house), "crc_fast");
}
