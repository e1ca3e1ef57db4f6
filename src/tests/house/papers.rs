//! Markdown that says something about the code must say what is true.

use super::{House, complains, layers, nothing_wrong, root};
use crate::telemetry::names;

/// The path of a write, and of a query: each hop is a function that can be found by its name.
const WRITE: [&str; 9] = [
    "server::listen::accept",
    "server::conn::serve",
    "server::write::handle",
    "ingest::accept::lines",
    "ring::Topology::route",
    "ingest::batch::push",
    "wal::Log::append",
    "ingest::deliver::run",
    "backend::write::send",
];
const QUERY: [&str; 12] = [
    "server::conn::serve",
    "server::query::handle",
    "proto::influxql::parse",
    "proto::flux::parse",
    "query::plan::influxql::plan",
    "query::plan::flux::plan",
    "query::plan::influxql::steps::steps",
    "query::influxql::answer",
    "query::merge::influxql::turn",
    "query::forward::influxql",
    "backend::query::ask",
    "server::answer::stream",
];

/// What the page of figures must tell of, whether it was measured, missed or failed.
const FIGURES: [&str; 11] = [
    "CPU per line in null sinks",
    "gzip + chunked, less inflating alone",
    "2 shards against 1",
    "against the crate influxdb-line-protocol",
    "the nom grammar alone",
    "p99 of a 5 KB write",
    "group commit",
    "a backend hangs",
    "all backends dead under full load",
    "catch-up after an outage",
    "performance-growth.svg",
];

const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";

/// Lines of a markdown text that stand outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !is_fence
    })
}

fn markdown(house: &House) -> impl Iterator<Item = (&str, &str)> {
    let all = house.papers.iter().filter(|(path, _)| path.ends_with(".md"));
    all.map(|(path, text)| (&**path, &**text))
}

fn titles(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in markdown(house) {
        let count = prose(text).filter(|line| line.starts_with("# ")).count();
        if count != 1 || !text.starts_with("# ") {
            complaints.push(format!("{path}: {count} titles; a text has one, in its first line"));
        }
    }
    complaints
}

/// Targets of `[text](target)` that are files.
fn links(text: &str) -> Vec<&str> {
    let targets = prose(text).flat_map(|line| line.split("](").skip(1));
    let targets = targets.filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains("://")).collect()
}

fn dead_links(house: &House, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in markdown(house) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(text) {
            if !exists(&format!("{folder}/{link}")) {
                complaints.push(format!("{path}: no file for the link {link}"));
            }
        }
    }
    complaints
}

/// What is missing on the page that `scripts/bench` writes: figures, and parts that it could not fill.
fn missing_figures(page: &str, wanted: &[&str]) -> Vec<String> {
    let absent = wanted.iter().filter(|what| !page.contains(**what));
    let mut complaints: Vec<_> =
        absent.map(|what| format!("there is no figure of {what}")).collect();
    for part in page.split("<!-- bench:").skip(1) {
        let (name, content) = part.split_once(" -->").unwrap_or((part, ""));
        match content.split_once(&format!("<!-- /bench:{name} -->")) {
            Some((inside, _)) if !inside.trim().is_empty() => {}
            Some(_) => complaints.push(format!("nothing stands between the markers of {name}")),
            None => complaints.push(format!("the part {name} has no end")),
        }
    }
    complaints
}

/// The rows of a table that begin with a hop: its path and its file.
fn hops<'a>(text: &'a str, title: &str) -> Vec<(&'a str, &'a str)> {
    let section = text.split_once(title).map_or("", |(_, after)| after);
    let section = section.split("\n#").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| ") && line.contains("::"));
    let cell = |cell: &'a str| cell.trim().trim_matches('`');
    rows.map(|row| {
        let mut cells = row.split('|').skip(1).map(cell);
        (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
    })
    .collect()
}

fn wrong_hops(house: &House, title: &str, wanted: &[&str]) -> Vec<String> {
    let told = hops(house.paper(ARCHITECTURE), title);
    let names: Vec<&str> = told.iter().map(|(path, _)| *path).collect();
    let mut complaints = Vec::new();
    if names != wanted {
        complaints.push(format!("{ARCHITECTURE}: {title:?} tells {names:?}, not {wanted:?}"));
    }
    for (path, file) in told {
        let Some(source) = house.product().find(|source| source.path == file) else {
            complaints.push(format!("{ARCHITECTURE}: {path} stands in {file}, which is no file"));
            continue;
        };
        let (before, function) = path.rsplit_once("::").expect("a path");
        let is_there = source.code.contains(&format!("fn {function}("))
            || source.code.contains(&format!("fn {function}<"));
        // A type on the way is a file's business; folders and modules are lower-case.
        let on_the_way = before.split("::").filter(|name| name.starts_with(char::is_lowercase));
        let fits = on_the_way
            .zip(file.trim_start_matches("src/").split(['/', '.']))
            .all(|(name, part)| name == part);
        let types = before.split("::").filter(|name| name.starts_with(char::is_uppercase));
        let has_types =
            types.into_iter().all(|name| source.code.contains(&format!("impl {name} ")));
        if !(is_there && fits && has_types) {
            complaints.push(format!("{ARCHITECTURE}: {file} has no {path}"));
        }
    }
    complaints
}

/// Names in backticks that read like tests: `a_law_of_ours`.
fn laws(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_law = |word: &&str| {
        word.matches('_').count() >= 3
            && word.chars().all(|letter| {
                letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit()
            })
            && !word.starts_with("circlet_")
    };
    quoted.filter(is_law).collect()
}

fn unknown_laws(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    // Its profiles name functions of the kernel and of packages.
    let profiles = "docs/performance.md";
    let keys = house.sources.iter().find(|source| source.path == "src/config/plain.rs");
    let is_key = |word: &str| keys.is_some_and(|keys| keys.text.contains(&format!("\"{word}\"")));
    for (path, text) in markdown(house).filter(|(path, _)| *path != profiles) {
        for law in laws(text).into_iter().filter(|word| !is_key(word)) {
            let head = format!("fn {law}(");
            if !house.sources.iter().any(|source| source.text.contains(&head)) {
                complaints.push(format!("{path}: there is no test {law}"));
            }
        }
    }
    complaints
}

/// Every metric has a line in the operator's page, and the page names no other.
fn untold_metrics(page: &str, named: &[String]) -> Vec<String> {
    let quoted: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
    let missing = named.iter().filter(|name| !quoted.contains(&name.as_str()));
    let mut complaints: Vec<String> =
        missing.map(|name| format!("docs/operations.md says nothing of {name}")).collect();
    let metric = |word: &&&str| word.starts_with("circlet_");
    let words = quoted.iter().filter(metric).map(|word| word.split('{').next().unwrap_or(word));
    let strange = words.filter(|word| !named.iter().any(|name| name == word));
    complaints.extend(strange.map(|word| format!("docs/operations.md: there is no {word}")));
    complaints
}

fn metrics(house: &House) -> Vec<String> {
    let source = house.sources.iter().find(|source| source.path == "src/telemetry/names.rs");
    let spoken = &source.expect("the names of the metrics").spoken;
    let names = spoken.split('"').filter(|word| word.starts_with("circlet_"));
    names.map(str::to_owned).collect()
}

#[test]
fn every_text_has_one_title_and_living_links() {
    let house = House::read();
    nothing_wrong(titles(house));
    nothing_wrong(dead_links(house, |link| root().join(link.trim_start_matches('/')).exists()));
}

#[test]
fn the_hops_of_a_write_and_a_query_stand_where_they_are_told() {
    let house = House::read();
    nothing_wrong(wrong_hops(house, "## Path of a write", &WRITE));
    nothing_wrong(wrong_hops(house, "## Path of a query", &QUERY));
}

#[test]
fn the_architecture_shows_the_layers_and_every_folder() {
    let house = House::read();
    let text = house.paper(ARCHITECTURE);
    assert!(text.lines().any(|line| line == layers::line()), "{}", layers::line());
    for folder in layers::LAYERS[..8].concat() {
        assert!(text.contains(&format!("\n| `{folder}` |")), "no row for {folder}");
    }
}

#[test]
fn every_test_that_a_text_names_exists() {
    nothing_wrong(unknown_laws(House::read()));
}

#[test]
fn every_metric_is_told_to_operators() {
    let house = House::read();
    let named = metrics(house);
    assert!(named.iter().any(|name| name == names::LOST_POINTS), "the names are found: {named:?}");
    nothing_wrong(untold_metrics(house.paper("docs/operations.md"), &named));
}

#[test]
fn the_page_of_figures_has_every_figure() {
    let house = House::read();
    let page = house.paper("docs/performance.md");
    assert!(page.contains("<!-- bench:table -->"), "the parts are found");
    nothing_wrong(missing_figures(page, &FIGURES));
}

#[test]
fn a_missing_figure_and_an_empty_part_are_found() {
    let page = "# A\n<!-- bench:table -->\n| a | 1 |\n<!-- /bench:table -->\n";
    nothing_wrong(missing_figures(page, &["| a |"]));
    complains(&missing_figures(page, &["| b |"]), "| b |");
    complains(&missing_figures(&page.replace("| a | 1 |\n", ""), &[]), "markers of table");
    complains(&missing_figures(&page.replace("/bench:table", "/bench"), &[]), "has no end");
}

#[test]
fn two_titles_and_a_dead_link_are_found() {
    let house = House::made_up(&[(
        "docs/a.md",
        "# A\n\n```\n# no title\n```\n\n[x](b.md#y) [z](https://c.d)\n",
    )]);
    nothing_wrong(titles(&house));
    nothing_wrong(dead_links(&house, |link| link == "docs/b.md"));
    complains(&dead_links(&house, |_| false), "b.md");
    complains(&titles(&House::made_up(&[("docs/a.md", "# A\n\n# B\n")])), "2 titles");
}

#[test]
fn a_hop_that_is_not_there_is_found() {
    let table = "# A\n\n## Path\n\n| hop | file |\n|---|---|\n| `wal::Log::append` | `src/wal/log.rs` | x |\n\n## Next\n";
    let code = "impl Log {\n    pub fn append(&self) {}\n}\n";
    let house = |code| House::made_up(&[(ARCHITECTURE, table), ("src/wal/log.rs", code)]);
    let wanted = ["wal::Log::append"];
    nothing_wrong(wrong_hops(&house(code), "## Path", &wanted));
    complains(&wrong_hops(&house("impl Log {}"), "## Path", &wanted), "has no wal::Log::append");
    let renamed = code.replace("impl Log", "impl Writer");
    complains(&wrong_hops(&house(&renamed), "## Path", &wanted), "has no wal::Log::append");
    complains(&wrong_hops(&house(code), "## Path", &["wal::append"]), "not [\"wal::append\"]");
    let elsewhere = House::made_up(&[(ARCHITECTURE, table), ("src/ring/log.rs", code)]);
    complains(&wrong_hops(&elsewhere, "## Path", &wanted), "is no file");
}

#[test]
fn an_unknown_test_or_metric_is_found() {
    let files = [("README.md", "# A\n\n`nothing_is_ever_lost` and `ack_wait`\n")];
    complains(&unknown_laws(&House::made_up(&files)), "nothing_is_ever_lost");
    let named = ["circlet_a_total".to_owned()];
    nothing_wrong(untold_metrics("`circlet_a_total`", &named));
    complains(&untold_metrics("circlet_a_total", &named), "nothing of circlet_a_total");
    complains(&untold_metrics("`circlet_a_total` `circlet_b{x=\"y\"}`", &named), "no circlet_b");
}
