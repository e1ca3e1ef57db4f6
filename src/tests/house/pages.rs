//! The first page of every folder, and where every shared type lives.

use super::source::Source;
use super::{House, complains, nothing_wrong};

/// Folders whose types belong to a core, or are shared by all.
const BOUND: [&str; 5] = ["shard", "ingest", "query", "backend", "wal"];

/// What makes a type bound: it may not be sent, or others hold it, too.
const TIES: [&str; 8] =
    ["Rc", "RefCell", "Cell", "Arc", "AtomicU64", "AtomicBool", "ArcSwap", "Signal"];

/// Folders directly below `src` tell all four things; deeper ones need not say how to read them.
fn pages(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    let is_page = |source: &&Source| source.path.ends_with("/mod.rs");
    for source in house.product().filter(is_page) {
        let lines = source.text.lines().map_while(|line| line.strip_prefix("//!"));
        let page = lines.collect::<Vec<_>>().join("\n");
        let deep = source.path.split('/').count() > 3;
        let lower = page.to_lowercase();
        let said = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let mut miss = |is_there: bool, what: &str| {
            if !is_there {
                complaints.push(format!("{}: its page does not say {what}", source.path));
            }
        };
        let first = page.lines().next().unwrap_or_default();
        miss(first.split_whitespace().count() >= 3, "what the folder is");
        miss(said(&["promise"]), "what it promises");
        miss(deep || said(&["not know", "knows no", "neither"]), "what it does not know");
        miss(deep || said(&["read in this order"]), "in which order to read it");
    }
    complaints
}

/// A `pub struct` that holds something tied to a core, or shared, says where it lives.
fn homeless(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in house.product().filter(|source| BOUND.contains(&source.folder())) {
        for (at, _) in source.code.match_indices("\npub struct ") {
            let rest = &source.code[at + 1..];
            let body = &rest[..body_length(rest)];
            let is_bound = super::source::idents(body).any(|(_, name)| TIES.contains(&name));
            let is_borrowed = body.lines().next().is_some_and(|line| line.contains('<'));
            if is_bound && !is_borrowed && !says_where(&source.text[..=at]) {
                let name = super::source::idents(body).nth(2).map_or("", |(_, name)| name);
                complaints.push(format!(
                    "{}: say of {name} `Lives on: ...`, `Shared: ...` or `Sent to ...`",
                    source.at(at + 1)
                ));
            }
        }
    }
    complaints
}

/// A struct ends with its closing brace at the line's start, or with a semicolon.
fn body_length(rest: &str) -> usize {
    let first = rest.lines().next().unwrap_or_default();
    if first.ends_with(';') || first.ends_with('}') {
        return first.len();
    }
    rest.find("\n}").unwrap_or(rest.len())
}

fn says_where(before: &str) -> bool {
    let lines = before.lines().rev();
    let docs = lines.take_while(|line| line.starts_with("///") || line.starts_with("#["));
    docs.into_iter().any(|line| {
        ["Lives on:", "Shared:", "Shared by", "Sent to", "share it"]
            .iter()
            .any(|word| line.contains(word))
    })
}

#[test]
fn every_folder_has_a_first_page() {
    nothing_wrong(pages(House::read()));
}

#[test]
fn every_bound_type_says_where_it_lives() {
    nothing_wrong(homeless(House::read()));
}

#[test]
fn a_page_that_lacks_a_part_is_found() {
    let whole = "//! One log of frames.\n//!\n//! Promises: much.\n//!\n//! Does not know: lines.\n//!\n//! Read in this order: `a`.\n";
    nothing_wrong(pages(&House::made_up(&[("src/wal/mod.rs", whole)])));
    for (part, complaint) in [
        ("One log of frames.", "what the folder is"),
        ("Promises: much.", "what it promises"),
        ("Does not know: lines.", "what it does not know"),
        ("Read in this order: `a`.", "in which order"),
    ] {
        let house = House::made_up(&[("src/wal/mod.rs", &whole.replace(part, ""))]);
        complains(&pages(&house), complaint);
    }
}

#[test]
fn a_bound_type_without_a_home_is_found() {
    let bound = "//! x\n\n/// A log.\n#[derive(Debug)]\npub struct Log {\n    inner: Rc<u8>,\n}\n";
    complains(&homeless(&House::made_up(&[("src/wal/log.rs", bound)])), "of Log");
    let told = bound.replace("A log.", "A log. Lives on: every shard.");
    let plain = bound.replace("Rc<u8>", "u8");
    for text in [told, plain] {
        nothing_wrong(homeless(&House::made_up(&[("src/wal/log.rs", &text)])));
    }
}
