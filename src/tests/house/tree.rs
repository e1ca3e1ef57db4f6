//! Which file is which module: finds files that nothing names, and files that only tests compile.

use super::source::Source;
use super::{House, complains, nothing_wrong};
use std::collections::BTreeMap;

/// `mod name;` in a file.
struct Declared {
    /// Where its file may stand.
    paths: [String; 2],
    is_test: bool,
}

/// Files from which the compiler starts.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        parts[..],
        ["src" | "loadgen", .., "lib.rs" | "main.rs"]
            | ["tests", _]
            | ["tests", _, "main.rs"]
            | ["loadgen", "tests", _]
    )
}

fn declared(source: &Source) -> Vec<Declared> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let is_folder_page = file == "mod.rs" || is_root(&source.path);
    let inner = match is_folder_page {
        true => folder.to_owned(),
        false => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    let lines: Vec<&str> = source.spoken.lines().map(str::trim).collect();
    let mut all = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let words = line.strip_suffix(';').unwrap_or_default();
        let Some((before, name)) = words.rsplit_once("mod ") else { continue };
        if !(before.is_empty() || before.starts_with("pub")) {
            continue;
        }
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        let attributes: Vec<&&str> = attributes.collect();
        let path = attributes.iter().find_map(|line| line.strip_prefix("#[path = \""));
        let plain = [format!("{inner}/{name}.rs"), format!("{inner}/{name}/mod.rs")];
        all.push(Declared {
            paths: match path.and_then(|path| path.strip_suffix("\"]")) {
                Some(path) => [resolve(folder, path), String::new()],
                None => plain,
            },
            is_test: attributes.iter().any(|line| **line == "#[cfg(test)]"),
        });
    }
    all
}

fn resolve(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Every file that the compiler meets, and whether only tests do.
fn reached(sources: &[Source]) -> BTreeMap<String, bool> {
    let by_path: BTreeMap<&str, &Source> =
        sources.iter().map(|source| (&*source.path, source)).collect();
    let mut found = BTreeMap::new();
    let roots = sources.iter().filter(|source| is_root(&source.path));
    let mut open: Vec<(String, bool)> =
        roots.map(|source| (source.path.clone(), source.is_test)).collect();
    while let Some((path, is_test)) = open.pop() {
        let Some(source) = by_path.get(&*path) else { continue };
        if found.insert(path, is_test).is_none() {
            for child in declared(source) {
                let is_test = is_test || child.is_test;
                open.extend(child.paths.into_iter().map(|path| (path, is_test)));
            }
        }
    }
    found
}

/// Notes which files only tests compile.
pub(super) fn mark_tests(sources: &mut [Source]) {
    let found = reached(sources);
    for source in sources {
        source.is_test |= found.get(&source.path).copied().unwrap_or(false);
    }
}

fn forgotten(house: &House) -> Vec<String> {
    let found = reached(&house.sources);
    let left = house.sources.iter().filter(|source| !found.contains_key(&source.path));
    left.map(|source| format!("{}: no `mod` names this file; remove it", source.path)).collect()
}

#[test]
fn every_file_is_part_of_the_program() {
    nothing_wrong(forgotten(House::read()));
}

#[test]
fn a_forgotten_file_is_found_and_a_test_is_known() {
    let house = House::made_up(&[
        ("src/lib.rs", "pub mod base;\n#[cfg(test)]\nmod tests;\n"),
        ("src/base/mod.rs", "pub mod ids;\n#[cfg(test)]\nmod spread;\n"),
        ("src/base/ids.rs", "#[cfg(test)]\n#[path = \"ids_tests.rs\"]\nmod tests;\n"),
        ("src/base/ids_tests.rs", ""),
        ("src/base/spread.rs", ""),
        ("src/base/old.rs", ""),
        ("src/tests/mod.rs", ""),
    ]);
    complains(&forgotten(&house), "src/base/old.rs");
    let tests: Vec<_> = house.sources.iter().filter(|source| source.is_test).collect();
    let tests: Vec<_> = tests.iter().map(|source| &*source.path).collect();
    assert_eq!(tests, ["src/base/ids_tests.rs", "src/base/spread.rs", "src/tests/mod.rs"]);
}
