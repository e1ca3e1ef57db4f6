//! The order of the folders: each may use only folders to its left.

use super::source::{Source, idents};
use super::{House, complains, nothing_wrong};

/// Folders between the same two `<` are strangers. `docs/ARCHITECTURE.md` shows the same line.
pub(super) const LAYERS: [&[&str]; 9] = [
    &["base"],
    &["telemetry", "proto", "ring"],
    &["config", "rt"],
    &["wal", "store", "backend"],
    &["ingest", "query"],
    &["transfer"],
    &["server"],
    &["shard"],
    &["commands", "main"],
];

pub(super) fn line() -> String {
    let layers: Vec<String> = LAYERS[..8].iter().map(|layer| layer.join(", ")).collect();
    format!("{} < main", layers.join(" < "))
}

fn layer(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&folder))
}

/// Folders that a file names, each with its place.
fn used(source: &Source) -> Vec<(usize, String)> {
    let code = &source.code;
    let mut all = Vec::new();
    let mut chain = 0;
    for (at, name) in source.idents() {
        let after = at + name.len();
        if !code[after..].starts_with("::") {
            chain = 0;
            continue;
        }
        // `super::super::x` in `src/wal/log.rs` is `crate::x`.
        chain = if name == "super" { chain + 1 } else { 0 };
        let at_root = chain > 0 && chain >= source.module().len();
        if name == "crate" || name == "circlet" || at_root {
            all.extend(heads(&code[after + 2..]).into_iter().map(|head| (at, head)));
        }
    }
    all.retain(|(_, name)| layer(name).is_some());
    all
}

/// The first names of `a::b`, or of each part of `{a::b, c}`.
fn heads(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else {
        return idents(rest).next().map(|(_, name)| name.to_owned()).into_iter().collect();
    };
    let mut depth = 0usize;
    let mut parts = vec![String::new()];
    for letter in group.chars() {
        match letter {
            '}' if depth == 0 => break,
            ',' if depth == 0 => parts.push(String::new()),
            _ => parts.last_mut().expect("never empty").push(letter),
        }
        depth = match letter {
            '{' => depth + 1,
            '}' => depth - 1,
            _ => depth,
        };
    }
    let first = |part: &String| idents(part).next().map(|(_, name)| name.to_owned());
    parts.iter().filter_map(first).collect()
}

fn wrong_ways(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in house.product().filter(|source| source.folder() != "lib") {
        let folder = source.folder();
        let Some(own) = layer(folder) else {
            complaints.push(format!("{}: {folder} is no folder of the house", source.path));
            continue;
        };
        for (at, target) in used(source) {
            let is_left = layer(&target).is_some_and(|left| left < own);
            // The commands are the parts of main.
            let is_main = own == LAYERS.len() - 1;
            if target != folder && !is_left && !is_main {
                complaints.push(format!(
                    "{}: {folder} uses {target}, which is not to its left in: {}",
                    source.at(at),
                    line()
                ));
            }
        }
    }
    complaints
}

/// `src/lib.rs` is the table of contents, in the order of the layers.
fn out_of_order(house: &House) -> Vec<String> {
    let lib = house.sources.iter().find(|source| source.path == "src/lib.rs").expect("a library");
    let modules = lib.code.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let named: Vec<&str> = modules.map(|name| name.trim_end_matches(';')).collect();
    let listed = LAYERS[..8].concat();
    let missing = listed.iter().filter(|name| !named.contains(name));
    let mut complaints: Vec<String> =
        missing.map(|name| format!("src/lib.rs does not name {name}")).collect();
    for pair in named.windows(2) {
        if layer(pair[0]) > layer(pair[1]) {
            complaints.push(format!("src/lib.rs names {} before {}", pair[0], pair[1]));
        }
    }
    complaints
}

#[test]
fn a_folder_uses_only_folders_to_its_left() {
    nothing_wrong(wrong_ways(House::read()));
}

#[test]
fn the_table_of_contents_has_the_order_of_the_layers() {
    nothing_wrong(out_of_order(House::read()));
}

#[test]
fn a_look_to_the_right_is_found_however_it_is_spelled() {
    for text in [
        "use crate::wal::Log;",
        "fn f() { crate::wal::open(); }",
        "use crate::{base::ids::LogId, wal::{Log, Writer}};",
        "use super::super::wal::Log;",
    ] {
        let house = House::made_up(&[("src/rt/file.rs", text)]);
        complains(&wrong_ways(&house), "rt uses wal");
    }
    let strangers = House::made_up(&[("src/ring/mod.rs", "use super::proto::line;")]);
    complains(&wrong_ways(&strangers), "ring uses proto");
    let unknown = House::made_up(&[("src/util/mod.rs", "")]);
    complains(&wrong_ways(&unknown), "util is no folder");
    let fine = House::made_up(&[
        ("src/wal/log.rs", "use super::frame; use crate::rt::File; // crate::server::x"),
        ("src/commands/route.rs", "use super::say; use circlet::ring::Target;"),
    ]);
    nothing_wrong(wrong_ways(&fine));
}

#[test]
fn a_table_of_contents_out_of_order_is_found() {
    let mut folders = LAYERS[..8].concat();
    folders.swap(0, 1);
    let text: String = folders.iter().map(|name| format!("pub mod {name};\n")).collect();
    complains(&out_of_order(&House::made_up(&[("src/lib.rs", &text)])), "telemetry before base");
    let less = text.replace("pub mod wal;\n", "").replace("pub mod base;\n", "");
    let less = format!("pub mod base;\n{less}");
    complains(&out_of_order(&House::made_up(&[("src/lib.rs", &less)])), "does not name wal");
}
